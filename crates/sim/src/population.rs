//! Many replicas of one space that hold the same, until one of them remembers something.

use chrysalis_core::Result;
use chrysalis_core::id::{Epoch, MemoryId, ReplicaKey, Salt};
use chrysalis_core::member::Space;
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::{Change, Field, Payload, Value, Write};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::replica::{Intake, Offer, Outcome, Replica, Segment, Want};

/// 2026-01-01 in ms since the Unix epoch: when every simulation of propagation begins.
pub const START_MS: u64 = 1_767_225_600_000;

/// Replicas, numbered from 0. The first few have a log; the others read.
pub struct Population {
    replicas: Vec<MemoryReplica>,
    said: u32,
}

/// The key of a replica of a population.
pub fn key_of(number: usize) -> SecretKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
    SecretKey::from_seed(&seed)
}

fn salt(number: u32) -> Salt {
    let mut salt = [0; 16];
    salt[..4].copy_from_slice(&number.to_be_bytes());
    Salt(salt)
}

impl Population {
    /// So many replicas of an open space, of which the first `writers` have opened their logs. Everyone holds those.
    ///
    /// # Errors
    /// None that is expected: what a refused opening would be.
    pub fn new(size: usize, writers: usize) -> Result<Self> {
        let space = Space::Open { name: "simulation".to_owned() };
        let fresh = |number: usize| MemoryReplica::new(space.clone(), key_of(number), None);
        let mut replicas: Vec<MemoryReplica> = (0..size).map(fresh).collect();
        let mut openings = Vec::new();
        for (number, replica) in replicas.iter_mut().enumerate().take(writers) {
            openings.push(replica.open(Epoch([number as u8; 16]), salt(number as u32), START_MS)?);
        }
        let mut population = Self { replicas, said: writers as u32 };
        for to in 0..size {
            for (from, opening) in openings.iter().enumerate() {
                population.offer(from, to, vec![opening.clone()])?;
            }
        }
        Ok(population)
    }

    /// How many replicas there are.
    pub fn len(&self) -> usize {
        self.replicas.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }

    /// A replica's key.
    pub fn key(&self, replica: usize) -> ReplicaKey {
        self.replicas[replica].key()
    }

    /// Gives the replicas away, each to its node.
    pub fn into_replicas(self) -> Vec<MemoryReplica> {
        self.replicas
    }

    /// Signs a memory of about 365 bytes at this replica.
    ///
    /// # Errors
    /// [`chrysalis_core::Refusal::NotAllowed`] when it has no log.
    pub fn remember(&mut self, writer: usize) -> Result<Operation> {
        self.said += 1;
        say(&mut self.replicas[writer], self.said)
    }

    /// Offers operations of one log to the door of a replica; how many of them were new there. None while something
    /// before them is missing.
    ///
    /// # Errors
    /// What admission refuses.
    pub fn offer(&mut self, from: usize, to: usize, segment: Segment) -> Result<usize> {
        let from = self.replicas[from].key();
        let intake = Intake { offers: vec![(from, Offer::Segment(segment))], ..Intake::default() };
        let Ok(outcomes) = self.replicas[to].take(intake);
        match outcomes.into_iter().next() {
            Some(Outcome::Stored(count)) => Ok(count),
            Some(Outcome::Refused(refusal)) => Err(refusal),
            _ => Ok(0),
        }
    }

    /// Gives one replica all that another has and it lacks: found by comparing states, admitted by the door.
    ///
    /// # Errors
    /// What admission refuses.
    pub fn bring(&mut self, from: usize, to: usize) -> Result<usize> {
        let wants = self.lacking(from, to);
        if wants.is_empty() {
            return Ok(0);
        }
        let Ok(segments) = self.replicas[from].read(&wants, usize::MAX);
        segments.into_iter().map(|segment| self.offer(from, to, segment)).sum()
    }

    fn lacking(&self, from: usize, to: usize) -> Vec<Want> {
        let (Ok(there), Ok(here)) = (self.replicas[from].states(), self.replicas[to].states());
        let count = |log| here.iter().find(|state| state.log == log).map_or(0, |state| state.count);
        let behind = there.iter().filter(|state| state.count > count(state.log));
        behind.map(|state| Want { log: state.log, from: count(state.log) }).collect()
    }
}

/// Signs a memory of about 365 bytes.
///
/// # Errors
/// [`chrysalis_core::Refusal::NotAllowed`] when the replica has no log.
pub fn say(replica: &mut MemoryReplica, number: u32) -> Result<Operation> {
    let text = format!("Observation {number}: {}", "what one agent has seen, all agents know. ".repeat(8));
    let content = Change::Register { field: Field::Content, value: Value::Text(text), replaces: Vec::new() };
    let memory = MemoryId::new(&format!("observation-{number}"))?;
    let write = Write { memory, agent: "simulation".to_owned(), root: None, changes: vec![content] };
    replica.say(Payload::Write(write), salt(number), START_MS + u64::from(number))
}
