//! Store.

mod backoff;
mod checkpoint;
mod connection;
mod error;
mod folder;
mod readers;
pub mod search;
mod writer;

pub use checkpoint::CheckpointReport;
pub use connection::{ConnectionOptions, Durability, Format, migrate, open_reader, open_writer, stamp};
pub use error::StoreError;
pub use folder::{Folder, Seed};
pub use readers::{ReadConnection, Readers};
pub use writer::{TransactionState, Writer};
