//! The vectors of one model in memory, side by side, searched exactly.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use rusqlite::{Connection, params};

use super::packed::{Query, unpack};
use super::vector;
use super::{Number, state_row};
use crate::error::StoreError;

/// The vectors of one model, shared by the threads of a process.
#[derive(Debug)]
pub struct Matrix {
    model: String,
    held: RwLock<Held>,
}

/// A memory and the cosine between it and the query, from -1 to 1. A memory is as near as its nearest passage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorHit {
    /// Which memory.
    pub number: Number,
    /// How near its nearest passage is: greater is nearer.
    pub cosine: f32,
    /// Which passage that is, counted from 0; see [`super::passages::passages`].
    pub passage: usize,
}

#[derive(Debug, Default)]
struct Held {
    generation: Vec<u8>,
    position: i64,
    model: i64,
    dimensions: usize,
    /// The bytes of all passages, one after the other, and the factor of each.
    values: Vec<u8>,
    scales: Vec<f32>,
    memories: Vec<Row>,
    row_of: HashMap<Number, usize>,
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
        Self { model: model.to_owned(), held: RwLock::default() }
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// How many memories are held.
    pub fn len(&self) -> usize {
        self.read().memories.len()
    }

    /// Tells whether no memory is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes over what the file has put and erased since; cheap when that is nothing. True when something changed.
    ///
    /// # Errors
    /// Those of the database.
    pub fn catch_up(&self, vectors: &mut Connection) -> Result<bool, StoreError> {
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
        held.follow(&snapshot, &self.model)?;
        held.position = standing.position;
        Ok(true)
    }

    /// The `k` memories nearest to `query`, nearest first and the newest among equals; with `allowed`, only those.
    /// A query that is all zero is near to nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the query has another number of dimensions than the model.
    pub fn search(&self, query: &[f32], allowed: Option<&[Number]>, k: usize) -> Result<Vec<VectorHit>, StoreError> {
        let held = self.read();
        let Some(query) = held.prepare(query, &self.model)? else { return Ok(Vec::new()) };
        let mut nearest = Nearest::new(k);
        match allowed {
            None => held.each(&query, |hit| nearest.offer(hit)),
            Some(allowed) => held.some(&query, allowed, |hit| nearest.offer(hit)),
        }
        Ok(nearest.sorted())
    }

    /// The cosines of those of `numbers` that have a vector.
    ///
    /// # Errors
    /// As [`Matrix::search`].
    pub fn cosines(&self, query: &[f32], numbers: &[Number]) -> Result<Vec<VectorHit>, StoreError> {
        let held = self.read();
        let Some(query) = held.prepare(query, &self.model)? else { return Ok(Vec::new()) };
        let mut hits = Vec::with_capacity(numbers.len());
        held.some(&query, numbers, |hit| hits.push(hit));
        Ok(hits)
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

impl Held {
    fn is_at(&self, standing: &Standing) -> bool {
        self.position == standing.position && self.generation == standing.generation
    }

    fn can_follow(&self, standing: &Standing) -> bool {
        self.generation == standing.generation
            && self.position <= standing.position
            && self.position >= standing.dropped_before
    }

    fn follow(&mut self, vectors: &Connection, model_name: &str) -> Result<(), StoreError> {
        let model = vector::model(vectors, model_name)?;
        let (id, dimensions) = model.map_or((0, 0), |model| (model.id, model.dimensions));
        if id != self.model {
            // The model's vectors were dropped, and perhaps others were put under the same name.
            *self = Self { generation: std::mem::take(&mut self.generation), model: id, dimensions, ..Self::default() };
        }
        self.take_over(vectors)?;
        self.drop_erased(vectors)?;
        self.close_gaps();
        Ok(())
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

    fn drop_erased(&mut self, vectors: &Connection) -> Result<(), StoreError> {
        let sql = "SELECT number, position FROM main.dropped WHERE position > ?2 AND model = ?1";
        let mut statement = vectors.prepare_cached(sql)?;
        let mut rows = statement.query(params![self.model, self.position])?;
        while let Some(row) = rows.next()? {
            let (number, position): (Number, i64) = (row.get(0)?, row.get(1)?);
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
        let (mut values, mut scales) = (Vec::new(), Vec::new());
        for row in &mut self.memories {
            let passages = row.first..row.first + row.passages;
            row.first = scales.len();
            values.extend_from_slice(&self.values[passages.start * self.dimensions..passages.end * self.dimensions]);
            scales.extend_from_slice(&self.scales[passages]);
        }
        (self.values, self.scales) = (values, scales);
    }

    /// The query, ready to be compared; `None` when it or the matrix has nothing to compare.
    fn prepare(&self, query: &[f32], model: &str) -> Result<Option<Query>, StoreError> {
        if self.memories.is_empty() {
            return Ok(None);
        }
        Query::new(query, model, self.dimensions)
    }

    fn each(&self, query: &Query, mut found: impl FnMut(VectorHit)) {
        self.memories.iter().filter_map(|row| self.hit(query, row)).for_each(&mut found);
    }

    fn some(&self, query: &Query, numbers: &[Number], mut found: impl FnMut(VectorHit)) {
        let rows = numbers.iter().filter_map(|number| Some(&self.memories[*self.row_of.get(number)?]));
        rows.filter_map(|row| self.hit(query, row)).for_each(&mut found);
    }

    /// The nearest passage of a memory.
    fn hit(&self, query: &Query, row: &Row) -> Option<VectorHit> {
        let passages = (0..row.passages).map(|passage| {
            let at = row.first + passage;
            let values = &self.values[at * self.dimensions..][..self.dimensions];
            VectorHit { number: row.number, cosine: query.cosine(self.scales[at], values), passage }
        });
        passages.max_by(|one, other| one.cosine.total_cmp(&other.cosine).then(other.passage.cmp(&one.passage)))
    }
}

/// The best `k` hits offered so far; the worst of them stands on top, ready to be replaced.
struct Nearest {
    k: usize,
    heap: BinaryHeap<Offered>,
}

impl Nearest {
    fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::new() }
    }

    fn offer(&mut self, hit: VectorHit) {
        let offered = Offered(hit);
        if self.heap.len() < self.k {
            self.heap.push(offered);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && offered < *worst
        {
            *worst = offered;
        }
    }

    fn sorted(self) -> Vec<VectorHit> {
        self.heap.into_sorted_vec().into_iter().map(|offered| offered.0).collect()
    }
}

/// Ordered so that the nearest is the least; among equals the newest.
struct Offered(VectorHit);

impl Ord for Offered {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.cosine.total_cmp(&self.0.cosine).then(other.0.number.cmp(&self.0.number))
    }
}

impl PartialOrd for Offered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Offered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Offered {}
