//! What the tests of sync share: stores, and an exchange through nothing but the trait that a node uses.

#![allow(dead_code, reason = "each test file uses a part")]

use std::path::Path;

use chrysalis_core::admit::Missing;
use chrysalis_core::payload::{Field, Value};
use chrysalis_core::sync::replica::{Intake, Offer, Outcome, Replica, Segment, Want};
use chrysalis_store::{Edit, Remember, Speaker, Store, StoreOptions};

pub fn open(path: &Path) -> Store {
    Store::open(path, StoreOptions::default()).unwrap()
}

pub fn say(store: &Store, id: &str, content: &str) {
    let mut edit = Edit::default();
    edit.set(Field::Content, Value::Text(content.to_owned()));
    store.remember("agent", Remember { id: Some(id.to_owned()), edit }).unwrap();
}

pub fn content(store: &Store, id: &str) -> Option<String> {
    store.get(id).unwrap().map(|row| row.content)
}

/// Everything of `giver` that `taker` lacks, by comparing their states: from where their counts differ.
pub fn lacking(giver: &Store, taker: &Store) -> Vec<Want> {
    let states = Speaker(giver).states().unwrap();
    let here = |log| Speaker(taker).state(&log).unwrap().map_or(0, |state| state.count);
    let behind = states.into_iter().map(|state| (state, here(state.log)));
    behind
        .filter(|(state, here)| *here < state.count)
        .map(|(state, here)| Want { log: state.log, from: here })
        .collect()
}

pub fn offers(giver: &Store, segments: impl IntoIterator<Item = Segment>) -> Intake {
    let from = giver.replica();
    let offers = segments.into_iter().map(|segment| (from, Offer::Segment(segment))).collect();
    Intake { offers, ..Intake::default() }
}

pub fn take(store: &Store, intake: Intake) -> Vec<Outcome> {
    Speaker(store).take(intake).unwrap()
}

/// One way: proofs, then whatever is lacking, until nothing comes.
pub fn pull(giver: &Store, taker: &Store) {
    let proven =
        Speaker(giver).states().unwrap().into_iter().filter(|state| state.cut.is_some()).map(|state| state.log);
    let proofs = Speaker(giver).proofs(&proven.collect::<Vec<_>>()).unwrap();
    let offered = proofs.into_iter().map(|proof| (giver.replica(), Offer::Proof(Box::new(proof)))).collect();
    take(taker, Intake { offers: offered, ..Intake::default() });
    for _ in 0..1_000 {
        let segments = Speaker(giver).read(&lacking(giver, taker), 1 << 16).unwrap();
        if segments.is_empty() {
            return;
        }
        // Void operations are not read, and asked for one by one where others depend on them.
        let mut missing = Vec::new();
        for outcome in take(taker, offers(giver, segments)) {
            match outcome {
                Outcome::Stored(1..) => {}
                Outcome::Waiting(past) => missing.extend(past.into_iter().filter_map(|one| match one {
                    Missing::Operation(fingerprint) => Some(fingerprint),
                    Missing::Log(_) => None,
                })),
                other => panic!("{other:?}"),
            }
        }
        let found = Speaker(giver).find(&missing).unwrap();
        take(taker, offers(giver, found.into_iter().map(|operation| vec![operation])));
    }
    panic!("an exchange without an end");
}

pub fn assert_holds(store: &Store) {
    let problems = store.verify(None, |_, _| {}).unwrap().problems;
    assert!(problems.is_empty(), "{problems:#?}");
}
