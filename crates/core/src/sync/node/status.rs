//! What a node tells its driver: effects to carry out, events to show, and how it stands.

use crate::id::{LogId, ReplicaKey};
use crate::member::Role;
use crate::sync::message::Address;
use crate::sync::session::Phase;

pub use crate::sync::gossip::LinkId;

/// What a driver must do after a step, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect<E> {
    /// Send this frame.
    Send {
        /// Over this link.
        link: LinkId,
        /// The frame.
        frame: Vec<u8>,
    },
    /// Close this transport, after what was sent. The node has forgotten it already.
    Close {
        /// The link.
        link: LinkId,
        /// A stable code.
        code: String,
        /// Why, in words.
        why: String,
    },
    /// Dial this address; then call `opened` or `unreachable`.
    Dial(Address),
    /// Something that the user may want to know.
    Event(NodeEvent),
    /// The replica failed. What it was asked did not happen and is tried again later.
    Fault(E),
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NodeEvent {
    /// A handshake succeeded.
    Ready {
        /// The link.
        link: LinkId,
        /// Who is at the other end, proven.
        key: ReplicaKey,
        /// Its role; none for a key that is merely trusted, and in an open space before its log is here.
        role: Option<Role>,
    },
    /// A link ended.
    Closed {
        /// The link.
        link: LinkId,
        /// Who was at the other end, if it was proven.
        key: Option<ReplicaKey>,
        /// A stable code; `closed` when the transport went away.
        code: String,
        /// Why, in words.
        why: String,
    },
    /// So many operations of others came to be on disk.
    Stored {
        /// How many.
        count: usize,
    },
    /// Both ends hold the same operations.
    Agreed {
        /// The link.
        link: LinkId,
    },
    /// A peer sent what is unacceptable.
    Refused {
        /// The link.
        link: LinkId,
        /// The refusal's code.
        code: &'static str,
        /// How many this link has sent by now.
        count: u64,
    },
    /// A log turned out to be forked.
    Proven {
        /// The log.
        log: LogId,
    },
}

/// How one link stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkStatus {
    /// The link.
    pub link: LinkId,
    /// Who is at the other end, if it is proven.
    pub key: Option<ReplicaKey>,
    /// Its role.
    pub role: Option<Role>,
    /// Where this side dialed, or where the other says that it listens.
    pub address: Option<Address>,
    /// Whether this side dialed.
    pub dialed: bool,
    /// How far the handshake is.
    pub phase: Phase,
    /// Bytes of operations sent and not acknowledged: how far the peer lags.
    pub unacknowledged_bytes: u64,
    /// Logs of which the peer has said to have more than is here.
    pub ahead_logs: usize,
    /// Logs of which the peer is being sent what it asked for.
    pub serving_logs: usize,
    /// Logs of which is remembered how much the peer has: none, where both have it all and nothing waits to be told.
    pub remembered_logs: usize,
    /// Whether both ends held the same when they last compared.
    pub agreed: bool,
    /// What passed over it.
    pub counters: Counters,
}

/// What passed over a link since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Frames received.
    pub frames_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Operations that came over it and were new.
    pub stored: u64,
    /// Offers that were unacceptable.
    pub refused: u64,
    /// Requests that were dropped because the link had asked for too much.
    pub dropped: u64,
}

/// How a node stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeStatus {
    /// Every link, sorted.
    pub links: Vec<LinkStatus>,
    /// Bytes of frames that wait for the next step.
    pub inbox_bytes: usize,
    /// Bytes of offers that wait for what they depend on.
    pub waiting_bytes: usize,
    /// How many offers wait.
    pub waiting: usize,
    /// Logs that are being fetched.
    pub fetching: usize,
    /// Searches for the place of a fork.
    pub searches: usize,
}
