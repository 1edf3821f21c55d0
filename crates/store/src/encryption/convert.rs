//! From a plain store to an encrypted one, back, or to another key: everything is written anew beside, and then takes the
//! place of what was there.
//!
//! The new files stand in a folder `converting`. When they are whole and on disk it is renamed to `converted`, and from
//! then on there is only one way: whoever opens the store next ends the work. Before, only what can be made again is
//! gone. No process can have the store open meanwhile, since this one holds the database's exclusive lock, and whoever
//! opens a store holds a shared lock on the folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};
use zeroize::Zeroizing;

use super::{Key, Passphrase, cipher, unlock};
use crate::connection::open_file;
use crate::error::StoreError;
use crate::folder::{Folder, sync_folder};
use crate::search::{cells, is_damage};
use crate::store::{Store, StoreOptions};

/// Where the new files are made, and what that folder is called once they are whole.
pub(crate) const FOLDERS: [&str; 2] = ["converting", "converted"];

/// Stands among the new files when the store will not be encrypted any more.
const PLAIN: &str = "plain";

/// How long others may take to close the store.
const CLOSING_WAIT: Duration = Duration::from_secs(2);

/// Writes the store in this folder anew: encrypted, if `to` is given, with a new key; else plain. On disk when this
/// returns. Vectors come along; the text index is made again by the next recall.
///
/// The store must be closed everywhere. What stood on the disk before is deleted, and not overwritten: see
/// `docs/threat-model.md` for what may remain.
///
/// # Errors
/// As for opening it with `from`; [`StoreError::Locked`] when somebody has it open, [`StoreError::Invalid`] when there
/// is nothing to do or damaged files of before stand there; those of writing. The store is then as it was.
pub fn convert(path: &Path, from: Option<&Passphrase>, to: Option<&Passphrase>) -> Result<(), StoreError> {
    let folder = Folder::at(path);
    if !folder.has_store() {
        return Err(StoreError::NotFound(format!("a store in {}", path.display())));
    }
    if from.is_none() && to.is_none() {
        return Err(StoreError::Invalid("a plain store stays plain without a passphrase".to_owned()));
    }
    // Shows that it can be opened, and brings it up to this version.
    let options = StoreOptions { passphrase: from.cloned(), ..StoreOptions::default() };
    Store::open(path, options)?.close()?;
    let _alone = folder.lock()?;
    refuse_remains(&folder)?;
    let old = folder.with_key(unlock(&folder, from)?);
    let ground = hold(&old.database(), old.unlocking())?;
    let is_whole = write_all(&old, &ground, to);
    if let Err(error) = is_whole {
        // What is said of the failure says more than one of clearing up after it.
        let _ = remove_folder(&old.root().join(FOLDERS[0]));
        return Err(error);
    }
    end(&old)
}

/// Ends a conversion of which the new files are whole; nothing, when there is none.
pub(crate) fn finish(folder: &Folder) -> Result<(), StoreError> {
    if !folder.root().join(FOLDERS[1]).exists() {
        return Ok(());
    }
    let _alone = folder.lock()?;
    end(folder)
}

/// As [`finish`], and clears away what a conversion had begun that was interrupted earlier.
pub(crate) fn clear_up(folder: &Folder) -> Result<(), StoreError> {
    finish(folder)?;
    let begun = folder.root().join(FOLDERS[0]);
    if !begun.exists() {
        return Ok(());
    }
    let _alone = folder.lock()?;
    remove_folder(&begun)
}

/// Files that a repair has set aside hold words too, and nobody would think of them.
fn refuse_remains(folder: &Folder) -> Result<(), StoreError> {
    let wrong = |error| StoreError::io(folder.root(), error);
    for entry in fs::read_dir(folder.root()).map_err(wrong)? {
        let name = entry.map_err(wrong)?.file_name().to_string_lossy().into_owned();
        if name.contains(".damaged-") || name == "salvage" {
            let what =
                format!("{name} is left from a repair and stays as it is: delete it first, if nothing is missed");
            return Err(StoreError::Invalid(what));
        }
    }
    Ok(())
}

/// Opens a database so that nobody else has it open, and its write-ahead log is gone.
fn hold(path: &Path, key: Option<&Key>) -> Result<Connection, StoreError> {
    // What is attached is opened in the same way, and that file is new.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = open_file(path, flags, key)?;
    let held = || -> Result<String, StoreError> {
        connection.busy_timeout(CLOSING_WAIT)?;
        connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
        Ok(connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?)
    };
    match held() {
        Ok(mode) if mode == "delete" => Ok(connection),
        Ok(_) => Err(StoreError::Locked),
        Err(error) => Err(error.in_file(path)),
    }
}

/// Makes the new files, until they stand whole in `converted`.
fn write_all(old: &Folder, ground: &Connection, to: Option<&Passphrase>) -> Result<(), StoreError> {
    let fresh = prepare(old, to)?;
    copy(ground, &fresh.database(), fresh.unlocking())?;
    let has_vectors = old.vectors().exists() && copy_vectors(old, &fresh)?;
    remove_database(&old.text())?;
    if !has_vectors {
        remove_database(&old.vectors())?;
    }
    cells::remove_all(old.root())?;
    sync_folder(fresh.root())?;
    let whole = old.root().join(FOLDERS[1]);
    fs::rename(fresh.root(), &whole).map_err(|error| StoreError::io(&whole, error))?;
    sync_folder(old.root())
}

/// The folder of the new files, with seed and key.
fn prepare(old: &Folder, to: Option<&Passphrase>) -> Result<Folder, StoreError> {
    let place = old.root().join(FOLDERS[0]);
    remove_folder(&place)?;
    let fresh = Folder::at(&place);
    fresh.create()?;
    let fresh = match to {
        Some(passphrase) => {
            let (key, envelope) = cipher::make(passphrase)?;
            envelope.write(&fresh)?;
            fresh.with_key(Some(key))
        }
        None => {
            let marker = place.join(PLAIN);
            fs::write(&marker, "").map_err(|error| StoreError::io(&marker, error))?;
            fresh
        }
    };
    let seed = old.read_seed()?.ok_or_else(|| StoreError::Key(format!("{} is missing", old.key().display())))?;
    fresh.write_seed(&seed)?;
    Ok(fresh)
}

/// Copies a database into a new file under another key.
fn copy(from: &Connection, path: &Path, key: Option<&Key>) -> Result<(), StoreError> {
    let name = path.to_str().ok_or_else(|| StoreError::Invalid(format!("{} is not UTF-8", path.display())))?;
    // Nothing as a key makes a plain file.
    let key = key.map_or_else(|| Zeroizing::new(String::new()), Key::in_sql);
    from.execute("ATTACH DATABASE ?1 AS fresh KEY ?2", params![name, key.as_str()])?;
    let copied = copy_attached(from);
    from.execute("DETACH DATABASE fresh", [])?;
    copied.map_err(|error| error.in_file(path))?;
    let file = fs::File::open(path).and_then(|file| file.sync_all());
    file.map_err(|error| StoreError::io(path, error))?;
    crate::folder::make_private(path)
}

fn copy_attached(from: &Connection) -> Result<(), StoreError> {
    from.query_row("SELECT sqlcipher_export('fresh')", [], |_| Ok(()))?;
    for mark in ["application_id", "user_version"] {
        let value: i64 = from.query_row(&format!("PRAGMA main.{mark}"), [], |row| row.get(0))?;
        from.execute_batch(&format!("PRAGMA fresh.{mark} = {value}"))?;
    }
    Ok(())
}

/// Takes the vectors along, if they are sound: making them again takes long. False when they are not.
fn copy_vectors(old: &Folder, fresh: &Folder) -> Result<bool, StoreError> {
    let path = fresh.vectors();
    let copied = hold(&old.vectors(), old.unlocking()).and_then(|vectors| {
        // Files of cells do not come along.
        vectors.execute_batch("UPDATE main.model SET base = NULL, base_position = 0, base_passages = 0")?;
        copy(&vectors, &path, fresh.unlocking())
    });
    match copied {
        Ok(()) => Ok(true),
        Err(error) if is_damage(&error) => remove_database(&path).map(|()| false),
        Err(error) => Err(error),
    }
}

/// Puts the new files into the place of the old ones. May be repeated from any point at which it was interrupted.
fn end(folder: &Folder) -> Result<(), StoreError> {
    let whole = Folder::at(folder.root().join(FOLDERS[1]));
    if whole.root().join(PLAIN).exists() {
        remove(&folder.encryption())?;
    }
    // The database last: as long as it is not here, the rest is not done.
    for (new, place) in [
        (whole.encryption(), folder.encryption()),
        (whole.key(), folder.key()),
        (whole.vectors(), folder.vectors()),
        (whole.database(), folder.database()),
    ] {
        match fs::rename(&new, &place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::io(&place, error)),
            _ => {}
        }
    }
    sync_folder(folder.root())?;
    remove_folder(whole.root())
}

fn remove_folder(path: &Path) -> Result<(), StoreError> {
    gone(path, fs::remove_dir_all(path))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    gone(path, fs::remove_file(path))
}

fn gone(path: &Path, removed: io::Result<()>) -> Result<(), StoreError> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path, error)),
        _ => Ok(()),
    }
}

/// Removes a derived database and what SQLite keeps beside it.
fn remove_database(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        remove(&PathBuf::from(name))?;
    }
    Ok(())
}
