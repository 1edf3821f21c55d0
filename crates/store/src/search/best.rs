//! The best hits of a search, kept while it runs.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::Number;

/// A memory and the cosine between it and the query, from -1 to 1. A memory is as near as its nearest passage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorHit {
    /// Which memory.
    pub number: Number,
    /// How near its nearest passage is: greater is nearer.
    pub cosine: f32,
    /// Which passage that is, counted from 0; see [`super::passages::passages`].
    pub passage: usize,
}

impl VectorHit {
    /// The nearer first; among equals the newer memory, then the earlier passage.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let nearer = other.cosine.total_cmp(&self.cosine);
        nearer.then(other.number.cmp(&self.number)).then(self.passage.cmp(&other.passage))
    }
}

/// The best `k` memories offered so far, however many of their passages are offered.
pub(super) struct Best {
    k: usize,
    hits: Vec<VectorHit>,
    /// The last of the best `k` at some time: nothing behind it can be among them.
    last: Option<VectorHit>,
}

impl Best {
    pub(super) fn new(k: usize) -> Self {
        Self { k, hits: Vec::new(), last: None }
    }

    /// Tells whether a hit would be taken.
    pub(super) fn takes(&self, hit: &VectorHit) -> bool {
        self.last.is_none_or(|last| hit.order(&last) == Ordering::Less)
    }

    pub(super) fn offer(&mut self, hit: VectorHit) {
        if self.takes(&hit) {
            self.hits.push(hit);
            if self.hits.len() >= self.k.saturating_mul(2).saturating_add(64) {
                self.settle();
            }
        }
    }

    /// Keeps of each memory the nearest passage, and the best `k` of them.
    fn settle(&mut self) {
        self.hits.sort_unstable_by(VectorHit::order);
        let mut known = HashSet::new();
        self.hits.retain(|hit| known.len() < self.k && known.insert(hit.number));
        if self.hits.len() == self.k {
            self.last = self.hits.last().copied();
        }
    }

    /// Tells whether `k` memories have been offered.
    pub(super) fn is_full(&mut self) -> bool {
        self.settle();
        self.hits.len() == self.k
    }

    pub(super) fn sorted(mut self) -> Vec<VectorHit> {
        self.settle();
        self.hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(number: Number, cosine: f32, passage: usize) -> VectorHit {
        VectorHit { number, cosine, passage }
    }

    #[test]
    fn passages_of_one_memory_do_not_crowd_out_others() {
        let mut best = Best::new(3);
        (0..1_000).for_each(|passage| best.offer(hit(7, 0.9 + passage as f32 * 1e-5, passage)));
        best.offer(hit(1, 0.1, 0));
        best.offer(hit(2, 0.2, 0));
        best.offer(hit(3, 0.0, 0));
        let numbers: Vec<_> = best.sorted().iter().map(|hit| (hit.number, hit.passage)).collect();
        assert_eq!(numbers, [(7, 999), (2, 0), (1, 0)]);
    }

    #[test]
    fn many_offers_give_the_same_as_sorting_them_all() {
        let mut all: Vec<VectorHit> = (0..5_000).map(|at| hit(at % 977, ((at * 7_919) % 1_009) as f32, 0)).collect();
        let mut best = Best::new(20);
        all.iter().for_each(|hit| best.offer(*hit));
        all.sort_by(VectorHit::order);
        let mut known = HashSet::new();
        all.retain(|hit| known.insert(hit.number));
        assert_eq!(best.sorted(), all[..20]);
    }

    #[test]
    fn nothing_is_asked_for_and_nothing_given() {
        let mut best = Best::new(0);
        (0..200).for_each(|number| best.offer(hit(number, 1.0, 0)));
        assert_eq!(best.sorted(), []);
    }
}
