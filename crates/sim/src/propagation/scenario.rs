//! What is asked of a simulation of propagation, what comes of it, and the count that is kept meanwhile.

/// Rounds after which a simulation is given up: two minutes. Only where nearly all messages are lost does it matter.
pub const ROUNDS_MAX: u32 = 240;

/// How news travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// The formula's own world: those who know tell `fanout` others, chosen among all, in every round.
    Push,
    /// The formula's own world: everyone calls `fanout` others, chosen among all, in every round.
    PushPull,
    /// The machines of gossip: links, partial views, eager and lazy links, exchanges.
    Gossip,
    /// Whole nodes with all that they say to each other, in virtual time.
    Nodes,
}

impl Way {
    /// Every one.
    pub const ALL: [Way; 4] = [Way::Push, Way::PushPull, Way::Gossip, Way::Nodes];

    /// Its name in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Way::Push => "push",
            Way::PushPull => "push-pull",
            Way::Gossip => "gossip",
            Way::Nodes => "nodes",
        }
    }
}

/// What is simulated.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scenario {
    /// How many replicas.
    pub replicas: usize,
    /// How many each tells or calls in a round.
    pub fanout: usize,
    /// The share of messages that are lost, 0 to 1.
    pub loss: f64,
    /// How news travels.
    pub way: Way,
    /// Everything that chance decides follows from it.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Propagation {
    /// The share of replicas that have the memory: when it was written, and after each round.
    pub shares: Vec<f64>,
    /// Times that it was sent, per replica; 0 where nobody reads the messages.
    pub copies: f64,
    /// Messages of any kind that were sent for it, per replica.
    pub messages: f64,
    /// Links per replica; none where everyone can call everyone.
    pub links: Option<f64>,
}

impl Propagation {
    /// Rounds until everyone had it; none when that did not happen.
    pub fn rounds(&self) -> Option<u32> {
        let done = self.shares.iter().position(|share| *share >= 1.0);
        done.map(|round| round as u32)
    }
}

/// How far a simulation is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Progress {
    /// Rounds that are over, also of those in which replicas find each other.
    pub rounds: u32,
    /// The share that has the memory; none before it is written.
    pub share: Option<f64>,
}

/// Is told after each round; false ends the simulation there.
pub type Watch<'a> = &'a mut dyn FnMut(Progress) -> bool;

/// Who has the memory, and since which round.
pub(crate) struct Spreading {
    since: Vec<Option<u32>>,
    count: usize,
    pub(crate) shares: Vec<f64>,
}

impl Spreading {
    pub(crate) fn new(size: usize, writer: usize) -> Self {
        let mut since = vec![None; size];
        since[writer] = Some(0);
        Self { since, count: 1, shares: vec![1.0 / size as f64] }
    }

    pub(crate) fn has(&self, replica: usize) -> bool {
        self.since[replica].is_some()
    }

    /// Whether it had it when this round began.
    pub(crate) fn had_before(&self, replica: usize, round: u32) -> bool {
        self.since[replica].is_some_and(|since| since < round)
    }

    pub(crate) fn got(&mut self, replica: usize, round: u32) {
        self.count += usize::from(self.since[replica].is_none());
        self.since[replica].get_or_insert(round);
    }

    /// Notes the share, and asks whether to go on.
    pub(crate) fn round_ends(&mut self, rounds: u32, watch: Watch<'_>) -> bool {
        let share = self.count as f64 / self.since.len() as f64;
        self.shares.push(share);
        watch(Progress { rounds, share: Some(share) })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.count == self.since.len()
    }
}

/// Loss as a number out of 2^32, to be drawn without fractions.
pub(crate) fn loss_in(scenario: &Scenario) -> u64 {
    (scenario.loss.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u64
}
