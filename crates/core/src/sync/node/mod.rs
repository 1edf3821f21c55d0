//! The node: one machine per replica, which holds all its links.
//!
//! A driver hands it the frames of all links and calls [`Node::step`]. A step reads all frames, offers everything that
//! they brought to the replica in one transaction, and then answers, acknowledges and pushes. The same machine runs in
//! a hub, in a peer, in a script and in the simulator: it has no clock, no sockets and no threads.
//!
//! Nothing that a peer says moves what is kept here, but operations that pass admission. Everything else is a hint: it
//! decides whom to ask for what, has a bound and a deadline, and when it was a lie the next comparison begins anew.

mod config;
mod exchange;
mod fetch;
mod forks;
mod greet;
mod intake;
mod link;
mod links;
mod news;
mod push;
mod serve;
mod status;
mod step;
mod timers;
mod waiting;
mod words;

use std::collections::{BTreeMap, BTreeSet};

pub use config::NodeConfig;
pub use status::{Counters, Effect, LinkId, LinkStatus, NodeEvent, NodeStatus};

use crate::id::{LogId, ReplicaKey};
use crate::limits;
use crate::sync::book::Source as Known;
use crate::sync::gossip::Gossip;
use crate::sync::message::{Address, Peer};
use crate::sync::random::Random;
use crate::sync::replica::{Replica, Want};
use crate::sync::session::{Opened, Parting, part};

use forks::Search;
use link::Link;
use links::Links;
use news::News;
use step::Step;
use waiting::WaitingRoom;
use words::Words;

/// Proven logs that a node remembers to have told its peers of.
const ANNOUNCED_MAX: usize = 4_096;

/// Bytes that a frame takes in a queue beside its own: empty ones are not for nothing.
const FRAME_EXTRA_BYTES: usize = 64;

/// Forked logs of its own that a replica asks its peers about: one for each accident that it had.
const OWN_FORKS_MAX: usize = 64;

/// The machine. See the module.
#[derive(Debug)]
pub struct Node {
    config: NodeConfig,
    random: Random,
    links: Links,
    /// Links that the driver reported and that are to be closed with the next step, or are gone.
    parting: Vec<(LinkId, Parting)>,
    gone: Vec<(LinkId, Option<ReplicaKey>)>,
    gossip: Gossip,
    inbox_bytes: usize,
    waiting: WaitingRoom,
    /// From which link each log is being fetched.
    fetching: BTreeMap<LogId, LinkId>,
    /// A log that someone was asked about may be asked for from others: whoever claims to have more is looked at.
    released: bool,
    searches: BTreeMap<LogId, Search>,
    /// Proofs that all peers were told of, by the cut.
    announced: BTreeMap<LogId, u64>,
    /// Up to which position was read what peers are to be told.
    pushed: Option<u64>,
    /// What of it waits to be told.
    news: News,
    root: Option<exchange::Root>,
    notes: Notes,
    own_logs: BTreeSet<LogId>,
    /// The own logs that are void from some place on, once they were looked up.
    own_forks: Option<Vec<Want>>,
    /// How much peers claim to have of those of our own logs of which less is here.
    ahead: BTreeMap<LogId, u64>,
    words: Words,
    clocks: Clocks,
    wake_ms: Option<u64>,
}

/// What is to be written down about peers, with the next transaction or by itself after a while.
#[derive(Default, Debug)]
struct Notes {
    acknowledged: BTreeMap<(ReplicaKey, LogId), u64>,
    agreed: BTreeMap<ReplicaKey, u64>,
    since_ms: Option<u64>,
}

/// When to do next what is done now and then, in ms.
#[derive(Default, Debug)]
struct Clocks {
    /// After a fault: no offers before this.
    fault_ms: u64,
}

/// What a frame counts for while it waits.
fn queued_bytes(frame: &[u8]) -> usize {
    frame.len() + FRAME_EXTRA_BYTES
}

impl Node {
    /// A node without links. The seed decides choices among peers and nothing else: two nodes must not share it, and
    /// it is no secret.
    pub fn new(config: NodeConfig, seed: u64) -> Self {
        let waiting = WaitingRoom::new(&config);
        let mut random = Random::new(seed);
        // Whose replica it is, is known with the first step.
        let news = News::new(config.gossip.eager_bytes_max);
        let gossip = Gossip::new(config.gossip.clone(), ReplicaKey([0; ReplicaKey::LENGTH]), random.next());
        Self {
            config,
            random,
            links: Links::default(),
            parting: Vec::new(),
            gone: Vec::new(),
            gossip,
            inbox_bytes: 0,
            waiting,
            fetching: BTreeMap::new(),
            released: false,
            searches: BTreeMap::new(),
            announced: BTreeMap::new(),
            pushed: None,
            news,
            root: None,
            notes: Notes::default(),
            own_logs: BTreeSet::new(),
            own_forks: None,
            ahead: BTreeMap::new(),
            words: Words::default(),
            clocks: Clocks::default(),
            wake_ms: None,
        }
    }

    /// The driver opened a transport, or took one that was opened to it. The handshake begins with the next step.
    pub fn opened(&mut self, link: LinkId, opened: Opened, now_ms: u64) {
        self.wake_ms = Some(now_ms);
        if self.links.len() >= self.config.links_max || self.links.handshakes() >= self.config.handshakes_max {
            self.parting.push((link, part("too_many", "too many links are open")));
            return;
        }
        self.links.insert(link, Link::new(opened, &self.config, now_ms));
    }

    /// The transport went away, whoever closed it.
    pub fn closed(&mut self, link: LinkId, now_ms: u64) {
        if let Some(gone) = self.drop_link(link, now_ms) {
            self.gone.push((link, gone.key()));
            self.wake_ms = Some(now_ms);
        }
    }

    /// A dial failed.
    pub fn unreachable(&mut self, address: &Address, now_ms: u64) {
        self.gossip.dial_failed(address, now_ms);
        self.wake_ms = Some(now_ms);
    }

    /// Queues a frame for the next step. A link whose frames take more room than it was promised is closed then.
    pub fn received(&mut self, link: LinkId, frame: Vec<u8>) {
        let Some(at) = self.links.get_mut(&link) else { return };
        let bytes = queued_bytes(&frame);
        let link_max = self.config.window_bytes as usize + 2 * limits::FRAME_BYTES_MAX;
        if at.inbox_bytes + bytes > link_max || self.inbox_bytes + bytes > self.config.inbox_bytes_max {
            at.overfull = true;
            return;
        }
        at.inbox_bytes += bytes;
        self.inbox_bytes += bytes;
        at.inbox.push_back(frame);
    }

    /// A peer that the user named.
    pub fn know(&mut self, peer: Peer, now_ms: u64) {
        self.gossip.know(peer, Known::Configured);
        self.wake_ms = Some(now_ms);
    }

    /// Dials this address no more.
    pub fn forget_peer(&mut self, address: &Address) {
        self.gossip.forget(address);
    }

    /// What came after a position is told of as if it were new, as far as peers are not known to have it: it was held
    /// back until now.
    pub fn tell_again(&mut self, position: u64, now_ms: u64) {
        self.pushed = self.pushed.map(|pushed| pushed.min(position));
        self.root = None;
        self.wake_ms = Some(now_ms);
    }

    /// Does all that is due: reads what was received, stores it, answers, pushes. Returns what the driver must do.
    ///
    /// To be called after frames were received, after the replica changed, and at [`Node::wake_at`]. The time is any
    /// clock in ms that does not run back.
    pub fn step<R: Replica>(&mut self, replica: &mut R, now_ms: u64) -> Vec<Effect<R::Error>> {
        Step::new(self, replica, now_ms).run()
    }

    /// When `step` is to be called again even if nothing was received; none when nothing is due.
    pub fn wake_at(&self) -> Option<u64> {
        self.wake_ms
    }

    /// How it stands.
    pub fn status(&self) -> NodeStatus {
        NodeStatus {
            links: self.links.iter().map(|(id, link)| link.status(*id)).collect(),
            inbox_bytes: self.inbox_bytes,
            waiting_bytes: self.waiting.bytes(),
            waiting: self.waiting.len(),
            fetching: self.fetching.len(),
            searches: self.searches.len(),
        }
    }

    /// Forgets a link and releases what hung on it.
    fn drop_link(&mut self, id: LinkId, now_ms: u64) -> Option<Link> {
        let link = self.links.remove(id)?;
        match link.session.dialed() {
            Some(address) if !link.is_ready() => self.gossip.dial_failed(address, now_ms),
            _ => self.gossip.unlinked(id, now_ms),
        }
        self.inbox_bytes -= link.inbox_bytes;
        self.stop_fetching(id);
        self.searches.retain(|_, search| search.link != id);
        Some(link)
    }

    /// Least ms between two times that everyone is told what is new.
    fn pace_ms(&self) -> u64 {
        let told = if self.config.gossip.eager_to_all { self.links.ready_count() as u64 } else { 0 };
        told * self.config.tell_us / 1_000
    }

    /// The place of a fork is not looked for any more.
    fn end_search(&mut self, log: &LogId) {
        self.searches.remove(log);
        self.released = true;
    }

    /// What a link was asked for may be had from others.
    fn stop_fetching(&mut self, id: LinkId) {
        self.fetching.retain(|_, from| *from != id);
        self.released = true;
    }
}
