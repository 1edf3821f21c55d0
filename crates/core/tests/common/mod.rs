//! A ledger in memory and authors with fixed keys, salts and clocks: what the tests of admission, the golden bytes
//! and the fuzz targets share.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod golden;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use chrysalis_core::admit::{Admission, AdmitError, Known, Ledger, LogFacts, Verified, admit_segment};
use chrysalis_core::fork::{Branch, Proof};
use chrysalis_core::id::{Epoch, Fingerprint, LogId, MemoryId, ReplicaKey, Salt, SpaceId};
use chrysalis_core::limits;
use chrysalis_core::log::{Draft, Head};
use chrysalis_core::member::{Grant, Invitation, Open, Role, Space};
use chrysalis_core::operation::{Body, Header, Operation, commitment, fingerprint};
use chrysalis_core::payload::{Change, Field, Payload, Value, Write};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::{Refusal, Result};

/// 2026-01-01 in ms since the Unix epoch: the clock of every author starts here.
pub const START_MS: u64 = 1_767_225_600_000;

/// The ground as the store keeps it, without a disk. Void operations are all kept.
pub struct MemoryLedger {
    space: SpaceId,
    logs: BTreeMap<LogId, LogFacts>,
    operations: BTreeMap<Fingerprint, Verified>,
    standing: BTreeMap<(LogId, u64), Fingerprint>,
    proofs: Vec<Proof>,
    waiting: Vec<Vec<Operation>>,
}

impl MemoryLedger {
    pub fn new(space: &Space) -> Self {
        Self {
            space: space.id(),
            logs: BTreeMap::new(),
            operations: BTreeMap::new(),
            standing: BTreeMap::new(),
            proofs: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Admits a segment and keeps what was admitted; what waits is the caller's.
    pub fn offer(&mut self, segment: &[Operation]) -> Result<Admission> {
        let admission = admit_segment(self, segment.to_vec()).map_err(|error| match error {
            AdmitError::Refused(refusal) => refusal,
            AdmitError::Fault(fault) => match fault {},
        })?;
        match &admission {
            Admission::Admitted(news) => self.keep(news, true),
            Admission::Forked { proof, void } => {
                self.keep(void, false);
                self.proofs.extend(proof.as_deref().cloned());
            }
            Admission::Waiting(_) => {}
        }
        Ok(admission)
    }

    /// Admits one operation.
    pub fn offer_one(&mut self, operation: &Operation) -> Result<Admission> {
        self.offer(std::slice::from_ref(operation))
    }

    /// Admits what must be admitted as news.
    pub fn accept(&mut self, segment: &[Operation]) {
        let admission = self.offer(segment).unwrap();
        assert!(matches!(&admission, Admission::Admitted(news) if !news.is_empty()), "{admission:?}");
    }

    /// Offers a segment as the network brings it: what waits is offered again whenever something new was kept, in
    /// halves, since two segments can wait for each other's beginning.
    pub fn receive(&mut self, segment: &[Operation]) {
        if !self.waiting.iter().any(|waiting| waiting == segment) {
            self.waiting.push(segment.to_vec());
        }
        loop {
            let (before, mut halved) = (self.operations.len(), false);
            for segment in std::mem::take(&mut self.waiting) {
                if let Ok(Admission::Waiting(_)) = self.offer(&segment) {
                    let (first, second) = segment.split_at(segment.len().div_ceil(2));
                    halved |= !second.is_empty();
                    self.waiting.extend([first, second].into_iter().filter(|half| !half.is_empty()).map(<[_]>::to_vec));
                }
            }
            if self.operations.len() == before && !halved {
                return;
            }
        }
    }

    fn keep(&mut self, news: &[Verified], stands: bool) {
        for verified in news {
            let (header, fingerprint) = (verified.operation().header(), verified.operation().fingerprint());
            self.logs.entry(header.log).or_insert(*verified.facts());
            if stands {
                let replaced = self.standing.insert((header.log, header.sequence), fingerprint);
                assert_eq!(replaced, None, "a place was given twice");
            }
            self.operations.insert(fingerprint, verified.clone());
        }
    }

    pub fn get(&self, fingerprint: &Fingerprint) -> Option<&Verified> {
        self.operations.get(fingerprint)
    }

    pub fn fingerprints(&self) -> BTreeSet<Fingerprint> {
        self.operations.keys().copied().collect()
    }

    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// For each forked log its lowest forked place.
    pub fn cuts(&self) -> BTreeMap<LogId, u64> {
        let mut cuts = BTreeMap::new();
        for cut in self.proofs.iter().map(|proof| proof.verify().unwrap()) {
            let lowest = cuts.entry(cut.log).or_insert(cut.sequence);
            *lowest = cut.sequence.min(*lowest);
        }
        cuts
    }

    /// For each log its last operation that is not void.
    pub fn heads(&self) -> BTreeMap<LogId, (u64, Fingerprint)> {
        let cuts = self.cuts();
        let valid = self.standing.iter().filter(|((log, sequence), _)| cuts.get(log).is_none_or(|cut| sequence < cut));
        valid.map(|((log, sequence), fingerprint)| (*log, (*sequence, *fingerprint))).collect()
    }
}

impl Ledger for MemoryLedger {
    type Error = Infallible;

    fn space(&self) -> SpaceId {
        self.space
    }

    fn log(&self, log: &LogId) -> std::result::Result<Option<LogFacts>, Infallible> {
        Ok(self.logs.get(log).copied())
    }

    fn known(&self, fingerprint: &Fingerprint) -> std::result::Result<Option<Known>, Infallible> {
        Ok(self.operations.get(fingerprint).map(|verified| {
            let header = verified.operation().header();
            Known { log: header.log, sequence: header.sequence, lamport: header.lamport }
        }))
    }

    fn standing_at(&self, log: &LogId, sequence: u64) -> std::result::Result<Option<Fingerprint>, Infallible> {
        Ok(self.standing.get(&(*log, sequence)).copied())
    }

    fn branch_from(&self, log: &LogId, sequence: u64) -> std::result::Result<Branch, Infallible> {
        let mut headers = Vec::new();
        for place in sequence.. {
            let verified = &self.operations[&self.standing[&(*log, place)]];
            headers.push(verified.operation().header_bytes().into());
            if verified.signature_checked() {
                return Ok(Branch { headers, signature: *verified.operation().signature() });
            }
        }
        unreachable!("every standing operation has a seal at or after it")
    }
}

/// A replica that writes: its key, its log's head and a clock that moves one millisecond with every operation.
pub struct Author {
    seed: u8,
    pub key: SecretKey,
    pub open: Open,
    pub head: Head,
    pub opened: Option<Fingerprint>,
    pub clock_ms: u64,
    salts: u64,
}

impl Author {
    /// A replica of an open space, or the founder of a closed one.
    pub fn new(space: &Space, seed: u8) -> Self {
        Self::with_grant(space, seed, None)
    }

    /// A replica with a grant, true or false.
    pub fn with_grant(space: &Space, seed: u8, grant: Option<Grant>) -> Self {
        let key = SecretKey::from_seed(&[seed; 32]);
        let open = Open { space: space.clone(), replica: key.public(), epoch: Epoch([seed; 16]), grant };
        let role = match (space, &open.grant) {
            (Space::Closed { .. }, Some(grant)) => grant.invitation.role,
            _ => Role::Administrator,
        };
        let facts = LogFacts { replica: open.replica, epoch: open.epoch, role };
        let head = Head::unopened(open.log(), facts);
        Self { seed, key, open, head, opened: None, clock_ms: START_MS, salts: 0 }
    }

    /// A replica that this one invites.
    pub fn invite(&self, seed: u8, role: Role) -> Self {
        self.invite_until(seed, role, None)
    }

    pub fn invite_until(&self, seed: u8, role: Role, expires_ms: Option<u64>) -> Self {
        let space = &self.open.space;
        let replica = SecretKey::from_seed(&[seed; 32]).public();
        let grant = self.grant(seed, role, expires_ms, &replica);
        Self::with_grant(space, seed, Some(grant))
    }

    /// A grant by this administrator; the ephemeral key follows from `token`.
    pub fn grant(&self, token: u8, role: Role, expires_ms: Option<u64>, replica: &ReplicaKey) -> Grant {
        let space = self.open.space.id();
        let ephemeral = SecretKey::from_seed(&[token ^ 0xff; 32]);
        let is_founder = self.open.grant.is_none();
        let issuer = if is_founder { None } else { self.opened };
        let invitation = Invitation::sign(&space, role, expires_ms, ephemeral.public(), issuer, &self.key);
        Grant::accept(invitation, &ephemeral, &space, replica)
    }

    /// The same replica on a second machine: its next operation forks the log.
    pub fn copy(&self) -> Self {
        Self {
            seed: self.seed,
            key: SecretKey::from_seed(&[self.seed; 32]),
            open: self.open.clone(),
            head: self.head,
            opened: self.opened,
            clock_ms: self.clock_ms,
            // Other salts, so that equal words make another operation.
            salts: self.salts + 1_000_000,
        }
    }

    pub fn key_seed(&self) -> u8 {
        self.seed
    }

    pub fn log(&self) -> LogId {
        self.head.log
    }

    pub fn open_log(&mut self) -> Operation {
        let open = Payload::Open(Box::new(self.open.clone()));
        let operation = self.say(open, &[]);
        self.opened = Some(operation.fingerprint());
        operation
    }

    /// Opens the log as `open` says, whatever the head believes.
    pub fn craft_open(&mut self) -> Operation {
        let open = Payload::Open(Box::new(self.open.clone()));
        let log = self.open.log();
        self.head = Head::unopened(log, self.head.facts);
        self.say(open, &[])
    }

    /// Writes a memory of these words.
    pub fn note(&mut self, words: &str) -> Operation {
        self.note_after(words, &[])
    }

    pub fn note_after(&mut self, words: &str, dependencies: &[&Operation]) -> Operation {
        self.say(note(words), dependencies)
    }

    pub fn say(&mut self, payload: Payload, dependencies: &[&Operation]) -> Operation {
        let draft = Draft {
            payload,
            salt: self.salt(),
            now_ms: self.tick(),
            expires_ms: None,
            dependencies: dependencies.iter().map(|o| (o.fingerprint(), o.header().lamport)).collect(),
            payload_bytes_max: limits::PAYLOAD_BYTES_MAX,
        };
        self.head.extend(&self.key, draft).unwrap().operation().clone()
    }

    /// Signs a header of one's own making: what no honest replica would do. The head stays where it is.
    pub fn craft(&mut self, payload: &Payload, change: impl FnOnce(&mut Header)) -> Operation {
        self.craft_bytes(payload.kind(), payload.encode(), change)
    }

    pub fn craft_bytes(
        &mut self,
        kind: chrysalis_core::operation::Kind,
        payload: Vec<u8>,
        change: impl FnOnce(&mut Header),
    ) -> Operation {
        let body = Body { salt: self.salt(), payload: payload.into() };
        let mut header = Header {
            log: self.log(),
            sequence: self.head.last.map_or(0, |last| last.sequence + 1),
            back: self.head.last.map(|last| last.fingerprint),
            dependencies: Vec::new(),
            lamport: self.head.last.map_or(1, |last| last.lamport + 1),
            hybrid_ms: self.tick(),
            kind,
            payload_length: body.payload.len() as u32,
            commitment: commitment(&body.salt, &body.payload),
            expires_ms: None,
        };
        change(&mut header);
        signed(&self.key, &header, Some(body)).unwrap()
    }

    fn salt(&mut self) -> Salt {
        self.salts += 1;
        let mut salt = [self.seed; 16];
        salt[..8].copy_from_slice(&self.salts.to_be_bytes());
        Salt(salt)
    }

    fn tick(&mut self) -> u64 {
        self.clock_ms += 1;
        self.clock_ms
    }
}

/// Any header, signed by any key.
pub fn signed(key: &SecretKey, header: &Header, body: Option<Body>) -> Result<Operation> {
    let bytes = header.encode();
    Operation::from_parts(&bytes, key.sign_operation(&fingerprint(&bytes)), body)
}

/// The payload that writes these words as a memory of that id.
pub fn note(words: &str) -> Payload {
    Payload::Write(Write {
        memory: memory(words),
        agent: "tester".to_owned(),
        root: None,
        changes: vec![Change::Register {
            field: Field::Content,
            value: Value::Text(words.to_owned()),
            replaces: Vec::new(),
        }],
    })
}

pub fn memory(id: &str) -> MemoryId {
    MemoryId::new(id).unwrap()
}

pub fn open_space() -> Space {
    Space::Open { name: "tests".to_owned() }
}

/// A closed space whose founder has this seed.
pub fn closed_space(founder: u8) -> Space {
    let founder = SecretKey::from_seed(&[founder; 32]).public();
    Space::Closed { name: "tests".to_owned(), founder, nonce: Epoch([0x42; 16]) }
}

/// An author of the open space whose log is opened, with the operation that opens it.
pub fn opened(seed: u8) -> (Author, Operation) {
    let mut author = Author::new(&open_space(), seed);
    let open = author.open_log();
    (author, open)
}

/// A ledger of the open space that holds these operations, each offered alone.
pub fn ledger_of(operations: &[&Operation]) -> MemoryLedger {
    let mut ledger = MemoryLedger::new(&open_space());
    for operation in operations {
        ledger.accept(&[(*operation).clone()]);
    }
    ledger
}

/// The code of the refusal that this admission must be.
pub fn refusal_code(admission: Result<Admission>) -> &'static str {
    match admission {
        Err(refusal) => Refusal::code(&refusal),
        Ok(admission) => panic!("not refused: {admission:?}"),
    }
}
