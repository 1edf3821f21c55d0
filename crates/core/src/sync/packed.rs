//! Packed segments: the short form of a run of one log, which is read with the help of what stands here already.
//!
//! The log is named once. Back link and dependencies are marks, eight bytes of each fingerprint, that the reader
//! completes from his own operations. Times are differences. Length and commitment of a payload that travels follow
//! from it. The mark of the last operation tells whether all of it was completed as its author wrote it: only then is
//! it offered to admission, so that nobody is blamed for a mark that two operations share.

use std::collections::BTreeMap;

use crate::codec::{Decoder, Encoder};
use crate::error::{Refusal, Result};
use crate::id::{Commitment, Fingerprint, LogId, Salt, Signature};
use crate::limits;
use crate::operation::{Body, Header, Kind, Operation, commitment};

use super::fields::{read_log, read_sequence};
use super::replica::{Mark, Replica, Segment};

const OPERATION_ELEMENTS: usize = 6;

/// A run of one log in short form, as read from the wire: within all bounds, not yet completed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackedSegment {
    log: LogId,
    first: u64,
    /// The operation before the first; none when the log opens here.
    back: Option<Mark>,
    operations: Vec<PackedOperation>,
    /// The last operation of the run.
    seal: Mark,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct PackedOperation {
    kind: Kind,
    lamport: u64,
    hybrid_ms: u64,
    expires_ms: Option<u64>,
    dependencies: Vec<Mark>,
    words: Words,
    signature: Signature,
}

/// The body, or what the header says of one that is not there.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Words {
    Here(Body),
    Gone { payload_length: u32, commitment: Commitment },
}

/// What completes marks: a replica, or a replica and what was just unpacked.
pub trait Resolver {
    /// A fault of the replica.
    type Error;

    /// The fingerprint at a place of a log's first branch, void or not.
    fn standing_at(&self, log: &LogId, place: u64) -> std::result::Result<Option<Fingerprint>, Self::Error>;

    /// The one operation, void or not, whose fingerprint begins so.
    fn resolve(&self, mark: &Mark) -> std::result::Result<Option<Fingerprint>, Self::Error>;

    /// How many operations of a log stand here.
    fn count(&self, log: &LogId) -> std::result::Result<u64, Self::Error>;
}

impl<R: Replica> Resolver for R {
    type Error = R::Error;

    fn standing_at(&self, log: &LogId, place: u64) -> std::result::Result<Option<Fingerprint>, Self::Error> {
        Replica::standing_at(self, log, place)
    }

    fn resolve(&self, mark: &Mark) -> std::result::Result<Option<Fingerprint>, Self::Error> {
        Replica::resolve(self, mark)
    }

    fn count(&self, log: &LogId) -> std::result::Result<u64, Self::Error> {
        Ok(self.state(log)?.map_or(0, |state| state.count))
    }
}

/// Why a packed segment gave no operations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unresolved<E> {
    /// Operations before it are not here: to be asked for, from this place on.
    Gap {
        /// The log.
        log: LogId,
        /// The first place that is missing.
        from: u64,
    },
    /// A mark that names nothing here, or another operation than its author meant: to be asked for in full.
    Unreadable {
        /// The log.
        log: LogId,
        /// The first place of the run.
        from: u64,
    },
    /// No header can say what it says, whatever the marks mean.
    Refused(Refusal),
    /// The replica failed.
    Fault(E),
}

impl<E> From<Refusal> for Unresolved<E> {
    fn from(refusal: Refusal) -> Self {
        Unresolved::Refused(refusal)
    }
}

impl PackedSegment {
    /// The short form of these operations; none when they are not a run of one log, or too many.
    pub fn pack(segment: &[Operation]) -> Option<Self> {
        let (first, seal) = (segment.first()?, segment.last()?);
        let is_run = segment.windows(2).all(|pair| {
            let (before, after) = (&pair[0], &pair[1]);
            let (one, next) = (&before.header, &after.header);
            next.log == one.log && next.sequence == one.sequence + 1 && next.back == Some(before.fingerprint)
        });
        (is_run && segment.len() <= limits::SEGMENT_OPERATIONS_MAX).then(|| Self {
            log: first.header.log,
            first: first.header.sequence,
            back: first.header.back.as_ref().map(Mark::of),
            operations: segment.iter().map(PackedOperation::pack).collect(),
            seal: Mark::of(&seal.fingerprint),
        })
    }

    /// The log that it is a run of.
    pub fn log(&self) -> LogId {
        self.log
    }

    /// The place of its first operation.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// How many operations it has: one at least.
    pub fn count(&self) -> usize {
        self.operations.len()
    }

    /// Its operations, header for header as their author wrote them, or why they can't be known here.
    pub fn unpack<R: Resolver>(&self, resolver: &R) -> std::result::Result<Segment, Unresolved<R::Error>> {
        let mut back = self.resolve_back(resolver)?;
        let mut segment = Segment::with_capacity(self.operations.len());
        for (place, packed) in (self.first..).zip(&self.operations) {
            let mut dependencies = Vec::with_capacity(packed.dependencies.len());
            for mark in &packed.dependencies {
                let found = resolver.resolve(mark).map_err(Unresolved::Fault)?;
                dependencies.push(found.ok_or_else(|| self.unreadable())?);
            }
            let operation = packed.complete(self.log, place, back, dependencies)?;
            back = Some(operation.fingerprint);
            segment.push(operation);
        }
        let is_whole = back.as_ref().map(Mark::of) == Some(self.seal);
        if is_whole { Ok(segment) } else { Err(self.unreadable()) }
    }

    fn unreadable<E>(&self) -> Unresolved<E> {
        Unresolved::Unreadable { log: self.log, from: self.first }
    }

    fn resolve_back<R: Resolver>(
        &self,
        resolver: &R,
    ) -> std::result::Result<Option<Fingerprint>, Unresolved<R::Error>> {
        let Some(mark) = &self.back else { return Ok(None) };
        let standing = resolver.standing_at(&self.log, self.first - 1).map_err(Unresolved::Fault)?;
        if let Some(standing) = standing.filter(|standing| Mark::of(standing) == *mark) {
            return Ok(Some(standing));
        }
        // It may continue another branch, whose void operations are here.
        if let Some(void) = resolver.resolve(mark).map_err(Unresolved::Fault)? {
            return Ok(Some(void));
        }
        if standing.is_some() {
            return Err(self.unreadable());
        }
        let from = resolver.count(&self.log).map_err(Unresolved::Fault)?.min(self.first - 1);
        Err(Unresolved::Gap { log: self.log, from })
    }

    /// Writes what can be compressed, and into `noise` what can't.
    pub(super) fn write(&self, e: &mut Encoder, noise: &mut Vec<u8>) {
        e.array(3).bytes(self.log.as_bytes()).uint(self.first).array(self.operations.len());
        noise.extend(self.back.iter().flat_map(|mark| mark.0));
        let mut before = (0, 0);
        for operation in &self.operations {
            operation.write(e, noise, before);
            before = (operation.lamport, operation.hybrid_ms);
        }
        noise.extend(self.seal.0);
    }

    /// Reads what was written so.
    pub(super) fn read(d: &mut Decoder<'_>, noise: &mut Noise<'_>) -> Result<Self> {
        d.array(3, "a packed segment has three elements")?;
        let (log, first) = (read_log(d)?, read_sequence(d)?);
        let back = if first > 0 { Some(Mark(noise.take()?)) } else { None };
        let mut before = (0, 0);
        let operations = d.list(limits::SEGMENT_OPERATIONS_MAX, "segment (operations)", |d| {
            let operation = PackedOperation::read(d, noise, before)?;
            before = (operation.lamport, operation.hybrid_ms);
            Ok(operation)
        })?;
        if operations.is_empty() || first > limits::INTEGER_MAX - operations.len() as u64 {
            return Err(Refusal::Malformed("a segment without operations, or beyond the last place"));
        }
        Ok(Self { log, first, back, operations, seal: Mark(noise.take()?) })
    }
}

impl PackedOperation {
    fn pack(operation: &Operation) -> Self {
        let header = &operation.header;
        let gone = || Words::Gone { payload_length: header.payload_length, commitment: header.commitment };
        Self {
            kind: header.kind,
            lamport: header.lamport,
            hybrid_ms: header.hybrid_ms,
            expires_ms: header.expires_ms,
            dependencies: header.dependencies.iter().map(Mark::of).collect(),
            words: operation.body.clone().map_or_else(gone, Words::Here),
            signature: operation.signature,
        }
    }

    fn complete(
        &self,
        log: LogId,
        sequence: u64,
        back: Option<Fingerprint>,
        dependencies: Vec<Fingerprint>,
    ) -> Result<Operation> {
        let (payload_length, commitment) = match &self.words {
            Words::Here(body) => (body.payload.len() as u32, commitment(&body.salt, &body.payload)),
            Words::Gone { payload_length, commitment } => (*payload_length, *commitment),
        };
        let header = Header {
            log,
            sequence,
            back,
            dependencies,
            lamport: self.lamport,
            hybrid_ms: self.hybrid_ms,
            kind: self.kind,
            payload_length,
            commitment,
            expires_ms: self.expires_ms,
        };
        let body = match &self.words {
            Words::Here(body) => Some(body.clone()),
            Words::Gone { .. } => None,
        };
        Operation::from_header(header, self.signature, body)
    }

    fn write(&self, e: &mut Encoder, noise: &mut Vec<u8>, before: (u64, u64)) {
        e.array(OPERATION_ELEMENTS).uint(self.kind as u64);
        e.int(difference(before.0, self.lamport)).int(difference(before.1, self.hybrid_ms));
        e.optional(self.expires_ms, |e, at| {
            e.int(difference(self.hybrid_ms, at));
        });
        e.uint(self.dependencies.len() as u64);
        noise.extend(self.dependencies.iter().flat_map(|mark| mark.0));
        match &self.words {
            Words::Here(body) => {
                e.bytes(&body.payload);
                noise.extend(body.salt.as_bytes());
            }
            Words::Gone { payload_length, commitment } => {
                e.array(1).uint(u64::from(*payload_length));
                noise.extend(commitment.as_bytes());
            }
        }
        noise.extend(self.signature.as_bytes());
    }

    fn read(d: &mut Decoder<'_>, noise: &mut Noise<'_>, before: (u64, u64)) -> Result<Self> {
        d.array(OPERATION_ELEMENTS, "a packed operation has six elements")?;
        let kind = Kind::from_number(d.uint(u64::from(u8::MAX), "kind")?)?;
        let lamport = read_after(d, before.0, "Lamport time")?;
        let hybrid_ms = read_after(d, before.1, "hybrid time")?;
        let expires_ms = d.optional(|d| read_after(d, hybrid_ms, "expiry"))?;
        let dependencies = d.uint(limits::DEPENDENCIES_MAX as u64, "dependencies")?;
        let dependencies = (0..dependencies).map(|_| noise.take().map(Mark)).collect::<Result<_>>()?;
        let words = Words::read(d, noise)?;
        let signature = Signature(noise.take()?);
        Ok(Self { kind, lamport, hybrid_ms, expires_ms, dependencies, words, signature })
    }
}

impl Words {
    fn read(d: &mut Decoder<'_>, noise: &mut Noise<'_>) -> Result<Self> {
        if d.is_array()? {
            d.array(1, "of a payload that is not there stands its length")?;
            let payload_length = d.uint(limits::PAYLOAD_BYTES_MAX as u64, "payload length")? as u32;
            return Ok(Words::Gone { payload_length, commitment: Commitment(noise.take()?) });
        }
        let payload = d.bytes(limits::PAYLOAD_BYTES_MAX, "payload (bytes)")?.into();
        Ok(Words::Here(Body { salt: Salt(noise.take()?), payload }))
    }
}

/// Both are times, at most [`limits::INTEGER_MAX`], so that their difference is no overflow.
fn difference(from: u64, to: u64) -> i64 {
    to as i64 - from as i64
}

fn read_after(d: &mut Decoder<'_>, before: u64, what: &'static str) -> Result<u64> {
    let after = before.checked_add_signed(d.int(what)?).filter(|after| *after <= limits::INTEGER_MAX);
    after.ok_or(Refusal::TooLarge { what, max: limits::INTEGER_MAX })
}

/// Salts, signatures, marks and digests of all segments of a message, one after the other.
#[derive(Debug)]
pub(super) struct Noise<'a> {
    rest: &'a [u8],
}

impl<'a> Noise<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Refusal::Malformed("noise is cut short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Refusal::Malformed("more noise than segments")) }
    }
}

/// Completes segments one after the other: what was unpacked before counts as standing, though it is not stored yet.
#[derive(Debug)]
pub struct Unpacker<'a, R> {
    replica: &'a R,
    /// None where two operations share a mark.
    marks: BTreeMap<Mark, Option<Fingerprint>>,
    standing: BTreeMap<(LogId, u64), Fingerprint>,
}

impl<'a, R: Resolver> Unpacker<'a, R> {
    /// Over what stands here.
    pub fn new(replica: &'a R) -> Self {
        Self { replica, marks: BTreeMap::new(), standing: BTreeMap::new() }
    }

    /// As [`PackedSegment::unpack`], and remembers what came of it.
    pub fn unpack(&mut self, packed: &PackedSegment) -> std::result::Result<Segment, Unresolved<R::Error>> {
        let segment = packed.unpack(&Overlay(self))?;
        self.learn(&segment);
        Ok(segment)
    }

    /// Remembers operations that came in full.
    pub fn learn(&mut self, segment: &[Operation]) {
        for operation in segment {
            let (header, fingerprint) = (&operation.header, operation.fingerprint);
            self.standing.entry((header.log, header.sequence)).or_insert(fingerprint);
            let named = self.marks.entry(Mark::of(&fingerprint)).or_insert(Some(fingerprint));
            if *named != Some(fingerprint) {
                *named = None;
            }
        }
    }
}

/// An unpacker as a resolver of its own: no blanket implementation may meet it.
struct Overlay<'a, 'b, R>(&'a Unpacker<'b, R>);

impl<R: Resolver> Resolver for Overlay<'_, '_, R> {
    type Error = R::Error;

    fn standing_at(&self, log: &LogId, place: u64) -> std::result::Result<Option<Fingerprint>, Self::Error> {
        let stored = self.0.replica.standing_at(log, place)?;
        Ok(stored.or_else(|| self.0.standing.get(&(*log, place)).copied()))
    }

    fn resolve(&self, mark: &Mark) -> std::result::Result<Option<Fingerprint>, Self::Error> {
        match self.0.marks.get(mark) {
            Some(unpacked) => Ok(*unpacked),
            None => self.0.replica.resolve(mark),
        }
    }

    fn count(&self, log: &LogId) -> std::result::Result<u64, Self::Error> {
        let unpacked = self.0.standing.range((*log, 0)..=(*log, u64::MAX)).next_back();
        Ok(self.0.replica.count(log)?.max(unpacked.map_or(0, |((_, place), _)| place + 1)))
    }
}
