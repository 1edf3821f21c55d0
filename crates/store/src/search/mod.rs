//! Finding memories: the text index, the vectors, the filters and the fusion of scores.
//!
//! All of it is derived from the ground (`chrysalis.db`) and may be lost: the text index lives in `text.db`, the
//! vectors in `vectors.db`, and both rebuild or refill themselves. Rows are keyed by the memory's `number`, and
//! what is new in the ground is found through its `changed` feed, one number per row that only ever grows.

pub mod best;
pub mod cells;
pub mod confidence;
pub mod context;
pub mod dates;
pub mod derived;
pub mod feed;
pub mod filter;
pub mod frequency;
mod function_words;
pub mod fuse;
mod letters;
pub mod lookup;
pub mod matrix;
pub mod mode;
pub mod nearest;
pub mod packed;
pub mod passages;
pub mod place;
pub mod postings;
pub mod query;
mod quotes;
pub mod stages;
pub mod stem;
mod terms;
pub mod text;
pub mod vector;
pub mod when;
mod words;

use std::path::Path;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ErrorCode, OptionalExtension, ToSql, Transaction, ffi};

use crate::error::StoreError;

/// The key of a memory inside one store: `memory.number`.
pub type Number = i64;

/// A random value that the ground and each of its derived files share, so that a file of another store is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreMark(pub [u8; 16]);

impl ToSql for StoreMark {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.as_slice().to_sql()
    }
}

/// Reads the newest position of the ground's `changed` feed. It never falls, not even when memories are removed.
///
/// # Errors
/// Those of the database.
pub fn ground_position(ground: &Connection) -> Result<i64, StoreError> {
    let mut statement = ground.prepare_cached("SELECT changed FROM main.clock")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// One view of all attached files for as long as it lives; it saves each of many small queries its own locks, which
/// cost more than the query. Inside a transaction it is nothing: that has a view already.
pub(crate) struct Snapshot<'a>(#[expect(dead_code, reason = "its end is what it is kept for")] Option<Transaction<'a>>);

impl<'a> Snapshot<'a> {
    pub(crate) fn of(reader: &'a Connection) -> Result<Self, StoreError> {
        Ok(Self(if reader.is_autocommit() { Some(reader.unchecked_transaction()?) } else { None }))
    }
}

/// The one row of a derived file's `state`; a file that has lost it is damaged.
pub(crate) fn state_row<T>(found: rusqlite::Result<T>) -> Result<T, StoreError> {
    let lost = || StoreError::corrupt(Path::new(""), "the row that says what the file holds is missing");
    found.optional()?.ok_or_else(lost)
}

/// Tells whether `error` says that a derived file is damaged, as opposed to busy, full or out of reach.
///
/// A missing table counts: a derived file that was emptied under us holds none.
pub(crate) fn is_damage(error: &StoreError) -> bool {
    match error {
        StoreError::Corrupt { .. } => true,
        StoreError::Sqlite(source) => is_damage_in_sqlite(source),
        _ => false,
    }
}

/// As [`is_damage`], of an encrypted file: whoever would write to one after a damaged page was met is told that there is
/// no memory left.
pub(crate) fn is_given_up(error: &StoreError) -> bool {
    let out_of_memory = |source: &rusqlite::Error| source.sqlite_error_code() == Some(ErrorCode::OutOfMemory);
    is_damage(error) || matches!(error, StoreError::Sqlite(source) if out_of_memory(source))
}

fn is_damage_in_sqlite(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => is_damage_code(*failure, message.as_deref()),
        rusqlite::Error::SqlInputError { error, msg, .. } => is_damage_code(*error, Some(msg)),
        _ => false,
    }
}

fn is_damage_code(failure: ffi::Error, message: Option<&str>) -> bool {
    let missing = ["no such table", "no such fts5 table", "no such column", "vtable constructor failed"];
    match failure.code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => true,
        ErrorCode::Unknown => message.is_some_and(|text| missing.iter().any(|part| text.contains(part))),
        _ => false,
    }
}
