//! Verification: whether every signature, every link of every log and every view is what it must be.
//!
//! Nothing that is kept beside an operation is believed: all of it is made again from header, signature and payload,
//! and compared. What does not hold is listed, and the rest is checked all the same. All cores work, each through a
//! connection of its own, and all of these see one state of the store.

mod ground;
mod memories;
mod operations;
mod tables;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use rusqlite::Connection;

use self::ground::Ground;
use self::operations::Gathered;
use chrysalis_core::member::Space;

use crate::error::StoreError;
use crate::ledger::Tables;
use crate::readers::ReadConnection;
use crate::store::Store;
use crate::view::Views;

/// Operations, or memories, that a core takes at once.
const CHUNK_ROWS: i64 = 256;

/// More problems than this are counted and not listed.
const PROBLEMS_MAX: usize = 1_000;

/// Something that does not hold.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// A short stable name.
    pub code: &'static str,
    /// Which operation, memory, log or table.
    pub where_: String,
    /// What is wrong, in plain words.
    pub what: String,
}

impl Problem {
    pub(crate) fn new(code: &'static str, where_: impl Into<String>, what: impl Into<String>) -> Self {
        Self { code, where_: where_.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} ({})", self.where_, self.what, self.code)
    }
}

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verification {
    /// How many operations were looked at.
    pub operations: u64,
    /// How many memories were looked at.
    pub memories: u64,
    /// What does not hold; empty when all does.
    pub problems: Vec<Problem>,
}

impl Verification {
    /// Whether everything holds.
    pub fn holds(&self) -> bool {
        self.problems.is_empty()
    }
}

/// A part of the work that needs nothing of the others.
#[derive(Clone, Copy, Debug)]
enum Chunk {
    /// Memories with these numbers, and their operations.
    Memories(i64, i64),
    /// Operations at these positions that name no memory.
    Nameless(i64, i64),
}

impl Store {
    /// Checks the whole store, or one memory and its operations.
    ///
    /// For the whole store: the chain and Lamport times of every log, every signature, every payload against what its
    /// header commits to, proofs of misbehaviour, each view against the log, and the text index. `progress` is given
    /// operations done and operations in all, in the calling thread.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an id that was never here, [`StoreError::Invalid`] inside a batch, those of the
    /// disk. Damage is no error here but a problem.
    pub fn verify(&self, id: Option<&str>, mut progress: impl FnMut(u64, u64)) -> Result<Verification, StoreError> {
        if self.writer.in_batch() {
            return Err(StoreError::Invalid("a batch is verified once it is committed".to_owned()));
        }
        match id {
            Some(id) => self.verify_memory(id),
            None => self.verify_all(&mut progress),
        }
    }

    fn verify_memory(&self, id: &str) -> Result<Verification, StoreError> {
        let snapshot = self.snapshots(1)?.remove(0);
        let ground = Ground::read(&self.tables(&snapshot))?;
        let views = self.views(&snapshot);
        let mut gathered = Gathered::default();
        let number = views.number_of(id)?;
        if let Some(number) = number {
            memories::check(&views, &ground, (number, number), &mut gathered)?;
        }
        let mut dead = snapshot.prepare_cached("SELECT operation FROM dead WHERE id = ?1")?;
        let forgettings = dead.query_map([id], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        for position in &forgettings {
            operations::check_nameless(&views, &ground, (*position, *position), &mut gathered)?;
        }
        if number.is_none() && forgettings.is_empty() {
            return Err(StoreError::NotFound(format!("memory {id:?}")));
        }
        self.seek_signatures(gathered.unsigned)?;
        Ok(finish(gathered.operations, gathered.memories, gathered.problems))
    }

    fn verify_all(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Verification, StoreError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut snapshots = self.snapshots(cores + 1)?;
        let here = snapshots.remove(0);
        let tables = self.tables(&here);
        let ground = Ground::read(&tables)?;
        let mut problems = ground.problems.clone();
        let chunks = chunks(&here)?;
        let total = ground.operations;
        progress(0, total);
        // The text index is checked meanwhile, by a thread more than there are cores: the cores then end together.
        let (gathered, text) = thread::scope(|scope| {
            let text = scope.spawn(|| text::check(self));
            let gathered = self.gather(snapshots, &ground, &chunks, &mut |done| progress(done, total));
            (gathered, text.join())
        });
        let mut gathered = gathered?;
        problems.append(&mut gathered.problems);
        problems.extend(tables::check(&self.views(&here), &ground, &gathered)?);
        drop(here);
        let panicked = |_| Err(StoreError::Internal("the check of the text index broke off".to_owned()));
        problems.extend(text.unwrap_or_else(panicked)?);
        self.seek_signatures(gathered.unsigned)?;
        Ok(finish(gathered.operations, gathered.memories, problems))
    }

    /// So many connections that all see the state of this moment.
    fn snapshots(&self, count: usize) -> Result<Vec<ReadConnection>, StoreError> {
        // Nobody writes between the first and the last, because the write lock is held meanwhile.
        self.writer.run_here(|_, _| {
            let readers = (0..count).map(|_| {
                let reader = self.readers.get()?;
                reader.execute_batch("BEGIN; SELECT 1 FROM clock;")?;
                Ok(reader)
            });
            readers.collect()
        })
    }

    fn gather(
        &self,
        snapshots: Vec<ReadConnection>,
        ground: &Ground,
        chunks: &[Chunk],
        progress: &mut dyn FnMut(u64),
    ) -> Result<Gathered, StoreError> {
        let next = AtomicUsize::new(0);
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for snapshot in snapshots {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if sender.send(check_chunk(&self.views(&snapshot), ground, *chunk)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut all = Gathered::default();
            for part in receiver {
                all.join(part?);
                progress(all.operations);
            }
            Ok(all)
        })
    }
}

/// Verifies through one connection, without the store and its text index: for one that may not open.
pub(crate) fn verify_through(connection: &Connection, space: &Space, now_ms: u64) -> Result<Verification, StoreError> {
    let tables = Tables { connection, space: space.id() };
    let ground = Ground::read(&tables)?;
    let views = Views { tables, space, now_ms, memo: Default::default() };
    let mut gathered = Gathered { problems: ground.problems.clone(), ..Gathered::default() };
    for chunk in chunks(connection)? {
        gathered.join(check_chunk(&views, &ground, chunk)?);
    }
    let mut problems = std::mem::take(&mut gathered.problems);
    problems.extend(tables::check(&views, &ground, &gathered)?);
    Ok(finish(gathered.operations, gathered.memories, problems))
}

fn check_chunk(views: &Views<'_>, ground: &Ground, chunk: Chunk) -> Result<Gathered, StoreError> {
    let mut gathered = Gathered::default();
    let outcome = match chunk {
        Chunk::Memories(from, to) => memories::check(views, ground, (from, to), &mut gathered),
        Chunk::Nameless(from, to) => operations::check_nameless(views, ground, (from, to), &mut gathered),
    };
    match outcome {
        Err(error @ StoreError::Corrupt { .. }) => {
            gathered.problems.push(Problem::new("store_corrupt", format!("{chunk:?}"), error.to_string()));
        }
        other => other?,
    }
    Ok(gathered)
}

fn chunks(connection: &Connection) -> Result<Vec<Chunk>, StoreError> {
    let sql = "SELECT min(coalesce((SELECT min(number) FROM memory), 1),
                          coalesce((SELECT min(memory) FROM operation WHERE memory IS NOT NULL), 1)),
                      max(coalesce((SELECT max(number) FROM memory), 0),
                          coalesce((SELECT max(memory) FROM operation WHERE memory IS NOT NULL), 0)),
                      (SELECT count(*) FROM memory)";
    let (from, to, rows) = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut chunks = split(from, to, rows, Chunk::Memories);
    let sql = "SELECT coalesce(min(position), 1), coalesce(max(position), 0), count(*) FROM operation";
    let (from, to, rows) = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    chunks.extend(split(from, to, rows, Chunk::Nameless));
    Ok(chunks)
}

/// Equal ranges of numbers, as many as the rows call for: a single number out of line must not make millions of them.
fn split(from: i64, to: i64, rows: i64, make: impl Fn(i64, i64) -> Chunk) -> Vec<Chunk> {
    let (low, high) = (i128::from(from), i128::from(to));
    let parts = i128::from(rows / CHUNK_ROWS + 1);
    let width = ((high - low + 1).max(0) + parts - 1) / parts;
    let edges = (0..parts).map(|part| low + part * width).take_while(|start| *start <= high && width > 0);
    edges.map(|start| make(start as i64, (start + width - 1).min(high) as i64)).collect()
}

fn finish(operations: u64, memories: u64, problems: Vec<Problem>) -> Verification {
    // One operation can be met twice, by two ways: it is listed once.
    let problems: BTreeSet<Problem> = problems.into_iter().collect();
    let more = problems.len().saturating_sub(PROBLEMS_MAX);
    let mut problems: Vec<Problem> = problems.into_iter().take(PROBLEMS_MAX).collect();
    if more > 0 {
        problems.push(Problem::new("more", "the store", format!("and {more} problems more")));
    }
    Verification { operations, memories, problems }
}

impl Gathered {
    fn join(&mut self, other: Gathered) {
        self.operations += other.operations;
        self.memories += other.memories;
        self.steps += other.steps;
        self.tags += other.tags;
        self.links += other.links;
        self.problems.extend(other.problems);
        self.said.extend(other.said);
        self.unsigned.extend(other.unsigned);
        add_uses(&mut self.uses, other.uses);
    }
}

fn add_uses(all: &mut BTreeMap<(String, u32), u64>, more: BTreeMap<(String, u32), u64>) {
    for (key, count) in more {
        *all.entry(key).or_insert(0) += count;
    }
}
