//! Connections to a database file of the store, all set up the same way.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, OpenFlags, Statement, Transaction, TransactionBehavior};
use zeroize::Zeroizing;

use crate::backoff::Patience;
use crate::encryption::Key;
use crate::error::StoreError;

const STATEMENTS_CACHED: usize = 128;

/// A statement that one caller uses many times in a row. To look it up in the connection's cache and to put it back
/// takes as long as many a statement runs, since its whole text is hashed and copied for that.
#[derive(Default)]
pub(crate) struct Held<'c>(RefCell<Option<CachedStatement<'c>>>);

impl<'c> Held<'c> {
    /// Runs `job` with the statement, which must be the same each time and is looked up the first time.
    pub(crate) fn run<T>(
        &self,
        connection: &'c Connection,
        sql: &str,
        job: impl FnOnce(&mut Statement<'c>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut held = self.0.borrow_mut();
        let statement = match &mut *held {
            Some(statement) => statement,
            empty => empty.insert(connection.prepare_cached(sql)?),
        };
        Ok(job(statement)?)
    }
}

/// What a write has survived when the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power cut: every commit is followed by an fsync.
    #[default]
    Full,
    /// The end of the process, by any means; a power cut may take the newest writes, never the order of them.
    Normal,
    /// The end of the process only; a power cut may damage the file. For what can be rebuilt.
    Off,
}

impl Durability {
    /// The name that [`Durability::from_str`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
            Self::Off => "off",
        }
    }
}

impl FromStr for Durability {
    type Err = StoreError;

    fn from_str(name: &str) -> Result<Self, StoreError> {
        [Self::Full, Self::Normal, Self::Off].into_iter().find(|durability| durability.name() == name).ok_or_else(
            || {
                let what = format!("{name:?} is no durability: choose full, normal or off");
                StoreError::Invalid(what)
            },
        )
    }
}

/// How connections to one file are set up.
#[derive(Debug, Clone)]
pub struct ConnectionOptions {
    /// What a write has survived when the call returns.
    pub durability: Durability,
    /// How long to wait for a lock that others hold before giving up with [`StoreError::Locked`].
    pub busy_timeout: Duration,
    /// How many bytes of the file are read through a memory map; 0 for none.
    pub mmap_size_bytes: u64,
    /// The page cache of each connection.
    pub cache_size_bytes: u64,
    /// The key of an encrypted file; none for a plain one.
    pub key: Option<Key>,
}

impl Default for ConnectionOptions {
    /// Full durability and 30 s of patience; no map, since SQLite checks a mapped page whenever it comes back to it and a
    /// cached one once, and a cache that covers the inner pages of most trees.
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            busy_timeout: Duration::from_secs(30),
            mmap_size_bytes: 0,
            cache_size_bytes: 4 << 20,
            key: None,
        }
    }
}

/// What kind of file it must be, and up to which version this library reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// SQLite's `application_id` of such files.
    pub application_id: i32,
    /// The newest version, kept in SQLite's `user_version`.
    pub version: i32,
}

/// Opens a connection that may write, creating the file when it is missing, and says which version it has
/// (0: new and empty).
///
/// # Errors
/// [`StoreError::Corrupt`] for a file that is not of this format, [`StoreError::TooNew`],
/// [`StoreError::ReadOnly`], [`StoreError::Locked`], [`StoreError::Io`].
pub fn open_writer(path: &Path, format: Format, options: &ConnectionOptions) -> Result<(Connection, i32), StoreError> {
    let patience = Arc::new(Patience::new(options.busy_timeout));
    open_patient(path, format, options, &patience)
}

/// Opens a connection that reads only, to a file that exists.
///
/// # Errors
/// As [`open_writer`].
pub fn open_reader(path: &Path, format: Format, options: &ConnectionOptions) -> Result<Connection, StoreError> {
    let patience = Arc::new(Patience::new(options.busy_timeout));
    // SQLite must be able to recover the write-ahead log even for a reader, hence not its read-only mode.
    let connection = open_file(path, OpenFlags::SQLITE_OPEN_READ_WRITE, options.key.as_ref())?;
    let is_readonly = connection.is_readonly("main")?;
    set_up(connection, options, &patience)
        .and_then(|connection| {
            check_format(&connection, format)?;
            connection.execute_batch("PRAGMA query_only = ON")?;
            Ok(connection)
        })
        // Where nothing can be written, the write-ahead log can't be read either, and SQLite says only that.
        .map_err(|error| if is_readonly { StoreError::ReadOnly } else { error.in_file(path) })
}

/// Opens a writing connection whose waits the caller can bound.
pub(crate) fn open_patient(
    path: &Path,
    format: Format,
    options: &ConnectionOptions,
    patience: &Arc<Patience>,
) -> Result<(Connection, i32), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = open_file(path, flags, options.key.as_ref())?;
    let finish = || -> Result<(Connection, i32), StoreError> {
        if connection.is_readonly("main")? {
            return Err(StoreError::ReadOnly);
        }
        close_new_file_to_others(path);
        let connection = set_up(connection, options, patience)?;
        let found = check_format(&connection, format)?;
        enter_wal(&connection, patience)?;
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0")?;
        Ok((connection, found))
    };
    finish().map_err(|error| error.in_file(path))
}

/// Brings a file that is new or older than `format` up to it, in one transaction: `steps` is given the version that
/// the file has (0: new and empty), and the mark is set afterwards. Of several processes one does it.
///
/// # Errors
/// Those of `steps` and of writing; the file is then as it was.
pub fn migrate(
    connection: &Connection,
    format: Format,
    steps: impl FnOnce(&Connection, i32) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if check_format(connection, format)? == format.version {
        return Ok(());
    }
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let found = check_format(&transaction, format)?;
    if found < format.version {
        steps(&transaction, found)?;
        stamp(&transaction, format)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Marks a file as being of `format`. Inside a transaction it takes effect with its commit.
///
/// # Errors
/// Those of writing.
pub fn stamp(connection: &Connection, format: Format) -> Result<(), StoreError> {
    connection.pragma_update(None, "application_id", format.application_id)?;
    connection.pragma_update(None, "user_version", format.version)?;
    Ok(())
}

/// Opens a file of the store, whichever it is, with its key before anything else is said.
pub(crate) fn open_file(path: &Path, flags: OpenFlags, key: Option<&Key>) -> Result<Connection, StoreError> {
    let opened = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let connection = opened.map_err(|error| {
        let fallback = StoreError::from(error).in_file(path);
        reason_of_failed_open(path, flags).unwrap_or(fallback)
    })?;
    match key {
        Some(key) => give_key(connection, key),
        None => Ok(connection),
    }
}

/// A key can't be bound to the statement, and an error would repeat the statement: so the error is one of our own.
///
/// SQLCipher would write to the standard error what it finds wrong with pages; that is ours to tell.
fn give_key(connection: Connection, key: &Key) -> Result<Connection, StoreError> {
    let sql = Zeroizing::new(format!("PRAGMA cipher_log_level = NONE; PRAGMA key = \"{}\";", key.in_sql().as_str()));
    let failed = |_| StoreError::Internal("the database did not take its key".to_owned());
    connection.execute_batch(&sql).map_err(failed)?;
    Ok(connection)
}

/// Asks the operating system why a file cannot be opened, which SQLite does not pass on.
///
/// It is only called when no connection to the file came about: closing a handle of our own on an open database
/// would drop the locks that this process holds on it.
fn reason_of_failed_open(path: &Path, flags: OpenFlags) -> Option<StoreError> {
    let error = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Some(StoreError::corrupt(path, "it is a folder"));
        }
        Ok(_) => return None,
        Err(error) => error,
    };
    if error.kind() != io::ErrorKind::NotFound || !flags.contains(OpenFlags::SQLITE_OPEN_CREATE) {
        return Some(StoreError::io(path, error));
    }
    match fs::File::create_new(path).err()? {
        error if error.kind() == io::ErrorKind::PermissionDenied => Some(StoreError::ReadOnly),
        error => Some(StoreError::io(path, error)),
    }
}

fn set_up(
    mut connection: Connection,
    options: &ConnectionOptions,
    patience: &Arc<Patience>,
) -> Result<Connection, StoreError> {
    wait_with(&mut connection, patience)?;
    keep_plans(&connection)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    connection.execute_batch(&format!(
        "PRAGMA synchronous = {synchronous};
         PRAGMA fullfsync = {full};
         PRAGMA checkpoint_fullfsync = {full};
         PRAGMA secure_delete = ON;
         PRAGMA foreign_keys = OFF;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{cache_kib};
         PRAGMA mmap_size = {mmap_bytes};",
        synchronous = options.durability.name(),
        full = i32::from(options.durability == Durability::Full),
        cache_kib = (options.cache_size_bytes >> 10).max(1),
        // A map would show the pages as they lie in the file.
        mmap_bytes = if options.key.is_some() { 0 } else { options.mmap_size_bytes },
    ))?;
    Ok(connection)
}

/// Lets a prepared statement serve for every value that is bound to it.
///
/// Where an index covers only some rows, SQLite looks at the bound values to see whether it may use it, and compiles
/// the statement again for each binding: that took seven times as long as reading a memory by its id.
pub(crate) fn keep_plans(connection: &Connection) -> Result<(), StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn wait_with(connection: &mut Connection, patience: &Arc<Patience>) -> Result<(), StoreError> {
    let patience = Arc::clone(patience);
    let mut started = Instant::now();
    // SQLite counts the calls of one wait from 0 on.
    connection.busy_handler(Some(move |count| {
        if count == 0 {
            started = Instant::now();
        }
        patience.pause(started)
    }))?;
    Ok(())
}

/// Two processes that both turn a new file to write-ahead logging cannot wait for each other inside SQLite, which
/// then reports a busy file at once: so the waiting is done here.
pub(crate) fn enter_wal(connection: &Connection, patience: &Patience) -> Result<(), StoreError> {
    let started = Instant::now();
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match mode.map_err(StoreError::from) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => {
                let what = "the file system of the store does not support write-ahead logging";
                return Err(StoreError::Invalid(what.to_owned()));
            }
            Err(StoreError::Locked) if patience.pause(started) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The version of the file, after making sure that it is one of ours: 0 when it is new and empty.
fn check_format(connection: &Connection, format: Format) -> Result<i32, StoreError> {
    let (application_id, version, objects) = connection.query_row(
        "SELECT (SELECT application_id FROM pragma_application_id),
                (SELECT user_version FROM pragma_user_version),
                (SELECT count(*) FROM sqlite_schema)",
        [],
        |row| Ok((row.get::<_, i32>(0)?, row.get::<_, i32>(1)?, row.get::<_, i64>(2)?)),
    )?;
    if (application_id, version, objects) == (0, 0, 0) {
        return Ok(0);
    }
    if application_id != format.application_id || version < 1 {
        let what = "it is a database of another program";
        return Err(StoreError::corrupt(Path::new(""), what));
    }
    if version > format.version {
        return Err(StoreError::TooNew { found: version, supported: format.version });
    }
    Ok(version)
}

/// Bytes of a page; SQLCipher answers in digits.
pub(crate) fn page_bytes(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.query_row("SELECT CAST(page_size AS INTEGER) FROM pragma_page_size", [], |row| row.get(0))?)
}

/// SQLite gives its other files the mode of the first. The folder is private unless somebody else made it.
pub(crate) fn close_new_file_to_others(path: &Path) {
    #[cfg(unix)]
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) {
        use std::os::unix::fs::PermissionsExt;
        // Where modes do not exist the key file is refused before this.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
    }
    #[cfg(not(unix))]
    let _ = path;
}
