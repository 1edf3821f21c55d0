//! Why a simulation could not go on: the world outside it, or a mistake that it has found.

use std::fmt;

use chrysalis_store::StoreError;

/// A reason in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(format!("a file of the simulation: {error}"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(format!("a store: {error:?}"))
    }
}

impl From<chrysalis_core::Refusal> for Failure {
    fn from(refusal: chrysalis_core::Refusal) -> Self {
        Self(format!("refused: {refusal:?}"))
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self(format!("a replica: {fault:?}"))
    }
}

/// Why a simulated replica could not do what it was asked.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The disk is full, for a while.
    Full,
    /// The process was killed in the middle of it.
    Killed,
    /// A fault that nobody planned: a mistake that the simulation has found.
    Store(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<std::convert::Infallible> for Fault {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// What does not hold, a sentence each.
pub(crate) type Found = Result<Vec<String>, Failure>;
