//! Grow-only set, for direct use.
//!
//! The texts lie end to end in one string, in the order in which they came, and an index of hashes finds them: copying
//! a set is a few copies of memory, and merging compares numbers. Sorted vectors of shared texts were measured at
//! more than twice the time: counting the sharers of every text costs more than finding it.

use super::hash_index::{HashIndex, Span};

/// A set of texts to which can only be added.
#[derive(Clone, Debug, Default)]
pub struct GSet {
    texts: String,
    /// What is in `recent` is not here.
    settled: HashIndex,
    /// Short: an insertion moves few entries, however large the set is.
    recent: HashIndex,
}

impl GSet {
    /// Adds an element; false when it was there.
    pub fn add(&mut self, element: &str) -> bool {
        self.add_hashed(hash(element), element)
    }

    fn add_hashed(&mut self, hash: u64, element: &str) -> bool {
        if self.settled.find(&self.texts, hash, element).is_ok() {
            return false;
        }
        let Err(at) = self.recent.find(&self.texts, hash, element) else { return false };
        let span = Span::append(&mut self.texts, element);
        self.recent.insert(at, hash, span);
        // Balances moving entries here against walking all of them when they are settled.
        if self.recent.len() > (self.settled.len() / 64).clamp(8, 4096) {
            self.settle();
        }
        true
    }

    /// Whether the element is there.
    pub fn contains(&self, element: &str) -> bool {
        let hash = hash(element);
        [&self.settled, &self.recent].iter().any(|index| index.find(&self.texts, hash, element).is_ok())
    }

    /// The elements, sorted.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = &str> {
        let entries = self.settled.entries().chain(self.recent.entries());
        let mut elements: Vec<_> = entries.map(|(_, span)| span.of(&self.texts)).collect();
        elements.sort_unstable();
        elements.into_iter()
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.settled.len() + self.recent.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Joins with another.
    pub fn merge(&mut self, other: &Self) {
        *self = self.merged(other);
    }

    /// The join of both, as a new set.
    pub fn merged(&self, other: &Self) -> Self {
        let mut texts = String::with_capacity(self.texts.len() + other.texts.len());
        texts.push_str(&self.texts);
        let settled = self.settled.joined(&mut texts, &other.settled, &other.texts);
        let mut joined = Self { texts, settled, recent: HashIndex::default() };
        for (hash, span) in self.recent.entries() {
            joined.add_hashed(hash, span.of(&self.texts));
        }
        for (hash, span) in other.recent.entries() {
            joined.add_hashed(hash, span.of(&other.texts));
        }
        joined
    }

    fn settle(&mut self) {
        self.settled.take_in(&self.texts, &self.recent);
        self.recent = HashIndex::default();
    }
}

impl PartialEq for GSet {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.elements().eq(other.elements())
    }
}

impl Eq for GSet {}

/// FNV-1a, 64 bits. It only spreads; whoever makes texts of equal hashes makes searching slower, nothing else.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
