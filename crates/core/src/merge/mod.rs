//! Merging: what a memory is, given the operations that name it.
//!
//! Every type here is a join: merging is commutative, associative and idempotent, so that replicas that know the same
//! things hold the same state, whatever the order and however often they heard it. [`Document`] is the memory itself;
//! [`GSet`], [`OrSet`], [`LwwRegister`], [`GCounter`], [`VectorClock`] and [`DirectDocument`] are for direct use,
//! without a log.
//!
//! Nothing here asks for the time: dominance is by what an author had seen, ties by (Lamport time, fingerprint).

mod direct_document;
mod document;
mod document_codec;
mod document_reads;
mod g_counter;
mod g_set;
mod hash_index;
mod latest;
mod lww_register;
mod observed;
mod or_set;
mod sorted;
mod trimmed;
mod vector_clock;

pub use direct_document::{DirectDocument, Edit};
pub use document::{Document, Head, Loser, Origin, Reading, Stamp, Vote};
pub use g_counter::GCounter;
pub use g_set::GSet;
pub use lww_register::LwwRegister;
pub use or_set::{Dot, OrSet};
pub use vector_clock::{CausalOrder, VectorClock};
