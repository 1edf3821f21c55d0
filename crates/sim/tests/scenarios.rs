//! What the system promises, as far as a few seeds can show it. `make sim` runs more, and any number on demand.

#![allow(clippy::expect_used)]

use chrysalis_sim::plan::Scenario;
use chrysalis_sim::report::simulate;

/// Seeds of each scenario: enough to see that it can hold, few enough to run with every change.
const SEEDS: u64 = 2;

fn holds(name: &str) {
    holds_under(name, 1..=SEEDS);
}

fn holds_under(name: &str, seeds: impl IntoIterator<Item = u64>) {
    let scenario = Scenario::named(name).expect("it is one");
    for seed in seeds {
        let report = simulate(&scenario, seed, false);
        assert!(report.holds(), "{report}");
    }
}

#[test]
fn stores_over_working_links_come_to_read_alike() {
    holds("calm");
}

#[test]
fn storms_and_partitions_only_delay_agreement() {
    holds("storm");
}

#[test]
fn a_kill_at_any_write_and_a_full_disk_lose_nothing_acknowledged() {
    holds("kills");
}

#[test]
fn restored_backups_and_clones_lose_nothing_that_another_replica_had() {
    holds("accidents");
}

#[test]
fn words_that_only_peers_had_of_a_forked_log_are_said_again() {
    // Under the second seed promises are broken when nobody asks his peers for what they kept.
    holds_under("hasty-restores", [1, 4]);
}

#[test]
fn two_branches_of_a_log_are_proven_to_everyone() {
    holds("twins");
}

#[test]
fn branches_that_were_hidden_until_the_end_are_proven_to_everyone() {
    holds("late-twins");
}

#[test]
fn lies_and_mangled_frames_keep_nobody_from_agreeing() {
    holds("liars");
}

#[test]
fn a_replica_among_liars_catches_up_when_it_meets_one_honest_peer() {
    holds("eclipse");
}

#[test]
fn strangers_learn_nothing_and_store_nothing() {
    holds("strangers");
}

#[test]
fn members_who_come_and_go_leave_the_others_in_agreement_and_what_the_removed_say_counts_nowhere() {
    holds("members");
}

#[test]
fn votes_count_alike_everywhere_and_fewer_than_a_third_of_liars_move_no_reading() {
    holds("votes");
}

#[test]
fn what_was_forgotten_and_is_sent_again_stands_in_no_file() {
    holds("forgotten");
}

#[test]
fn floods_and_silent_links_fill_no_bound_and_keep_nobody_from_agreeing() {
    holds("floods");
}

#[test]
fn members_agree_by_way_of_a_relay_that_has_no_role() {
    holds("relay");
}
