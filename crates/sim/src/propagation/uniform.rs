//! The formula's own world: in every round each calls others, chosen at random among all. No links, no views: what
//! the machines of gossip are compared with.

use chrysalis_core::Result;
use chrysalis_core::operation::Operation;

use crate::population::Population;
use crate::random::Random;

use super::scenario::{Propagation, ROUNDS_MAX, Scenario, Spreading, Watch, Way, loss_in};

struct World<'a> {
    scenario: &'a Scenario,
    population: Population,
    operation: Operation,
    spreading: Spreading,
    random: Random,
    copies: u64,
    messages: u64,
}

/// Runs it.
///
/// # Errors
/// None that is expected: what a refused operation would be.
pub(crate) fn propagate(scenario: &Scenario, watch: Watch<'_>) -> Result<Propagation> {
    let mut population = Population::new(scenario.replicas.max(1), 1)?;
    let operation = population.remember(0)?;
    let spreading = Spreading::new(population.len(), 0);
    let random = Random::new(scenario.seed);
    let mut world = World { scenario, population, operation, spreading, random, copies: 0, messages: 0 };
    for round in 1..=ROUNDS_MAX {
        if world.spreading.is_done() {
            break;
        }
        world.round(round)?;
        if !world.spreading.round_ends(round, watch) {
            break;
        }
    }
    let size = world.population.len() as f64;
    let (copies, messages) = (world.copies as f64 / size, world.messages as f64 / size);
    Ok(Propagation { shares: world.spreading.shares, copies, messages, links: None })
}

impl World<'_> {
    fn round(&mut self, round: u32) -> Result<()> {
        for caller in 0..self.population.len() {
            if self.scenario.way == Way::PushPull || self.spreading.had_before(caller, round) {
                for other in self.others(caller) {
                    self.call(caller, other, round)?;
                }
            }
        }
        Ok(())
    }

    /// `fanout` different ones, none of them the caller.
    fn others(&mut self, caller: usize) -> Vec<usize> {
        let size = self.population.len();
        let count = self.scenario.fanout.min(size - 1);
        let mut others = Vec::with_capacity(count);
        while others.len() < count {
            let other = self.random.index(size);
            if other != caller && !others.contains(&other) {
                others.push(other);
            }
        }
        others
    }

    fn call(&mut self, caller: usize, other: usize, round: u32) -> Result<()> {
        let (tells, hears) = (self.spreading.had_before(caller, round), self.spreading.had_before(other, round));
        self.messages += 1;
        self.copies += u64::from(tells);
        if self.is_lost() {
            return Ok(());
        }
        if tells {
            return self.take(caller, other, round);
        }
        if hears && self.scenario.way == Way::PushPull {
            self.messages += 1;
            self.copies += 1;
            if !self.is_lost() {
                return self.take(other, caller, round);
            }
        }
        Ok(())
    }

    fn take(&mut self, from: usize, to: usize, round: u32) -> Result<()> {
        if !self.spreading.has(to) && self.population.offer(from, to, vec![self.operation.clone()])? > 0 {
            self.spreading.got(to, round);
        }
        Ok(())
    }

    fn is_lost(&mut self) -> bool {
        self.random.next() >> 32 < loss_in(self.scenario)
    }
}
