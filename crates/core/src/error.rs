//! Refusals: why somebody's bytes are not an operation of this space.
//!
//! A refusal is a value. It is counted and told to whoever sent the bytes; it never ends the program. Each has a
//! stable code, because peers and Python see it.

use std::fmt;

/// Why bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Not the canonical encoding, or not the shape that the format asks for.
    Malformed(&'static str),
    /// Larger than a bound in [`crate::limits`].
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// The bound it broke.
        max: u64,
    },
    /// The format's version is one that this release does not know.
    UnknownVersion(u64),
    /// The signature does not belong to this header and key.
    BadSignature,
    /// The payload or its salt is not the one the header commits to.
    BadPayload,
    /// The back link does not join the operation before it in the log.
    BrokenChain,
    /// The Lamport time is not one more than the greatest of back link and dependencies.
    BadLamport {
        /// What it must be.
        expected: u64,
        /// What the header says.
        found: u64,
    },
    /// It belongs to another space.
    WrongSpace,
    /// The replica is no member, its grant does not hold, or its role does not allow this kind of operation.
    NotAllowed(&'static str),
}

impl Refusal {
    /// A short stable name, for counters, peers and bindings.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "malformed",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::UnknownVersion(_) => "unknown_version",
            Refusal::BadSignature => "bad_signature",
            Refusal::BadPayload => "bad_payload",
            Refusal::BrokenChain => "broken_chain",
            Refusal::BadLamport { .. } => "bad_lamport",
            Refusal::WrongSpace => "wrong_space",
            Refusal::NotAllowed(_) => "not_allowed",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Malformed(what) => write!(f, "malformed: {what}"),
            Refusal::TooLarge { what, max } => write!(f, "{what} exceeds its bound of {max}"),
            Refusal::UnknownVersion(version) => write!(f, "format version {version} is not known here"),
            Refusal::BadSignature => write!(f, "the signature does not match the operation and its author's key"),
            Refusal::BadPayload => write!(f, "the payload is not the one that the header commits to"),
            Refusal::BrokenChain => write!(f, "the back link does not join the log's previous operation"),
            Refusal::BadLamport { expected, found } => {
                write!(f, "Lamport time is {found}, but back link and dependencies make it {expected}")
            }
            Refusal::WrongSpace => write!(f, "the operation belongs to another space"),
            Refusal::NotAllowed(why) => write!(f, "not allowed: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Shorthand for what decoding and admission return.
pub type Result<T> = std::result::Result<T, Refusal>;
