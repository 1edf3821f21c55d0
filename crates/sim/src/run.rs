//! One run: a plan is carried out under a seed, the faults stop, and what must hold is checked.

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::Refusal;
use chrysalis_core::id::{Epoch, Fingerprint, LogId, MemoryId, Salt};
use chrysalis_core::member::Role;
use chrysalis_core::merge::Document;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::replica::{LogState, Replica as _, Segment};

use crate::check::promises;
use crate::cluster::Cluster;
use crate::deed::{Deed, Promise};
use crate::disk::Moment;
use crate::failure::Failure;
use crate::forge::{Forgery, forge, note};
use crate::in_memory;
use crate::lies::Lies;
use crate::machine::{Keeping, Owner};
use crate::mangle::Mangler;
use crate::network::Weather;
use crate::plan::Plan;
use crate::random::{Draw, Random};
use crate::replica::{Kept, Planted};

/// How long replicas may take to agree after the last fault, in ms of simulated time: a link that fell silent is
/// noticed after a minute, and then comparisons come every few seconds.
pub const AGREE_MS_MAX: u64 = 180_000;

/// How long all clocks leap when the faults have stopped: beyond every embargo and expiry of a run.
const LEAP_MS: u64 = 3 * 3600 * 1000;

/// How long they leap once all agree: beyond the thirty days in which words of void branches are kept for their authors.
const LAST_LEAP_MS: u64 = 31 * 24 * 3600 * 1000;

/// How long a memory that fades lasts at most.
const FADES_MS_MAX: u64 = 45 * 60 * 1000;

/// What an agent does on a machine that was just restored, before it hears of anybody.
const HASTY_DEEDS: usize = 4;

/// Forged operations of one liar: more would only be refused in the same way.
const FORGERIES_MAX: u64 = 24;

/// A memory that somebody made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// The machine that made it.
    pub by: usize,
    /// Tags of edits.
    pub tags: Vec<String>,
}

/// A run that is under way or over.
pub struct Run {
    /// The cluster.
    pub cluster: Cluster,
    /// The plan.
    pub plan: Plan,
    /// What agents were told, by machine.
    pub promises: Vec<(usize, Promise)>,
    /// Every memory.
    pub made: Vec<Made>,
    /// Memories whose words must be nowhere in the end: forgotten or faded.
    pub gone: BTreeSet<String>,
    /// All that hostile members signed at a place of a log.
    pub signed: BTreeMap<(LogId, u64), BTreeSet<Fingerprint>>,
    /// What hostile members said, and where: log, place and words.
    pub hostile_words: Vec<(LogId, u64, String)>,
    /// How long the replicas took to agree after the last fault, in ms; none when they did not.
    pub agreed_ms: Option<u64>,
    random: Random,
    next: u64,
    twins: Vec<usize>,
    liars: Vec<usize>,
    backups: BTreeMap<usize, String>,
    victim: Option<usize>,
    ends: Vec<(u64, End)>,
}

/// What ends by itself after a while.
#[derive(Clone, Copy, Debug)]
enum End {
    Partition,
    FullDisk(usize),
    Slowness(usize),
    WrongClock(usize),
    Down(usize),
}

impl Run {
    /// Makes the cluster of a plan.
    ///
    /// # Errors
    /// When a machine can't be made.
    pub fn new(plan: Plan, seed: u64, random: Random) -> Result<Self, Failure> {
        let mut run = Self {
            cluster: Cluster::found(seed)?,
            plan,
            promises: Vec::new(),
            made: Vec::new(),
            gone: BTreeSet::new(),
            signed: BTreeMap::new(),
            hostile_words: Vec::new(),
            agreed_ms: None,
            random,
            next: 0,
            twins: Vec::new(),
            liars: Vec::new(),
            backups: BTreeMap::new(),
            victim: None,
            ends: Vec::new(),
        };
        run.add_honest()?;
        run.add_hostile()?;
        run.cluster.world.network.weather = run.plan.weather;
        Ok(run)
    }

    fn add_honest(&mut self) -> Result<(), Failure> {
        let roles = [Role::Writer, Role::Validator, Role::Writer, Role::Reader, Role::Administrator];
        for number in 1..self.plan.stores {
            self.cluster.add(Owner::Honest, Keeping::Store, roles[number % roles.len()])?;
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
        if let Some(planted) = self.plan.planted {
            let machine = &mut self.cluster.world.machines[members - 1];
            machine.running.iter_mut().for_each(|running| running.replica.planted = Some(planted));
        }
        Ok(())
    }

    fn add_hostile(&mut self) -> Result<(), Failure> {
        let members = self.plan.stores + self.plan.memories;
        for _ in 0..self.plan.twins {
            let place = self.random.below(4);
            let twins = self.cluster.add_twins(self.plan.branches, place)?;
            self.twins.extend(&twins);
        }
        for _ in 0..self.plan.liars {
            let number = self.cluster.add(Owner::Hostile, Keeping::Memory, Role::Writer)?;
            let lies = Lies::new(self.plan.habits, self.random.split());
            self.set_lies(number, lies);
            self.liars.push(number);
        }
        let mut strangers = Vec::new();
        for _ in 0..self.plan.strangers {
            strangers.push(self.cluster.add_stranger()?);
        }
        for number in self.twins.iter().chain(&self.liars).chain(&strangers).copied().collect::<Vec<_>>() {
            for _ in 0..2 {
                let known = self.random.index(members);
                self.cluster.acquaint(number, known);
                if !strangers.contains(&number) {
                    self.cluster.acquaint(known, number);
                }
            }
            if self.plan.manners != Default::default() {
                let mangler = Mangler::new(self.plan.manners, self.random.split());
                self.cluster.world.manglers.insert(number, mangler);
            }
        }
        self.note_signed_by_twins();
        self.separate()
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

    fn part(&mut self, one: usize, other: usize) {
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

    fn memory(&self, number: usize) -> Option<&MemoryReplica> {
        self.cluster.world.machines[number].running.as_ref()?.replica.memory()
    }

    /// Carries out the plan.
    ///
    /// # Errors
    /// When a machine can't be started again.
    pub fn live(&mut self) -> Result<(), Failure> {
        for tick in 0..self.plan.ticks {
            let pause_ms = self.random.between(1, 120);
            self.cluster.world.run_for(pause_ms);
            if self.random.chance(self.plan.deeds) {
                self.act()?;
            }
            self.misbehave()?;
            self.break_something(tick)?;
            self.end_what_is_due()?;
        }
        Ok(())
    }

    // Agents.

    fn writers(&self) -> Vec<usize> {
        let machines = self.cluster.world.machines.iter().enumerate();
        let writes = machines.filter(|(_, machine)| {
            let may = machine.identity.role.is_some_and(|role| role >= Role::Writer);
            machine.owner == Owner::Honest && machine.running.is_some() && may
        });
        writes.map(|(number, _)| number).collect()
    }

    fn act(&mut self) -> Result<(), Failure> {
        let Some(number) = self.random.choose(&self.writers()) else { return Ok(()) };
        self.act_on(number)
    }

    fn act_on(&mut self, number: usize) -> Result<(), Failure> {
        let Some(deed) = self.deed(number) else { return Ok(()) };
        let done = self.perform(number, &deed)?;
        self.cluster.world.tell(|| format!("machine {number} does {deed:?}: {done}"));
        if done {
            self.promise(number, deed);
        }
        let now_ms = self.cluster.world.now_ms();
        self.cluster.world.wake(number, now_ms);
        Ok(())
    }

    fn deed(&mut self, number: usize) -> Option<Deed> {
        self.next += 1;
        let fresh = self.next;
        let known = self.random.index(self.made.len().max(1));
        let known = self.made.get(known).cloned();
        match (self.random.below(100), known) {
            (0..45, _) | (_, None) => {
                let id = format!("m{fresh}");
                Some(Deed::Remember { words: words(&id, 0), id, expires_ms: None })
            }
            (45..50, _) => {
                let id = format!("m{fresh}");
                let expires_ms =
                    Some(self.cluster.world.machines[number].wall_ms() + self.random.between(1_000, FADES_MS_MAX));
                Some(Deed::Remember { words: words(&id, 0), id, expires_ms })
            }
            (50..75, Some(made)) => {
                let tag = format!("t{fresh}");
                Some(Deed::Update { words: words(&made.id, fresh), id: made.id, tag })
            }
            (75..80, Some(made)) => Some(Deed::Untag {
                tag: self.random.choose(&made.tags.iter().collect::<Vec<_>>())?.clone(),
                id: made.id,
            }),
            (80..87, Some(made)) => Some(Deed::Touch { id: made.id }),
            (87..94, Some(made)) => Some(Deed::Attest { id: made.id, confidence: self.random.below(65_536) as u16 }),
            (_, Some(made)) => {
                let administers = self.cluster.world.machines[number].identity.role == Some(Role::Administrator);
                let stores = self.cluster.world.machines[number].keeping == Keeping::Store;
                (stores && (administers || made.by == number)).then_some(Deed::Forget { id: made.id })
            }
        }
    }

    /// Whether it was done. What can't be done for good reasons is no failure.
    fn perform(&mut self, number: usize, deed: &Deed) -> Result<bool, Failure> {
        let machine = &mut self.cluster.world.machines[number];
        let Some(running) = &mut machine.running else { return Ok(false) };
        if running.replica.disk.meets(Moment::Before).is_err() {
            return Ok(false);
        }
        let now_ms = machine.wall.load(std::sync::atomic::Ordering::Relaxed);
        match &mut running.replica.kept {
            Kept::Memory(memory) => {
                let id = match deed {
                    Deed::Remember { .. } => None,
                    Deed::Update { id, .. } | Deed::Untag { id, .. } | Deed::Attest { id, .. } => Some(id),
                    Deed::Touch { id } | Deed::Forget { id } => Some(id),
                    Deed::Remove { .. } => return Ok(false),
                };
                let known = |id: &String| {
                    let id = MemoryId::new(id);
                    id.is_ok_and(|id| in_memory::document(memory, &id).is_live())
                };
                // It joins operations and knows nothing of endings: an edit of what fades would not carry its end.
                let ends = |id: &String| self.gone.contains(id);
                let fades = matches!(deed, Deed::Remember { expires_ms: Some(_), .. });
                if fades || id.is_some_and(|id| !known(id) || ends(id)) {
                    return Ok(false);
                }
                in_memory::perform(memory, deed, &mut self.random, now_ms).map(|()| true).or_else(tolerated)
            }
            Kept::Store(stored) => stored.perform(deed).map(|()| true).or_else(|error| match error.code() {
                "not_found" | "not_allowed" => Ok(false),
                _ => Err(Failure(format!("machine {number} could not do {deed:?}: {error:?}"))),
            }),
        }
    }

    fn promise(&mut self, number: usize, deed: Deed) {
        match deed {
            Deed::Remember { id, expires_ms, .. } => {
                self.made.push(Made { id: id.clone(), by: number, tags: Vec::new() });
                match expires_ms {
                    Some(_) => drop(self.gone.insert(id)),
                    None => self.promises.push((number, Promise::Lives { id })),
                }
            }
            Deed::Update { id, tag, .. } => {
                if let Some(made) = self.made.iter_mut().find(|made| made.id == id) {
                    made.tags.push(tag.clone());
                }
                self.promises.push((number, Promise::Tagged { id, tag }));
            }
            Deed::Untag { tag, .. } => {
                self.promises
                    .retain(|(_, promise)| !matches!(promise, Promise::Tagged { tag: kept, .. } if *kept == tag));
            }
            Deed::Forget { id } => {
                self.gone.insert(id.clone());
                self.promises.push((number, Promise::Gone { id }));
            }
            _ => {}
        }
    }

    // Hostile members.

    fn misbehave(&mut self) -> Result<(), Failure> {
        if self.random.chance(200)
            && let Some(twin) = self.random.choose(&self.twins)
        {
            self.next += 1;
            let words = format!("zqtwin{}q", self.next);
            self.hostile_says(twin, &words)?;
        }
        let Some(liar) = self.random.choose(&self.liars) else { return Ok(()) };
        if self.random.chance(100) {
            self.next += 1;
            let words = format!("zqliar{}q", self.next);
            self.hostile_says(liar, &words)?;
        }
        if self.plan.forges && self.random.chance(100) {
            self.forge(liar)?;
        }
        if self.random.chance(50) {
            // Another handshake, whatever the gossip wants: links of one member are bounded.
            let other = self.random.index(self.cluster.world.machines.len());
            self.cluster.world.dial(liar, other);
        }
        Ok(())
    }

    fn hostile_says(&mut self, number: usize, words: &str) -> Result<(), Failure> {
        let now_ms = self.cluster.world.true_ms();
        let salt = Salt(self.random.bytes());
        let epoch = Epoch(self.random.bytes());
        let Some(running) = &mut self.cluster.world.machines[number].running else { return Ok(()) };
        if let Kept::Memory(memory) = &mut running.replica.kept {
            if memory.is_forked() {
                // It was caught, and goes on in another epoch: its key is still a member's.
                memory.open(epoch, salt, now_ms)?;
            }
            let said = memory.say(note(words)?, salt, now_ms)?;
            self.hostile_words.push((said.header().log, said.header().sequence, words.to_owned()));
            self.note_signed(vec![said]);
        }
        let now_ms = self.cluster.world.now_ms();
        self.cluster.world.wake(number, now_ms);
        Ok(())
    }

    fn forge(&mut self, number: usize) -> Result<(), Failure> {
        let forgery = self.random.choose(&Forgery::ALL).unwrap_or(Forgery::Lamport);
        let (now_ms, seed) = (self.cluster.world.true_ms(), self.cluster.world.machines[number].identity.seed);
        let Some(running) = &mut self.cluster.world.machines[number].running else { return Ok(()) };
        let Kept::Memory(memory) = &running.replica.kept else { return Ok(()) };
        let segment = forge(memory, &seed, forgery, now_ms, &mut self.random)?;
        if let Some(lies) = running.replica.lies.as_mut().filter(|lies| lies.forged() < FORGERIES_MAX) {
            lies.forge(segment.clone());
            self.note_signed(segment);
        }
        let now_ms = self.cluster.world.now_ms();
        self.cluster.world.wake(number, now_ms);
        Ok(())
    }

    fn note_signed(&mut self, segment: Segment) {
        for operation in segment {
            let place = (operation.header().log, operation.header().sequence);
            self.signed.entry(place).or_default().insert(operation.fingerprint());
        }
    }

    // Faults.

    fn honest(&self, keeping: Option<Keeping>) -> Vec<usize> {
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

    fn break_something(&mut self, tick: u64) -> Result<(), Failure> {
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
            && let Some(number) = self.random.choose(&stores[1..])
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
        if !self.is_known_elsewhere(number)? {
            // Words that only the lost disk held are lost with it: nobody can promise them.
            self.promises.retain(|(by, _)| *by != number);
        }
        self.cluster.world.tell(|| format!("machine {number} is restored from {name}"));
        self.cluster.restore(number, &name)?;
        if self.plan.hasty && self.writers().contains(&number) {
            (0..HASTY_DEEDS).try_for_each(|_| self.act_on(number))?;
        }
        Ok(())
    }

    /// Whether another honest machine has all that this one has said.
    fn is_known_elsewhere(&self, number: usize) -> Result<bool, Failure> {
        let machines = &self.cluster.world.machines;
        let Some(own) = &machines[number].running else { return Ok(false) };
        let Some(opening) = own.replica.opening()? else { return Ok(false) };
        let log = opening.header().log;
        let said = own.replica.state(&log)?.map_or(0, |state| state.count);
        for (other, machine) in machines.iter().enumerate() {
            let Some(running) = machine.running.as_ref().filter(|_| other != number && machine.is_judged()) else {
                continue;
            };
            if running.replica.state(&log)?.is_some_and(|state| state.count >= said) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn end_what_is_due(&mut self) -> Result<(), Failure> {
        let now_ms = self.cluster.world.now_ms();
        let (due, later) = std::mem::take(&mut self.ends).into_iter().partition(|(at, _)| *at <= now_ms);
        self.ends = later;
        let due: Vec<(u64, End)> = due;
        due.into_iter().try_for_each(|(_, end)| self.end(end))
    }

    fn end(&mut self, end: End) -> Result<(), Failure> {
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
            self.cluster.restart(number)?;
        }
        if let Some(victim) = self.victim {
            self.cluster.acquaint(victim, 0);
        }
        self.sweep_after_a_leap(LEAP_MS)?;
        let began_ms = self.cluster.world.now_ms();
        while self.cluster.world.now_ms() < began_ms + AGREE_MS_MAX {
            self.cluster.world.run_for(500);
            if self.agree()? && self.reads_alike()? {
                self.agreed_ms = Some(self.cluster.world.now_ms() - began_ms);
                break;
            }
        }
        self.cluster.world.tell_states();
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
        let alike = digests.len() < 2 && documents.windows(2).all(|pair| pair[0] == pair[1]);
        // A replica in memory that is the only one has nobody to be compared with.
        Ok(alike && promises(self)?.is_empty())
    }

    /// What a replica in memory reads. What was forgotten elsewhere is left out: it arrives there without its words, or
    /// has come with them before, and memory forgets none.
    pub fn documents(&self, memory: &MemoryReplica, planted: Option<Planted>) -> BTreeMap<MemoryId, Document> {
        let mut documents = in_memory::documents(memory, planted);
        documents.retain(|id, _| !self.gone.contains(id.as_str()));
        documents
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

fn tolerated(refusal: Refusal) -> Result<bool, Failure> {
    match refusal.code() {
        "not_allowed" | "malformed" => Ok(false),
        _ => Err(refusal.into()),
    }
}

/// Words that hold their memory's id in a form that no other words hold.
pub fn words(id: &str, edit: u64) -> String {
    format!("zq{id}q said in edit {edit}")
}
