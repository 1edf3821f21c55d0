//! Grow-only set, for direct use.
//!
//! The texts lie end to end in one string, in the order in which they came, and are found by entries sorted by hash:
//! copying a set is two copies of memory, and merging compares numbers. Sets of one size merge about four times as
//! fast as sorted vectors of shared texts, where counting the sharers costs more than the comparisons.

use std::cmp::Ordering;

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    start: usize,
    end: usize,
}

impl Entry {
    fn text<'a>(&self, texts: &'a str) -> &'a str {
        &texts[self.start..self.end]
    }

    /// By hash, then by text, so that equal hashes of different texts do no harm.
    fn order(&self, texts: &str, other: &Entry, other_texts: &str) -> Ordering {
        self.hash.cmp(&other.hash).then_with(|| self.text(texts).cmp(other.text(other_texts)))
    }
}

/// A set of texts to which can only be added.
#[derive(Clone, Debug, Default)]
pub struct GSet {
    texts: String,
    /// Sorted; what is in `recent` is not here.
    settled: Vec<Entry>,
    /// Sorted and short: an insertion moves few entries, however large the set is.
    recent: Vec<Entry>,
}

impl GSet {
    /// Adds an element; false when it was there.
    pub fn add(&mut self, element: &str) -> bool {
        let hash = hash(element);
        if find(&self.settled, &self.texts, hash, element).is_ok() {
            return false;
        }
        let Err(at) = find(&self.recent, &self.texts, hash, element) else { return false };
        let entry = append(&mut self.texts, hash, element);
        self.recent.insert(at, entry);
        // Balances moving entries here against walking all of them when they are settled.
        if self.recent.len() > 64 + 4 * self.settled.len().isqrt() {
            self.settle();
        }
        true
    }

    /// Whether the element is there.
    pub fn contains(&self, element: &str) -> bool {
        let hash = hash(element);
        [&self.settled, &self.recent].iter().any(|entries| find(entries, &self.texts, hash, element).is_ok())
    }

    /// The elements, sorted.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = &str> {
        let entries = self.settled.iter().chain(&self.recent);
        let mut elements: Vec<_> = entries.map(|entry| entry.text(&self.texts)).collect();
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
        self.settle();
        self.join(&other.settled, &other.texts);
        self.join(&other.recent, &other.texts);
    }

    /// The join of both, as a new set.
    pub fn merged(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.merge(other);
        joined
    }

    fn settle(&mut self) {
        let mut recent = std::mem::take(&mut self.recent).into_iter().peekable();
        if recent.peek().is_none() {
            return;
        }
        let mut joined = Vec::with_capacity(self.settled.len() + recent.len());
        for own in &self.settled {
            while let Some(earlier) = recent.next_if(|one| one.order(&self.texts, own, &self.texts).is_lt()) {
                joined.push(earlier);
            }
            joined.push(*own);
        }
        joined.extend(recent);
        self.settled = joined;
    }

    /// Joins sorted entries over `texts` into the settled ones.
    fn join(&mut self, entries: &[Entry], texts: &str) {
        let mut rest = entries;
        if rest.is_empty() {
            return;
        }
        let mut joined = Vec::with_capacity(self.settled.len() + rest.len());
        for own in &self.settled {
            while let [first, later @ ..] = rest {
                match first.order(texts, own, &self.texts) {
                    Ordering::Less => joined.push(append(&mut self.texts, first.hash, first.text(texts))),
                    Ordering::Equal => {}
                    Ordering::Greater => break,
                }
                rest = later;
            }
            joined.push(*own);
        }
        joined.extend(rest.iter().map(|one| append(&mut self.texts, one.hash, one.text(texts))));
        self.settled = joined;
    }
}

impl PartialEq for GSet {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.elements().eq(other.elements())
    }
}

impl Eq for GSet {}

fn append(texts: &mut String, hash: u64, text: &str) -> Entry {
    let start = texts.len();
    texts.push_str(text);
    Entry { hash, start, end: texts.len() }
}

fn find(entries: &[Entry], texts: &str, hash: u64, text: &str) -> Result<usize, usize> {
    entries.binary_search_by(|entry| entry.hash.cmp(&hash).then_with(|| entry.text(texts).cmp(text)))
}

/// FNV-1a, 64 bits. It only spreads; whoever makes texts of equal hashes makes comparisons slower, nothing else.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
