//! Files that are derived from the ground and may be lost: opening, emptying and securely shrinking them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{StoreMark, is_damage, is_given_up};
use crate::backoff::Patience;
use crate::connection::{close_new_file_to_others, enter_wal, keep_plans, open_file};
use crate::encryption::Key;
use crate::error::StoreError;
use crate::scrub::scrub;

/// How long a connection to a derived file waits for another process that writes to it.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What one kind of derived file holds.
pub(super) struct Kind {
    /// Settings of every connection, beyond those that all kinds share.
    pub settings: &'static str,
    /// Creates the tables; each kind has a table `state` with `mark` and `layout` besides its own columns.
    pub tables: &'static str,
    /// Drops those tables, should some of them be there.
    pub drop: &'static str,
    /// The names of all tables that must be there.
    pub names: &'static [&'static str],
    /// Raised when tables or their meaning change: a file of another layout is emptied.
    pub layout: i64,
}

/// Opens the file at `path` for writing, creating it when it is missing. A file that is damaged, of another layout
/// or of another store is emptied, and so is one that another key encrypted.
pub(super) fn open(path: &Path, mark: StoreMark, kind: &Kind, key: Option<&Key>) -> Result<Connection, StoreError> {
    match open_at(path, mark, kind, key) {
        Err(error) if is_damage(&error) || (key.is_some() && is_given_up(&error)) => {
            remove(path)?;
            open_at(path, mark, kind, key)
        }
        other => other,
    }
    .map_err(|error| error.in_file(path))
}

fn open_at(path: &Path, mark: StoreMark, kind: &Kind, key: Option<&Key>) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = open_file(path, flags, key)?;
    keep_plans(&connection)?;
    // It holds the words of memories, as the ground does.
    close_new_file_to_others(path);
    connection.set_prepared_statement_cache_capacity(64);
    match set_up(&mut connection, mark, kind) {
        // An encrypted file is removed: see `Indexes::with`.
        Err(error) if is_damage(&error) && key.is_none() => reset(&mut connection, mark, kind)?,
        other => other?,
    }
    Ok(connection)
}

fn set_up(connection: &mut Connection, mark: StoreMark, kind: &Kind) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    enter_wal(connection, &Patience::new(BUSY_TIMEOUT))?;
    connection.execute_batch("PRAGMA secure_delete = ON;")?;
    connection.execute_batch(kind.settings)?;
    if is_ours(connection, mark, kind)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if !is_ours(&transaction, mark, kind)? {
        transaction.execute_batch(kind.drop)?;
        create(&transaction, mark, kind)?;
    }
    Ok(transaction.commit()?)
}

fn is_ours(connection: &Connection, mark: StoreMark, kind: &Kind) -> Result<bool, StoreError> {
    for name in kind.names {
        let sql = "SELECT 1 FROM main.sqlite_schema WHERE name = ?1";
        if connection.query_row(sql, [name], |_| Ok(())).optional()?.is_none() {
            return Ok(false);
        }
    }
    let found = connection.query_row("SELECT mark, layout FROM main.state", [], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))
    });
    Ok(found.optional()?.is_some_and(|(found, layout)| found == mark.0 && layout == kind.layout))
}

fn create(transaction: &Transaction<'_>, mark: StoreMark, kind: &Kind) -> Result<(), StoreError> {
    transaction.execute_batch(kind.tables)?;
    let sql = "INSERT INTO state(one, mark, layout) VALUES (1, ?1, ?2)";
    transaction.execute(sql, params![mark, kind.layout])?;
    Ok(())
}

/// Empties the file, whatever state it is in.
///
/// It is emptied in place: deleting it would leave other processes with a file that no longer has a name.
pub(super) fn reset(connection: &mut Connection, mark: StoreMark, kind: &Kind) -> Result<(), StoreError> {
    connection.flush_prepared_statement_cache();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true)?;
    let emptied = connection.execute_batch("VACUUM");
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, false)?;
    emptied?;
    set_up(connection, mark, kind)?;
    // The file gets shorter, and what it held goes, only with this.
    truncate_log(connection).map(drop)
}

/// Tells whether an encrypted file can be read, page by page.
pub(crate) fn is_whole(path: &Path, key: &Key) -> bool {
    let answer = open_file(path, OpenFlags::SQLITE_OPEN_READ_WRITE, Some(key)).and_then(|connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))?)
    });
    answer.is_ok_and(|answer| answer == "ok")
}

/// The last resort, for what cannot even be emptied.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let file = PathBuf::from(name);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::io(&file, error)),
            _ => {}
        }
    }
    Ok(())
}

/// Copies the write-ahead log of a derived file into it and empties the log; false when a reader prevented it.
///
/// The log holds older copies of pages, and with them what was erased since.
///
/// # Errors
/// Those of the database.
pub fn truncate_log(connection: &Connection) -> Result<bool, StoreError> {
    let busy: i64 = connection.query_row("PRAGMA main.wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// Makes what was just erased unreadable in the file and its log; false when a reader kept the log from shrinking.
pub(super) fn bury(connection: &mut Connection) -> Result<bool, StoreError> {
    scrub(connection)?;
    truncate_log(connection)
}

/// What an erasure has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// How many rows of the file it has erased.
    pub erased: usize,
    /// Whether the write-ahead log was truncated too. When not, a reader held an old snapshot open: call
    /// [`truncate_log`] again later, since what was erased can still be read in that file until then.
    pub log_truncated: bool,
}
