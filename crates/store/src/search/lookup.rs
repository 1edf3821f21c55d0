//! Searching the text index: rare words first, each hit checked against the ground.
//!
//! Scoring a posting by BM25 costs eight times what reading it does, so that a word of every second memory would
//! take longer than all others together and say less. Terms are therefore taken from the rarest up, for as long as
//! their postings fit a budget, and scored by BM25. Only when these find fewer memories than asked for are the
//! commoner terms looked at: newest postings first, up to a limit, scored by the sum of their rarity alone.

use std::collections::{HashMap, HashSet};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::Number;
use super::filter::{Condition, Filter};
use super::frequency::Frequencies;
use super::place::{extent, places};
use super::postings::{Column, postings};
use super::query::Asked;
use crate::error::StoreError;

/// Postings scored by BM25, about half a microsecond each: this keeps a query near a millisecond.
const POSTINGS_BUDGET: u64 = 2_000;

/// A query's rarest term may be this common and still be scored by BM25.
const FIRST_TERM_MAX: u64 = 8_000;

/// Postings read for each commoner term.
const COMMON_POSTINGS_MAX: usize = 4_000;

/// Commoner terms looked at together; the next ones only if these find too little.
const COMMON_TERMS_AT_A_TIME: usize = 6;

/// A store of this size is searched by every term.
const SMALL_STORE_ROWS: u64 = 2_000;

/// A memory that the words of a query found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextHit {
    /// Which memory.
    pub number: Number,
    /// How well the words fit: greater is better, comparable within one search only.
    pub score: f64,
}

/// What the words of a query found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextFound {
    /// Best first, no memory twice, all of them passing the filter.
    pub hits: Vec<TextHit>,
    /// The terms of the query that stand in some memory, rarest first.
    pub terms: Vec<Asked>,
    /// How many of `terms`, from the first, were scored; the others are too common to tell memories apart.
    pub scored: usize,
}

/// How many memories a search is to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// At most so many.
    pub most: usize,
    /// Terms too common to be scored are looked at only when the others find fewer than this.
    pub enough: usize,
}

/// Finds the memories which the terms of a query fit best, among those that pass the filter.
///
/// `reader` is a connection to the ground with the text index attached (see [`super::text::attach`]). With nothing
/// that fits the result is empty. A selective filter gives enough hits whenever so many fit.
///
/// # Errors
/// [`StoreError::Corrupt`] when the index is damaged (then reset it, catch up and search again), or a fault.
pub fn search(
    reader: &Connection,
    frequencies: &Frequencies,
    terms: &[Asked],
    filter: &Filter,
    wanted: Wanted,
) -> Result<TextFound, StoreError> {
    let rows = extent(reader)?.rows;
    let counted = count(reader, frequencies, terms, rows)?;
    let rare = rare_terms(&counted, rows);
    let (scored, common) = counted.split_at(rare);
    let condition = filter.condition();
    let mut hits = by_relevance(reader, scored, &condition, wanted.most)?;
    if hits.len() < wanted.enough && !common.is_empty() {
        let search = CommonSearch { reader, condition: &condition, rows };
        search.extend(&mut hits, common, wanted.enough)?;
    }
    Ok(TextFound { hits, terms: names(&counted), scored: rare })
}

type CountedTerm = (u64, Asked);

fn names(terms: &[CountedTerm]) -> Vec<Asked> {
    terms.iter().map(|(_, term)| term.clone()).collect()
}

/// The terms that occur at all, rarest first.
fn count(
    reader: &Connection,
    frequencies: &Frequencies,
    terms: &[Asked],
    rows: u64,
) -> Result<Vec<CountedTerm>, StoreError> {
    let mut counted = Vec::with_capacity(terms.len());
    for term in terms {
        let mut memories = 0;
        for form in &term.terms {
            memories += frequencies.count(reader, form, rows)?;
        }
        if memories > 0 {
            counted.push((memories, term.clone()));
        }
    }
    counted.sort_by_key(|(memories, _)| *memories);
    Ok(counted)
}

/// How many of the terms, from the rarest, are to be scored by BM25.
fn rare_terms(counted: &[CountedTerm], rows: u64) -> usize {
    if rows <= SMALL_STORE_ROWS {
        return counted.len();
    }
    let mut postings = 0;
    let within = counted.iter().take_while(|(memories, _)| {
        postings += memories;
        postings <= POSTINGS_BUDGET
    });
    match within.count() {
        0 => usize::from(counted.first().is_some_and(|(memories, _)| *memories <= FIRST_TERM_MAX)),
        count => count,
    }
}

fn by_relevance(
    reader: &Connection,
    terms: &[CountedTerm],
    condition: &Condition,
    k: usize,
) -> Result<Vec<TextHit>, StoreError> {
    let extent = extent(reader)?;
    let mut found: Vec<(Number, f64, f64)> = Vec::new();
    for (memories, term) in terms {
        let rarity = (1.0 + (extent.rows as f64 - *memories as f64 + 0.5).max(0.5) / (*memories as f64 + 0.5)).ln();
        let mut counts: HashMap<Number, u32> = HashMap::new();
        for form in &term.terms {
            for posting in postings(reader, form, usize::MAX)? {
                let counts = counts.entry(posting.number).or_default();
                *counts = if posting.column == Column::Parts { (*counts).max(1) } else { *counts + posting.count };
            }
        }
        found.extend(counts.into_iter().map(|(number, count)| (number, rarity, f64::from(count))));
    }
    let places = places(reader, found.iter().map(|(number, ..)| *number))?;
    let mut scores: HashMap<Number, f64> = HashMap::new();
    for (number, rarity, count) in found {
        let length = places.get(&number).map_or(0.0, |place| f64::from(place.length));
        let norm = 1.2 * (0.25 + 0.75 * length / extent.mean_length.max(1.0));
        *scores.entry(number).or_default() += rarity * count * 2.2 / (count + norm);
    }
    let mut ranked: Vec<TextHit> = scores.into_iter().map(|(number, score)| TextHit { number, score }).collect();
    sort(&mut ranked);
    first_passing(reader, &ranked, condition, k)
}

/// Best first; among equals the newest, so that the order never hangs on how the hits were found.
fn sort(hits: &mut [TextHit]) {
    hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(b.number.cmp(&a.number)));
}

/// The first `k` of `ranked` that the ground holds and the condition lets pass, in growing steps: most often the
/// first step is enough, and asking for each hit while it is scored costs as much as scoring.
fn first_passing(
    reader: &Connection,
    ranked: &[TextHit],
    condition: &Condition,
    k: usize,
) -> Result<Vec<TextHit>, StoreError> {
    let mut passed = Vec::new();
    let mut start = 0;
    let mut step = k.saturating_mul(2).clamp(32, 4_096);
    while start < ranked.len() && passed.len() < k {
        let part = &ranked[start..ranked.len().min(start + step)];
        let passing = passing(reader, part.iter().map(|hit| hit.number), condition)?;
        passed.extend(part.iter().filter(|hit| passing.binary_search(&hit.number).is_ok()));
        start += part.len();
        step = (step * 4).min(4_096);
    }
    passed.truncate(k);
    Ok(passed)
}

/// Those of `numbers` that the ground holds and the condition lets pass, in ascending order.
///
/// # Errors
/// Those of the database.
pub fn passing(
    reader: &Connection,
    numbers: impl Iterator<Item = Number>,
    condition: &Condition,
) -> Result<Vec<Number>, StoreError> {
    let listed: Vec<String> = numbers.map(|number| number.to_string()).collect();
    let list = format!("[{}]", listed.join(","));
    let sql = format!(
        "SELECT m.number FROM json_each(?) j CROSS JOIN main.memory m ON m.number = j.value WHERE {}",
        condition.sql
    );
    let values = std::iter::once(Value::Text(list)).chain(condition.values.iter().cloned());
    let mut statement = reader.prepare_cached(&sql)?;
    let mut passing: Vec<Number> =
        statement.query_map(params_from_iter(values), |row| row.get(0))?.collect::<Result<_, _>>()?;
    passing.sort_unstable();
    Ok(passing)
}

/// Every memory that the condition lets pass, in ascending order. Costs a scan unless an index serves the condition.
///
/// # Errors
/// Those of the database.
pub fn allowed(reader: &Connection, condition: &Condition) -> Result<Vec<Number>, StoreError> {
    let sql = format!("SELECT m.number FROM main.memory m WHERE {}", condition.sql);
    let mut statement = reader.prepare_cached(&sql)?;
    let numbers = statement.query_map(params_from_iter(&condition.values), |row| row.get(0))?;
    let mut allowed: Vec<Number> = numbers.collect::<Result<_, _>>()?;
    allowed.sort_unstable();
    Ok(allowed)
}

/// The search by terms that many memories share.
struct CommonSearch<'a> {
    reader: &'a Connection,
    condition: &'a Condition,
    rows: u64,
}

impl CommonSearch<'_> {
    /// Adds to `hits` what the common terms find beyond them, never above them.
    ///
    /// First the newest postings are read and checked, which is enough unless the filter is selective; only then is
    /// it worth to find out all that passes.
    fn extend(&self, hits: &mut Vec<TextHit>, common: &[CountedTerm], k: usize) -> Result<(), StoreError> {
        self.extend_within(hits, common, None, k)?;
        if hits.len() >= k || common.iter().all(|(memories, _)| *memories <= COMMON_POSTINGS_MAX as u64) {
            return Ok(());
        }
        let allowed = allowed(self.reader, self.condition)?;
        self.extend_within(hits, common, Some(&allowed), k)
    }

    fn extend_within(
        &self,
        hits: &mut Vec<TextHit>,
        common: &[CountedTerm],
        allowed: Option<&[Number]>,
        k: usize,
    ) -> Result<(), StoreError> {
        for terms in common.chunks(COMMON_TERMS_AT_A_TIME) {
            if hits.len() < k {
                self.add(hits, &self.candidates(terms, allowed)?, k)?;
            }
        }
        Ok(())
    }

    fn add(&self, hits: &mut Vec<TextHit>, found: &[TextHit], k: usize) -> Result<(), StoreError> {
        let known: HashSet<Number> = hits.iter().map(|hit| hit.number).collect();
        let fresh: Vec<TextHit> = found.iter().filter(|hit| !known.contains(&hit.number)).copied().collect();
        let passed = first_passing(self.reader, &fresh, self.condition, k.saturating_sub(hits.len()))?;
        let ceiling = hits.last().map_or(f64::INFINITY, |hit| hit.score);
        hits.extend(passed.into_iter().map(|hit| TextHit { score: hit.score.min(ceiling), ..hit }));
        Ok(())
    }

    fn candidates(&self, terms: &[CountedTerm], allowed: Option<&[Number]>) -> Result<Vec<TextHit>, StoreError> {
        let mut scores: HashMap<Number, f64> = HashMap::new();
        for (memories, term) in terms {
            let rarity = (1.0 + self.rows as f64 / *memories as f64).ln();
            for number in self.postings(term, allowed)? {
                *scores.entry(number).or_default() += rarity;
            }
        }
        let mut found: Vec<TextHit> = scores.into_iter().map(|(number, score)| TextHit { number, score }).collect();
        sort(&mut found);
        Ok(found)
    }

    /// The newest memories that hold `term`, of those allowed.
    fn postings(&self, term: &Asked, allowed: Option<&[Number]>) -> Result<Vec<Number>, StoreError> {
        let mut numbers = Vec::new();
        for form in &term.terms {
            let most = if allowed.is_some() { usize::MAX } else { COMMON_POSTINGS_MAX };
            numbers.extend(postings(self.reader, form, most)?.into_iter().rev().map(|posting| posting.number));
        }
        numbers.dedup();
        numbers.retain(|number| allowed.is_none_or(|allowed| allowed.binary_search(number).is_ok()));
        numbers.truncate(COMMON_POSTINGS_MAX);
        Ok(numbers)
    }
}
