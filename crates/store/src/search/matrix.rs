//! All vectors of one model in memory, side by side, searched exactly.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use rusqlite::{Connection, params};

use super::vector;
use super::{Number, state_row};
use crate::error::StoreError;

/// Numbers multiplied side by side: a multiple of what any vector unit does at once, so that the compiler uses it.
const LANES: usize = 16;

/// The vectors of one model, shared by the threads of a process.
#[derive(Debug)]
pub struct Matrix {
    model: String,
    held: RwLock<Held>,
}

/// A memory and the cosine between it and the query, from -1 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorHit {
    /// Which memory.
    pub number: Number,
    /// How near: greater is nearer.
    pub cosine: f32,
}

#[derive(Debug, Default)]
struct Held {
    generation: Vec<u8>,
    position: i64,
    dimensions: usize,
    /// Values per row: the dimensions, filled up with zeros to whole lanes.
    stride: usize,
    values: Vec<f32>,
    rows: Vec<Row>,
    row_of: HashMap<Number, usize>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    number: Number,
    position: i64,
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

    /// How many vectors are held.
    pub fn len(&self) -> usize {
        self.read().rows.len()
    }

    /// Tells whether no vector is held.
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
        if let Some(model) = vector::model(vectors, model_name)? {
            self.dimensions = model.dimensions;
            self.stride = model.dimensions.next_multiple_of(LANES);
            self.take_over(vectors, model.id)?;
        }
        self.drop_erased(vectors)
    }

    fn take_over(&mut self, vectors: &Connection, model: i64) -> Result<(), StoreError> {
        let mut statement = vectors
            .prepare_cached("SELECT number, position, value FROM main.vector WHERE model = ?1 AND position > ?2")?;
        let mut rows = statement.query(params![model, self.position])?;
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            let entry = Row { number: row.get(0)?, position: row.get(1)? };
            self.put(entry, bytes);
        }
        Ok(())
    }

    /// A value that is not as long as the model says is damage that SQLite cannot see; it is nobody's neighbour.
    fn put(&mut self, row: Row, bytes: &[u8]) {
        if bytes.len() != self.dimensions * size_of::<f32>() {
            return;
        }
        let at = self.row_for(row);
        let slot = &mut self.values[at * self.stride..][..self.dimensions];
        for (value, four) in slot.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*four);
        }
        normalise(slot);
    }

    fn row_for(&mut self, row: Row) -> usize {
        if let Some(&at) = self.row_of.get(&row.number) {
            self.rows[at] = row;
            return at;
        }
        let at = self.rows.len();
        self.rows.push(row);
        self.row_of.insert(row.number, at);
        self.values.resize(self.values.len() + self.stride, 0.0);
        at
    }

    fn drop_erased(&mut self, vectors: &Connection) -> Result<(), StoreError> {
        let sql = "SELECT number, position FROM main.dropped WHERE position > ?1";
        let mut statement = vectors.prepare_cached(sql)?;
        let mut rows = statement.query([self.position])?;
        while let Some(row) = rows.next()? {
            let (number, position): (Number, i64) = (row.get(0)?, row.get(1)?);
            // A vector put after the erasure stays.
            if let Some(&at) = self.row_of.get(&number)
                && self.rows[at].position < position
            {
                self.remove(at);
            }
        }
        Ok(())
    }

    fn remove(&mut self, at: usize) {
        let last = self.rows.len() - 1;
        let (start, stride) = (last * self.stride, self.stride);
        self.row_of.remove(&self.rows[at].number);
        if at != last {
            self.values.copy_within(start..start + stride, at * stride);
            self.row_of.insert(self.rows[last].number, at);
        }
        self.rows.swap_remove(at);
        self.values.truncate(start);
    }

    /// The query at length one and filled up to whole lanes; `None` when it or the matrix has nothing to compare.
    fn prepare(&self, query: &[f32], model: &str) -> Result<Option<Vec<f32>>, StoreError> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        if query.len() != self.dimensions {
            return Err(StoreError::Invalid(format!(
                "the query has {} dimensions, and the vectors of model {model:?} have {}",
                query.len(),
                self.dimensions
            )));
        }
        let mut prepared = query.to_vec();
        let usable = normalise(&mut prepared);
        prepared.resize(self.stride, 0.0);
        Ok(usable.then_some(prepared))
    }

    fn each(&self, query: &[f32], mut found: impl FnMut(VectorHit)) {
        for (row, values) in self.rows.iter().zip(self.values.chunks_exact(self.stride)) {
            found(VectorHit { number: row.number, cosine: dot(query, values) });
        }
    }

    fn some(&self, query: &[f32], numbers: &[Number], mut found: impl FnMut(VectorHit)) {
        for &number in numbers {
            if let Some(&at) = self.row_of.get(&number) {
                let values = &self.values[at * self.stride..][..self.stride];
                found(VectorHit { number, cosine: dot(query, values) });
            }
        }
    }
}

/// Brings a vector to length one; false for one that has no direction.
fn normalise(values: &mut [f32]) -> bool {
    let length = values.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt();
    let usable = length.is_finite() && length > 0.0;
    let factor = if usable { 1.0 / length } else { 0.0 };
    for value in values {
        *value = (f64::from(*value) * factor) as f32;
    }
    usable
}

/// The product of two rows of whole lanes. Each lane adds up for itself, which lets the compiler do all at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
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
