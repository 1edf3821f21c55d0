//! A store writes the cells of many vectors by itself, beside its work, and forgets in them too.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use chrysalis_store::{Remember, Store};
use keep_common::{open, saying};
use tempfile::TempDir;

const MEMORIES: usize = 700;
const PASSAGES: usize = 32;
const DIMENSIONS: usize = 24;
const TIME_MAX: Duration = Duration::from_secs(60);

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < TIME_MAX, "{what}");
        thread::yield_now();
    }
}

/// A direction that no other passage has.
fn direction(number: i64, passage: usize) -> Vec<f32> {
    let seed = number as f32 * 0.37 + passage as f32 * 0.011;
    (0..DIMENSIONS).map(|at| ((at as f32 + 1.3) * seed).sin()).collect()
}

/// The files that hold the vector, in the bytes in which it is kept.
fn files_with(folder: &Path, number: i64, passage: usize) -> Vec<PathBuf> {
    let values = direction(number, passage);
    let greatest = values.iter().fold(0.0_f32, |greatest, value| greatest.max(value.abs()));
    let wanted: Vec<u8> = values.iter().map(|value| (value / greatest * 127.0).round() as i8 as u8).collect();
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| fs::read(path).unwrap().windows(wanted.len()).any(|window| window == wanted)).collect()
}

fn put_all(store: &Store) {
    let made = store.pending_vectors("m", MEMORIES * 2).unwrap().into_iter().map(|one| {
        let passages = (0..PASSAGES).map(|passage| direction(one.number, passage)).collect();
        (one.number, one.digest.as_bytes().to_vec(), passages)
    });
    store.put_vectors("m", made.collect()).unwrap();
}

fn filled() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let wanted = |at| Remember { id: Some(format!("m{at}")), edit: saying(&format!("memory {at}")) };
    store.remember_many("anna", (0..MEMORIES).map(wanted).collect()).unwrap();
    put_all(&store);
    (folder, store)
}

#[test]
fn many_vectors_are_written_to_cells_beside_the_work_and_every_process_uses_them() {
    let (folder, store) = filled();
    assert_eq!(store.vector_index("m").unwrap().vectors, MEMORIES * PASSAGES);
    wait_until("cells are written", || store.vector_index("m").unwrap().in_cells == MEMORIES * PASSAGES);
    let other = open(folder.path());
    assert_eq!(other.vector_index("m").unwrap().in_cells, MEMORIES * PASSAGES);
    assert_eq!(other.vector_index("none").unwrap().vectors, 0);

    // Each of the two forgets, and nothing is left in any file.
    let number = |id: &str| store.get(id).unwrap().unwrap().number;
    let gone = [number("m3"), number("m4")];
    assert!(files_with(folder.path(), gone[0], 31).iter().any(|path| path.extension().unwrap() == "cells"));
    store.forget("m3", "", false).unwrap();
    other.forget("m4", "", false).unwrap();
    for (number, passage) in gone.into_iter().flat_map(|number| [(number, 0), (number, 31)]) {
        assert_eq!(files_with(folder.path(), number, passage), Vec::<PathBuf>::new(), "{number} {passage}");
    }
}

#[test]
fn closing_does_not_wait_for_cells_to_be_written() {
    let (folder, store) = filled();
    store.close().unwrap();
    let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    assert!(!left.into_iter().any(|path| path.to_string_lossy().ends_with(".cells-new")));

    let again = open(folder.path());
    assert_eq!(again.put_vectors("m", Vec::new()).unwrap(), 0);
    wait_until("cells are written", || again.vector_index("m").unwrap().in_cells > 0);
}

#[test]
fn dropping_a_model_removes_its_cells() {
    let (folder, store) = filled();
    wait_until("cells are written", || store.vector_index("m").unwrap().in_cells > 0);
    store.drop_vectors("m").unwrap();
    assert_eq!(store.vector_index("m").unwrap().vectors, 0);
    let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    assert!(!left.into_iter().any(|path| path.to_string_lossy().contains(".cells")));
}

#[test]
fn deleting_the_vectors_by_hand_does_not_keep_forgotten_ones_in_cells() {
    let (folder, store) = filled();
    wait_until("cells are written", || store.vector_index("m").unwrap().in_cells > 0);
    let number = store.get("m3").unwrap().unwrap().number;
    store.close().unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(folder.path().join(format!("vectors.db{suffix}")));
    }
    assert_eq!(files_with(folder.path(), number, 0).len(), 1);
    open(folder.path()).forget("m3", "", false).unwrap();
    assert_eq!(files_with(folder.path(), number, 0), Vec::<PathBuf>::new());
}
