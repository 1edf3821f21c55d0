//! Mistakes that are put into one replica on purpose: the checks must find each, and say how to see it again.

#![allow(clippy::expect_used)]

use chrysalis_sim::check::check;
use chrysalis_sim::deed::{Given, Promise};
use chrysalis_sim::plan::{Plan, Scenario};
use chrysalis_sim::planted::Planted;
use chrysalis_sim::random::Random;
use chrysalis_sim::report::simulate_plan;
use chrysalis_sim::run::Run;

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

/// A run of this scenario that holds, for the test to spoil.
fn held(name: &str) -> Run {
    let (seed, scenario) = (1, Scenario::named(name).expect("it is one"));
    let mut random = Random::new(!seed);
    let plan = scenario.plan(&mut random);
    let mut run = Run::new(plan, seed, random).expect("a cluster");
    run.live().expect("it lives");
    run.settle().expect("it settles");
    assert_eq!(check(&run).expect("checks"), Vec::<String>::new());
    run
}

fn finds(run: &Run, finding: &str) {
    let found = check(run).expect("checks");
    assert!(found.iter().any(|one| one.contains(finding)), "{found:?}");
}

#[test]
fn forgotten_words_that_are_left_in_any_file_of_a_store_are_found() {
    let run = held("forgotten");
    let word = format!("..zq{}q..", run.gone.keys().next().expect("something was forgotten"));
    std::fs::write(run.cluster.world.machines[0].folder.join("leftover"), word).expect("a file");
    finds(&run, "leftover of machine 0 still holds");
}

#[test]
fn a_word_of_a_removed_member_that_is_read_and_a_vote_that_is_lost_are_found() {
    let mut run = held("members");
    let (_, removed) = *run.removals.first().expect("somebody was removed");
    let lives = run.promises.iter().find_map(|given| match &given.promise {
        Promise::Lives { id } => Some(id.clone()),
        _ => None,
    });
    run.unheard.push((removed, lives.clone().expect("something lives")));
    finds(&run, "when it was a member no more");
    run.unheard.pop();
    let promise = Promise::Voted { id: lives.expect("something lives") };
    run.promises.push(Given { by: 3, promise, place: None, outlasts: false });
    finds(&run, "the vote of machine 3");
}

#[test]
fn a_vote_that_a_liar_moved_is_found() {
    let run = held("votes");
    let stored = run.cluster.world.machines[0].running.as_ref().and_then(|one| one.replica.stored());
    let stored = stored.expect("the founder's store");
    // Not robust any more, the space reads the greatest confidence: a liar's.
    stored.store.set_robust(false).expect("the founder may");
    finds(&run, "the robust confidence reads 65535");
}
