//! Settings of gossip, each with its unit.

/// How a replica gossips.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GossipConfig {
    /// Links told at once, and links compared with in a round. Three: see [`crate::sync::rounds::rounds_estimate`].
    pub fanout: usize,
    /// Milliseconds of a round.
    pub interval_ms: u64,
    /// Milliseconds between two anti-entropy exchanges, at most; at least 1,000 or this, whichever is less.
    pub anti_entropy_ms: u64,
    /// Milliseconds between calls of a peer believed dead: so partitions heal.
    pub revive_ms: u64,
    /// Milliseconds between two lists of peers sent.
    pub shuffle_ms: u64,
    /// Known peers up to which a link is held to each.
    pub peers_full_max: usize,
    /// Links wished for above that: half of them called, half of them, on average, by others. Eight, since with five
    /// a rumour takes one round more: see docs/gossip.md.
    pub active_max: usize,
    /// Links held at all, whoever called; above, some are hung up. No bound for a hub.
    pub links_max: usize,
    /// Addresses kept that peers announced.
    pub known_max: usize,
    /// Calls under way.
    pub dials_max: usize,
    /// Bytes that are told at once; more is announced only.
    pub eager_bytes_max: usize,
    /// Milliseconds to wait, after an announcement, for what others may be sending already.
    pub graft_ms: u64,
    /// Whether everyone linked is told at once: a hub.
    pub eager_to_all: bool,
}

impl Default for GossipConfig {
    fn default() -> Self {
        Self {
            fanout: 3,
            interval_ms: 500,
            anti_entropy_ms: 5_000,
            revive_ms: 30_000,
            shuffle_ms: 15_000,
            peers_full_max: 64,
            active_max: 8,
            links_max: 128,
            known_max: 128,
            dials_max: 8,
            eager_bytes_max: 4 * 1024,
            graft_ms: 80,
            eager_to_all: false,
        }
    }
}

impl GossipConfig {
    /// A hub's: everyone is told, nobody is hung up on.
    pub fn hub() -> Self {
        Self { eager_to_all: true, links_max: usize::MAX, ..Self::default() }
    }
}
