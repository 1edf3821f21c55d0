//! Values that stand until somebody who saw them replaces them: the one mechanism beneath registers, the metadata
//! and observed-remove sets.
//!
//! Each value lies under a key and has a unique name. Replacing or removing names what was seen, and the names stay as
//! marks, so that a value that arrives after its own replacement does not come back.

use std::borrow::Borrow;
use std::cmp::Ordering;

use super::sorted;

/// A value that nothing replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Standing<K, N, V> {
    pub key: K,
    pub name: N,
    pub value: V,
}

impl<K: Ord, N: Ord, V> Standing<K, N, V> {
    fn order(&self, other: &Self) -> Ordering {
        self.against(&other.key, &other.name)
    }

    fn against(&self, key: &K, name: &N) -> Ordering {
        self.key.cmp(key).then_with(|| self.name.cmp(name))
    }
}

/// Sorted by (key, name) throughout. No pair is in both lists. One name under one key has one value: names are unique.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Observed<K, N, V> {
    standing: Vec<Standing<K, N, V>>,
    removed: Vec<(K, N)>,
}

impl<K, N, V> Default for Observed<K, N, V> {
    fn default() -> Self {
        Self { standing: Vec::new(), removed: Vec::new() }
    }
}

impl<K: Ord + Clone, N: Ord + Clone, V: Clone> Observed<K, N, V> {
    /// From parts that were stored; none when they break the order or hold a pair twice.
    pub fn from_parts(standing: Vec<Standing<K, N, V>>, removed: Vec<(K, N)>) -> Option<Self> {
        let ascends = standing.windows(2).all(|pair| pair[0].order(&pair[1]).is_lt());
        let sorted = ascends && removed.windows(2).all(|pair| pair[0] < pair[1]);
        let disjoint = |one: &Standing<K, N, V>| !is_removed(&removed, &one.key, &one.name);
        (sorted && standing.iter().all(disjoint)).then_some(Self { standing, removed })
    }

    /// Every standing value, by (key, name).
    pub fn standing(&self) -> &[Standing<K, N, V>] {
        &self.standing
    }

    /// The marks, by (key, name).
    pub fn removed(&self) -> &[(K, N)] {
        &self.removed
    }

    /// The standing values of one key, by name.
    pub fn of<Q: Ord + ?Sized>(&self, key: &Q) -> &[Standing<K, N, V>]
    where
        K: Borrow<Q>,
    {
        let start = self.standing.partition_point(|one| one.key.borrow() < key);
        let rest = &self.standing[start..];
        &rest[..rest.partition_point(|one| one.key.borrow() == key)]
    }

    /// The names of what stands under one key, sorted.
    pub fn names<Q: Ord + ?Sized>(&self, key: &Q) -> Vec<N>
    where
        K: Borrow<Q>,
    {
        self.of(key).iter().map(|one| one.name.clone()).collect()
    }

    /// Adds a value, unless its removal came first.
    pub fn add(&mut self, key: K, name: N, value: V) {
        if is_removed(&self.removed, &key, &name) {
            return;
        }
        if let Err(at) = self.standing.binary_search_by(|one| one.against(&key, &name)) {
            self.standing.insert(at, Standing { key, name, value });
        }
    }

    /// Removes a value, whether it has come or not.
    pub fn remove(&mut self, key: K, name: N) {
        if let Ok(at) = self.standing.binary_search_by(|one| one.against(&key, &name)) {
            self.standing.remove(at);
        }
        sorted::insert(&mut self.removed, (key, name));
    }

    /// Joins with another.
    pub fn merge(&mut self, other: &Self) {
        if !other.removed.is_empty() {
            self.standing.retain(|one| !is_removed(&other.removed, &one.key, &one.name));
        }
        if self.removed.is_empty() {
            self.join_standing(&other.standing);
        } else {
            let stands = |one: &&Standing<K, N, V>| !is_removed(&self.removed, &one.key, &one.name);
            let theirs: Vec<_> = other.standing.iter().filter(stands).cloned().collect();
            self.join_standing(&theirs);
        }
        sorted::unite(&mut self.removed, &other.removed);
    }

    fn join_standing(&mut self, theirs: &[Standing<K, N, V>]) {
        sorted::join(&mut self.standing, theirs, Standing::order, |_, _| {});
    }

    /// Drops the marks of names that can't arrive any more.
    pub fn settle(&mut self, seen: impl Fn(&N) -> bool) {
        self.removed.retain(|(_, name)| !seen(name));
    }
}

fn is_removed<K: Ord, N: Ord>(removed: &[(K, N)], key: &K, name: &N) -> bool {
    !removed.is_empty() && removed.binary_search_by(|(k, n)| k.cmp(key).then_with(|| n.cmp(name))).is_ok()
}
