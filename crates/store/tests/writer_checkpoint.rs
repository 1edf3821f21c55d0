//! Checkpoints: off the path of writes, bounded, and thorough when asked for.

#![allow(clippy::unwrap_used, clippy::panic)]

mod writer_common;

use std::fs;
use std::path::Path;

use chrysalis_store::{Readers, Writer};
use tempfile::TempDir;
use writer_common::{Count, FORMAT, add, impatient, names, open, options, rows, wait_until};

/// More than what makes a checkpoint due.
const ROUND_PAGES: usize = 1_200;

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    (folder, path)
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn add_pages(writer: &Writer<Count>, pages: usize) {
    let name = "x".repeat(4000);
    for _ in 0..pages {
        let name = name.clone();
        writer.run(move |connection, count| add(connection, count, &name)).unwrap();
    }
}

#[test]
fn the_database_grows_by_itself_after_a_thousand_pages() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    let before = size(&path);
    writer.begin_batch().unwrap();
    add_pages(&writer, 1_500);
    writer.commit_batch().unwrap();
    wait_until("a checkpoint", || size(&path) > before + 1_000 * 4096);
}

#[test]
fn the_log_does_not_grow_with_the_number_of_writes() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    let log = || size(&path.with_extension("db-wal"));
    // How large it gets before it starts over hangs on how busy the machine is; a log that never did would hold all.
    let mut written = 0;
    while written < 3 * log().max(3 * ROUND_PAGES as u64 * 4096) {
        assert!(written < 100 * ROUND_PAGES as u64 * 4096, "of {written} bytes the log has {}", log());
        writer.begin_batch().unwrap();
        add_pages(&writer, ROUND_PAGES);
        writer.commit_batch().unwrap();
        written += ROUND_PAGES as u64 * 4096;
        let shown = size(&path);
        wait_until("a checkpoint", || {
            add_pages(&writer, 1);
            size(&path) > shown
        });
    }
}

#[test]
fn truncating_leaves_no_byte_in_the_log() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    writer.run(|connection, count| add(connection, count, "a secret word")).unwrap();
    assert!(size(&path.with_extension("db-wal")) > 0);
    let report = writer.checkpoint_now(true).unwrap();
    assert!(report.complete, "{report:?}");
    assert_eq!(size(&path.with_extension("db-wal")), 0);
    writer.run(|connection, _| Ok(connection.execute("DELETE FROM entry", [])?)).unwrap();
    assert!(writer.checkpoint_now(true).unwrap().complete);
    drop(writer);
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(13).any(|window| window == b"a secret word"));
}

#[test]
fn a_reader_that_keeps_a_truncation_from_finishing_is_reported() {
    let (_folder, path) = folder();
    let writer = open(&path, &impatient(100)).unwrap();
    let readers = Readers::new(&path, FORMAT, options());
    writer.run(|connection, count| add(connection, count, "one")).unwrap();
    let reader = readers.get().unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(rows(&reader).unwrap(), 1);
    writer.run(|connection, count| add(connection, count, "two")).unwrap();
    assert!(!writer.checkpoint_now(true).unwrap().complete);
    assert_eq!(rows(&reader).unwrap(), 1);
    // Going back to the pool ends the snapshot.
    drop(reader);
    assert!(writer.checkpoint_now(true).unwrap().complete);
    assert_eq!(names(&path), ["one", "two"]);
}

#[test]
fn a_checkpoint_without_truncation_moves_everything() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    add_pages(&writer, 20);
    let report = writer.checkpoint_now(false).unwrap();
    assert!(report.complete);
    assert_eq!(report.log_pages, report.moved_pages);
    assert!(report.log_pages >= 20);
}
