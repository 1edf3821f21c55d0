//! What a node asks of this store: [`Replica`], answered from disk.

mod check;
mod progress;
mod reads;
pub(crate) mod states;
mod take;
mod unsigned;

pub use progress::{Forgetting, Sent, SyncCounts, SyncState};
pub(crate) use progress::{acknowledge, forget_oldest, meet};

use std::collections::BTreeMap;

use chrysalis_core::fork::Proof;
use chrysalis_core::id::{Fingerprint, LogId, ReplicaKey, Signature};
use chrysalis_core::member::{Role, Space};
use chrysalis_core::operation::Operation;
use chrysalis_core::sync::replica::{Intake, LogState, Mark, Outcome, Replica, Segment, Tip, Want};

use crate::error::StoreError;
use crate::store::Store;
use crate::view::void_words;

/// The store as its node sees it.
#[derive(Clone, Copy)]
pub struct Speaker<'a>(pub &'a Store);

impl Replica for Speaker<'_> {
    type Error = StoreError;

    fn space(&self) -> &Space {
        self.0.space()
    }

    fn key(&self) -> ReplicaKey {
        self.0.shared.key.public()
    }

    fn sign(&self, message: &[u8]) -> Signature {
        self.0.shared.key.sign(message)
    }

    fn opening(&self) -> Result<Option<Operation>, StoreError> {
        self.0.read(reads::opening)
    }

    fn role_of(&self, key: &ReplicaKey) -> Result<Option<Role>, StoreError> {
        self.0.read(|connection| reads::role_of(connection, key))
    }

    fn is_revoked(&self, token: &ReplicaKey) -> Result<bool, StoreError> {
        self.0.read(|connection| self.0.views(connection).is_removed(token))
    }

    fn position(&self) -> Result<u64, StoreError> {
        self.0.read(states::position).map(i64::unsigned_abs)
    }

    fn states(&self) -> Result<Vec<LogState>, StoreError> {
        self.0.read(states::all)
    }

    fn state(&self, log: &LogId) -> Result<Option<LogState>, StoreError> {
        self.0.read(|connection| states::of_log(connection, log))
    }

    fn states_since(&self, position: u64) -> Result<Vec<LogState>, StoreError> {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        self.0.read(|connection| states::since(connection, position))
    }

    fn read(&self, wants: &[Want], bytes_max: usize) -> Result<Vec<Segment>, StoreError> {
        self.0.read(|connection| reads::wanted(&self.0.tables(connection), wants, bytes_max))
    }

    fn read_void(&self, log: &LogId, from: u64, bytes_max: usize) -> Result<Vec<Segment>, StoreError> {
        self.0.read(|connection| void_words(&self.0.tables(connection), log, from, bytes_max))
    }

    fn void_from(&self, log: &LogId) -> Result<Option<u64>, StoreError> {
        self.0.read(|connection| reads::void_from(connection, log))
    }

    fn read_after(&self, position: u64, bytes_max: usize) -> Result<(Vec<Segment>, u64), StoreError> {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        self.0.read(|connection| {
            let snapshot = connection.unchecked_transaction()?;
            let (segments, reached) = reads::after(&self.0.tables(&snapshot), position, bytes_max)?;
            Ok((segments, reached.unsigned_abs()))
        })
    }

    fn read_news(
        &self,
        position: u64,
        bytes_max: usize,
        told: &dyn Fn(&LogId, u64) -> bool,
    ) -> Result<(Vec<Segment>, u64), StoreError> {
        let since = i64::try_from(position).unwrap_or(i64::MAX);
        match self.0.read(|connection| reads::told(connection, since, told))? {
            Some(reached) => Ok((Vec::new(), reached.unsigned_abs())),
            None => self.read_after(position, bytes_max),
        }
    }

    fn tips(&self, log: &LogId, places: &[u64]) -> Result<Vec<Option<Tip>>, StoreError> {
        self.0.read(|connection| {
            let tables = self.0.tables(connection);
            let at = |place: &u64| reads::standing_at(&tables, log, *place);
            places.iter().map(|place| Ok(at(place)?.map(|standing| Tip::of(&standing)))).collect()
        })
    }

    fn standing_at(&self, log: &LogId, place: u64) -> Result<Option<Fingerprint>, StoreError> {
        self.0.read(|connection| reads::standing_at(&self.0.tables(connection), log, place))
    }

    fn resolve(&self, mark: &Mark) -> Result<Option<Fingerprint>, StoreError> {
        self.0.read(|connection| reads::resolve(connection, mark))
    }

    fn find(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Operation>, StoreError> {
        self.0.read(|connection| reads::find(&self.0.tables(connection), fingerprints))
    }

    fn proofs(&self, logs: &[LogId]) -> Result<Vec<Proof>, StoreError> {
        self.0.read(|connection| reads::proofs(connection, logs))
    }

    fn without_words(&self, after: Option<&Fingerprint>, limit: usize) -> Result<Vec<Fingerprint>, StoreError> {
        let now_ms = self.0.now_ms();
        self.0.read(|connection| {
            let after = after.map(|after| self.0.tables(connection).place(after)).transpose()?.flatten();
            let after = after.map_or(0, |(_, position)| position);
            let mut found = BTreeMap::from_iter(reads::without_words(connection, after, now_ms, limit)?);
            found.extend(unsigned::sought(connection, after, limit)?);
            Ok(found.into_values().take(limit).collect())
        })
    }

    fn agreed(&self, peer: &ReplicaKey) -> Result<Option<u64>, StoreError> {
        self.0.read(|connection| progress::agreed(connection, peer))
    }

    fn take(&mut self, intake: Intake) -> Result<Vec<Outcome>, StoreError> {
        self.0.take_intake(intake)
    }
}
