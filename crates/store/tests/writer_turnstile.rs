//! The turnstile makes processes take turns, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic)]

mod writer_common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use writer_common::{add, impatient, names, open, options};

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    (folder, path)
}

fn turnstile(path: &Path) -> PathBuf {
    path.with_extension("db-turn")
}

#[test]
fn somebody_who_stays_in_the_turnstile_stops_nobody() {
    let (_folder, path) = folder();
    let writer = open(&path, &impatient(100)).unwrap();
    let stopped = File::open(turnstile(&path)).unwrap();
    stopped.lock().unwrap();
    for name in ["one", "two"] {
        writer.run(move |connection, count| add(connection, count, name)).unwrap();
    }
    stopped.unlock().unwrap();
    writer.run(|connection, count| add(connection, count, "zero")).unwrap();
    assert_eq!(names(&path), ["one", "two", "zero"]);
}

#[test]
fn without_a_turnstile_the_store_works() {
    let (_folder, path) = folder();
    fs::create_dir(turnstile(&path)).unwrap();
    let writer = open(&path, &options()).unwrap();
    writer.run(|connection, count| add(connection, count, "one")).unwrap();
    assert_eq!(names(&path), ["one"]);
}

#[test]
fn the_turnstile_is_free_while_a_batch_is_open() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    writer.begin_batch().unwrap();
    let other = File::open(turnstile(&path)).unwrap();
    other.try_lock().unwrap();
    other.unlock().unwrap();
    writer.commit_batch().unwrap();
    assert_eq!(fs::metadata(turnstile(&path)).unwrap().len(), 0);
}
