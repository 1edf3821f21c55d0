//! A replica as a simulated machine holds it: a real one, on a disk that can fail, and under a member who may lie.

use std::collections::BTreeMap;

use chrysalis_core::fork::Proof;
use chrysalis_core::id::{Fingerprint, LogId, ReplicaKey, Signature};
use chrysalis_core::member::{Role, Space};
use chrysalis_core::operation::Operation;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::replica::{Intake, LogState, Mark, Offer, Outcome, Replica, Segment, Tip, Want};
use chrysalis_store::Speaker;
use chrysalis_store::row::unpack;

use crate::disk::{Disk, Moment};
use crate::failure::{Failure, Fault};
use crate::in_memory;
use crate::lies::Lies;
use crate::planted::Planted;
use crate::stored::Stored;

/// What keeps the operations.
pub enum Kept {
    /// Nothing but memory.
    Memory(Box<MemoryReplica>),
    /// A real store in a folder.
    Store(Box<Stored>),
}

/// A replica, its disk's faults and its owner's lies.
pub struct SimReplica {
    /// What keeps the operations.
    pub kept: Kept,
    /// What goes wrong with the disk.
    pub disk: Disk,
    /// What the owner says that is not so.
    pub lies: Option<Lies>,
    /// A mistake put in on purpose.
    pub planted: Option<Planted>,
}

macro_rules! ask {
    ($self:ident, $replica:ident => $answer:expr) => {
        match &$self.kept {
            Kept::Memory(memory) => {
                let $replica = &**memory;
                $answer.map_err(Fault::from)
            }
            Kept::Store(stored) => {
                let $replica = &Speaker(&stored.store);
                $answer.map_err(Fault::from)
            }
        }
    };
}

impl SimReplica {
    /// A replica that works.
    pub fn new(kept: Kept) -> Self {
        Self { kept, disk: Disk::default(), lies: None, planted: None }
    }

    /// The replica in memory, if it is one.
    pub fn memory(&self) -> Option<&MemoryReplica> {
        match &self.kept {
            Kept::Memory(memory) => Some(memory),
            Kept::Store(_) => None,
        }
    }

    /// The store, if it is one.
    pub fn stored(&self) -> Option<&Stored> {
        match &self.kept {
            Kept::Memory(_) => None,
            Kept::Store(stored) => Some(stored),
        }
    }

    /// What this replica has, whatever its owner says of it.
    ///
    /// # Errors
    /// Faults of the disk.
    pub fn true_states(&self) -> Result<Vec<LogState>, Fault> {
        ask!(self, replica => Replica::states(replica))
    }

    /// The tags of every memory that can be read.
    pub(crate) fn tags(&self) -> Result<BTreeMap<String, Vec<String>>, Failure> {
        if let Some(memory) = self.memory() {
            let documents = in_memory::documents(memory, None);
            let live = documents.into_iter().filter(|(_, document)| document.is_live());
            return Ok(live
                .map(|(id, document)| (id.to_string(), document.tags().map(str::to_owned).collect()))
                .collect());
        }
        let Some(stored) = self.stored() else { return Ok(BTreeMap::new()) };
        let rows = stored.store.list(&Default::default(), chrysalis_store::Order::Created, false, 100_000, 0)?;
        let mut all = BTreeMap::new();
        for row in rows {
            let tags = unpack(row.tags.as_deref())?.into_iter().map(str::to_owned).collect();
            all.insert(row.id, tags);
        }
        Ok(all)
    }

    fn lying(&self, mut states: Vec<LogState>) -> Vec<LogState> {
        if let Some(lies) = &self.lies {
            lies.of_states(&mut states);
        }
        states
    }

    fn serving(&self, segments: Vec<Segment>) -> Vec<Segment> {
        match &self.lies {
            Some(lies) => lies.of_segments(segments),
            None => segments,
        }
    }

    /// Takes operations that are to be lost, and what follows them, out of the intake; says of which offers.
    fn lose(&self, intake: &mut Intake) -> Vec<usize> {
        let mut lossy = Vec::new();
        if self.planted != Some(Planted::LosesSome) {
            return lossy;
        }
        for (at, (_, offer)) in intake.offers.iter_mut().enumerate() {
            let Offer::Segment(segment) = offer else { continue };
            let is_lost = |operation: &Operation| operation.fingerprint().as_bytes()[0] < LOST_BELOW;
            if let Some(first) = segment.iter().position(is_lost) {
                segment.truncate(first);
                lossy.push(at);
            }
        }
        lossy
    }
}

/// One operation in sixteen has a fingerprint whose first byte is below this.
const LOST_BELOW: u8 = 16;

impl Replica for SimReplica {
    type Error = Fault;

    fn space(&self) -> &Space {
        match &self.kept {
            Kept::Memory(memory) => Replica::space(&**memory),
            Kept::Store(stored) => stored.store.space(),
        }
    }

    fn key(&self) -> ReplicaKey {
        match &self.kept {
            Kept::Memory(memory) => memory.key(),
            Kept::Store(stored) => stored.store.replica(),
        }
    }

    fn sign(&self, message: &[u8]) -> Signature {
        match &self.kept {
            Kept::Memory(memory) => memory.sign(message),
            Kept::Store(stored) => Speaker(&stored.store).sign(message),
        }
    }

    fn opening(&self) -> Result<Option<Operation>, Fault> {
        ask!(self, replica => Replica::opening(replica))
    }

    fn role_of(&self, key: &ReplicaKey) -> Result<Option<Role>, Fault> {
        ask!(self, replica => Replica::role_of(replica, key))
    }

    fn is_revoked(&self, token: &ReplicaKey) -> Result<bool, Fault> {
        ask!(self, replica => Replica::is_revoked(replica, token))
    }

    fn position(&self) -> Result<u64, Fault> {
        let position = ask!(self, replica => Replica::position(replica))?;
        Ok(position + self.lies.as_ref().map_or(0, Lies::unasked))
    }

    fn states(&self) -> Result<Vec<LogState>, Fault> {
        ask!(self, replica => Replica::states(replica)).map(|states| self.lying(states))
    }

    fn state(&self, log: &LogId) -> Result<Option<LogState>, Fault> {
        ask!(self, replica => Replica::state(replica, log))
    }

    fn states_since(&self, position: u64) -> Result<Vec<LogState>, Fault> {
        ask!(self, replica => Replica::states_since(replica, position)).map(|states| self.lying(states))
    }

    fn read(&self, wants: &[Want], bytes_max: usize) -> Result<Vec<Segment>, Fault> {
        ask!(self, replica => Replica::read(replica, wants, bytes_max)).map(|segments| self.serving(segments))
    }

    fn read_void(&self, log: &LogId, from: u64, bytes_max: usize) -> Result<Vec<Segment>, Fault> {
        ask!(self, replica => Replica::read_void(replica, log, from, bytes_max)).map(|segments| self.serving(segments))
    }

    fn void_from(&self, log: &LogId) -> Result<Option<u64>, Fault> {
        ask!(self, replica => Replica::void_from(replica, log))
    }

    fn read_after(&self, position: u64, bytes_max: usize) -> Result<(Vec<Segment>, u64), Fault> {
        let (segments, reached) = ask!(self, replica => Replica::read_after(replica, position, bytes_max))?;
        let Some(lies) = &self.lies else { return Ok((segments, reached)) };
        // What was forged, or is said again, goes with everything new, to whoever listens.
        let mut segments = lies.of_segments(segments);
        segments.extend(lies.unasked_segments());
        Ok((segments, reached.max(position).max(self.position()?)))
    }

    fn read_news(
        &self,
        position: u64,
        bytes_max: usize,
        told: &dyn Fn(&LogId, u64) -> bool,
    ) -> Result<(Vec<Segment>, u64), Fault> {
        if self.lies.is_some() {
            return self.read_after(position, bytes_max);
        }
        ask!(self, replica => Replica::read_news(replica, position, bytes_max, told))
    }

    fn tips(&self, log: &LogId, places: &[u64]) -> Result<Vec<Option<Tip>>, Fault> {
        let tips = ask!(self, replica => Replica::tips(replica, log, places))?;
        Ok(self.lies.as_ref().map_or_else(|| tips.clone(), |lies| lies.of_tips(tips.clone())))
    }

    fn standing_at(&self, log: &LogId, place: u64) -> Result<Option<Fingerprint>, Fault> {
        ask!(self, replica => Replica::standing_at(replica, log, place))
    }

    fn resolve(&self, mark: &Mark) -> Result<Option<Fingerprint>, Fault> {
        ask!(self, replica => Replica::resolve(replica, mark))
    }

    fn find(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Operation>, Fault> {
        ask!(self, replica => Replica::find(replica, fingerprints))
    }

    fn proofs(&self, logs: &[LogId]) -> Result<Vec<Proof>, Fault> {
        let mut proofs = ask!(self, replica => Replica::proofs(replica, logs))?;
        if let Some(lies) = &self.lies {
            lies.of_proofs(&mut proofs);
        }
        Ok(proofs)
    }

    fn without_words(&self, after: Option<&Fingerprint>, limit: usize) -> Result<Vec<Fingerprint>, Fault> {
        ask!(self, replica => Replica::without_words(replica, after, limit))
    }

    fn agreed(&self, peer: &ReplicaKey) -> Result<Option<u64>, Fault> {
        ask!(self, replica => Replica::agreed(replica, peer))
    }

    fn take(&mut self, mut intake: Intake) -> Result<Vec<Outcome>, Fault> {
        self.disk.meets(Moment::Before)?;
        let lost = self.lose(&mut intake);
        let taken = match &mut self.kept {
            Kept::Memory(memory) => memory.take(intake).map_err(Fault::from),
            Kept::Store(stored) => Speaker(&stored.store).take(intake).map_err(Fault::from),
        };
        self.disk.meets(Moment::After)?;
        let mut outcomes = taken?;
        for at in lost {
            if let Some(Outcome::Stored(count)) = outcomes.get_mut(at) {
                *count += 1;
            }
        }
        Ok(outcomes)
    }
}
