//! Recall: text candidates and vector candidates, fused, ranked and loaded, with an outcome that says what was missing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::as_of;
use crate::connection::open_reader;
use crate::error::StoreError;
use crate::row::{self, MemoryRow};
use crate::schema::FORMAT;
use crate::search::filter::Filter;
use crate::search::fuse::{Fused, Mode, fuse};
use crate::search::lookup::{self, TextFound, Wanted};
use crate::search::place;
use crate::search::query::{self, Asked, Star};
use crate::search::{is_damage, nearest, vector};
use crate::store::Store;

/// Idle connections for searching, each with the text index attached.
const IDLE_SEARCHERS: usize = 8;

/// Candidates taken from each side for every hit asked for, and at least so many.
const CANDIDATES_PER_HIT: usize = 3;
const CANDIDATES_MIN: usize = 50;

/// A memory that no word of the query fits is a hit if its cosine is greater than this. A guess, and a low one: vectors
/// at right angles have nothing to do with each other, and models differ in where likeness begins.
const COSINE_FLOOR: f32 = 0.1;

/// Connections with the text index attached.
#[derive(Default)]
pub(crate) struct Searchers(Mutex<Vec<Connection>>);

/// What is asked.
#[derive(Clone, Debug)]
pub struct Query {
    /// The words.
    pub text: String,
    /// How many hits at most.
    pub k: usize,
    /// Which memories may be hits.
    pub filter: Filter,
    /// What to go by.
    pub mode: Mode,
    /// The model and the query's vector, when there is one.
    pub vector: Option<(String, Vec<f32>)>,
    /// As it was known and valid at this time, in ms since the Unix epoch.
    pub as_of: Option<i64>,
}

/// One memory that was found, and why.
#[derive(Clone, Debug)]
pub struct Found {
    /// The memory.
    pub row: MemoryRow,
    /// The parts of its score.
    pub fused: Fused,
    /// The words of the query that stand in it.
    pub words: Vec<String>,
}

/// What a recall gave.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Best first.
    pub hits: Vec<Found>,
    /// Memories whose vector is still missing, when vectors were asked for.
    pub without_vector: usize,
    /// Memories that were written since the time that was asked about; these are found by words alone.
    pub changed_since: usize,
    /// Whether the words of an open batch could not be searched.
    pub batch_unseen: bool,
}

impl Store {
    /// Finds memories. Sees every write that was acknowledged before, by any process; inside a batch, not the batch's
    /// own. Gives nothing when nothing fits.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a vector of the wrong length; those of the disk. A damaged index is made again.
    pub fn recall(&self, query: &Query) -> Result<Answer, StoreError> {
        match self.recall_once(query) {
            Err(error) if is_damage(&error) => {
                self.searchers.clear();
                self.indexes.reset()?;
                self.recall_once(query)
            }
            other => other,
        }
    }

    fn recall_once(&self, query: &Query) -> Result<Answer, StoreError> {
        let searcher = self.searchers.take(self)?;
        self.indexes.catch_up_text(&searcher)?;
        let answer = self.recall_with(&searcher, query)?;
        self.searchers.give_back(searcher);
        Ok(Answer { batch_unseen: self.writer.in_batch(), ..answer })
    }

    fn recall_with(&self, searcher: &Connection, query: &Query) -> Result<Answer, StoreError> {
        let wanted = query.k.saturating_mul(CANDIDATES_PER_HIT).max(CANDIDATES_MIN);
        let languages = place::languages(searcher)?;
        let terms = query::parse(&query.text, languages, Star::Ignored).telling();
        let then = match query.as_of {
            Some(at) => self.then(searcher, at, &query.filter)?,
            None => Then { filter: query.filter.clone(), ..Then::default() },
        };
        let text = match query.mode {
            Mode::Vector => TextFound::default(),
            _ => {
                let wanted = Wanted { most: wanted, enough: query.k };
                lookup::search(searcher, &self.indexes.frequencies, &terms, &then.filter, wanted)?
            }
        };
        let scored = text.hits.iter().map(|hit| (hit.number, hit.score)).collect();
        let scored = then.join(searcher, scored, &terms, query.mode)?;
        let mut answer = Answer { changed_since: then.rows.len(), ..Answer::default() };
        let mut cosines = Vec::new();
        if let (Some((model, vector)), Mode::Hybrid | Mode::Vector) = (&query.vector, query.mode) {
            let matrix = self.indexes.matrix(model)?;
            let mut near = nearest::search(searcher, &matrix, vector, &then.filter, wanted)?;
            near.retain(|hit| hit.cosine > COSINE_FLOOR);
            let numbers: Vec<i64> = scored.iter().map(|(number, _)| *number).collect();
            let by_number = near.into_iter().chain(matrix.cosines(vector, &numbers)?);
            let by_number: BTreeMap<i64, f64> = by_number.map(|hit| (hit.number, f64::from(hit.cosine))).collect();
            cosines = by_number.into_iter().collect();
            answer.without_vector = self.count_without_vector(searcher, model)?;
        }
        let words: Vec<&str> = terms.iter().map(|asked| &*asked.surface).collect();
        for fused in fuse(query.mode, &scored, &cosines, query.k) {
            // A memory that was forgotten while we searched is no hit.
            if let Some(row) = then.row(searcher, fused.number)? {
                let words = words_in(&row, &words);
                answer.hits.push(Found { row, fused, words });
            }
        }
        Ok(answer)
    }

    /// What differs from now at an earlier time.
    fn then(&self, searcher: &Connection, at: i64, filter: &Filter) -> Result<Then, StoreError> {
        let until = Some(filter.until.map_or(at + 1, |until| until.min(at + 1)));
        let filter = Filter { until, valid_at: Some(at), ..filter.clone() };
        let rows = as_of::rows_changed_since(&self.views(searcher), at, &filter)?;
        let rows = rows.into_iter().map(|row| (row.number, row)).collect();
        Ok(Then { filter: Filter { updated_until: Some(at), ..filter }, rows })
    }

    fn count_without_vector(&self, ground: &Connection, model: &str) -> Result<usize, StoreError> {
        const COUNTED_MAX: usize = 1_000;
        self.indexes.with_vectors(|vectors| Ok(vector::pending(ground, vectors, model, COUNTED_MAX)?.len()))
    }
}

/// Memories that were written since the time that is asked about, as they were then.
#[derive(Default)]
struct Then {
    filter: Filter,
    rows: BTreeMap<i64, MemoryRow>,
}

impl Then {
    /// Hits of the text index and memories as they were then, scored together: scores of two indexes don't compare.
    fn join(
        &self,
        searcher: &Connection,
        scored: Vec<(i64, f64)>,
        terms: &[Asked],
        mode: Mode,
    ) -> Result<Vec<(i64, f64)>, StoreError> {
        if self.rows.is_empty() || mode == Mode::Vector {
            return Ok(scored);
        }
        let mut rows: Vec<MemoryRow> = self.rows.values().cloned().collect();
        for (number, _) in scored {
            rows.extend(row::by_number(searcher, number)?);
        }
        as_of::score_words(&rows, terms)
    }

    fn row(&self, searcher: &Connection, number: i64) -> Result<Option<MemoryRow>, StoreError> {
        match self.rows.get(&number) {
            Some(row) => Ok(Some(row.clone())),
            None => row::by_number(searcher, number),
        }
    }
}

/// The words that can be seen to stand in the memory; the index also finds other forms of a word.
fn words_in(row: &MemoryRow, words: &[&str]) -> Vec<String> {
    let content = row.content.to_lowercase();
    words.iter().filter(|word| content.contains(**word)).map(|word| (*word).to_owned()).collect()
}

impl Searchers {
    fn take(&self, store: &Store) -> Result<Connection, StoreError> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => {
                let connection = open_reader(&store.folder.database(), FORMAT, &store.options.connection)?;
                store.indexes.attach(&connection)?;
                Ok(connection)
            }
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_SEARCHERS {
            idle.push(connection);
        }
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
