//! Mistakes that the simulator has found, each as the situation that shows it: what was mended stays mended.

use chrysalis_sim::plan::Plan;
use chrysalis_sim::random::Random;
use chrysalis_sim::report::simulate_plan;

/// `verify` took the uses of a memory that its writer had forgotten for uses that nobody had counted.
#[test]
fn a_store_verifies_after_a_writer_forgot_a_memory_that_others_use() {
    let plan = Plan { ticks: 300, deeds: 1000, ..Plan::calm() };
    for seed in 1..=4 {
        let report = simulate_plan("calm", plan.clone(), seed, Random::new(seed), false);
        assert!(report.holds(), "{report}");
    }
}
