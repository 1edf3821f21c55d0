//! Prints how fast a store reads its log for a peer, and how fast another takes it in: operations received in sealed
//! segments, verified and stored with their views, beside the same rows put into the same tables by SQLite alone.
//!
//! `cargo run --release -p chrysalis-store --example sync_speed -- 100000`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;
use std::time::{Duration, Instant};

use chrysalis_core::payload::{Field, Value};
use chrysalis_core::sync::replica::{Intake, Offer, Outcome, Replica as _, Segment};
use chrysalis_store::{Edit, Remember, Speaker, Store, StoreOptions, schema};
use rusqlite::{Connection, params_from_iter, types::Value as SqlValue};

/// Operations in one transaction.
const BATCH: usize = 1_000;

/// What one answer of a peer carries.
const ANSWER_BYTES: usize = 1 << 20;

fn main() {
    let memories: usize = std::env::args().nth(1).and_then(|given| given.parse().ok()).unwrap_or(20_000);
    let folder = tempfile::tempdir().unwrap();
    let source = Store::open(&folder.path().join("source"), StoreOptions::default()).unwrap();
    fill(&source, memories);
    let (segments, reading) = read(&source);
    let count = segments.iter().map(Vec::len).sum::<usize>();
    let sizes = segments.iter().flatten().map(|operation| operation.encode().len());
    println!("{count} operations of {} bytes on average, {} segments", sizes.sum::<usize>() / count, segments.len());
    println!("read for a peer: {}", rate(count, reading));
    let path = folder.path().join("taker");
    let taker = Store::open(&path, StoreOptions::default()).unwrap();
    let taking = take(&source, &taker, segments);
    println!("taken in: {}", rate(count, taking));
    taker.close().unwrap();
    let raw = insert(&path.join("chrysalis.db"), &folder.path().join("raw.db"));
    println!(
        "the same rows by SQLite alone: {}; ratio {:.2}",
        rate(count, raw),
        taking.as_secs_f64() / raw.as_secs_f64()
    );
}

fn rate(count: usize, took: Duration) -> String {
    format!("{:.0} operations a second ({took:.2?})", count as f64 / took.as_secs_f64())
}

fn fill(store: &Store, memories: usize) {
    let wanted = |number: usize| {
        let mut edit = Edit::default();
        let words =
            format!("The crane of berth {number} was serviced by Ines, who found its cable worn and ordered another");
        edit.set(Field::Content, Value::Text(words));
        edit.add_tags.insert(format!("berth {}", number % 50));
        Remember { id: None, edit }
    };
    for start in (0..memories).step_by(BATCH) {
        store.remember_many("agent", (start..memories.min(start + BATCH)).map(wanted).collect()).unwrap();
    }
}

fn read(store: &Store) -> (Vec<Segment>, Duration) {
    let began = Instant::now();
    let (mut all, mut position) = (Vec::new(), 0);
    loop {
        let (segments, reached) = Speaker(store).read_after(position, ANSWER_BYTES).unwrap();
        if segments.is_empty() {
            return (all, began.elapsed());
        }
        position = reached;
        all.extend(segments);
    }
}

fn take(source: &Store, taker: &Store, segments: Vec<Segment>) -> Duration {
    let from = source.replica();
    let mut waiting = segments.into_iter().map(|segment| (from, Offer::Segment(segment)));
    let began = Instant::now();
    loop {
        let offers: Vec<_> = waiting.by_ref().take(BATCH / 64 + 1).collect();
        if offers.is_empty() {
            return began.elapsed();
        }
        let outcomes = Speaker(taker).take(Intake { offers, ..Intake::default() }).unwrap();
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored(1..))));
    }
}

/// Puts the rows of operations, memories and tags into a file with the same tables, one statement a row.
fn insert(taken: &Path, raw: &Path) -> Duration {
    let from = Connection::open(taken).unwrap();
    let to = Connection::open(raw).unwrap();
    to.execute_batch("PRAGMA journal_mode = wal; PRAGMA synchronous = full").unwrap();
    schema::bring_up(&to, 0).unwrap();
    let tables = ["operation", "memory", "tag"].map(|table| (table, rows(&from, table)));
    let longest = tables.iter().map(|(_, rows)| rows.len()).max().unwrap();
    let began = Instant::now();
    for start in (0..longest).step_by(BATCH) {
        to.execute_batch("BEGIN IMMEDIATE").unwrap();
        for (table, rows) in &tables {
            let places = vec!["?"; rows[0].len()].join(", ");
            let mut insert = to.prepare_cached(&format!("INSERT INTO {table} VALUES({places})")).unwrap();
            for row in rows.iter().skip(start).take(BATCH) {
                insert.execute(params_from_iter(row)).unwrap();
            }
        }
        to.execute_batch("COMMIT").unwrap();
    }
    began.elapsed()
}

fn rows(from: &Connection, table: &str) -> Vec<Vec<SqlValue>> {
    let mut statement = from.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
    let columns = statement.column_count();
    let read = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
    read.map(Result::unwrap).collect()
}
