//! One machine: a node, its replica, its clocks and its links.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::member::{Grant, Role, Space};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::node::{LinkId, Node, NodeConfig};

use crate::replica::SimReplica;

/// What its owner is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Owner {
    /// Does as the code does.
    Honest,
    /// A member that does what it likes.
    Hostile,
    /// Knows the space and an address, and is no member.
    Stranger,
}

/// What keeps the replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeping {
    /// Memory alone.
    Memory,
    /// A store in a folder.
    Store,
}

/// Who a machine's replica is: what is on its disk, or in its settings.
#[derive(Clone)]
pub struct Identity {
    /// The seed of its key. A clone has the seed of the machine that it was copied from.
    pub seed: [u8; 32],
    /// The space.
    pub space: Space,
    /// Its grant in a closed space; none for the founder and strangers.
    pub grant: Option<Grant>,
    /// Its role; none for strangers.
    pub role: Option<Role>,
}

impl Identity {
    /// Its public key.
    pub fn key(&self) -> ReplicaKey {
        SecretKey::from_seed(&self.seed).public()
    }
}

/// What runs while the machine is up.
pub struct Running {
    /// The node.
    pub node: Node,
    /// The replica.
    pub replica: SimReplica,
}

/// One machine.
pub struct Machine {
    /// Who its replica is.
    pub identity: Identity,
    /// What its owner is.
    pub owner: Owner,
    /// What keeps its replica.
    pub keeping: Keeping,
    /// The store's folder.
    pub folder: PathBuf,
    /// Where it listens.
    pub address: String,
    /// Addresses in its settings: told to its node whenever it starts.
    pub knows: Vec<String>,
    /// Keys that its user named with an address: whoever proves such a key there needs no role.
    pub trusts: BTreeMap<String, ReplicaKey>,
    /// The machine whose administrator invited it; none for the founder and whoever joined before the run.
    pub inviter: Option<usize>,
    /// Settings of its node.
    pub config: NodeConfig,
    /// What runs; none while it is down.
    pub running: Option<Running>,
    /// Its wall clock, as its store reads it.
    pub wall: Arc<AtomicU64>,
    /// How far its wall clock is off, in ms.
    pub skew_ms: i64,
    /// How long it takes from a frame's arrival to the step that reads it, in ms.
    pub slowness_ms: u64,
    /// Its links: which wire, and which end of it.
    pub links: BTreeMap<LinkId, (u64, usize)>,
    /// When its next step is due.
    pub step_at_ms: Option<u64>,
    /// Whether its log was continued twice by accident: then it may be proven, and must lose nothing.
    pub accident: bool,
    /// Whether its membership was ended.
    pub removed: bool,
    pub(crate) next_link: u64,
}

impl Machine {
    /// Sets its wall clock by the true time.
    pub fn set_clock(&self, true_ms: u64) {
        self.wall.store(true_ms.saturating_add_signed(self.skew_ms), Ordering::Relaxed);
    }

    /// What its wall clock shows, in ms.
    pub fn wall_ms(&self) -> u64 {
        self.wall.load(Ordering::Relaxed)
    }

    /// Whether it must behave, and be found well, in the end.
    pub fn is_judged(&self) -> bool {
        self.owner == Owner::Honest && !self.removed
    }

    /// The link that is this end of a wire.
    pub fn link_of(&self, wire: u64, end: usize) -> Option<LinkId> {
        self.links.iter().find(|(_, at)| **at == (wire, end)).map(|(link, _)| *link)
    }
}
