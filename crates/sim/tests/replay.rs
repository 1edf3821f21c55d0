//! A run is worth its number only if the number plays it again.

#![allow(clippy::expect_used)]

use chrysalis_sim::plan::{SCENARIOS, Scenario};
use chrysalis_sim::report::simulate;

#[test]
fn one_seed_plays_the_same_run_again() {
    let scenario = Scenario::named("anything").expect("it is one");
    for seed in [2, 3] {
        let (first, again) = (simulate(&scenario, seed, true), simulate(&scenario, seed, true));
        assert_eq!(first.story, again.story);
        assert_eq!(first.to_string(), again.to_string());
    }
}

#[test]
fn another_seed_plays_another_run() {
    let scenario = Scenario::named("calm").expect("it is one");
    assert_ne!(simulate(&scenario, 1, false).trace, simulate(&scenario, 2, false).trace);
}

#[test]
fn every_scenario_has_a_name_of_its_own() {
    for scenario in SCENARIOS {
        assert_eq!(Scenario::named(scenario.name).map(|found| found.about), Some(scenario.about));
    }
}
