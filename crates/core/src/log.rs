//! A replica's own log: how an operation is made and what its head is.

use crate::admit::{LogFacts, Verified, verify};
use crate::error::{Refusal, Result};
use crate::id::{Fingerprint, LogId, Salt, Signature};
use crate::limits;
use crate::operation::{Body, Header, Operation, commitment};
use crate::payload::Payload;
use crate::sign::SecretKey;

/// The end of a log: what the next operation continues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The log.
    pub log: LogId,
    /// Whose it is.
    pub facts: LogFacts,
    /// The last operation; none before the log is opened.
    pub last: Option<Last>,
}

/// The last operation of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Last {
    /// Its id.
    pub fingerprint: Fingerprint,
    /// Its place.
    pub sequence: u64,
    /// Its Lamport time.
    pub lamport: u64,
    /// Its hybrid time, in ms since the Unix epoch.
    pub hybrid_ms: u64,
}

/// What the author adds to make an operation.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it says.
    pub payload: Payload,
    /// Sixteen fresh random bytes.
    pub salt: Salt,
    /// The author's wall clock, in ms since the Unix epoch.
    pub now_ms: u64,
    /// When every replica drops the payload, in ms since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// The newest heads of other logs that the author can serve, with their Lamport times: any order, at most 16.
    pub dependencies: Vec<(Fingerprint, u64)>,
    /// Bytes of payload that the author allows himself.
    pub payload_bytes_max: usize,
}

/// The hybrid time of the next operation: the wall clock, but not before the last operation, unless that one lies so
/// far ahead that the clock must have been wrong then.
pub fn hybrid_time(last_ms: Option<u64>, now_ms: u64) -> u64 {
    match last_ms {
        Some(last_ms) if last_ms <= now_ms.saturating_add(limits::EMBARGO_MS) => last_ms.max(now_ms),
        _ => now_ms,
    }
}

impl Head {
    /// The head of a log that is about to be opened.
    pub fn unopened(log: LogId, facts: LogFacts) -> Self {
        Self { log, facts, last: None }
    }

    /// Makes, signs and returns the next operation, and moves the head to it.
    ///
    /// The operation must be on disk before it leaves the machine, and the head must be read and extended inside one
    /// write transaction: otherwise two processes write two branches.
    pub fn extend(&mut self, key: &SecretKey, draft: Draft) -> Result<Verified> {
        if key.public() != self.facts.replica {
            return Err(Refusal::NotAllowed("the key is not the log's"));
        }
        let kind = draft.payload.kind();
        if !self.facts.role.may(kind) {
            return Err(Refusal::NotAllowed("this replica's role does not allow that"));
        }
        let bytes = draft.payload.encode();
        let max = draft.payload_bytes_max.min(limits::PAYLOAD_BYTES_MAX);
        if bytes.len() > max {
            return Err(Refusal::TooLarge { what: "payload (bytes)", max: max as u64 });
        }
        // What we sign must pass every other replica's door: its own decoder is the judge.
        Payload::decode(kind, &bytes)?;
        let body = Body { salt: draft.salt, payload: bytes.into() };
        let header = self.next_header(&draft, &body)?;
        let header_bytes = header.encode();
        let mut operation = Operation::from_parts(&header_bytes, Signature([0; 64]), Some(body))?;
        operation.signature = key.sign_operation(&operation.fingerprint);
        self.last = Some(Last {
            fingerprint: operation.fingerprint,
            sequence: header.sequence,
            lamport: header.lamport,
            hybrid_ms: header.hybrid_ms,
        });
        Ok(verify(operation, self.facts, true))
    }

    fn next_header(&self, draft: &Draft, body: &Body) -> Result<Header> {
        let mut dependencies = draft.dependencies.clone();
        dependencies.sort_unstable();
        dependencies.dedup();
        if dependencies.len() > limits::DEPENDENCIES_MAX {
            return Err(Refusal::TooLarge { what: "dependencies", max: limits::DEPENDENCIES_MAX as u64 });
        }
        if self.last.is_some_and(|last| dependencies.iter().any(|(seen, _)| *seen == last.fingerprint)) {
            return Err(Refusal::Malformed("a dependency stands in the operation's own log"));
        }
        let seen = dependencies.iter().map(|(_, lamport)| *lamport).max().unwrap_or(0);
        Ok(Header {
            log: self.log,
            sequence: self.last.map_or(0, |last| last.sequence + 1),
            back: self.last.map(|last| last.fingerprint),
            dependencies: dependencies.into_iter().map(|(fingerprint, _)| fingerprint).collect(),
            lamport: 1 + seen.max(self.last.map_or(0, |last| last.lamport)),
            hybrid_ms: hybrid_time(self.last.map(|last| last.hybrid_ms), draft.now_ms),
            kind: draft.payload.kind(),
            payload_length: body.payload.len() as u32,
            commitment: commitment(&body.salt, &body.payload),
            expires_ms: draft.expires_ms,
        })
    }
}
