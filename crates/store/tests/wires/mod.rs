//! Stores behind nodes, whose frames the test carries and looks at.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::{BTreeMap, VecDeque};

use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::Message;
use chrysalis_core::sync::node::{Effect, LinkId, Node, NodeConfig, NodeEvent};
use chrysalis_core::sync::session::Opened;
use chrysalis_store::{Speaker, Store};

/// 2026-01-01 in ms since the Unix epoch.
const START_MS: u64 = 1_767_225_600_000;

pub const STEPS_MAX: usize = 5_000;

/// Who speaks by a node: a store, or somebody who keeps to no rule but those that others enforce.
pub enum Speaks {
    Store(Box<Store>),
    Hostile(Box<MemoryReplica>),
}

pub struct Peer {
    pub node: Node,
    pub speaks: Speaks,
    pub events: Vec<NodeEvent>,
    /// Every frame that it sent, by link.
    pub sent: Vec<(LinkId, Vec<u8>)>,
}

impl Peer {
    pub fn store(&self) -> &Store {
        match &self.speaks {
            Speaks::Store(store) => store,
            Speaks::Hostile(_) => panic!("no store"),
        }
    }

    pub fn step(&mut self, now_ms: u64) -> Vec<Effect<String>> {
        match &mut self.speaks {
            Speaks::Store(store) => plain(self.node.step(&mut Speaker(store), now_ms)),
            Speaks::Hostile(replica) => plain(self.node.step(&mut **replica, now_ms)),
        }
    }

    pub fn closings(&self) -> Vec<&str> {
        let closed = self.events.iter().filter_map(|event| match event {
            NodeEvent::Closed { code, .. } => Some(code.as_str()),
            _ => None,
        });
        closed.collect()
    }

    pub fn refusals(&self) -> Vec<&'static str> {
        let refused = self.events.iter().filter_map(|event| match event {
            NodeEvent::Refused { code, .. } => Some(*code),
            _ => None,
        });
        refused.collect()
    }

    /// What it said over this link from the given frame on.
    pub fn said(&self, over: LinkId, from: usize) -> Vec<Message> {
        let over = self.sent[from..].iter().filter(|(link, _)| *link == over);
        over.map(|(_, frame)| Message::decode(frame).unwrap()).collect()
    }
}

fn plain<E: std::fmt::Debug>(effects: Vec<Effect<E>>) -> Vec<Effect<String>> {
    let plain = |effect| match effect {
        Effect::Send { link, frame } => Effect::Send { link, frame },
        Effect::Close { link, code, why } => Effect::Close { link, code, why },
        Effect::Dial(address) => Effect::Dial(address),
        Effect::Event(event) => Effect::Event(event),
        Effect::Fault(fault) => Effect::Fault(format!("{fault:?}")),
    };
    effects.into_iter().map(plain).collect()
}

/// Peers, and the frames under way between them.
#[derive(Default)]
pub struct Wires {
    pub now_ms: u64,
    pub peers: Vec<Peer>,
    pub ends: BTreeMap<(usize, LinkId), (usize, LinkId)>,
    pub queues: BTreeMap<(usize, LinkId), VecDeque<Vec<u8>>>,
    pub links: u64,
}

impl Wires {
    pub fn of(stores: impl IntoIterator<Item = Store>) -> Self {
        let mut wires = Self { now_ms: START_MS, ..Self::default() };
        for store in stores {
            wires.add(Speaks::Store(Box::new(store)));
        }
        wires
    }

    pub fn add(&mut self, speaks: Speaks) -> usize {
        let node = Node::new(NodeConfig::default(), self.peers.len() as u64 + 1);
        self.peers.push(Peer { node, speaks, events: Vec::new(), sent: Vec::new() });
        self.peers.len() - 1
    }

    /// The stores, without their nodes and links.
    pub fn into_stores(self) -> Vec<Store> {
        let stores = self.peers.into_iter().filter_map(|peer| match peer.speaks {
            Speaks::Store(store) => Some(*store),
            Speaks::Hostile(_) => None,
        });
        stores.collect()
    }

    pub fn store(&self, at: usize) -> &Store {
        self.peers[at].store()
    }

    pub fn open(&mut self, at: usize, dialed: bool) -> LinkId {
        self.links += 1;
        let dialed = dialed.then(|| format!("ws://peer:{}", self.links));
        let opened = Opened { nonce: [self.links as u8; 32], dialed, trusted: None };
        self.peers[at].node.opened(LinkId(self.links), opened, self.now_ms);
        LinkId(self.links)
    }

    /// Links two peers; the first one dials. Returns both ends.
    pub fn link(&mut self, one: usize, other: usize) -> (LinkId, LinkId) {
        let (near, far) = (self.open(one, true), self.open(other, false));
        self.ends.insert((one, near), (other, far));
        self.ends.insert((other, far), (one, near));
        (near, far)
    }

    pub fn step(&mut self, at: usize) {
        for effect in self.peers[at].step(self.now_ms) {
            match effect {
                Effect::Send { link, frame } => {
                    self.peers[at].sent.push((link, frame.clone()));
                    if let Some(end) = self.ends.get(&(at, link)) {
                        self.queues.entry(*end).or_default().push_back(frame);
                    }
                }
                Effect::Close { link, .. } => {
                    // What was sent before still arrives.
                    let Some((other, far)) = self.ends.remove(&(at, link)) else { continue };
                    self.ends.remove(&(other, far));
                    self.queues.remove(&(at, link));
                    self.deliver(other, far);
                    self.step(other);
                    self.peers[other].node.closed(far, self.now_ms);
                }
                Effect::Event(event) => self.peers[at].events.push(event),
                Effect::Dial(_) => {}
                Effect::Fault(fault) => panic!("{fault}"),
            }
        }
    }

    /// Hands over all that is under way to this end.
    pub fn deliver(&mut self, at: usize, link: LinkId) {
        for frame in self.queues.remove(&(at, link)).unwrap_or_default() {
            self.peers[at].node.received(link, frame);
        }
    }

    /// Steps and carries until nothing is under way. Time stands still.
    pub fn settle(&mut self) {
        (0..self.peers.len()).for_each(|at| self.step(at));
        for _ in 0..STEPS_MAX {
            let busy = self.queues.keys().next().copied();
            let due = || self.peers.iter().position(|peer| peer.node.wake_at().is_some_and(|at| at <= self.now_ms));
            let Some((at, link)) = busy.or_else(|| due().map(|at| (at, LinkId(0)))) else { return };
            self.deliver(at, link);
            self.step(at);
        }
        panic!("the nodes never fell silent");
    }

    /// Lets so much time pass: every node is woken when it asks to be.
    pub fn pass(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        self.settle();
        for _ in 0..STEPS_MAX {
            let next = self.peers.iter().filter_map(|peer| peer.node.wake_at()).min();
            let Some(next) = next.filter(|next| *next <= until_ms) else { break };
            self.now_ms = next.max(self.now_ms);
            self.settle();
        }
        self.now_ms = until_ms;
    }

    pub fn agree(&self, among: &[usize]) -> bool {
        let digests: Vec<_> = among.iter().map(|at| self.store(*at).logical_digest().unwrap()).collect();
        digests.iter().all(|digest| *digest == digests[0])
    }
}
