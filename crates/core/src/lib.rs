//! The core of Chrysalis Memory: identity, log, admission and merging.
//!
//! Pure: it knows no clock, no randomness and no I/O; they are arguments. So it can be run under a seed, with
//! thousands of replicas in one process, and gives the same answer on every machine. Ordered maps only.
//!
//! Start reading at [`operation`] (what is signed), then [`admit`] (the one door), then [`log`] (how one's own log
//! grows).

pub mod admit;
pub mod causality;
pub mod codec;
pub mod error;
pub mod fork;
pub mod id;
pub mod limits;
pub mod log;
pub mod member;
pub mod merge;
pub mod operation;
pub mod payload;
pub mod sign;
pub mod standing;
pub mod sync;
pub mod token;

pub use error::{Refusal, Result};
