//! The vectors of a store, as its callers put them and ask about them.

use chrysalis_core::id::ContentDigest;

use crate::error::StoreError;
use crate::search::Number;
use crate::search::vector::{self, ModelCount, NewVector, Pending};
use crate::store::Store;

/// A memory's number, the digest of the content that was embedded, and the vector of each of its passages.
pub type MadeVectors = (Number, Vec<u8>, Vec<Vec<f32>>);

/// How the vectors of a model are searched: what is not in cells is compared one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct VectorIndex {
    /// Vectors, one for each passage.
    pub vectors: usize,
    /// How many there were when the file of cells was written; 0 without one.
    pub in_cells: usize,
    /// How far the writing of a new file has come, from 0 to 1; none when this process is not writing one.
    pub writing: Option<f64>,
}

impl Store {
    /// Memories whose present content has no vectors of this model, oldest change first, at most `limit`.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn pending_vectors(&self, model: &str, limit: usize) -> Result<Vec<Pending>, StoreError> {
        self.read(|ground| self.indexes.with_vectors(|vectors| vector::pending(ground, vectors, model, limit)))
    }

    /// Puts vectors of a model, and returns of how many memories they were taken: one that has changed since is left
    /// to wait.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for vectors that are not finite, all zero or of different lengths; those of the disk.
    pub fn put_vectors(&self, model: &str, made: Vec<MadeVectors>) -> Result<usize, StoreError> {
        let mut new = Vec::with_capacity(made.len());
        for (number, digest, passages) in made {
            new.push(NewVector { number, digest: ContentDigest::from_slice(&digest)?, passages });
        }
        let taken =
            self.read(|ground| self.indexes.with_vectors(|vectors| vector::put(ground, vectors, model, &new)))?;
        self.indexes.tend(model)?;
        Ok(taken)
    }

    /// How the vectors of a model are searched.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn vector_index(&self, model: &str) -> Result<VectorIndex, StoreError> {
        if !self.folder.vectors().exists() {
            return Ok(VectorIndex::default());
        }
        let (vectors, in_cells) = self.indexes.with_vectors(|vectors| vector::in_cells(vectors, model))?;
        Ok(VectorIndex { vectors, in_cells, writing: self.indexes.tending(model) })
    }

    /// How many memories there are, and how many of them have vectors of this model. Costs two look-ups when every
    /// memory has; else the memories are counted, about a millisecond for 100,000.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn vector_state(&self, model: &str) -> Result<(usize, usize), StoreError> {
        self.read(|ground| self.indexes.with_vectors(|vectors| vector::state(ground, vectors, model)))
    }

    /// The models that have vectors here, in the order in which they came.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn vector_models(&self) -> Result<Vec<ModelCount>, StoreError> {
        if !self.folder.vectors().exists() {
            return Ok(Vec::new());
        }
        self.indexes.with_vectors(|vectors| vector::models(vectors))
    }

    /// Erases all vectors of a model from the store's files; returns of how many memories.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn drop_vectors(&self, model: &str) -> Result<usize, StoreError> {
        self.indexes.with_vectors(|vectors| vector::drop_model(vectors, model))
    }
}
