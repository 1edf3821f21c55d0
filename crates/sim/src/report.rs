//! What a run came to: one line, and the command that plays it again.

use std::fmt;

use crate::check::check;
use crate::failure::Failure;
use crate::machine::Owner;
use crate::plan::{Plan, Scenario};
use crate::random::Random;
use crate::run::Run;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The seed.
    pub seed: u64,
    /// A digest of all that happened.
    pub trace: u64,
    /// Machines, and how many of them were hostile.
    pub machines: (usize, usize),
    /// Memories that were made.
    pub memories: usize,
    /// Steps, frames and bytes.
    pub traffic: (u64, u64, u64),
    /// How long agreement took after the last fault, in ms.
    pub agreed_ms: Option<u64>,
    /// What does not hold.
    pub findings: Vec<String>,
    /// What happened, in words; empty unless it was asked for.
    pub story: Vec<String>,
}

/// Runs a scenario under a seed and checks it. Tells the story if that is wanted.
pub fn simulate(scenario: &Scenario, seed: u64, tells: bool) -> Report {
    // Not the world's generator: what a plan draws must not move what the world draws.
    let mut random = Random::new(!seed);
    let plan = scenario.plan(&mut random);
    simulate_plan(scenario.name, plan, seed, random, tells)
}

/// Runs a plan under a seed and checks it.
pub fn simulate_plan(name: &'static str, plan: Plan, seed: u64, random: Random, tells: bool) -> Report {
    let mut report = Report {
        scenario: name,
        seed,
        trace: 0,
        machines: (0, 0),
        memories: 0,
        traffic: (0, 0, 0),
        agreed_ms: None,
        findings: Vec::new(),
        story: Vec::new(),
    };
    match Run::new(plan, seed, random) {
        Err(failure) => report.findings.push(failure.0),
        Ok(mut run) => {
            run.cluster.world.story = tells.then(Vec::new);
            report.findings = live(&mut run).unwrap_or_else(|failure| vec![failure.0]);
            report.read(&run);
            report.story = run.cluster.world.story.take().unwrap_or_default();
        }
    }
    report
}

fn live(run: &mut Run) -> Result<Vec<String>, Failure> {
    run.live()?;
    run.settle()?;
    check(run)
}

impl Report {
    fn read(&mut self, run: &Run) {
        let world = &run.cluster.world;
        let hostile = world.machines.iter().filter(|machine| machine.owner != Owner::Honest).count();
        self.machines = (world.machines.len(), hostile);
        self.trace = world.trace();
        self.memories = run.made.len();
        self.traffic = (world.seen.steps, world.seen.frames, world.seen.bytes);
        self.agreed_ms = run.agreed_ms;
    }

    /// Whether everything held.
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    /// The command that plays this run again.
    pub fn command(&self) -> String {
        format!("cargo run -p chrysalis-sim -- --scenario {} --seed {}", self.scenario, self.seed)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds() { "holds" } else { "FAILS" };
        let agreed = self.agreed_ms.map_or("never".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1000.0));
        let (machines, hostile) = self.machines;
        let (steps, frames, bytes) = self.traffic;
        write!(
            out,
            "{verdict} {} seed {}: {machines} machines, {hostile} hostile, {} memories; {steps} steps, {frames} frames, \
             {} KB; agreed after {agreed}; trace {:016x}",
            self.scenario,
            self.seed,
            self.memories,
            bytes / 1024,
            self.trace
        )?;
        for finding in &self.findings {
            write!(out, "\n      {finding}")?;
        }
        if !self.holds() {
            write!(out, "\n      again: {}", self.command())?;
        }
        Ok(())
    }
}
