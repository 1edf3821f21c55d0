//! The machines of gossip, one for each replica: they find each other, hold links, choose whom to tell and whom to
//! compare notes with. Everyone takes the memory through admission.
//!
//! What nodes say to each other is reduced to what it comes to, so that a hundred thousand fit one core: a call
//! stands at once, and an exchange compares the states of two replicas and brings what one lacks. A message travels
//! for a whole round: what is told arrives at its end, an exchange ends with the round in which it began, and what was
//! only announced has to be asked for, which takes one round more. Each message may be lost.

use chrysalis_core::Result;
use chrysalis_core::operation::Operation;
use chrysalis_core::sync::book::Source;
use chrysalis_core::sync::gossip::{Gossip, GossipCommand, GossipConfig, LinkId};
use chrysalis_core::sync::message::Peer;

use crate::population::{Population, key_of};
use crate::random::Random;

use super::scenario::{Progress, Propagation, ROUNDS_MAX, Scenario, Spreading, Watch, loss_in};

/// Rounds in which replicas find each other before anything is written.
const FINDING_ROUNDS: u64 = 60;

/// Memories of another replica that spread before the one that is measured: by then links have become eager and lazy.
const EARLIER_MEMORIES: usize = 3;

/// Members whose addresses a new replica is given, as with an invitation.
const INVITED_BY: usize = 3;

struct World {
    loss: u64,
    interval_ms: u64,
    population: Population,
    machines: Vec<Gossip>,
    /// Both ends of each link, first who called; none once it is gone. Its place is the link's number.
    links: Vec<Option<(u32, u32)>>,
    random: Random,
    round: u64,
    copies: u64,
    messages: u64,
}

/// A message under way between two ends of a link.
#[derive(Clone, Copy)]
struct Sent {
    link: LinkId,
    from: usize,
    to: usize,
}

/// Runs it.
///
/// # Errors
/// None that is expected: what a refused operation would be.
pub(crate) fn propagate(scenario: &Scenario, watch: Watch<'_>) -> Result<Propagation> {
    let size = scenario.replicas.max(2);
    let mut world = World::new(size, scenario)?;
    for _ in 0..FINDING_ROUNDS {
        world.tick();
        if !watch(world.progress()) {
            return Ok(Propagation::default());
        }
    }
    for _ in 0..EARLIER_MEMORIES {
        let mut goes_on = true;
        world.spread(1, &mut |progress| {
            goes_on = watch(Progress { share: None, ..progress });
            goes_on
        })?;
        if !goes_on {
            return Ok(Propagation::default());
        }
    }
    (world.copies, world.messages) = (0, 0);
    let shares = world.spread(0, watch)?;
    let per_replica = |count: u64| count as f64 / size as f64;
    let links = world.links.iter().flatten().count() as u64 * 2;
    Ok(Propagation {
        shares,
        copies: per_replica(world.copies),
        messages: per_replica(world.messages),
        links: Some(per_replica(links)),
    })
}

fn address(number: usize) -> String {
    format!("ws://r{number}")
}

fn number_in(address: &str) -> Option<usize> {
    address.strip_prefix("ws://r")?.parse().ok()
}

impl World {
    fn new(size: usize, scenario: &Scenario) -> Result<Self> {
        let mut random = Random::new(scenario.seed);
        let config = GossipConfig { fanout: scenario.fanout, ..GossipConfig::default() };
        let interval_ms = config.interval_ms;
        let mut machines: Vec<Gossip> = Vec::with_capacity(size);
        for number in 0..size {
            let mut machine = Gossip::new(config.clone(), key_of(number).public(), random.next());
            for _ in 0..INVITED_BY.min(number) {
                let inviter = random.index(number);
                machine.know(Peer { address: address(inviter), replica: None }, Source::Configured);
            }
            machines.push(machine);
        }
        let population = Population::new(size, 2)?;
        let (links, loss) = (Vec::new(), loss_in(scenario));
        Ok(Self { loss, interval_ms, population, machines, links, random, round: 0, copies: 0, messages: 0 })
    }

    fn now_ms(&self) -> u64 {
        self.round * self.interval_ms
    }

    /// How far it is while nothing is measured.
    fn progress(&self) -> Progress {
        Progress { rounds: self.round as u32, share: None }
    }

    fn is_lost(&mut self) -> bool {
        self.messages += 1;
        self.random.next() >> 32 < self.loss
    }

    fn other_end(&self, link: LinkId, one: usize) -> Option<usize> {
        let (caller, called) = self.links.get(link.0 as usize).copied().flatten()?;
        Some(if caller as usize == one { called as usize } else { caller as usize })
    }

    /// One round of all machines; the exchanges that they asked for.
    fn tick(&mut self) -> Vec<Sent> {
        self.round += 1;
        let now_ms = self.now_ms();
        let mut exchanges = Vec::new();
        for from in 0..self.machines.len() {
            if self.machines[from].wake_at().is_none_or(|wake| wake > now_ms) {
                continue;
            }
            for command in self.machines[from].tick(now_ms) {
                match command {
                    GossipCommand::Dial(to) => self.call(from, &to),
                    GossipCommand::Drop(link) => self.hang_up(link),
                    GossipCommand::Shuffle(link, peers) => self.introduce(from, link, peers),
                    GossipCommand::Exchange(link) => {
                        exchanges.extend(self.other_end(link, from).map(|to| Sent { link, from, to }));
                    }
                }
            }
        }
        exchanges
    }

    fn call(&mut self, from: usize, to: &str) {
        let now_ms = self.now_ms();
        let Some(number) = number_in(to).filter(|number| *number != from && *number < self.machines.len()) else {
            return self.machines[from].dial_failed(to, now_ms);
        };
        let link = LinkId(self.links.len() as u64);
        self.links.push(Some((from as u32, number as u32)));
        let (caller, called) = (self.population.key(from), self.population.key(number));
        self.machines[from].linked(link, called, Some(to.to_owned()), false, now_ms);
        self.machines[number].linked(link, caller, Some(address(from)), true, now_ms);
    }

    fn hang_up(&mut self, link: LinkId) {
        let now_ms = self.now_ms();
        if let Some((caller, called)) = self.links.get_mut(link.0 as usize).and_then(Option::take) {
            self.machines[caller as usize].unlinked(link, now_ms);
            self.machines[called as usize].unlinked(link, now_ms);
        }
    }

    fn introduce(&mut self, from: usize, link: LinkId, peers: Vec<Peer>) {
        let source = Source::Announced(self.population.key(from));
        if let Some(to) = self.other_end(link, from) {
            peers.into_iter().for_each(|peer| self.machines[to].know(peer, source));
        }
    }

    /// One replica remembers something; the share that has it, round by round, until everyone has.
    fn spread(&mut self, writer: usize, watch: Watch<'_>) -> Result<Vec<f64>> {
        let operation = self.population.remember(writer)?;
        let mut news = Rumour { spreading: Spreading::new(self.machines.len(), writer), operation, fresh: Vec::new() };
        let mut asked: Vec<Sent> = Vec::new();
        news.fresh.push((writer, None));
        let now_ms = self.now_ms();
        self.machines[writer].news(now_ms);
        for round in 1..=ROUNDS_MAX {
            if news.spreading.is_done() {
                break;
            }
            let fresh = std::mem::take(&mut news.fresh);
            let exchanges = self.tick();
            let (eager, lazy) = self.tell(&fresh, news.operation.encode().len());
            for sent in eager {
                self.arrive(&mut news, sent, round)?;
            }
            for asked in std::mem::take(&mut asked) {
                self.answer(&mut news, asked, round)?;
            }
            for exchange in exchanges {
                self.exchange(&mut news, exchange, round)?;
            }
            asked = self.announce(&news, lazy);
            if !news.spreading.round_ends(self.round as u32, watch) {
                break;
            }
        }
        Ok(news.spreading.shares)
    }

    /// What those who heard of it in the last round send, and what they announce.
    fn tell(&mut self, fresh: &[(usize, Option<LinkId>)], bytes: usize) -> (Vec<Sent>, Vec<Sent>) {
        let (mut eager, mut lazy) = (Vec::new(), Vec::new());
        for (from, heard_over) in fresh.iter().copied() {
            let spread = self.machines[from].spread(heard_over, bytes);
            let sent = |link: LinkId| self.other_end(link, from).map(|to| Sent { link, from, to });
            eager.extend(spread.eager.into_iter().filter_map(sent));
            lazy.extend(spread.lazy.into_iter().filter_map(sent));
        }
        (eager, lazy)
    }

    fn arrive(&mut self, news: &mut Rumour, sent: Sent, round: u32) -> Result<()> {
        self.copies += 1;
        if self.is_lost() {
            return Ok(());
        }
        if !news.spreading.has(sent.to) {
            return self.take(news, sent, round);
        }
        // Both ends find out: the receiver at once, the sender when the receiver tells or announces it in turn.
        self.machines[sent.to].duplicate(sent.link);
        self.machines[sent.from].duplicate(sent.link);
        Ok(())
    }

    /// Announcements arrive: who lacks it asks the first one that announced it.
    fn announce(&mut self, news: &Rumour, lazy: Vec<Sent>) -> Vec<Sent> {
        let mut asked = Vec::new();
        let mut asking = std::collections::BTreeSet::new();
        for sent in lazy {
            if !self.is_lost() && !news.spreading.has(sent.to) && asking.insert(sent.to) {
                asked.push(sent);
            }
        }
        asked
    }

    /// What was asked for, unless it came meanwhile: a question and an answer, each of which may be lost.
    fn answer(&mut self, news: &mut Rumour, asked: Sent, round: u32) -> Result<()> {
        if news.spreading.has(asked.to) || self.is_lost() {
            return Ok(());
        }
        self.copies += 1;
        if self.is_lost() {
            return Ok(());
        }
        self.machines[asked.to].grafted(asked.link);
        self.machines[asked.from].grafted(asked.link);
        self.take(news, asked, round)
    }

    /// Two replicas compare what they had when the round began; what one lacks is asked for and sent.
    fn exchange(&mut self, news: &mut Rumour, exchange: Sent, round: u32) -> Result<()> {
        if self.is_lost() || self.is_lost() {
            return Ok(());
        }
        let Sent { link, from, to } = exchange;
        for sent in [Sent { link, from, to }, Sent { link, from: to, to: from }] {
            if news.spreading.had_before(sent.from, round) && !news.spreading.has(sent.to) {
                self.copies += 1;
                if !self.is_lost() {
                    self.take(news, sent, round)?;
                }
            }
        }
        Ok(())
    }

    /// The door. What comes is what the other replica has and this one lacks, found by comparing their states.
    fn take(&mut self, news: &mut Rumour, sent: Sent, round: u32) -> Result<()> {
        if self.population.bring(sent.from, sent.to)? > 0 {
            let now_ms = self.now_ms();
            news.spreading.got(sent.to, round);
            news.fresh.push((sent.to, Some(sent.link)));
            self.machines[sent.to].news(now_ms);
        }
        Ok(())
    }
}

/// A memory on its way.
struct Rumour {
    operation: Operation,
    spreading: Spreading,
    /// Who heard of it in this round, and over which link.
    fresh: Vec<(usize, Option<LinkId>)>,
}
