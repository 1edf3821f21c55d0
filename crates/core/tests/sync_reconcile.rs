//! Two replicas learn exactly where their logs differ, in few messages; whoever sends nonsense gets a refusal or loses
//! time of his own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use chrysalis_core::Refusal;
use chrysalis_core::id::{LogId, digest};
use chrysalis_core::limits;
use chrysalis_core::sync::message::{Message, Range, RangeContent};
use chrysalis_core::sync::reconcile::{initial, messages_max, respond, root};
use chrysalis_core::sync::replica::{LogState, Tip};
use proptest::prelude::*;

const SALT: &[u8] = b"drawn by both";

/// The state of a log in one of its lives; ids spread as digests do.
fn state(number: u32, life: u64) -> LogState {
    let mut log = [0; 32];
    log.copy_from_slice(&digest("tests", &[&number.to_be_bytes()])[..32]);
    LogState { log: LogId(log), count: life, tip: Tip([life as u8; 16]), cut: None }
}

fn sorted(states: impl IntoIterator<Item = LogState>) -> Vec<LogState> {
    let mut states: Vec<_> = states.into_iter().collect();
    states.sort_unstable();
    states
}

/// What one exchange told either side, and what it cost.
#[derive(Debug)]
struct Exchange {
    first_learnt: BTreeSet<LogState>,
    second_learnt: BTreeSet<LogState>,
    messages: u64,
    bytes: usize,
}

/// Runs an exchange over encoded frames, until nothing is left to send.
fn exchange(first: &[LogState], second: &[LogState]) -> Exchange {
    let mut learnt = [BTreeSet::new(), BTreeSet::new()];
    let sides = [first, second];
    let (mut messages, mut bytes, mut turn) = (0, 0, 1);
    let mut ranges = initial(first, SALT);
    while !ranges.is_empty() {
        let frame = Message::Ranges(ranges.clone()).encode();
        assert!(frame.len() <= limits::FRAME_BYTES_MAX && ranges.len() <= limits::RANGES_MAX);
        assert_eq!(Message::decode(&frame), Ok(Message::Ranges(ranges.clone())));
        (messages, bytes) = (messages + 1, bytes + frame.len());
        assert!(messages <= messages_max((first.len() + second.len()) as u64), "the exchange does not end");
        let reconciled = respond(sides[turn], SALT, &ranges).unwrap();
        learnt[turn].extend(reconciled.theirs);
        assert!(!reconciled.answer.is_empty() || reconciled.done);
        ranges = reconciled.answer;
        turn = 1 - turn;
    }
    let [first_learnt, second_learnt] = learnt;
    Exchange { first_learnt, second_learnt, messages, bytes }
}

fn difference(of: &[LogState], without: &[LogState]) -> BTreeSet<LogState> {
    let without: BTreeSet<_> = without.iter().collect();
    of.iter().filter(|state| !without.contains(state)).copied().collect()
}

fn check_exchange(first: &[LogState], second: &[LogState]) -> Exchange {
    let exchange = exchange(first, second);
    assert_eq!(exchange.first_learnt, difference(second, first));
    assert_eq!(exchange.second_learnt, difference(first, second));
    exchange
}

/// Sets that share most, with some changed, some on one side only.
fn sides() -> impl Strategy<Value = (Vec<LogState>, Vec<LogState>)> {
    (0u32..400, prop::collection::vec((0u32..500, 0u8..4), 0..60)).prop_map(|(shared, changes)| {
        let mut first: std::collections::BTreeMap<u32, LogState> = (0..shared).map(|n| (n, state(n, 1))).collect();
        let mut second = first.clone();
        for (number, how) in changes {
            match how {
                0 => drop(first.remove(&number)),
                1 => drop(second.remove(&number)),
                2 => drop(first.insert(number, state(number, 2))),
                _ => drop(second.insert(number, state(number, 3))),
            }
        }
        (sorted(first.into_values()), sorted(second.into_values()))
    })
}

/// Any range: ends from few values, so that equal and descending ones occur; states near them.
fn hostile_range() -> impl Strategy<Value = Range> {
    let until = prop::option::of((0u8..8).prop_map(|byte| LogId([byte; 32])));
    let states = || prop::collection::vec((0u32..40, 0u64..3).prop_map(|(number, life)| state(number, life)), 0..6);
    let content = prop_oneof![
        Just(RangeContent::Skip),
        any::<[u8; 16]>().prop_map(RangeContent::Digest),
        (states(), any::<bool>()).prop_map(|(states, answer)| RangeContent::States { states, answer }),
        (states(), any::<bool>()).prop_map(|(states, answer)| RangeContent::States { states: sorted(states), answer }),
    ];
    (until, content).prop_map(|(until, content)| Range { until, content })
}

proptest! {
    #[test]
    fn each_side_learns_exactly_what_the_other_has_otherwise((first, second) in sides()) {
        check_exchange(&first, &second);
        prop_assert_eq!(root(&first) == root(&second), first == second);
    }

    #[test]
    fn any_ranges_are_refused_or_answered_within_bounds(
        ranges in prop::collection::vec(hostile_range(), 0..20),
        count in 0u32..40,
    ) {
        let ours = sorted((0..count).map(|number| state(number, 1)));
        if let Ok(reconciled) = respond(&ours, SALT, &ranges) {
            prop_assert!(reconciled.answer.len() <= limits::RANGES_MAX);
            let listed: usize = ranges.iter().map(|range| match &range.content {
                RangeContent::States { states, .. } => states.len(),
                _ => 0,
            }).sum();
            prop_assert!(reconciled.theirs.len() <= listed);
            prop_assert!(respond(&ours, SALT, &reconciled.answer).is_ok(), "an answer is in order");
        }
    }
}

#[test]
fn equal_replicas_are_done_after_one_message() {
    let states = sorted((0..1_000).map(|number| state(number, 1)));
    let exchange = check_exchange(&states, &states);
    assert_eq!(exchange.messages, 1);
    assert!(respond(&states, SALT, &initial(&states, SALT)).unwrap().done);
}

#[test]
fn one_replica_that_has_nothing_learns_all_in_as_many_messages_as_the_lists_need() {
    let states = sorted((0..20_000).map(|number| state(number, 1)));
    let pulled = check_exchange(&[], &states);
    assert_eq!(pulled.messages, 2 * 20_000_u64.div_ceil(limits::WANTS_MAX as u64));
    check_exchange(&states, &[]);
    check_exchange(&[], &[]);
}

#[test]
fn replicas_that_differ_everywhere_come_to_an_end() {
    let first = sorted((0..20_000).map(|number| state(number, 1)));
    let second = sorted((0..20_000).map(|number| state(number, 2)));
    check_exchange(&first, &second);
}

#[test]
fn ten_changes_among_ten_thousand_logs_cost_six_messages_and_ten_kilobytes_at_most() {
    let first = sorted((0..10_000).map(|number| state(number, 1)));
    let second = sorted((0..10_000).map(|number| state(number, if number % 1_000 == 7 { 2 } else { 1 })));
    let exchange = check_exchange(&first, &second);
    assert!(
        exchange.messages <= 6 && exchange.bytes <= 10_000,
        "{} messages, {} bytes",
        exchange.messages,
        exchange.bytes
    );
}

#[test]
fn another_salt_makes_other_digests() {
    let states = sorted((0..100).map(|number| state(number, 1)));
    assert_ne!(initial(&states, b"one link"), initial(&states, b"another link"));
}

#[test]
fn ranges_out_of_order_and_states_outside_of_theirs_are_refused() {
    let ours = sorted((0..10).map(|number| state(number, 1)));
    let skip = |until| Range { until, content: RangeContent::Skip };
    let listed = |until, states| Range { until, content: RangeContent::States { states, answer: false } };
    let two = sorted([state(1, 1), state(2, 1)]);
    for ranges in [
        vec![skip(None), skip(None)],
        vec![skip(Some(LogId([2; 32]))), skip(Some(LogId([2; 32])))],
        vec![skip(Some(LogId([2; 32]))), skip(Some(LogId([1; 32])))],
        vec![skip(Some(LogId([0; 32])))],
        vec![listed(None, vec![two[1], two[0]])],
        vec![listed(None, vec![two[0], two[0]])],
        vec![listed(Some(two[1].log), two.clone())],
        vec![skip(Some(two[1].log)), listed(None, two.clone())],
    ] {
        assert_eq!(respond(&ours, SALT, &ranges).map_err(|refusal| Refusal::code(&refusal)), Err("malformed"));
    }
}
