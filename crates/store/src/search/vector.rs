//! The vectors of memories in a file of their own: which memory, by which model, made from which content.
//!
//! The file is derived: a damaged one is emptied, and the memories wait for their vectors again. A change is noticed
//! by its position, a number that grows with each vector put and each memory erased; erased memories leave their
//! number behind, so that the matrices of other processes drop them too.

use std::collections::BTreeSet;
use std::path::Path;

use chrysalis_core::id::{ContentDigest, content_digest};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::derived::{self, Erasure, Kind};
use super::{Number, StoreMark};
use crate::error::StoreError;

/// How many erased numbers are kept. A matrix that slept through more of them is loaded again.
const DROPPED_KEPT: i64 = 10_000;

/// Vectors cost more to make again than words: this file survives a power cut.
const KIND: Kind = Kind {
    settings: "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4000;",
    tables: "
        CREATE TABLE state(
            one INTEGER PRIMARY KEY CHECK (one = 1), mark BLOB NOT NULL, layout INTEGER NOT NULL,
            generation BLOB NOT NULL DEFAULT (randomblob(16)), position INTEGER NOT NULL DEFAULT 0,
            dropped_before INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE model(
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dimensions INTEGER NOT NULL,
            settled INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE vector(
            position INTEGER PRIMARY KEY, model INTEGER NOT NULL, number INTEGER NOT NULL,
            digest BLOB NOT NULL, value BLOB NOT NULL);
        CREATE UNIQUE INDEX vector_of ON vector(model, number);
        CREATE INDEX vector_number ON vector(number);
        CREATE TABLE dropped(position INTEGER PRIMARY KEY, number INTEGER NOT NULL);",
    drop: "
        DROP TABLE IF EXISTS state; DROP TABLE IF EXISTS model; DROP TABLE IF EXISTS vector;
        DROP TABLE IF EXISTS dropped;",
    names: &["state", "model", "vector", "vector_of", "vector_number", "dropped"],
    layout: 1,
};

/// Opens the vectors at `path`, creating the file when it is missing. A file that is damaged, of another layout or
/// of another store is emptied.
///
/// # Errors
/// [`StoreError::Locked`], [`StoreError::DiskFull`], [`StoreError::ReadOnly`], [`StoreError::Io`].
pub fn open(path: &Path, mark: StoreMark) -> Result<Connection, StoreError> {
    derived::open(path, mark, &KIND)
}

/// Empties the file, whatever state it is in: every memory waits for its vectors again.
///
/// # Errors
/// [`StoreError::Locked`] while others use the file, or a fault of the disk.
pub fn reset(vectors: &mut Connection, mark: StoreMark) -> Result<(), StoreError> {
    derived::reset(vectors, mark, &KIND)
}

/// A memory whose present content has no vector yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Which memory.
    pub number: Number,
    /// What to embed.
    pub content: String,
    /// The digest of that content, to be given back with the vector.
    pub digest: ContentDigest,
}

/// A vector to be put.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVector {
    /// Which memory.
    pub number: Number,
    /// The digest of the content that was embedded.
    pub digest: ContentDigest,
    /// One number for each dimension, finite and not all zero; any length of the vector.
    pub values: Vec<f32>,
}

/// A model as the file knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    pub id: i64,
    pub dimensions: usize,
    settled: i64,
}

pub(super) fn model(vectors: &Connection, name: &str) -> Result<Option<Model>, StoreError> {
    let sql = "SELECT id, dimensions, settled FROM main.model WHERE name = ?1";
    let mut statement = vectors.prepare_cached(sql)?;
    let found = statement.query_row([name], |row| {
        let dimensions = row.get::<_, u32>(1)? as usize;
        Ok(Model { id: row.get(0)?, dimensions, settled: row.get(2)? })
    });
    Ok(found.optional()?)
}

/// The memories whose present content has no vector of `model`, oldest change first, at most `limit`.
///
/// Costs nothing for what was settled before: the file remembers up to which change all memories have their vector.
///
/// # Errors
/// Those of the databases.
pub fn pending(
    ground: &Connection,
    vectors: &Connection,
    model_name: &str,
    limit: usize,
) -> Result<Vec<Pending>, StoreError> {
    let model = model(vectors, model_name)?;
    let settled = model.map_or(0, |model| model.settled);
    let mut statement = ground
        .prepare_cached("SELECT number, content, changed FROM main.memory WHERE changed > ?1 ORDER BY changed")?;
    let mut rows = statement.query([settled])?;
    let mut pending = Vec::new();
    let mut newest_settled = settled;
    while pending.len() < limit
        && let Some(row) = rows.next()?
    {
        let (number, content): (Number, String) = (row.get(0)?, row.get(1)?);
        let digest = content_digest(&content);
        if has_vector(vectors, model, number, &digest)? {
            if pending.is_empty() {
                newest_settled = row.get(2)?;
            }
        } else {
            pending.push(Pending { number, content, digest });
        }
    }
    if let Some(model) = model.filter(|model| newest_settled > model.settled) {
        settle(vectors, model, newest_settled)?;
    }
    Ok(pending)
}

fn has_vector(
    vectors: &Connection,
    model: Option<Model>,
    number: Number,
    digest: &ContentDigest,
) -> Result<bool, StoreError> {
    let Some(model) = model else { return Ok(false) };
    let sql = "SELECT 1 FROM main.vector WHERE model = ?1 AND number = ?2 AND digest = ?3";
    let mut statement = vectors.prepare_cached(sql)?;
    Ok(statement.exists(params![model.id, number, digest.as_bytes()])?)
}

/// A settled position is a hint that saves time: when the file is busy, the next call tries again.
fn settle(vectors: &Connection, model: Model, position: i64) -> Result<(), StoreError> {
    let sql = "UPDATE main.model SET settled = ?2 WHERE id = ?1 AND settled < ?2";
    let updated = vectors.prepare_cached(sql)?.execute(params![model.id, position]);
    match updated.map_err(StoreError::from) {
        Ok(_) | Err(StoreError::Locked) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Puts vectors, and returns how many were taken: a memory that was changed or erased since it was embedded keeps
/// waiting, or stays erased.
///
/// # Errors
/// [`StoreError::Invalid`] for vectors that are not finite, all zero, or of another length than those which the
/// model of this name has put before; nothing is stored then.
pub fn put(
    ground: &Connection,
    vectors: &mut Connection,
    model_name: &str,
    new: &[NewVector],
) -> Result<usize, StoreError> {
    let Some(first) = new.first() else { return Ok(0) };
    if !ground.is_autocommit() {
        return Err(StoreError::Invalid("vectors cannot be put from inside a transaction".to_owned()));
    }
    // Locked before the ground is read, so that an erasure comes wholly before or wholly after.
    let transaction = vectors.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let model = known_model(&transaction, model_name, first.values.len())?;
    let mut taken = 0;
    for vector in new {
        check(vector, model_name, model.dimensions)?;
        if is_present(ground, vector)? {
            put_one(&transaction, model, vector)?;
            taken += 1;
        }
    }
    transaction.commit()?;
    Ok(taken)
}

fn known_model(vectors: &Transaction<'_>, name: &str, dimensions: usize) -> Result<Model, StoreError> {
    if let Some(model) = model(vectors, name)? {
        return Ok(model);
    }
    let sql = "INSERT INTO main.model(name, dimensions) VALUES (?1, ?2)";
    vectors.execute(sql, params![name, dimensions as i64])?;
    Ok(Model { id: vectors.last_insert_rowid(), dimensions, settled: 0 })
}

fn check(vector: &NewVector, model_name: &str, dimensions: usize) -> Result<(), StoreError> {
    let values = &vector.values;
    if values.len() != dimensions {
        return Err(StoreError::Invalid(format!(
            "model {model_name:?} has {dimensions} dimensions and gave a vector of {}: name another model differently",
            values.len()
        )));
    }
    if !values.iter().all(|value| value.is_finite()) || values.iter().all(|value| *value == 0.0) {
        let what = format!("model {model_name:?} gave a vector that is all zero or holds a value that is no number");
        return Err(StoreError::Invalid(what));
    }
    Ok(())
}

fn is_present(ground: &Connection, vector: &NewVector) -> Result<bool, StoreError> {
    let mut statement = ground.prepare_cached("SELECT content FROM main.memory WHERE number = ?1")?;
    let content: Option<String> = statement.query_row([vector.number], |row| row.get(0)).optional()?;
    Ok(content.is_some_and(|content| content_digest(&content) == vector.digest))
}

fn put_one(vectors: &Transaction<'_>, model: Model, vector: &NewVector) -> Result<(), StoreError> {
    let position = next_position(vectors)?;
    let bytes: Vec<u8> = vector.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let sql = "INSERT OR REPLACE INTO main.vector(position, model, number, digest, value) VALUES (?1, ?2, ?3, ?4, ?5)";
    let bound = params![position, model.id, vector.number, vector.digest.as_bytes(), bytes];
    vectors.prepare_cached(sql)?.execute(bound)?;
    Ok(())
}

fn next_position(vectors: &Transaction<'_>) -> Result<i64, StoreError> {
    let sql = "UPDATE main.state SET position = position + 1 RETURNING position";
    Ok(vectors.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Erases the vectors of memories, of every model; may be repeated. Call it after the transaction that removed the
/// memories from the ground, or superseded their content, has been committed.
///
/// # Errors
/// [`StoreError::Locked`], [`StoreError::Corrupt`] (then [`reset`] erases them too), or a fault of the disk.
pub fn erase(vectors: &mut Connection, numbers: &[Number]) -> Result<Erasure, StoreError> {
    let numbers: BTreeSet<Number> = numbers.iter().copied().collect();
    let transaction = vectors.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut erased = 0;
    for number in numbers {
        let sql = "DELETE FROM main.vector WHERE number = ?1";
        let rows = transaction.prepare_cached(sql)?.execute([number])?;
        if rows > 0 {
            leave_number(&transaction, number)?;
        }
        erased += rows;
    }
    transaction.commit()?;
    let log_truncated = derived::bury(vectors)?;
    Ok(Erasure { erased, log_truncated })
}

fn leave_number(vectors: &Transaction<'_>, number: Number) -> Result<(), StoreError> {
    let position = next_position(vectors)?;
    let insert = "INSERT INTO main.dropped(position, number) VALUES (?1, ?2)";
    vectors.prepare_cached(insert)?.execute([position, number])?;
    let oldest = position - DROPPED_KEPT;
    let prune = "DELETE FROM main.dropped WHERE position < ?1";
    if vectors.prepare_cached(prune)?.execute([oldest])? > 0 {
        vectors.execute("UPDATE main.state SET dropped_before = ?1", [oldest])?;
    }
    Ok(())
}

/// Erases the vectors of memories which the ground no longer holds; see [`super::feed::erase_orphans`].
///
/// # Errors
/// As [`erase`].
pub fn erase_orphans(ground: &Connection, vectors: &mut Connection) -> Result<usize, StoreError> {
    let orphans = orphans(ground, vectors)?;
    if orphans.is_empty() {
        return Ok(0);
    }
    Ok(erase(vectors, &orphans)?.erased)
}

fn orphans(ground: &Connection, vectors: &Connection) -> Result<Vec<Number>, StoreError> {
    let mut statement = vectors.prepare("SELECT DISTINCT number FROM main.vector")?;
    let mut rows = statement.query([])?;
    let mut known = ground.prepare_cached("SELECT 1 FROM main.memory WHERE number = ?1")?;
    let mut orphans = Vec::new();
    while let Some(row) = rows.next()? {
        let number: Number = row.get(0)?;
        if !known.exists([number])? {
            orphans.push(number);
        }
    }
    Ok(orphans)
}
