//! Mistakes that the simulator has found, each as the situation that shows it: what was mended stays mended.

#![allow(clippy::expect_used)]

use chrysalis_sim::plan::{Plan, Scenario};
use chrysalis_sim::random::Random;
use chrysalis_sim::report::{simulate, simulate_plan};

fn holds(name: &str, seed: u64) {
    let report = simulate(&Scenario::named(name).expect("it is one"), seed, false);
    assert!(report.holds(), "{report}");
}

/// `verify` took the uses of a memory that its writer had forgotten for uses that nobody had counted.
#[test]
fn a_store_verifies_after_a_writer_forgot_a_memory_that_others_use() {
    let plan = Plan { ticks: 300, deeds: 1000, ..Plan::calm() };
    for seed in 1..=4 {
        let report = simulate_plan("calm", plan.clone(), seed, Random::new(seed), false);
        assert!(report.holds(), "{report}");
    }
}

/// A restored store heard in a summary that others had more of its log, wrote there all the same, and so made void what
/// nobody could say again.
#[test]
fn a_restored_store_that_was_told_of_its_later_words_writes_elsewhere() {
    holds("accidents", 3);
}

/// What a document remembers as replaced differed with the branch of a log that had come first.
#[test]
fn stores_that_met_the_branches_of_a_log_in_other_orders_read_alike() {
    holds("accidents", 15);
}
