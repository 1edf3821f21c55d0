//! Votes of validators on memories.

use std::collections::BTreeMap;

use chrysalis_core::id::{Fingerprint, MemoryId, ReplicaKey, content_digest};
use chrysalis_core::member::Role;
use chrysalis_core::operation::Kind;
use chrysalis_core::payload::{Attest, Payload};

use crate::error::StoreError;
use crate::ledger::State;
use crate::row::{self, MemoryRow};
use crate::store::Store;
use crate::view::Views;

/// A member's vote on a memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ballot {
    /// Who voted.
    pub voter: ReplicaKey,
    /// Fixed point: 0 is 0.0, 65,535 is 1.0.
    pub confidence: u16,
    /// Whether it was given on what the memory says now.
    pub is_current: bool,
    /// When, in ms since the Unix epoch, by the voter's clock.
    pub at_ms: u64,
}

/// The votes on a memory, and who may vote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ballots {
    /// The latest vote of each present validator, by key.
    pub votes: Vec<Ballot>,
    /// The keys of all present validators, sorted.
    pub validators: Vec<ReplicaKey>,
}

impl Store {
    /// Votes on what a memory says now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Refused`] with `role_lacking` or `removed`; those of writing.
    pub fn attest(&self, id: &str, confidence: u16) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.writer.run(move |connection, turn| {
            turn.must_be(connection, Role::Validator, "vote")?;
            let row = existing(connection, &id, (turn.shared().clock)() as i64)?;
            let vote = Attest { memory: MemoryId::new(&id)?, content: content_digest(&row.content), confidence };
            turn.say(connection, Payload::Attest(vote), None).map(drop)
        })
    }

    /// The votes on a memory by those who are validators now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; those of the disk.
    pub fn ballots(&self, id: &str) -> Result<Ballots, StoreError> {
        let now_ms = self.now_ms();
        self.read(|connection| {
            let row = existing(connection, id, now_ms)?;
            let views = self.views(connection);
            let validators = views.keys_with(Role::Validator)?;
            let mut votes = votes_on(&views, &row)?;
            votes.retain(|vote| validators.binary_search(&vote.voter).is_ok());
            Ok(Ballots { votes, validators })
        })
    }
}

fn existing(connection: &rusqlite::Connection, id: &str, now_ms: i64) -> Result<MemoryRow, StoreError> {
    row::by_id(connection, id, now_ms)?.ok_or_else(|| StoreError::NotFound(format!("memory {id:?}")))
}

/// The latest vote of each voter, by key.
fn votes_on(views: &Views<'_>, row: &MemoryRow) -> Result<Vec<Ballot>, StoreError> {
    let present = content_digest(&row.content);
    let mut latest: BTreeMap<ReplicaKey, ((u64, Fingerprint), Ballot)> = BTreeMap::new();
    for stored in views.tables.of_memory(row.number)? {
        let header = stored.operation.header();
        let (State::Live, Kind::Attest, Some(body)) = (stored.state, header.kind, stored.operation.body()) else {
            continue;
        };
        let Ok(Payload::Attest(vote)) = Payload::decode(Kind::Attest, &body.payload) else { continue };
        let voter = views.tables.log_facts(stored.log)?.1.replica;
        let (confidence, is_current) = (vote.confidence, vote.content == present);
        let ballot = Ballot { voter, confidence, is_current, at_ms: header.hybrid_ms };
        let order = (header.lamport, stored.operation.fingerprint());
        if latest.get(&voter).is_none_or(|(before, _)| *before < order) {
            latest.insert(voter, (order, ballot));
        }
    }
    Ok(latest.into_values().map(|(_, ballot)| ballot).collect())
}
