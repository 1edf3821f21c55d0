//! The text index: an FTS5 table in a file of its own, filled behind the writes and allowed to be lost.
//!
//! # Why this layout
//! Three layouts of FTS5 were tried with a rare word, forgotten, and a search for its bytes in the files:
//!
//! - *contentless with `contentless_delete`* only marks rows as gone: the words stay until a merge meets them;
//! - *contentless* with the old text given back forgets, but only when that text is, to the letter, what was
//!   indexed; after a crash between two files nobody has it any more;
//! - *FTS5's own content table* knows the old text itself, so that erasing and updating need nothing but a number
//!   and can be repeated. It costs a copy of the text on disk, and is what we use.
//!
//! On top of it three switches are needed, and none is enough alone: FTS5's `secure-delete` edits the entries out of
//! the segments instead of writing a marker over them, SQLite's `secure_delete` overwrites the freed bytes of pages
//! with zeros, and truncating the write-ahead log drops the older copies of those pages. Two traces survive all
//! three. Copies of rows stay in pages that SQLite has rebuilt: [`crate::scrub`] overwrites them. And `words_idx`
//! keeps a prefix of the first word of a page for as long as the page holds other words: [`erase`] replaces it.
//!
//! The index is written with `synchronous = OFF`: a power cut may damage it, and then it is built again.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::derived::{self, Erasure, Kind};
use super::place::{self, Totals};
use super::terms::IndexedText;
use super::{Number, StoreMark, is_damage};
use crate::encryption::Key;
use crate::error::StoreError;

/// The name under which a reading connection has the text index attached.
pub const TEXT_SCHEMA: &str = "text_index";

/// FTS5 gets ready-made terms with spaces between: this tokenizer splits at nothing else that stands in them.
pub const TOKENIZER: &str = "ascii";

/// Lengths of texts are kept in `place`, so FTS5 need not keep them too. More memory for words that wait to be
/// written makes fewer, larger segments.
const KIND: Kind = Kind {
    settings: "
        PRAGMA synchronous = OFF;
        PRAGMA cache_size = -16000;
        PRAGMA temp_store = MEMORY;",
    tables: "
        CREATE VIRTUAL TABLE words USING fts5(
            content, labels, dates, parts, tokenize = 'ascii', columnsize = 0);
        INSERT INTO words(words, rank) VALUES ('secure-delete', 1);
        INSERT INTO words(words, rank) VALUES ('hashsize', 4194304);
        CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, row);
        CREATE VIRTUAL TABLE occurrence USING fts5vocab(words, instance);
        CREATE TABLE place(
            number INTEGER PRIMARY KEY, length INTEGER NOT NULL, thread INTEGER, at INTEGER NOT NULL,
            occurred INTEGER NOT NULL, speaker INTEGER, asks INTEGER NOT NULL, language INTEGER NOT NULL);
        CREATE INDEX place_at ON place(at);
        CREATE INDEX place_thread ON place(thread, at) WHERE thread IS NOT NULL;
        CREATE TABLE language(number INTEGER PRIMARY KEY, rows INTEGER NOT NULL);
        CREATE TABLE state(
            one INTEGER PRIMARY KEY CHECK (one = 1), mark BLOB NOT NULL, layout INTEGER NOT NULL,
            position INTEGER NOT NULL DEFAULT 0, rows INTEGER NOT NULL DEFAULT 0, length INTEGER NOT NULL DEFAULT 0);",
    drop: "
        DROP TABLE IF EXISTS vocabulary; DROP TABLE IF EXISTS occurrence; DROP TABLE IF EXISTS words;
        DROP TABLE IF EXISTS place; DROP TABLE IF EXISTS language; DROP TABLE IF EXISTS state;",
    names: &[
        "words",
        "words_data",
        "words_idx",
        "words_content",
        "vocabulary",
        "occurrence",
        "place",
        "place_at",
        "place_thread",
        "language",
        "state",
    ],
    layout: 3,
};

/// Opens the text index at `path` for writing, creating it when it is missing.
///
/// A file that is damaged, of another layout or of another store is emptied: the next catch-up fills it again. `key`
/// is that of an encrypted store.
///
/// # Errors
/// [`StoreError::Locked`], [`StoreError::DiskFull`], [`StoreError::ReadOnly`], [`StoreError::Io`].
pub fn open(path: &Path, mark: StoreMark, key: Option<&Key>) -> Result<Connection, StoreError> {
    derived::open(path, mark, &KIND, key)
}

/// Empties the index, whatever state its file is in; the next catch-up fills it again.
///
/// # Errors
/// [`StoreError::Locked`] while others use the file, or a fault of the disk.
pub fn reset(index: &mut Connection, mark: StoreMark) -> Result<(), StoreError> {
    derived::reset(index, mark, &KIND)
}

/// Attaches the index at `path`, which must have been opened once, to a connection that reads the ground.
///
/// Measured: one connection that joins two files is faster than passing numbers between two connections, and in WAL
/// mode readers of either file wait for nobody. The two files are not one snapshot; every search therefore checks
/// its hits against the ground. With `key` both files are encrypted under it.
///
/// # Errors
/// Those of the database.
pub fn attach(reader: &Connection, path: &Path, key: Option<&Key>) -> Result<(), StoreError> {
    let name = path
        .to_str()
        .ok_or_else(|| StoreError::Invalid(format!("{} is not UTF-8, which SQLite needs of a path", path.display())))?;
    match key {
        Some(key) => {
            let sql = format!("ATTACH DATABASE ?1 AS {TEXT_SCHEMA} KEY ?2");
            reader.execute(&sql, params![name, key.in_sql().as_str()])?
        }
        None => reader.execute(&format!("ATTACH DATABASE ?1 AS {TEXT_SCHEMA}"), [name])?,
    };
    // No memory map: a damaged index is emptied in place, and a map would outlive the end of the file.
    Ok(reader
        .execute_batch(&format!("PRAGMA {TEXT_SCHEMA}.mmap_size = 0; PRAGMA {TEXT_SCHEMA}.cache_size = -16000;"))?)
}

/// Erases memories from the index, so that neither their words nor prefixes of them remain in its files.
///
/// May be repeated, and needs no old text. Call it after the transaction that removed the memories from the ground
/// has been committed; a catch-up that runs at the same time cannot bring them back. Costs about a millisecond a
/// memory, and reads the file once, however many memories there are.
///
/// # Errors
/// [`StoreError::Locked`], [`StoreError::Corrupt`] (then [`reset`] forgets them too), or a fault of the disk.
pub fn erase(index: &mut Connection, numbers: &[Number]) -> Result<Erasure, StoreError> {
    let numbers: BTreeSet<Number> = numbers.iter().copied().collect();
    let transaction = index.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let erased = erase_within(&transaction, &numbers)?;
    transaction.commit()?;
    let log_truncated = derived::bury(index)?;
    Ok(Erasure { erased, log_truncated })
}

pub(super) fn erase_within(index: &Transaction<'_>, numbers: &BTreeSet<Number>) -> Result<usize, StoreError> {
    let mut totals = Totals::default();
    for &number in numbers {
        totals.take(index, number, place::of(index, number)?.as_ref())?;
    }
    totals.write(index)?;
    let mut traces = Traces::default();
    let mut erased = 0;
    for &number in numbers {
        let Some(text) = indexed_text(index, number)? else { continue };
        traces.add(&text);
        index.prepare_cached("DELETE FROM main.words WHERE rowid = ?1")?.execute([number])?;
        erased += 1;
    }
    traces.replace(index)?;
    Ok(erased)
}

/// The terms of one memory as they stand in the index.
pub(super) fn indexed_text(index: &Connection, number: Number) -> Result<Option<IndexedText>, StoreError> {
    read_text(index, "SELECT content, labels, dates, parts FROM main.words WHERE rowid = ?1", number)
}

/// The terms of one memory as a connection with the index attached sees them.
pub(super) fn attached_text(reader: &Connection, number: Number) -> Result<Option<IndexedText>, StoreError> {
    read_text(reader, "SELECT content, labels, dates, parts FROM text_index.words WHERE rowid = ?1", number)
}

fn read_text(connection: &Connection, sql: &str, number: Number) -> Result<Option<IndexedText>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let text = statement.query_row([number], |row| {
        Ok(IndexedText { content: row.get(0)?, labels: row.get(1)?, dates: row.get(2)?, parts: row.get(3)? })
    });
    Ok(text.optional()?)
}

/// Terms that were erased or replaced, and of which `words_idx` may still tell.
#[derive(Default)]
pub(super) struct Traces(BTreeSet<String>);

impl Traces {
    pub(super) fn add(&mut self, text: &IndexedText) {
        for terms in [&text.content, &text.labels, &text.dates, &text.parts] {
            self.0.extend(terms.split(' ').filter(|term| !term.is_empty()).map(str::to_owned));
        }
    }

    /// Replaces what `words_idx` still tells of these terms.
    ///
    /// For each page of a segment that table holds a prefix of the page's first word, just long enough to tell it
    /// from the last word before, and FTS5 keeps it when that word is erased. It may be any text greater than the
    /// last word before and not greater than the page's first word; the next living word of the whole index is such
    /// a text.
    pub(super) fn replace(&self, index: &Transaction<'_>) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        index.prepare_cached("INSERT INTO main.words(words) VALUES ('flush')")?.execute([])?;
        let segments: Vec<i64> = index
            .prepare_cached("SELECT DISTINCT segid FROM main.words_idx")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for term in &self.0 {
            for &segment in &segments {
                replace_trace(index, segment, term)?;
            }
        }
        Ok(())
    }
}

fn replace_trace(index: &Transaction<'_>, segment: i64, term: &str) -> Result<(), StoreError> {
    let Some(trace) = trace_of(index, segment, term)? else { return Ok(()) };
    let prefix = String::from_utf8_lossy(&trace[1..]).into_owned();
    let living: Option<String> = index
        .prepare_cached("SELECT term FROM main.vocabulary WHERE term >= ?1 ORDER BY term LIMIT 1")?
        .query_row([&prefix], |row| row.get(0))
        .optional()?;
    match living {
        Some(living) if !living.starts_with(&prefix) => {
            let update = "UPDATE main.words_idx SET term = ?3 WHERE segid = ?1 AND term = ?2";
            index.prepare_cached(update)?.execute(params![segment, trace, key_of(&living)])?;
        }
        _ => {}
    }
    Ok(())
}

/// The entry of `words_idx` that is a prefix of `term`, if there is one.
fn trace_of(index: &Connection, segment: i64, term: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT term FROM main.words_idx WHERE segid = ?1 AND term <= ?2 ORDER BY term DESC LIMIT 1";
    let key = key_of(term);
    let found: Option<Vec<u8>> =
        index.prepare_cached(sql)?.query_row(params![segment, key], |row| row.get(0)).optional()?;
    Ok(found.filter(|trace| trace.len() > 1 && key.starts_with(trace)))
}

/// FTS5 writes a term with the mark of its main index, the digit 0, before it.
fn key_of(term: &str) -> Vec<u8> {
    [b"0", term.as_bytes()].concat()
}

/// Merges what many small catch-ups have left in pieces, a bounded step at a time; true while there is more to do.
///
/// # Errors
/// Those of the database.
pub fn tidy(index: &Connection) -> Result<bool, StoreError> {
    const PAGES: i64 = 500;
    let before = index.total_changes();
    index.execute("INSERT INTO main.words(words, rank) VALUES ('merge', ?1)", [PAGES])?;
    // FTS5 documents that a step which changed fewer than two rows found nothing to merge.
    Ok(index.total_changes() - before >= 2)
}

/// Tells whether the index is whole: pages, segments and the agreement of words with the text they came from.
///
/// Reads everything; for `doctor`, not for a recall.
///
/// # Errors
/// Those of the database, except damage, which is an answer.
pub fn is_sound(index: &Connection) -> Result<bool, StoreError> {
    match examine(index) {
        Err(error) if is_damage(&error) => Ok(false),
        other => other,
    }
}

fn examine(index: &Connection) -> Result<bool, StoreError> {
    let fresh = Connection::open_in_memory()?;
    fresh.execute_batch(KIND.tables)?;
    // Tables whose definitions were damaged may read as something else without any error.
    if schema(index)? != schema(&fresh)? {
        return Ok(false);
    }
    let pages: String = index.query_row("PRAGMA main.integrity_check(1)", [], |row| row.get(0))?;
    index.execute("INSERT INTO main.words(words, rank) VALUES ('integrity-check', 0)", [])?;
    let totals = "SELECT rows, length, (SELECT sum(rows) FROM main.language) FROM main.state";
    let counted = "SELECT count(*), sum(length), (SELECT count(*) FROM main.words_content) FROM main.place";
    Ok(pages == "ok" && three_numbers(index, totals)? == three_numbers(index, counted)?)
}

fn schema(connection: &Connection) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let mut statement = connection.prepare("SELECT name, sql FROM main.sqlite_schema ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn three_numbers(index: &Connection, sql: &str) -> Result<[i64; 3], StoreError> {
    let number = |number: Option<i64>| number.unwrap_or(0);
    Ok(index.query_row(sql, [], |row| Ok([number(row.get(0)?), number(row.get(1)?), number(row.get(2)?)]))?)
}
