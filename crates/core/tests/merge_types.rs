//! The laws of the types for direct use, over random histories of several copies.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::merge::{CausalOrder, Dot, GCounter, GSet, LwwRegister, OrSet, VectorClock};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// Commutative, associative, idempotent, and with a neutral element.
fn check_laws<T: PartialEq + Clone + Default + std::fmt::Debug>(
    [a, b, c]: [&T; 3],
    merged: impl Fn(&T, &T) -> T,
) -> TestCaseResult {
    prop_assert_eq!(merged(a, b), merged(b, a));
    prop_assert_eq!(merged(&merged(a, b), c), merged(a, &merged(b, c)));
    prop_assert_eq!(&merged(a, a), a);
    prop_assert_eq!(merged(&merged(a, b), b), merged(a, b));
    prop_assert_eq!(&merged(a, &T::default()), a);
    Ok(())
}

fn texts(count: usize) -> impl Strategy<Value = BTreeSet<String>> {
    let text = prop_oneof![4 => "[a-c]{0,2}", 1 => "\\PC{0,4}", 1 => (0..2_000u32).prop_map(|n| format!("n{n}"))];
    prop::collection::btree_set(text, 0..count)
}

fn g_set<'a>(texts: impl IntoIterator<Item = &'a String>) -> GSet {
    let mut set = GSet::default();
    texts.into_iter().for_each(|text| {
        set.add(text);
    });
    set
}

/// What a copy of an observed-remove set does next.
#[derive(Clone, Debug)]
enum Step {
    Add(u8),
    Remove(u8),
    Hear(usize),
}

fn or_histories() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        3 => (0..4u8).prop_map(Step::Add),
        2 => (0..4u8).prop_map(Step::Remove),
        2 => (0..3usize).prop_map(Step::Hear),
    ];
    prop::collection::vec((0..3usize, step), 0..40)
}

/// Plays a history beside a model: which adds happened, and which of them each copy knows to be removed.
fn play(steps: &[(usize, Step)]) -> [(OrSet, Model); 3] {
    let mut copies: [(OrSet, Model); 3] = Default::default();
    for (number, (at, step)) in steps.iter().enumerate() {
        if let Step::Hear(other) = step {
            let (set, model) = copies[*other].clone();
            copies[*at].0.merge(&set);
            copies[*at].1.hear(&model);
            continue;
        }
        let (set, model) = &mut copies[*at];
        match step {
            Step::Add(element) => {
                set.add(&element.to_string(), Dot { copy: [*at as u8; 16], counter: number as u64 });
                model.known.insert((element.to_string(), number));
            }
            Step::Remove(element) => {
                let seen = model.known.iter().filter(|add| add.0 == element.to_string());
                model.removed.extend(seen.cloned());
                set.remove(&element.to_string());
            }
            Step::Hear(_) => {}
        }
    }
    copies
}

#[derive(Clone, Default, Debug)]
struct Model {
    known: BTreeSet<(String, usize)>,
    removed: BTreeSet<(String, usize)>,
}

impl Model {
    fn hear(&mut self, other: &Model) {
        self.known.extend(other.known.iter().cloned());
        self.removed.extend(other.removed.iter().cloned());
    }

    fn elements(&self) -> Vec<String> {
        let there: BTreeSet<_> = self.known.difference(&self.removed).map(|add| add.0.clone()).collect();
        there.into_iter().collect()
    }
}

fn counts() -> impl Strategy<Value = Vec<(u8, u64)>> {
    let amount = prop_oneof![4 => 0..5u64, 1 => Just(u64::MAX)];
    prop::collection::vec((0..4u8, amount), 0..8)
}

fn counter(counts: &[(u8, u64)]) -> GCounter {
    let mut counter = GCounter::default();
    counts.iter().for_each(|(replica, by)| counter.increment(&replica.to_string(), *by));
    counter
}

fn clock(events: &[u8]) -> VectorClock {
    let mut clock = VectorClock::default();
    events.iter().for_each(|replica| {
        clock.increment(&replica.to_string());
    });
    clock
}

fn register(assignments: &[(u64, u8, u8)]) -> LwwRegister {
    let mut register = LwwRegister::default();
    for (timestamp, writer, value) in assignments {
        register.set(&value.to_string(), *timestamp, &writer.to_string());
    }
    register
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn grow_only_sets_obey_the_laws(a in texts(300), b in texts(300), c in texts(20)) {
        check_laws([&g_set(&a), &g_set(&b), &g_set(&c)], GSet::merged)?;
    }

    #[test]
    fn a_grow_only_set_holds_what_an_ordinary_set_holds(a in texts(300), b in texts(300)) {
        let mut set = g_set(&a);
        prop_assert!(a.iter().all(|text| !set.add(text)));
        set.merge(&g_set(b.iter().rev()));
        let expected: Vec<&str> = a.union(&b).map(String::as_str).collect();
        prop_assert_eq!(set.elements().collect::<Vec<_>>(), expected);
        prop_assert!(a.union(&b).all(|text| set.contains(text)));
        prop_assert_eq!(set.contains("not there"), false);
        prop_assert_eq!(set.len(), a.union(&b).count());
    }

    #[test]
    fn observed_remove_sets_obey_the_laws(steps in or_histories()) {
        let [a, b, c] = play(&steps);
        check_laws([&a.0, &b.0, &c.0], OrSet::merged)?;
    }

    #[test]
    fn an_observed_remove_set_holds_the_adds_whose_removal_it_has_not_heard_of(steps in or_histories()) {
        for (set, model) in play(&steps) {
            prop_assert_eq!(set.elements().collect::<Vec<_>>(), model.elements());
            prop_assert_eq!(set.len(), model.elements().len());
            prop_assert_eq!(set.is_empty(), model.elements().is_empty());
        }
    }

    #[test]
    fn counters_obey_the_laws(a in counts(), b in counts(), c in counts()) {
        check_laws([&counter(&a), &counter(&b), &counter(&c)], GCounter::merged)?;
    }

    #[test]
    fn a_counter_takes_the_greatest_count_of_each(a in counts(), b in counts()) {
        let (left, right) = (counter(&a), counter(&b));
        let greatest: BTreeMap<String, u64> = (0..4u8)
            .map(|replica| replica.to_string())
            .map(|replica| (replica.clone(), left.get(&replica).max(right.get(&replica))))
            .collect();
        let merged = left.merged(&right);
        prop_assert!(greatest.iter().all(|(replica, count)| merged.get(replica) == *count));
        prop_assert_eq!(merged.value(), greatest.values().fold(0, |sum: u64, count| sum.saturating_add(*count)));
    }

    #[test]
    fn clocks_obey_the_laws(
        [a, b, c] in prop::array::uniform3(prop::collection::vec(0..4u8, 0..8)),
    ) {
        check_laws([&clock(&a), &clock(&b), &clock(&c)], VectorClock::merged)?;
    }

    #[test]
    fn comparing_clocks_is_a_partial_order_with_merging_as_its_join(
        [a, b] in prop::array::uniform2(prop::collection::vec(0..3u8, 0..6)),
    ) {
        let (a, b) = (clock(&a), clock(&b));
        let mirrored = match b.compare(&a) {
            CausalOrder::Before => CausalOrder::After,
            CausalOrder::After => CausalOrder::Before,
            same => same,
        };
        prop_assert_eq!(a.compare(&b), mirrored);
        prop_assert_eq!(a.compare(&b) == CausalOrder::Equal, a == b);
        let joined = a.merged(&b);
        prop_assert!(matches!(a.compare(&joined), CausalOrder::Before | CausalOrder::Equal));
        prop_assert_eq!(a.compare(&b) == CausalOrder::Before, joined == b && a != b);
    }

    #[test]
    fn registers_obey_the_laws(
        [a, b, c] in prop::array::uniform3(prop::collection::vec((0..3u64, 0..3u8, 0..3u8), 0..4)),
    ) {
        check_laws([&register(&a), &register(&b), &register(&c)], LwwRegister::merged)?;
    }

    #[test]
    fn a_register_holds_the_greatest_of_time_writer_and_value(
        mut assignments in prop::collection::vec((0..3u64, 0..3u8, 0..3u8), 1..6),
    ) {
        let held = register(&assignments);
        assignments.sort_unstable();
        let (timestamp, writer, value) = assignments[assignments.len() - 1];
        let (writer, value) = (writer.to_string(), value.to_string());
        prop_assert_eq!(held.value(), Some(&*value));
        prop_assert_eq!((held.timestamp(), held.writer()), (Some(timestamp), Some(&*writer)));
    }
}

fn dot(copy: u8, counter: u64) -> Dot {
    Dot { copy: [copy; 16], counter }
}

#[test]
fn merging_with_a_copy_that_missed_a_removal_does_not_bring_the_element_back() {
    let mut stale = OrSet::default();
    stale.add("old", dot(1, 0));
    let mut current = stale.clone();
    assert!(current.remove("old"));
    assert!(!current.merged(&stale).contains("old"));
    assert!(!stale.merged(&current).contains("old"));
    assert!(!current.remove("old"));
}

#[test]
fn a_concurrent_add_wins_over_a_removal_and_a_later_add_brings_the_element_back() {
    let mut mine = OrSet::default();
    mine.add("tag", dot(1, 0));
    let mut theirs = mine.clone();
    mine.remove("tag");
    theirs.add("tag", dot(2, 0));
    assert!(mine.merged(&theirs).contains("tag"));
    mine.add("tag", dot(1, 1));
    assert_eq!(mine.elements().collect::<Vec<_>>(), ["tag"]);
}

#[test]
fn an_observed_remove_set_is_its_adds_and_removals() {
    let mut set = OrSet::default();
    set.add("kept", dot(1, 0));
    set.add("removed", dot(1, 1));
    set.remove("removed");
    let parts = OrSet::from_parts(set.adds(), set.removals());
    assert_eq!(parts, set);
    let contradictory = OrSet::from_parts(set.adds().chain([("removed", dot(1, 1))]), set.removals());
    assert_eq!(contradictory, set);
}

#[test]
fn a_vector_clock_is_raised_and_never_lowered() {
    let mut clock = VectorClock::default();
    clock.raise("a", 3);
    clock.raise("a", 2);
    clock.raise("b", 0);
    assert_eq!(clock.counts().collect::<Vec<_>>(), [("a", 3)]);
}

#[test]
fn a_large_set_is_filled_one_by_one_in_short_time() {
    let mut set = GSet::default();
    for number in 0..100_000 {
        assert!(set.add(&format!("element {number}")));
    }
    assert_eq!(set.len(), 100_000);
    assert!((0..100_000).all(|number| set.contains(&format!("element {number}"))));
}

#[test]
fn counting_stops_at_the_greatest_number() {
    let mut counter = counter(&[(1, u64::MAX), (2, 7)]);
    counter.increment("1", 1);
    assert_eq!((counter.get("1"), counter.value()), (u64::MAX, u64::MAX));
}

#[test]
fn a_copy_that_counted_twice_before_meeting_counts_twice() {
    let (left, right) = (counter(&[(1, 2)]), counter(&[(1, 1), (2, 3)]));
    assert_eq!(left.merged(&right).value(), 5);
    assert_eq!(left.merged(&right).counts().collect::<Vec<_>>(), [("1", 2), ("2", 3)]);
}
