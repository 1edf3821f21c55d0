//! One run: a plan is carried out under a seed, the faults stop, and what must hold is checked.

mod agents;
mod faults;
mod hostile;
mod members;
mod settle;
mod setup;

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::id::{Fingerprint, LogId, MemoryId, ReplicaKey};
use chrysalis_core::merge::Document;
use chrysalis_core::sync::memory::MemoryReplica;

use crate::cluster::Cluster;
use crate::deed::Given;
use crate::failure::Failure;
use crate::in_memory;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::planted::Planted;
use crate::random::{Draw, Random};
use crate::replica::SimReplica;

pub use agents::{BALLOT, HONEST, words};

/// How long replicas may take to agree after the last fault, in ms of simulated time: a link that fell silent is
/// noticed after a minute, and then comparisons come every few seconds.
pub const AGREE_MS_MAX: u64 = 180_000;

/// How long all clocks leap when the faults have stopped: beyond every embargo and expiry of a run.
const LEAP_MS: u64 = 3 * 3600 * 1000;

/// How long they leap once all agree: beyond the thirty days in which words of void branches are kept for their authors.
const LAST_LEAP_MS: u64 = 31 * 24 * 3600 * 1000;

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
    /// What agents were told.
    pub promises: Vec<Given>,
    /// Every memory.
    pub made: Vec<Made>,
    /// Memories whose words must be nowhere in the end, forgotten or faded, and the place of what forgot them.
    pub gone: BTreeMap<String, Option<(LogId, u64)>>,
    /// Memories that nothing is promised of: of somebody who was removed and whose words not all had seen.
    pub uncertain: BTreeSet<String>,
    /// Memories that nobody may read in the end, and whose removal makes it so.
    pub unheard: Vec<(ReplicaKey, String)>,
    /// Removals that were done: who did it, and whose membership it ends.
    pub removals: Vec<(usize, ReplicaKey)>,
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
    strangers: Vec<usize>,
    /// A hostile administrator, and whom it let in after its removal.
    traitor: Option<usize>,
    smuggled: Option<usize>,
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
            gone: BTreeMap::new(),
            uncertain: BTreeSet::new(),
            unheard: Vec::new(),
            removals: Vec::new(),
            signed: BTreeMap::new(),
            hostile_words: Vec::new(),
            agreed_ms: None,
            random,
            next: 0,
            twins: Vec::new(),
            liars: Vec::new(),
            strangers: Vec::new(),
            traitor: None,
            smuggled: None,
            backups: BTreeMap::new(),
            victim: None,
            ends: Vec::new(),
        };
        run.call_a_vote()?;
        run.add_honest()?;
        run.add_hostile()?;
        run.cluster.world.network.weather = run.plan.weather;
        Ok(run)
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
            self.come_and_go()?;
            self.misbehave()?;
            self.break_something(tick)?;
            self.end_what_is_due()?;
        }
        Ok(())
    }

    /// Honest machines and their replicas.
    pub(crate) fn judged(&self) -> Vec<(usize, &Machine, &SimReplica)> {
        let machines = self.cluster.world.machines.iter().enumerate().filter(|(_, machine)| machine.is_judged());
        machines.filter_map(|(number, machine)| Some((number, machine, &machine.running.as_ref()?.replica))).collect()
    }

    fn memory(&self, number: usize) -> Option<&MemoryReplica> {
        self.cluster.world.machines[number].running.as_ref()?.replica.memory()
    }

    /// What a replica in memory reads. What was forgotten elsewhere is left out: it arrives there without its words, or
    /// has come with them before, and memory forgets none.
    pub fn documents(&self, memory: &MemoryReplica, planted: Option<Planted>) -> BTreeMap<MemoryId, Document> {
        let mut documents = in_memory::documents(memory, planted);
        documents.retain(|id, _| !self.gone.contains_key(id.as_str()));
        documents
    }
}
