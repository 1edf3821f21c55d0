//! Prints what vectors cost at scale: how many of the exact ten nearest are found, how long a search takes, how long
//! the file of cells takes to write and what it weighs.
//!
//! `cargo run --release -p chrysalis-store --example vector_scale -- 100000`
//!
//! The vectors have the structure of real embeddings: mixtures of topics in 64 dimensions that matter less and less,
//! turned into 384, with noise. On plain noise every index fails, and no embedder gives noise.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chrysalis_core::id::content_digest;
use chrysalis_store::search::cells::build::{self, Outcome, Watch};
use chrysalis_store::search::matrix::Matrix;
use chrysalis_store::search::vector::{self, NewVector};
use chrysalis_store::search::{Number, StoreMark};
use rusqlite::{Connection, params};

const DIMENSIONS: usize = 384;
const LATENT: usize = 64;
const TOPICS: usize = 400;
const QUERIES: usize = 200;
const K: usize = 10;
const MODEL: &str = "scale";

fn main() {
    let memories: usize = std::env::args().nth(1).and_then(|given| given.parse().ok()).unwrap_or(20_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.db");
    let world = World::new();
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|at| world.vector(1 << 40 | at as u64)).collect();
    let mut truth = Truth::new(&queries);
    let mut vectors = vector::open(&path, StoreMark([1; 16]), None).unwrap();
    let filled = fill(folder.path(), &mut vectors, &world, memories, &mut truth);
    println!("{memories} memories put in {filled:.1?}, vectors.db {} MB", megabytes(&path));
    println!("two-nearest-neighbours dimension {:.1}", truth.dimension());

    let exact = Matrix::new(MODEL);
    let loaded = timed(|| assert!(exact.catch_up(&mut vectors).unwrap()));
    println!("all in memory: loaded in {loaded:.1?}, {} MB private", private_megabytes());
    report("exact in 8 bits", &exact, &queries, &truth);
    drop(exact);

    let built = timed(|| assert_eq!(build::build(&path, MODEL, 1_000, &Watch::default()).unwrap(), Outcome::Built));
    let cells = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let cells: Vec<_> = cells.filter(|path| path.extension().is_some_and(|ending| ending == "cells")).collect();
    println!("file of cells written in {built:.1?}, {} MB, {} MB private", megabytes(&cells[0]), private_megabytes());
    let matrix = Matrix::new(MODEL);
    let opened = timed(|| assert!(matrix.catch_up(&mut vectors).unwrap()));
    println!("opened in {opened:.1?}");
    let first = timed(|| drop(matrix.search(&queries[0], None, K).unwrap()));
    println!("first search {first:.1?}");
    // Each cell is checked when it is read for the first time.
    report("cells, new to the process", &matrix, &queries, &truth);
    report("cells", &matrix, &queries, &truth);
    report_selections(&matrix, &queries, memories);
    println!("{} MB private", private_megabytes());
}

fn report(what: &str, matrix: &Matrix, queries: &[Vec<f32>], truth: &Truth) {
    let mut found = 0;
    let mut times = Vec::new();
    for (query, nearest) in queries.iter().zip(&truth.nearest) {
        let begun = Instant::now();
        let hits = matrix.search(query, None, K).unwrap();
        times.push(begun.elapsed());
        found += hits.iter().filter(|hit| nearest.iter().any(|(_, number)| *number == hit.number)).count();
    }
    let recall = found as f64 / (K * queries.len()) as f64;
    println!("{what}: recall@{K} {recall:.4}, {}", percentiles(times));
}

/// Searches among every second, tenth, hundredth and thousandth memory, and cosines of a hundred memories.
fn report_selections(matrix: &Matrix, queries: &[Vec<f32>], memories: usize) {
    for step in [2, 10, 100, 1_000] {
        let allowed: Vec<Number> = (1..=memories as Number).step_by(step).collect();
        let times = queries.iter().take(50).map(|query| {
            timed(|| assert_eq!(matrix.search(query, Some(&allowed), K).unwrap().len(), K.min(allowed.len())))
        });
        println!("among one in {step}: {}", percentiles(times.collect()));
    }
    let some: Vec<Number> = (1..=memories as Number).step_by(memories / 100).collect();
    let times = queries.iter().map(|query| timed(|| drop(matrix.cosines(query, &some).unwrap())));
    println!("cosines of {}: {}", some.len(), percentiles(times.collect()));
}

fn timed(job: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    job();
    begun.elapsed()
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    format!("p50 {:.3?}, p99 {:.3?}", times[times.len() / 2], times[times.len() * 99 / 100])
}

fn megabytes(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len() / 1_000_000
}

/// Memory that is this process's own; 0 where the system does not tell.
fn private_megabytes() -> u64 {
    let smaps = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let private = smaps.lines().filter(|line| line.starts_with("Private_"));
    private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>() / 1_000
}

/// Puts a vector for each memory, and compares each with every query on the way.
fn fill(folder: &Path, vectors: &mut Connection, world: &World, memories: usize, truth: &mut Truth) -> Duration {
    let ground = Connection::open(folder.join("ground.db")).unwrap();
    let tables = "PRAGMA synchronous = OFF; CREATE TABLE memory(number INTEGER PRIMARY KEY, content TEXT);";
    ground.execute_batch(tables).unwrap();
    let mut spent = Duration::ZERO;
    for first in (1..=memories as Number).step_by(1_000) {
        let numbers = first..(first + 1_000).min(memories as Number + 1);
        ground.execute_batch("BEGIN").unwrap();
        let mut new = Vec::new();
        for number in numbers {
            let content = number.to_string();
            let sql = "INSERT INTO memory VALUES(?1, ?2)";
            ground.prepare_cached(sql).unwrap().execute(params![number, content]).unwrap();
            let values = world.vector(number as u64);
            truth.compare(number, &values);
            new.push(NewVector { number, digest: content_digest(&content), passages: vec![values] });
        }
        ground.execute_batch("COMMIT").unwrap();
        spent += timed(|| assert_eq!(vector::put(&ground, vectors, MODEL, &new).unwrap(), new.len()));
    }
    spent
}

/// The exact nearest memories of each query, in 32 bits.
struct Truth<'a> {
    queries: &'a [Vec<f32>],
    nearest: Vec<Vec<(f32, Number)>>,
}

impl<'a> Truth<'a> {
    fn new(queries: &'a [Vec<f32>]) -> Self {
        Self { queries, nearest: vec![vec![(f32::MIN, 0); K]; queries.len()] }
    }

    fn compare(&mut self, number: Number, values: &[f32]) {
        for (query, nearest) in self.queries.iter().zip(&mut self.nearest) {
            let cosine = dot(query, values);
            if cosine > nearest[K - 1].0 {
                let at = nearest.partition_point(|(known, _)| *known > cosine);
                nearest.insert(at, (cosine, number));
                nearest.pop();
            }
        }
    }

    /// Facco and others 2017: from the distances to the two nearest of each.
    fn dimension(&self) -> f64 {
        let distance = |cosine: f32| f64::from((2.0 - 2.0 * cosine).max(1e-12)).sqrt();
        let logs = self.nearest.iter().map(|nearest| (distance(nearest[1].0) / distance(nearest[0].0)).ln());
        self.nearest.len() as f64 / logs.sum::<f64>()
    }
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for (one, other) in one.as_chunks::<16>().0.iter().zip(other.as_chunks::<16>().0) {
        for lane in 0..16 {
            sums[lane] += one[lane] * other[lane];
        }
    }
    sums.iter().sum()
}

struct World {
    topics: Vec<[f32; LATENT]>,
    turn: Vec<[f32; DIMENSIONS]>,
}

impl World {
    fn new() -> Self {
        let mut dice = Dice::new(7);
        let topics = (0..TOPICS).map(|_| std::array::from_fn(|_| dice.bell())).collect();
        let turn = (0..LATENT).map(|_| std::array::from_fn(|_| dice.bell() / (DIMENSIONS as f32).sqrt())).collect();
        Self { topics, turn }
    }

    /// The vector of this number, of length one, the same each time.
    fn vector(&self, number: u64) -> Vec<f32> {
        let mut dice = Dice::new(number);
        let topics: [_; 3] = std::array::from_fn(|_| &self.topics[(dice.unit() * TOPICS as f32) as usize % TOPICS]);
        let weights: [f32; 3] = std::array::from_fn(|_| dice.unit());
        let mut values = vec![0.0; DIMENSIONS];
        for (at, row) in self.turn.iter().enumerate() {
            let mixed: f32 = topics.iter().zip(weights).map(|(topic, weight)| topic[at] * weight).sum();
            let latent = (mixed + 0.5 * dice.bell()) / (1.0 + 0.1 * at as f32);
            values.iter_mut().zip(row).for_each(|(value, turned)| *value += latent * turned);
        }
        values.iter_mut().for_each(|value| *value += 0.01 * dice.bell());
        let length = dot(&values, &values).sqrt();
        values.iter_mut().for_each(|value| *value /= length);
        values
    }
}

struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..4).for_each(|_| assert!(dice.unit() < 1.0));
        dice
    }

    fn unit(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 40) as f32 + 0.5) / (1_u64 << 24) as f32
    }

    fn bell(&mut self) -> f32 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f32::consts::TAU * self.unit()).cos()
    }
}
