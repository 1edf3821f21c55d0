//! Where each memory stands: how long it is, in which thread, and what was said before and after it there.
//!
//! Kept in the text index, beside its terms, so that scoring does not have to read the memories themselves.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::stem::{Language, Languages};
use super::{Number, Snapshot, StoreMark, state_row};
use crate::error::StoreError;

/// Where one memory stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Terms of its content without function words.
    pub length: u32,
    /// A digest of scope and thread; `None` when it was said in no thread.
    pub thread: Option<i64>,
    /// When it happened, or else when it was created, in ms since the Unix epoch.
    pub at: i64,
    /// Whether [`Self::at`] is when it happened.
    pub occurred: bool,
    /// A digest of who said it, as [`speaker_digest`] gives it.
    pub speaker: Option<i64>,
    /// Whether it ends in a question.
    pub asks: bool,
}

/// The memories that stand beside one in its thread, nearest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// Those said before it.
    pub before: Vec<Number>,
    /// Those said after it.
    pub after: Vec<Number>,
}

/// How large the index is, for weighing lengths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Memories in the index.
    pub rows: u64,
    /// The mean of their lengths; 0 without memories.
    pub mean_length: f64,
}

/// Reads how large the index is that `reader` has attached.
///
/// # Errors
/// Those of the database.
pub fn extent(reader: &Connection) -> Result<Extent, StoreError> {
    let mut statement = reader.prepare_cached("SELECT rows, length FROM text_index.state")?;
    let (rows, length) = state_row(statement.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))))?;
    let rows = rows.unsigned_abs();
    Ok(Extent { rows, mean_length: if rows == 0 { 0.0 } else { length as f64 / rows as f64 } })
}

/// The places of memories, as far as the index holds them. About 1 us each, whatever their order.
///
/// # Errors
/// Those of the database.
pub fn places(
    reader: &Connection,
    numbers: impl IntoIterator<Item = Number>,
) -> Result<HashMap<Number, Place>, StoreError> {
    let _snapshot = Snapshot::of(reader)?;
    let mut statement = reader
        .prepare_cached("SELECT length, thread, at, occurred, speaker, asks FROM text_index.place WHERE number = ?1")?;
    let mut places = HashMap::new();
    for number in numbers {
        if let Some(place) = statement.query_row([number], read).optional()? {
            places.insert(number, place);
        }
    }
    Ok(places)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place {
        length: u32::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        thread: row.get(1)?,
        at: row.get(2)?,
        occurred: row.get(3)?,
        speaker: row.get(4)?,
        asks: row.get(5)?,
    })
}

/// For each memory the `reach` memories before it and after it in its thread, in the order of their times and, within
/// one millisecond, of their numbers. Memories without a thread have no neighbours and are left out. About 3 us each.
///
/// # Errors
/// Those of the database.
pub fn neighbours(
    reader: &Connection,
    places: &HashMap<Number, Place>,
    reach: usize,
) -> Result<HashMap<Number, Neighbours>, StoreError> {
    let _snapshot = Snapshot::of(reader)?;
    let mut before = reader.prepare_cached(
        "SELECT number FROM text_index.place WHERE thread = ?1 AND (at, number) < (?2, ?3)
             ORDER BY at DESC, number DESC LIMIT ?4",
    )?;
    let mut after = reader.prepare_cached(
        "SELECT number FROM text_index.place WHERE thread = ?1 AND (at, number) > (?2, ?3)
             ORDER BY at, number LIMIT ?4",
    )?;
    let mut found = HashMap::new();
    for (&number, place) in places {
        let Some(thread) = place.thread else { continue };
        let bound = params![thread, place.at, number, reach as i64];
        let before = before.query_map(bound, |row| row.get(0))?.collect::<Result<_, _>>()?;
        let after = after.query_map(bound, |row| row.get(0))?.collect::<Result<_, _>>()?;
        found.insert(number, Neighbours { before, after });
    }
    Ok(found)
}

/// The newest memories of a time, from `start` up to but not at `end`, both in ms since the Unix epoch; at most `most`.
///
/// # Errors
/// Those of the database.
pub fn between(reader: &Connection, start: i64, end: i64, most: usize) -> Result<Vec<Number>, StoreError> {
    let mut statement = reader.prepare_cached(
        "SELECT number FROM text_index.place WHERE at >= ?1 AND at < ?2 ORDER BY at DESC, number DESC LIMIT ?3",
    )?;
    let numbers = statement.query_map(params![start, end, most as i64], |row| row.get(0))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}

/// What tells speakers apart: a digest of the name in lower case that means nothing outside this store.
pub fn speaker_digest(mark: StoreMark, speaker: &str) -> i64 {
    // So many bits tell all speakers of a store apart, and take half of the space.
    digest(mark, &[&speaker.trim().to_lowercase()]) >> 24
}

/// What tells threads apart: a digest of scope and thread that means nothing outside this store.
pub fn thread_digest(mark: StoreMark, scope: &str, thread: &str) -> i64 {
    digest(mark, &[scope, thread])
}

fn digest(mark: StoreMark, parts: &[&str]) -> i64 {
    let mut bytes = mark.0.to_vec();
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    let whole = chrysalis_core::id::digest("chrysalis/place/1", &[&bytes]);
    whole[..8].iter().fold(0, |number, byte| number << 8 | i64::from(*byte))
}

/// A row of the table, with what only the index itself needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlaceRow {
    pub place: Place,
    /// The number of the content's language.
    pub language: i64,
}

pub(super) fn of(index: &Connection, number: Number) -> Result<Option<PlaceRow>, StoreError> {
    let sql = "SELECT length, thread, at, occurred, speaker, asks, language FROM main.place WHERE number = ?1";
    let mut statement = index.prepare_cached(sql)?;
    Ok(statement.query_row([number], |row| Ok(PlaceRow { place: read(row)?, language: row.get(6)? })).optional()?)
}

/// What changes of places add to the totals of the index.
#[derive(Debug, Default)]
pub(super) struct Totals {
    rows: i64,
    length: i64,
    languages: BTreeMap<i64, i64>,
}

impl Totals {
    fn count(&mut self, row: &PlaceRow, sign: i64) {
        self.rows += sign;
        self.length += sign * i64::from(row.place.length);
        *self.languages.entry(row.language).or_default() += sign;
    }

    /// Writes where a memory stands.
    pub(super) fn put(&mut self, index: &Transaction<'_>, number: Number, row: &PlaceRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO main.place(number, length, thread, at, occurred, speaker, asks, language)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let PlaceRow { place, language } = row;
        let bound =
            params![number, place.length, place.thread, place.at, place.occurred, place.speaker, place.asks, language];
        index.prepare_cached(sql)?.execute(bound)?;
        self.count(row, 1);
        Ok(())
    }

    /// Takes out the place of a memory, which was `old`.
    pub(super) fn take(
        &mut self,
        index: &Transaction<'_>,
        number: Number,
        old: Option<&PlaceRow>,
    ) -> Result<(), StoreError> {
        if let Some(row) = old {
            index.prepare_cached("DELETE FROM main.place WHERE number = ?1")?.execute([number])?;
            self.count(row, -1);
        }
        Ok(())
    }

    /// Adds what was counted to the totals that the index keeps.
    pub(super) fn write(&self, index: &Transaction<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE main.state SET rows = rows + ?1, length = length + ?2";
        index.prepare_cached(sql)?.execute(params![self.rows, self.length])?;
        let sql = "INSERT INTO main.language(number, rows) VALUES (?1, ?2)
            ON CONFLICT(number) DO UPDATE SET rows = rows + ?2";
        for (language, rows) in &self.languages {
            index.prepare_cached(sql)?.execute(params![language, rows])?;
        }
        Ok(())
    }
}

/// The languages whose stemmers the words of the index may have gone through.
///
/// # Errors
/// Those of the database.
pub fn languages(reader: &Connection) -> Result<Languages, StoreError> {
    let mut statement = reader.prepare_cached("SELECT number FROM text_index.language WHERE rows > 0")?;
    let numbers = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    Ok(numbers.into_iter().filter_map(Language::from_number).collect())
}
