//! Why a simulation could not go on: the world outside it, or a mistake that it has found.

use std::fmt;

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

impl From<chrysalis_store::StoreError> for Failure {
    fn from(error: chrysalis_store::StoreError) -> Self {
        Self(format!("a store: {error:?}"))
    }
}

impl From<chrysalis_core::Refusal> for Failure {
    fn from(refusal: chrysalis_core::Refusal) -> Self {
        Self(format!("refused: {refusal:?}"))
    }
}

impl From<crate::replica::Fault> for Failure {
    fn from(fault: crate::replica::Fault) -> Self {
        Self(format!("a replica: {fault:?}"))
    }
}
