//! Rounds over many seeds, beside the formula.

use chrysalis_core::Result;
use chrysalis_core::sync::rounds::{Mode, rounds_estimate};

use crate::propagation::{Progress, Propagation, Scenario, Way, propagate_watched};

/// One line of the table.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// What was simulated; the seed is the first of them.
    pub scenario: Scenario,
    /// How many seeds.
    pub seeds: u64,
    /// In how many of them everyone had the memory in the end.
    pub complete: u64,
    /// Rounds until everyone had it, on average over those.
    pub mean: f64,
    /// The 99th percentile, over those.
    pub p99: u32,
    /// The most, over those.
    pub max: u32,
    /// What the formula says, without loss: push for [`Way::Push`], push-pull for all else.
    pub formula: f64,
    /// The share that had it after each round, on average.
    pub shares: Vec<f64>,
    /// Times that the memory was sent, per replica.
    pub copies: f64,
    /// Links per replica; none where everyone can call everyone.
    pub links: Option<f64>,
}

/// Simulates the scenario under so many seeds, from its own on.
///
/// # Errors
/// None that is expected: what a refused operation would be.
pub fn measure(scenario: &Scenario, seeds: u64) -> Result<Line> {
    measure_watched(scenario, seeds, &mut |_, _| true)
}

/// As [`measure`], with somebody who is told the number of the run, from 1 on, and how far it is. When he says to end,
/// the line holds what there is.
///
/// # Errors
/// As [`measure`].
pub fn measure_watched(scenario: &Scenario, seeds: u64, watch: &mut dyn FnMut(u64, Progress) -> bool) -> Result<Line> {
    let (mut runs, mut goes_on) = (Vec::new(), true);
    for run in 1..=seeds.max(1) {
        let seeded = Scenario { seed: scenario.seed + run - 1, ..*scenario };
        runs.push(propagate_watched(&seeded, &mut |progress| {
            goes_on = watch(run, progress);
            goes_on
        })?);
        if !goes_on {
            break;
        }
    }
    Ok(line(scenario, &runs))
}

fn line(scenario: &Scenario, runs: &[Propagation]) -> Line {
    let mut rounds: Vec<u32> = runs.iter().filter_map(Propagation::rounds).collect();
    rounds.sort_unstable();
    let mean = |figure: &dyn Fn(&Propagation) -> f64| runs.iter().map(figure).sum::<f64>() / runs.len() as f64;
    let longest = runs.iter().map(|run| run.shares.len()).max().unwrap_or(0);
    let share = |round: usize| mean(&|run| run.shares.get(round).or(run.shares.last()).copied().unwrap_or(0.0));
    Line {
        scenario: *scenario,
        seeds: runs.len() as u64,
        complete: rounds.len() as u64,
        mean: rounds.iter().map(|rounds| f64::from(*rounds)).sum::<f64>() / rounds.len().max(1) as f64,
        p99: percentile(&rounds, 99),
        max: rounds.last().copied().unwrap_or(0),
        formula: formula(scenario),
        shares: (0..longest).map(share).collect(),
        copies: mean(&|run| run.copies),
        links: runs[0].links.map(|_| mean(&|run| run.links.unwrap_or(0.0))),
    }
}

/// What the formula says of a scenario, without loss.
pub fn formula(scenario: &Scenario) -> f64 {
    let mode = if scenario.way == Way::Push { Mode::Push } else { Mode::PushPull };
    rounds_estimate(scenario.replicas as u64, scenario.fanout as u64, mode)
}

/// The least value that so many in a hundred do not exceed; 0 of none.
fn percentile(sorted: &[u32], percent: usize) -> u32 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<u32> = (1..=200).collect();
        assert_eq!((percentile(&values, 99), percentile(&values, 50), percentile(&values, 100)), (198, 100, 200));
        assert_eq!((percentile(&[7], 99), percentile(&[], 99)), (7, 0));
    }
}
