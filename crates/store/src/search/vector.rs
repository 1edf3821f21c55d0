//! The vectors of memories in a file of their own: which memory, by which model, made from which content. A memory
//! has a vector for each of its passages.
//!
//! The file is derived: a damaged one is emptied, and the memories wait for their vectors again. A change is noticed
//! by its position, a number that grows with each vector put and each memory erased; erased memories leave their
//! number behind, so that the matrices of other processes drop them too.

use std::collections::BTreeSet;
use std::path::Path;

use chrysalis_core::id::{ContentDigest, content_digest};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use super::cells;
use super::derived::{self, BUSY_TIMEOUT, Erasure, Kind};
use super::packed::{DIMENSIONS_MAX, pack};
use super::passages::{PASSAGES_MAX, passages};
use super::{Number, StoreMark, ground_position};
use crate::encryption::Key;
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
            id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, dimensions INTEGER NOT NULL,
            settled INTEGER NOT NULL DEFAULT 0, memories INTEGER NOT NULL DEFAULT 0,
            passages INTEGER NOT NULL DEFAULT 0, base INTEGER, base_position INTEGER NOT NULL DEFAULT 0,
            base_passages INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE vector(
            position INTEGER PRIMARY KEY, model INTEGER NOT NULL, number INTEGER NOT NULL,
            passages INTEGER NOT NULL, digest BLOB NOT NULL, value BLOB NOT NULL);
        CREATE UNIQUE INDEX vector_of ON vector(number, model);
        CREATE TRIGGER vector_put AFTER INSERT ON vector BEGIN
            UPDATE model SET memories = memories + 1, passages = passages + new.passages WHERE id = new.model;
        END;
        CREATE TRIGGER vector_erased AFTER DELETE ON vector BEGIN
            UPDATE model SET memories = memories - 1, passages = passages - old.passages WHERE id = old.model;
        END;
        CREATE TABLE dropped(position INTEGER PRIMARY KEY, model INTEGER NOT NULL, number INTEGER NOT NULL);",
    drop: "
        DROP TABLE IF EXISTS state; DROP TABLE IF EXISTS model; DROP TABLE IF EXISTS vector;
        DROP TABLE IF EXISTS dropped;",
    names: &["state", "model", "vector", "vector_of", "vector_put", "vector_erased", "dropped"],
    layout: 3,
};

/// Opens the vectors at `path`, creating the file when it is missing. A file that is damaged, of another layout or
/// of another store is emptied. `key` is that of an encrypted store, in which no files of cells are written: they would
/// hold vectors in the clear.
///
/// # Errors
/// [`StoreError::Locked`], [`StoreError::DiskFull`], [`StoreError::ReadOnly`], [`StoreError::Io`].
pub fn open(path: &Path, mark: StoreMark, key: Option<&Key>) -> Result<Connection, StoreError> {
    derived::open(path, mark, &KIND, key)
}

/// Empties the file, whatever state it is in: every memory waits for its vectors again.
///
/// # Errors
/// [`StoreError::Locked`] while others use the file, or a fault of the disk.
pub fn reset(vectors: &mut Connection, mark: StoreMark) -> Result<(), StoreError> {
    derived::reset(vectors, mark, &KIND)?;
    match vectors.path().and_then(|path| Path::new(path).parent()) {
        Some(folder) => cells::remove_all(folder),
        None => Ok(()),
    }
}

/// Bytes of a content's digest that are kept: enough to tell the contents that one memory had from each other.
const DIGEST_BYTES: usize = 16;

/// A memory whose present content has no vectors yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Which memory.
    pub number: Number,
    /// What to embed: its passages, in their order.
    pub texts: Vec<String>,
    /// The digest of its content, to be given back with the vectors.
    pub digest: ContentDigest,
}

/// The vectors of a memory, to be put.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVector {
    /// Which memory.
    pub number: Number,
    /// The digest of the content that was embedded.
    pub digest: ContentDigest,
    /// The vector of each passage, in their order: one number for each dimension, finite and not all zero, of any
    /// length.
    pub passages: Vec<Vec<f32>>,
}

/// What the file holds of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCount {
    /// The model's name.
    pub name: String,
    /// The length of its vectors.
    pub dimensions: usize,
    /// Memories that have vectors of it.
    pub memories: usize,
    /// The vectors themselves, one for each passage.
    pub passages: usize,
}

/// A model as the file knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    pub id: i64,
    pub dimensions: usize,
    settled: i64,
    pub memories: usize,
    pub passages: usize,
    pub base: Option<Base>,
}

/// The file of cells that a model uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    /// What its name has.
    pub tag: i64,
    /// The last position that is in it,
    pub position: i64,
    /// and how many vectors it was made of.
    pub passages: usize,
}

pub(super) fn model(vectors: &Connection, name: &str) -> Result<Option<Model>, StoreError> {
    let sql = "SELECT id, dimensions, settled, memories, passages, base, base_position, base_passages
        FROM main.model WHERE name = ?1";
    let mut statement = vectors.prepare_cached(sql)?;
    let found = statement.query_row([name], |row| {
        let count = |column| row.get::<_, u32>(column).map(|count| count as usize);
        let (position, based) = (row.get(6)?, count(7)?);
        let base = row.get::<_, Option<i64>>(5)?.map(|tag| Base { tag, position, passages: based });
        let (id, settled) = (row.get(0)?, row.get(2)?);
        Ok(Model { id, dimensions: count(1)?, settled, memories: count(3)?, passages: count(4)?, base })
    });
    Ok(found.optional()?)
}

/// Another connection to the file at `path`, which must be there.
pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch("PRAGMA secure_delete = ON;")?;
    connection.execute_batch(KIND.settings)?;
    Ok(connection)
}

/// How many vectors a model has, and how many of them were there when its file of cells was written.
///
/// # Errors
/// Those of the database.
pub fn in_cells(vectors: &Connection, model_name: &str) -> Result<(usize, usize), StoreError> {
    let counts = |model: Model| (model.passages, model.base.map_or(0, |base| base.passages));
    Ok(model(vectors, model_name)?.map_or((0, 0), counts))
}

/// Names the file of cells that a model uses from now on; none: no longer any.
pub(super) fn set_base(vectors: &Transaction<'_>, model: i64, base: Option<Base>) -> Result<(), StoreError> {
    let sql = "UPDATE main.model SET base = ?2, base_position = ?3, base_passages = ?4 WHERE id = ?1";
    let (position, passages) = base.map_or((0, 0), |base| (base.position, base.passages as i64));
    vectors.prepare_cached(sql)?.execute(params![model, base.map(|base| base.tag), position, passages])?;
    // So that everybody looks.
    next_position(vectors).map(drop)
}

/// Takes the file of this tag out of use: it is damaged, or gone.
pub(super) fn give_up_base(vectors: &mut Connection, tag: i64) -> Result<(), StoreError> {
    let transaction = vectors.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "SELECT id FROM main.model WHERE base = ?1";
    let model: Option<i64> = transaction.query_row(sql, [tag], |row| row.get(0)).optional()?;
    if let Some(model) = model {
        set_base(&transaction, model, None)?;
    }
    Ok(transaction.commit()?)
}

/// What the file holds, model by model, in the order in which they came.
///
/// # Errors
/// Those of the database.
pub fn models(vectors: &Connection) -> Result<Vec<ModelCount>, StoreError> {
    let sql = "SELECT name, dimensions, memories, passages FROM main.model ORDER BY id";
    let mut statement = vectors.prepare_cached(sql)?;
    let counts = statement.query_map([], |row| {
        let count = |column| row.get::<_, u32>(column).map(|count| count as usize);
        Ok(ModelCount { name: row.get(0)?, dimensions: count(1)?, memories: count(2)?, passages: count(3)? })
    })?;
    Ok(counts.collect::<Result<_, _>>()?)
}

/// How many memories there are, and how many of them have vectors of the model of this name.
///
/// Costs two look-ups when every memory is known to have its vectors; otherwise the memories are counted, about a
/// millisecond for 100,000.
///
/// # Errors
/// Those of the databases.
pub fn state(ground: &Connection, vectors: &Connection, model_name: &str) -> Result<(usize, usize), StoreError> {
    let model = model(vectors, model_name)?;
    if let Some(model) = model
        && model.settled >= ground_position(ground)?
    {
        return Ok((model.memories, model.memories));
    }
    let mut statement = ground.prepare_cached("SELECT count(*) FROM main.memory")?;
    let memories = statement.query_row([], |row| row.get::<_, u32>(0))? as usize;
    Ok((memories, model.map_or(0, |model| model.memories.min(memories))))
}

/// The memories whose present content has no vectors of the model, oldest change first, at most `limit`.
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
    let newest = ground_position(ground)?;
    if settled >= newest {
        return Ok(Vec::new());
    }
    let mut statement = ground
        .prepare_cached("SELECT number, content, changed FROM main.memory WHERE changed > ?1 ORDER BY changed")?;
    let mut rows = statement.query([settled])?;
    let mut pending = Vec::new();
    let mut newest_settled = settled;
    while pending.len() < limit {
        let Some(row) = rows.next()? else {
            // Some positions of the feed have no row, or no longer; the rows were read after `newest`.
            newest_settled = if pending.is_empty() { newest.max(newest_settled) } else { newest_settled };
            break;
        };
        let (number, content): (Number, String) = (row.get(0)?, row.get(1)?);
        let digest = content_digest(&content);
        if has_vector(vectors, model, number, &digest)? {
            if pending.is_empty() {
                newest_settled = row.get(2)?;
            }
        } else {
            let texts = passages(&content).into_iter().map(str::to_owned).collect();
            pending.push(Pending { number, texts, digest });
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
    Ok(statement.exists(params![model.id, number, kept(digest)])?)
}

fn kept(digest: &ContentDigest) -> &[u8] {
    &digest.as_bytes()[..DIGEST_BYTES]
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

/// Puts vectors, and returns of how many memories they were taken: one that was changed or erased since it was
/// embedded keeps waiting, or stays erased.
///
/// # Errors
/// [`StoreError::Invalid`] for vectors that are not finite, all zero, or of another length than those which the
/// model of this name has put before, and for a memory without any; nothing is stored then.
pub fn put(
    ground: &Connection,
    vectors: &mut Connection,
    model_name: &str,
    new: &[NewVector],
) -> Result<usize, StoreError> {
    let Some(first) = new.iter().flat_map(|memory| &memory.passages).next() else { return Ok(0) };
    if !ground.is_autocommit() {
        return Err(StoreError::Invalid("vectors cannot be put from inside a transaction".to_owned()));
    }
    // Locked before the ground is read, so that an erasure comes wholly before or wholly after.
    let transaction = vectors.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let model = known_model(&transaction, model_name, first.len())?;
    let (mut taken, mut replaced) = (0, Vec::new());
    for memory in new {
        check(memory, model_name, model.dimensions)?;
        if is_present(ground, memory)? {
            if put_one(&transaction, model, memory)? {
                replaced.push(memory.number);
            }
            taken += 1;
        }
    }
    if !replaced.is_empty() {
        cells::wipe(&transaction, &replaced)?;
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
    Ok(Model { id: vectors.last_insert_rowid(), dimensions, settled: 0, memories: 0, passages: 0, base: None })
}

fn check(memory: &NewVector, model_name: &str, dimensions: usize) -> Result<(), StoreError> {
    let invalid = |what| Err(StoreError::Invalid(what));
    if memory.passages.is_empty() || memory.passages.len() > PASSAGES_MAX {
        let given = memory.passages.len();
        return invalid(format!("a memory has from 1 to {PASSAGES_MAX} vectors of a model, not {given}"));
    }
    if dimensions > DIMENSIONS_MAX {
        return invalid(format!("model {model_name:?} has {dimensions} dimensions: at most {DIMENSIONS_MAX} are kept"));
    }
    for values in &memory.passages {
        if values.len() != dimensions {
            let given = values.len();
            return invalid(format!(
                "model {model_name:?} has {dimensions} dimensions and gave a vector of {given}: name another model \
                 differently"
            ));
        }
        if !values.iter().all(|value| value.is_finite()) || values.iter().all(|value| *value == 0.0) {
            return invalid(format!(
                "model {model_name:?} gave a vector that is all zero or holds a value that is no number"
            ));
        }
    }
    Ok(())
}

fn is_present(ground: &Connection, memory: &NewVector) -> Result<bool, StoreError> {
    Ok(digest_of(ground, memory.number)?.is_some_and(|digest| digest == memory.digest))
}

/// The digest of the content that a memory has now; none when it is gone.
fn digest_of(ground: &Connection, number: Number) -> Result<Option<ContentDigest>, StoreError> {
    let mut statement = ground.prepare_cached("SELECT content FROM main.memory WHERE number = ?1")?;
    let content: Option<String> = statement.query_row([number], |row| row.get(0)).optional()?;
    Ok(content.as_deref().map(content_digest))
}

/// Puts the vectors of a memory; true when they replace others.
fn put_one(vectors: &Transaction<'_>, model: Model, memory: &NewVector) -> Result<bool, StoreError> {
    let position = next_position(vectors)?;
    let (mut value, passages) = (Vec::new(), memory.passages.len() as i64);
    memory.passages.iter().for_each(|values| pack(values, &mut value));
    let sql = "DELETE FROM main.vector WHERE number = ?1 AND model = ?2";
    let replaced = vectors.prepare_cached(sql)?.execute(params![memory.number, model.id])? > 0;
    let sql = "INSERT INTO main.vector(position, model, number, passages, digest, value)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let bound = params![position, model.id, memory.number, passages, kept(&memory.digest), value];
    vectors.prepare_cached(sql)?.execute(bound)?;
    Ok(replaced)
}

fn next_position(vectors: &Transaction<'_>) -> Result<i64, StoreError> {
    let sql = "UPDATE main.state SET position = position + 1 RETURNING position";
    Ok(vectors.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Erases the vectors of memories, of every model, but for those made of the content that a memory has now; may be
/// repeated. Call it after the transaction that removed the memories from the ground, or superseded their content,
/// has been committed.
///
/// # Errors
/// [`StoreError::Locked`], [`StoreError::Corrupt`] (then [`reset`] erases them too), or a fault of the disk.
pub fn erase(ground: &Connection, vectors: &mut Connection, numbers: &[Number]) -> Result<Erasure, StoreError> {
    let numbers: BTreeSet<Number> = numbers.iter().copied().collect();
    let transaction = vectors.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut erased = 0;
    for &number in &numbers {
        let present = digest_of(ground, number)?;
        let present = present.as_ref().map_or(&[][..], kept);
        let sql = "DELETE FROM main.vector WHERE number = ?1 AND digest <> ?2 RETURNING model";
        let mut statement = transaction.prepare_cached(sql)?;
        let models = statement.query_map(params![number, present], |row| row.get(0))?;
        let models: Vec<i64> = models.collect::<Result<_, _>>()?;
        for model in &models {
            leave_number(&transaction, *model, number)?;
        }
        erased += models.len();
    }
    cells::wipe(&transaction, &numbers.into_iter().collect::<Vec<_>>())?;
    transaction.commit()?;
    let log_truncated = derived::bury(vectors)?;
    Ok(Erasure { erased, log_truncated })
}

/// Erases all vectors of a model, and the model itself; returns of how many memories. Takes some seconds for a
/// million, in steps between which others can write.
///
/// # Errors
/// As [`erase`].
pub fn drop_model(vectors: &mut Connection, model_name: &str) -> Result<usize, StoreError> {
    const ROWS_PER_STEP: i64 = 2_000;
    let Some(model) = model(vectors, model_name)? else { return Ok(0) };
    let mut erased = 0;
    loop {
        let transaction = vectors.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = "DELETE FROM main.vector WHERE position IN
            (SELECT position FROM main.vector WHERE model = ?1 LIMIT ?2)";
        let rows = transaction.prepare_cached(sql)?.execute(params![model.id, ROWS_PER_STEP])?;
        if rows == 0 {
            transaction.execute("DELETE FROM main.model WHERE id = ?1", [model.id])?;
            cells::wipe(&transaction, &[])?;
            next_position(&transaction)?;
        }
        transaction.commit()?;
        erased += rows;
        if rows == 0 {
            derived::bury(vectors)?;
            return Ok(erased);
        }
    }
}

fn leave_number(vectors: &Transaction<'_>, model: i64, number: Number) -> Result<(), StoreError> {
    let position = next_position(vectors)?;
    let insert = "INSERT INTO main.dropped(position, model, number) VALUES (?1, ?2, ?3)";
    vectors.prepare_cached(insert)?.execute([position, model, number])?;
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
    Ok(erase(ground, vectors, &orphans)?.erased)
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
