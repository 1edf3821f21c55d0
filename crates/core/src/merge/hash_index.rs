//! Texts of one string, found by hash: two sorted vectors side by side, so that merging compares hashes alone.

use std::cmp::Ordering;
use std::ops::Range;

/// Where a text lies.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// Copies a text to the end of `texts`: where it lies then.
    pub fn append(texts: &mut String, text: &str) -> Self {
        let start = texts.len();
        texts.push_str(text);
        Self { start, end: texts.len() }
    }

    /// The text.
    pub fn of(self, texts: &str) -> &str {
        &texts[self.start..self.end]
    }

    /// The same without looking for whole characters: bytes have the order of their texts.
    fn bytes(self, texts: &str) -> &[u8] {
        &texts.as_bytes()[self.start..self.end]
    }

    fn moved(self, by: usize) -> Self {
        Self { start: self.start + by, end: self.end + by }
    }
}

/// Sorted by (hash, text), each text once. Equal hashes of different texts do no harm.
#[derive(Clone, Debug, Default)]
pub(super) struct HashIndex {
    hashes: Vec<u64>,
    spans: Vec<Span>,
}

impl HashIndex {
    /// How many texts it finds.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Every hash and where its text lies.
    pub fn entries(&self) -> impl Iterator<Item = (u64, Span)> {
        self.hashes.iter().copied().zip(self.spans.iter().copied())
    }

    /// Where a text stands, or where it belongs.
    pub fn find(&self, texts: &str, hash: u64, text: &str) -> Result<usize, usize> {
        let mut at = self.hashes.partition_point(|one| *one < hash);
        while self.hashes.get(at) == Some(&hash) {
            match self.spans[at].bytes(texts).cmp(text.as_bytes()) {
                Ordering::Less => at += 1,
                Ordering::Equal => return Ok(at),
                Ordering::Greater => break,
            }
        }
        Err(at)
    }

    /// Puts an entry where [`HashIndex::find`] said that it belongs.
    pub fn insert(&mut self, at: usize, hash: u64, span: Span) {
        self.hashes.insert(at, hash);
        self.spans.insert(at, span);
    }

    /// Takes in a few entries over the same string, of which none is here.
    pub fn take_in(&mut self, texts: &str, few: &HashIndex) {
        let mut joined = Self::default();
        let mut copied = 0;
        joined.reserve(self.len() + few.len());
        for (hash, span) in few.entries() {
            let (Ok(at) | Err(at)) = self.find(texts, hash, span.of(texts));
            joined.extend(self, copied..at);
            joined.insert(joined.len(), hash, span);
            copied = at;
        }
        joined.extend(self, copied..self.len());
        *self = joined;
    }

    /// All of both: entries over `texts`, and `other` over a string of its own. The texts of what is new are copied to
    /// the end of `texts`.
    pub fn joined(&self, texts: &mut String, other: &HashIndex, other_texts: &str) -> Self {
        let base = texts.len();
        let mut joined = self.interleaved(texts, other, other_texts);
        // Copying everything at once is fastest, and wastes nothing when nothing is shared.
        if joined.len() == self.len() + other.len() {
            texts.push_str(other_texts);
            return joined;
        }
        for span in joined.spans.iter_mut().filter(|span| span.start >= base) {
            let text = Span { start: span.start - base, end: span.end - base }.of(other_texts);
            *span = Span::append(texts, text);
        }
        joined
    }

    /// All entries of both, the others' as if their string stood after ours.
    ///
    /// The next entry is chosen by arithmetic, not by a branch: the order of hashes can't be predicted, and guessing
    /// wrong costs more than all the rest. Equality is a branch, since the processor need not wait for the texts then.
    fn interleaved(&self, texts: &str, other: &HashIndex, other_texts: &str) -> Self {
        let base = texts.len();
        let (ours, theirs) = (self.hashes.as_slice(), other.hashes.as_slice());
        let mut joined = Self::blank(ours.len() + theirs.len());
        let (mut at, mut from) = (0, 0);
        let mut shared = 0;
        for (hash, span) in joined.hashes.iter_mut().zip(&mut joined.spans) {
            let (Some(own), Some(their)) = (ours.get(at), theirs.get(from)) else { break };
            let (own_span, their_span) = (self.spans[at], other.spans[from]);
            let mut take_own = own < their;
            if own == their {
                let order = own_span.bytes(texts).cmp(their_span.bytes(other_texts));
                if order.is_eq() {
                    (*hash, *span) = (*own, own_span);
                    (at, from, shared) = (at + 1, from + 1, shared + 1);
                    continue;
                }
                take_own = order.is_lt();
            }
            *hash = *own.min(their);
            *span = if take_own { own_span } else { their_span.moved(base) };
            at += usize::from(take_own);
            from += usize::from(!take_own);
        }
        joined.truncate(at + from - shared);
        joined.extend(self, at..ours.len());
        joined.hashes.extend_from_slice(&theirs[from..]);
        joined.spans.extend(other.spans[from..].iter().map(|span| span.moved(base)));
        joined
    }

    fn truncate(&mut self, count: usize) {
        self.hashes.truncate(count);
        self.spans.truncate(count);
    }

    fn blank(count: usize) -> Self {
        Self { hashes: vec![0; count], spans: vec![Span::default(); count] }
    }

    fn reserve(&mut self, count: usize) {
        self.hashes.reserve_exact(count);
        self.spans.reserve_exact(count);
    }

    fn extend(&mut self, other: &HashIndex, range: Range<usize>) {
        self.hashes.extend_from_slice(&other.hashes[range.clone()]);
        self.spans.extend_from_slice(&other.spans[range]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{HashIndex, Span};

    /// Texts by a hash that is bad on purpose, as the index should order them.
    fn texts() -> impl Strategy<Value = BTreeMap<(u64, String), ()>> {
        prop::collection::btree_map((0..3u64, "[ab]{0,3}"), Just(()), 0..20)
    }

    fn index(entries: &BTreeMap<(u64, String), ()>) -> (HashIndex, String) {
        let (mut index, mut texts) = (HashIndex::default(), String::new());
        for (hash, text) in entries.keys().rev() {
            let (Ok(at) | Err(at)) = index.find(&texts, *hash, text);
            let span = Span::append(&mut texts, text);
            index.insert(at, *hash, span);
        }
        (index, texts)
    }

    proptest! {
        #[test]
        fn texts_of_equal_hashes_stay_apart(a in texts(), b in texts()) {
            let ((ours, mut our_texts), (theirs, their_texts)) = (index(&a), index(&b));
            let joined = ours.joined(&mut our_texts, &theirs, &their_texts);
            let found = joined.entries().map(|(hash, span)| ((hash, span.of(&our_texts).to_owned()), ()));
            let expected: BTreeMap<_, _> = a.into_iter().chain(b).collect();
            prop_assert!(found.eq(expected.clone()));
            let there = |(hash, text): &(u64, String)| joined.find(&our_texts, *hash, text).is_ok();
            prop_assert!(expected.keys().all(there));
        }
    }
}
