//! Vector clock, for direct use.

use super::g_counter::GCounter;

/// How two points in time lie to each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum CausalOrder {
    /// The first happened before the second.
    Before,
    /// The second happened before the first.
    After,
    /// They are one.
    Equal,
    /// Neither knew of the other.
    Concurrent,
}

/// A count of events by replica name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VectorClock {
    counts: GCounter,
}

impl VectorClock {
    /// Counts an event of one replica and returns its new count.
    pub fn increment(&mut self, replica: &str) -> u64 {
        self.counts.increment(replica, 1);
        self.counts.get(replica)
    }

    /// Takes in that a replica has counted so many events at least.
    pub fn raise(&mut self, replica: &str, count: u64) {
        self.counts.increment(replica, count.saturating_sub(self.counts.get(replica)));
    }

    /// Events of one replica.
    pub fn get(&self, replica: &str) -> u64 {
        self.counts.get(replica)
    }

    /// The counts, by name.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.counts.counts()
    }

    /// Joins with another: the least clock that is after both.
    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
    }

    /// The join of both, as a new clock.
    pub fn merged(&self, other: &Self) -> Self {
        Self { counts: self.counts.merged(&other.counts) }
    }

    /// How this point in time lies to the other.
    pub fn compare(&self, other: &Self) -> CausalOrder {
        match (self.is_within(other), other.is_within(self)) {
            (true, true) => CausalOrder::Equal,
            (true, false) => CausalOrder::Before,
            (false, true) => CausalOrder::After,
            (false, false) => CausalOrder::Concurrent,
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        self.counts().all(|(replica, count)| count <= other.get(replica))
    }
}
