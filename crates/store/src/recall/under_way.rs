//! One recall under way, step by step.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::Connection;

use super::then::Then;
use super::{Answer, Dates, Found, Query};
use crate::error::StoreError;
use crate::search::context::{Circumstances, Context};
use crate::search::filter::Filter;
use crate::search::fuse::{Evidence, Fused, Scale, fuse};
use crate::search::lookup::{self, Wanted, Words};
use crate::search::matrix::Matrix;
use crate::search::mode::Mode;
use crate::search::stages::Stages;
use crate::search::when::{self, Expression};
use crate::search::{Number, Snapshot, dates, feed, nearest, place, query};
use crate::store::Store;

/// Candidates taken from each side for every hit asked for, and at least so many.
const CANDIDATES_PER_HIT: usize = 3;
const CANDIDATES_MIN: usize = 30;

/// Memories of a time that the question names, taken as candidates.
const CANDIDATES_BY_TIME: usize = 30;

/// What a recall works with.
pub(super) struct UnderWay<'a> {
    store: &'a Store,
    searcher: &'a Connection,
    query: &'a Query,
    then: Then,
    times: Vec<Expression>,
    /// The vectors to search and the question's own, when the recall goes by them.
    vectors: Option<(Arc<Matrix>, &'a [f32])>,
    wanted: usize,
}

impl<'a> UnderWay<'a> {
    pub(super) fn start(store: &'a Store, searcher: &'a Connection, query: &'a Query) -> Result<Self, StoreError> {
        let times = match query.dates {
            Dates::Ignore => Vec::new(),
            _ => when::parse(&query.text, query.reference, query.offset),
        };
        let filter = match query.dates {
            Dates::Narrow => narrowed(&query.filter, &times),
            _ => query.filter.clone(),
        };
        let then = match query.as_of {
            Some(at) => Then::at(store, searcher, at, &filter)?,
            None => Then::now(&filter),
        };
        let vectors = match &query.vector {
            Some((model, vector)) if query.mode != Mode::Text => {
                Some((store.indexes.matrix(model)?, vector.as_slice()))
            }
            _ => None,
        };
        let wanted = query.k.saturating_mul(CANDIDATES_PER_HIT).max(CANDIDATES_MIN);
        Ok(Self { store, searcher, query, then, times, vectors, wanted })
    }

    pub(super) fn answer(&self, stages: &mut Stages) -> Result<Answer, StoreError> {
        let snapshot = Snapshot::of(self.searcher)?;
        let (mut words, by_words) = self.by_words()?;
        stages.end("words");
        let by_meaning = self.by_meaning()?;
        stages.end("meaning");
        let circumstances = Circumstances::read(self.store.indexes.mark(), &self.query.text, &words, &self.times);
        let mut context = self.around([by_words, by_meaning, self.by_time()?])?;
        self.add_then(&mut words, &mut context)?;
        if !self.times.is_empty() {
            context.read_told(self.searcher, self.query.offset)?;
        }
        stages.end("context");
        let candidates = self.evidence(&words, &context, &circumstances)?;
        let scale = Scale { weight: words.weight(), rarity: words.rarity(), is_fitted: self.query.is_fitted };
        let fused = fuse(self.query.mode, &candidates, scale);
        stages.end("fusion");
        // What is shown is read anew: a memory that was forgotten while we searched is no hit.
        drop(snapshot);
        let hits = self.load(&fused, &words, &context, &circumstances)?;
        let without_vector = self.without_vector()?;
        stages.end("load");
        Ok(Answer { hits, without_vector, changed_since: self.then.rows.len(), ..Answer::default() })
    }

    fn by_words(&self) -> Result<(Words, Vec<Number>), StoreError> {
        if self.query.mode == Mode::Vector {
            return Ok(Default::default());
        }
        let asked = query::parse(&self.query.text, place::languages(self.searcher)?, self.query.star).telling();
        let wanted = Wanted { most: self.wanted, enough: self.query.k };
        lookup::search(self.searcher, &self.store.indexes.frequencies, &asked, &self.then.filter, wanted)
    }

    fn by_meaning(&self) -> Result<Vec<Number>, StoreError> {
        let Some((vectors, vector)) = &self.vectors else { return Ok(Vec::new()) };
        let near = nearest::search(self.searcher, vectors, vector, &self.then.filter, self.wanted)?;
        Ok(near.into_iter().map(|hit| hit.number).collect())
    }

    /// The newest memories of the times that the question names: they may hold none of its words.
    fn by_time(&self) -> Result<Vec<Number>, StoreError> {
        let condition = self.then.filter.condition();
        let mut found = Vec::new();
        if self.query.mode != Mode::Vector {
            for time in &self.times {
                found.extend(lookup::passing(self.searcher, self.of_time(time)?.into_iter(), &condition)?);
            }
        }
        Ok(found)
    }

    fn of_time(&self, time: &Expression) -> Result<Vec<Number>, StoreError> {
        if time.recurs() {
            return dates::newest(self.searcher, &time.date_words(), CANDIDATES_BY_TIME);
        }
        let mut found = Vec::new();
        for interval in time.intervals() {
            found.extend(place::between(self.searcher, interval.start, interval.end, CANDIDATES_BY_TIME)?);
        }
        Ok(found)
    }

    /// Brings together what each search has found, and looks around the best of each.
    fn around(&self, found: [Vec<Number>; 3]) -> Result<Context, StoreError> {
        let leading = found.iter().flat_map(|of_one| of_one.iter().take(self.query.k)).copied().collect();
        let mut seen = HashSet::new();
        let found = found.into_iter().flatten().filter(|number| seen.insert(*number)).collect();
        match self.query.mode {
            Mode::Vector => Context::alone(self.searcher, found),
            _ => Context::read(self.searcher, found, &leading, &self.then.filter.condition()),
        }
    }

    /// Takes memories that were written since as they were then.
    fn add_then(&self, words: &mut Words, context: &mut Context) -> Result<(), StoreError> {
        let mut standings = Vec::new();
        for (&number, row) in &self.then.rows {
            let (text, place) = feed::of_row(self.store.indexes.mark(), row)?;
            let standing = words.standing_in(number, &text);
            if !standing.is_empty() {
                context.put(number, place);
            }
            standings.extend(standing);
        }
        words.replace(&self.then.rows.keys().copied().collect(), standings);
        Ok(())
    }

    fn evidence(
        &self,
        words: &Words,
        context: &Context,
        circumstances: &Circumstances,
    ) -> Result<Vec<Evidence>, StoreError> {
        let cosines = self.cosines(&context.candidates)?;
        let of_one = |number: &Number| Evidence {
            cosine: cosines.get(number).copied(),
            ..context.evidence(*number, words, circumstances)
        };
        Ok(context.candidates.iter().map(of_one).collect())
    }

    /// The cosines of candidates; of those that were written since, a vector tells what they say now.
    fn cosines(&self, candidates: &[Number]) -> Result<HashMap<Number, f64>, StoreError> {
        let Some((vectors, vector)) = &self.vectors else { return Ok(HashMap::new()) };
        let unchanged = candidates.iter().copied().filter(|number| !self.then.rows.contains_key(number));
        let hits = vectors.cosines(vector, &unchanged.collect::<Vec<_>>())?;
        Ok(hits.into_iter().map(|hit| (hit.number, f64::from(hit.cosine))).collect())
    }

    /// Loads the best that reach the threshold.
    fn load(
        &self,
        fused: &[Fused],
        words: &Words,
        context: &Context,
        circumstances: &Circumstances,
    ) -> Result<Vec<Found>, StoreError> {
        let least = self.query.threshold.least();
        let passes = |fused: &&Fused| fused.score > 0.0 && fused.score.min(fused.likely) >= least;
        let mut hits = Vec::new();
        for fused in fused.iter().filter(passes) {
            if hits.len() == self.query.k {
                break;
            }
            if let Some(row) = self.then.row(self.searcher, fused.number)? {
                let (words, nearby) = context.words_at(fused.number, words);
                let times = context.fitting(fused.number, circumstances).map(Expression::describe).collect();
                hits.push(Found { row, fused: *fused, words, nearby, times });
            }
        }
        Ok(hits)
    }

    fn without_vector(&self) -> Result<usize, StoreError> {
        let Some((vectors, _)) = &self.vectors else { return Ok(0) };
        let (memories, embedded) = self.store.vector_state(vectors.model())?;
        Ok(memories.saturating_sub(embedded))
    }
}

/// The filter with the time that the question names firmly.
fn narrowed(filter: &Filter, times: &[Expression]) -> Filter {
    match when::narrow(times) {
        Some(named) => Filter { happened: Some(named), ..filter.clone() },
        None => filter.clone(),
    }
}
