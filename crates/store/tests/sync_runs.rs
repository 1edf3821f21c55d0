//! Operations that come in a run leave the same rows as those that come one by one.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::collections::BTreeSet;
use std::path::Path;

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::{Collection, Field, Value};
use chrysalis_core::sync::replica::{Intake, Offer, Outcome, Replica as _, Want};
use chrysalis_store::{Edit, Remember, Speaker, Store};
use keep_common::{Hands, assert_holds, remember, saying, tagged};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value as SqlValue;
use tempfile::TempDir;

/// When everything was said, in ms since the Unix epoch.
const SAID_MS: u64 = 1_800_000_000_000;

/// When others take it in: what was to fade within the hour has faded.
const TAKEN_MS: u64 = SAID_MS + 3_600_000;

/// What somebody says, of one of a few memories or of one that nobody has spoken of.
#[derive(Clone, Debug)]
enum Deed {
    Say(Option<u8>),
    Tag(u8),
    Link(u8),
    Fade(Option<u8>),
    Forget(u8),
    Use(u8),
}

fn deed() -> impl Strategy<Value = Deed> {
    let few = 0..12_u8;
    prop_oneof![
        12 => Just(Deed::Say(None)),
        2 => few.clone().prop_map(|which| Deed::Say(Some(which))),
        2 => few.clone().prop_map(Deed::Tag),
        2 => few.clone().prop_map(Deed::Link),
        1 => Just(Deed::Fade(None)),
        1 => few.clone().prop_map(|which| Deed::Fade(Some(which))),
        1 => few.clone().prop_map(Deed::Forget),
        1 => few.prop_map(Deed::Use),
    ]
}

fn name(which: Option<u8>, place: usize) -> String {
    which.map_or_else(|| format!("new{place}"), |which| format!("few{which}"))
}

fn put(store: &Store, id: &str, edit: Edit) {
    // What was forgotten is not said again, and what has faded is not edited.
    let _ = store.remember("anna", Remember { id: Some(id.to_owned()), edit });
}

fn act(store: &Store, deed: &Deed, place: usize) {
    match deed {
        Deed::Say(which) => {
            put(store, &name(*which, place), tagged(&format!("words number {}", place % 40), &["all", "said"]))
        }
        Deed::Tag(which) => put(store, &name(Some(*which), place), tagged("tagged", &[&format!("tag {}", place % 5)])),
        Deed::Link(which) => {
            let mut edit = saying("linked");
            edit.grow.insert(Collection::Related, [format!("few{}", place % 12), "elsewhere".to_owned()].into());
            put(store, &name(Some(*which), place), edit);
        }
        Deed::Fade(which) => {
            let mut edit = saying("until then");
            edit.set(Field::Expiry, Value::Integer((SAID_MS + 1_000 + 5_000_000 * (place as u64 % 2)) as i64));
            put(store, &name(*which, place), edit);
        }
        Deed::Forget(which) => drop(store.forget(&name(Some(*which), place), "", place.is_multiple_of(2))),
        Deed::Use(which) => {
            store.count_uses([name(Some(*which), place).as_str()].into_iter());
            store.flush_uses().unwrap();
        }
    }
}

fn said(path: &Path, deeds: &[Deed]) -> (Vec<Vec<Operation>>, ReplicaKey) {
    let store = Store::open(path, Hands::at(SAID_MS).options()).unwrap();
    store.begin_batch().unwrap();
    deeds.iter().enumerate().for_each(|(place, deed)| act(&store, deed, place));
    store.commit_batch().unwrap();
    let states = Speaker(&store).states().unwrap();
    let wants: Vec<Want> = states.into_iter().map(|state| Want { log: state.log, from: 0 }).collect();
    (Speaker(&store).read(&wants, usize::MAX).unwrap(), store.replica())
}

/// Takes these segments into a store that has spoken of some of the memories itself.
fn taken(path: &Path, segments: Vec<Vec<Operation>>, from: ReplicaKey) -> Store {
    let store = Store::open(path, Hands::at(TAKEN_MS).options()).unwrap();
    remember(&store, "few1", tagged("mine", &["own"]));
    store.count_uses(["few2"].into_iter());
    store.flush_uses().unwrap();
    let offers = segments.into_iter().map(|segment| (from, Offer::Segment(segment))).collect();
    for outcome in Speaker(&store).take(Intake { offers, ..Intake::default() }).unwrap() {
        assert!(matches!(outcome, Outcome::Stored(1..)), "{outcome:?}");
    }
    assert_holds(&store);
    store
}

/// All that both stores must have alike, memories by their ids: a number, or a position of the feed, may be left out in one
/// of them. Operations of the own log differ, since keys and salts are random.
fn rows(path: &Path) -> Vec<Vec<SqlValue>> {
    let connection = Connection::open(path.join("chrysalis.db")).unwrap();
    let named = "CREATE TEMP VIEW named AS SELECT number, id FROM memory UNION ALL SELECT number, id FROM waiting";
    connection.execute_batch(named).unwrap();
    let selections = [
        "SELECT position, log, sequence, kind, state, id, expires_at, header, signature, salt, payload
             FROM operation LEFT JOIN named ON number = memory
             WHERE log <> (SELECT number FROM log WHERE own = 1) ORDER BY position",
        "SELECT id, head, version, author, agent, created_at, updated_at, importance, confidence, access_count, conflicts,
             tier, memory_type, scope, thread, speaker, occurred_at, valid_from, valid_until, expires_at, tags, evidence,
             related, parents, metadata, content, document FROM memory ORDER BY id",
        "SELECT name, id FROM tag JOIN named ON number = memory ORDER BY 1, 2",
        "SELECT target, kind, id FROM link JOIN named ON number = memory ORDER BY 1, 2, 3",
        "SELECT id, log, count FROM access JOIN named ON number = memory ORDER BY 1, 2",
        "SELECT * FROM dead ORDER BY 1, 2",
        "SELECT * FROM withdrawn ORDER BY 1",
        "SELECT id FROM waiting ORDER BY 1",
    ];
    let mut all = Vec::new();
    for sql in selections {
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let read = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
        all.extend(read.map(Result::unwrap));
    }
    all
}

fn run_and_singles_leave_the_same(deeds: &[Deed]) -> BTreeSet<usize> {
    let folder = TempDir::new().unwrap();
    let (segments, from) = said(&folder.path().join("author"), deeds);
    let lengths = segments.iter().map(Vec::len).collect();
    let singles = segments.iter().flatten().map(|operation| vec![operation.clone()]).collect();
    let (run, single) = (folder.path().join("run"), folder.path().join("single"));
    let (by_run, by_single) = (taken(&run, segments, from), taken(&single, singles, from));
    by_run.close().unwrap();
    by_single.close().unwrap();
    assert_eq!(rows(&run), rows(&single));
    lengths
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_run_leaves_the_same_rows_as_its_operations_one_by_one(deeds in prop::collection::vec(deed(), 1..90)) {
        run_and_singles_leave_the_same(&deeds);
    }
}

#[test]
fn a_run_of_nothing_but_new_memories_leaves_the_same_rows_whatever_its_length() {
    for length in [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130] {
        let lengths = run_and_singles_leave_the_same(&vec![Deed::Say(None); length]);
        assert_eq!(lengths.last().copied(), Some((length + 1).min(64)));
    }
}

#[test]
fn a_memory_that_is_created_and_edited_in_one_run_has_both_words() {
    let deeds = [Deed::Say(Some(3)), Deed::Say(None), Deed::Say(Some(3)), Deed::Tag(3), Deed::Say(Some(3))];
    run_and_singles_leave_the_same(&deeds);
}
