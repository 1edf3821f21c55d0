//! Two ledgers that received the same operations end with the same set, heads and cuts, in whatever order and in
//! whatever segments they came.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::id::{Fingerprint, Signature};
use chrysalis_core::operation::Operation;
use common::{Author, MemoryLedger, note, open_space, signed};
use proptest::prelude::*;

/// One step of a history: who acts, whom of the others he has seen, and what he does.
#[derive(Clone, Debug)]
enum Step {
    Note {
        author: usize,
        seen: Vec<usize>,
    },
    /// The author's machine is cloned: from here on two of them write one log.
    Clone {
        author: usize,
    },
    /// Something that no honest replica writes and every ledger must refuse or leave waiting.
    Hostile {
        author: usize,
        how: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let author = 0usize..6;
    prop_oneof![
        8 => (author.clone(), prop::collection::vec(0usize..6, 0..3)).prop_map(|(author, seen)| Step::Note { author, seen }),
        1 => author.clone().prop_map(|author| Step::Clone { author }),
        1 => (author, 0u8..4).prop_map(|(author, how)| Step::Hostile { author, how }),
    ]
}

/// The operations of a history by branch, the hostile ones, and all that is valid.
struct History {
    branches: Vec<Vec<Operation>>,
    hostile: Vec<Operation>,
}

impl History {
    fn valid(&self) -> BTreeSet<Fingerprint> {
        self.branches.iter().flatten().map(Operation::fingerprint).collect()
    }
}

fn history(steps: &[Step]) -> History {
    let mut authors: Vec<Author> = (1..4).map(|seed| Author::new(&open_space(), seed)).collect();
    let mut branches: Vec<Vec<Operation>> = authors.iter_mut().map(|author| vec![author.open_log()]).collect();
    let mut hostile = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Note { author, seen } => {
                let author = author % authors.len();
                let log = authors[author].log();
                let mut heads = BTreeMap::new();
                for branch in seen.iter().map(|seen| &branches[seen % branches.len()]) {
                    let head = branch.last().unwrap();
                    if head.header().log != log {
                        heads.insert(head.fingerprint(), head);
                    }
                }
                let dependencies: Vec<_> = heads.into_values().collect();
                let operation = authors[author].note_after(&format!("step {number}"), &dependencies);
                branches[author].push(operation);
            }
            Step::Clone { author } => {
                let author = author % authors.len();
                let copy = authors[author].copy();
                authors.push(copy);
                let trunk = branches[author].clone();
                branches.push(trunk);
            }
            Step::Hostile { author, how } => {
                let author = author % authors.len();
                hostile.push(intrusion(&mut authors[author], *how));
            }
        }
    }
    History { branches, hostile }
}

fn intrusion(author: &mut Author, how: u8) -> Operation {
    match how {
        0 => author.craft(&note("lies about time"), |header| header.lamport += 1),
        1 => author.craft(&note("depends on nothing"), |header| header.dependencies = vec![Fingerprint([5; 48])]),
        2 => {
            let words = author.craft(&note("changed on the way"), |_| ());
            Operation::from_parts(words.header_bytes(), Signature([1; 64]), words.body().cloned()).unwrap()
        }
        _ => {
            let words = author.craft(&note("in another's name"), |_| ());
            let thief = chrysalis_core::sign::SecretKey::from_seed(&[0x77; 32]);
            signed(&thief, words.header(), words.body().cloned()).unwrap()
        }
    }
}

/// All of a history in segments of these lengths, in the order of these keys, some of it twice.
fn delivery(history: &History, lengths: &[usize], order: &[u32]) -> Vec<Vec<Operation>> {
    let mut lengths = lengths.iter().cycle();
    let mut segments: Vec<Vec<Operation>> = history.hostile.iter().map(|operation| vec![operation.clone()]).collect();
    for branch in &history.branches {
        let mut rest = &branch[..];
        while !rest.is_empty() {
            let (segment, after) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
            segments.push(segment.to_vec());
            rest = after;
        }
    }
    let mut keyed: Vec<_> = segments.into_iter().zip(order.iter().cycle()).enumerate().collect();
    keyed.sort_by_key(|(place, (_, key))| (key.wrapping_mul(2_654_435_761).rotate_left(*place as u32), *place));
    keyed.into_iter().map(|(_, (segment, _))| segment).collect()
}

fn ledger_after(delivery: &[Vec<Operation>]) -> MemoryLedger {
    let mut ledger = MemoryLedger::new(&open_space());
    delivery.iter().for_each(|segment| ledger.receive(segment));
    ledger
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_and_any_segments_end_in_the_same_ledger(
        steps in prop::collection::vec(step(), 1..40),
        lengths in prop::collection::vec(1usize..9, 1..6),
        orders in (prop::collection::vec(any::<u32>(), 1..40), prop::collection::vec(any::<u32>(), 1..40)),
    ) {
        let history = history(&steps);
        let one = ledger_after(&delivery(&history, &[1], &orders.0));
        let other = ledger_after(&delivery(&history, &lengths, &orders.1));
        prop_assert_eq!(one.fingerprints(), history.valid(), "all that is valid and nothing else");
        prop_assert_eq!(other.fingerprints(), history.valid());
        prop_assert_eq!(one.cuts(), other.cuts());
        prop_assert_eq!(one.heads(), other.heads());
    }

    #[test]
    fn what_comes_again_changes_nothing(
        steps in prop::collection::vec(step(), 1..30),
        order in prop::collection::vec(any::<u32>(), 1..30),
    ) {
        let history = history(&steps);
        let delivery = delivery(&history, &[3], &order);
        let mut ledger = ledger_after(&delivery);
        let before = (ledger.fingerprints(), ledger.heads(), ledger.cuts());
        delivery.iter().for_each(|segment| ledger.receive(segment));
        prop_assert_eq!(before, (ledger.fingerprints(), ledger.heads(), ledger.cuts()));
    }
}
