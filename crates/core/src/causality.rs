//! Causality between operations: which happened before which, and the vector clock of each.
//!
//! No operation carries a vector clock. It follows from sequence numbers and dependencies: log `b` comes to know more
//! of log `a` at some of its places, and between them nothing changes. Keeping those steps alone, the question
//! "did x happen before y?" is one look at the steps of one pair of logs: its time grows with the logarithm of the
//! steps, not with the number of replicas. (Chain decomposition: Jagadish 1990, "A compression technique to
//! materialize transitive closure".)

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

/// A log by the dense number that whoever keeps it gave it.
pub type LogNumber = u32;

/// A place in a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Place {
    /// The log.
    pub log: LogNumber,
    /// The sequence number there.
    pub sequence: u64,
}

/// Where the steps of knowledge are kept: in memory here, in tables in a store.
pub trait Steps {
    /// A fault of whoever keeps them.
    type Error;

    /// The greatest place of `other` that happened before `place`, or is it.
    fn known_at(&self, place: Place, other: LogNumber) -> Result<Option<u64>, Self::Error>;

    /// The vector clock at `place`: for each other log its greatest known place.
    fn vector_at(&self, place: Place) -> Result<BTreeMap<LogNumber, u64>, Self::Error>;
}

/// The steps that a new operation adds: what its log knows more than at its previous operation.
///
/// `dependencies` are the places it names besides its own log's previous operation.
pub fn steps_of<S: Steps>(
    steps: &S,
    place: Place,
    dependencies: &[Place],
) -> Result<BTreeMap<LogNumber, u64>, S::Error> {
    let mut gained: BTreeMap<LogNumber, u64> = BTreeMap::new();
    for dependency in dependencies {
        let past = steps.vector_at(*dependency)?;
        past.into_iter().for_each(|(log, sequence)| learn(&mut gained, log, sequence));
    }
    news_of(steps, place, gained)
}

/// Adds that a log is known up to a place.
pub fn learn(known: &mut BTreeMap<LogNumber, u64>, log: LogNumber, sequence: u64) {
    let greatest = known.entry(log).or_insert(sequence);
    *greatest = (*greatest).max(sequence);
}

/// As [`steps_of`], from all that the dependencies know together.
pub fn news_of<S: Steps>(
    steps: &S,
    place: Place,
    mut gained: BTreeMap<LogNumber, u64>,
) -> Result<BTreeMap<LogNumber, u64>, S::Error> {
    gained.remove(&place.log);
    let Some(previous) = place.sequence.checked_sub(1) else { return Ok(gained) };
    let previous = Place { log: place.log, sequence: previous };
    let mut news = BTreeMap::new();
    for (log, sequence) in gained {
        if steps.known_at(previous, log)?.is_none_or(|known| known < sequence) {
            news.insert(log, sequence);
        }
    }
    Ok(news)
}

/// Whether `before` happened before `after`. An operation does not happen before itself.
pub fn happens_before<S: Steps>(steps: &S, before: Place, after: Place) -> Result<bool, S::Error> {
    if before.log == after.log {
        return Ok(before.sequence < after.sequence);
    }
    Ok(steps.known_at(after, before.log)?.is_some_and(|known| known >= before.sequence))
}

/// Steps of one pair of logs: (place in the one, greatest known place of the other), both ascending.
type PairSteps = Vec<(u64, u64)>;

/// All steps in memory, for simulators and tests.
#[derive(Clone, Default, Debug)]
pub struct Causality {
    // Looked up, never iterated: its order can't reach a result.
    pairs: HashMap<(LogNumber, LogNumber), PairSteps, BuildHasherDefault<DefaultHasher>>,
    known_logs: BTreeMap<LogNumber, Vec<LogNumber>>,
}

impl Causality {
    /// Notes an operation at `place` with these dependencies. Each log's operations come in order.
    pub fn insert(&mut self, place: Place, dependencies: &[Place]) {
        let Ok(gained) = steps_of(self, place, dependencies);
        for (log, sequence) in gained {
            let steps = self.pairs.entry((place.log, log)).or_default();
            if steps.is_empty() {
                self.known_logs.entry(place.log).or_default().push(log);
            }
            steps.push((place.sequence, sequence));
        }
    }
}

impl Steps for Causality {
    type Error = std::convert::Infallible;

    fn known_at(&self, place: Place, other: LogNumber) -> Result<Option<u64>, Self::Error> {
        if other == place.log {
            return Ok(Some(place.sequence));
        }
        let Some(steps) = self.pairs.get(&(place.log, other)) else { return Ok(None) };
        let later = steps.partition_point(|(sequence, _)| *sequence <= place.sequence);
        Ok(later.checked_sub(1).map(|last| steps[last].1))
    }

    fn vector_at(&self, place: Place) -> Result<BTreeMap<LogNumber, u64>, Self::Error> {
        let mut vector = BTreeMap::from([(place.log, place.sequence)]);
        for other in self.known_logs.get(&place.log).into_iter().flatten() {
            if let Some(known) = self.known_at(place, *other)? {
                vector.insert(*other, known);
            }
        }
        Ok(vector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(log: LogNumber, sequence: u64) -> Place {
        Place { log, sequence }
    }

    #[test]
    fn what_a_dependency_knew_is_known() {
        let mut causality = Causality::default();
        causality.insert(place(0, 0), &[]);
        causality.insert(place(1, 0), &[place(0, 0)]);
        causality.insert(place(2, 0), &[]);
        causality.insert(place(2, 1), &[place(1, 0)]);
        assert_eq!(happens_before(&causality, place(0, 0), place(2, 1)), Ok(true));
        assert_eq!(happens_before(&causality, place(0, 0), place(2, 0)), Ok(false));
        assert_eq!(happens_before(&causality, place(2, 1), place(0, 0)), Ok(false));
        assert_eq!(happens_before(&causality, place(2, 1), place(2, 1)), Ok(false));
        assert_eq!(causality.vector_at(place(2, 1)), Ok(BTreeMap::from([(0, 0), (1, 0), (2, 1)])));
    }
}
