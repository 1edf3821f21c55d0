//! A memory's life in a store: remembered, reopened, recalled, changed, forgotten.

#![allow(clippy::unwrap_used)]

use chrysalis_core::payload::{Field, Value};
use chrysalis_store::search::filter::Filter;
use chrysalis_store::{Edit, Query, Remember, Store, StoreOptions};

fn saying(content: &str) -> Edit {
    let mut edit = Edit::default();
    edit.set(Field::Content, Value::Text(content.to_owned()));
    edit
}

fn query(text: &str) -> Query {
    Query { text: text.to_owned(), k: 10, ..Query::default() }
}

fn open(folder: &tempfile::TempDir) -> Store {
    Store::open(&folder.path().join("store"), StoreOptions::default()).unwrap()
}

#[test]
fn a_memory_outlives_the_process_and_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut edit = saying("The harbour crane is serviced on Thursdays");
    edit.add_tags.insert("harbour".to_owned());
    let written = store.remember("anna", Remember { id: None, edit }).unwrap();
    store.close().unwrap();
    let store = open(&folder);
    let read = store.get(&written.id).unwrap().unwrap();
    assert_eq!(read, written);
    assert_eq!((read.lamport, read.version, read.agent.as_str()), (2, 1, "anna"));
    let answer = store.recall(&query("when is the crane serviced?")).unwrap();
    assert_eq!(answer.hits.len(), 1);
    assert_eq!(answer.hits[0].row.id, written.id);
    assert!(store.recall(&query("zeppelin")).unwrap().hits.is_empty());
}

#[test]
fn an_update_replaces_and_a_rebuild_gives_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let first = store.remember("anna", Remember { id: Some("m".into()), edit: saying("blue door") }).unwrap();
    for turn in 0..40 {
        let mut edit = saying(&format!("green door {turn}"));
        edit.add_tags.insert(format!("t{turn}"));
        edit.remove_tags.insert(format!("t{}", turn - 1));
        store.update("boris", "m", edit).unwrap();
    }
    let row = store.get("m").unwrap().unwrap();
    assert_eq!((row.version, row.created_at, row.content.as_str()), (41, first.created_at, "green door 39"));
    assert_eq!(chrysalis_store::row::unpack(row.tags.as_deref()).unwrap(), ["t39"]);
    store.rebuild().unwrap();
    let again = store.get("m").unwrap().unwrap();
    assert_eq!(chrysalis_store::MemoryRow { changed: row.changed, ..again }, row);
    assert!(store.recall(&query("blue")).unwrap().hits.is_empty());
    assert_eq!(store.recall(&query("green")).unwrap().hits.len(), 1);
    assert_eq!(store.history("m").unwrap().len(), 41);
}

#[test]
fn saying_the_same_twice_writes_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let say = || store.remember("anna", Remember { id: Some("m".into()), edit: saying("same words") }).unwrap();
    assert_eq!(say(), say());
    assert_eq!(store.history("m").unwrap().len(), 1);
}

#[test]
fn what_was_forgotten_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.remember("anna", Remember { id: Some("m".into()), edit: saying("the code is 7734") }).unwrap();
    let forgotten = store.forget("m", "a secret", true).unwrap();
    assert_eq!(forgotten.operations, 1);
    assert!(store.get("m").unwrap().is_none());
    let again = store.remember("anna", Remember { id: Some("m".into()), edit: saying("other") });
    assert_eq!(again.unwrap_err().code(), "not_allowed");
    let elsewhere = store.remember("anna", Remember { id: None, edit: saying("the code is 7734") });
    assert_eq!(elsewhere.unwrap_err().code(), "not_allowed");
    assert_eq!(store.update("anna", "m", saying("x")).unwrap_err().code(), "not_found");
    store.rebuild().unwrap();
    assert!(store.get("m").unwrap().is_none());
}

#[test]
fn a_copied_store_opens_a_new_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.remember("anna", Remember { id: Some("m".into()), edit: saying("first") }).unwrap();
    let log = store.head().unwrap().log;
    store.close().unwrap();
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in ["chrysalis.db", "key"] {
        std::fs::copy(folder.path().join("store").join(file), copy.join(file)).unwrap();
    }
    let copied = Store::open(&copy, StoreOptions::default()).unwrap();
    assert_ne!(copied.head().unwrap().log, log);
    assert_eq!(copied.get("m").unwrap().unwrap().content, "first");
    let again = open(&folder);
    assert_eq!(again.head().unwrap().log, log);
}

#[test]
fn recall_as_of_an_earlier_time_reads_what_was_known_then() {
    let folder = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(1_000));
    let time = std::sync::Arc::clone(&clock);
    let now = std::sync::Arc::new(move || time.load(std::sync::atomic::Ordering::SeqCst));
    let options = StoreOptions { clock: now, ..StoreOptions::default() };
    let store = Store::open(&folder.path().join("store"), options).unwrap();
    store.remember("anna", Remember { id: Some("gate".into()), edit: saying("the gate opens at seven") }).unwrap();
    store.remember("anna", Remember { id: Some("still".into()), edit: saying("the gate is green") }).unwrap();
    clock.store(2_000, std::sync::atomic::Ordering::SeqCst);
    let mut edit = saying("the gate opens at eight");
    edit.add_tags.insert("hours".to_owned());
    store.update("boris", "gate", edit).unwrap();
    store.remember("boris", Remember { id: Some("later".into()), edit: saying("another gate") }).unwrap();
    let contents = |as_of, filter: Filter| {
        let answer = store.recall(&Query { as_of, filter, ..query("gate seven") }).unwrap();
        answer.hits.into_iter().map(|hit| hit.row.content).collect::<Vec<_>>()
    };
    assert_eq!(contents(Some(1_500), Filter::default()), ["the gate opens at seven", "the gate is green"]);
    assert_eq!(contents(None, Filter::default()).len(), 3);
    let tagged = Filter { tags: vec!["hours".to_owned()], ..Filter::default() };
    assert_eq!(contents(Some(1_500), tagged.clone()), [] as [&str; 0]);
    assert_eq!(contents(Some(2_500), tagged), ["the gate opens at eight"]);
}

#[test]
fn an_author_may_say_the_same_score_that_another_gave() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let (one, other) =
        (Store::open(&one, StoreOptions::default()).unwrap(), Store::open(&other, StoreOptions::default()).unwrap());
    let rated = |value| {
        let mut edit = Edit::default();
        edit.scores.insert(chrysalis_core::payload::Score::Importance, value);
        edit
    };
    let mut edit = rated(60_000);
    edit.set(Field::Content, Value::Text("rated".to_owned()));
    one.remember("anna", Remember { id: Some("m".into()), edit }).unwrap();
    let bundle = folder.path().join("bundle");
    one.export(&bundle).unwrap();
    other.import_bundle(&bundle).unwrap();
    other.update("boris", "m", rated(60_000)).unwrap();
    assert_eq!(other.history("m").unwrap().len(), 2);
    other.update("boris", "m", rated(60_000)).unwrap();
    assert_eq!(other.history("m").unwrap().len(), 2);
}

#[test]
fn concurrent_values_of_a_metadata_key_stay_visible() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let (one, other) =
        (Store::open(&one, StoreOptions::default()).unwrap(), Store::open(&other, StoreOptions::default()).unwrap());
    let bundle = folder.path().join("bundle");
    let paged = |page: &str| {
        let mut edit = Edit::default();
        edit.metadata.insert("page".to_owned(), Some(page.to_owned()));
        edit
    };
    one.remember("anna", Remember { id: Some("m".into()), edit: saying("a page") }).unwrap();
    one.export(&bundle).unwrap();
    other.import_bundle(&bundle).unwrap();
    one.update("anna", "m", paged("1")).unwrap();
    other.update("boris", "m", paged("2")).unwrap();
    other.export(&bundle).unwrap();
    one.import_bundle(&bundle).unwrap();
    assert_eq!(one.get("m").unwrap().unwrap().conflict_names(), ["metadata"]);
    let document = one.document("m").unwrap();
    let read: Vec<_> = document.metadata().collect();
    let losers = document.metadata_conflicts();
    assert_eq!((losers.len(), losers[0].0), (1, "page"));
    assert_ne!(Some(read[0].1), losers[0].2);
}

#[test]
fn with_one_clock_and_one_seed_two_stores_write_the_same_operations() {
    let write = || {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), [7; 32]).unwrap();
        let drawn = std::sync::Mutex::new(0_u8);
        let randomness = std::sync::Arc::new(move |bytes: &mut [u8]| {
            let mut drawn = drawn.lock().unwrap();
            *drawn += 1;
            bytes.fill(*drawn);
            Ok(())
        });
        let clock = std::sync::Arc::new(|| 1_767_225_600_000);
        let store = Store::open(folder.path(), StoreOptions { clock, randomness, ..StoreOptions::default() }).unwrap();
        let mut edit = Edit::default();
        edit.set(Field::Content, Value::Text("said".to_owned()));
        store.remember("anna", Remember { id: Some("one".to_owned()), edit }).unwrap();
        store.head().unwrap()
    };
    assert_eq!(write(), write());
}
