//! A map in which the latest operation on a key wins: scores by author, votes by voter, vectors by what they embed.

use crate::id::Fingerprint;

use super::sorted;

/// What an operation said of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Said<K, V> {
    pub key: K,
    pub lamport: u64,
    pub fingerprint: Fingerprint,
    pub value: V,
}

impl<K, V: Clone> Said<K, V> {
    fn time(&self) -> (u64, &Fingerprint) {
        (self.lamport, &self.fingerprint)
    }

    fn absorb(&mut self, other: &Self) {
        if other.time() > self.time() {
            self.lamport = other.lamport;
            self.fingerprint = other.fingerprint;
            self.value = other.value.clone();
        }
    }
}

/// Sorted by key, each key once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Latest<K, V>(Vec<Said<K, V>>);

impl<K, V> Default for Latest<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord + Clone, V: Clone> Latest<K, V> {
    /// From what was stored; none when it is not sorted.
    pub fn from_parts(said: Vec<Said<K, V>>) -> Option<Self> {
        said.windows(2).all(|pair| pair[0].key < pair[1].key).then_some(Self(said))
    }

    /// All that holds, by key.
    pub fn all(&self) -> &[Said<K, V>] {
        &self.0
    }

    /// Takes in what an operation said.
    pub fn say(&mut self, said: Said<K, V>) {
        match self.0.binary_search_by(|one| one.key.cmp(&said.key)) {
            Ok(at) => self.0[at].absorb(&said),
            Err(at) => self.0.insert(at, said),
        }
    }

    /// Joins with another.
    pub fn merge(&mut self, other: &Self) {
        sorted::join(&mut self.0, &other.0, |a, b| a.key.cmp(&b.key), Said::absorb);
    }
}
