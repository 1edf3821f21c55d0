//! The world: machines, links between them, and one queue of what happens next.

use std::collections::BTreeMap;

use chrysalis_core::id::{LogId, ReplicaKey};
use chrysalis_core::sync::message::{Address, Peer};
use chrysalis_core::sync::node::{Effect, LinkId, Node, NodeEvent};
use chrysalis_core::sync::session::{Opened, Phase};

use crate::failure::Fault;
use crate::machine::{Machine, Owner, Running};
use crate::mangle::Mangler;
use crate::network::{Fate, Network};
use crate::random::{Draw, Random};

/// 2026-01-01 in ms since the Unix epoch: the true time when a simulation begins.
pub const START_MS: u64 = 1_767_225_600_000;

/// How long an end of a wire takes to hear that it broke, in ms, at most.
const BREAK_MS_MAX: u64 = 200;

/// What happens.
#[derive(Debug)]
enum Happening {
    Dial { from: usize, address: Address },
    Frame { wire: u64, end: usize, frame: Vec<u8> },
    Broken { wire: u64 },
    Step { machine: usize },
}

/// What was seen in a run, to be judged in the end.
#[derive(Default, Debug)]
pub struct Seen {
    /// Steps of all nodes.
    pub steps: u64,
    /// Frames sent.
    pub frames: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Bytes that strangers were sent, and how many frames.
    pub told_strangers: Vec<Vec<u8>>,
    /// Handshakes that succeeded.
    pub handshakes: u64,
    /// Handshakes that succeeded with a stranger.
    pub strangers_ready: u64,
    /// Logs that were proven to be forked, and how often that was reported.
    pub proven: BTreeMap<LogId, u64>,
    /// Offers that were refused.
    pub refused: u64,
    /// Faults that were planned.
    pub faults: u64,
    /// Faults that nobody planned.
    pub surprises: Vec<String>,
    /// The greatest numbers that a node's status showed.
    pub inbox_bytes_max: usize,
    /// Bytes of offers that waited.
    pub waiting_bytes_max: usize,
    /// Links of one node.
    pub links_max: usize,
    /// Links of one node whose handshake was not over.
    pub handshaking_max: usize,
}

/// All of it.
pub struct World {
    /// The seed of everything.
    pub random: Random,
    /// Links.
    pub network: Network,
    /// Machines, by number.
    pub machines: Vec<Machine>,
    /// What was seen.
    pub seen: Seen,
    /// What hostile machines do to the frames they send, by machine.
    pub manglers: BTreeMap<usize, Mangler>,
    /// What happened, in words, if anybody wants to know.
    pub story: Option<Vec<String>>,
    /// Frames that hostile machines may play again.
    pub recorded: Vec<Vec<u8>>,
    now_ms: u64,
    /// How far the true time runs ahead of the time since the start.
    leap_ms: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    order: u64,
    trace: u64,
}

/// Frames that are kept for hostile machines to play again.
const RECORDED_MAX: usize = 200;

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let network = Network::new(random.split());
        Self {
            random,
            network,
            machines: Vec::new(),
            seen: Seen::default(),
            manglers: BTreeMap::new(),
            story: None,
            recorded: Vec::new(),
            now_ms: 0,
            leap_ms: 0,
            queue: BTreeMap::new(),
            order: 0,
            trace: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Milliseconds since the simulation began: the clock of nodes and links.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The true time, in ms since the Unix epoch.
    pub fn true_ms(&self) -> u64 {
        START_MS + self.now_ms + self.leap_ms
    }

    /// Lets so much time pass at once on all wall clocks, as after a night in which nothing happened.
    pub fn leap(&mut self, ms: u64) {
        self.leap_ms += ms;
        (0..self.machines.len()).for_each(|number| self.machines[number].set_clock(self.true_ms()));
    }

    /// A digest of all that happened: two runs of one seed have the same.
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// Adds a line to the story, if one is told.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        let now_ms = self.now_ms;
        if let Some(story) = &mut self.story {
            story.push(format!("{now_ms:>8} ms  {}", line()));
        }
    }

    /// Adds to the story how every node stands.
    pub fn tell_states(&mut self) {
        for number in 0..self.machines.len() {
            let Some(running) = &self.machines[number].running else { continue };
            let status = running.node.status();
            self.tell(|| format!("machine {number} has {} waiting, {} fetching", status.waiting, status.fetching));
            for link in status.links {
                let other = self.machines.iter().position(|one| Some(one.identity.key()) == link.key);
                self.tell(|| {
                    format!(
                        "machine {number} to {other:?}: {:?}, {} logs ahead, {} unacknowledged, agreed {}, {:?}",
                        link.phase, link.ahead_logs, link.unacknowledged_bytes, link.agreed, link.counters
                    )
                });
            }
        }
    }

    fn note(&mut self, what: u64) {
        self.trace = (self.trace ^ what).wrapping_mul(0x0100_0000_01b3);
    }

    fn schedule(&mut self, at_ms: u64, what: Happening) {
        self.order += 1;
        self.queue.insert((at_ms.max(self.now_ms), self.order), what);
    }

    /// The machine that listens there.
    pub fn at(&self, address: &str) -> Option<usize> {
        self.machines.iter().position(|machine| machine.address == address)
    }

    /// Makes a node for a machine whose replica was opened, and starts it.
    pub fn start(&mut self, number: usize, replica: crate::replica::SimReplica) {
        let seed = self.random.next();
        let now_ms = self.now_ms;
        self.tell(|| format!("machine {number} starts"));
        let machine = &mut self.machines[number];
        let mut node = Node::new(machine.config.clone(), seed);
        for address in machine.knows.clone() {
            node.know(Peer { address, replica: None }, now_ms);
        }
        machine.running = Some(Running { node, replica });
        self.wake(number, now_ms);
    }

    /// The machine loses everything but its disk. Links end without a word from it.
    pub fn stop(&mut self, number: usize) -> Option<Running> {
        self.tell(|| format!("machine {number} stops"));
        for wire in self.network.wires_of(number) {
            self.break_wire(wire);
        }
        let machine = &mut self.machines[number];
        machine.links.clear();
        machine.step_at_ms = None;
        machine.running.take()
    }

    /// Tells a running node of a peer.
    pub fn introduce(&mut self, number: usize, address: &str) {
        let now_ms = self.now_ms;
        if let Some(running) = &mut self.machines[number].running {
            running.node.know(Peer { address: address.to_owned(), replica: None }, now_ms);
            self.wake(number, now_ms);
        }
    }

    /// Has a machine dial another, whatever its node wants.
    pub fn dial(&mut self, from: usize, to: usize) {
        let (address, delay) = (self.machines[to].address.clone(), self.network.delay());
        self.schedule(self.now_ms + delay, Happening::Dial { from, address });
    }

    /// Opens a link to a machine, at the other end of which nobody ever speaks.
    pub fn knock(&mut self, from: usize, to: usize) {
        if self.machines[to].running.is_some() && self.network.reaches(from, to) {
            let wire = self.network.open(from, to);
            self.join(to, wire, 1, None);
        }
    }

    /// Schedules a step, unless one is due sooner.
    pub fn wake(&mut self, number: usize, at_ms: u64) {
        let at_ms = at_ms.max(self.now_ms);
        let machine = &mut self.machines[number];
        if machine.running.is_some() && machine.step_at_ms.is_none_or(|due| due > at_ms) {
            machine.step_at_ms = Some(at_ms);
            self.schedule(at_ms, Happening::Step { machine: number });
        }
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(entry) = self.queue.first_entry() {
            let at = entry.key().0;
            if at > until {
                break;
            }
            let happening = entry.remove();
            self.now_ms = at;
            self.happen(happening);
        }
        self.now_ms = until;
        (0..self.machines.len()).for_each(|number| self.machines[number].set_clock(self.true_ms()));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Dial { from, address } => self.connect(from, &address),
            Happening::Frame { wire, end, frame } => self.deliver(wire, end, frame),
            Happening::Broken { wire } => self.break_wire(wire),
            Happening::Step { machine } => self.step(machine),
        }
    }

    fn connect(&mut self, from: usize, address: &str) {
        let to = self.at(address).filter(|to| *to != from && self.machines[*to].running.is_some());
        let reached = to.filter(|to| self.network.reaches(from, *to));
        let Some(to) = reached else {
            let now_ms = self.now_ms;
            if let Some(running) = &mut self.machines[from].running {
                running.node.unreachable(&address.to_owned(), now_ms);
                self.wake(from, now_ms);
            }
            return;
        };
        if self.machines[from].running.is_none() {
            return;
        }
        let wire = self.network.open(from, to);
        self.join(from, wire, 0, Some(address.to_owned()));
        self.join(to, wire, 1, None);
    }

    fn join(&mut self, number: usize, wire: u64, end: usize, dialed: Option<Address>) {
        let (nonce, now_ms) = (self.random.bytes(), self.now_ms);
        let machine = &mut self.machines[number];
        machine.next_link += 1;
        let link = LinkId(machine.next_link);
        machine.links.insert(link, (wire, end));
        if let Some(running) = &mut machine.running {
            let trusted = dialed.as_ref().and_then(|address| machine.trusts.get(address)).copied();
            running.node.opened(link, Opened { nonce, dialed, trusted }, now_ms);
        }
        self.wake(number, now_ms);
    }

    /// Ends a wire; both ends hear of it, each in its time.
    fn break_wire(&mut self, wire: u64) {
        let Some(gone) = self.network.close(wire) else { return };
        for (end, number) in gone.ends.into_iter().enumerate() {
            let Some(link) = self.machines[number].link_of(wire, end) else { continue };
            self.machines[number].links.remove(&link);
            let heard_ms = self.now_ms + self.random.below(BREAK_MS_MAX);
            if let Some(running) = &mut self.machines[number].running {
                running.node.closed(link, self.now_ms);
            }
            self.wake(number, heard_ms);
        }
    }

    fn deliver(&mut self, wire: u64, end: usize, frame: Vec<u8>) {
        let Some(at) = self.network.wire(wire) else { return };
        let number = at.ends[end];
        let Some(link) = self.machines[number].link_of(wire, end) else { return };
        self.note(frame.len() as u64 ^ (number as u64) << 32);
        let slowness_ms = self.machines[number].slowness_ms;
        if let Some(running) = &mut self.machines[number].running {
            running.node.received(link, frame);
        }
        self.wake(number, self.now_ms + slowness_ms);
    }

    fn step(&mut self, number: usize) {
        let (now_ms, true_ms) = (self.now_ms, self.true_ms());
        let machine = &mut self.machines[number];
        if machine.step_at_ms.is_none_or(|due| due != now_ms) {
            return;
        }
        machine.step_at_ms = None;
        machine.set_clock(true_ms);
        let Some(running) = &mut machine.running else { return };
        self.seen.steps += 1;
        let effects = running.node.step(&mut running.replica, now_ms);
        if running.replica.disk.was_killed() {
            // Nothing of what it meant to say after the write was said.
            self.stop(number);
            self.seen.faults += 1;
            return;
        }
        let wake_at = running.node.wake_at();
        if self.seen.steps.is_multiple_of(16) {
            self.measure(number);
        }
        self.carry_out(number, effects);
        if let Some(at) = wake_at {
            self.wake(number, at.max(now_ms + 1));
        }
    }

    fn measure(&mut self, number: usize) {
        let Some(running) = &self.machines[number].running else { return };
        let (status, seen) = (running.node.status(), &mut self.seen);
        seen.inbox_bytes_max = seen.inbox_bytes_max.max(status.inbox_bytes);
        seen.waiting_bytes_max = seen.waiting_bytes_max.max(status.waiting_bytes);
        seen.links_max = seen.links_max.max(status.links.len());
        let handshaking = status.links.iter().filter(|link| link.phase != Phase::Ready).count();
        seen.handshaking_max = seen.handshaking_max.max(handshaking);
    }

    fn carry_out(&mut self, number: usize, effects: Vec<Effect<Fault>>) {
        for effect in effects {
            match effect {
                Effect::Send { link, frame } => self.send(number, link, frame),
                Effect::Close { link, .. } => self.hang_up(number, link),
                Effect::Dial(address) => {
                    self.tell(|| format!("machine {number} dials {address}"));
                    let delay = self.network.delay();
                    self.schedule(self.now_ms + delay, Happening::Dial { from: number, address });
                }
                Effect::Event(event) => self.observe(number, event),
                Effect::Fault(Fault::Full | Fault::Killed) => self.seen.faults += 1,
                Effect::Fault(Fault::Store(error)) => {
                    self.seen.surprises.push(format!("machine {number}: {error:?}"));
                }
            }
        }
    }

    fn send(&mut self, number: usize, link: LinkId, frame: Vec<u8>) {
        let Some((wire, end)) = self.machines[number].links.get(&link).copied() else { return };
        let Some(mut mangler) = self.manglers.remove(&number) else { return self.transmit(wire, end, frame) };
        for frame in mangler.mangle(frame, &self.recorded) {
            self.transmit(wire, end, frame);
        }
        self.manglers.insert(number, mangler);
    }

    /// Puts a frame on a wire as it is.
    pub fn transmit(&mut self, wire: u64, end: usize, frame: Vec<u8>) {
        let Some(at) = self.network.wire(wire) else { return };
        self.seen.frames += 1;
        self.seen.bytes += frame.len() as u64;
        let (sender, receiver) = (self.machines[at.ends[end]].owner, self.machines[at.other(end)].owner);
        // What a hostile member tells strangers is theirs to tell.
        if sender == Owner::Honest && receiver == Owner::Stranger {
            self.seen.told_strangers.push(frame.clone());
        }
        if self.recorded.len() < RECORDED_MAX {
            self.recorded.push(frame.clone());
        }
        match self.network.send(wire, end, self.now_ms) {
            Fate::Arrives(at_ms) => self.schedule(at_ms, Happening::Frame { wire, end: 1 - end, frame }),
            Fate::Breaks(at_ms) => self.schedule(at_ms, Happening::Broken { wire }),
            Fate::Lost => {}
        }
    }

    /// A node has left a link: the wire ends after what is under way.
    fn hang_up(&mut self, number: usize, link: LinkId) {
        let Some((wire, _)) = self.machines[number].links.remove(&link) else { return };
        let delay = self.network.weather.delay_ms.1;
        self.schedule(self.now_ms + delay, Happening::Broken { wire });
    }

    fn observe(&mut self, number: usize, event: NodeEvent) {
        self.tell(|| format!("machine {number}: {event:?}"));
        match event {
            NodeEvent::Ready { key, .. } => self.seen_ready(number, key),
            NodeEvent::Refused { .. } => self.seen.refused += 1,
            NodeEvent::Proven { log } => *self.seen.proven.entry(log).or_insert(0) += 1,
            _ => {}
        }
    }

    fn seen_ready(&mut self, number: usize, key: ReplicaKey) {
        self.seen.handshakes += 1;
        let of_stranger = |machine: &&Machine| machine.owner == Owner::Stranger;
        let strangers = self.machines.iter().filter(of_stranger).any(|machine| machine.identity.key() == key);
        if self.machines[number].owner == Owner::Honest && strangers {
            self.seen.strangers_ready += 1;
        }
    }
}
