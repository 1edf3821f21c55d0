//! A transaction that one thread keeps open over many calls.

#![allow(clippy::unwrap_used, clippy::panic)]

mod writer_common;

use std::sync::mpsc;
use std::thread;

use chrysalis_store::StoreError;
use tempfile::TempDir;
use writer_common::{add, impatient, names, open, options, rows};

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    (folder, path)
}

#[test]
fn a_batch_sees_its_own_writes_and_others_see_them_after_its_commit() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    writer.begin_batch().unwrap();
    assert!(writer.in_batch());
    writer.run(|connection, count| add(connection, count, "a")).unwrap();
    writer.run_here(|connection, count| add(connection, count, "b")).unwrap();
    assert_eq!(writer.run(|connection, _| rows(connection)).unwrap(), 2);
    assert_eq!(names(&path), [""; 0]);
    writer.commit_batch().unwrap();
    assert!(!writer.in_batch());
    assert_eq!(names(&path), ["a", "b"]);
}

#[test]
fn a_batch_rolled_back_leaves_nothing() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    writer.begin_batch().unwrap();
    writer.run(|connection, count| add(connection, count, "a")).unwrap();
    writer.rollback_batch().unwrap();
    assert_eq!(writer.run(|connection, count| Ok((rows(connection)?, count.0))).unwrap(), (0, 0));
}

#[test]
fn a_failing_call_in_a_batch_takes_back_only_itself() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    writer.begin_batch().unwrap();
    let failed = writer.run(|connection, count| {
        add(connection, count, "first fails")?;
        Err::<(), _>(StoreError::Invalid("on purpose".to_owned()))
    });
    assert_eq!(failed.unwrap_err().code(), "invalid");
    writer.run(|connection, count| add(connection, count, "kept")).unwrap();
    let panicked = writer.run(|connection, count| {
        add(connection, count, "panics")?;
        panic!("on purpose");
        #[allow(unreachable_code)]
        Ok(())
    });
    assert_eq!(panicked.unwrap_err().code(), "internal");
    let seen = writer.run(|connection, count| Ok((rows(connection)?, count.0))).unwrap();
    assert_eq!(seen, (1, 1));
    writer.commit_batch().unwrap();
    assert_eq!(names(&path), ["kept"]);
}

#[test]
fn batches_do_not_nest_and_belong_to_their_thread() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    assert_eq!(writer.commit_batch().unwrap_err().code(), "invalid");
    writer.begin_batch().unwrap();
    assert_eq!(writer.begin_batch().unwrap_err().code(), "invalid");
    assert_eq!(writer.checkpoint_now(true).unwrap_err().code(), "invalid");
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(!writer.in_batch());
            assert_eq!(writer.commit_batch().unwrap_err().code(), "invalid");
            assert_eq!(writer.rollback_batch().unwrap_err().code(), "invalid");
        });
    });
    writer.commit_batch().unwrap();
}

#[test]
fn other_threads_write_after_the_batch() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    writer.begin_batch().unwrap();
    let (coming, came) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (writer, coming) = (&writer, coming.clone());
            scope.spawn(move || {
                coming.send(()).unwrap();
                writer.run(|connection, count| add(connection, count, "other")).unwrap();
            });
        }
        for _ in 0..4 {
            came.recv().unwrap();
        }
        for _ in 0..10 {
            writer.run(|connection, count| add(connection, count, "batch")).unwrap();
        }
        assert_eq!(writer.run(|connection, _| rows(connection)).unwrap(), 10);
        writer.commit_batch().unwrap();
    });
    assert_eq!(names(&path).len(), 14);
}

#[test]
fn other_threads_give_up_on_a_batch_that_stays_open() {
    let (_folder, path) = folder();
    let writer = open(&path, &impatient(40)).unwrap();
    writer.begin_batch().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let job = writer.run(|connection, count| add(connection, count, "job"));
            assert_eq!(job.unwrap_err().code(), "store_locked");
            let here = writer.run_here(|connection, count| add(connection, count, "here"));
            assert_eq!(here.unwrap_err().code(), "store_locked");
            assert_eq!(writer.begin_batch().unwrap_err().code(), "store_locked");
            assert_eq!(writer.close().unwrap_err().code(), "store_locked");
        });
    });
    writer.run(|connection, count| add(connection, count, "batch")).unwrap();
    writer.commit_batch().unwrap();
    assert_eq!(names(&path), ["batch"]);
}

#[test]
fn closing_takes_back_an_open_batch() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    writer.begin_batch().unwrap();
    writer.run(|connection, count| add(connection, count, "a")).unwrap();
    writer.close().unwrap();
    assert_eq!(names(&path), [""; 0]);
    let writer = open(&path, &options()).unwrap();
    writer.begin_batch().unwrap();
    writer.run(|connection, count| add(connection, count, "b")).unwrap();
    drop(writer);
    assert_eq!(names(&path), [""; 0]);
}
