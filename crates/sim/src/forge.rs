//! Operations that a hostile member signs against the rules: real keys, real signatures, and headers of its own making.

use chrysalis_core::Refusal;
use chrysalis_core::admit::Ledger as _;
use chrysalis_core::id::{Fingerprint, LogId, Salt, content_digest};
use chrysalis_core::operation::{Body, Header, Kind, Operation, commitment, fingerprint};
use chrysalis_core::payload::{Attest, Change, Field, Payload, Value, Write};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::replica::{Replica as _, Segment};

use crate::random::{Draw, Random};

/// What is wrong with a forged operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgery {
    /// A Lamport time far above the one that follows from its past.
    Lamport,
    /// A dependency that nobody wrote: an orphan, which would wait for ever.
    Orphan,
    /// A place far beyond the end of its log, with a back link that nobody wrote.
    Gap,
    /// Words that are not canonical, under a header that commits to them.
    Words,
    /// A time ten years ahead.
    Future,
    /// A kind that its role does not allow.
    Role,
    /// A signature that is not its author's.
    Signature,
    /// A log of its key that no opening begins.
    Unopened,
}

impl Forgery {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Lamport,
        Self::Orphan,
        Self::Gap,
        Self::Words,
        Self::Future,
        Self::Role,
        Self::Signature,
        Self::Unopened,
    ];
}

const TEN_YEARS_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

/// Signs an operation that is wrong in this way. It takes the place after the end of the own log.
///
/// # Errors
/// None that this module makes: what it signs is well-formed.
pub fn forge(
    replica: &MemoryReplica,
    seed: &[u8; 32],
    forgery: Forgery,
    now_ms: u64,
    random: &mut Random,
) -> Result<Segment, Refusal> {
    let words = format!("forged{}", random.next());
    let mut payload = note(&words)?.encode();
    let mut header = next_header(replica, now_ms);
    match forgery {
        Forgery::Lamport => header.lamport += random.between(1, 1 << 40),
        Forgery::Orphan => header.dependencies = vec![Fingerprint(random.bytes())],
        Forgery::Gap => {
            header.sequence += random.between(1, 1 << 40);
            header.back = Some(Fingerprint(random.bytes()));
        }
        Forgery::Words => payload.push(0),
        Forgery::Future => header.hybrid_ms += TEN_YEARS_MS,
        Forgery::Role => header.kind = Kind::Configure,
        Forgery::Signature => {}
        Forgery::Unopened => {
            header.log = LogId(random.bytes());
            header.back = Some(Fingerprint(random.bytes()));
            header.sequence = 1;
        }
    }
    let key = match forgery {
        Forgery::Signature => SecretKey::from_seed(&random.bytes()),
        _ => SecretKey::from_seed(seed),
    };
    Ok(vec![sign(&key, header, payload, Salt(random.bytes()))?])
}

fn sign(key: &SecretKey, mut header: Header, payload: Vec<u8>, salt: Salt) -> Result<Operation, Refusal> {
    header.payload_length = payload.len() as u32;
    header.commitment = commitment(&salt, &payload);
    let bytes = header.encode();
    let signature = key.sign_operation(&fingerprint(&bytes));
    Operation::from_parts(&bytes, signature, Some(Body { salt, payload: payload.into() }))
}

/// The header that an honest replica would write next, without dependencies.
fn next_header(replica: &MemoryReplica, now_ms: u64) -> Header {
    let log = replica.own_log();
    let Ok(state) = replica.state(&log);
    let count = state.map_or(0, |state| state.count);
    let last = count.checked_sub(1).and_then(|last| {
        let Ok(standing) = chrysalis_core::admit::Ledger::standing_at(replica, &log, last);
        standing
    });
    let lamport = last.map_or(0, |last| {
        let Ok(known) = replica.known(&last);
        known.map_or(0, |known| known.lamport)
    });
    Header {
        log,
        sequence: count,
        back: last,
        dependencies: Vec::new(),
        lamport: lamport + 1,
        hybrid_ms: now_ms,
        kind: Kind::Write,
        payload_length: 0,
        commitment: commitment(&Salt([0; 16]), &[]),
        expires_ms: None,
    }
}

/// A memory of these words.
pub(crate) fn note(words: &str) -> Result<Payload, Refusal> {
    Ok(Payload::Write(Write {
        memory: chrysalis_core::id::MemoryId::new(words)?,
        agent: "hostile".to_owned(),
        root: None,
        changes: vec![Change::Register {
            field: Field::Content,
            value: Value::Text(words.to_owned()),
            replaces: Vec::new(),
        }],
    }))
}

/// What hostile validators vote on.
#[derive(Clone, Copy, Debug)]
pub struct Vote<'a> {
    /// The memory.
    pub id: &'a str,
    /// What it says.
    pub words: &'a str,
}

impl Vote<'_> {
    /// A vote of this confidence.
    pub(crate) fn payload(&self, confidence: u16) -> Result<Payload, Refusal> {
        let (memory, content) = (chrysalis_core::id::MemoryId::new(self.id)?, content_digest(self.words));
        Ok(Payload::Attest(Attest { memory, content, confidence }))
    }
}
