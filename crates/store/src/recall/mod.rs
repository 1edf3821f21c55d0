//! Recall: candidates by words, meaning and time, fused with what stands around them, ranked and loaded, with an
//! outcome that says what was missing.

mod searchers;
mod then;
mod under_way;

use crate::error::StoreError;
use crate::row::MemoryRow;
use crate::search::confidence::Threshold;
use crate::search::filter::Filter;
use crate::search::fuse::Fused;
use crate::search::is_damage;
use crate::search::mode::Mode;
use crate::search::query::Star;
use crate::search::stages::Stages;
use crate::store::Store;
pub(crate) use searchers::Searchers;
use under_way::UnderWay;

/// What to do with times that a question names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dates {
    /// Memories of that time rank higher.
    #[default]
    Lift,
    /// Memories of other times are no hits, if the question names a time firmly.
    Narrow,
    /// They are words like others.
    Ignore,
}

impl std::str::FromStr for Dates {
    type Err = StoreError;

    fn from_str(name: &str) -> Result<Self, StoreError> {
        match name {
            "lift" => Ok(Self::Lift),
            "narrow" => Ok(Self::Narrow),
            "ignore" => Ok(Self::Ignore),
            _ => Err(StoreError::Invalid(format!("dates is {name:?}: choose lift, narrow or ignore"))),
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, Default)]
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
    /// Whether the vector's model is the one that the confidence of scores was fitted to.
    pub is_fitted: bool,
    /// As it was known and valid at this time, in ms since the Unix epoch.
    pub as_of: Option<i64>,
    /// The least score of a hit.
    pub threshold: Threshold,
    /// The present of the question, from which "yesterday" counts, in ms since the Unix epoch.
    pub reference: i64,
    /// What the asker's clock is ahead of UTC, in minutes.
    pub offset: i32,
    /// What to do with times in the question.
    pub dates: Dates,
    /// Whether a star after the last word makes it the beginning of a word.
    pub star: Star,
}

/// One memory that was found, and why.
#[derive(Clone, Debug)]
pub struct Found {
    /// The memory.
    pub row: MemoryRow,
    /// The parts of its score.
    pub fused: Fused,
    /// The words of the question that stand in it, as they were asked for.
    pub words: Vec<String>,
    /// The words of the question that stand only beside it in its thread.
    pub nearby: Vec<String>,
    /// The times of the question that it fits, in words.
    pub times: Vec<String>,
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
    /// How long each step took.
    pub stages: Stages,
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
        let mut stages = Stages::start();
        let searcher = self.searchers.take(self)?;
        self.indexes.catch_up_text(&searcher)?;
        let under_way = UnderWay::start(self, &searcher, query)?;
        stages.end("catch_up");
        let answer = under_way.answer(&mut stages)?;
        self.searchers.give_back(searcher);
        Ok(Answer { batch_unseen: self.writer.in_batch(), stages, ..answer })
    }
}
