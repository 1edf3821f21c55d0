//! The store of Chrysalis Memory: one replica of one space, in one folder.
//!
//! The log is the ground ([`ledger`]); views ([`view`]), text index and vectors ([`search`]) are derived from it and
//! can be made again. Start reading at [`Store`], then [`turn`] (what a write transaction is), then [`view`].

mod accept;
mod again;
mod as_of;
mod backoff;
mod belonging;
mod bundle;
mod checkpoint;
mod connection;
mod digest;
pub mod doctor;
pub mod edit;
mod error;
mod faded;
mod folder;
mod indexes;
mod invitations;
pub mod ledger;
mod members;
mod peers;
mod proofs;
mod read;
mod readers;
mod recall;
pub mod row;
mod saying;
pub mod schema;
mod scrub;
pub mod search;
mod segments;
mod stats;
mod store;
mod sync;
mod tending;
pub mod turn;
mod turnstile;
mod uses;
mod vectors;
mod verify;
pub mod view;
mod votes;
mod writer;

pub use accept::Accepted;
pub use bundle::{Imported, MAGIC};
pub use checkpoint::CheckpointReport;
pub use connection::{ConnectionOptions, Durability, Format, migrate, open_reader, open_writer, stamp};
pub use edit::{About, Edit};
pub use error::StoreError;
pub use faded::Faded;
pub use folder::{Folder, Seed};
pub use invitations::OpenInvitation;
pub use members::Member;
pub use proofs::Proven;
pub use read::{Changed, Order, Revision};
pub use readers::{ReadConnection, Readers};
pub use recall::{Answer, Found, Query};
pub use row::MemoryRow;
pub use stats::StoreStats;
pub use store::{Forgotten, Remember, Store, StoreOptions};
pub use sync::{Forgetting, Sent, Speaker, SyncCounts, SyncState};
pub use vectors::{MadeVectors, VectorIndex};
pub use verify::{Problem, Verification};
pub use votes::{Ballot, Ballots};
pub use writer::{TransactionState, Writer};
