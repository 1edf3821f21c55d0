//! Gossip: whom a replica calls, hangs up on, tells at once, tells that there is something, and compares notes with.
//!
//! Up to [`GossipConfig::peers_full_max`] known peers it holds a link to each, and tells `fanout` of them at once,
//! chosen anew each time. Above, it holds a few links of its own choice (a partial view, after HyParView: Leitão,
//! Pereira and Rodrigues 2007) and tells all of them but those that proved to hear it elsewhere (Plumtree, same
//! authors). What is told at once may be lost: announcements, exchanges while news spreads and a steady anti-entropy
//! repair it. A hub tells everyone.

mod calls;
mod config;

use std::collections::BTreeMap;

pub use config::GossipConfig;

use crate::id::ReplicaKey;

use super::book::{Book, Source};
use super::message::{Address, Peer};
use super::random::Random;
use super::rounds::{Mode, rounds_estimate};

/// One transport, as the driver of a node numbers it. A number is never used twice.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct LinkId(pub u64);

/// Peers in one message: a handful is enough to keep the views mixed.
pub const PEERS_MAX: usize = 16;

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GossipCommand {
    /// Call this address.
    Dial(Address),
    /// Compare notes: send a summary.
    Exchange(LinkId),
    /// Send these peers.
    Shuffle(LinkId, Vec<Peer>),
    /// Hang up: there are enough others.
    Drop(LinkId),
}

/// Who hears of something new, and how.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    /// To be sent it.
    pub eager: Vec<LinkId>,
    /// To be told that it is here.
    pub lazy: Vec<LinkId>,
}

#[derive(Clone, Debug)]
struct Link {
    key: ReplicaKey,
    address: Option<Address>,
    inbound: bool,
    since_ms: u64,
    eager: bool,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Gossip {
    config: GossipConfig,
    own: ReplicaKey,
    random: Random,
    book: Book,
    links: BTreeMap<LinkId, Link>,
    /// How many links each peer has.
    keys: BTreeMap<ReplicaKey, usize>,
    /// Links that were told of no peers yet.
    newcomers: Vec<LinkId>,
    partial: bool,
    /// When calls are looked at next; 0 after something changed.
    dial_ms: u64,
    hang_up_ms: u64,
    /// Exchanges still due because of news, in rounds.
    rounds_left: u32,
    round_ms: u64,
    anti_entropy_ms: u64,
    shuffle_ms: u64,
    revive_ms: u64,
}

impl Gossip {
    /// A machine without peers, for the replica with this key.
    pub fn new(config: GossipConfig, own: ReplicaKey, seed: u64) -> Self {
        let book = Book::new(config.known_max);
        Self {
            config,
            own,
            random: Random::new(seed),
            book,
            links: BTreeMap::new(),
            keys: BTreeMap::new(),
            newcomers: Vec::new(),
            partial: false,
            dial_ms: 0,
            hang_up_ms: 0,
            rounds_left: 0,
            round_ms: 0,
            anti_entropy_ms: 0,
            shuffle_ms: 0,
            revive_ms: 0,
        }
    }

    /// Tells it whose replica this is, when that was not known before. It never calls itself.
    pub fn set_own(&mut self, own: ReplicaKey) {
        self.own = own;
    }

    /// The settings.
    pub fn config(&self) -> &GossipConfig {
        &self.config
    }

    /// Addresses known, linked or not.
    pub fn known(&self) -> usize {
        self.book.len()
    }

    /// Whether an address is known.
    pub fn knows(&self, address: &str) -> bool {
        self.book.contains(address)
    }

    /// Whether it holds links to a few only, because it knows too many peers for a link to each.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// Takes in that a replica may listen there.
    pub fn know(&mut self, peer: Peer, source: Source) {
        if peer.replica == Some(self.own) {
            return;
        }
        if self.book.learn(peer, source, &mut self.random) {
            self.choose_view();
        }
    }

    /// Forgets an address, configured or not. Its link, if there is one, is the caller's to close.
    pub fn forget(&mut self, address: &str) {
        self.book.forget(address);
        self.choose_view();
    }

    /// A link is ready: both sides have proven who they are. `address` is where we called, or, of a link that the other
    /// side opened, where it says to listen.
    pub fn linked(&mut self, link: LinkId, key: ReplicaKey, address: Option<Address>, inbound: bool, now_ms: u64) {
        match &address {
            Some(address) if inbound => {
                let peer = Peer { address: address.clone(), replica: Some(key) };
                self.know(peer, Source::Announced(key));
            }
            Some(address) => self.book.reached(address, key, now_ms),
            None => {}
        }
        if self.links.is_empty() {
            self.anti_entropy_ms = now_ms + self.anti_entropy_wait();
            self.shuffle_ms = now_ms + self.jittered(self.config.shuffle_ms);
        }
        self.dial_ms = 0;
        self.newcomers.push(link);
        *self.keys.entry(key).or_default() += 1;
        self.links.insert(link, Link { key, address, inbound, since_ms: now_ms, eager: true });
    }

    /// A link is gone.
    pub fn unlinked(&mut self, link: LinkId, now_ms: u64) {
        let Some(gone) = self.links.remove(&link) else {
            return;
        };
        if let (Some(address), false) = (&gone.address, gone.inbound) {
            self.book.left(address, now_ms, &mut self.random);
        }
        self.dial_ms = 0;
        self.newcomers.retain(|newcomer| *newcomer != link);
        self.keys.entry(gone.key).and_modify(|links| *links -= 1);
        self.keys.retain(|_, links| *links > 0);
        // The tree may have hung on this link.
        self.links.values_mut().for_each(|link| link.eager = true);
    }

    /// A call came to nothing, or ended before the link was ready.
    pub fn dial_failed(&mut self, address: &str, now_ms: u64) {
        self.book.failed(address, now_ms, &mut self.random);
        self.choose_view();
    }

    /// Something new is here: whom to send it, and whom to tell that it is here. Not back to whoever sent it.
    pub fn spread(&mut self, from: Option<LinkId>, bytes: usize) -> Spread {
        let others: Vec<LinkId> = self.links.keys().copied().filter(|link| Some(*link) != from).collect();
        if bytes > self.config.eager_bytes_max {
            return Spread { eager: Vec::new(), lazy: others };
        }
        if self.config.eager_to_all {
            return Spread { eager: others, lazy: Vec::new() };
        }
        let mut eager = others.clone();
        if self.partial {
            eager.retain(|link| self.links[link].eager);
        } else {
            self.random.sample(&mut eager, self.config.fanout);
            eager.sort_unstable();
        }
        let lazy = others.into_iter().filter(|link| eager.binary_search(link).is_err()).collect();
        Spread { eager, lazy }
    }

    /// What came over this link, or was sent over it, had been heard elsewhere: from now on it is announced there, as
    /// long as `fanout` other links are told at once.
    pub fn duplicate(&mut self, link: LinkId) {
        let eager = self.links.values().filter(|link| link.eager).count();
        if let Some(link) = self.links.get_mut(&link).filter(|_| self.partial && eager > self.config.fanout) {
            link.eager = false;
        }
    }

    /// What was announced over this link had to be asked for: from now on it is told at once.
    pub fn grafted(&mut self, link: LinkId) {
        if let Some(link) = self.links.get_mut(&link) {
            link.eager = true;
        }
    }

    /// Something spreads: notes are compared in some rounds from now on.
    pub fn news(&mut self, now_ms: u64) {
        if self.rounds_left == 0 {
            self.round_ms = now_ms + self.config.interval_ms;
        }
        let replicas = self.book.len().max(self.links.len()) as u64 + 1;
        let rounds = rounds_estimate(replicas, self.config.fanout as u64, Mode::PushPull);
        self.rounds_left = rounds.ceil() as u32 + 1;
    }

    /// What is to be done now.
    pub fn tick(&mut self, now_ms: u64) -> Vec<GossipCommand> {
        let mut commands = Vec::new();
        self.hang_up(now_ms, &mut commands);
        self.dial(now_ms, &mut commands);
        self.exchange(now_ms, &mut commands);
        self.shuffle(now_ms, &mut commands);
        commands
    }

    /// When [`Gossip::tick`] has something to do next, as far as can be told.
    pub fn wake_at(&self) -> Option<u64> {
        let linked = !self.links.is_empty();
        let calls = (!self.book.is_empty() && self.dial_ms < u64::MAX).then_some(self.dial_ms);
        let round = (linked && self.rounds_left > 0).then_some(self.round_ms);
        let greeting = (linked && !self.newcomers.is_empty()).then_some(0);
        let steady = linked.then_some(self.anti_entropy_ms.min(self.shuffle_ms));
        [calls, round, greeting, steady].into_iter().flatten().min()
    }

    /// With few peers known a view of all of them, with many a partial one; the way back has a gap, so that a peer
    /// that comes and goes does not turn the view over each time.
    fn choose_view(&mut self) {
        let max = self.config.peers_full_max;
        let known = self.book.len();
        self.partial = known > max || (self.partial && known > max * 3 / 4);
        self.dial_ms = 0;
    }

    fn exchange(&mut self, now_ms: u64, commands: &mut Vec<GossipCommand>) {
        let mut chosen = Vec::new();
        if self.rounds_left > 0 && self.round_ms <= now_ms {
            self.rounds_left -= 1;
            self.round_ms = now_ms + self.config.interval_ms;
            chosen = self.some_links(self.config.fanout);
        }
        if self.anti_entropy_ms <= now_ms {
            self.anti_entropy_ms = now_ms + self.anti_entropy_wait();
            chosen.append(&mut self.some_links(1));
        }
        chosen.sort_unstable();
        chosen.dedup();
        commands.extend(chosen.into_iter().map(GossipCommand::Exchange));
    }

    fn some_links(&mut self, count: usize) -> Vec<LinkId> {
        let mut links: Vec<LinkId> = self.links.keys().copied().collect();
        self.random.sample(&mut links, count);
        links
    }

    /// Every new link hears of some peers at once, and a random one again and again.
    fn shuffle(&mut self, now_ms: u64, commands: &mut Vec<GossipCommand>) {
        let mut chosen = std::mem::take(&mut self.newcomers);
        if self.shuffle_ms <= now_ms {
            self.shuffle_ms = now_ms + self.jittered(self.config.shuffle_ms);
            chosen.append(&mut self.some_links(1));
        }
        for id in chosen {
            let peers = self.peers_for(id);
            commands.extend((!peers.is_empty()).then_some(GossipCommand::Shuffle(id, peers)));
        }
    }

    /// Peers that were reached from here or are linked now, and no hearsay: who lies about peers is heard by his own
    /// links alone.
    fn peers_for(&mut self, to: LinkId) -> Vec<Peer> {
        let there = self.links.get(&to).map(|link| link.key);
        let callers = self.links.values().filter(|link| link.inbound);
        let callers = callers.filter_map(|link| Some((link.address.as_deref()?, Some(link.key))));
        let mut peers: Vec<(&str, Option<ReplicaKey>)> = self.book.reliable().chain(callers).collect();
        peers.retain(|(_, replica)| *replica != there);
        peers.sort_unstable();
        peers.dedup();
        self.random.sample(&mut peers, PEERS_MAX);
        peers.into_iter().map(|(address, replica)| Peer { address: address.to_owned(), replica }).collect()
    }

    fn anti_entropy_wait(&mut self) -> u64 {
        let most = self.config.anti_entropy_ms;
        self.random.between(most.min(1_000), most)
    }

    fn jittered(&mut self, whole_ms: u64) -> u64 {
        jittered(whole_ms, &mut self.random)
    }
}

/// Between half of it and all of it.
fn jittered(whole_ms: u64, random: &mut Random) -> u64 {
    random.between(whole_ms / 2, whole_ms)
}
