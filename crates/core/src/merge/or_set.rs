//! Observed-remove set, for direct use.

use std::sync::Arc;

use super::observed::Observed;

/// The unique name of one add.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Dot {
    /// Sixteen random bytes, drawn anew for every copy of a set that is edited.
    pub copy: [u8; 16],
    /// How many adds that copy had made before.
    pub counter: u64,
}

/// A set from which can be removed what was seen there. Of a concurrent add and removal the add wins.
///
/// Removals are kept, so that merging with somebody who has not heard of one does not undo it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OrSet {
    adds: Observed<Arc<str>, Dot, ()>,
}

impl OrSet {
    /// From what [`OrSet::adds`] and [`OrSet::removals`] gave. What is in both is removed.
    pub fn from_parts<'a>(
        adds: impl IntoIterator<Item = (&'a str, Dot)>,
        removals: impl IntoIterator<Item = (&'a str, Dot)>,
    ) -> Self {
        let mut set = Self::default();
        removals.into_iter().for_each(|(element, dot)| set.adds.remove(element.into(), dot));
        adds.into_iter().for_each(|(element, dot)| set.add(element, dot));
        set
    }

    /// The adds that nothing removed, by (element, dot).
    pub fn adds(&self) -> impl Iterator<Item = (&str, Dot)> {
        self.adds.standing().iter().map(|one| (&*one.key, one.name))
    }

    /// The adds that were removed, by (element, dot).
    pub fn removals(&self) -> impl Iterator<Item = (&str, Dot)> {
        self.adds.removed().iter().map(|(element, dot)| (&**element, *dot))
    }

    /// Adds an element. `dot` must never have named another add, of this or any other set it is merged with.
    pub fn add(&mut self, element: &str, dot: Dot) {
        self.adds.add(element.into(), dot, ());
    }

    /// Removes an element, as far as it was seen here; false when it was not there.
    pub fn remove(&mut self, element: &str) -> bool {
        let dots = self.adds.names(element);
        let key: Arc<str> = element.into();
        dots.iter().for_each(|dot| self.adds.remove(key.clone(), *dot));
        !dots.is_empty()
    }

    /// Whether the element is there.
    pub fn contains(&self, element: &str) -> bool {
        !self.adds.of(element).is_empty()
    }

    /// The elements, sorted, each once.
    pub fn elements(&self) -> impl Iterator<Item = &str> {
        self.adds.standing().chunk_by(|a, b| a.key == b.key).map(|adds| &*adds[0].key)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.elements().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.adds.standing().is_empty()
    }

    /// Joins with another.
    pub fn merge(&mut self, other: &Self) {
        self.adds.merge(&other.adds);
    }

    /// The join of both, as a new set.
    pub fn merged(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.merge(other);
        joined
    }
}
