//! Bundles: two replicas that exchange them agree, and no file does harm.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::fs;
use std::path::{Path, PathBuf};

use chrysalis_core::payload::{Field, Value};
use chrysalis_store::{Edit, Imported, Store, StoreOptions};
use keep_common::{Hands, assert_holds, copy, found, furnish, open, remember, saying, tagged, tamper};
use tempfile::TempDir;

/// Two stores of one open space, each with its own key.
struct Pair {
    folder: TempDir,
    one: Store,
    two: Store,
}

impl Pair {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (one, two) = (open(&folder.path().join("one")), open(&folder.path().join("two")));
        Self { folder, one, two }
    }

    fn carry(&self, from: &Store, to: &Store) -> Imported {
        let path = self.folder.path().join("bundle");
        from.export(&path).unwrap();
        to.import_bundle(&path).unwrap()
    }

    /// Both have what the other has, hold, and read alike.
    fn exchange(&self) {
        let _ = self.carry(&self.one, &self.two);
        let _ = self.carry(&self.two, &self.one);
        self.assert_equal();
    }

    fn assert_equal(&self) {
        assert_holds(&self.one);
        assert_holds(&self.two);
        assert_eq!(self.one.logical_digest().unwrap(), self.two.logical_digest().unwrap());
    }
}

fn content(store: &Store, id: &str) -> Option<String> {
    store.get(id).unwrap().map(|row| row.content)
}

#[test]
fn everything_travels_and_twice_is_once() {
    let folder = TempDir::new().unwrap();
    let one = folder.path().join("one");
    furnish(&one);
    let (one, two) = (open(&one), open(&folder.path().join("two")));
    let path = folder.path().join("bundle");
    assert_eq!(one.export(&path).unwrap(), 51);
    let first = two.import_bundle(&path).unwrap();
    assert_eq!((first.read, first.added, first.known, first.refused.clone()), (51, 51, 0, vec![]));
    let again = two.import_bundle(&path).unwrap();
    assert_eq!((again.read, again.added, again.known, again.refused), (51, 0, 51, vec![]));
    assert_holds(&two);
    assert_eq!(found(&two, "version"), ["m4"]);
    assert_eq!(content(&two, "secret"), None);
    assert_eq!(two.import_bundle(&folder.path().join("none")).unwrap_err().code(), "file_error");
    two.export(&path).unwrap();
    one.import_bundle(&path).unwrap();
    assert_eq!(one.logical_digest().unwrap(), two.logical_digest().unwrap());
    let third = open(&folder.path().join("three"));
    third.import_bundle(&path).unwrap();
    assert_holds(&third);
    third.rebuild().unwrap();
    assert_holds(&third);
}

#[test]
fn concurrent_edits_have_one_winner_and_stay_visible() {
    let pair = Pair::new();
    remember(&pair.one, "m", tagged("as it was", &["kept", "dropped"]));
    pair.exchange();
    pair.one.update("anna", "m", saying("as anna saw it")).unwrap();
    pair.two.update("boris", "m", saying("as boris saw it")).unwrap();
    let mut edit = Edit::default();
    edit.remove_tags.insert("dropped".to_owned());
    edit.remove_tags.insert("kept".to_owned());
    pair.one.update("anna", "m", edit).unwrap();
    let mut edit = Edit::default();
    edit.add_tags.insert("new".to_owned());
    pair.two.update("boris", "m", edit).unwrap();
    pair.exchange();
    assert_eq!(content(&pair.one, "m"), content(&pair.two, "m"));
    for store in [&pair.one, &pair.two] {
        let document = store.document("m").unwrap();
        assert_eq!(document.conflicts(Field::Content).len(), 1);
        assert_eq!(document.tags().collect::<Vec<_>>(), ["new"]);
    }
    pair.one.update("anna", "m", saying("as both agreed")).unwrap();
    pair.exchange();
    assert_eq!(pair.two.document("m").unwrap().conflicts(Field::Content), []);
}

#[test]
fn an_add_that_a_removal_did_not_see_wins() {
    let pair = Pair::new();
    remember(&pair.one, "m", tagged("a house", &["blue"]));
    pair.exchange();
    let mut removal = Edit::default();
    removal.remove_tags.insert("blue".to_owned());
    pair.one.update("anna", "m", removal.clone()).unwrap();
    pair.two.update("boris", "m", removal).unwrap();
    let mut add = Edit::default();
    add.add_tags.insert("blue".to_owned());
    pair.two.update("boris", "m", add).unwrap();
    pair.exchange();
    assert_eq!(pair.one.document("m").unwrap().tags().collect::<Vec<_>>(), ["blue"]);
}

#[test]
fn uses_add_up() {
    let pair = Pair::new();
    remember(&pair.one, "m", saying("useful"));
    pair.exchange();
    for (store, count) in [(&pair.one, 3), (&pair.two, 4)] {
        store.count_uses(std::iter::repeat_n("m", count));
        store.flush_uses().unwrap();
    }
    pair.exchange();
    pair.exchange();
    assert_eq!(pair.one.get("m").unwrap().unwrap().access_count, 7);
    assert_eq!(pair.two.get("m").unwrap().unwrap().access_count, 7);
}

#[test]
fn a_concurrent_edit_dies_with_its_memory() {
    let pair = Pair::new();
    remember(&pair.one, "m", saying("to be forgotten"));
    remember(&pair.one, "n", saying("to stay"));
    pair.exchange();
    pair.one.forget("m", "asked", true).unwrap();
    pair.two.update("boris", "m", saying("edited meanwhile")).unwrap();
    remember(&pair.two, "copy", saying("to be forgotten"));
    pair.exchange();
    for store in [&pair.one, &pair.two] {
        assert_eq!(content(store, "m"), None);
        assert_eq!(content(store, "copy"), None, "withdrawn content is refused under any id");
        assert_eq!(content(store, "n").as_deref(), Some("to stay"));
    }
}

#[test]
fn both_may_create_one_id() {
    let pair = Pair::new();
    remember(&pair.one, "m", tagged("by one", &["a"]));
    remember(&pair.two, "m", tagged("by two", &["b"]));
    pair.exchange();
    let document = pair.one.document("m").unwrap();
    assert_eq!(document.tags().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(document.conflicts(Field::Content).len(), 1);
}

#[test]
fn any_order_of_many_bundles_gives_the_same() {
    let pair = Pair::new();
    let mut bundles = Vec::new();
    for round in 0..4 {
        for store in [&pair.one, &pair.two] {
            remember(store, &format!("m{round}"), tagged(&format!("round {round}"), &["x"]));
            let mut edit = saying(&format!("round {round} again"));
            edit.remove_tags.insert("x".to_owned());
            store.update("anna", "m0", edit).unwrap();
            let path = pair.folder.path().join(format!("bundle{}", bundles.len()));
            store.export(&path).unwrap();
            bundles.push(path);
        }
        pair.exchange();
    }
    pair.one.forget("m2", "", false).unwrap();
    pair.exchange();
    let last = pair.folder.path().join("last");
    pair.one.export(&last).unwrap();
    bundles.push(last);
    let expected = pair.one.logical_digest().unwrap();
    for seed in 0..4_usize {
        let third = open(&pair.folder.path().join(format!("third{seed}")));
        for step in 0..bundles.len() {
            let place = (step * [1, 2, 4, 5][seed] + seed * 3) % bundles.len();
            third.import_bundle(&bundles[place]).unwrap();
        }
        assert_holds(&third);
        // Its own log, with its opening alone, is not known to the others.
        pair.carry(&third, &pair.one);
        assert_ne!(third.logical_digest().unwrap(), expected);
        pair.carry(&pair.one, &third);
        assert_eq!(pair.one.logical_digest().unwrap(), third.logical_digest().unwrap());
    }
}

#[test]
fn what_comes_from_the_future_waits_for_its_time() {
    const NOW: u64 = 1_700_000_000_000;
    let folder = TempDir::new().unwrap();
    let (early, late) = (Hands::at(NOW), Hands::at(NOW + 3_600_000));
    let one = Store::open(&folder.path().join("one"), late.options()).unwrap();
    let two = Store::open(&folder.path().join("two"), early.options()).unwrap();
    remember(&one, "m", saying("news from tomorrow"));
    one.count_uses(["m"].into_iter());
    one.flush_uses().unwrap();
    let path = folder.path().join("bundle");
    one.export(&path).unwrap();
    two.import_bundle(&path).unwrap();
    assert_eq!(content(&two, "m"), None);
    assert!(found(&two, "tomorrow").is_empty());
    assert_holds(&two);
    early.set(NOW + 3_600_000);
    two.sweep().unwrap();
    assert_eq!(content(&two, "m").as_deref(), Some("news from tomorrow"));
    assert_eq!(two.get("m").unwrap().unwrap().access_count, 1);
    assert_eq!(found(&two, "tomorrow"), ["m"]);
    assert_holds(&two);
    two.export(&path).unwrap();
    one.import_bundle(&path).unwrap();
    assert_eq!(one.logical_digest().unwrap(), two.logical_digest().unwrap());
}

#[test]
fn what_a_forgetting_from_the_future_took_stays_taken_when_its_time_comes() {
    const NOW: u64 = 1_700_000_000_000;
    let folder = TempDir::new().unwrap();
    let (early, late) = (Hands::at(NOW), Hands::at(NOW + 3_600_000));
    let one = Store::open(&folder.path().join("one"), late.options()).unwrap();
    let two = Store::open(&folder.path().join("two"), late.options()).unwrap();
    let behind = Store::open(&folder.path().join("behind"), early.options()).unwrap();
    let path = folder.path().join("bundle");
    let carry = |from: &Store, to: &Store| {
        from.export(&path).unwrap();
        to.import_bundle(&path).unwrap();
    };
    remember(&one, "m", saying("the painting hangs in the cellar"));
    carry(&one, &two);
    // Neither knows of the other's: where both wait, the forgetting waits before the words that it takes.
    two.update("bert", "m", saying("the painting hangs in the attic")).unwrap();
    one.forget("m", "it was sold", false).unwrap();
    carry(&one, &behind);
    carry(&two, &behind);
    assert_holds(&behind);
    early.set(NOW + 3_600_000);
    behind.sweep().unwrap();
    assert_eq!(content(&behind, "m"), None);
    assert_holds(&behind);
    carry(&behind, &two);
    assert_eq!(two.logical_digest().unwrap(), behind.logical_digest().unwrap());
}

/// Two stores that continue one log in two ways, as a restored disk image does.
fn forked() -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let store = open(&one);
    remember(&store, "before", saying("said before the copy"));
    store.close().unwrap();
    copy(&one, &two);
    let store = open(&one);
    remember(&store, "left", saying("said on the left"));
    store.update("anna", "before", saying("edited on the left")).unwrap();
    store.close().unwrap();
    pass_for_the_original(&two);
    let store = open(&two);
    remember(&store, "right", saying("said on the right"));
    store.close().unwrap();
    (folder, one, two)
}

/// Gives a copy the binding of its own file, so that it goes on in the log of the original.
fn pass_for_the_original(path: &Path) {
    let probe = copy(path, &path.with_extension("probe"));
    let log = "SELECT number FROM log WHERE own = 1";
    let connection = rusqlite::Connection::open(path.join("chrysalis.db")).unwrap();
    let own: i64 = connection.query_row(log, [], |row| row.get(0)).unwrap();
    drop(connection);
    let store = open(path);
    store.close().unwrap();
    let connection = rusqlite::Connection::open(path.join("chrysalis.db")).unwrap();
    let binding: Vec<u8> =
        connection.query_row("SELECT value FROM meta WHERE key = 'binding'", [], |row| row.get(0)).unwrap();
    // Back to the state of before, into the same file: the binding knows the file, not what is in it.
    connection.execute("ATTACH ?1 AS probe", [probe.join("chrysalis.db").to_str().unwrap()]).unwrap();
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for table in tables {
        let sql = format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM probe.{table};");
        connection.execute_batch(&sql).unwrap();
    }
    connection.execute("UPDATE main.meta SET value = ?1 WHERE key = 'binding'", [binding]).unwrap();
    let back: i64 = connection.query_row(&format!("{log} LIMIT 1"), [], |row| row.get(0)).unwrap();
    assert_eq!(back, own);
}

fn proofs(store: &Store) -> i64 {
    let connection = rusqlite::Connection::open(store.folder().database()).unwrap();
    connection.query_row("SELECT count(*) FROM proof", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_fork_is_proven_voided_and_what_was_said_in_it_is_saved() {
    let (folder, one, two) = forked();
    let (one, two) = (open(&one), open(&two));
    assert_eq!(one.head().unwrap().log, two.head().unwrap().log);
    let forked = one.head().unwrap().log;
    let witness = open(&folder.path().join("witness"));
    let (left, right) = (folder.path().join("left"), folder.path().join("right"));
    one.export(&left).unwrap();
    two.export(&right).unwrap();
    assert_eq!(witness.import_bundle(&left).unwrap().refused, []);
    assert_eq!(proofs(&witness), 0);
    assert_eq!(content(&witness, "left").as_deref(), Some("said on the left"));
    assert_eq!(witness.import_bundle(&right).unwrap().refused, []);
    assert_eq!(proofs(&witness), 1);
    // For a stranger both branches are void, and what was said before them stands.
    assert_eq!((content(&witness, "left"), content(&witness, "right")), (None, None));
    assert_eq!(content(&witness, "before").as_deref(), Some("said before the copy"));
    assert_holds(&witness);
    // The owner learns of it, and says again in a new epoch what was said in both.
    one.import_bundle(&right).unwrap();
    assert_eq!(proofs(&one), 1);
    assert_ne!(one.head().unwrap().log, forked);
    assert_eq!(content(&one, "left").as_deref(), Some("said on the left"));
    assert_eq!(content(&one, "right").as_deref(), Some("said on the right"));
    assert_eq!(content(&one, "before").as_deref(), Some("edited on the left"));
    assert_holds(&one);
    one.export(&left).unwrap();
    two.import_bundle(&left).unwrap();
    assert_eq!(proofs(&two), 1);
    two.export(&right).unwrap();
    one.import_bundle(&right).unwrap();
    witness.import_bundle(&right).unwrap();
    let path = folder.path().join("bundle");
    witness.export(&path).unwrap();
    one.import_bundle(&path).unwrap();
    two.import_bundle(&path).unwrap();
    for store in [&one, &two, &witness] {
        assert_holds(store);
        assert_eq!(store.logical_digest().unwrap(), one.logical_digest().unwrap());
        assert_eq!(content(store, "right").as_deref(), Some("said on the right"));
        assert_eq!(content(store, "before").as_deref(), Some("edited on the left"));
        store.rebuild().unwrap();
        assert_holds(store);
    }
}

#[test]
fn a_bundle_of_another_space_or_version_is_refused_whole() {
    let folder = TempDir::new().unwrap();
    let other = StoreOptions { space: Some("other".to_owned()), ..StoreOptions::default() };
    let other = Store::open(&folder.path().join("other"), other).unwrap();
    let store = open(&folder.path().join("store"));
    let path = folder.path().join("bundle");
    other.export(&path).unwrap();
    assert_eq!(store.import_bundle(&path).unwrap_err().code(), "wrong_space");
    store.export(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[16] = 2;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(store.import_bundle(&path).unwrap_err().code(), "store_too_new");
    fs::write(&path, b"CHRY").unwrap();
    assert_eq!(store.import_bundle(&path).unwrap_err().code(), "invalid");
    fs::write(&path, [0; 100]).unwrap();
    assert_eq!(store.import_bundle(&path).unwrap_err().code(), "invalid");
}

#[test]
fn no_damaged_bundle_does_harm() {
    let folder = TempDir::new().unwrap();
    furnish(&folder.path().join("one"));
    let one = open(&folder.path().join("one"));
    let path = folder.path().join("bundle");
    one.export(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged");
    let two = open(&folder.path().join("two"));
    for step in 0..120_usize {
        let mut bytes = whole.clone();
        let place = step * 7919 % whole.len();
        match step % 3 {
            0 => bytes.truncate(place),
            1 => bytes[place] ^= 1 << (step % 8),
            _ => bytes[place..(place + 4).min(whole.len())].fill(0xff),
        }
        fs::write(&damaged, &bytes).unwrap();
        match two.import_bundle(&damaged) {
            Ok(report) => assert!(!report.refused.is_empty(), "step {step}: {report:?}"),
            Err(error) => {
                assert!(
                    matches!(error.code(), "malformed" | "invalid" | "store_too_new" | "wrong_space" | "too_large"),
                    "step {step}: {error}"
                )
            }
        }
    }
    assert_holds(&two);
    assert_eq!(two.import_bundle(&path).unwrap().refused, []);
    assert_holds(&two);
}

#[test]
fn what_waits_in_a_bundle_is_taken_when_its_ancestors_came() {
    let pair = Pair::new();
    remember(&pair.one, "m", saying("first"));
    pair.exchange();
    pair.two.update("boris", "m", saying("second")).unwrap();
    pair.exchange();
    pair.one.update("anna", "m", saying("third")).unwrap();
    let path = pair.folder.path().join("bundle");
    pair.one.export(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    // The records in reverse order, so that all but the last must wait; the first says which space it is.
    let mut records = Vec::new();
    let mut at = 17;
    while at < bytes.len() {
        let length = u32::from_be_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize;
        records.push(&bytes[at..at + 5 + length]);
        at += 5 + length;
    }
    let last = records.len() - 1;
    records[1..last].reverse();
    let reversed = [&bytes[..17], &records.concat()].concat();
    fs::write(&path, reversed).unwrap();
    let third = open(&pair.folder.path().join("third"));
    let report = third.import_bundle(&path).unwrap();
    let refused: Vec<_> = report.refused.iter().map(|(_, code, _)| *code).collect();
    assert_eq!((report.read, report.added, refused), (5, 5, vec!["malformed"]), "the digest alone is wrong");
    assert_eq!(content(&third, "m").as_deref(), Some("third"));
    assert_holds(&third);
}

#[test]
fn a_memory_that_fades_and_one_that_was_promoted() {
    const NOW: u64 = 1_700_000_000_000;
    let folder = TempDir::new().unwrap();
    let hands = Hands::at(NOW);
    let path = folder.path().join("store");
    let store = Store::open(&path, hands.options()).unwrap();
    for (id, words) in [("fades", "zyzzyva fades"), ("stays", "quagga stays")] {
        let mut edit = saying(words);
        edit.set(Field::Expiry, Value::Integer(NOW as i64 + 1_000));
        remember(&store, id, edit);
    }
    assert_eq!(found(&store, "zyzzyva"), ["fades"]);
    let mut promote = Edit::default();
    promote.set(Field::Expiry, Value::Null);
    store.update("anna", "stays", promote).unwrap();
    hands.set(NOW + 2_000);
    assert_eq!(store.sweep().unwrap(), 2);
    assert_eq!(content(&store, "fades"), None);
    assert_eq!(content(&store, "stays").as_deref(), Some("quagga stays"));
    assert_eq!(found(&store, "quagga"), ["stays"]);
    assert_holds(&store);
    for entry in fs::read_dir(&path).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"zyzzyva"));
    }
    store.close().unwrap();
    tamper(&path, "SELECT 1");
    assert_holds(&Store::open(&path, hands.options()).unwrap());
}
