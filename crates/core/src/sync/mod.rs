//! Sync: how replicas that are linked come to hold the same operations.
//!
//! Machines without clock, randomness or I/O. Bytes and the time go in; bytes, operations to be stored and the time of
//! the next look come out. One protocol serves hub, peer and simulator. A driver owns the transports and calls them.

mod block;
pub mod book;
pub mod carry;
mod fields;
pub mod frame;
pub mod gossip;
pub mod held;
pub mod memory;
mod memory_reads;
pub mod message;
mod message_codec;
pub mod node;
pub mod packed;
pub mod random;
pub mod reconcile;
pub mod replica;
pub mod rounds;
pub mod session;
