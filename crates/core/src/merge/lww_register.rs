//! Last-writer-wins register, for direct use.

use std::sync::Arc;

/// Its order is the register's: time, then writer, then the value's bytes, so that any two have a winner.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Assignment {
    timestamp: u64,
    writer: Arc<str>,
    value: Arc<str>,
}

/// Holds one value, JSON text; of two assignments the one with the greater timestamp, then writer, then value wins.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LwwRegister {
    assignment: Option<Assignment>,
}

impl LwwRegister {
    /// Assigns, unless what is there is later; says whether it took effect.
    pub fn set(&mut self, value: &str, timestamp: u64, writer: &str) -> bool {
        let assignment = Some(Assignment { timestamp, writer: writer.into(), value: value.into() });
        let later = assignment > self.assignment;
        if later {
            self.assignment = assignment;
        }
        later
    }

    /// JSON text; none before the first assignment.
    pub fn value(&self) -> Option<&str> {
        self.assignment.as_ref().map(|held| &*held.value)
    }

    /// When it was assigned, in the unit its writers chose.
    pub fn timestamp(&self) -> Option<u64> {
        self.assignment.as_ref().map(|held| held.timestamp)
    }

    /// Who assigned it.
    pub fn writer(&self) -> Option<&str> {
        self.assignment.as_ref().map(|held| &*held.writer)
    }

    /// Joins with another.
    pub fn merge(&mut self, other: &Self) {
        if other.assignment > self.assignment {
            self.assignment.clone_from(&other.assignment);
        }
    }

    /// The join of both, as a new register.
    pub fn merged(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.merge(other);
        joined
    }
}
