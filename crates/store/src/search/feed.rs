//! Bringing the text index up to the ground, behind the writes.

use std::collections::BTreeSet;
use std::path::Path;

use chrysalis_core::codec::Decoder;
use chrysalis_core::limits;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::dates::date_terms;
use super::derived;
use super::place::{self, Place, PlaceRow, Totals, speaker_digest, thread_digest};
use super::terms::{Analyser, Analysis, IndexedText, asks};
use super::text::{self, Traces};
use super::{Number, StoreMark, ground_position, is_damage, state_row};
use crate::error::StoreError;
use crate::row::MemoryRow;

/// Rows indexed per transaction. Large enough to make writing cheap, small enough that another process which
/// wants to index or erase waits for some tens of milliseconds only.
const ROWS_PER_BATCH: usize = 2_000;

/// How far a catch-up came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatchUp {
    /// Rows of the ground that were read.
    pub rows: usize,
    /// Whether the index now answers for all that the ground holds.
    pub current: bool,
    /// Whether the index had to be emptied first, because it was damaged or ahead of the ground.
    pub rebuilt: bool,
}

impl CatchUp {
    const IDLE: Self = Self { rows: 0, current: true, rebuilt: false };
}

/// The newest position of the ground that the index answers for.
///
/// # Errors
/// Those of the database.
pub fn text_position(index: &Connection) -> Result<i64, StoreError> {
    let mut statement = index.prepare_cached("SELECT position FROM main.state")?;
    state_row(statement.query_row([], |row| row.get(0)))
}

/// Indexes what changed in the ground since the index last looked, at most about `rows_max` rows.
///
/// When nothing changed this costs two reads of one row. Any number of threads and processes may call it at once,
/// each with connections of its own. `ground` must not be inside a transaction: what it sees might be rolled back,
/// or be older than an erasure. An index that is damaged or ahead of the ground is emptied and built again.
///
/// # Errors
/// [`StoreError::Invalid`] inside a transaction, [`StoreError::Locked`], or a fault of the disk.
pub fn catch_up(
    ground: &Connection,
    index: &mut Connection,
    mark: StoreMark,
    rows_max: usize,
) -> Result<CatchUp, StoreError> {
    if !ground.is_autocommit() {
        let what = "the text index cannot catch up from inside a transaction";
        return Err(StoreError::Invalid(what.to_owned()));
    }
    match catch_up_once(ground, index, mark, rows_max) {
        Err(error) if is_damage(&error) => {
            // A damaged ground must not be taken for a damaged index.
            ground_position(ground)?;
            text::reset(index, mark)?;
            let done = catch_up_once(ground, index, mark, rows_max)?;
            Ok(CatchUp { rebuilt: true, ..done })
        }
        other => other,
    }
}

fn catch_up_once(
    ground: &Connection,
    index: &mut Connection,
    mark: StoreMark,
    rows_max: usize,
) -> Result<CatchUp, StoreError> {
    let mut done = CatchUp::IDLE;
    if text_position(index)? == ground_position(ground)? {
        return Ok(done);
    }
    loop {
        let limit = ROWS_PER_BATCH.min(rows_max.saturating_sub(done.rows));
        let batch = index_batch(ground, index, mark, limit)?;
        done.rows += batch.rows;
        done.current = batch.current;
        if batch.current || done.rows >= rows_max {
            return Ok(done);
        }
    }
}

/// Indexes one batch together with the position it leads to.
///
/// The write lock of the index is taken **before** the ground is read: then an erasure that waits for the lock comes
/// after this batch and removes what it wrote, and one that went before is already visible in the ground.
fn index_batch(
    ground: &Connection,
    index: &mut Connection,
    mark: StoreMark,
    limit: usize,
) -> Result<CatchUp, StoreError> {
    let transaction = index.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (position, newest) = (text_position(&transaction)?, ground_position(ground)?);
    if position > newest {
        let what = "the text index is ahead of the store, as after restoring an older copy of it";
        return Err(StoreError::corrupt(Path::new(""), what));
    }
    let mut rows = changed_rows(ground, position, limit)?;
    let current = rows.len() < limit;
    let last = rows.last().map_or(position, |row| row.changed);
    // Some positions of the feed have no row, or no longer; the rows were read after `newest`, so none is missed.
    let position = if current { last.max(newest) } else { last };
    // In the order of their numbers, FTS5 need not write a segment each time that the numbers step back.
    rows.sort_unstable_by_key(|row| row.number);
    index_rows(&transaction, mark, &rows)?;
    transaction.execute("UPDATE main.state SET position = ?1", [position])?;
    transaction.commit()?;
    Ok(CatchUp { rows: rows.len(), current, rebuilt: false })
}

struct ChangedRow {
    number: Number,
    changed: i64,
    content: String,
    /// Tags and speaker.
    labels: String,
    scope: String,
    thread: Option<String>,
    speaker: Option<String>,
    occurred_at: Option<i64>,
    created_at: i64,
}

fn changed_rows(ground: &Connection, after: i64, limit: usize) -> Result<Vec<ChangedRow>, StoreError> {
    let mut statement = ground.prepare_cached(
        "SELECT number, changed, content, tags, speaker, scope, thread, occurred_at, created_at
             FROM main.memory WHERE changed > ?1 ORDER BY changed LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, limit as i64])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        changed.push(changed_row(row)?);
    }
    Ok(changed)
}

fn changed_row(row: &Row<'_>) -> Result<ChangedRow, StoreError> {
    let speaker: Option<String> = row.get(4)?;
    let mut labels = words_of_tags(row.get_ref(3)?.as_blob_or_null().map_err(rusqlite::Error::from)?)?;
    labels.push('\n');
    labels.push_str(speaker.as_deref().unwrap_or_default());
    Ok(ChangedRow {
        number: row.get(0)?,
        changed: row.get(1)?,
        content: row.get(2)?,
        labels,
        scope: row.get(5)?,
        thread: row.get(6)?,
        speaker,
        occurred_at: row.get(7)?,
        created_at: row.get(8)?,
    })
}

fn words_of_tags(packed: Option<&[u8]>) -> Result<String, StoreError> {
    let Some(packed) = packed else { return Ok(String::new()) };
    let tags = Decoder::new(packed).list(usize::MAX, "tags", |d| d.text(limits::PAYLOAD_BYTES_MAX, "tag"));
    match tags {
        Ok(tags) => Ok(tags.join("\n")),
        Err(refusal) => Err(StoreError::corrupt(Path::new(""), format!("the tags of a memory: {refusal}"))),
    }
}

impl ChangedRow {
    fn analyse(&self, analyser: &mut Analyser, mark: StoreMark) -> (IndexedText, PlaceRow) {
        let dates = self.occurred_at.map(date_terms).unwrap_or_default();
        let Analysis { text, length, language } = analyser.analyse(&self.content, &self.labels, dates);
        let place = Place {
            length,
            thread: self.thread.as_deref().map(|thread| thread_digest(mark, &self.scope, thread)),
            at: self.occurred_at.unwrap_or(self.created_at),
            occurred: self.occurred_at.is_some(),
            speaker: self.speaker.as_deref().map(|speaker| speaker_digest(mark, speaker)),
            asks: asks(&self.content),
        };
        (text, PlaceRow { place, language: language.number() })
    }
}

/// The terms of a memory and where it stands, as the index would hold them.
pub(crate) fn of_row(mark: StoreMark, row: &MemoryRow) -> Result<(IndexedText, Place), StoreError> {
    let mut labels = words_of_tags(row.tags.as_deref())?;
    labels.push('\n');
    labels.push_str(row.speaker.as_deref().unwrap_or_default());
    let row = ChangedRow {
        number: row.number,
        changed: row.changed,
        content: row.content.clone(),
        labels,
        scope: row.scope.clone(),
        thread: row.thread.clone(),
        speaker: row.speaker.clone(),
        occurred_at: row.occurred_at,
        created_at: row.created_at,
    };
    let (text, place) = row.analyse(&mut Analyser::default(), mark);
    Ok((text, place.place))
}

fn index_rows(index: &Transaction<'_>, mark: StoreMark, rows: &[ChangedRow]) -> Result<(), StoreError> {
    let newest: i64 =
        index.prepare_cached("SELECT coalesce(max(number), 0) FROM main.place")?.query_row([], |row| row.get(0))?;
    let (mut analyser, mut totals) = (Analyser::default(), Totals::default());
    let mut changed = Vec::new();
    for row in rows {
        let (text, place) = row.analyse(&mut analyser, mark);
        let old = if row.number > newest { None } else { place::of(index, row.number)? };
        if old != Some(place) {
            totals.take(index, row.number, old.as_ref())?;
            totals.put(index, row.number, &place)?;
        }
        changed.push((row.number, text, old.is_some()));
    }
    totals.write(index)?;
    // Only now the words: FTS5 writes out what it has gathered whenever a statement in between may have to be undone.
    let mut traces = Traces::default();
    for (number, text, is_known) in &changed {
        if *is_known { change(index, *number, text, &mut traces)? } else { insert(index, *number, text)? }
    }
    traces.replace(index)
}

/// Writes a memory's words if they differ: most changes of a memory, such as a use, leave them alone.
fn change(index: &Transaction<'_>, number: Number, text: &IndexedText, traces: &mut Traces) -> Result<(), StoreError> {
    let Some(old) = text::indexed_text(index, number)? else {
        return Err(StoreError::corrupt(Path::new(""), "a memory has a place in the text index and no words"));
    };
    if old != *text {
        traces.add(&old);
        replace(index, number, text)?;
    }
    Ok(())
}

fn insert(index: &Transaction<'_>, number: Number, text: &IndexedText) -> Result<(), StoreError> {
    let sql = "INSERT INTO main.words(rowid, content, labels, dates, parts) VALUES (?1, ?2, ?3, ?4, ?5)";
    let IndexedText { content, labels, dates, parts } = text;
    index.prepare_cached(sql)?.execute(params![number, content, labels, dates, parts])?;
    Ok(())
}

fn replace(index: &Transaction<'_>, number: Number, text: &IndexedText) -> Result<(), StoreError> {
    let sql = "UPDATE main.words SET content = ?2, labels = ?3, dates = ?4, parts = ?5 WHERE rowid = ?1";
    let IndexedText { content, labels, dates, parts } = text;
    index.prepare_cached(sql)?.execute(params![number, content, labels, dates, parts])?;
    Ok(())
}

/// Erases from the index what the ground no longer holds: removals that a killed process could not pass on.
///
/// Reads the numbers of both sides, some 30 ms for 100,000 memories: for opening after an unclean end, and for
/// `doctor`.
///
/// # Errors
/// As [`text::erase`].
pub fn erase_orphans(ground: &Connection, index: &mut Connection) -> Result<usize, StoreError> {
    let transaction = index.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let held = numbers(&transaction, "SELECT number FROM main.place")?;
    let known = numbers(ground, "SELECT number FROM main.memory")?;
    let orphans: BTreeSet<Number> = held.difference(&known).copied().collect();
    let erased = text::erase_within(&transaction, &orphans)?;
    transaction.commit()?;
    if erased > 0 {
        derived::bury(index)?;
    }
    Ok(erased)
}

fn numbers(connection: &Connection, sql: &str) -> Result<BTreeSet<Number>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let numbers = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(numbers)
}
