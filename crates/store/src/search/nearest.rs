//! Searching the vectors under the filters of recall.

use rusqlite::Connection;

use super::best::VectorHit;
use super::filter::{Condition, Filter};
use super::lookup::{allowed, passing};
use super::matrix::Matrix;
use crate::error::StoreError;

/// Neighbours looked at for every hit asked for, and besides, before anything is known of the filter.
const ASKED_PER_HIT: usize = 4;
const ASKED_BESIDES: usize = 32;

/// More neighbours than this are not looked at one by one: then it is cheaper to learn which memories pass.
const ASKED_MAX: usize = 2_000;

/// The `k` memories nearest to `query` among those that pass the filter, nearest first: `k` of them whenever so many
/// pass and have a vector, however few of all they are. See [`Matrix::search`] for which searches are exact.
///
/// What the filter says does not tell how many pass. So the nearest of all are looked at first: from how many of these
/// pass it follows how many more would do, and when that is too many, the search is one among the memories that pass.
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
    if *filter == Filter::default() {
        return matrix.search(query, None, k);
    }
    let condition = filter.condition();
    let mut asked = k.saturating_mul(ASKED_PER_HIT).saturating_add(ASKED_BESIDES);
    while asked <= ASKED_MAX {
        let found = matrix.search(query, None, asked)?;
        let hits = keep_passing(reader, &found, &condition, k)?;
        if hits.len() == k || found.len() < asked {
            return Ok(hits);
        }
        // As many as would hold `k` if those farther off pass as often, and half as many again.
        asked = (asked * k / hits.len().max(1)).saturating_mul(3) / 2;
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
