//! Which memories hold a term, in which column and how often.

use rusqlite::{Connection, params};

use super::Number;
use super::query::{Term, any_of};
use crate::error::StoreError;

/// Postings beyond this many are read without counts: a term so common says next to nothing by standing twice.
const EXACT_MAX: u64 = 8_000;

/// Terms that the beginning of a word stands for.
const PREFIX_TERMS_MAX: usize = 64;

/// Where in a memory a term stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// In its content.
    Content,
    /// In its tags or its speaker.
    Labels,
    /// In the words of the time at which it happened.
    Dates,
    /// In other ways to write words of content or labels: the parts of `userName`, or `email` for `e-mail`.
    Parts,
}

impl Column {
    fn from_name(name: &str) -> Self {
        match name {
            "labels" => Self::Labels,
            "dates" => Self::Dates,
            "parts" => Self::Parts,
            _ => Self::Content,
        }
    }
}

/// A memory and a column of it in which a term stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting {
    /// Which memory.
    pub number: Number,
    /// Where in it.
    pub column: Column,
    /// How often; 1 where the term is too common to count.
    pub count: u32,
}

/// The postings of `term`, ascending by number and column, at most those of the newest `most` memories.
///
/// A single term in no more than some thousand memories costs about 0.2 us for each time that it stands somewhere, and
/// comes with column and count. A commoner one, a phrase or a beginning costs 0.07 us a memory, and comes as standing
/// once in the content. Finding the first posting costs some 25 us in either case.
///
/// # Errors
/// Those of the database.
pub fn postings(reader: &Connection, term: &Term, most: usize) -> Result<Vec<Posting>, StoreError> {
    postings_of_counted(reader, term, count(reader, term)?, most)
}

/// As [`postings`], for a term of which it is known, or was not long ago, in how many memories it stands.
///
/// # Errors
/// Those of the database.
pub fn postings_of_counted(
    reader: &Connection,
    term: &Term,
    memories: u64,
    most: usize,
) -> Result<Vec<Posting>, StoreError> {
    match term.single() {
        Some(single) if memories <= EXACT_MAX.min(most as u64) => occurrences(reader, single),
        _ => newest(reader, term, most),
    }
}

/// In how many memories `term` stands, in whatever column. About 0.02 us a memory for a single term, 0.07 us for a
/// phrase or a beginning.
///
/// # Errors
/// Those of the database.
pub fn count(reader: &Connection, term: &Term) -> Result<u64, StoreError> {
    let Some(single) = term.single() else {
        let sql = "SELECT count(*) FROM text_index.words WHERE words MATCH ?1";
        let Some(expression) = expression(reader, term)? else { return Ok(0) };
        return Ok(reader.prepare_cached(sql)?.query_row([expression], |row| row.get::<_, i64>(0))?.unsigned_abs());
    };
    let mut statement = reader.prepare_cached("SELECT doc FROM text_index.vocabulary WHERE term = ?1")?;
    let mut rows = statement.query([single])?;
    Ok(rows.next()?.map_or(Ok(0), |row| row.get::<_, i64>(0))?.unsigned_abs())
}

fn occurrences(reader: &Connection, single: &str) -> Result<Vec<Posting>, StoreError> {
    let mut statement = reader.prepare_cached("SELECT doc, col FROM text_index.occurrence WHERE term = ?1")?;
    let mut rows = statement.query([single])?;
    let mut postings: Vec<Posting> = Vec::new();
    while let Some(row) = rows.next()? {
        let column = Column::from_name(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
        let number = row.get(0)?;
        match postings.last_mut() {
            Some(last) if (last.number, last.column) == (number, column) => last.count += 1,
            _ => postings.push(Posting { number, column, count: 1 }),
        }
    }
    Ok(postings)
}

fn newest(reader: &Connection, term: &Term, most: usize) -> Result<Vec<Posting>, StoreError> {
    let Some(expression) = expression(reader, term)? else { return Ok(Vec::new()) };
    let mut statement = reader
        .prepare_cached("SELECT rowid FROM text_index.words WHERE words MATCH ?1 ORDER BY rowid DESC LIMIT ?2")?;
    let bound = params![expression, i64::try_from(most).unwrap_or(i64::MAX)];
    let found =
        statement.query_map(bound, |row| Ok(Posting { number: row.get(0)?, column: Column::Content, count: 1 }))?;
    let mut postings = found.collect::<Result<Vec<_>, _>>()?;
    postings.reverse();
    Ok(postings)
}

/// What FTS5 is asked for; nothing when the index has no word that begins so.
fn expression(reader: &Connection, term: &Term) -> Result<Option<String>, StoreError> {
    match term.beginning() {
        None => Ok(Some(term.expression())),
        Some(beginning) => {
            let terms = beginning_with(reader, beginning)?;
            Ok((!terms.is_empty()).then(|| any_of(&terms)))
        }
    }
}

fn beginning_with(reader: &Connection, beginning: &str) -> Result<Vec<Term>, StoreError> {
    let sql = "SELECT term FROM text_index.vocabulary WHERE term >= ?1 AND term < ?2 LIMIT ?3";
    let mut statement = reader.prepare_cached(sql)?;
    let bound = params![beginning, format!("{beginning}{}", char::MAX), PREFIX_TERMS_MAX as i64];
    let found = statement.query_map(bound, |row| row.get::<_, String>(0))?;
    found.map(|term| Ok(Term::of(term?))).collect()
}
