//! Prints what encryption costs: remembering one by one, recalling by words, and opening, each beside a plain store.
//!
//! `cargo run --release -p chrysalis-store --features encryption --example encryption_speed [FOLDER]`. Both kinds take
//! turns, round by round; the ratio is the median over the rounds.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrysalis_core::payload::{Field, Value};
use chrysalis_store::{Edit, Passphrase, Query, Remember, Store, StoreOptions};

const ROUNDS: usize = 9;
const WRITES: usize = 200;
const RECALLS: usize = 100;
const MEMORIES: usize = 5_000;

/// Words that follow a law like that of real texts: few of them often, most of them seldom.
fn words(seed: usize, count: usize) -> String {
    let mut state = seed as u64 * 0x9e37_79b9_7f4a_7c15 + 1;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (state >> 40) as f64 / (1u64 << 24) as f64;
        format!("word{}", (3_000_f64.powf(share)) as usize)
    };
    (0..count).map(|_| word()).collect::<Vec<_>>().join(" ")
}

fn options(encrypted: bool) -> StoreOptions {
    let passphrase = encrypted.then(|| Passphrase::new("measured").unwrap());
    StoreOptions { passphrase, ..StoreOptions::default() }
}

fn remember(content: String) -> Remember {
    let mut edit = Edit::default();
    edit.set(Field::Content, Value::Text(content));
    Remember { id: None, edit }
}

fn filled(path: &Path, encrypted: bool) -> Store {
    let store = Store::open(path, options(encrypted)).unwrap();
    for chunk in 0..MEMORIES / 500 {
        let all = (0..500).map(|at| remember(words(chunk * 500 + at, 40))).collect();
        store.remember_many("bench", all).unwrap();
    }
    store.catch_up_text().unwrap();
    store
}

fn timed(job: impl FnOnce()) -> Duration {
    let began = Instant::now();
    job();
    began.elapsed()
}

fn write(store: &Store, round: usize) -> Duration {
    timed(|| (0..WRITES).for_each(|at| drop(store.remember("bench", remember(words(round * 1_000 + at, 40))).unwrap())))
}

fn recall(store: &Store, round: usize) -> Duration {
    store.catch_up_text().unwrap();
    timed(|| {
        for at in 0..RECALLS {
            let query = Query { text: words(round * 77 + at, 8), k: 10, ..Query::default() };
            drop(store.recall(&query).unwrap());
        }
    })
}

/// What it takes to open a store that lies there, and to read one memory.
fn open(path: &Path, encrypted: bool) -> Duration {
    timed(|| {
        let store = Store::open(path, options(encrypted)).unwrap();
        drop(store.get("none").unwrap());
        store.close().unwrap();
    })
}

fn tell(name: &str, each: usize, mut rounds: Vec<[Duration; 2]>) {
    let ratio = |pair: &[Duration; 2]| pair[1].as_secs_f64() / pair[0].as_secs_f64();
    rounds.sort_by(|one, other| ratio(one).total_cmp(&ratio(other)));
    let [plain, encrypted] = rounds[rounds.len() / 2].map(|time| time.as_secs_f64() * 1e3 / each as f64);
    println!("{name}: {plain:.3} ms plain, {encrypted:.3} ms encrypted, ratio {:.2}", encrypted / plain);
}

fn main() {
    let given = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(given).unwrap();
    let paths = [folder.path().join("plain"), folder.path().join("encrypted")];
    let stores = [filled(&paths[0], false), filled(&paths[1], true)];
    let (mut writes, mut recalls, mut opens) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        writes.push([0, 1].map(|kind| write(&stores[kind], round)));
        recalls.push([0, 1].map(|kind| recall(&stores[kind], round)));
    }
    stores.iter().for_each(|store| store.close().unwrap());
    for _ in 0..ROUNDS {
        opens.push([0, 1].map(|kind| open(&paths[kind], kind == 1)));
    }
    tell("remember one by one", WRITES, writes);
    tell("recall by words", RECALLS, recalls);
    tell("open", 1, opens);
}
