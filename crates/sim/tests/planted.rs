//! Mistakes that are put into one replica on purpose: the checks must find each, and say how to see it again.

#![allow(clippy::expect_used)]

use chrysalis_sim::plan::Plan;
use chrysalis_sim::random::Random;
use chrysalis_sim::replica::Planted;
use chrysalis_sim::report::simulate_plan;

/// Among so many seeds one must show the mistake.
const SEEDS: u64 = 8;

fn found(planted: Planted, finding: &str) {
    let plan = Plan { memories: 3, ticks: 80, planted: Some(planted), ..Plan::calm() };
    let mut reports = (1..=SEEDS).map(|seed| simulate_plan("calm", plan.clone(), seed, Random::new(seed), false));
    let failing = reports.find(|report| !report.holds()).expect("some seed shows the mistake");
    assert!(failing.findings.iter().any(|one| one.contains(finding)), "{failing}");
    assert!(failing.to_string().contains(&format!("--seed {}", failing.seed)), "{failing}");
}

#[test]
fn a_replica_in_which_the_last_arrival_wins_is_found() {
    found(Planted::LastArrivalWins, "differ");
}

#[test]
fn a_replica_that_does_not_look_at_what_a_write_replaces_is_found() {
    found(Planted::NothingDominates, "differ");
}

#[test]
fn a_replica_that_loses_some_of_what_it_takes_is_found() {
    found(Planted::LosesSome, "have not come to agree");
}

#[test]
fn the_same_plan_without_a_mistake_holds() {
    let plan = Plan { memories: 3, ticks: 80, ..Plan::calm() };
    for seed in 1..=SEEDS {
        let report = simulate_plan("calm", plan.clone(), seed, Random::new(seed), false);
        assert!(report.holds(), "{report}");
    }
}
