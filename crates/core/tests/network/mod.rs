//! Nodes that are linked by queues: whole, lossy, or out of order. Time is a number that the test moves.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;

use chrysalis_core::id::{Epoch, ReplicaKey, Salt};
use chrysalis_core::member::Space;
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::{Change, Field, Payload, Value, Write};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::held::{Held, Shown};
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::Message;
use chrysalis_core::sync::node::{Effect, LinkId, Node, NodeConfig, NodeEvent};
use chrysalis_core::sync::random::Random;
use chrysalis_core::sync::replica::Replica;
use chrysalis_core::sync::session::Opened;

use crate::common::{START_MS, memory, note, open_space};

pub const STEPS_MAX: usize = 20_000;

pub fn key_of(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// A replica of the open space whose log is opened.
pub fn replica(seed: u8) -> MemoryReplica {
    let mut replica = MemoryReplica::new(open_space(), key_of(seed), None);
    replica.open(Epoch([seed; 16]), Salt([seed; 16]), START_MS).unwrap();
    replica
}

/// A replica of a space that has no log of its own.
pub fn silent(space: Space, seed: u8) -> MemoryReplica {
    MemoryReplica::new(space, key_of(seed), None)
}

/// The payload that writes these words as a memory, however long they are.
pub fn long_note(words: &str) -> Payload {
    let value = Value::Text(words.to_owned());
    let change = Change::Register { field: Field::Content, value, replaces: Vec::new() };
    Payload::Write(Write { memory: memory("long"), agent: "a".to_owned(), root: None, changes: vec![change] })
}

pub fn say(replica: &mut MemoryReplica, words: &str) -> Operation {
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&replica.position().unwrap().to_be_bytes());
    if replica.is_forked() {
        let mut epoch = [0x77; 16];
        epoch[..8].copy_from_slice(&replica.position().unwrap().to_be_bytes());
        epoch[8..].copy_from_slice(&replica.key().as_bytes()[..8]);
        replica.open(Epoch(epoch), Salt(salt), START_MS).unwrap();
    }
    let payload = if words.len() > 200 { long_note(words) } else { note(words) };
    replica.say(payload, Salt(salt), START_MS).unwrap()
}

/// One node with its replica.
pub struct Peer {
    pub node: Node,
    pub replica: MemoryReplica,
    /// What peers are shown, if something is held back.
    pub shown: Option<Shown>,
    pub events: Vec<NodeEvent>,
    /// Messages sent, with the length of their frames.
    pub sent: Vec<(LinkId, Message, usize)>,
}

impl Peer {
    fn step(&mut self, now_ms: u64) -> Vec<Effect<Infallible>> {
        match &mut self.shown {
            Some(shown) => self.node.step(&mut Held::new(&mut self.replica, shown), now_ms),
            None => self.node.step(&mut self.replica, now_ms),
        }
    }

    pub fn key(&self) -> ReplicaKey {
        self.replica.key()
    }

    /// Codes with which links were closed.
    pub fn closings(&self) -> Vec<&str> {
        let closed = self.events.iter().filter_map(|event| match event {
            NodeEvent::Closed { code, .. } => Some(code.as_str()),
            _ => None,
        });
        closed.collect()
    }

    pub fn readies(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, NodeEvent::Ready { .. })).count()
    }
}

/// What happens to frames under way.
#[derive(Clone, Copy, Default)]
pub struct Weather {
    /// Frames of a hundred that are lost.
    pub lost: u64,
    /// Whether every acknowledgement is lost.
    pub unacknowledged: bool,
    /// Whether frames of different links overtake each other, and steps come in any order.
    pub mixed: bool,
}

pub struct Network {
    pub now_ms: u64,
    pub peers: Vec<Peer>,
    pub weather: Weather,
    pub random: Random,
    wires: BTreeMap<(usize, LinkId), (usize, LinkId)>,
    queues: BTreeMap<(usize, LinkId), VecDeque<Vec<u8>>>,
    next_link: u64,
}

impl Network {
    pub fn new() -> Self {
        Self {
            now_ms: START_MS,
            peers: Vec::new(),
            weather: Weather::default(),
            random: Random::new(7),
            wires: BTreeMap::new(),
            queues: BTreeMap::new(),
            next_link: 0,
        }
    }

    pub fn of(replicas: Vec<MemoryReplica>) -> Self {
        let mut network = Self::new();
        for replica in replicas {
            network.add(replica, NodeConfig::default());
        }
        network
    }

    pub fn add(&mut self, replica: MemoryReplica, config: NodeConfig) -> usize {
        let node = Node::new(config, self.peers.len() as u64 + 1);
        self.peers.push(Peer { node, replica, shown: None, events: Vec::new(), sent: Vec::new() });
        self.peers.len() - 1
    }

    pub fn opened(&mut self, dialed: bool, trusted: Option<ReplicaKey>) -> (LinkId, Opened) {
        self.next_link += 1;
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.next_link.to_be_bytes());
        let dialed = dialed.then(|| format!("ws://peer:{}", self.next_link));
        (LinkId(self.next_link), Opened { nonce, dialed, trusted })
    }

    /// Links two peers; the first one dials. Returns both ends.
    pub fn link(&mut self, one: usize, other: usize) -> (LinkId, LinkId) {
        self.link_trusting(one, other, None)
    }

    /// The same; the dialer takes this key without a role.
    pub fn link_trusting(&mut self, one: usize, other: usize, trusted: Option<ReplicaKey>) -> (LinkId, LinkId) {
        let (near, opened) = self.opened(true, trusted);
        self.peers[one].node.opened(near, opened, self.now_ms);
        let (far, opened) = self.opened(false, None);
        self.peers[other].node.opened(far, opened, self.now_ms);
        self.wires.insert((one, near), (other, far));
        self.wires.insert((other, far), (one, near));
        (near, far)
    }

    /// Links every peer to every other.
    pub fn link_all(&mut self) {
        for one in 0..self.peers.len() {
            for other in 0..one {
                self.link(one, other);
            }
        }
    }

    pub fn cut(&mut self, one: usize, near: LinkId) {
        let Some((other, far)) = self.wires.remove(&(one, near)) else { return };
        self.wires.remove(&(other, far));
        self.queues.remove(&(one, near));
        self.queues.remove(&(other, far));
        self.peers[one].node.closed(near, self.now_ms);
        self.peers[other].node.closed(far, self.now_ms);
    }

    /// From now on nothing that either end sends arrives, and neither is told.
    pub fn lose(&mut self, one: usize, near: LinkId) {
        if let Some((other, far)) = self.wires.remove(&(one, near)) {
            self.wires.remove(&(other, far));
        }
    }

    /// One step of one peer: its effects are carried out.
    pub fn step(&mut self, at: usize) {
        let peer = &mut self.peers[at];
        let effects = peer.step(self.now_ms);
        for effect in effects {
            match effect {
                Effect::Send { link, frame } => self.send(at, link, frame),
                Effect::Close { link, .. } => self.hang_up(at, link),
                Effect::Event(event) => self.peers[at].events.push(event),
                Effect::Dial(_) => {}
                Effect::Fault(fault) => match fault {},
            }
        }
    }

    fn send(&mut self, at: usize, link: LinkId, frame: Vec<u8>) {
        let message = Message::decode(&frame).expect("what a node sends can be read");
        let lost = self.weather.unacknowledged && matches!(message, Message::Stored { .. });
        self.peers[at].sent.push((link, message, frame.len()));
        let Some(end) = self.wires.get(&(at, link)) else { return };
        if self.random.below(100) >= self.weather.lost && !lost {
            self.queues.entry(*end).or_default().push_back(frame);
        }
    }

    /// What was sent before still arrives, then the other end sees the transport close.
    fn hang_up(&mut self, at: usize, link: LinkId) {
        let Some((other, far)) = self.wires.remove(&(at, link)) else { return };
        self.wires.remove(&(other, far));
        self.queues.remove(&(at, link));
        for frame in self.queues.remove(&(other, far)).unwrap_or_default() {
            self.peers[other].node.received(far, frame);
        }
        self.step(other);
        self.peers[other].node.closed(far, self.now_ms);
    }

    /// Delivers frames and steps nodes until nothing is under way. Time stands still.
    pub fn settle(&mut self) {
        for at in 0..self.peers.len() {
            self.step(at);
        }
        for _ in 0..STEPS_MAX {
            let busy: Vec<(usize, LinkId)> = self.queues.keys().copied().collect();
            let Some(end) = self.next(&busy) else { return };
            let queue = self.queues.get_mut(&end).unwrap();
            let frame = queue.pop_front().unwrap();
            if queue.is_empty() {
                self.queues.remove(&end);
            }
            self.peers[end.0].node.received(end.1, frame);
            self.step(end.0);
            while self.peers[end.0].node.wake_at().is_some_and(|at| at <= self.now_ms) {
                self.step(end.0);
            }
        }
        let name = |message: &Message| format!("{message:?}").chars().take(200).collect::<String>();
        let last = self.peers.iter().flat_map(|peer| peer.sent.iter().rev().take(4));
        let last: Vec<_> = last.map(|(link, message, _)| (link, name(message))).collect();
        panic!("the nodes never fell silent: {last:#?}");
    }

    fn next(&mut self, busy: &[(usize, LinkId)]) -> Option<(usize, LinkId)> {
        let at = if self.weather.mixed { self.random.index(busy.len()) } else { 0 };
        busy.get(at).copied()
    }

    /// Lets so much time pass: every node is woken when it asks to be.
    pub fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        self.settle();
        for _ in 0..STEPS_MAX {
            let times = self.peers.iter().filter_map(|peer| peer.node.wake_at());
            let Some(next) = times.min().filter(|next| *next <= until) else { break };
            self.now_ms = next.max(self.now_ms);
            self.settle();
        }
        self.now_ms = until;
        self.settle();
    }

    pub fn say(&mut self, at: usize, words: &str) -> Operation {
        say(&mut self.peers[at].replica, words)
    }

    pub fn agree(&self) -> bool {
        let first = self.peers[0].replica.states().unwrap();
        self.peers.iter().all(|peer| peer.replica.states().unwrap() == first)
    }

    pub fn messages(&self, at: usize, of: impl Fn(&Message) -> bool) -> usize {
        self.peers[at].sent.iter().filter(|(_, message, _)| of(message)).count()
    }
}
