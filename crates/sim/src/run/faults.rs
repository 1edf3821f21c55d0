//! What goes wrong in a run, and when it ends.

use chrysalis_core::id::LogId;
use chrysalis_core::sync::replica::Replica as _;

use super::{End, Run};
use crate::disk::Moment;
use crate::failure::Failure;
use crate::machine::{Keeping, Owner};
use crate::random::Draw as _;

/// What an agent does on a machine that was just restored, before it hears of anybody.
const HASTY_DEEDS: usize = 4;

impl Run {
    pub(super) fn honest(&self, keeping: Option<Keeping>) -> Vec<usize> {
        let machines = self.cluster.world.machines.iter().enumerate();
        let fits = machines.filter(|(_, machine)| {
            machine.owner == Owner::Honest
                && machine.running.is_some()
                && keeping.is_none_or(|one| one == machine.keeping)
        });
        fits.map(|(number, _)| number).collect()
    }

    fn later(&mut self, least_ms: u64, most_ms: u64, end: End) {
        let at = self.cluster.world.now_ms() + self.random.between(least_ms, most_ms);
        self.ends.push((at, end));
    }

    pub(super) fn break_something(&mut self, tick: u64) -> Result<(), Failure> {
        let plan = self.plan.clone();
        if self.random.chance(plan.breaks) {
            let wires = self.cluster.world.network.all();
            if let Some(wire) = self.random.choose(&wires) {
                self.cluster.world.network.silence(wire);
            }
        }
        if self.random.chance(plan.partitions) && self.victim.is_none() && !plan.late {
            self.partition();
        }
        if self.random.chance(plan.slow_machines)
            && let Some(number) = self.random.choose(&self.honest(None))
        {
            self.cluster.world.machines[number].slowness_ms = 500;
            self.later(500, 5_000, End::Slowness(number));
        }
        if self.random.chance(plan.wrong_clocks)
            && let Some(number) = self.random.choose(&self.honest(None))
        {
            self.cluster.world.machines[number].skew_ms = self.random.between(0, 7_200_000) as i64 - 3_600_000;
            self.later(100, 20_000, End::WrongClock(number));
        }
        self.break_a_disk()?;
        self.have_an_accident(tick)
    }

    fn break_a_disk(&mut self) -> Result<(), Failure> {
        let stores = self.honest(Some(Keeping::Store));
        if self.random.chance(self.plan.full_disks)
            && let Some(number) = self.random.choose(&stores)
            && let Some(running) = &mut self.cluster.world.machines[number].running
        {
            running.replica.disk.full = true;
            self.later(100, 5_000, End::FullDisk(number));
        }
        if self.random.chance(self.plan.kills)
            && let Some(number) = self.random.choose(&stores)
            && let Some(running) = &mut self.cluster.world.machines[number].running
        {
            let moment = if self.random.chance(500) { Moment::Before } else { Moment::After };
            running.replica.disk.kill = Some((self.random.below(3) as u32, moment));
            self.later(1_000, 6_000, End::Down(number));
        }
        Ok(())
    }

    /// Parts the machines in two, or keeps some from being heard by the others.
    fn partition(&mut self) {
        let one_way = self.random.chance(400);
        let side: Vec<bool> = self.cluster.world.machines.iter().map(|_| self.random.chance(400)).collect();
        for (one, at) in side.iter().enumerate().filter(|(_, at)| **at).map(|(one, at)| (one, *at)) {
            for other in (0..side.len()).filter(|other| side[*other] != at) {
                self.cluster.world.network.block(one, other);
                if !one_way {
                    self.cluster.world.network.block(other, one);
                }
            }
        }
        self.later(500, 15_000, End::Partition);
    }

    fn have_an_accident(&mut self, tick: u64) -> Result<(), Failure> {
        let stores = self.honest(Some(Keeping::Store));
        if self.plan.restores > 0
            && self.random.chance(self.plan.restores * 3)
            && let Some(number) = self.random.choose(&stores)
        {
            let name = format!("backup{number}x{tick}");
            self.cluster.back_up(number, &name)?;
            self.backups.insert(number, name);
        }
        if self.random.chance(self.plan.restores)
            && let Some(number) =
                self.random.choose(&self.backups.keys().copied().filter(|one| stores.contains(one)).collect::<Vec<_>>())
        {
            self.restore(number)?;
        }
        if self.plan.clones > 0
            && tick == self.plan.ticks / 3
            && let Some(number) = self.random.choose(stores.get(1..).unwrap_or_default())
        {
            let clone = self.cluster.clone_machine(number)?;
            self.cluster.world.tell(|| format!("machine {number} was cloned: machine {clone}"));
            for known in self.cluster.world.machines[number].knows.clone() {
                let known = self.cluster.world.at(&known).unwrap_or(0);
                self.cluster.acquaint(clone, known);
            }
            self.cluster.acquaint(clone, 0);
        }
        Ok(())
    }

    fn restore(&mut self, number: usize) -> Result<(), Failure> {
        let Some(name) = self.backups.remove(&number) else { return Ok(()) };
        // What only the lost disk held is lost with it: nobody can promise it, nor know what it forgot.
        let known = self.known_elsewhere(number)?;
        let is_lost = |place: Option<(LogId, u64)>| {
            place.zip(known).is_some_and(|((log, place), (own, count))| log == own && place >= count)
        };
        self.promises.retain(|given| !is_lost(given.place));
        self.gone.retain(|_, place| !is_lost(*place));
        self.cluster.world.tell(|| format!("machine {number} is restored from {name}"));
        self.cluster.restore(number, &name)?;
        if self.plan.hasty && self.writers().contains(&number) {
            (0..HASTY_DEEDS).try_for_each(|_| self.act_on(number))?;
        }
        Ok(())
    }

    /// The log of a machine, and how many of the operations in it another honest machine has. Of a log that was continued
    /// from an old copy before, others may have a branch that is longer, and not this one.
    fn known_elsewhere(&self, number: usize) -> Result<Option<(LogId, u64)>, Failure> {
        let machines = &self.cluster.world.machines;
        let Some(own) = &machines[number].running else { return Ok(None) };
        let Some(opening) = own.replica.opening()? else { return Ok(None) };
        let log = opening.header().log;
        let said = own.replica.state(&log)?.map_or(0, |state| state.count);
        let others = machines.iter().enumerate().filter(|(other, machine)| *other != number && machine.is_judged());
        let others: Vec<_> = others.filter_map(|(_, machine)| machine.running.as_ref()).collect();
        for place in (0..said).rev() {
            let here = own.replica.standing_at(&log, place)?;
            for other in &others {
                if other.replica.standing_at(&log, place)? == here {
                    return Ok(Some((log, place + 1)));
                }
            }
        }
        Ok(Some((log, 0)))
    }

    pub(super) fn end_what_is_due(&mut self) -> Result<(), Failure> {
        let now_ms = self.cluster.world.now_ms();
        let (due, later) = std::mem::take(&mut self.ends).into_iter().partition(|(at, _)| *at <= now_ms);
        self.ends = later;
        let due: Vec<(u64, End)> = due;
        due.into_iter().try_for_each(|(_, end)| self.end(end))
    }

    pub(super) fn end(&mut self, end: End) -> Result<(), Failure> {
        self.cluster.world.tell(|| format!("ends: {end:?}"));
        match end {
            End::Partition => self.cluster.world.network.heal(),
            End::Slowness(number) => self.cluster.world.machines[number].slowness_ms = 0,
            End::WrongClock(number) => self.cluster.world.machines[number].skew_ms = 0,
            End::FullDisk(number) => {
                if let Some(running) = &mut self.cluster.world.machines[number].running {
                    running.replica.disk.full = false;
                }
            }
            End::Down(number) => self.cluster.restart(number)?,
        }
        Ok(())
    }

    /// Takes a machine down whose process was killed while no node was at work.
    pub(super) fn bury(&mut self, number: usize) {
        if self.cluster.world.machines[number].running.as_ref().is_some_and(|one| one.replica.disk.was_killed()) {
            self.cluster.world.stop(number);
        }
    }
}
