//! A replica without a disk: what it holds is gone with it. For simulation, tests and agents that keep nothing.
//!
//! The door is the same one: operations enter by admission, or are signed here. It decides as the store does, with one
//! difference: it knows operations and not memories, so it forgets no words and makes no views.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use crate::admit::{Admission, AdmitError, Known, Ledger, LogFacts, Verified, admit_body, admit_segment};
use crate::error::{Refusal, Result};
use crate::fork::{Branch, Cut, Proof};
use crate::id::{Epoch, Fingerprint, LogId, ReplicaKey, Salt, SpaceId};
use crate::limits;
use crate::log::{Draft, Head, Last};
use crate::member::{Grant, Open, Role, Space, log_id};
use crate::operation::Operation;
use crate::payload::Payload;
use crate::sign::SecretKey;
use crate::sync::replica::{Offer, Outcome, Segment};

/// Headers kept of the void branches of one log: what honest operations depend on is far less.
const VOID_HEADERS_MAX: usize = 4_096;

/// Bytes of words kept of a void log, for its author to say them again: what is said between a backup and its restore
/// is far less.
const VOID_WORDS_BYTES_MAX: usize = 1 << 20;

/// An operation that stands here, void or not.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) verified: Arc<Verified>,
    /// When it arrived; grows by one with each.
    pub(super) position: u64,
}

impl Kept {
    pub(super) fn operation(&self) -> &Operation {
        self.verified.operation()
    }
}

/// One log, as far as it is here.
#[derive(Debug)]
pub(super) struct KeptLog {
    pub(super) facts: LogFacts,
    /// Its first branch, by place.
    pub(super) standing: Vec<Fingerprint>,
    /// The proof with the lowest cut, and that cut; apart, since hardly any log has one.
    pub(super) proof: Option<Box<(u64, Proof)>>,
    /// The position at which its state last changed.
    pub(super) changed: u64,
    void_headers: usize,
}

impl KeptLog {
    /// The place from which it is void.
    pub(super) fn cut(&self) -> Option<u64> {
        self.proof.as_ref().map(|proof| proof.0)
    }

    /// How many of its operations count.
    pub(super) fn count(&self) -> u64 {
        (self.standing.len() as u64).min(self.cut().unwrap_or(u64::MAX))
    }
}

/// A replica in memory.
#[derive(Debug)]
pub struct MemoryReplica {
    pub(super) space: Space,
    space_id: SpaceId,
    pub(super) key: SecretKey,
    grant: Option<Grant>,
    head: Head,
    pub(super) opening: Option<Fingerprint>,
    pub(super) logs: BTreeMap<LogId, KeptLog>,
    pub(super) operations: BTreeMap<Fingerprint, Kept>,
    pub(super) arrivals: BTreeMap<u64, Fingerprint>,
    pub(super) wordless: BTreeSet<Fingerprint>,
    /// Heads of other logs that the own log has not named yet, by log.
    unseen: BTreeMap<LogId, (Fingerprint, u64)>,
    pub(super) position: u64,
    pub(super) agreed: BTreeMap<ReplicaKey, u64>,
    pub(super) acknowledged: BTreeMap<(ReplicaKey, LogId), u64>,
}

impl MemoryReplica {
    /// An empty replica with this key. Its log is opened by [`MemoryReplica::open`], or never: then it only reads.
    pub fn new(space: Space, key: SecretKey, grant: Option<Grant>) -> Self {
        let head = unopened(&space, &key, grant.as_ref(), Epoch([0; Epoch::LENGTH]));
        Self {
            space_id: space.id(),
            space,
            key,
            grant,
            head,
            opening: None,
            logs: BTreeMap::new(),
            operations: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            wordless: BTreeSet::new(),
            unseen: BTreeMap::new(),
            position: 0,
            agreed: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
        }
    }

    /// Opens a log in a fresh epoch: at first, and again when the last one turns out to be forked.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] when a closed space gives this key no role.
    pub fn open(&mut self, epoch: Epoch, salt: Salt, now_ms: u64) -> Result<Operation> {
        self.head = unopened(&self.space, &self.key, self.grant.as_ref(), epoch);
        let (space, replica) = (self.space.clone(), self.key.public());
        let open = Open { space, replica, epoch, grant: self.grant.clone() };
        let operation = self.say(Payload::Open(Box::new(open)), salt, now_ms)?;
        self.opening = Some(operation.fingerprint());
        Ok(operation)
    }

    /// Signs an operation and keeps it. It depends on the newest heads that the own log has not named yet.
    ///
    /// # Errors
    /// What the role does not allow and what is too large, as [`Head::extend`]; [`Refusal::NotAllowed`] when the own
    /// log is forked.
    pub fn say(&mut self, payload: Payload, salt: Salt, now_ms: u64) -> Result<Operation> {
        if self.is_forked() {
            return Err(Refusal::NotAllowed("the own log is forked, and a new one must be opened"));
        }
        let dependencies: Vec<_> = self.unseen.values().copied().take(limits::DEPENDENCIES_MAX).collect();
        let draft = Draft {
            payload,
            salt,
            now_ms,
            expires_ms: None,
            dependencies: dependencies.clone(),
            payload_bytes_max: limits::PAYLOAD_BYTES_DEFAULT,
        };
        let verified = self.head.extend(&self.key, draft)?;
        self.unseen.retain(|_, head| !dependencies.contains(head));
        let operation = verified.operation().clone();
        self.keep(vec![verified]);
        Ok(operation)
    }

    /// The log that is written here now.
    pub fn own_log(&self) -> LogId {
        self.head.log
    }

    /// Whether the own log is void from some place on: then it must be opened anew before anything is said.
    pub fn is_forked(&self) -> bool {
        self.logs.get(&self.head.log).is_some_and(|log| log.cut().is_some())
    }

    /// Every operation that counts, in order of arrival.
    pub fn valid(&self) -> impl Iterator<Item = &Verified> {
        let kept = self.arrivals.values().filter_map(|fingerprint| self.operations.get(fingerprint));
        kept.filter(|kept| self.counts(kept)).map(|kept| &*kept.verified)
    }

    /// How many operations of one of this replica's logs a peer has said to have on disk.
    pub fn acknowledged(&self, peer: &ReplicaKey, log: &LogId) -> u64 {
        self.acknowledged.get(&(*peer, *log)).copied().unwrap_or(0)
    }

    pub(super) fn counts(&self, kept: &Kept) -> bool {
        let header = kept.operation().header();
        let stands = |log: &KeptLog| {
            header.sequence < log.count()
                && log.standing.get(header.sequence as usize) == Some(&kept.operation().fingerprint())
        };
        self.logs.get(&header.log).is_some_and(stands)
    }

    pub(super) fn take_offer(&mut self, offer: Offer) -> Outcome {
        let taken = match offer {
            Offer::Segment(segment) => self.take_segment(segment),
            Offer::Proof(proof) => self.take_proof(*proof).map(Outcome::Stored),
        };
        taken.unwrap_or_else(Outcome::Refused)
    }

    fn take_segment(&mut self, segment: Segment) -> Result<Outcome> {
        let bare = |o: &&Operation| o.body().is_none();
        let wordless: Vec<_> = segment.iter().filter(bare).map(Operation::fingerprint).collect();
        let came: Vec<_> = segment.iter().filter(|o| self.wordless.contains(&o.fingerprint())).cloned().collect();
        let admission = admit_segment(self, segment).map_err(|error| match error {
            AdmitError::Refused(refusal) => refusal,
            AdmitError::Fault(fault) => match fault {},
        })?;
        match admission {
            Admission::Waiting(missing) => Ok(Outcome::Waiting(missing)),
            Admission::Forked { proof, void } => {
                if let Some(proof) = proof {
                    self.take_proof(*proof)?;
                }
                self.keep_void(void);
                Ok(Outcome::Forked)
            }
            Admission::Admitted(news) => {
                let count = news.len();
                self.keep(news);
                let counting = |one: &Fingerprint| self.operations.get(one).is_some_and(|kept| self.counts(kept));
                let counting: Vec<_> = wordless.into_iter().filter(counting).collect();
                self.wordless.extend(counting);
                let words = came.into_iter().filter(|operation| self.take_words(operation)).count();
                Ok(Outcome::Stored(count + words))
            }
        }
    }

    /// Takes the words of an operation that came without them.
    fn take_words(&mut self, operation: &Operation) -> bool {
        let Ok(Some(verified)) = admit_body(self, operation.clone()) else { return false };
        let Some(kept) = self.operations.get_mut(&operation.fingerprint()) else { return false };
        let signature_checked = kept.verified.signature_checked();
        kept.verified = Arc::new(Verified { signature_checked, ..verified });
        self.wordless.remove(&operation.fingerprint());
        true
    }

    fn keep(&mut self, news: Vec<Verified>) {
        for verified in news {
            self.position += 1;
            let position = self.position;
            let header = verified.operation().header();
            let (log, fingerprint) = (header.log, verified.operation().fingerprint());
            if log == self.head.log {
                // After a copy or a restored state others may know more of the own log than was known here.
                let (sequence, lamport, hybrid_ms) = (header.sequence, header.lamport, header.hybrid_ms);
                self.head.last = Some(Last { fingerprint, sequence, lamport, hybrid_ms });
            } else {
                self.unseen.insert(log, (fingerprint, header.lamport));
            }
            let kept = self.logs.entry(log).or_insert_with(|| KeptLog::new(*verified.facts()));
            let void = kept.cut().is_some_and(|cut| cut <= header.sequence);
            kept.standing.push(fingerprint);
            kept.changed = position;
            self.arrivals.insert(position, fingerprint);
            let verified = if void { without_words(verified) } else { verified };
            self.operations.insert(fingerprint, Kept { verified: Arc::new(verified), position });
        }
    }

    fn keep_void(&mut self, void: Vec<Verified>) {
        for verified in void {
            let fingerprint = verified.operation().fingerprint();
            let Some(log) = self.logs.get_mut(&verified.operation().header().log) else { continue };
            if log.void_headers == VOID_HEADERS_MAX || self.operations.contains_key(&fingerprint) {
                continue;
            }
            log.void_headers += 1;
            let verified = Arc::new(without_words(verified));
            self.operations.insert(fingerprint, Kept { verified, position: self.position });
        }
    }

    /// Keeps a proof if it cuts a log that had none, or cuts it lower. Returns how many were new.
    fn take_proof(&mut self, proof: Proof) -> Result<usize> {
        let cut: Cut = proof.verify()?;
        if proof.space != self.space_id {
            return Err(Refusal::WrongSpace);
        }
        let facts = LogFacts { replica: proof.replica, epoch: proof.epoch, role: proof.role };
        let log = self.logs.entry(cut.log).or_insert_with(|| KeptLog::new(facts));
        if log.cut().is_some_and(|known| known <= cut.sequence) {
            return Ok(0);
        }
        log.proof = Some(Box::new((cut.sequence, proof)));
        self.position += 1;
        log.changed = self.position;
        let own = log.facts.replica == self.key.public();
        let mut bytes = 0;
        for fingerprint in log.standing.iter().skip(cut.sequence as usize) {
            self.wordless.remove(fingerprint);
            let Some(kept) = self.operations.get_mut(fingerprint) else { continue };
            bytes += kept.operation().size();
            if own || bytes > VOID_WORDS_BYTES_MAX {
                kept.verified = Arc::new(without_words(Verified::clone(&kept.verified)));
            }
        }
        Ok(1)
    }
}

impl KeptLog {
    fn new(facts: LogFacts) -> Self {
        Self { facts, standing: Vec::new(), proof: None, changed: 0, void_headers: 0 }
    }
}

/// What is left of a void operation. What opens a log is no memory's words: others need it to admit the log.
fn without_words(verified: Verified) -> Verified {
    let opens = verified.operation().header().sequence == 0;
    let operation = if opens { verified.operation } else { verified.operation.without_body() };
    Verified { operation, payload: None, ..verified }
}

fn unopened(space: &Space, key: &SecretKey, grant: Option<&Grant>, epoch: Epoch) -> Head {
    let role = match (space, grant) {
        (Space::Closed { .. }, Some(grant)) => grant.invitation.role,
        _ => Role::Administrator,
    };
    let replica = key.public();
    Head::unopened(log_id(&space.id(), &replica, &epoch, role), LogFacts { replica, epoch, role })
}

impl Ledger for MemoryReplica {
    type Error = Infallible;

    fn space(&self) -> SpaceId {
        self.space_id
    }

    fn log(&self, log: &LogId) -> std::result::Result<Option<LogFacts>, Infallible> {
        Ok(self.logs.get(log).map(|log| log.facts))
    }

    fn known(&self, fingerprint: &Fingerprint) -> std::result::Result<Option<Known>, Infallible> {
        Ok(self.operations.get(fingerprint).map(|kept| {
            let header = kept.operation().header();
            Known { log: header.log, sequence: header.sequence, lamport: header.lamport }
        }))
    }

    fn standing_at(&self, log: &LogId, sequence: u64) -> std::result::Result<Option<Fingerprint>, Infallible> {
        Ok(self.logs.get(log).and_then(|log| log.standing.get(sequence as usize)).copied())
    }

    fn branch_from(&self, log: &LogId, sequence: u64) -> std::result::Result<Branch, Infallible> {
        let standing = self.logs.get(log).map_or(&[][..], |log| &log.standing);
        let run = standing.iter().skip(sequence as usize).filter_map(|one| self.operations.get(one));
        let mut operations = Vec::new();
        for kept in run.take(limits::SEGMENT_OPERATIONS_MAX) {
            operations.push(kept.operation().clone());
            if kept.verified.signature_checked() {
                break;
            }
        }
        Ok(Branch::of(&operations))
    }
}
