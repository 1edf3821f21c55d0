//! Who takes part in a run: honest machines, hostile ones, and who may reach whom at first.

use chrysalis_core::member::Role;

use super::{BALLOT, Run, words};
use crate::deed::Deed;
use crate::failure::Failure;
use crate::forge::Vote;
use crate::lies::Lies;
use crate::machine::{Keeping, Owner};
use crate::mangle::{Mangler, Manners};
use crate::random::Draw as _;

impl Run {
    /// What all vote on and rate, in a space that reads scores as trimmed means.
    pub(super) fn call_a_vote(&mut self) -> Result<(), Failure> {
        if !self.plan.votes {
            return Ok(());
        }
        let deed = Deed::Remember { id: BALLOT.to_owned(), words: words(BALLOT, 0), expires_ms: None };
        if let Some(stored) = self.stored(0) {
            stored.store.set_robust(true)?;
            stored.perform(&deed)?;
        }
        self.promise(0, deed)
    }

    pub(super) fn add_honest(&mut self) -> Result<(), Failure> {
        let roles = [Role::Writer, Role::Validator, Role::Writer, Role::Reader, Role::Administrator];
        for number in 1..self.plan.stores {
            let role = if self.plan.votes { Role::Validator } else { roles[number % roles.len()] };
            self.cluster.add(Owner::Honest, Keeping::Store, role)?;
        }
        for _ in 0..self.plan.memories {
            self.cluster.add(Owner::Honest, Keeping::Memory, Role::Writer)?;
        }
        if self.plan.eclipse {
            self.victim = Some(self.cluster.add(Owner::Honest, Keeping::Store, Role::Writer)?);
        }
        let members = self.plan.stores + self.plan.memories;
        for number in 1..members {
            // One before it, so that all are joined, and any other.
            let (before, other) = (self.random.index(number), self.random.index(members));
            self.cluster.acquaint(number, before);
            self.cluster.acquaint(number, other);
        }
        self.add_relay(members)?;
        if let Some(planted) = self.plan.planted {
            let machine = &mut self.cluster.world.machines[members - 1];
            machine.running.iter_mut().for_each(|running| running.replica.planted = Some(planted));
        }
        Ok(())
    }

    pub(super) fn add_hostile(&mut self) -> Result<(), Failure> {
        let members = self.plan.stores + self.plan.memories;
        for _ in 0..self.plan.twins {
            let place = self.random.below(4);
            // A vote is no log's first operation.
            let place = if self.plan.votes { place.max(1) } else { place };
            let says = words(BALLOT, 0);
            let vote = self.plan.votes.then_some(Vote { id: BALLOT, words: &says });
            let twins = self.cluster.add_twins(self.plan.branches, place, vote)?;
            self.twins.extend(&twins);
        }
        for _ in 0..self.plan.liars {
            let role = if self.plan.votes { Role::Validator } else { Role::Writer };
            let number = self.cluster.add(Owner::Hostile, Keeping::Memory, role)?;
            let lies = Lies::new(self.plan.habits, self.random.split());
            self.set_lies(number, lies);
            self.liars.push(number);
        }
        if self.plan.removals > 0 {
            self.traitor = Some(self.cluster.add(Owner::Hostile, Keeping::Memory, Role::Administrator)?);
        }
        for _ in 0..self.plan.strangers {
            let stranger = self.cluster.add_stranger()?;
            self.strangers.push(stranger);
        }
        let hostile = self.twins.iter().chain(&self.liars).chain(&self.traitor).chain(&self.strangers);
        for number in hostile.copied().collect::<Vec<_>>() {
            for _ in 0..2 {
                let known = self.random.index(members);
                self.cluster.acquaint(number, known);
                if !self.strangers.contains(&number) {
                    self.cluster.acquaint(known, number);
                }
            }
            if self.plan.manners != Manners::default() {
                let mangler = Mangler::new(self.plan.manners, self.random.split());
                self.cluster.world.manglers.insert(number, mangler);
            }
        }
        self.note_signed_by_twins();
        self.separate()
    }

    /// A relay that all members know by its key, and the walls that keep them from reaching each other.
    fn add_relay(&mut self, members: usize) -> Result<(), Failure> {
        if !self.plan.relay {
            return Ok(());
        }
        let relay = self.cluster.add_relay()?;
        for number in 0..members {
            self.cluster.trust(number, relay);
            self.cluster.acquaint(number, relay);
            (0..number).for_each(|other| self.cluster.world.network.wall(number, other));
        }
        Ok(())
    }

    fn set_lies(&mut self, number: usize, lies: Lies) {
        if let Some(running) = &mut self.cluster.world.machines[number].running {
            running.replica.lies = Some(lies);
        }
    }

    /// Keeps late branches and the eclipsed machine apart from those that they must not meet yet.
    fn separate(&mut self) -> Result<(), Failure> {
        let all = self.cluster.world.machines.len();
        if self.plan.late {
            let late = self.twins.clone().into_iter().enumerate().filter(|(at, _)| at % self.plan.branches != 0);
            for (_, twin) in late.collect::<Vec<_>>() {
                (0..all).for_each(|other| self.part(twin, other));
            }
        }
        if let Some(victim) = self.victim {
            for liar in self.liars.clone() {
                self.cluster.acquaint(victim, liar);
            }
            let honest = (0..all).filter(|other| !self.liars.contains(other) && *other != victim);
            honest.collect::<Vec<_>>().into_iter().for_each(|other| self.part(victim, other));
        }
        Ok(())
    }

    pub(super) fn part(&mut self, one: usize, other: usize) {
        self.cluster.world.network.block(one, other);
        self.cluster.world.network.block(other, one);
    }

    fn note_signed_by_twins(&mut self) {
        for number in self.twins.clone() {
            let Some(memory) = self.memory(number) else { continue };
            let own = memory.own_log();
            let operations: Vec<_> = memory.valid().map(|one| one.operation().clone()).collect();
            for operation in operations.iter().filter(|operation| operation.header().log == own) {
                let place = (own, operation.header().sequence);
                self.signed.entry(place).or_default().insert(operation.fingerprint());
            }
        }
    }
}
