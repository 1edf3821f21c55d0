//! Grow-only counter, for direct use.

use std::sync::Arc;

use super::sorted;

/// Counts by replica name; merging takes the greatest count of each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GCounter {
    counts: Vec<(Arc<str>, u64)>,
}

impl GCounter {
    /// From counts that were stored; none when they are not in the one form of their state.
    pub(super) fn from_counts(counts: Vec<(Arc<str>, u64)>) -> Option<Self> {
        let sorted = counts.windows(2).all(|pair| pair[0].0 < pair[1].0);
        (sorted && counts.iter().all(|(_, count)| *count > 0)).then_some(Self { counts })
    }

    /// Adds to one replica's count; it stops at `u64::MAX`. Only that replica may count under its name.
    pub fn increment(&mut self, replica: &str, by: u64) {
        // A count of zero is the same as none, and the same state must have one form.
        if by == 0 {
            return;
        }
        match self.counts.binary_search_by(|(name, _)| (**name).cmp(replica)) {
            Ok(at) => self.counts[at].1 = self.counts[at].1.saturating_add(by),
            Err(at) => self.counts.insert(at, (replica.into(), by)),
        }
    }

    /// One replica's count.
    pub fn get(&self, replica: &str) -> u64 {
        self.counts.binary_search_by(|(name, _)| (**name).cmp(replica)).map_or(0, |at| self.counts[at].1)
    }

    /// All counts together; it stops at `u64::MAX`.
    pub fn value(&self) -> u64 {
        self.counts.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The counts, by name.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.counts.iter().map(|(name, count)| (&**name, *count))
    }

    /// Joins with another.
    pub fn merge(&mut self, other: &Self) {
        sorted::join(&mut self.counts, &other.counts, |a, b| a.0.cmp(&b.0), |own, their| own.1 = own.1.max(their.1));
    }

    /// The join of both, as a new counter.
    pub fn merged(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.merge(other);
        joined
    }
}
