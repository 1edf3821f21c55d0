//! The core of Chrysalis Memory: identity, log, admission and merging.
//!
//! Pure: it knows no clock, no randomness and no I/O; they are arguments. So it can be run under a seed, with
//! thousands of replicas in one process, and gives the same answer on every machine. Ordered maps only.
//!
//! Start reading at [`operation`] (what is signed), then [`admit`] (the one door), then [`merge`] (what a memory is).

pub mod codec;
pub mod error;
pub mod id;
pub mod limits;
pub mod member;
pub mod operation;
pub mod payload;
pub mod sign;

pub use error::{Refusal, Result};
