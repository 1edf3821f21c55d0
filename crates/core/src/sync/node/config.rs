//! Settings of a node, each with unit, default and reason.

use crate::limits;
use crate::sync::gossip::GossipConfig;
use crate::sync::message::Address;

/// Settings of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeConfig {
    /// Where this replica listens, to be told to peers; none when nobody can dial it.
    pub address: Option<Address>,
    /// Bytes of segments that a peer may send before they are acknowledged. 4 MiB: one frame at least, or the largest
    /// operation would never come; more keeps a long line busy, and both sides: one reads on while the other stores. It
    /// costs so much memory a link.
    pub window_bytes: u64,
    /// Bytes of segments that wait for acknowledgements, over all links, beyond which no link has room for more than one
    /// frame. 128 MiB: thirty peers that begin anew at once; a thousand that read slowly must not cost a thousand windows.
    pub under_way_bytes_max: u64,
    /// Milliseconds for a handshake. 10 s: four messages over the slowest line, and no longer for who never speaks.
    pub handshake_ms: u64,
    /// Milliseconds of silence after which a peer is asked whether it is there. 20 s: below what routers forget after.
    pub idle_ms: u64,
    /// Milliseconds of silence after which a link counts as broken. 60 s: two questions went unanswered.
    pub dead_ms: u64,
    /// Links at once. 4,096: a hub's agents, and what a process may open.
    pub links_max: usize,
    /// Links to one key. 2: each side may have dialed the other at the same time.
    pub links_per_key_max: usize,
    /// Handshakes under way at once. 256: strangers can't take all links.
    pub handshakes_max: usize,
    /// Bytes of frames that wait for a step, over all links. 64 MiB: a step takes all of them, so few ever wait.
    pub inbox_bytes_max: usize,
    /// Bytes to which the frames may unfold that are read before what they brought is taken in. 16 MiB: a hundred frames
    /// of an honest peer. A frame of 4 KiB can hold a message of 1 MiB, so what waits for a step would be gigabytes.
    pub unfolded_bytes_max: usize,
    /// Microseconds for each link that a node which tells everyone lets pass between two tellings. 50: about half of
    /// that is what a telling takes, so a hub of a thousand links tells every 50 ms what came meanwhile, in one frame
    /// for each, and one of ten at once.
    pub tell_us: u64,
    /// Milliseconds in which an answer must go on, or another peer is asked. 10 s: a claim is a hint.
    pub fetch_ms: u64,
    /// Milliseconds without an acknowledgement after which what was sent counts as lost, and is offered again. 30 s:
    /// storing a window takes far less, and a peer that can't says so.
    pub acknowledge_ms: u64,
    /// Bytes of operations sent in one step, over all links. 8 MiB: a thousand peers that start at once must not make
    /// a thousand answers in memory.
    pub step_bytes_max: usize,
    /// Bytes of one read for an answer. 256 KiB: some 400 operations in a frame, so that words repeat in it and few turns
    /// are taken for it; small enough to share a step.
    pub chunk_bytes: usize,
    /// Bytes of answers, other than operations under the window, that a link may ask for at once; as many come back in
    /// each `answers_ms`. 4 MiB: the summary of 2,000 logs thirty times.
    pub answers_bytes_max: u64,
    /// Milliseconds in which a link's right to answers is filled up again. 4 s: 1 MiB a second.
    pub answers_ms: u64,
    /// Bytes of offers that wait for what they depend on, over all links. 32 MiB.
    pub waiting_bytes_max: usize,
    /// The same, of one link: a quarter, so that one peer can't take the room of all.
    pub waiting_link_bytes_max: usize,
    /// The same, of one log: a quarter of a link's, so that one author can't.
    pub waiting_log_bytes_max: usize,
    /// Milliseconds after which an offer that still waits is let go. 5 minutes; it can be had again.
    pub waiting_ms: u64,
    /// Milliseconds after which what an offer waits for is asked for by fingerprint. 300 ms: mostly it is on its way.
    pub find_ms: u64,
    /// Milliseconds between two parts of a search for words that are missing. 30 s: they are rare.
    pub words_ms: u64,
    /// Milliseconds after which everyone is asked again for words that nobody had, at most. 4 hours: perhaps nobody has
    /// them any more, and a peer that came to have them some other way is no hurry.
    pub words_rest_ms: u64,
    /// Milliseconds after which acknowledgements and agreements are written down by themselves. 500 ms: sooner they
    /// travel with operations, in one transaction.
    pub notes_ms: u64,
    /// Milliseconds after which a node tries again when its replica failed or a peer has no room. 1 s.
    pub retry_ms: u64,
    /// Refused offers after which a peer counts as hostile. 32: an honest one sends none.
    pub refusals_max: u64,
    /// Logs that are listed rather than reconciled by ranges. 2,000: about 140 KB.
    pub listed_logs_max: usize,
    /// Whom to call, to tell at once and to compare with.
    pub gossip: GossipConfig,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            address: None,
            window_bytes: 4 * limits::FRAME_BYTES_MAX as u64,
            under_way_bytes_max: 128 << 20,
            handshake_ms: 10_000,
            idle_ms: 20_000,
            dead_ms: 60_000,
            links_max: 4_096,
            links_per_key_max: 2,
            handshakes_max: 256,
            inbox_bytes_max: 64 << 20,
            unfolded_bytes_max: 16 << 20,
            tell_us: 50,
            fetch_ms: 10_000,
            acknowledge_ms: 30_000,
            step_bytes_max: 8 << 20,
            chunk_bytes: 256 << 10,
            answers_bytes_max: 4 << 20,
            answers_ms: 4_000,
            waiting_bytes_max: 32 << 20,
            waiting_link_bytes_max: 8 << 20,
            waiting_log_bytes_max: 2 << 20,
            waiting_ms: 300_000,
            find_ms: 300,
            words_ms: 30_000,
            words_rest_ms: 4 * 3_600_000,
            notes_ms: 500,
            retry_ms: 1_000,
            refusals_max: 32,
            listed_logs_max: 2_000,
            gossip: GossipConfig::default(),
        }
    }
}
