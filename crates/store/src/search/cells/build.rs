//! Writing a file of cells from `vectors.db`, beside everything else that goes on.
//!
//! Any process may do it, one at a time. `vectors.db` is read in small steps, none of which sees more than a moment of
//! it: a row never changes, it only vanishes, and one that has vanished leaves its place in the file empty. While the
//! new file is written, the old one and what came after it still answer.

use std::collections::VecDeque;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::super::packed::{packed_bytes, unpack};
use super::super::vector::{self, Base, Model};
use super::super::{Number, StoreMark, state_row};
use super::bytes::{write_at, write_row};
use super::centres::{Centres, cost_for, count_for, sample_for};
use super::file::{CellFile, Directory, Head, front};
use super::wipe::{remove, remove_unnamed};
use super::{ENDING, ENDING_NEW, PASSAGES_MIN, Row, path_of};
use crate::error::StoreError;
use crate::folder::Alone;

/// Memories read at once: copying them keeps the write lock for some milliseconds.
const MEMORIES_PER_STEP: usize = 1_000;

/// Centres are found anew when there are so many times more vectors than when they were found.
const OUTGROWN: usize = 2;

/// How a build is watched and stopped, from another thread.
#[derive(Debug, Default)]
pub struct Watch {
    stopped: AtomicBool,
    done: AtomicU64,
    whole: AtomicU64,
}

impl Watch {
    /// Ends the build soon, without a new file.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Tells whether [`Watch::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// How far the build has come, from 0 to 1.
    pub fn progress(&self) -> f64 {
        let whole = self.whole.load(Ordering::Relaxed).max(1);
        self.done.load(Ordering::Relaxed).min(whole) as f64 / whole as f64
    }

    fn begin(&self, whole: usize) {
        self.done.store(0, Ordering::Relaxed);
        self.whole.store(whole as u64, Ordering::Relaxed);
    }

    pub(super) fn advance(&self, done: usize) {
        self.done.fetch_add(done as u64, Ordering::Relaxed);
    }
}

/// How a build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The new file is in use.
    Built,
    /// There is too little to be done, or the model is gone.
    NotDue,
    /// Another process is at it.
    Busy,
    /// It was stopped.
    Stopped,
}

/// Tells whether a file should be written, or written anew: there are many vectors and no file, or much has changed
/// since.
pub(in super::super) fn is_due(model: &Model, position: i64, passages_min: usize) -> bool {
    match model.base {
        None => model.passages >= passages_min,
        Some(base) => (position - base.position) as usize > (base.passages / 16).max(passages_min / 4),
    }
}

/// As [`is_due`], of what `vectors` holds now.
pub(crate) fn is_due_now(vectors: &Connection, model: &str) -> Result<bool, StoreError> {
    let position = vectors.prepare_cached("SELECT position FROM main.state")?.query_row([], |row| row.get(0));
    let (position, model) = (state_row(position)?, vector::model(vectors, model)?);
    Ok(model.is_some_and(|model| is_due(&model, position, PASSAGES_MIN)))
}

/// Writes the file of a model's vectors if that is due, and puts it to use. Takes some 5 s for 100,000 vectors the
/// first time, less when a file is extended.
///
/// `vectors_path` is that of `vectors.db`; `passages_min` is the number from which on there is a file.
///
/// # Errors
/// Those of the database and the disk.
pub fn build(vectors_path: &Path, model: &str, passages_min: usize, watch: &Watch) -> Result<Outcome, StoreError> {
    let Some(_alone) = lock(vectors_path)? else { return Ok(Outcome::Busy) };
    let mut connection = vector::connect(vectors_path)?;
    let Some(mut plan) = Plan::new(&mut connection, vectors_path, model)? else { return Ok(Outcome::NotDue) };
    if !is_due(&plan.model, plan.head.position, passages_min) {
        return Ok(Outcome::NotDue);
    }
    watch.begin(3 * plan.model.passages + cost_for(plan.model.passages));
    let old = plan.old_file();
    let Some(centres) = plan.centres(&connection, old.as_ref(), watch)? else { return Ok(Outcome::Stopped) };
    let Some(places) = plan.assign(&connection, &centres, old.as_ref(), watch)? else { return Ok(Outcome::Stopped) };
    let new = path_of(&plan.folder, plan.tag, ENDING_NEW);
    let written = plan.write(&mut connection, &centres, places, &new, watch);
    if !matches!(written, Ok(Outcome::Built)) {
        remove(&new)?;
    }
    written
}

/// From `PASSAGES_MIN` vectors on.
pub fn build_if_due(vectors_path: &Path, model: &str, watch: &Watch) -> Result<Outcome, StoreError> {
    build(vectors_path, model, PASSAGES_MIN, watch)
}

/// The lock of whoever writes a file; it ends also when the process is killed.
fn lock(vectors_path: &Path) -> Result<Option<Alone>, StoreError> {
    let mut name = vectors_path.as_os_str().to_owned();
    name.push("-build");
    let path = PathBuf::from(name);
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(|error| StoreError::io(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Alone(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(StoreError::io(&path, error)),
    }
}

/// What is to be written.
struct Plan {
    folder: PathBuf,
    tag: i64,
    model: Model,
    head: Head,
}

/// A memory's vectors as `vectors.db` has them.
struct Stored {
    position: i64,
    number: Number,
    packed: Vec<u8>,
}

/// The cells of a memory's vectors, in the order of positions.
type Assigned = VecDeque<(i64, Vec<u32>)>;

impl Plan {
    fn new(connection: &mut Connection, vectors_path: &Path, name: &str) -> Result<Option<Self>, StoreError> {
        let folder = vectors_path.parent().unwrap_or(Path::new(".")).to_owned();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        remove_unnamed(&transaction, &folder)?;
        let sql = "SELECT mark, generation, position FROM main.state";
        let (mark, generation, position) =
            state_row(transaction.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))))?;
        let Some(model) = vector::model(&transaction, name)? else { return Ok(None) };
        let (dimensions, name) = (model.dimensions, name.to_owned());
        let mark = StoreMark(mark);
        let model_id = model.id;
        let head =
            Head { mark, generation, model: model_id, name, dimensions, position, rows: 0, cells: 0, trained: 0 };
        Ok(Some(Self { folder, tag: random_tag()?, model, head }))
    }

    /// The file in use, if its centres still serve.
    fn old_file(&self) -> Option<CellFile> {
        let base = self.model.base?;
        let file = CellFile::open(&path_of(&self.folder, base.tag, ENDING)).ok()?;
        let (trained, now) = (file.head.trained, self.model.passages);
        let serves = now <= trained * OUTGROWN && now * OUTGROWN * 2 >= trained;
        (serves && file.head.dimensions == self.head.dimensions).then_some(file)
    }

    fn centres(
        &mut self,
        connection: &Connection,
        old: Option<&CellFile>,
        watch: &Watch,
    ) -> Result<Option<Centres>, StoreError> {
        let dimensions = self.head.dimensions;
        if let Some(old) = old {
            self.head.trained = old.head.trained;
            watch.advance(self.model.passages + cost_for(self.model.passages));
            return Ok(Some(Centres::new(old.centres.clone(), dimensions)));
        }
        self.head.trained = self.model.passages;
        let Some(sample) = self.sample(connection, watch)? else { return Ok(None) };
        let vectors = sample.len() / packed_bytes(dimensions);
        Ok(Centres::find(&sample, dimensions, count_for(self.model.passages).min(vectors), watch))
    }

    /// Vectors at even distances.
    fn sample(&self, connection: &Connection, watch: &Watch) -> Result<Option<Vec<u8>>, StoreError> {
        let wanted = sample_for(self.model.passages).max(1);
        let every = (self.model.passages / wanted).max(1);
        let mut sample = Vec::new();
        let mut seen = 0;
        let done = self.each_step(connection, watch, |stored| {
            for vector in stored.packed.chunks_exact(packed_bytes(self.head.dimensions)) {
                if seen % every == 0 {
                    sample.extend_from_slice(vector);
                }
                seen += 1;
            }
        })?;
        Ok(done.then_some(sample))
    }

    /// The cell of each vector; the old file knows most of them.
    fn assign(
        &mut self,
        connection: &Connection,
        centres: &Centres,
        old: Option<&CellFile>,
        watch: &Watch,
    ) -> Result<Option<Assigned>, StoreError> {
        let known = old.and_then(|old| Some((old.head.position, old.cells().ok()?)));
        let dimensions = self.head.dimensions;
        let mut assigned = Assigned::new();
        let mut rows = 0;
        let done = self.each_step(connection, watch, |stored| {
            let vectors = unpack(&stored.packed, dimensions).enumerate();
            let cells: Vec<u32> = vectors
                .map(|(passage, (scale, values))| {
                    let known = known.as_ref().filter(|(position, _)| stored.position <= *position);
                    let known = known.and_then(|(_, cells)| cell_of(cells, stored.number, passage));
                    known.unwrap_or_else(|| centres.nearest(scale, values) as u32)
                })
                .collect();
            rows += cells.len();
            assigned.push_back((stored.position, cells));
        })?;
        (self.head.rows, self.head.cells) = (rows, centres.len());
        Ok(done.then_some(assigned))
    }

    fn write(
        &self,
        connection: &mut Connection,
        centres: &Centres,
        mut assigned: Assigned,
        path: &Path,
        watch: &Watch,
    ) -> Result<Outcome, StoreError> {
        let mut counts = vec![0_u32; self.head.cells];
        assigned.iter().flat_map(|(_, cells)| cells).for_each(|cell| counts[*cell as usize] += 1);
        let file = self.create(connection, path, &front(&self.head, &centres.packed, &counts))?;
        let mut next: Vec<usize> = counts
            .iter()
            .scan(0, |end, count| {
                let first = *end;
                *end += *count as usize;
                Some(first)
            })
            .collect();
        let mut entries = Vec::with_capacity(self.head.rows);
        let mut after = 0;
        loop {
            // Whoever forgets waits for this lock, and then finds what was copied.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if watch.is_stopped() || !self.is_wanted(&transaction)? {
                return Ok(Outcome::Stopped);
            }
            let step = self.step(&transaction, after)?;
            let Some(last) = step.last() else { break };
            after = last.position;
            for stored in &step {
                while assigned.front().is_some_and(|(position, _)| *position < stored.position) {
                    assigned.pop_front();
                }
                let Some((_, cells)) = assigned.pop_front() else { break };
                self.copy(&file, stored, &cells, &mut next, &mut entries)
                    .map_err(|error| StoreError::io(path, error))?;
            }
            watch.advance(step.iter().map(|stored| stored.packed.len() / packed_bytes(self.head.dimensions)).sum());
        }
        entries.resize(self.head.rows, (0, 0));
        let directory = Directory::new(entries).bytes();
        write_at(&file, &directory, self.head.places().directory).map_err(|error| StoreError::io(path, error))?;
        self.put_to_use(connection, &file, path)
    }

    /// The file at its full length, all rows empty. From now on whoever forgets looks into it.
    fn create(&self, connection: &mut Connection, path: &Path, front: &[u8]) -> Result<File, StoreError> {
        let wrong = |error| StoreError::io(path, error);
        let _locked = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(wrong)?;
        file.set_len(self.head.places().end).map_err(wrong)?;
        write_at(&file, front, 0).map_err(wrong)?;
        Ok(file)
    }

    fn copy(
        &self,
        file: &File,
        stored: &Stored,
        cells: &[u32],
        next: &mut [usize],
        entries: &mut Vec<(Number, u32)>,
    ) -> std::io::Result<()> {
        let places = self.head.places();
        let mut row = vec![0; places.row_bytes];
        for (passage, (scale, values)) in unpack(&stored.packed, self.head.dimensions).enumerate() {
            let Some(next) = cells.get(passage).map(|cell| &mut next[*cell as usize]) else { break };
            write_row(&mut row, Row { number: stored.number, passage, scale, values });
            write_at(file, &row, places.row(*next))?;
            entries.push((stored.number, *next as u32));
            *next += 1;
        }
        Ok(())
    }

    /// Names the file once it is complete and on disk, and removes the one before.
    fn put_to_use(&self, connection: &mut Connection, file: &File, path: &Path) -> Result<Outcome, StoreError> {
        let wrong = |error| StoreError::io(path, error);
        file.sync_all().map_err(wrong)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !self.is_wanted(&transaction)? {
            return Ok(Outcome::Stopped);
        }
        std::fs::rename(path, path_of(&self.folder, self.tag, ENDING)).map_err(wrong)?;
        sync_folder(&self.folder)?;
        let (head, id) = (&self.head, self.model.id);
        let base = Base { tag: self.tag, position: head.position, passages: head.rows };
        vector::set_base(&transaction, id, Some(base))?;
        transaction.commit()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        remove_unnamed(&transaction, &self.folder)?;
        Ok(Outcome::Built)
    }

    /// Tells whether the model and the file that it names are still those for which the plan was made.
    fn is_wanted(&self, vectors: &Transaction<'_>) -> Result<bool, StoreError> {
        let sql = "SELECT generation FROM main.state";
        let generation: [u8; 16] = state_row(vectors.query_row(sql, [], |row| row.get(0)))?;
        let model = vector::model(vectors, &self.head.name)?;
        Ok(generation == self.head.generation && model.is_some_and(|model| model.id == self.model.id))
    }

    /// Runs `see` over all vectors of the model up to the plan's position; false when stopped.
    fn each_step(
        &self,
        connection: &Connection,
        watch: &Watch,
        mut see: impl FnMut(&Stored),
    ) -> Result<bool, StoreError> {
        let mut after = 0;
        loop {
            if watch.is_stopped() {
                return Ok(false);
            }
            let step = self.step(connection, after)?;
            let Some(last) = step.last() else { return Ok(true) };
            after = last.position;
            step.iter().for_each(&mut see);
            watch.advance(step.len());
        }
    }

    fn step(&self, connection: &Connection, after: i64) -> Result<Vec<Stored>, StoreError> {
        let sql = "SELECT position, number, value FROM main.vector
            WHERE model = ?1 AND position > ?2 AND position <= ?3 ORDER BY position LIMIT ?4";
        let mut statement = connection.prepare_cached(sql)?;
        let bound = params![self.model.id, after, self.head.position, MEMORIES_PER_STEP as i64];
        let rows = statement
            .query_map(bound, |row| Ok(Stored { position: row.get(0)?, number: row.get(1)?, packed: row.get(2)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn cell_of(cells: &[(Number, usize, u32)], number: Number, passage: usize) -> Option<u32> {
    let at = cells.partition_point(|(known, at, _)| (*known, *at) < (number, passage));
    let (known, known_passage, cell) = cells.get(at)?;
    (*known == number && *known_passage == passage).then_some(*cell)
}

fn random_tag() -> Result<i64, StoreError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Internal(format!("no randomness: {error}")))?;
    Ok(i64::from_le_bytes(bytes) & i64::MAX)
}

/// Makes a rename last; Windows neither needs nor offers it.
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    File::open(folder).and_then(|file| file.sync_all()).map_err(|error| StoreError::io(folder, error))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
