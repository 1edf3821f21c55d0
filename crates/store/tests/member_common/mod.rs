//! What the tests of membership share: stores of one closed space that exchange bundles.

#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrysalis_core::member::Role;
use chrysalis_core::payload::{Field, Value};
use chrysalis_core::token::Token;
use chrysalis_store::{Edit, Imported, Remember, Store, StoreError, StoreOptions};
use tempfile::TempDir;

/// 2026-01-01 in ms since the Unix epoch.
pub const START_MS: u64 = 1_767_225_600_000;

/// A folder of stores whose clocks the test moves together.
pub struct Ground {
    pub folder: TempDir,
    clock: Arc<AtomicU64>,
}

impl Ground {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), clock: Arc::new(AtomicU64::new(START_MS)) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn set_clock(&self, now_ms: u64) {
        self.clock.store(now_ms, Ordering::SeqCst);
    }

    pub fn options(&self) -> StoreOptions {
        let clock = Arc::clone(&self.clock);
        StoreOptions { clock: Arc::new(move || clock.load(Ordering::SeqCst)), ..StoreOptions::default() }
    }

    pub fn open(&self, name: &str) -> Store {
        Store::open(&self.path(name), self.options()).unwrap()
    }

    pub fn found(&self, name: &str) -> Store {
        let options = StoreOptions { space: Some("team".to_owned()), closed: true, ..self.options() };
        Store::open(&self.path(name), options).unwrap()
    }

    pub fn try_join(&self, name: &str, token: &str) -> Result<Store, StoreError> {
        let invite = Some(Arc::new(Token::decode(token).unwrap()));
        Store::open(&self.path(name), StoreOptions { invite, ..self.options() })
    }

    pub fn join(&self, name: &str, token: &str) -> Store {
        self.try_join(name, token).unwrap()
    }

    /// A new member whom this one invites, and who has all that it has.
    pub fn invited(&self, by: &Store, name: &str, role: Role) -> Store {
        let store = self.join(name, &by.invite(role, None, Vec::new()).unwrap());
        self.carry(by, &store);
        store
    }

    /// Everything that the one has, to the other.
    pub fn carry(&self, from: &Store, to: &Store) -> Imported {
        let path = self.folder.path().join("bundle");
        from.export(&path).unwrap();
        to.import_bundle(&path).unwrap()
    }

    /// Everyone has what everyone has, holds, and reads alike; made again from its log, each reads the same.
    pub fn agree(&self, stores: &[&Store]) {
        for _ in 0..2 {
            for (from, to) in stores.iter().flat_map(|from| stores.iter().map(move |to| (from, to))) {
                if !std::ptr::eq(*from, *to) {
                    self.carry(from, to);
                }
            }
        }
        let digests: Vec<_> = stores.iter().map(|store| store.logical_digest().unwrap()).collect();
        for (place, store) in stores.iter().enumerate() {
            assert_holds(store);
            assert_eq!(digests[place], digests[0], "store {place} reads otherwise than the first");
            store.rebuild().unwrap();
            assert_holds(store);
            assert_eq!(store.logical_digest().unwrap(), digests[0], "store {place} rebuilt reads otherwise");
        }
    }
}

pub fn assert_holds(store: &Store) {
    let verification = store.verify(None, |_, _| {}).unwrap();
    let problems: Vec<String> = verification.problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

pub fn saying(content: &str) -> Edit {
    let mut edit = Edit::default();
    edit.set(Field::Content, Value::Text(content.to_owned()));
    edit
}

pub fn try_remember(store: &Store, id: &str, content: &str) -> Result<(), StoreError> {
    store.remember("anna", Remember { id: Some(id.to_owned()), edit: saying(content) }).map(drop)
}

pub fn remember(store: &Store, id: &str, content: &str) {
    try_remember(store, id, content).unwrap();
}

pub fn content(store: &Store, id: &str) -> Option<String> {
    store.get(id).unwrap().map(|row| row.content)
}

pub fn code<T>(done: Result<T, StoreError>) -> &'static str {
    match done {
        Ok(_) => "done",
        Err(error) => error.code(),
    }
}

/// A copy of the folder of a closed store, as a restored backup or a cloned machine has it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
