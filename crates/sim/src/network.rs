//! Links between machines: each a pair of queues that keep their order, until they break.
//!
//! A transport is a stream of bytes: it loses nothing in its middle, reorders nothing and delivers nothing twice. What
//! a network does to it is delay, a break that both ends notice, and a break that nobody tells them of. Duplication
//! and reordering arise where they do in the world: over several links, and when a broken link is dialed anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::random::Random;

/// What the network does to a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It arrives at this time, in ms.
    Arrives(u64),
    /// It is lost, and the link with it: nobody is told.
    Lost,
    /// The link breaks at this time, in ms, and both ends are told.
    Breaks(u64),
}

/// How well links work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weather {
    /// Least and greatest delay of a frame, in ms.
    pub delay_ms: (u64, u64),
    /// In how many of a million frames a link breaks and both ends are told.
    pub breaks_in_million: u64,
    /// In how many of a million frames a link falls silent and nobody is told.
    pub silences_in_million: u64,
}

impl Weather {
    /// Nothing breaks.
    pub const CALM: Self = Self { delay_ms: (1, 20), breaks_in_million: 0, silences_in_million: 0 };
    /// One link in some hundred frames is lost.
    pub const STORM: Self = Self { delay_ms: (1, 400), breaks_in_million: 8_000, silences_in_million: 4_000 };
}

/// One link.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// The machines at its ends: who dialed, and who was dialed.
    pub ends: [usize; 2],
    /// When the last frame to each end arrives.
    last_ms: [u64; 2],
    silent: bool,
}

impl Wire {
    /// The machine at the end that is not this one.
    pub fn other(&self, end: usize) -> usize {
        self.ends[1 - end]
    }
}

/// All links, and who can't reach whom.
#[derive(Debug)]
pub struct Network {
    /// How well links work now.
    pub weather: Weather,
    wires: BTreeMap<u64, Wire>,
    next: u64,
    blocked: BTreeSet<(usize, usize)>,
    /// Those who never reach each other, in whatever direction.
    walls: BTreeSet<(usize, usize)>,
    random: Random,
}

impl Network {
    /// A network without links.
    pub fn new(random: Random) -> Self {
        Self {
            weather: Weather::CALM,
            wires: BTreeMap::new(),
            next: 0,
            blocked: BTreeSet::new(),
            walls: BTreeSet::new(),
            random,
        }
    }

    /// Opens a link between two machines.
    pub fn open(&mut self, dialer: usize, dialed: usize) -> u64 {
        self.next += 1;
        self.wires.insert(self.next, Wire { ends: [dialer, dialed], last_ms: [0; 2], silent: false });
        self.next
    }

    /// The link with this number, while it is open.
    pub fn wire(&self, wire: u64) -> Option<Wire> {
        self.wires.get(&wire).copied()
    }

    /// Takes a link away.
    pub fn close(&mut self, wire: u64) -> Option<Wire> {
        self.wires.remove(&wire)
    }

    /// The links that end at this machine.
    pub fn wires_of(&self, machine: usize) -> Vec<u64> {
        self.wires.iter().filter(|(_, wire)| wire.ends.contains(&machine)).map(|(number, _)| *number).collect()
    }

    /// Every link.
    pub fn all(&self) -> Vec<u64> {
        self.wires.keys().copied().collect()
    }

    /// A link falls silent: what is sent over it gets nowhere, and nobody is told.
    pub fn silence(&mut self, wire: u64) {
        if let Some(wire) = self.wires.get_mut(&wire) {
            wire.silent = true;
        }
    }

    /// From now on nothing gets from the one machine to the other.
    pub fn block(&mut self, from: usize, to: usize) {
        self.blocked.insert((from, to));
    }

    /// These two never reach each other, whatever heals.
    pub fn wall(&mut self, one: usize, other: usize) {
        self.walls.extend([(one, other), (other, one)]);
    }

    /// Everything gets everywhere again. Links that fell silent meanwhile stay so until their ends notice.
    pub fn heal(&mut self) {
        self.blocked.clear();
    }

    /// Whether both machines reach each other, as a dial needs.
    pub fn reaches(&self, one: usize, other: usize) -> bool {
        let cut = |from, to| self.blocked.contains(&(from, to)) || self.walls.contains(&(from, to));
        !cut(one, other) && !cut(other, one)
    }

    /// How long the next frame takes, in ms.
    pub fn delay(&mut self) -> u64 {
        let (least, most) = self.weather.delay_ms;
        self.random.between(least, most)
    }

    /// What becomes of a frame that is sent now from one end of a link to the other.
    pub fn send(&mut self, number: u64, from: usize, now_ms: u64) -> Fate {
        let (delay, weather) = (self.delay(), self.weather);
        let dice = self.random.below(1_000_000);
        let Some(wire) = self.wires.get_mut(&number) else { return Fate::Lost };
        let to = 1 - from;
        let at = (now_ms + delay).max(wire.last_ms[to]);
        if self.blocked.contains(&(wire.ends[from], wire.ends[to])) {
            // What was sent and never acknowledged ends a stream, in the world after minutes or never.
            wire.silent = true;
        }
        if wire.silent {
            return Fate::Lost;
        }
        if dice < weather.breaks_in_million {
            return Fate::Breaks(at);
        }
        if dice < weather.breaks_in_million + weather.silences_in_million {
            wire.silent = true;
            return Fate::Lost;
        }
        wire.last_ms[to] = at;
        Fate::Arrives(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_one_link_arrive_in_their_order() {
        let mut network = Network::new(Random::new(1));
        network.weather.delay_ms = (0, 1_000);
        let wire = network.open(0, 1);
        let mut last = 0;
        for now in 0..1_000 {
            let Fate::Arrives(at) = network.send(wire, 0, now) else { panic!("a calm network loses nothing") };
            assert!(at >= last && at >= now);
            last = at;
        }
    }

    #[test]
    fn a_link_that_fell_silent_stays_so_after_the_partition_heals() {
        let mut network = Network::new(Random::new(1));
        let wire = network.open(0, 1);
        network.block(0, 1);
        assert!(matches!(network.send(wire, 1, 0), Fate::Arrives(_)));
        assert_eq!(network.send(wire, 0, 0), Fate::Lost);
        network.heal();
        assert_eq!(network.send(wire, 0, 0), Fate::Lost);
        assert_eq!(network.send(wire, 1, 0), Fate::Lost);
    }
}
