//! The end of a run: faults stop, and honest replicas have some time to agree.

use std::collections::BTreeSet;

use chrysalis_core::sync::replica::LogState;

use super::{AGREE_MS_MAX, LAST_LEAP_MS, LEAP_MS, Run};
use crate::check;
use crate::failure::Failure;
use crate::machine::Owner;
use crate::network::Weather;

impl Run {
    /// Stops all faults, and waits until the honest replicas agree or the time is over. Hostile members go on.
    ///
    /// # Errors
    /// When a machine can't be started again, or a store's disk fails.
    pub fn settle(&mut self) -> Result<(), Failure> {
        self.cluster.world.tell(|| "the faults stop".to_owned());
        self.cluster.world.network.weather = Weather::CALM;
        self.cluster.world.network.heal();
        for (_, end) in std::mem::take(&mut self.ends) {
            self.end(end)?;
        }
        for number in 0..self.cluster.world.machines.len() {
            self.cluster.world.machines[number].skew_ms = 0;
            if let Some(running) = &mut self.cluster.world.machines[number].running {
                running.replica.disk.full = false;
                running.replica.disk.kill = None;
            }
            self.bury(number);
            self.cluster.restart(number)?;
        }
        if let Some(victim) = self.victim {
            self.cluster.acquaint(victim, 0);
        }
        self.all_vote()?;
        self.sweep_after_a_leap(LEAP_MS)?;
        let began_ms = self.cluster.world.now_ms();
        while self.cluster.world.now_ms() < began_ms + AGREE_MS_MAX {
            self.pester();
            self.cluster.world.run_for(500);
            self.look_at_members()?;
            if self.agree()? && self.reads_alike()? && check::promises(self)?.is_empty() {
                self.agreed_ms = Some(self.cluster.world.now_ms() - began_ms);
                break;
            }
        }
        self.cluster.world.tell_states();
        self.look_at_members()?;
        // Once more: what came last may have been dated ahead, or be past its time.
        self.sweep_after_a_leap(LAST_LEAP_MS)
    }

    fn sweep_after_a_leap(&mut self, ms: u64) -> Result<(), Failure> {
        self.cluster.world.leap(ms);
        for machine in self.cluster.world.machines.iter().filter(|machine| machine.owner == Owner::Honest) {
            if let Some(stored) = machine.running.as_ref().and_then(|running| running.replica.stored()) {
                stored.store.sweep()?;
            }
        }
        Ok(())
    }

    /// Whether all read alike: words that were withheld come some time after their operations.
    fn reads_alike(&self) -> Result<bool, Failure> {
        let (mut digests, mut documents) = (BTreeSet::new(), Vec::new());
        for machine in self.cluster.world.machines.iter().filter(|machine| machine.is_judged()) {
            let Some(replica) = machine.running.as_ref().map(|running| &running.replica) else { continue };
            digests.extend(replica.stored().map(|stored| stored.store.logical_digest()).transpose()?);
            documents.extend(replica.memory().map(|memory| self.documents(memory, replica.planted)));
        }
        Ok(digests.len() < 2 && documents.windows(2).all(|pair| pair[0] == pair[1]))
    }

    /// Whether all honest replicas have the same of all logs.
    ///
    /// # Errors
    /// Faults of a store.
    pub fn agree(&self) -> Result<bool, Failure> {
        let mut first: Option<Vec<LogState>> = None;
        for machine in self.cluster.world.machines.iter().filter(|machine| machine.is_judged()) {
            let Some(running) = &machine.running else { return Ok(false) };
            let states = running.replica.true_states()?;
            match &first {
                None => first = Some(states),
                Some(first) if *first != states => return Ok(false),
                Some(_) => {}
            }
        }
        Ok(true)
    }
}
