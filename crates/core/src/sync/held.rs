//! A replica of which the newest operations of its own are held back: what a policy of sending later shows to peers.
//!
//! Operations of one log replicate in their order, so what is held is always the end of the own log. What others wrote
//! is shown as ever.

use std::collections::BTreeMap;

use crate::fork::Proof;
use crate::id::{Fingerprint, LogId, ReplicaKey, Signature};
use crate::member::{Role, Space};
use crate::operation::Operation;

use super::replica::{Intake, LogState, Mark, Offer, Outcome, Replica, Segment, Tip, Want};

/// How much of the own log peers are shown, and since when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// How many operations of which own log.
    counts: BTreeMap<LogId, u64>,
    /// The position up to which all is shown: what is held came after it.
    position: u64,
}

impl Shown {
    /// All that is there now.
    ///
    /// # Errors
    /// The replica's.
    pub fn all<R: Replica>(replica: &R) -> Result<Self, R::Error> {
        // Read first: what comes meanwhile lies after it, and is at most told of twice.
        let position = replica.position()?;
        let mut counts = BTreeMap::new();
        if let Some(log) = own_log(replica)? {
            counts.insert(log, replica.state(&log)?.map_or(0, |state| state.count));
        }
        Ok(Self { counts, position })
    }

    /// The position up to which all is shown.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many of the replica's own operations are held back.
    ///
    /// # Errors
    /// The replica's.
    pub fn held<R: Replica>(&self, replica: &R) -> Result<u64, R::Error> {
        let Some(log) = own_log(replica)? else { return Ok(0) };
        let count = replica.state(&log)?.map_or(0, |state| state.count);
        Ok(count.saturating_sub(self.count(&log)))
    }

    /// The opening of a log is shown with every handshake, so it can't be held.
    fn count(&self, log: &LogId) -> u64 {
        self.counts.get(log).copied().unwrap_or(0).max(1)
    }
}

/// The log that the replica extends. Older ones of its own don't grow.
fn own_log<R: Replica>(replica: &R) -> Result<Option<LogId>, R::Error> {
    Ok(replica.opening()?.map(|opening| opening.header().log))
}

/// The replica, as peers are to see it.
pub struct Held<'a, R> {
    inner: &'a mut R,
    shown: &'a mut Shown,
}

impl<'a, R: Replica> Held<'a, R> {
    /// Shows no more of the replica than this.
    pub fn new(inner: &'a mut R, shown: &'a mut Shown) -> Self {
        Self { inner, shown }
    }

    /// The own log and how much of it is shown.
    fn limit(&self) -> Result<Option<(LogId, u64)>, R::Error> {
        Ok(own_log(self.inner)?.map(|log| (log, self.shown.count(&log))))
    }

    fn clip_state(&self, state: LogState, limit: Option<(LogId, u64)>) -> Result<LogState, R::Error> {
        match limit {
            Some((log, count)) if state.log == log && state.count > count => {
                let tip = self.inner.tips(&log, &[count - 1])?.first().copied().flatten().unwrap_or_default();
                Ok(LogState { count, tip, ..state })
            }
            _ => Ok(state),
        }
    }

    fn clip_states(&self, states: Vec<LogState>) -> Result<Vec<LogState>, R::Error> {
        let limit = self.limit()?;
        states.into_iter().map(|state| self.clip_state(state, limit)).collect()
    }
}

/// Leaves out what is held. Every operation of the own log is signed by itself, so any of them may end a segment.
fn clip_segments(segments: Vec<Segment>, limit: Option<(LogId, u64)>) -> Vec<Segment> {
    let Some((log, count)) = limit else { return segments };
    let is_shown = |operation: &Operation| operation.header().log != log || operation.header().sequence < count;
    let clipped = segments.into_iter().map(|segment| segment.into_iter().take_while(is_shown).collect());
    clipped.filter(|segment: &Segment| !segment.is_empty()).collect()
}

impl<R: Replica> Replica for Held<'_, R> {
    type Error = R::Error;

    fn space(&self) -> &Space {
        self.inner.space()
    }

    fn key(&self) -> ReplicaKey {
        self.inner.key()
    }

    fn sign(&self, message: &[u8]) -> Signature {
        self.inner.sign(message)
    }

    fn opening(&self) -> Result<Option<Operation>, R::Error> {
        self.inner.opening()
    }

    fn role_of(&self, key: &ReplicaKey) -> Result<Option<Role>, R::Error> {
        self.inner.role_of(key)
    }

    fn is_revoked(&self, token: &ReplicaKey) -> Result<bool, R::Error> {
        self.inner.is_revoked(token)
    }

    fn position(&self) -> Result<u64, R::Error> {
        self.inner.position()
    }

    fn states(&self) -> Result<Vec<LogState>, R::Error> {
        self.clip_states(self.inner.states()?)
    }

    fn state(&self, log: &LogId) -> Result<Option<LogState>, R::Error> {
        let limit = self.limit()?;
        self.inner.state(log)?.map(|state| self.clip_state(state, limit)).transpose()
    }

    fn states_since(&self, position: u64) -> Result<Vec<LogState>, R::Error> {
        self.clip_states(self.inner.states_since(position)?)
    }

    fn read(&self, wants: &[Want], bytes_max: usize) -> Result<Vec<Segment>, R::Error> {
        let limit = self.limit()?;
        let segments = clip_segments(self.inner.read(wants, bytes_max)?, limit);
        let Some((log, _)) = limit.filter(|_| segments.is_empty()) else { return Ok(segments) };
        // What is held stood before the rest in the order of arrival: the rest is not to wait for it.
        let others: Vec<Want> = wants.iter().filter(|want| want.log != log).copied().collect();
        if others.is_empty() { Ok(segments) } else { self.inner.read(&others, bytes_max) }
    }

    fn read_void(&self, log: &LogId, from: u64, bytes_max: usize) -> Result<Vec<Segment>, R::Error> {
        self.inner.read_void(log, from, bytes_max)
    }

    fn void_from(&self, log: &LogId) -> Result<Option<u64>, R::Error> {
        self.inner.void_from(log)
    }

    fn read_after(&self, position: u64, bytes_max: usize) -> Result<(Vec<Segment>, u64), R::Error> {
        let (segments, reached) = self.inner.read_after(position, bytes_max)?;
        Ok((clip_segments(segments, self.limit()?), reached))
    }

    fn tips(&self, log: &LogId, places: &[u64]) -> Result<Vec<Option<Tip>>, R::Error> {
        self.inner.tips(log, places)
    }

    fn standing_at(&self, log: &LogId, place: u64) -> Result<Option<Fingerprint>, R::Error> {
        self.inner.standing_at(log, place)
    }

    fn resolve(&self, mark: &Mark) -> Result<Option<Fingerprint>, R::Error> {
        self.inner.resolve(mark)
    }

    fn find(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Operation>, R::Error> {
        self.inner.find(fingerprints)
    }

    fn proofs(&self, logs: &[LogId]) -> Result<Vec<Proof>, R::Error> {
        self.inner.proofs(logs)
    }

    fn without_words(&self, after: Option<&Fingerprint>, limit: usize) -> Result<Vec<Fingerprint>, R::Error> {
        self.inner.without_words(after, limit)
    }

    fn agreed(&self, peer: &ReplicaKey) -> Result<Option<u64>, R::Error> {
        self.inner.agreed(peer)
    }

    fn take(&mut self, mut intake: Intake) -> Result<Vec<Outcome>, R::Error> {
        // They agreed on what is shown, and what is held came after that.
        for (_, position) in &mut intake.agreed {
            *position = (*position).min(self.shown.position);
        }
        let known = known_elsewhere(&intake, own_log(self.inner)?);
        let outcomes = self.inner.take(intake)?;
        // Another process of this store has sent it: what a peer has needs no holding.
        for (log, count) in known {
            let shown = self.shown.counts.entry(log).or_insert(0);
            *shown = (*shown).max(count);
        }
        Ok(outcomes)
    }
}

/// How much of the own log peers turn out to have, by what they offer.
fn known_elsewhere(intake: &Intake, own: Option<LogId>) -> Vec<(LogId, u64)> {
    let ends = intake.offers.iter().filter_map(|(_, offer)| match offer {
        Offer::Segment(segment) => segment.last().map(|last| (last.header().log, last.header().sequence + 1)),
        Offer::Proof(_) => None,
    });
    ends.filter(|(log, _)| own == Some(*log)).collect()
}
