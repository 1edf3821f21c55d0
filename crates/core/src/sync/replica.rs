//! What a node asks of the replica that it speaks for. The store answers from disk, the simulator from memory.

use crate::error::Refusal;
use crate::fork::Proof;
use crate::id::{Fingerprint, LogId, ReplicaKey, Signature};
use crate::member::{Role, Space};
use crate::operation::Operation;

/// First sixteen bytes of a fingerprint: tells two heads of one length apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Tip(pub [u8; 16]);

impl Tip {
    /// The beginning of this fingerprint.
    pub fn of(fingerprint: &Fingerprint) -> Self {
        let mut tip = [0; 16];
        tip.copy_from_slice(&fingerprint.as_bytes()[..16]);
        Self(tip)
    }
}

/// First eight bytes of a fingerprint: names an operation to someone who holds it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark(pub [u8; 8]);

impl Mark {
    /// The beginning of this fingerprint.
    pub fn of(fingerprint: &Fingerprint) -> Self {
        let mut mark = [0; 8];
        mark.copy_from_slice(&fingerprint.as_bytes()[..8]);
        Self(mark)
    }
}

/// How far one log reaches here: a line of a summary. Logs of which nothing counts and nothing is proven have none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LogState {
    /// The log.
    pub log: LogId,
    /// How many of its operations stand here and are not void: those at the places below this number.
    pub count: u64,
    /// The last of them; zeros when there is none.
    pub tip: Tip,
    /// The place from which a proof of misbehaviour that is kept here makes it void.
    pub cut: Option<u64>,
}

/// A wish for the operations of a log from a place on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Want {
    /// The log.
    pub log: LogId,
    /// The first place that is missing.
    pub from: u64,
}

/// Operations of one log that follow each other and end in a seal that the sender checked.
pub type Segment = Vec<Operation>;

/// Foreign bytes that read well, for admission.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Offer {
    /// A run of one log.
    Segment(Segment),
    /// A proof of misbehaviour.
    Proof(Box<Proof>),
}

/// What became of an offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// On disk: so many of its operations were new. A proof counts as one.
    Stored(usize),
    /// A part of a forked log: its proof is on disk, and nothing of it counts.
    Forked,
    /// Not stored. To be offered again once this is here.
    Waiting(Vec<crate::admit::Missing>),
    /// Unacceptable.
    Refused(Refusal),
}

/// All that one step of a node wants kept: stored together, or not at all.
#[derive(Clone, Default, Debug)]
pub struct Intake {
    /// To be admitted, in this order; from whom each came.
    pub offers: Vec<(ReplicaKey, Offer)>,
    /// Logs of this replica and how many of their operations a peer has said to have on disk.
    pub acknowledged: Vec<(ReplicaKey, LogId, u64)>,
    /// Peers whose logs equalled ours when ours had this position: what came later is what they may lack.
    pub agreed: Vec<(ReplicaKey, u64)>,
}

/// One replica, as a node sees it. Reads see everything that was stored before.
pub trait Replica {
    /// A fault: the disk's or ours, never a peer's.
    type Error;

    /// The space that is kept here.
    fn space(&self) -> &Space;

    /// The replica's key.
    fn key(&self) -> ReplicaKey;

    /// Signs with the replica's key; the caller puts a domain in front.
    fn sign(&self, message: &[u8]) -> Signature;

    /// The operation that opened this replica's present log, with its payload: it shows membership. None for a relay
    /// without a grant.
    fn opening(&self) -> Result<Option<Operation>, Self::Error>;

    /// The greatest role that this key has by a log which counts today; none for strangers and removed members.
    fn role_of(&self, key: &ReplicaKey) -> Result<Option<Role>, Self::Error>;

    /// Whether the invitation whose token has this key was taken back. A replica that judges no removals knows of none.
    fn is_revoked(&self, token: &ReplicaKey) -> Result<bool, Self::Error> {
        let _ = token;
        Ok(false)
    }

    /// Grows with whatever changes what [`Replica::states`] answers: the order of arrival.
    fn position(&self) -> Result<u64, Self::Error>;

    /// Every log, sorted.
    fn states(&self) -> Result<Vec<LogState>, Self::Error>;

    /// One log.
    fn state(&self, log: &LogId) -> Result<Option<LogState>, Self::Error>;

    /// The logs that changed after a position, sorted.
    fn states_since(&self, position: u64) -> Result<Vec<LogState>, Self::Error>;

    /// Wanted operations in the order in which they arrived here, so that what they depend on comes before them:
    /// segments of about so many bytes together, one at least while anything wanted is here. Void ones are not among
    /// them. Called again with the places moved on until nothing comes.
    fn read(&self, wants: &[Want], bytes_max: usize) -> Result<Vec<Segment>, Self::Error>;

    /// Void operations of a log from a place on whose words are kept here for their author, to be said again: segments
    /// of about so many bytes. A replica that keeps none has none.
    fn read_void(&self, log: &LogId, from: u64, bytes_max: usize) -> Result<Vec<Segment>, Self::Error> {
        let _ = (log, from, bytes_max);
        Ok(Vec::new())
    }

    /// From where on a log is void here, by a proof or by a removal. Void operations are told of by no state; whoever
    /// depends on one has it found for him.
    fn void_from(&self, log: &LogId) -> Result<Option<u64>, Self::Error> {
        Ok(self.state(log)?.and_then(|state| state.cut))
    }

    /// Segments that arrived after a position, in order, of about so many bytes; and the position reached.
    fn read_after(&self, position: u64, bytes_max: usize) -> Result<(Vec<Segment>, u64), Self::Error>;

    /// As [`Replica::read_after`], for telling others: nothing need be read when `told` says of every log that changed and
    /// how many of its operations count now that nobody needs to hear of it, unless a log opened or a membership ended.
    fn read_news(
        &self,
        position: u64,
        bytes_max: usize,
        told: &dyn Fn(&LogId, u64) -> bool,
    ) -> Result<(Vec<Segment>, u64), Self::Error> {
        let _ = told;
        self.read_after(position, bytes_max)
    }

    /// What stands at these places of a log's first branch, void or not.
    fn tips(&self, log: &LogId, places: &[u64]) -> Result<Vec<Option<Tip>>, Self::Error>;

    /// The fingerprint at a place of a log's first branch, void or not.
    fn standing_at(&self, log: &LogId, place: u64) -> Result<Option<Fingerprint>, Self::Error>;

    /// The one operation kept here, void or not, whose fingerprint begins so; none when there is none or more than one.
    fn resolve(&self, mark: &Mark) -> Result<Option<Fingerprint>, Self::Error>;

    /// These operations, void ones too, as far as they are here; each with its words where it has them.
    fn find(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Operation>, Self::Error>;

    /// Proofs about these logs, as far as they are here.
    fn proofs(&self, logs: &[LogId]) -> Result<Vec<Proof>, Self::Error>;

    /// Some operations that came without their words although these may still count, or with a signature of their own
    /// that does not hold, in an order that does not change: those behind this one. Fewer than the limit are the last.
    fn without_words(&self, after: Option<&Fingerprint>, limit: usize) -> Result<Vec<Fingerprint>, Self::Error>;

    /// The position at which this peer's logs last equalled ours.
    fn agreed(&self, peer: &ReplicaKey) -> Result<Option<u64>, Self::Error>;

    /// Admits and stores, in one transaction: on disk when it returns. One outcome for each offer, in order.
    fn take(&mut self, intake: Intake) -> Result<Vec<Outcome>, Self::Error>;
}
