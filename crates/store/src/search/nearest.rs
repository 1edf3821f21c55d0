//! Searching the vectors under the filters of recall.

use rusqlite::Connection;

use super::filter::{Condition, Filter};
use super::lookup::{allowed, passing};
use super::matrix::{Matrix, VectorHit};
use crate::error::StoreError;

/// The `k` memories nearest to `query` among those that pass the filter, nearest first. Exact: a selective filter
/// gives `k` hits whenever so many memories pass it and have a vector.
///
/// # Errors
/// [`StoreError::Invalid`] when the query has another number of dimensions than the model; those of the database.
pub fn search(
    reader: &Connection,
    matrix: &Matrix,
    query: &[f32],
    filter: &Filter,
    k: usize,
) -> Result<Vec<VectorHit>, StoreError> {
    let condition = filter.condition();
    if !filter.is_narrow() {
        // Many memories are likely to pass: it is cheaper to ask for some more and check those.
        let asked = k.saturating_mul(4).saturating_add(32);
        let found = matrix.search(query, None, asked)?;
        let hits = keep_passing(reader, &found, &condition, k)?;
        if hits.len() == k || found.len() < asked {
            return Ok(hits);
        }
    }
    matrix.search(query, Some(&allowed(reader, &condition)?), k)
}

fn keep_passing(
    reader: &Connection,
    found: &[VectorHit],
    condition: &Condition,
    k: usize,
) -> Result<Vec<VectorHit>, StoreError> {
    let passing = passing(reader, found.iter().map(|hit| hit.number), condition)?;
    let kept = found.iter().filter(|hit| passing.binary_search(&hit.number).is_ok());
    Ok(kept.take(k).copied().collect())
}
