//! Whole nodes: handshakes, summaries, segments, acknowledgements, as they speak over real links, in virtual time.
//!
//! A link is reliable and keeps the order, like the transports that replicas use. So a lost frame is not gone: it is
//! sent again, and holds up what follows it on its link. A round is one interval of gossip; within it news travels as
//! many links as their delays allow.

use std::collections::BTreeMap;

use chrysalis_core::Result;
use chrysalis_core::sync::gossip::LinkId;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::Peer;
use chrysalis_core::sync::node::{Effect, Node, NodeConfig};
use chrysalis_core::sync::replica::Replica;
use chrysalis_core::sync::session::Opened;

use crate::population::{Population, say};
use crate::random::{Draw, Random};

use super::scenario::{Progress, Propagation, ROUNDS_MAX, Scenario, Spreading, Watch, loss_in};

/// Milliseconds that a frame is under way, least and most: agents in one country.
const DELAY_MS: (u64, u64) = (10, 60);
/// Milliseconds after which a lost frame is sent again: what TCP waits at least.
const AGAIN_MS: u64 = 200;
/// Milliseconds in which replicas find each other before anything is written.
const FINDING_MS: u64 = 30_000;
/// Members whose addresses a new replica is given, as with an invitation.
const INVITED_BY: usize = 3;
/// Number of the memory that is measured; those before it opened logs.
const MEASURED: u32 = 1_000;

enum Event {
    Step(usize),
    Arrival { to: usize, link: LinkId, frame: Vec<u8> },
    Opening { to: usize, link: LinkId, dialed: Option<String> },
    Closing { to: usize, link: LinkId },
}

struct Ends {
    caller: usize,
    called: usize,
    /// When the last frame arrives, in either direction: what follows comes after it.
    busy_ms: [u64; 2],
}

struct World {
    loss: u64,
    nodes: Vec<Node>,
    replicas: Vec<MemoryReplica>,
    links: BTreeMap<LinkId, Ends>,
    /// By time, then in the order in which they were planned.
    events: BTreeMap<(u64, u64), Event>,
    planned: u64,
    due_ms: Vec<u64>,
    random: Random,
    frames: u64,
    spreading: Option<Spreading>,
    before: Vec<u64>,
    round: u32,
}

/// Runs it.
///
/// # Errors
/// None that is expected: what a refused operation would be.
pub(crate) fn propagate(scenario: &Scenario, watch: Watch<'_>) -> Result<Propagation> {
    let mut world = World::new(scenario)?;
    let interval_ms = NodeConfig::default().gossip.interval_ms;
    let finding = (FINDING_MS / interval_ms) as u32;
    for rounds in 1..=finding {
        world.run_until(u64::from(rounds) * interval_ms);
        if !watch(Progress { rounds, share: None }) {
            return Ok(Propagation::default());
        }
    }
    world.run_until(FINDING_MS);
    let links = world.links.len() as f64 * 2.0 / world.nodes.len() as f64;
    let shares =
        world.spread(FINDING_MS, interval_ms, &mut |told| watch(Progress { rounds: finding + told.rounds, ..told }))?;
    let messages = world.frames as f64 / world.nodes.len() as f64;
    Ok(Propagation { shares, copies: 0.0, messages, links: Some(links) })
}

fn address(number: usize) -> String {
    format!("ws://r{number}")
}

impl World {
    fn new(scenario: &Scenario) -> Result<Self> {
        let size = scenario.replicas.max(2);
        let mut random = Random::new(scenario.seed);
        let replicas = Population::new(size, 1)?.into_replicas();
        let mut world = Self {
            loss: loss_in(scenario),
            nodes: Vec::with_capacity(size),
            replicas,
            links: BTreeMap::new(),
            events: BTreeMap::new(),
            planned: 0,
            due_ms: vec![u64::MAX; size],
            random: Random::new(random.next()),
            frames: 0,
            spreading: None,
            before: Vec::new(),
            round: 0,
        };
        for number in 0..size {
            let mut config = NodeConfig { address: Some(address(number)), ..NodeConfig::default() };
            config.gossip.fanout = scenario.fanout;
            let mut node = Node::new(config, random.next());
            for _ in 0..INVITED_BY.min(number) {
                node.know(Peer { address: address(random.index(number)), replica: None }, 0);
            }
            world.nodes.push(node);
            world.plan_step(number, random.below(500));
        }
        Ok(world)
    }

    fn plan(&mut self, at_ms: u64, event: Event) {
        self.planned += 1;
        self.events.insert((at_ms, self.planned), event);
    }

    /// A step no later than this; one that is planned sooner stands.
    fn plan_step(&mut self, node: usize, at_ms: u64) {
        if at_ms < self.due_ms[node] {
            self.due_ms[node] = at_ms;
            self.plan(at_ms, Event::Step(node));
        }
    }

    fn run_until(&mut self, until_ms: u64) {
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 < until_ms) {
            let ((now_ms, _), event) = entry.remove_entry();
            self.happen(event, now_ms);
        }
    }

    fn happen(&mut self, event: Event, now_ms: u64) {
        match event {
            Event::Step(node) if self.due_ms[node] == now_ms => self.step(node, now_ms),
            Event::Step(_) => {}
            Event::Arrival { to, link, frame } => {
                self.nodes[to].received(link, frame);
                self.plan_step(to, now_ms);
            }
            Event::Opening { to, link, dialed } => {
                let opened = Opened { nonce: self.random.bytes(), dialed, trusted: None };
                self.nodes[to].opened(link, opened, now_ms);
                self.plan_step(to, now_ms);
            }
            Event::Closing { to, link } => {
                self.nodes[to].closed(link, now_ms);
                self.plan_step(to, now_ms);
            }
        }
    }

    fn step(&mut self, number: usize, now_ms: u64) {
        self.due_ms[number] = u64::MAX;
        let effects = self.nodes[number].step(&mut self.replicas[number], now_ms);
        for effect in effects {
            match effect {
                Effect::Send { link, frame } => self.send(number, link, frame, now_ms),
                Effect::Close { link, .. } => self.close(number, link, now_ms),
                Effect::Dial(to) => self.dial(number, &to, now_ms),
                Effect::Event(_) | Effect::Fault(_) => {}
            }
        }
        self.note(number);
        if let Some(wake_ms) = self.nodes[number].wake_at() {
            self.plan_step(number, wake_ms.max(now_ms + 1));
        }
    }

    /// Whether it has the memory now.
    fn note(&mut self, number: usize) {
        if let Some(spreading) = &mut self.spreading {
            let Ok(position) = self.replicas[number].position();
            if position > self.before[number] {
                spreading.got(number, self.round);
            }
        }
    }

    fn delay(&mut self) -> u64 {
        let mut delay_ms = self.random.between(DELAY_MS.0, DELAY_MS.1);
        while self.loss < u64::from(u32::MAX) && self.random.next() >> 32 < self.loss {
            delay_ms += AGAIN_MS;
        }
        delay_ms
    }

    fn send(&mut self, from: usize, link: LinkId, frame: Vec<u8>, now_ms: u64) {
        self.frames += 1;
        let arrival_ms = now_ms + self.delay();
        let Some(ends) = self.links.get_mut(&link) else { return };
        let (to, way) = if ends.caller == from { (ends.called, 0) } else { (ends.caller, 1) };
        ends.busy_ms[way] = ends.busy_ms[way].max(arrival_ms);
        let at_ms = ends.busy_ms[way];
        self.plan(at_ms, Event::Arrival { to, link, frame });
    }

    fn close(&mut self, from: usize, link: LinkId, now_ms: u64) {
        if let Some(ends) = self.links.remove(&link) {
            let (to, way) = if ends.caller == from { (ends.called, 0) } else { (ends.caller, 1) };
            self.plan(ends.busy_ms[way].max(now_ms), Event::Closing { to, link });
        }
    }

    fn dial(&mut self, from: usize, to: &str, now_ms: u64) {
        let called = to.strip_prefix("ws://r").and_then(|number| number.parse().ok());
        let Some(called) = called.filter(|called| *called < self.nodes.len()) else {
            self.nodes[from].unreachable(&to.to_owned(), now_ms);
            return self.plan_step(from, now_ms + 1);
        };
        let link = LinkId(self.planned);
        let at_ms = now_ms + self.delay();
        self.links.insert(link, Ends { caller: from, called, busy_ms: [at_ms, at_ms] });
        self.plan(at_ms, Event::Opening { to: called, link, dialed: None });
        self.plan(at_ms, Event::Opening { to: from, link, dialed: Some(to.to_owned()) });
    }

    /// One replica remembers something; the share that has it, round by round, until everyone has.
    fn spread(&mut self, start_ms: u64, interval_ms: u64, watch: Watch<'_>) -> Result<Vec<f64>> {
        let position = |replica: &MemoryReplica| -> u64 {
            let Ok(position) = replica.position();
            position
        };
        self.before = self.replicas.iter().map(position).collect();
        self.frames = 0;
        say(&mut self.replicas[0], MEASURED)?;
        self.spreading = Some(Spreading::new(self.nodes.len(), 0));
        self.plan_step(0, start_ms);
        for round in 1..=ROUNDS_MAX {
            self.round = round;
            self.run_until(start_ms + u64::from(round) * interval_ms);
            let Some(spreading) = &mut self.spreading else { break };
            if !spreading.round_ends(round, watch) || spreading.is_done() {
                break;
            }
        }
        Ok(self.spreading.take().map(|spreading| spreading.shares).unwrap_or_default())
    }
}
