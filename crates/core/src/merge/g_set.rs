//! Grow-only set, for direct use.

use std::sync::Arc;

use super::sorted;

/// A set of texts to which can only be added.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GSet {
    elements: Vec<Arc<str>>,
}

impl GSet {
    /// Adds an element; false when it was there.
    pub fn add(&mut self, element: &str) -> bool {
        sorted::insert(&mut self.elements, element.into())
    }

    /// Whether the element is there.
    pub fn contains(&self, element: &str) -> bool {
        self.elements.binary_search_by(|one| (**one).cmp(element)).is_ok()
    }

    /// The elements, sorted.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = &str> {
        self.elements.iter().map(|element| &**element)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Joins with another.
    pub fn merge(&mut self, other: &Self) {
        sorted::unite(&mut self.elements, &other.elements);
    }

    /// The join of both, as a new set.
    pub fn merged(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.merge(other);
        joined
    }
}
