//! Verification: an untouched store holds, and no column of any table can be changed unnoticed.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::sync::atomic::{AtomicBool, Ordering};

use chrysalis_store::Store;
use keep_common::{assert_holds, codes, copy, furnish, open, remember, saying, tagged, tamper, verify};
use tempfile::TempDir;

#[test]
fn an_untouched_store_holds() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    furnish(&path);
    let store = open(&path);
    let mut steps = Vec::new();
    let verification = store.verify(None, |done, total| steps.push((done, total))).unwrap();
    assert_eq!(verification.problems, []);
    assert_eq!((verification.operations, verification.memories), (51, 21));
    assert_eq!((steps.first(), steps.last()), (Some(&(0, 51)), Some(&(51, 51))));
    store.rebuild().unwrap();
    assert_holds(&store);
}

#[test]
fn an_empty_store_holds() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    assert_holds(&store);
    assert_eq!(verify(&store).operations, 1);
}

#[test]
fn one_memory_is_verified_by_its_id() {
    let folder = TempDir::new().unwrap();
    furnish(folder.path());
    let store = open(folder.path());
    let verified = |id: &str| store.verify(Some(id), |_, _| {}).unwrap();
    assert_eq!((verified("m4").operations, verified("m4").memories), (21, 1));
    assert!(verified("m4").holds());
    assert_eq!((verified("gone").operations, verified("gone").memories), (1, 0));
    assert!(verified("gone").holds());
    assert_eq!(store.verify(Some("never"), |_, _| {}).unwrap_err().code(), "not_found");
    store.close().unwrap();
    tamper(folder.path(), "UPDATE memory SET content = 'lies' WHERE id = 'm4'");
    let store = open(folder.path());
    let verified = |id: &str| store.verify(Some(id), |_, _| {}).unwrap();
    assert_eq!(codes(&verified("m4")), ["view_differs"]);
    assert!(verified("m5").holds());
}

#[test]
fn a_store_holds_while_others_write() {
    let folder = TempDir::new().unwrap();
    let (store, other) = (open(folder.path()), open(folder.path()));
    let done = AtomicBool::new(false);
    let mut verified = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..150 {
                remember(&other, &format!("m{number}"), tagged("written meanwhile", &["a"]));
                if number % 5 == 4 {
                    other.update("boris", &format!("m{}", number - 1), saying("edited meanwhile")).unwrap();
                    other.count_uses([format!("m{number}").as_str()].into_iter());
                    other.flush_uses().unwrap();
                }
            }
            other.forget("m7", "", false).unwrap();
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            assert_holds(&store);
            verified += 1;
        }
    });
    assert_holds(&store);
    assert_eq!(verify(&store).memories, 149);
    println!("verified {verified} times meanwhile");
}

/// What is done behind the store's back, and one problem that must be listed.
const TAMPERINGS: &[(&str, &str)] = &[
    // The ground.
    (
        "UPDATE operation SET header = cast(substr(header, 1, 60) || x'07' || substr(header, 62) AS BLOB)
      WHERE position = 9",
        "bad_signature",
    ),
    ("UPDATE operation SET signature = zeroblob(64) WHERE position = 9", "bad_signature"),
    (
        "UPDATE operation SET signature = (SELECT signature FROM operation WHERE position = 10) WHERE position = 9",
        "bad_signature",
    ),
    ("UPDATE operation SET signature = x'00' WHERE position = 9", "malformed"),
    ("UPDATE operation SET header = x'8b01' WHERE position = 9", "malformed"),
    (
        "UPDATE operation SET payload = cast(replace(payload, 'number', 'NUMBER') AS BLOB) WHERE position = 9",
        "bad_payload",
    ),
    ("UPDATE operation SET salt = randomblob(16) WHERE position = 9", "bad_payload"),
    ("UPDATE operation SET salt = NULL WHERE position = 9", "words_missing"),
    ("UPDATE operation SET salt = NULL, payload = NULL WHERE position = 9", "words_missing"),
    (
        "UPDATE operation SET salt = NULL, payload = NULL, state = 2, memory = NULL WHERE position = 9",
        "row_without_operations",
    ),
    ("UPDATE operation SET state = 3 WHERE position = 9", "wrong_state"),
    ("UPDATE operation SET state = 4 WHERE position = 9", "wrong_state"),
    ("UPDATE operation SET state = 77 WHERE position = 9", "malformed"),
    ("UPDATE operation SET mark = mark + 1 WHERE position = 9", "columns_differ"),
    ("UPDATE operation SET kind = 3 WHERE position = 9", "columns_differ"),
    ("UPDATE operation SET expires_at = 5000000000000 WHERE position = 9", "columns_differ"),
    ("UPDATE operation SET memory = memory + 1 WHERE position = 9", "wrong_memory"),
    ("UPDATE operation SET memory = NULL WHERE position = 9", "wrong_memory"),
    ("UPDATE operation SET sequence = 1000 WHERE position = 9", "sequence_gap"),
    ("DELETE FROM operation WHERE position = 9", "operation_missing"),
    ("DELETE FROM operation WHERE position = 9", "sequence_gap"),
    ("DELETE FROM operation WHERE position = 9", "broken_chain"),
    ("DELETE FROM operation WHERE position = (SELECT max(position) FROM operation WHERE kind = 3)", "access_differs"),
    (
        "UPDATE operation SET position = -1 WHERE position = 9; UPDATE operation SET position = 9 WHERE position = 10;
      UPDATE operation SET position = 10 WHERE position = -1;",
        "out_of_order",
    ),
    (
        "UPDATE operation SET sequence = -1 WHERE position = 9; UPDATE operation SET sequence = 8 WHERE position = 10;
      UPDATE operation SET sequence = 9 WHERE position = 9;",
        "columns_differ",
    ),
    ("UPDATE log SET role = 2 WHERE number = 1", "log_differs"),
    ("UPDATE log SET replica = randomblob(32) WHERE number = 1", "bad_signature"),
    ("UPDATE log SET epoch = randomblob(16) WHERE number = 1", "log_differs"),
    ("UPDATE log SET id = randomblob(32) WHERE number = 1", "log_differs"),
    ("UPDATE log SET cut = 5 WHERE number = 1", "cut_differs"),
    ("INSERT INTO proof VALUES(1, 5, x'00')", "bad_proof"),
    (
        "INSERT INTO void_header SELECT x'00', log, sequence, 1, header, signature FROM operation WHERE position = 9",
        "columns_differ",
    ),
    // The views.
    ("UPDATE memory SET content = 'lies' WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET head = head + 1 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET version = 2 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET author = 2 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET agent = 'mallory' WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET created_at = 1 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET updated_at = 1 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET importance = 65535 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET confidence = 65535 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET conflicts = 1 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET tier = 'working' WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET memory_type = 'bead' WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET scope = 'x' WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET thread = 'x' WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET speaker = 'x' WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET occurred_at = 1 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET valid_from = 1 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET valid_until = 4000000000000 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET expires_at = 5000000000000 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET tags = NULL WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET evidence = x'81616d' WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET related = NULL WHERE id = 'm3'", "view_differs"),
    ("UPDATE memory SET parents = NULL WHERE id = 'm3'", "view_differs"),
    ("UPDATE memory SET metadata = NULL WHERE id = 'm3'", "view_differs"),
    ("UPDATE memory SET document = NULL WHERE id = 'm4'", "view_differs"),
    ("UPDATE memory SET document = x'00' WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET access_count = 9 WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET id = 'other' WHERE id = 'm5'", "view_differs"),
    ("UPDATE memory SET number = number + 1000 WHERE id = 'm5'", "row_missing"),
    ("UPDATE memory SET changed = 100000 WHERE id = 'm5'", "clock_differs"),
    ("DELETE FROM memory WHERE id = 'm5'", "row_missing"),
    ("INSERT INTO tag SELECT 'extra', number FROM memory WHERE id = 'm5'", "tags_differ"),
    (
        "UPDATE tag SET name = 'other' WHERE memory = (SELECT number FROM memory WHERE id = 'm5') AND name = 'all'",
        "tags_differ",
    ),
    ("DELETE FROM tag WHERE memory = (SELECT number FROM memory WHERE id = 'm5')", "tags_differ"),
    ("INSERT INTO link SELECT 'm1', 0, number FROM memory WHERE id = 'm5'", "links_differ"),
    ("DELETE FROM link WHERE target = 'elsewhere'", "links_differ"),
    ("UPDATE link SET kind = 0 WHERE target = 'elsewhere'", "links_differ"),
    ("UPDATE access SET count = 90", "access_differs"),
    ("DELETE FROM access", "access_differs"),
    ("INSERT INTO access VALUES(99999, 1, 1)", "access_differs"),
    ("DELETE FROM dead WHERE id = 'gone'", "dead_differs"),
    ("INSERT INTO dead VALUES('m5', x'', 9)", "dead_differs"),
    ("INSERT INTO dead VALUES('m5', x'', 9)", "words_kept"),
    ("UPDATE dead SET operation = 9 WHERE id = 'gone'", "dead_differs"),
    ("UPDATE dead SET owner = x'01' WHERE id = 'gone'", "dead_differs"),
    ("DELETE FROM withdrawn", "withdrawn_differs"),
    ("UPDATE withdrawn SET digest = randomblob(48)", "withdrawn_differs"),
    ("INSERT INTO setting VALUES('robust', 'yes', 9)", "settings_differ"),
    ("INSERT INTO removed VALUES(randomblob(32), 9)", "removed_differs"),
    ("DELETE FROM step", "steps_differ"),
    ("UPDATE step SET known = known - 1", "steps_differ"),
    ("INSERT INTO step VALUES(2, 1, 2, 0)", "steps_differ"),
    ("INSERT OR REPLACE INTO unseen VALUES(1, 3, 4)", "unseen_differs"),
    ("INSERT INTO waiting VALUES('nothing', 50000)", "waiting_differs"),
    ("UPDATE clock SET changed = 3", "clock_differs"),
    ("UPDATE log_state SET id = randomblob(32)", "log_states_differ"),
    ("UPDATE log_state SET count = count + 1", "log_states_differ"),
    ("UPDATE log_state SET tip = randomblob(16)", "log_states_differ"),
    ("UPDATE log_state SET proven = 5", "log_states_differ"),
    ("UPDATE log_state SET changed = 1", "log_states_differ"),
    ("UPDATE log_state SET changed = changed * 2", "log_states_differ"),
    ("DELETE FROM log_state", "log_states_differ"),
];

#[test]
fn no_column_of_any_table_can_be_changed_unnoticed() {
    let folder = TempDir::new().unwrap();
    let sound = folder.path().join("sound");
    furnish(&sound);
    let mut unnoticed = Vec::new();
    for (number, (sql, code)) in TAMPERINGS.iter().enumerate() {
        let path = copy(&sound, &folder.path().join(number.to_string()));
        keep_binding(&path);
        tamper(&path, sql);
        let listed = match Store::open(&path, Default::default()) {
            Ok(store) => codes(&verify(&store)),
            // What opening itself refuses is noticed as well.
            Err(error) => {
                assert!(matches!(error.code(), "store_corrupt" | "key_unusable"), "{sql}: {error}");
                continue;
            }
        };
        if !listed.contains(code) {
            unnoticed.push(format!("{sql}: {listed:?} without {code}"));
        }
        std::fs::remove_dir_all(&path).unwrap();
    }
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

/// Makes a copy go on in the epoch of its original, so that the tests see what was tampered with alone.
fn keep_binding(path: &std::path::Path) {
    let store = open(path);
    store.close().unwrap();
}
