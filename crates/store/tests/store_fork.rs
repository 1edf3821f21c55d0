//! A log that was continued twice: a restored backup, or a machine that was copied whole.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use chrysalis_core::payload::{Field, Value};
use chrysalis_store::{Edit, Remember, Store, StoreOptions};

fn open(path: &Path) -> Store {
    Store::open(path, StoreOptions::default()).unwrap()
}

fn say(store: &Store, id: &str, content: &str) {
    let mut edit = Edit::default();
    edit.set(Field::Content, Value::Text(content.to_owned()));
    store.remember("anna", Remember { id: Some(id.to_owned()), edit }).unwrap();
}

fn contents(store: &Store) -> Vec<(String, String)> {
    let filter = Default::default();
    let rows = store.list(&filter, chrysalis_store::Order::Created, false, 100, 0).unwrap();
    let mut contents: Vec<_> = rows.into_iter().map(|row| (row.id, row.content)).collect();
    contents.sort();
    contents
}

/// A copy that takes itself for the original, as a copy of the whole machine would.
fn copied_machine(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in ["chrysalis.db", "key"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    use std::os::unix::fs::MetadataExt as _;
    let inode = std::fs::metadata(to.join("chrysalis.db")).unwrap().ino();
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    let binding = chrysalis_core::id::digest("chrysalis/binding/1", &[&machine, &inode.to_be_bytes()])[..16].to_vec();
    let database = rusqlite::Connection::open(to.join("chrysalis.db")).unwrap();
    database.execute("UPDATE meta SET value = ?1 WHERE key = 'binding'", [binding]).unwrap();
}

/// Two copies of a machine, each of which takes itself for the original, and two replicas that know neither.
fn two_copies_and_two_others(folder: &Path) -> [Store; 4] {
    let paths = ["one", "other", "left-first", "right-first"].map(|name| folder.join(name));
    let store = open(&paths[0]);
    say(&store, "before", "said before the copy");
    store.close().unwrap();
    copied_machine(&paths[0], &paths[1]);
    paths.map(|path| open(&path))
}

fn exchange(giver: &Store, taker: &Store, folder: &Path) {
    let bundle: PathBuf = folder.join("exchange.bundle");
    giver.export(&bundle).unwrap();
    let imported = taker.import_bundle(&bundle).unwrap();
    assert_eq!(imported.refused, []);
}

#[test]
fn an_accidental_fork_loses_nothing_and_both_copies_agree() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let store = open(&one);
    say(&store, "before", "said before the copy");
    store.close().unwrap();
    copied_machine(&one, &other);
    let (one, other) = (open(&one), open(&other));
    assert_eq!(one.head().unwrap().log, other.head().unwrap().log);
    say(&one, "left", "said on the one side");
    say(&other, "right", "said on the other side");
    for _ in 0..3 {
        exchange(&one, &other, folder.path());
        exchange(&other, &one, folder.path());
    }
    let all = ["before", "left", "right"];
    assert_eq!(contents(&one).iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), all);
    assert_eq!(contents(&one), contents(&other));
    assert_ne!(one.head().unwrap().log, other.head().unwrap().log);
    say(&one, "after", "said after the fork was healed");
    exchange(&one, &other, folder.path());
    assert_eq!(contents(&one), contents(&other));
    for store in [&one, &other] {
        assert_eq!(store.verify(None, |_, _| ()).unwrap().problems, []);
    }
    one.rebuild().unwrap();
    assert_eq!(contents(&one), contents(&other));
}

#[test]
fn a_proof_names_whose_log_it_is_and_the_place_of_the_fork() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let store = open(&one);
    say(&store, "before", "said before the copy");
    let (log, replica) = (store.head().unwrap().log, store.replica());
    store.close().unwrap();
    copied_machine(&one, &other);
    let (one, other) = (open(&one), open(&other));
    assert_eq!(one.proven().unwrap(), []);
    say(&one, "left", "said on the one side");
    say(&other, "right", "said on the other side");
    let heads = [&one, &other].map(|store| store.head().unwrap().last.unwrap().fingerprint);
    exchange(&one, &other, folder.path());
    exchange(&other, &one, folder.path());
    let proven = one.proven().unwrap();
    assert_eq!(proven, other.proven().unwrap());
    let [proof] = &proven[..] else { panic!("one proof, not {}", proven.len()) };
    assert_eq!((proof.replica, proof.log, proof.sequence), (replica, log, 2));
    let mut sorted = heads;
    sorted.sort();
    assert_eq!(proof.operations, sorted);
}

#[test]
fn a_restored_backup_goes_on_where_others_know_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let store = open(&one);
    say(&store, "early", "in the backup");
    store.close().unwrap();
    let backup = std::fs::read(one.join("chrysalis.db")).unwrap();
    let store = open(&one);
    say(&store, "late", "after the backup");
    let friend = open(&other);
    exchange(&store, &friend, folder.path());
    store.close().unwrap();
    // Written over in place, as a restore does: the file stays the same file.
    std::fs::write(one.join("chrysalis.db"), backup).unwrap();
    let store = open(&one);
    exchange(&friend, &store, folder.path());
    say(&store, "later", "after the restore");
    exchange(&store, &friend, folder.path());
    assert_eq!(contents(&store), contents(&friend));
    assert_eq!(contents(&store).len(), 3);
    assert_eq!(store.head().unwrap().last.unwrap().sequence, 3);
    assert_eq!(friend.verify(None, |_, _| ()).unwrap().problems, []);
}

#[test]
fn a_forgetting_in_a_branch_that_became_void_is_said_again() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other, friend] = ["one", "other", "friend"].map(|name| folder.path().join(name));
    let store = open(&one);
    say(&store, "secret", "said before the copy");
    store.close().unwrap();
    copied_machine(&one, &other);
    let (one, other, friend) = (open(&one), open(&other), open(&friend));
    exchange(&one, &friend, folder.path());
    one.forget("secret", "", false).unwrap();
    say(&other, "right", "said on the other side");
    for _ in 0..2 {
        exchange(&other, &one, folder.path());
        exchange(&one, &other, folder.path());
        exchange(&one, &friend, folder.path());
        exchange(&friend, &one, folder.path());
    }
    for store in [&one, &other, &friend] {
        assert_eq!(contents(store), [("right".to_owned(), "said on the other side".to_owned())]);
        assert_eq!(store.verify(None, |_, _| ()).unwrap().problems, []);
    }
    assert_eq!(one.logical_digest().unwrap(), friend.logical_digest().unwrap());
}

#[test]
fn a_memory_reads_alike_whichever_branch_of_its_creators_log_came_first() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other, left_first, right_first] = two_copies_and_two_others(folder.path());
    say(&one, "left", "said on the one side");
    say(&other, "right", "said on the other side");
    exchange(&one, &left_first, folder.path());
    exchange(&other, &right_first, folder.path());
    // Only the edits are left once the branches are void: who created the memories stands in void headers.
    say(&left_first, "left", "edited");
    say(&right_first, "right", "edited");
    for _ in 0..2 {
        exchange(&left_first, &right_first, folder.path());
        exchange(&right_first, &left_first, folder.path());
    }
    assert_eq!(contents(&left_first).len(), 3);
    assert_eq!(left_first.logical_digest().unwrap(), right_first.logical_digest().unwrap());
    for store in [&left_first, &right_first] {
        assert_eq!(store.verify(None, |_, _| ()).unwrap().problems, []);
    }
}

#[test]
fn a_branch_that_grows_to_where_another_is_known_already_is_named_no_second_time() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other, left_first, right_first] = two_copies_and_two_others(folder.path());
    say(&one, "left", "said on the one side");
    for count in 0..3 {
        say(&other, &format!("right {count}"), "said on the other side");
    }
    exchange(&one, &left_first, folder.path());
    exchange(&other, &right_first, folder.path());
    say(&right_first, "right 2", "edited");
    exchange(&right_first, &left_first, folder.path());
    say(&left_first, "left", "edited by who knows of both branches");
    say(&one, "left again", "said on the one side");
    exchange(&one, &left_first, folder.path());
    assert_eq!(left_first.verify(None, |_, _| ()).unwrap().problems, []);
    left_first.rebuild().unwrap();
    assert_eq!(left_first.verify(None, |_, _| ()).unwrap().problems, []);
}

#[test]
fn clones_that_meet_count_each_use_once_and_keep_the_newest_vote() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let use_it = |store: &Store, times: usize| {
        (0..times).for_each(|_| assert_eq!(store.count_uses(["before"].into_iter()), 1));
        store.flush_uses().unwrap();
    };
    let store = open(&one);
    say(&store, "before", "said before the copy");
    use_it(&store, 1);
    store.close().unwrap();
    copied_machine(&one, &other);
    let (one, other) = (open(&one), open(&other));
    use_it(&one, 2);
    use_it(&other, 4);
    other.attest("before", 10_000).unwrap();
    other.attest("before", 20_000).unwrap();
    for _ in 0..3 {
        exchange(&one, &other, folder.path());
        exchange(&other, &one, folder.path());
    }
    for store in [&one, &other] {
        assert_eq!(store.get("before").unwrap().unwrap().access_count, 7);
        let votes: Vec<u16> = store.ballots("before").unwrap().votes.iter().map(|vote| vote.confidence).collect();
        assert_eq!(votes, [20_000]);
        assert_eq!(store.verify(None, |_, _| ()).unwrap().problems, []);
    }
    assert_eq!(one.logical_digest().unwrap(), other.logical_digest().unwrap());
}
