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
    let singles: Vec<Segment> = segments.iter().take(200).cloned().collect();
    let taking = take(&source, &taker, segments, BATCH / 64 + 1);
    println!("taken in: {}", rate(count, taking));
    taker.close().unwrap();
    for (place, way) in WAYS.iter().enumerate() {
        let raw = insert(&path.join("chrysalis.db"), &folder.path().join(format!("raw{place}.db")), way);
        let ratio = |taking: Duration, raw: Duration| taking.as_secs_f64() / raw.as_secs_f64();
        let (wall, worked) = (ratio(taking.wall, raw.wall), ratio(taking.worked, raw.worked));
        println!("{}: {}; ratio {wall:.2}, of work {worked:.2}", way.said, rate(count, raw));
    }
    let path = folder.path().join("live");
    let live = Store::open(&path, StoreOptions::default()).unwrap();
    let singles: Vec<Segment> = singles.into_iter().flatten().map(|operation| vec![operation]).collect();
    let count = singles.len();
    println!("taken in one by one, each by its own signature: {}", rate(count, take(&source, &live, singles, BATCH)));
}

fn rate(count: usize, took: Took) -> String {
    let (wall, worked) = (took.wall, took.worked);
    let each = worked.as_secs_f64() * 1e6 / count as f64;
    format!("{:.0} operations a second ({wall:.2?}; {each:.1} us of work each)", count as f64 / wall.as_secs_f64())
}

/// How long something took by the wall, and by all cores of this process: the second tells more on a busy machine.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    worked: Duration,
}

struct Watch(Instant, Duration);

impl Watch {
    fn start() -> Self {
        Self(Instant::now(), worked())
    }

    fn stop(&self) -> Took {
        Took { wall: self.0.elapsed(), worked: worked().saturating_sub(self.1) }
    }
}

/// Processor time of this process, from Linux's table of processes: hundredths of a second of its own and of the system.
fn worked() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
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

fn read(store: &Store) -> (Vec<Segment>, Took) {
    let began = Watch::start();
    let (mut all, mut position) = (Vec::new(), 0);
    loop {
        let (segments, reached) = Speaker(store).read_after(position, ANSWER_BYTES).unwrap();
        if segments.is_empty() {
            return (all, began.stop());
        }
        position = reached;
        all.extend(segments);
    }
}

fn take(source: &Store, taker: &Store, segments: Vec<Segment>, at_once: usize) -> Took {
    let from = source.replica();
    let mut waiting = segments.into_iter().map(|segment| (from, Offer::Segment(segment)));
    let began = Watch::start();
    loop {
        let offers: Vec<_> = waiting.by_ref().take(at_once).collect();
        if offers.is_empty() {
            return began.stop();
        }
        let outcomes = Speaker(taker).take(Intake { offers, ..Intake::default() }).unwrap();
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored(1..))));
    }
}

/// A way to put rows into SQLite.
struct Way {
    said: &'static str,
    /// Rows of one statement.
    rows: usize,
    /// Whether the tables keep the indexes that are not needed for unique ids.
    indexed: bool,
}

/// What can be gained: by fewer statements, and by fewer trees.
const WAYS: [Way; 4] = [
    Way { said: "the same rows by SQLite alone", rows: 1, indexed: true },
    Way { said: "the same, 16 rows to a statement", rows: 16, indexed: true },
    Way { said: "the same without indexes", rows: 1, indexed: false },
    Way { said: "the same without indexes, 16 rows to a statement", rows: 16, indexed: false },
];

/// Puts the rows of operations, memories and tags into a file with the same tables.
fn insert(taken: &Path, raw: &Path, way: &Way) -> Took {
    let from = Connection::open(taken).unwrap();
    let to = Connection::open(raw).unwrap();
    to.execute_batch("PRAGMA journal_mode = wal; PRAGMA synchronous = full").unwrap();
    schema::bring_up(&to, 0).unwrap();
    if !way.indexed {
        drop_indexes(&to);
    }
    let tables = ["operation", "memory", "tag"].map(|table| (table, rows(&from, table)));
    let longest = tables.iter().map(|(_, rows)| rows.len()).max().unwrap();
    let began = Watch::start();
    for start in (0..longest).step_by(BATCH) {
        to.execute_batch("BEGIN IMMEDIATE").unwrap();
        for (table, rows) in &tables {
            let batch = &rows[start.min(rows.len())..(start + BATCH).min(rows.len())];
            let (some, rest) = batch.split_at(batch.len() - batch.len() % way.rows);
            put(&to, table, some, way.rows);
            put(&to, table, rest, 1);
        }
        to.execute_batch("COMMIT").unwrap();
    }
    began.stop()
}

fn put(to: &Connection, table: &str, rows: &[Vec<SqlValue>], at_once: usize) {
    let Some(first) = rows.first() else { return };
    let row = format!("({})", vec!["?"; first.len()].join(", "));
    let sql = format!("INSERT OR FAIL INTO {table} VALUES {}", vec![row; at_once].join(", "));
    let mut insert = to.prepare_cached(&sql).unwrap();
    for some in rows.chunks(at_once) {
        insert.execute(params_from_iter(some.iter().flatten())).unwrap();
    }
}

fn drop_indexes(to: &Connection) {
    let sql = "SELECT 'DROP INDEX ' || name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL";
    let mut statement = to.prepare(sql).unwrap();
    let drops: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    drops.iter().for_each(|drop| to.execute_batch(drop).unwrap());
}

fn rows(from: &Connection, table: &str) -> Vec<Vec<SqlValue>> {
    let mut statement = from.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
    let columns = statement.column_count();
    let read = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
    read.map(Result::unwrap).collect()
}
