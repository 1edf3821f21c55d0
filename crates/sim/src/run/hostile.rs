//! What hostile members do in a run.

use chrysalis_core::id::{Epoch, MemoryId, Salt};
use chrysalis_core::payload::{Change, Payload, Score, Write};
use chrysalis_core::sync::replica::Segment;

use super::{BALLOT, Run, words};
use crate::failure::Failure;
use crate::forge::{Forgery, Vote, forge, note};
use crate::in_memory;
use crate::random::Draw as _;
use crate::replica::Kept;

/// Forged operations of one liar: more would only be refused in the same way.
const FORGERIES_MAX: u64 = 24;

/// Times that one liar sends again what was forgotten.
const REPEATS_MAX: u64 = 300;

impl Run {
    pub(super) fn misbehave(&mut self) -> Result<(), Failure> {
        if self.random.chance(200)
            && let Some(twin) = self.random.choose(&self.twins)
        {
            self.next += 1;
            let words = format!("zqtwin{}q", self.next);
            self.hostile_says(twin, &words)?;
        }
        self.pester();
        for member in self.traitor.into_iter().chain(self.smuggled).collect::<Vec<_>>() {
            if self.random.chance(150) {
                self.next += 1;
                let words = format!("zqtraitor{}q", self.next);
                self.hostile_says(member, &words)?;
            }
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
        if self.plan.votes && self.random.chance(100) {
            self.hostile_votes(liar)?;
        }
        if self.plan.resends && self.random.chance(300) {
            self.send_again(liar);
        }
        if self.random.chance(50) {
            // Another handshake, whatever the gossip wants: links of one member are bounded.
            let other = self.random.index(self.cluster.world.machines.len());
            self.cluster.world.dial(liar, other);
        }
        Ok(())
    }

    /// Links of which nobody ever hears a word, to one machine at a time.
    pub(super) fn pester(&mut self) {
        let hostile: Vec<usize> = self.strangers.iter().chain(&self.liars).copied().collect();
        let (Some(from), true) = (self.random.choose(&hostile), self.plan.knocks > 0) else { return };
        let to = self.random.index(self.cluster.world.machines.len());
        for _ in 0..self.plan.knocks {
            self.cluster.world.knock(from, to);
        }
    }

    pub(super) fn hostile_says(&mut self, number: usize, words: &str) -> Result<(), Failure> {
        let said = self.hostile_signs(number, note(words)?)?;
        let key = self.cluster.world.machines[number].identity.key();
        let inviter = self.cluster.world.machines[number].inviter;
        let ended = inviter.map_or(key, |inviter| self.cluster.world.machines[inviter].identity.key());
        if self.removals.iter().any(|(_, removed)| *removed == ended) {
            self.unheard.push((ended, words.to_owned()));
        }
        for operation in &said {
            let header = operation.header();
            self.hostile_words.push((header.log, header.sequence, words.to_owned()));
        }
        Ok(())
    }

    /// Signs something as a hostile member; what was signed.
    fn hostile_signs(&mut self, number: usize, payload: Payload) -> Result<Segment, Failure> {
        let now_ms = self.cluster.world.true_ms();
        let salt = Salt(self.random.bytes());
        let epoch = Epoch(self.random.bytes());
        let Some(running) = &mut self.cluster.world.machines[number].running else { return Ok(Vec::new()) };
        let Kept::Memory(memory) = &mut running.replica.kept else { return Ok(Vec::new()) };
        if memory.is_forked() {
            // It was caught, and goes on in another epoch: its key is still a member's.
            memory.open(epoch, salt, now_ms)?;
        }
        let said = vec![memory.say(payload, salt, now_ms)?];
        self.note_signed(said.clone());
        let now_ms = self.cluster.world.now_ms();
        self.cluster.world.wake(number, now_ms);
        Ok(said)
    }

    /// The greatest vote and the greatest confidence there is, whatever it knows.
    fn hostile_votes(&mut self, number: usize) -> Result<(), Failure> {
        let Some(memory) = self.memory(number) else { return Ok(()) };
        let id = MemoryId::new(BALLOT)?;
        let Some(root) = in_memory::document(memory, &id).origin().map(|origin| origin.fingerprint) else {
            return Ok(());
        };
        self.hostile_signs(number, Vote { id: BALLOT, words: &words(BALLOT, 0) }.payload(u16::MAX)?)?;
        let changes = vec![Change::Rate { score: Score::Confidence, value: u16::MAX }];
        let write = Write { memory: id, agent: "hostile".to_owned(), root: Some(root), changes };
        self.hostile_signs(number, Payload::Write(write)).map(drop)
    }

    /// Tells everyone again what was forgotten: the very operations, with their words and the signatures of others.
    fn send_again(&mut self, number: usize) {
        let forgotten: Vec<String> = self.gone.keys().cloned().collect();
        let chosen = self.random.index(forgotten.len().max(1));
        let Some(id) = forgotten.get(chosen) else { return };
        let about = |payload: &Payload| matches!(payload, Payload::Write(write) if write.memory.as_str() == id);
        let Some(memory) = self.memory(number) else { return };
        let said = memory.valid().filter(|one| one.payload().is_some_and(about));
        let said: Vec<Segment> = said.map(|one| vec![one.operation().clone()]).collect();
        let Some(running) = &mut self.cluster.world.machines[number].running else { return };
        let Some(lies) = running.replica.lies.as_mut().filter(|lies| lies.unasked() < REPEATS_MAX) else { return };
        said.into_iter().for_each(|segment| lies.repeat(segment));
        let now_ms = self.cluster.world.now_ms();
        self.cluster.world.wake(number, now_ms);
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
}
