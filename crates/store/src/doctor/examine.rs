//! Looking at a store from outside, file by file, without opening it as a store.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::member::Space;
use chrysalis_core::sign::SecretKey;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::Finding;
use crate::connection::{ConnectionOptions, open_file, open_reader};
use crate::encryption::{self, Passphrase};
use crate::error::StoreError;
use crate::folder::Folder;
use crate::schema::{self, FORMAT};
use crate::verify::{Problem, verify_through};

/// How many faults of the file SQLite lists.
const FAULTS_MAX: usize = 20;

/// A write-ahead log larger than this has not been moved into the database for long.
const LOG_BYTES_MAX: u64 = 256 << 20;

/// What SQLite writes at the beginning of its files.
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";

const REBUILD: &str = "make all views again from the log";
const SALVAGE: &str = "keep the damaged file beside, and take over every operation that can still be read and checked";
const REFILL: &str = "empty it: it fills again by itself";

/// Problems that lie in the views alone: the log can make them again.
const OF_VIEWS: [&str; 15] = [
    "view_differs",
    "row_without_operations",
    "row_missing",
    "wrong_memory",
    "tags_differ",
    "links_differ",
    "access_differs",
    "dead_differs",
    "withdrawn_differs",
    "settings_differ",
    "removed_differs",
    "steps_differ",
    "unseen_differs",
    "waiting_differs",
    "log_states_differ",
];

/// Says everything that is wrong with the store in this folder, and that it is well where it is. Changes nothing, and
/// works on stores that do not open. Checks every signature, in one thread.
///
/// `passphrase` is that of an encrypted store.
pub fn diagnose(path: &Path, passphrase: Option<&Passphrase>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !path.is_dir() {
        let what = if path.exists() { "it is no folder" } else { "there is no store here" };
        findings.push(Finding::error("no_store", path.display().to_string(), what));
        return findings;
    }
    let folder = Folder::at(path);
    examine_folder(&folder, &mut findings);
    let folder = match encryption::unlock(&folder, passphrase) {
        Ok(key) => folder.with_key(key),
        Err(error) => {
            findings.push(Finding::error(error.code(), "encryption", error.to_string()));
            return findings;
        }
    };
    let key = examine_key(&folder, &mut findings);
    if examine_file(&folder, &mut findings) {
        if let Err(error) = examine_database(&folder, key, &mut findings) {
            findings.push(fault(&folder.database(), &error));
        }
        examine_derived(&folder, &folder.text(), &mut findings);
        examine_derived(&folder, &folder.vectors(), &mut findings);
    }
    findings
}

pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn fault(path: &Path, error: &StoreError) -> Finding {
    let finding = Finding::error(error.code(), name(path), error.to_string());
    if matches!(error, StoreError::Corrupt { .. }) { finding.mended_by(SALVAGE) } else { finding }
}

fn examine_folder(folder: &Folder, findings: &mut Vec<Finding>) {
    if is_open_to_others(folder.root()) {
        let what = "others can look into the folder; keep it for its owner (mode 700)";
        findings.push(Finding::warning("folder_open", folder.root().display().to_string(), what));
    }
    for file in [folder.database(), folder.text(), folder.vectors()] {
        if is_open_to_others(folder.root()) && is_open_to_others(&file) {
            let finding = Finding::warning("file_readable", name(&file), "others can read the memories in it");
            findings.push(finding.mended_by("close it to others"));
        }
    }
    for entry in fs::read_dir(folder.root()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains(".damaged-") {
            let what = "a damaged file of before; delete it when nothing in it is missed";
            findings.push(Finding::warning("damaged_file_kept", name, what));
        } else if name == super::salvage::FOLDER {
            let finding = Finding::error("salvage_unfinished", name, "a repair was interrupted");
            findings.push(finding.mended_by("finish it"));
        } else if encryption::CONVERSION_FOLDERS.contains(&name.as_str()) {
            let finding =
                Finding::warning("conversion_unfinished", name, "an encryption or decryption was interrupted");
            findings.push(finding.mended_by("finish it, or clear away what it had begun"));
        }
    }
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_path: &Path) -> bool {
    false
}

fn examine_key(folder: &Folder, findings: &mut Vec<Finding>) -> Option<ReplicaKey> {
    let path = folder.key();
    if is_open_to_others(&path) {
        let finding = Finding::warning("key_readable", "key", "others can read the secret key");
        findings.push(finding.mended_by("close it to others"));
    }
    match fs::read(&path) {
        Ok(bytes) => match folder.seed_in(&bytes) {
            Some(seed) => return Some(SecretKey::from_seed(seed.as_bytes()).public()),
            None if folder.unlocking().is_some() => {
                let what = "the key was not encrypted with this store's key, or is damaged; restore it from a backup";
                findings.push(Finding::error("key_unusable", "key", what));
            }
            None => {
                let what = format!("the key has {} bytes instead of 32; restore it from a backup", bytes.len());
                findings.push(Finding::error("key_unusable", "key", what));
            }
        },
        Err(error) => {
            let what = format!("the key cannot be read ({error}); restore it from a backup");
            findings.push(Finding::error("key_missing", "key", what));
        }
    }
    None
}

/// Whether the file can be a database of ours at all.
fn examine_file(folder: &Folder, findings: &mut Vec<Finding>) -> bool {
    let path = folder.database();
    let mut head = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(100).read_to_end(&mut head));
    let finding = match read {
        Err(error) => Finding::error("database_missing", name(&path), error.to_string()),
        Ok(0) => Finding::error("database_empty", name(&path), "the file is empty").mended_by(SALVAGE),
        // Whether an encrypted file is one of ours shows when it is opened.
        Ok(100..) if folder.unlocking().is_some() => return true,
        Ok(bytes) if bytes < 100 || !head.starts_with(SQLITE_MAGIC) => {
            Finding::error("not_a_database", name(&path), "the file does not begin like a database").mended_by(SALVAGE)
        }
        Ok(_) => {
            let number = |at: usize| i32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            let (version, application) = (number(60), number(68));
            if application != FORMAT.application_id {
                Finding::error("foreign_database", name(&path), "it is a database of another program")
            } else if version > FORMAT.version {
                let what = format!("it has format version {version}; upgrade chrysalis-memory");
                Finding::error("store_too_new", name(&path), what)
            } else {
                return true;
            }
        }
    };
    findings.push(finding);
    // What is in the write-ahead log may be all there is: a store that was never closed.
    fs::metadata(folder.root().join("chrysalis.db-wal")).is_ok_and(|metadata| metadata.len() > 0)
        && findings.last().is_some_and(|finding| finding.code == "database_empty")
}

fn examine_database(folder: &Folder, key: Option<ReplicaKey>, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    let path = folder.database();
    let key_of_files = folder.unlocking().cloned();
    let options =
        ConnectionOptions { busy_timeout: Duration::from_secs(5), key: key_of_files, ..ConnectionOptions::default() };
    let connection = open_reader(&path, FORMAT, &options)?;
    // Looking must not move anything.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let faults = faults(&connection)?;
    for what in &faults {
        findings.push(Finding::error("database_damaged", name(&path), what).mended_by(SALVAGE));
    }
    examine_log(folder, &connection, findings)?;
    let Some(space) = schema::meta(&connection, "space")?.and_then(|bytes| Space::decode(&bytes).ok()) else {
        findings.push(Finding::error("space_unknown", name(&path), "it does not say which space it keeps"));
        return Ok(());
    };
    examine_owner(&connection, key, findings)?;
    connection.execute_batch("BEGIN")?;
    let verified = verify_through(&connection, &space, now_ms())?;
    findings.extend(verified.problems.iter().map(of_problem));
    if faults.is_empty() && verified.holds() {
        let what = format!("{} operations and {} memories hold", verified.operations, verified.memories);
        findings.push(Finding::ok("holds", name(&path), what));
    }
    Ok(())
}

pub(super) fn faults(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({FAULTS_MAX})"))?;
    let faults = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(faults.into_iter().filter(|fault| fault != "ok").collect())
}

fn of_problem(problem: &Problem) -> Finding {
    let finding = Finding::error(problem.code, problem.where_.clone(), problem.what.clone());
    finding.mended_by(if is_of_views(problem.code) { REBUILD } else { SALVAGE })
}

/// Whether making the views again mends it.
pub(super) fn is_of_views(code: &str) -> bool {
    OF_VIEWS.contains(&code) || code == "clock_differs"
}

fn examine_log(folder: &Folder, connection: &Connection, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    let waiting: i64 = connection.query_row("SELECT count(*) FROM erasure", [], |row| row.get(0))?;
    if waiting > 0 {
        let what = "something was forgotten, and its words still have to leave the derived files";
        findings.push(Finding::warning("erasure_pending", "chrysalis.db", what).mended_by("erase them"));
    }
    let log = folder.root().join("chrysalis.db-wal");
    let bytes = fs::metadata(&log).map_or(0, |metadata| metadata.len());
    if bytes > LOG_BYTES_MAX {
        let what = format!("the write-ahead log has {} MiB: a reader keeps it from being moved", bytes >> 20);
        findings.push(Finding::warning("log_large", name(&log), what).mended_by("move it into the database"));
    }
    Ok(())
}

/// Whether the key is the one that this store writes with.
fn examine_owner(
    connection: &Connection,
    key: Option<ReplicaKey>,
    findings: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT replica FROM log WHERE own = 1")?;
    let owners = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?.collect::<Result<Vec<_>, _>>()?;
    if let (Some(key), Some(owner)) = (key, owners.first())
        && owner != key.as_bytes()
    {
        let what = "the key is not the one that this store was written with; restore that one";
        findings.push(Finding::error("key_foreign", "key", what));
    }
    Ok(())
}

/// A derived file that is missing is no loss, and one that is damaged is a small one.
fn examine_derived(folder: &Folder, path: &Path, findings: &mut Vec<Finding>) {
    if !path.exists() {
        return;
    }
    let checked = open_file(path, OpenFlags::SQLITE_OPEN_READ_WRITE, folder.unlocking()).and_then(|connection| {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))?)
    });
    match checked {
        Ok(answer) if answer == "ok" => {}
        Ok(what) => findings.push(Finding::warning("derived_damaged", name(path), what).mended_by(REFILL)),
        Err(error) => {
            findings.push(Finding::warning("derived_damaged", name(path), error.to_string()).mended_by(REFILL));
        }
    }
}
