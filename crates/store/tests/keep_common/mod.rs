//! What the tests of keeping share: small stores, copies of them, and raw SQL behind their back.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrysalis_core::payload::{Collection, Field, Value};
use chrysalis_store::{Edit, Problem, Query, Remember, Store, StoreOptions, Verification};
use rusqlite::Connection;

pub fn open(path: &Path) -> Store {
    Store::open(path, StoreOptions::default()).unwrap()
}

/// A clock that the test moves.
#[derive(Clone)]
pub struct Hands(Arc<AtomicU64>);

impl Hands {
    pub fn at(now_ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(now_ms)))
    }

    pub fn set(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }

    pub fn options(&self) -> StoreOptions {
        let hands = Arc::clone(&self.0);
        StoreOptions { clock: Arc::new(move || hands.load(Ordering::SeqCst)), ..StoreOptions::default() }
    }
}

pub fn saying(content: &str) -> Edit {
    let mut edit = Edit::default();
    edit.set(Field::Content, Value::Text(content.to_owned()));
    edit
}

pub fn tagged(content: &str, tags: &[&str]) -> Edit {
    let mut edit = saying(content);
    edit.add_tags.extend(tags.iter().map(|tag| (*tag).to_owned()));
    edit
}

pub fn remember(store: &Store, id: &str, edit: Edit) {
    store.remember("anna", Remember { id: Some(id.to_owned()), edit }).unwrap();
}

/// A store with one of each: edits, tags, links, a long history, uses, something forgotten, something withdrawn,
/// something that fades, and two epochs.
pub fn furnish(path: &Path) {
    let store = open(path);
    for number in 0..20 {
        remember(&store, &format!("m{number}"), tagged(&format!("memory number {number}"), &["all", "first"]));
    }
    let mut edit = Edit::default();
    edit.grow.insert(Collection::Parents, ["m1".to_owned()].into());
    edit.grow.insert(Collection::Related, ["m2".to_owned(), "elsewhere".to_owned()].into());
    edit.remove_tags.insert("first".to_owned());
    edit.metadata.insert("colour".to_owned(), Some("\"blue\"".to_owned()));
    store.update("boris", "m3", edit).unwrap();
    for turn in 0..20 {
        store.update("boris", "m4", saying(&format!("version {turn}"))).unwrap();
    }
    remember(&store, "secret", saying("the code is 7734"));
    store.forget("secret", "asked for", true).unwrap();
    remember(&store, "gone", saying("nobody needs this"));
    store.forget("gone", "", false).unwrap();
    let mut fading = saying("until the next decade");
    fading.set(Field::Expiry, Value::Integer(4_000_000_000_000));
    remember(&store, "fading", fading);
    store.count_uses(["m1", "m1", "m5"].into_iter());
    store.flush_uses().unwrap();
    store.close().unwrap();
    // A file that does not know its place belongs to a copy: it goes on in a new epoch.
    tamper(path, "DELETE FROM meta WHERE key = 'binding'");
    let store = open(path);
    remember(&store, "m6", saying("said in a second life"));
    store.count_uses(["m1"].into_iter());
    store.close().unwrap();
}

/// Runs SQL on the closed database, past everything that this library would check.
pub fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path.join("chrysalis.db")).unwrap();
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

pub fn copy(from: &Path, to: &Path) -> PathBuf {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    to.to_owned()
}

pub fn verify(store: &Store) -> Verification {
    store.verify(None, |_, _| {}).unwrap()
}

pub fn codes(verification: &Verification) -> Vec<&'static str> {
    let mut codes: Vec<_> = verification.problems.iter().map(|problem: &Problem| problem.code).collect();
    codes.dedup();
    codes
}

pub fn assert_holds(store: &Store) {
    let verification = verify(store);
    let problems: Vec<String> = verification.problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// The ids that a recall gives.
pub fn found(store: &Store, text: &str) -> Vec<String> {
    let query = Query { text: text.to_owned(), k: 50, ..Default::default() };
    store.recall(&query).unwrap().hits.into_iter().map(|hit| hit.row.id).collect()
}
