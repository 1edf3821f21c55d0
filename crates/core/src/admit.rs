//! The one door: foreign bytes become verified operations here, or nowhere.
//!
//! The verdict is a function of the bytes and of operations in their causal past. Local clock, order of arrival and
//! the peer they came from take no part, so all honest replicas decide alike. What is not decided yet is
//! [`Admission::Waiting`]; what is refused is a [`Refusal`]; what the disk can't answer is a fault of the ledger.
//!
//! A payload that does not decode is no reason to refuse its operation: a replica that never sees the payload (it was
//! forgotten, or this is a relay) must reach the same verdict from the header. Such an operation is admitted and has
//! no effect.

use crate::error::Refusal;
use crate::fork::{Branch, Proof};
use crate::id::{Fingerprint, LogId, ReplicaKey, SpaceId};
use crate::limits;
pub use crate::member::LogFacts;
use crate::member::{Open, Role};
use crate::operation::{Kind, Operation};
use crate::payload::Payload;
use crate::sign::Checked;

/// Where an admitted operation stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// Its log.
    pub log: LogId,
    /// Its place there.
    pub sequence: u64,
    /// Its Lamport time.
    pub lamport: u64,
}

/// What admission asks of those who keep operations.
pub trait Ledger {
    /// A fault: the disk's or ours, never the sender's.
    type Error;

    /// The space that is kept here.
    fn space(&self) -> SpaceId;

    /// The log with this id.
    fn log(&self, log: &LogId) -> Result<Option<LogFacts>, Self::Error>;

    /// The admitted operation with this fingerprint, void ones included.
    fn known(&self, fingerprint: &Fingerprint) -> Result<Option<Known>, Self::Error>;

    /// The operation that stands at this place of the log's first branch.
    fn standing_at(&self, log: &LogId, sequence: u64) -> Result<Option<Fingerprint>, Self::Error>;

    /// The log's first branch from this place up to the first operation whose signature was checked.
    fn branch_from(&self, log: &LogId, sequence: u64) -> Result<Branch, Self::Error>;
}

/// An operation that passed the door. Only admission and a log's own author make one; a store takes nothing else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    pub(crate) operation: Operation,
    pub(crate) payload: Option<Payload>,
    pub(crate) facts: LogFacts,
    pub(crate) signature_checked: bool,
}

impl Verified {
    /// Header, bytes, signature and body.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// What it says; none when the body is absent or says nothing that decodes.
    pub fn payload(&self) -> Option<&Payload> {
        self.payload.as_ref()
    }

    /// Whose log it stands in.
    pub fn facts(&self) -> &LogFacts {
        &self.facts
    }

    /// Whether its own signature was checked, and not only the chain to a seal.
    pub fn signature_checked(&self) -> bool {
        self.signature_checked
    }
}

/// Something that must arrive first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Missing {
    /// The beginning of this log.
    Log(LogId),
    /// This operation.
    Operation(Fingerprint),
}

/// What became of a segment that was not refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Admission {
    /// To be stored, in this order. Empty when all of it was known.
    Admitted(Vec<Verified>),
    /// To be offered again when these have arrived. Two segments of two logs whose authors answered each other can
    /// wait for each other's beginning: who holds such a segment offers it in parts, each by its own last signature.
    Waiting(Vec<Missing>),
    /// Another branch of a log: void, to be stored only where a valid operation depends on it.
    Forked {
        /// Who did it, provable to anyone; none when this branch was proven before.
        proof: Option<Box<Proof>>,
        /// The other branch's operations.
        void: Vec<Verified>,
    },
}

/// Why nothing came of it: the sender's doing or ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AdmitError<E> {
    /// Unacceptable bytes.
    Refused(Refusal),
    /// The ledger failed.
    Fault(E),
}

impl<E> From<Refusal> for AdmitError<E> {
    fn from(refusal: Refusal) -> Self {
        AdmitError::Refused(refusal)
    }
}

/// Whether an operation from the future must wait before it has an effect. It is stored and relayed meanwhile.
pub fn is_embargoed(hybrid_ms: u64, now_ms: u64) -> bool {
    hybrid_ms > now_ms.saturating_add(limits::EMBARGO_MS)
}

/// Admits one operation by its own signature.
pub fn admit<L: Ledger>(ledger: &L, operation: Operation) -> Result<Admission, AdmitError<L::Error>> {
    admit_segment(ledger, vec![operation])
}

/// Admits a run of operations of one log by the hash chain and the signature of the last one, its seal.
///
/// Signatures before the seal are kept unchecked: origin stands proven by chain and seal, and `verify` checks each.
pub fn admit_segment<L: Ledger>(ledger: &L, segment: Vec<Operation>) -> Result<Admission, AdmitError<L::Error>> {
    admit_checked(ledger, segment, &Checked::default())
}

/// As [`admit_segment`], where the seal may have been checked before.
pub fn admit_checked<L: Ledger>(
    ledger: &L,
    segment: Vec<Operation>,
    checked: &Checked,
) -> Result<Admission, AdmitError<L::Error>> {
    check_chain(&segment)?;
    let Some(seal) = segment.last().cloned() else {
        return Ok(Admission::Admitted(Vec::new()));
    };
    let fault = AdmitError::Fault;
    let log = seal.header.log;
    let mut news = Vec::with_capacity(segment.len());
    for operation in segment {
        // Only a prefix can be known: what follows an unknown operation links back to it.
        if !news.is_empty() || ledger.known(&operation.fingerprint).map_err(fault)?.is_none() {
            news.push(operation);
        }
    }
    if news.is_empty() {
        return Ok(Admission::Admitted(Vec::new()));
    }
    let facts = match log_facts(ledger, &log, &news[0])? {
        Ok(facts) => facts,
        Err(missing) => return Ok(Admission::Waiting(vec![missing])),
    };
    check_roles(facts.role, &news)?;
    let missing = check_causality(ledger, &news)?;
    // Before anything waits: what is kept for later must be its author's own, or anyone could fill the waiting room.
    checked.verify_operation(&facts.replica, &seal)?;
    if !missing.is_empty() {
        return Ok(Admission::Waiting(missing));
    }
    let fork = find_fork(ledger, &facts, &news)?;
    let verified = news.into_iter().map(|operation| {
        let signature_checked = operation.fingerprint == seal.fingerprint;
        verify(operation, facts, signature_checked)
    });
    let verified = verified.collect();
    Ok(match fork {
        Fork::None => Admission::Admitted(verified),
        Fork::Known => Admission::Forked { proof: None, void: verified },
        Fork::Proven(proof) => Admission::Forked { proof: Some(proof), void: verified },
    })
}

/// Takes the words of an operation that was admitted without them, because whoever sent it had none or held them
/// back. None when the operation is unknown or the body says nothing that decodes.
///
/// The body was checked against the header's commitment when the operation was read. Whether the words were forgotten
/// since is for the store to say; the signature that came along is not checked, the one kept before stays.
pub fn admit_body<L: Ledger>(ledger: &L, operation: Operation) -> Result<Option<Verified>, AdmitError<L::Error>> {
    let fault = AdmitError::Fault;
    if ledger.known(&operation.fingerprint).map_err(fault)?.is_none() {
        return Ok(None);
    }
    let facts = ledger.log(&operation.header.log).map_err(fault)?;
    let whole = facts.map(|facts| verify(operation, facts, false));
    Ok(whole.filter(|verified| verified.payload.is_some()))
}

/// Attaches the decoded payload. A payload that does not decode has no effect, and its bytes are not kept.
pub(crate) fn verify(mut operation: Operation, facts: LogFacts, signature_checked: bool) -> Verified {
    let kind = operation.header.kind;
    let payload = operation.body.as_ref().and_then(|body| Payload::decode(kind, &body.payload).ok());
    if payload.is_none() {
        operation.body = None;
    }
    Verified { operation, payload, facts, signature_checked }
}

/// One log, contiguous, linked, within the bounds of a segment.
fn check_chain(segment: &[Operation]) -> Result<(), Refusal> {
    if segment.len() > limits::SEGMENT_OPERATIONS_MAX {
        return Err(Refusal::TooLarge { what: "segment (operations)", max: limits::SEGMENT_OPERATIONS_MAX as u64 });
    }
    // One operation alone may be larger: it could travel in no other way.
    if segment.len() > 1 && segment.iter().map(Operation::size).sum::<usize>() > limits::SEGMENT_BYTES_MAX {
        return Err(Refusal::TooLarge { what: "segment (bytes)", max: limits::SEGMENT_BYTES_MAX as u64 });
    }
    for pair in segment.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        let joined = after.header.log == before.header.log
            && after.header.sequence == before.header.sequence + 1
            && after.header.back == Some(before.fingerprint);
        if !joined {
            return Err(Refusal::BrokenChain);
        }
    }
    Ok(())
}

/// The facts of the segment's log, from the ledger or from the `open` that it begins with.
fn log_facts<L: Ledger>(
    ledger: &L,
    log: &LogId,
    first: &Operation,
) -> Result<Result<LogFacts, Missing>, AdmitError<L::Error>> {
    if first.header.kind != Kind::Open {
        return Ok(ledger.log(log).map_err(AdmitError::Fault)?.ok_or(Missing::Log(*log)));
    }
    let body = first.body.as_ref().ok_or(Refusal::Malformed("a log's first operation comes with its payload"))?;
    let Payload::Open(open) = Payload::decode(Kind::Open, &body.payload)? else {
        return Err(Refusal::Malformed("a log's first operation opens it").into());
    };
    if open.space.id() != ledger.space() {
        return Err(Refusal::WrongSpace.into());
    }
    if open.log() != *log {
        return Err(Refusal::Malformed("the log's id is not the one of its space, replica and epoch").into());
    }
    let issuer = match issuer_of(ledger, &open)? {
        Ok(issuer) => issuer,
        Err(missing) => return Ok(Err(missing)),
    };
    let role = open.role(first.header.hybrid_ms, issuer)?;
    Ok(Ok(LogFacts { replica: open.replica, epoch: open.epoch, role }))
}

type Issuer = Option<(ReplicaKey, Role)>;

fn issuer_of<L: Ledger>(ledger: &L, open: &Open) -> Result<Result<Issuer, Missing>, AdmitError<L::Error>> {
    let Some(issuer) = open.grant.as_ref().and_then(|grant| grant.invitation.issuer) else {
        return Ok(Ok(None));
    };
    let Some(known) = ledger.known(&issuer).map_err(AdmitError::Fault)? else {
        return Ok(Err(Missing::Operation(issuer)));
    };
    if known.sequence != 0 {
        return Err(Refusal::NotAllowed("the invitation names no opening of a log").into());
    }
    let facts = ledger.log(&known.log).map_err(AdmitError::Fault)?;
    Ok(Ok(facts.map(|facts| (facts.replica, facts.role))))
}

const OWN_LOG: Refusal = Refusal::Malformed("a dependency stands in the operation's own log");

/// Back link and dependencies are known, and every Lamport time is the one that they make. Returns what is missing.
fn check_causality<L: Ledger>(ledger: &L, news: &[Operation]) -> Result<Vec<Missing>, AdmitError<L::Error>> {
    let mut missing = Vec::new();
    let mut previous: Option<&Operation> = None;
    for operation in news {
        let header = &operation.header;
        let mut greatest = 0;
        match (previous, header.back) {
            (Some(previous), _) => greatest = previous.header.lamport,
            (None, Some(back)) => match ledger.known(&back).map_err(AdmitError::Fault)? {
                None => missing.push(Missing::Operation(back)),
                Some(known) if known.log != header.log || known.sequence + 1 != header.sequence => {
                    return Err(Refusal::BrokenChain.into());
                }
                Some(known) => greatest = known.lamport,
            },
            (None, None) => {}
        }
        for dependency in &header.dependencies {
            match ledger.known(dependency).map_err(AdmitError::Fault)? {
                // Its own log's past is the back link's to tell. Refused, or a segment would wait for itself.
                Some(known) if known.log == header.log => return Err(OWN_LOG.into()),
                None if news.iter().any(|o| o.fingerprint == *dependency) => return Err(OWN_LOG.into()),
                None => missing.push(Missing::Operation(*dependency)),
                Some(known) => greatest = greatest.max(known.lamport),
            }
        }
        if missing.is_empty() && header.lamport != greatest + 1 {
            return Err(Refusal::BadLamport { expected: greatest + 1, found: header.lamport }.into());
        }
        previous = Some(operation);
    }
    Ok(missing)
}

fn check_roles(role: Role, news: &[Operation]) -> Result<(), Refusal> {
    if news.iter().all(|operation| role.may(operation.header.kind)) {
        return Ok(());
    }
    Err(Refusal::NotAllowed("the replica's role does not allow this kind of operation"))
}

enum Fork {
    None,
    Known,
    Proven(Box<Proof>),
}

/// Whether the first new operation stands where another stands already, or continues such a branch.
fn find_fork<L: Ledger>(ledger: &L, facts: &LogFacts, news: &[Operation]) -> Result<Fork, AdmitError<L::Error>> {
    let fault = AdmitError::Fault;
    let Some(first) = news.first() else { return Ok(Fork::None) };
    let (log, sequence) = (&first.header.log, first.header.sequence);
    if let Some(back) = first.header.back
        && ledger.standing_at(log, sequence - 1).map_err(fault)? != Some(back)
    {
        return Ok(Fork::Known);
    }
    if ledger.standing_at(log, sequence).map_err(fault)?.is_none() {
        return Ok(Fork::None);
    }
    let standing = ledger.branch_from(log, sequence).map_err(fault)?;
    let proof = Proof::new(ledger.space(), facts, standing, Branch::of(news));
    Ok(Fork::Proven(Box::new(proof)))
}
