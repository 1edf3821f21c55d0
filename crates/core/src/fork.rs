//! Forks: two operations of one log with one sequence number, and the proof that convicts their author.
//!
//! A proof stands by itself: whoever has it needs nothing else to check it. Each branch is the run of headers from
//! the forked place to one whose signature holds; the hash chain ties that signature to the first header.

use std::sync::Arc;

use crate::codec::{Decoder, Encoder};
use crate::error::{Refusal, Result};
use crate::id::{Epoch, Fingerprint, LogId, ReplicaKey, Signature, SpaceId};
use crate::limits;
use crate::member::{LogFacts, Role, log_id};
use crate::operation::{Header, Operation, fingerprint};
use crate::sign;

/// Headers of one branch, from the forked place on, and the signature of the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Branch {
    /// Header bytes in the order of the log, 1 to 64.
    pub headers: Vec<Arc<[u8]>>,
    /// The author's signature of the last one.
    pub signature: Signature,
}

impl Branch {
    /// The branch that these operations are; the last one's signature was checked.
    pub(crate) fn of(operations: &[Operation]) -> Self {
        let headers = operations.iter().map(|operation| operation.header_bytes.clone()).collect();
        let signature = operations.last().map_or(Signature([0; 64]), |last| last.signature);
        Self { headers, signature }
    }

    fn first(&self) -> Option<Fingerprint> {
        self.headers.first().map(|bytes| fingerprint(bytes))
    }

    /// Checks links and signature; returns the first header's log and place.
    fn verify(&self, replica: &ReplicaKey) -> Result<(LogId, u64)> {
        let first = self.headers.first().ok_or(Refusal::Malformed("a branch without headers"))?;
        let first = Header::decode(first)?;
        let mut last = None;
        for (offset, bytes) in self.headers.iter().enumerate() {
            let header = Header::decode(bytes)?;
            let in_place = header.log == first.log && header.sequence == first.sequence + offset as u64;
            if !in_place || (last.is_some() && header.back != last) {
                return Err(Refusal::BrokenChain);
            }
            last = Some(fingerprint(bytes));
        }
        let last = last.ok_or(Refusal::Malformed("a branch without headers"))?;
        sign::verify_operation(replica, &last, &self.signature)?;
        Ok((first.log, first.sequence))
    }

    fn write(&self, e: &mut Encoder) {
        e.array(2);
        e.list(self.headers.iter(), |e, header| {
            e.bytes(header);
        });
        e.bytes(self.signature.as_bytes());
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self> {
        d.array(2, "a branch has two elements")?;
        let headers = d.list(limits::SEGMENT_OPERATIONS_MAX, "headers", |d| {
            d.bytes(limits::HEADER_BYTES_MAX, "header (bytes)").map(Arc::from)
        })?;
        Ok(Self { headers, signature: Signature::from_slice(d.bytes(Signature::LENGTH, "signature")?)? })
    }
}

/// Proof of misbehaviour: self-contained evidence that one key wrote two branches of one log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The space.
    pub space: SpaceId,
    /// Whose log.
    pub replica: ReplicaKey,
    /// Which life of it.
    pub epoch: Epoch,
    /// In which role; like space, replica and epoch a part of the log's id.
    pub role: Role,
    /// The branch whose first fingerprint is the smaller.
    pub left: Branch,
    /// The other.
    pub right: Branch,
}

/// What a proof shows when it holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cut {
    /// The forked log.
    pub log: LogId,
    /// The place of the fork: from here on everything is void, in every branch.
    pub sequence: u64,
}

impl Proof {
    pub(crate) fn new(space: SpaceId, facts: &LogFacts, one: Branch, other: Branch) -> Self {
        let (left, right) = if one.first() <= other.first() { (one, other) } else { (other, one) };
        Self { space, replica: facts.replica, epoch: facts.epoch, role: facts.role, left, right }
    }

    /// The place of the fork as the proof says it, unchecked; none when it can't be read.
    pub fn claimed_place(&self) -> Option<u64> {
        Header::decode(self.left.headers.first()?).ok().map(|first| first.sequence)
    }

    /// Checks the proof from nothing but itself.
    pub fn verify(&self) -> Result<Cut> {
        if self.left.first() >= self.right.first() {
            return Err(Refusal::Malformed("the branches of a proof are equal or out of order"));
        }
        let left = self.left.verify(&self.replica)?;
        let right = self.right.verify(&self.replica)?;
        if left != right {
            return Err(Refusal::Malformed("the branches begin at different places"));
        }
        if left.0 != log_id(&self.space, &self.replica, &self.epoch, self.role) {
            return Err(Refusal::Malformed("the log is not the accused replica's"));
        }
        Ok(Cut { log: left.0, sequence: left.1 })
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        e.array(6).bytes(self.space.as_bytes()).bytes(self.replica.as_bytes()).bytes(self.epoch.as_bytes());
        e.uint(self.role as u64);
        self.left.write(&mut e);
        self.right.write(&mut e);
        e.finish()
    }

    /// Reads the canonical bytes. Reading proves nothing: see [`Proof::verify`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut d = Decoder::new(bytes);
        d.array(6, "a proof has six elements")?;
        let proof = Self {
            space: SpaceId::from_slice(d.bytes(SpaceId::LENGTH, "space")?)?,
            replica: ReplicaKey::from_slice(d.bytes(ReplicaKey::LENGTH, "replica key")?)?,
            epoch: Epoch::from_slice(d.bytes(Epoch::LENGTH, "epoch")?)?,
            role: Role::from_number(d.uint(u64::from(u8::MAX), "role")?)?,
            left: Branch::read(&mut d)?,
            right: Branch::read(&mut d)?,
        };
        d.finish()?;
        Ok(proof)
    }
}
