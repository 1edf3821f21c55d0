//! What agents do in a run, and what they are promised.

use std::sync::atomic::Ordering;

use chrysalis_core::Refusal;
use chrysalis_core::id::{LogId, MemoryId};
use chrysalis_core::member::Role;
use chrysalis_core::sync::replica::Replica as _;

use super::{Made, Run};
use crate::deed::{Deed, Given, Promise};
use crate::disk::Moment;
use crate::failure::Failure;
use crate::in_memory;
use crate::machine::{Keeping, Owner};
use crate::random::Draw as _;
use crate::replica::Kept;
use crate::stored::Stored;

/// How long a memory that fades lasts at most.
const FADES_MS_MAX: u64 = 45 * 60 * 1000;

/// The memory that all vote on and rate, where votes are simulated.
pub const BALLOT: &str = "ballot";

/// Between what the honest are sure of it: 0 is 0.0, 65,535 is 1.0.
pub const HONEST: (u16, u16) = (30_000, 40_000);

impl Run {
    pub(super) fn writers(&self) -> Vec<usize> {
        let machines = self.cluster.world.machines.iter().enumerate();
        let writes = machines.filter(|(_, machine)| {
            let may = machine.identity.role.is_some_and(|role| role >= Role::Writer);
            machine.owner == Owner::Honest && machine.running.is_some() && may
        });
        writes.map(|(number, _)| number).collect()
    }

    pub(super) fn act(&mut self) -> Result<(), Failure> {
        let Some(number) = self.random.choose(&self.writers()) else { return Ok(()) };
        self.act_on(number)
    }

    /// Something that the agent of this machine does.
    pub(super) fn act_on(&mut self, number: usize) -> Result<(), Failure> {
        let Some(deed) = self.deed(number) else { return Ok(()) };
        let done = self.perform(number, &deed)?;
        self.cluster.world.tell(|| format!("machine {number} does {deed:?}: {done}"));
        if done {
            self.promise(number, deed)?;
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
            (80..85, Some(made)) => Some(Deed::Touch { id: made.id }),
            (85..94, Some(made)) => Some(self.opinion(made.id)),
            (_, Some(made)) => {
                let administers = self.cluster.world.machines[number].identity.role == Some(Role::Administrator);
                let stores = self.cluster.world.machines[number].keeping == Keeping::Store;
                let may = stores && (administers || made.by == number) && made.id != BALLOT;
                may.then_some(Deed::Forget { id: made.id })
            }
        }
    }

    /// A vote, or how sure it is: of anything, or of what all are asked about.
    fn opinion(&mut self, id: String) -> Deed {
        let asked = self.plan.votes && self.random.chance(700);
        let (id, least, most) = if asked { (BALLOT.to_owned(), HONEST.0, HONEST.1) } else { (id, 0, u16::MAX) };
        let confidence = self.random.between(least.into(), most.into()) as u16;
        if self.random.chance(600) { Deed::Attest { id, confidence } } else { Deed::Rate { id, confidence } }
    }

    /// Every honest store votes on what all are asked about, and rates it: so no voice is missing.
    pub(super) fn all_vote(&mut self) -> Result<(), Failure> {
        for number in if self.plan.votes { self.writers() } else { Vec::new() } {
            let confidence = self.random.between(HONEST.0.into(), HONEST.1.into()) as u16;
            let id = BALLOT.to_owned();
            for deed in [Deed::Attest { id: id.clone(), confidence }, Deed::Rate { id: id.clone(), confidence }] {
                if self.perform(number, &deed)? {
                    self.promise(number, deed)?;
                }
            }
            let now_ms = self.cluster.world.now_ms();
            self.cluster.world.wake(number, now_ms);
        }
        Ok(())
    }

    /// Whether it was done. What can't be done for good reasons is no failure.
    fn perform(&mut self, number: usize, deed: &Deed) -> Result<bool, Failure> {
        let machine = &mut self.cluster.world.machines[number];
        let Some(running) = &mut machine.running else { return Ok(false) };
        if running.replica.disk.meets(Moment::Before).is_err() {
            self.bury(number);
            return Ok(false);
        }
        let now_ms = machine.wall.load(Ordering::Relaxed);
        match &mut running.replica.kept {
            Kept::Memory(memory) => {
                let id = match deed {
                    Deed::Remember { .. } => None,
                    Deed::Update { id, .. } | Deed::Untag { id, .. } | Deed::Attest { id, .. } => Some(id),
                    Deed::Touch { id } | Deed::Rate { id, .. } | Deed::Forget { id } => Some(id),
                };
                // Without who created it an edit would create it again, in another's name.
                let known = |id: &String| {
                    let document = MemoryId::new(id).map(|id| in_memory::document(memory, &id));
                    document.is_ok_and(|document| document.is_live() && document.origin().is_some())
                };
                // It joins operations and knows nothing of endings: an edit of what fades would not carry its end.
                let ends = |id: &String| self.gone.contains_key(id);
                let fades = matches!(deed, Deed::Remember { expires_ms: Some(_), .. });
                if fades || id.is_some_and(|id| !known(id) || ends(id)) {
                    return Ok(false);
                }
                in_memory::perform(memory, deed, &mut self.random, now_ms).map(|()| true).or_else(tolerated)
            }
            Kept::Store(stored) => stored.perform(deed).map(|()| true).or_else(|error| match error.code() {
                "not_found" | "not_allowed" | "role_lacking" | "removed" | "invitation_revoked" => Ok(false),
                _ => Err(Failure(format!("machine {number} could not do {deed:?}: {error:?}"))),
            }),
        }
    }

    /// Notes what an agent may rely on from now on.
    pub(super) fn promise(&mut self, number: usize, deed: Deed) -> Result<(), Failure> {
        let place = self.end_of_log(number)?;
        let key = self.cluster.world.machines[number].identity.key();
        let is_removed = self.removals.iter().any(|(_, removed)| *removed == key);
        let promise = match deed {
            Deed::Remember { id, expires_ms, .. } => {
                self.made.push(Made { id: id.clone(), by: number, tags: Vec::new() });
                if is_removed {
                    // Whoever removed it can't have seen this: it counts nowhere.
                    self.uncertain.insert(id.clone());
                    self.unheard.push((key, id.clone()));
                }
                match expires_ms {
                    Some(_) => {
                        self.gone.insert(id, None);
                        return Ok(());
                    }
                    None => Promise::Lives { id },
                }
            }
            Deed::Update { id, tag, .. } => {
                if let Some(made) = self.made.iter_mut().find(|made| made.id == id) {
                    made.tags.push(tag.clone());
                }
                Promise::Tagged { id, tag }
            }
            Deed::Untag { tag, .. } => {
                let marks = |promise: &Promise| matches!(promise, Promise::Tagged { tag: kept, .. } if *kept == tag);
                self.promises.retain(|given| !marks(&given.promise));
                return Ok(());
            }
            Deed::Forget { id } if is_removed => {
                self.let_go(&id);
                return Ok(());
            }
            Deed::Forget { id } => {
                self.gone.insert(id.clone(), place);
                Promise::Gone { id }
            }
            Deed::Attest { id, .. } => Promise::Voted { id },
            Deed::Touch { .. } | Deed::Rate { .. } => return Ok(()),
        };
        // What somebody else says of it counts, and may be all that is left to read.
        let own = self.made.iter().any(|made| made.id == promise.id() && made.by == number);
        self.unheard.retain(|(_, id)| own || id != promise.id());
        if !self.uncertain.contains(promise.id()) {
            self.promises.push(Given { by: number, promise, place, outlasts: false });
        }
        Ok(())
    }

    /// Promises nothing more of a memory.
    pub(super) fn let_go(&mut self, id: &str) {
        self.uncertain.insert(id.to_owned());
        self.promises.retain(|given| given.promise.id() != id);
    }

    /// The log that a machine writes now, and the place of the last operation in it.
    fn end_of_log(&self, number: usize) -> Result<Option<(LogId, u64)>, Failure> {
        let Some(running) = &self.cluster.world.machines[number].running else { return Ok(None) };
        let Some(opening) = running.replica.opening()? else { return Ok(None) };
        let log = opening.header().log;
        let count = running.replica.state(&log)?.map_or(0, |state| state.count);
        Ok(count.checked_sub(1).map(|last| (log, last)))
    }

    /// The store of a machine, if it has one and runs.
    pub(super) fn stored(&self, number: usize) -> Option<&Stored> {
        self.cluster.world.machines[number].running.as_ref()?.replica.stored()
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
