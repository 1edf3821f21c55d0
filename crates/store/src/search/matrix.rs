//! The vectors of one model as a process searches them: a file of cells, when there are many, and in memory, side by
//! side, all that came after it. Without a file everything is in memory, and every search is exact.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};

use rusqlite::{Connection, params};

use super::best::Best;
pub use super::best::VectorHit;
use super::cells::build::is_due;
use super::cells::{self, CellFile, PASSAGES_MIN, Scope};
use super::packed::{Query, unpack};
use super::vector::{self, Base};
use super::{Number, state_row};
use crate::error::StoreError;

/// Of so many vectors, how many are compared with a query: those of some fifty cells, since a file has about twice the
/// square root of its vectors in cells. Measured to find 97 of 100 that an exact search finds.
fn compared_of(vectors: usize) -> usize {
    ((COMPARED_PER_ROOT * (vectors as f64).sqrt()) as usize).max(COMPARED_MIN)
}

const COMPARED_PER_ROOT: f64 = 24.0;
const COMPARED_MIN: usize = 4_096;

/// What it costs to look up the vector of one memory in a file, against one that is read with its whole cell.
const LOOK_UP_COST: usize = 20;

/// The vectors of one model, shared by the threads of a process.
#[derive(Debug)]
pub struct Matrix {
    model: String,
    held: RwLock<Held>,
    path: OnceLock<PathBuf>,
}

#[derive(Debug, Default)]
struct Held {
    generation: Vec<u8>,
    position: i64,
    model: i64,
    dimensions: usize,
    /// How many memories have vectors.
    len: usize,
    file: Option<Named>,
    /// Whether a file should be written, or written anew.
    is_due: bool,
    /// The tag of a file that could not be opened.
    refused: Option<i64>,
    /// Memories that were erased after the file was written.
    dropped: HashSet<Number>,
    /// The bytes of all passages, one after the other, and the factor of each.
    values: Vec<u8>,
    scales: Vec<f32>,
    memories: Vec<Row>,
    row_of: HashMap<Number, usize>,
}

#[derive(Debug)]
struct Named {
    tag: i64,
    cells: CellFile,
}

/// A memory, and where its passages stand.
#[derive(Debug, Clone, Copy)]
struct Row {
    number: Number,
    position: i64,
    first: usize,
    passages: usize,
}

/// Where the file stands.
struct Standing {
    generation: Vec<u8>,
    position: i64,
    dropped_before: i64,
}

impl Matrix {
    /// An empty matrix of the model of this name; the first catch-up fills it.
    pub fn new(model: &str) -> Self {
        Self { model: model.to_owned(), held: RwLock::default(), path: OnceLock::new() }
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// How many memories are held.
    pub fn len(&self) -> usize {
        self.read().len
    }

    /// Tells whether no memory is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many vectors are searched through a file of cells.
    pub fn in_file(&self) -> usize {
        self.read().file.as_ref().map_or(0, |file| file.cells.head.rows)
    }

    /// Tells whether a file of cells should be written, or written anew, as of the last catch-up.
    pub fn is_due(&self) -> bool {
        self.read().is_due
    }

    /// Takes over what the file has put and erased since; cheap when that is nothing. True when something changed.
    ///
    /// # Errors
    /// Those of the database.
    pub fn catch_up(&self, vectors: &mut Connection) -> Result<bool, StoreError> {
        if let Some(path) = vectors.path() {
            self.path.get_or_init(|| PathBuf::from(path));
        }
        // One snapshot for all that is read below.
        let snapshot = vectors.transaction()?;
        let standing = standing(&snapshot)?;
        if self.read().is_at(&standing) {
            return Ok(false);
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if !held.can_follow(&standing) {
            *held = Held { generation: standing.generation.clone(), ..Held::default() };
        }
        held.follow(&snapshot, &self.model, standing.position)?;
        held.position = standing.position;
        let refused = held.refused.take();
        drop((held, snapshot));
        if let Some(tag) = refused {
            vector::give_up_base(vectors, tag)?;
        }
        Ok(true)
    }

    /// The `k` memories nearest to `query`, nearest first and the newest among equals; with `allowed`, only those.
    /// Without a file of cells, and for few that are allowed, nothing nearer is missed. A query that is all zero is
    /// near to nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the query has another number of dimensions than the model; those of the database
    /// when a damaged file has to be given up.
    pub fn search(&self, query: &[f32], allowed: Option<&[Number]>, k: usize) -> Result<Vec<VectorHit>, StoreError> {
        self.surely(|held| {
            let Some(query) = held.prepare(query, &self.model)? else { return Ok(Vec::new()) };
            let mut best = Best::new(k);
            match allowed {
                None => held.search_all(&query, &mut best)?,
                Some(allowed) if allowed.is_sorted() => held.search_some(&query, allowed, &mut best)?,
                Some(allowed) => {
                    let mut allowed = allowed.to_vec();
                    allowed.sort_unstable();
                    held.search_some(&query, &allowed, &mut best)?;
                }
            }
            Ok(best.sorted())
        })
    }

    /// The cosines of those of `numbers` that have a vector, in their order.
    ///
    /// # Errors
    /// As [`Matrix::search`].
    pub fn cosines(&self, query: &[f32], numbers: &[Number]) -> Result<Vec<VectorHit>, StoreError> {
        self.surely(|held| {
            let Some(query) = held.prepare(query, &self.model)? else { return Ok(Vec::new()) };
            let mut hits = Vec::with_capacity(numbers.len());
            held.each_of(&query, numbers, |hit| hits.push(hit))?;
            Ok(hits)
        })
    }

    /// Runs `job`; when that finds the file of cells damaged, gives the file up and runs it on what is in memory.
    fn surely<T>(&self, job: impl Fn(&Held) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let held = self.read();
        match (job(&held), &held.file, self.path.get()) {
            (Err(StoreError::Corrupt { .. } | StoreError::Io { .. }), Some(file), Some(path)) => {
                let tag = file.tag;
                drop(held);
                self.give_up(tag, path)?;
                job(&self.read())
            }
            (done, _, _) => done,
        }
    }

    fn give_up(&self, tag: i64, vectors: &Path) -> Result<(), StoreError> {
        let mut connection = vector::connect(vectors)?;
        vector::give_up_base(&mut connection, tag)?;
        self.catch_up(&mut connection).map(drop)
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        // A thread that died while it wrote left fewer vectors than the file has, and a position that says so.
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn standing(vectors: &Connection) -> Result<Standing, StoreError> {
    let sql = "SELECT generation, position, dropped_before FROM main.state";
    let mut statement = vectors.prepare_cached(sql)?;
    state_row(statement.query_row([], |row| {
        Ok(Standing { generation: row.get(0)?, position: row.get(1)?, dropped_before: row.get(2)? })
    }))
}

/// Following `vectors.db`.
impl Held {
    fn is_at(&self, standing: &Standing) -> bool {
        self.position == standing.position && self.generation == standing.generation
    }

    fn can_follow(&self, standing: &Standing) -> bool {
        self.generation == standing.generation
            && self.position <= standing.position
            && self.position >= standing.dropped_before
    }

    /// Nothing, of the same generation.
    fn empty(&self) -> Self {
        Self { generation: self.generation.clone(), ..Self::default() }
    }

    fn follow(&mut self, vectors: &Connection, model_name: &str, position: i64) -> Result<(), StoreError> {
        let model = vector::model(vectors, model_name)?;
        let (id, dimensions) = model.map_or((0, 0), |model| (model.id, model.dimensions));
        if id != self.model {
            // The model's vectors were dropped, and perhaps others were put under the same name.
            *self = Self { model: id, dimensions, ..self.empty() };
        }
        self.len = model.map_or(0, |model| model.memories);
        self.is_due = model.is_some_and(|model| is_due(&model, position, PASSAGES_MIN));
        self.change_file(vectors, model_name, model.and_then(|model| model.base))?;
        self.take_over(vectors)?;
        self.drop_erased(vectors, self.position)?;
        self.close_gaps();
        Ok(())
    }

    /// Goes over to the file that the model names; without one, everything has to be in memory.
    fn change_file(&mut self, vectors: &Connection, name: &str, base: Option<Base>) -> Result<(), StoreError> {
        if self.file.as_ref().map(|file| file.tag) == base.map(|base| base.tag) {
            return Ok(());
        }
        if self.file.take().is_some() && base.is_none() {
            (self.memories, self.row_of, self.position) = (Vec::new(), HashMap::new(), 0);
        }
        let Some(base) = base else { return Ok(()) };
        let path = vectors.path().map(|path| cells::file_of(Path::new(path), base.tag));
        let file = path.and_then(|path| CellFile::open(&path).ok());
        let ours = |file: &CellFile| {
            let head = &file.head;
            (head.model, head.name.as_str(), head.dimensions, head.position)
                == (self.model, name, self.dimensions, base.position)
                && head.generation == self.generation[..]
        };
        match file.filter(ours) {
            Some(cells) => self.adopt(vectors, Named { tag: base.tag, cells }),
            None => {
                (self.refused, self.position) = (Some(base.tag), 0);
                (self.memories, self.row_of) = (Vec::new(), HashMap::new());
                Ok(())
            }
        }
    }

    fn adopt(&mut self, vectors: &Connection, file: Named) -> Result<(), StoreError> {
        let from = file.cells.head.position;
        self.memories.retain(|row| row.position > from);
        self.row_of = self.memories.iter().enumerate().map(|(at, row)| (row.number, at)).collect();
        self.position = self.position.max(from);
        self.dropped.clear();
        self.file = Some(file);
        self.drop_erased(vectors, from)
    }

    fn take_over(&mut self, vectors: &Connection) -> Result<(), StoreError> {
        let mut statement = vectors
            .prepare_cached("SELECT number, position, value FROM main.vector WHERE position > ?2 AND model = ?1")?;
        let mut rows = statement.query(params![self.model, self.position])?;
        while let Some(row) = rows.next()? {
            let packed = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            self.put(row.get(0)?, row.get(1)?, packed);
        }
        Ok(())
    }

    /// A value that is not as long as the model says is damage that SQLite cannot see; it is nobody's neighbour.
    fn put(&mut self, number: Number, position: i64, packed: &[u8]) {
        let first = self.scales.len();
        for (scale, values) in unpack(packed, self.dimensions) {
            self.scales.push(scale);
            self.values.extend_from_slice(values);
        }
        let row = Row { number, position, first, passages: self.scales.len() - first };
        match self.row_of.get(&number) {
            Some(&at) => self.memories[at] = row,
            None => {
                self.row_of.insert(number, self.memories.len());
                self.memories.push(row);
            }
        }
    }

    fn drop_erased(&mut self, vectors: &Connection, after: i64) -> Result<(), StoreError> {
        let sql = "SELECT number, position FROM main.dropped WHERE position > ?2 AND model = ?1";
        let mut statement = vectors.prepare_cached(sql)?;
        let mut rows = statement.query(params![self.model, after])?;
        while let Some(row) = rows.next()? {
            let (number, position): (Number, i64) = (row.get(0)?, row.get(1)?);
            if self.file.is_some() {
                self.dropped.insert(number);
            }
            // A vector put after the erasure stays.
            if let Some(&at) = self.row_of.get(&number)
                && self.memories[at].position < position
            {
                self.remove(at);
            }
        }
        Ok(())
    }

    fn remove(&mut self, at: usize) {
        self.row_of.remove(&self.memories[at].number);
        self.memories.swap_remove(at);
        if let Some(moved) = self.memories.get(at) {
            self.row_of.insert(moved.number, at);
        }
    }

    /// Gives back what replaced and removed memories took, once that is half.
    fn close_gaps(&mut self) {
        let living: usize = self.memories.iter().map(|row| row.passages).sum();
        if living * 2 >= self.scales.len() {
            return;
        }
        let mut values = Vec::with_capacity(living * self.dimensions);
        let mut scales = Vec::with_capacity(living);
        for row in &mut self.memories {
            let passages = row.first..row.first + row.passages;
            row.first = scales.len();
            values.extend_from_slice(&self.values[passages.start * self.dimensions..passages.end * self.dimensions]);
            scales.extend_from_slice(&self.scales[passages]);
        }
        (self.values, self.scales) = (values, scales);
    }
}

/// Searching.
impl Held {
    /// The query, ready to be compared; `None` when it or the matrix has nothing to compare.
    fn prepare(&self, query: &[f32], model: &str) -> Result<Option<Query>, StoreError> {
        if self.memories.is_empty() && self.file.is_none() {
            return Ok(None);
        }
        Query::new(query, model, self.dimensions)
    }

    fn search_all(&self, query: &Query, best: &mut Best) -> Result<(), StoreError> {
        self.memories.iter().filter_map(|row| self.nearest_of(query, row)).for_each(|hit| best.offer(hit));
        let Some(file) = &self.file else { return Ok(()) };
        let compared = compared_of(file.cells.head.rows);
        file.cells.search(query, None, compared, &|number| self.is_superseded(number), best)
    }

    /// Among few the nearest are found by looking at each; among many by cells, as among all.
    fn search_some(&self, query: &Query, allowed: &[Number], best: &mut Best) -> Result<(), StoreError> {
        let Some(file) = self.file.as_ref().filter(|file| self.is_dear(file, allowed)) else {
            return self.each_of(query, allowed, |hit| best.offer(hit));
        };
        let rows = self.memories.iter().filter(|row| allowed.binary_search(&row.number).is_ok());
        rows.filter_map(|row| self.nearest_of(query, row)).for_each(|hit| best.offer(hit));
        let compared = compared_of(allowed.len());
        let scope = Scope::new(allowed);
        file.cells.search(query, Some(&scope), compared, &|number| self.is_superseded(number), best)
    }

    /// Tells whether looking up each of `allowed` costs more than reading cells until enough of them were compared.
    fn is_dear(&self, file: &Named, allowed: &[Number]) -> bool {
        let rows = file.cells.head.rows;
        let share = (allowed.len() as f64 / rows.max(1) as f64).clamp(1e-9, 1.0);
        let read = (compared_of(allowed.len()) as f64 / share).min(rows as f64);
        let span = allowed.last().zip(allowed.first()).map_or(0, |(last, first)| last.saturating_sub(*first));
        // A bit for each number between the first and the last must fit into some megabytes.
        span < 1 << 26 && (allowed.len() * LOOK_UP_COST) as f64 > read
    }

    fn each_of(&self, query: &Query, numbers: &[Number], mut found: impl FnMut(VectorHit)) -> Result<(), StoreError> {
        let mut room = Vec::new();
        for &number in numbers {
            let hit = match (self.row_of.get(&number), &self.file) {
                (Some(&at), _) => self.nearest_of(query, &self.memories[at]),
                (None, Some(file)) if !self.dropped.contains(&number) => {
                    file.cells.nearest_of(query, number, &mut room)?
                }
                _ => None,
            };
            hit.into_iter().for_each(&mut found);
        }
        Ok(())
    }

    /// Tells whether what the file has of a memory was erased, or put anew.
    fn is_superseded(&self, number: Number) -> bool {
        self.dropped.contains(&number) || self.row_of.contains_key(&number)
    }

    /// The nearest passage of a memory that is in memory.
    fn nearest_of(&self, query: &Query, row: &Row) -> Option<VectorHit> {
        let passages = (0..row.passages).map(|passage| {
            let at = row.first + passage;
            let values = &self.values[at * self.dimensions..][..self.dimensions];
            VectorHit { number: row.number, cosine: query.cosine(self.scales[at], values), passage }
        });
        passages.min_by(VectorHit::order)
    }
}
