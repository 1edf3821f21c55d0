//! Happens-before against a search of the whole graph, and its cost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use chrysalis_core::causality::{Causality, LogNumber, Place, Steps, happens_before};
use proptest::prelude::*;

/// The graph as it was written: every operation with its back link and dependencies.
#[derive(Default)]
struct Graph {
    edges: BTreeMap<Place, Vec<Place>>,
    next: BTreeMap<LogNumber, u64>,
    causality: Causality,
}

impl Graph {
    fn append(&mut self, log: LogNumber, dependencies: &[Place]) -> Place {
        let next = self.next.entry(log).or_default();
        let place = Place { log, sequence: *next };
        *next += 1;
        let back = place.sequence.checked_sub(1).map(|sequence| Place { log, sequence });
        self.edges.insert(place, back.into_iter().chain(dependencies.iter().copied()).collect());
        self.causality.insert(place, dependencies);
        place
    }

    /// Everything that is reached from a place, itself included.
    fn past(&self, place: Place) -> BTreeSet<Place> {
        let (mut found, mut open) = (BTreeSet::new(), vec![place]);
        while let Some(place) = open.pop() {
            if found.insert(place) {
                open.extend(&self.edges[&place]);
            }
        }
        found
    }
}

/// A history over a few logs: for each operation its log, and which earlier operations of other logs it names.
fn graph(history: &[(LogNumber, Vec<prop::sample::Index>)]) -> Graph {
    let mut graph = Graph::default();
    let mut written: Vec<Place> = Vec::new();
    for (log, seen) in history {
        let others: Vec<Place> = written.iter().filter(|place| place.log != *log).copied().collect();
        let dependencies: Vec<Place> = if others.is_empty() {
            Vec::new()
        } else {
            seen.iter().map(|index| others[index.index(others.len())]).collect()
        };
        written.push(graph.append(*log, &dependencies));
    }
    graph
}

fn history() -> impl Strategy<Value = Vec<(LogNumber, Vec<prop::sample::Index>)>> {
    prop::collection::vec((0u32..6, prop::collection::vec(any::<prop::sample::Index>(), 0..4)), 1..48)
}

proptest! {
    #[test]
    fn happens_before_is_reachability(history in history()) {
        let graph = graph(&history);
        for after in graph.edges.keys() {
            let past = graph.past(*after);
            for before in graph.edges.keys() {
                let expected = before != after && past.contains(before);
                prop_assert_eq!(happens_before(&graph.causality, *before, *after), Ok(expected), "{:?} {:?}", before, after);
            }
        }
    }

    #[test]
    fn the_vector_clock_is_the_greatest_place_reached_in_each_log(history in history()) {
        let graph = graph(&history);
        for place in graph.edges.keys() {
            let mut greatest = BTreeMap::new();
            for reached in graph.past(*place) {
                let known = greatest.entry(reached.log).or_insert(reached.sequence);
                *known = reached.sequence.max(*known);
            }
            prop_assert_eq!(graph.causality.vector_at(*place), Ok(greatest));
        }
    }
}

/// Counts the questions that are asked of the steps.
struct Counted<'a> {
    inside: &'a Causality,
    looks: Cell<usize>,
    vectors: Cell<usize>,
}

impl Steps for Counted<'_> {
    type Error = Infallible;

    fn known_at(&self, place: Place, other: LogNumber) -> Result<Option<u64>, Infallible> {
        self.looks.set(self.looks.get() + 1);
        self.inside.known_at(place, other)
    }

    fn vector_at(&self, place: Place) -> Result<BTreeMap<LogNumber, u64>, Infallible> {
        self.vectors.set(self.vectors.get() + 1);
        self.inside.vector_at(place)
    }
}

#[test]
fn one_look_answers_however_many_replicas_there_are() {
    for replicas in [2, 20, 400] {
        let mut graph = Graph::default();
        let mut previous: Option<Place> = None;
        // Each replica has seen the one before it, so that the last knows them all.
        for log in 0..replicas {
            previous = Some(graph.append(log, previous.as_slice()));
        }
        let counted = Counted { inside: &graph.causality, looks: Cell::new(0), vectors: Cell::new(0) };
        let first = Place { log: 0, sequence: 0 };
        assert_eq!(happens_before(&counted, first, previous.unwrap()), Ok(true));
        assert_eq!(happens_before(&counted, previous.unwrap(), first), Ok(false));
        assert_eq!((counted.looks.get(), counted.vectors.get()), (2, 0), "{replicas} replicas");
    }
}

#[test]
fn what_one_pair_of_logs_knows_does_not_grow_with_the_other_replicas() {
    // The steps of a pair are read through its answers: they change as often beside 300 replicas as alone.
    let changes = |replicas: LogNumber| {
        let mut graph = Graph::default();
        for round in 0..30 {
            for log in 2..replicas {
                graph.append(log, &[]);
            }
            let seen = graph.append(0, &[]);
            let crowd: Vec<Place> = (2..replicas).map(|log| Place { log, sequence: round }).collect();
            graph.append(1, &[&crowd[..], &[seen]].concat());
            graph.append(1, &[]);
        }
        let answers = (0..60).map(|sequence| graph.causality.known_at(Place { log: 1, sequence }, 0).unwrap());
        answers.collect::<Vec<_>>()
    };
    assert_eq!(changes(2), changes(300));
}
