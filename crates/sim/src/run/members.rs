//! Members who come and go while a run is under way.

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::member::Role;
use chrysalis_core::sync::replica::Replica as _;

use super::Run;
use crate::failure::Failure;
use crate::machine::{Keeping, Owner};
use crate::random::Draw as _;

/// Members who come in one run at most: each is a whole store.
const JOINS_MAX: usize = 5;

/// Removals of one run at most: somebody must be left who agrees.
const REMOVALS_MAX: usize = 4;

impl Run {
    /// Lets somebody in, or removes somebody.
    pub(super) fn come_and_go(&mut self) -> Result<(), Failure> {
        if self.random.chance(self.plan.joins) {
            self.let_somebody_in()?;
        }
        if self.random.chance(self.plan.removals) {
            self.remove_somebody()?;
        }
        Ok(())
    }

    /// Honest stores whose own word is that they administer the space. One that was removed may not know it.
    fn administrators(&self) -> Result<Vec<usize>, Failure> {
        let mut administrators = Vec::new();
        for number in self.honest(Some(Keeping::Store)) {
            let Some(stored) = self.stored(number) else { continue };
            if stored.store.role()? == Some(Role::Administrator) {
                administrators.push(number);
            }
        }
        Ok(administrators)
    }

    fn let_somebody_in(&mut self) -> Result<(), Failure> {
        let joined = self.cluster.world.machines.iter().filter(|one| one.inviter.is_some()).count();
        let Some(inviter) = self.random.choose(&self.administrators()?) else { return Ok(()) };
        let roles = [Role::Writer, Role::Validator, Role::Administrator, Role::Reader];
        let role = self.random.choose(&roles).unwrap_or(Role::Writer);
        if joined >= JOINS_MAX {
            return Ok(());
        }
        let Some(number) = self.cluster.join(inviter, role)? else { return Ok(()) };
        self.cluster.world.tell(|| format!("machine {inviter} invites machine {number} as {role:?}"));
        self.keep_apart(number);
        self.cluster.acquaint(number, inviter);
        // Not of a stranger: whoever dials shows how it came to be a member.
        let members = (0..number).filter(|other| !self.strangers.contains(other)).collect::<Vec<_>>();
        let other = self.random.choose(&members).unwrap_or(inviter);
        self.cluster.acquaint(number, other);
        Ok(())
    }

    /// Who comes later must not undo what the plan keeps apart.
    fn keep_apart(&mut self, number: usize) {
        let late = self.twins.iter().enumerate().filter(|(at, _)| self.plan.late && at % self.plan.branches != 0);
        let apart: Vec<usize> = late.map(|(_, twin)| *twin).chain(self.victim).collect();
        apart.into_iter().for_each(|other| self.part(number, other));
    }

    fn remove_somebody(&mut self) -> Result<(), Failure> {
        let Some(by) = self.random.choose(&self.administrators()?) else { return Ok(()) };
        let Some(removed) = self.random.choose(&self.removable(by)) else { return Ok(()) };
        let key = self.cluster.world.machines[removed].identity.key();
        if self.removals.len() >= REMOVALS_MAX {
            return Ok(());
        }
        let Some(stored) = self.stored(by) else { return Ok(()) };
        match stored.store.remove(key) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            // It has not heard of that member yet.
            Err(error) if error.code() == "not_found" => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        self.cluster.world.tell(|| format!("machine {by} removes machine {removed}"));
        self.removals.push((by, key));
        self.forget_what_was_unseen(by, &key)?;
        let now_ms = self.cluster.world.now_ms();
        self.cluster.world.wake(by, now_ms);
        if self.traitor == Some(removed) && self.smuggled.is_none() {
            self.smuggled = self.cluster.smuggle(removed)?;
            let Some(smuggled) = self.smuggled else { return Ok(()) };
            self.keep_apart(smuggled);
            [removed, by].into_iter().for_each(|known| self.cluster.acquaint(smuggled, known));
        }
        Ok(())
    }

    /// Whom an administrator may want to remove: anybody but the founder, itself, and those whom the plan needs.
    fn removable(&self, by: usize) -> Vec<usize> {
        let machines = self.cluster.world.machines.iter().enumerate().skip(1);
        let members = machines.filter(|(number, machine)| {
            *number != by && machine.owner != Owner::Stranger && machine.identity.role.is_some() && !machine.accident
        });
        let spared = |number: &usize| Some(*number) == self.victim || Some(*number) == self.smuggled;
        members.map(|(number, _)| number).filter(|number| !spared(number)).collect()
    }

    /// What the remover had seen of the removed one counts. Nothing is promised of the rest.
    fn forget_what_was_unseen(&mut self, by: usize, key: &ReplicaKey) -> Result<(), Failure> {
        let machines = &self.cluster.world.machines;
        let Some(remover) = &machines[by].running else { return Ok(()) };
        let theirs = |number: usize| machines[number].identity.key() == *key;
        let mut unseen = Vec::new();
        for (at, given) in self.promises.iter().enumerate().filter(|(_, given)| theirs(given.by)) {
            let seen = match given.place {
                Some((log, place)) => remover.replica.state(&log)?.is_some_and(|state| state.count > place),
                None => false,
            };
            if !seen {
                unseen.push(at);
            }
        }
        for (at, given) in self.promises.iter_mut().enumerate() {
            given.outlasts |= theirs(given.by) && unseen.binary_search(&at).is_err();
        }
        let lost: Vec<String> = unseen.iter().map(|at| self.promises[*at].promise.id().to_owned()).collect();
        for id in lost {
            self.gone.remove(&id);
            self.let_go(&id);
        }
        Ok(())
    }

    /// Takes note of who is no member any more, by the founder's word: who is out need not agree with the others.
    pub(super) fn look_at_members(&mut self) -> Result<(), Failure> {
        if self.removals.is_empty() {
            return Ok(());
        }
        let Some(founder) = self.stored(0) else { return Ok(()) };
        let members = founder.store.members()?;
        for number in 1..self.cluster.world.machines.len() {
            let machine = &self.cluster.world.machines[number];
            let key = machine.identity.key();
            let removed = match members.iter().find(|member| member.replica == key) {
                Some(member) => member.is_removed,
                // Nobody passes on what somebody says whom a removed member let in.
                None => machine.inviter.is_some_and(|inviter| self.cluster.world.machines[inviter].removed),
            };
            self.cluster.world.machines[number].removed = removed && machine.identity.role.is_some();
        }
        Ok(())
    }
}
