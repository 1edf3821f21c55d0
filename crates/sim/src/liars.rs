//! Learning together while some lie: how far the confidence of a memory comes to lie from the truth.
//!
//! Something in the world succeeds with a certain probability. In every round each honest agent tries it some times and
//! writes down the share of its own successes as its confidence in one shared memory; each liar writes 1. The memory is
//! the core's own document, and so are its maximum and its trimmed mean.

use chrysalis_core::id::{Fingerprint, MemoryId, digest};
use chrysalis_core::merge::{Document, Reading, Stamp};
use chrysalis_core::payload::{Change, Field, Score, Value, Write};
use chrysalis_core::{Refusal, Result};

use crate::population::{START_MS, key_of};
use crate::random::Random;

/// What is simulated.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Liars {
    /// How many agents.
    pub agents: usize,
    /// The share of them that lie, 0 to 1.
    pub share: f64,
    /// How often the thing succeeds in truth, 0 to 1.
    pub truth: f64,
    /// Tries of an honest agent in a round.
    pub tries: u32,
    /// How many rounds.
    pub rounds: u32,
    /// Everything that chance decides follows from it.
    pub seed: u64,
}

/// What can be read of the memory after a round, each 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Reads {
    /// Without floor((n - 1) / 3) opinions at each end: what a space set to `robust` reads.
    pub trimmed_mean: f64,
    /// The opinion in the middle.
    pub median: f64,
    /// The mean of all opinions.
    pub mean: f64,
    /// The greatest: what any other space reads.
    pub maximum: f64,
}

/// Simulates it; what can be read after each round.
///
/// # Errors
/// [`Refusal::NotAllowed`] without agents.
pub fn simulate_liars(liars: &Liars) -> Result<Vec<Reads>> {
    if liars.agents == 0 {
        return Err(Refusal::NotAllowed("a simulation without agents"));
    }
    let mut random = Random::new(liars.seed);
    let mut successes = vec![0u64; liars.agents];
    let mut memory = Shared::new()?;
    let lying = (liars.share.clamp(0.0, 1.0) * liars.agents as f64).floor() as usize;
    let mut read = Vec::new();
    for round in 1..=liars.rounds {
        for (agent, successes) in successes.iter_mut().enumerate() {
            *successes += tries(liars, &mut random);
            let tried = f64::from(round) * f64::from(liars.tries.max(1));
            let honest = (*successes as f64 / tried).clamp(0.0, 1.0);
            memory.rate(agent, if agent < lying { 1.0 } else { honest });
        }
        read.push(memory.read(liars.agents));
    }
    Ok(read)
}

fn tries(liars: &Liars, random: &mut Random) -> u64 {
    let succeeds = (liars.truth.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u64;
    (0..liars.tries.max(1)).filter(|_| random.next() >> 32 < succeeds).count() as u64
}

struct Shared {
    id: MemoryId,
    document: Document,
    root: Fingerprint,
    writes: u64,
}

impl Shared {
    fn new() -> Result<Self> {
        let id = MemoryId::new("shared")?;
        let mut shared = Self { id, document: Document::default(), root: fingerprint(0), writes: 0 };
        let value = Value::Text("It works.".to_owned());
        shared.write(0, None, Change::Register { field: Field::Content, value, replaces: Vec::new() });
        Ok(shared)
    }

    fn rate(&mut self, agent: usize, confidence: f64) {
        let value = (confidence * f64::from(u16::MAX)).round() as u16;
        self.write(agent, Some(self.root), Change::Rate { score: Score::Confidence, value });
    }

    fn write(&mut self, agent: usize, root: Option<Fingerprint>, change: Change) {
        let stamp = Stamp {
            fingerprint: fingerprint(self.writes),
            lamport: self.writes + 1,
            hybrid_ms: START_MS + self.writes,
            author: key_of(agent).public(),
        };
        self.writes += 1;
        let write = Write { memory: self.id.clone(), agent: format!("agent-{agent}"), root, changes: vec![change] };
        self.document.apply(&stamp, &write);
    }

    fn read(&self, members: usize) -> Reads {
        let mut opinions: Vec<u16> = self.document.opinions(Score::Confidence).map(|(_, value)| value).collect();
        opinions.sort_unstable();
        let score = |reading| self.document.score(Score::Confidence, reading).map_or(0.0, share);
        let sum: f64 = opinions.iter().map(|opinion| share(*opinion)).sum();
        Reads {
            trimmed_mean: score(Reading::TrimmedMean { members }),
            median: opinions.get(opinions.len() / 2).copied().map_or(0.0, share),
            mean: sum / opinions.len().max(1) as f64,
            maximum: score(Reading::Maximum),
        }
    }
}

fn share(value: u16) -> f64 {
    f64::from(value) / f64::from(u16::MAX)
}

fn fingerprint(number: u64) -> Fingerprint {
    Fingerprint(digest("chrysalis/simulation", &[&number.to_be_bytes()]))
}
