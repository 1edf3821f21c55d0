//! What two nodes say to each other. One message is one frame of at most [`crate::limits::FRAME_BYTES_MAX`] bytes.

use crate::fork::Proof;
use crate::id::{Fingerprint, LogId, ReplicaKey, Signature, SpaceId};
use crate::operation::Operation;

use super::packed::PackedSegment;
use super::replica::{LogState, Segment, Tip, Want};

/// Sixteen or more random bytes of each side keep a handshake from being played again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nonce(pub [u8; 32]);

/// The address of a replica that listens: `ws://host:port` or `wss://host:port`, at most 256 bytes.
pub type Address = String;

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// First word of each side.
    Hello(Hello),
    /// Second word: the challenge answered.
    Credentials(Credentials),
    /// Where the sender stands: what it has, or what changed since both agreed.
    Summary(Summary),
    /// Ranges of logs and what is in them: reconciliation of many logs.
    Ranges(Vec<Range>),
    /// Asks for operations.
    Want {
        /// From which places on, at most [`crate::limits::WANTS_MAX`].
        wants: Vec<Want>,
        /// Whether in full headers, because the short form could not be read.
        plain: bool,
    },
    /// Operations: asked for, or pushed as they come.
    Segments {
        /// Each a run of one log.
        segments: Vec<Carried>,
        /// Whether this ends the answer to the last want.
        last: bool,
    },
    /// What the sender has on disk of the logs that it was just sent: acknowledgement.
    Stored {
        /// The logs.
        states: Vec<LogState>,
        /// Bytes of frames with segments that it has dealt with since it last said so: gives back room to send.
        bytes: u64,
    },
    /// What the sender has, without sending it: whoever lacks it asks.
    Have(Vec<LogState>),
    /// Asks what stands at these places of a log: the search for a fork.
    Probe {
        /// The log.
        log: LogId,
        /// The places, at most [`crate::limits::PROBES_MAX`].
        places: Vec<u64>,
    },
    /// The answer to a probe.
    Places {
        /// The log.
        log: LogId,
        /// What stands where; none where nothing does.
        tips: Vec<(u64, Option<Tip>)>,
    },
    /// Asks for the proofs about these logs.
    WantProofs(Vec<LogId>),
    /// Proofs of misbehaviour: said before anything else that waits to be said.
    Proofs(Vec<Proof>),
    /// Asks for single operations: void headers that others depend on, and words that are missing.
    Find(Vec<Fingerprint>),
    /// Single operations, in full.
    Found(Vec<Operation>),
    /// Peers that the sender knows to listen.
    Peers(Vec<Peer>),
    /// The sender can't take more for now: nothing that was sent since its last acknowledgement counts as sent.
    NotNow {
        /// When to try again, in ms.
        retry_ms: u64,
        /// Why: `full`, `busy`, `fault`.
        code: String,
    },
    /// Are you there?
    Ping(u64),
    /// I am.
    Pong(u64),
    /// The sender closes the link.
    Bye {
        /// A stable code: `not_allowed`, `wrong_space`, `malformed`, `unknown_version`, `too_many`, `timeout`, ...
        code: String,
        /// Why, in words.
        why: String,
    },
}

/// A run of one log, as it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Carried {
    /// In short form, for whoever holds what it builds on.
    Packed(PackedSegment),
    /// With its headers in full.
    Plain(Segment),
}

/// First word: who speaks, of what, and in which versions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Least and greatest version of the protocol that the sender speaks.
    pub versions: (u64, u64),
    /// The space.
    pub space: SpaceId,
    /// The sender's key, to be proven.
    pub replica: ReplicaKey,
    /// Fresh random bytes.
    pub nonce: Nonce,
    /// Bytes of segments that the sender takes before it acknowledges.
    pub window_bytes: u64,
    /// Where the sender listens, if others may know.
    pub address: Option<Address>,
}

/// Second word: proof of the key, and of membership.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// Over both hellos and which side dialed: see the handshake.
    pub signature: Signature,
    /// The operation that opened the sender's log, with its grant; none for a relay without a grant.
    pub opening: Option<Box<Operation>>,
}

/// Where the sender stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Digest of all its log states: equal digests end the exchange.
    pub root: [u8; 48],
    /// How many logs it has.
    pub logs: u64,
    /// All its log states, or those that changed since both last agreed; none when they are too many to list.
    pub states: Option<Vec<LogState>>,
    /// Whether `states` are all of them.
    pub complete: bool,
}

/// A range of logs, from where the one before it ended up to and without `until`. Behind the last, nothing is to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// The end; none for the end of all.
    pub until: Option<LogId>,
    /// What is in it.
    pub content: RangeContent,
}

/// What the sender has in a range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RangeContent {
    /// Nothing to say: dealt with, or equal.
    Skip,
    /// Salted digest of the log states, in order: see [`super::reconcile`].
    Digest([u8; 16]),
    /// The log states; `answer` when the other side need not send its own.
    States {
        /// In order.
        states: Vec<LogState>,
        /// Whether this answers the other side's own states.
        answer: bool,
    },
}

/// A replica that listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Peer {
    /// Where.
    pub address: Address,
    /// Its key, as far as the sender has seen it proven.
    pub replica: Option<ReplicaKey>,
}
