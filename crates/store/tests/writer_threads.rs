//! Jobs of many threads, committed together.

#![allow(clippy::unwrap_used, clippy::panic)]

mod writer_common;

use std::collections::BTreeSet;
use std::sync::Barrier;
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
fn no_job_of_many_threads_is_lost() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    thread::scope(|scope| {
        for thread in 0..16 {
            let writer = &writer;
            scope.spawn(move || {
                for job in 0..50 {
                    let name = format!("{thread:02}-{job:02}");
                    writer.run(move |connection, count| add(connection, count, &name)).unwrap();
                }
            });
        }
    });
    let expected: Vec<String> =
        (0..16).flat_map(|thread| (0..50).map(move |job| format!("{thread:02}-{job:02}"))).collect();
    assert_eq!(names(&path), expected);
}

#[test]
fn what_is_acknowledged_is_visible_to_other_connections_at_once() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    writer.run(|connection, count| add(connection, count, "one")).unwrap();
    assert_eq!(names(&path), ["one"]);
}

#[test]
fn jobs_that_fail_or_panic_among_others_take_back_only_themselves() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    let start = Barrier::new(12);
    thread::scope(|scope| {
        for thread in 0..12 {
            let (writer, start) = (&writer, &start);
            scope.spawn(move || {
                start.wait();
                for job in 0..30 {
                    let outcome = writer.run(move |connection, count| {
                        assert_eq!(rows(connection)?, count.0);
                        add(connection, count, &format!("{thread}-{job}"))?;
                        match thread % 3 {
                            0 => Ok(()),
                            1 => Err(StoreError::Invalid("on purpose".to_owned())),
                            _ => panic!("on purpose"),
                        }
                    });
                    let code = outcome.map_err(|error| error.code());
                    let expected = [Ok(()), Err("invalid"), Err("internal")][thread % 3];
                    assert_eq!(code, expected);
                }
            });
        }
    });
    let expected: BTreeSet<String> =
        [0, 3, 6, 9].iter().flat_map(|thread| (0..30).map(move |job| format!("{thread}-{job}"))).collect();
    assert_eq!(names(&path).into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn the_message_of_a_panic_is_in_the_error() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    let outcome = writer.run(|_, _| -> Result<(), StoreError> { panic!("the pan is hot") });
    assert_eq!(outcome.unwrap_err().to_string(), "a write panicked: the pan is hot");
    writer.run(|connection, count| add(connection, count, "after")).unwrap();
    assert_eq!(names(&path), ["after"]);
}

#[test]
fn a_job_that_borrows_runs_in_its_own_thread() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let writer = &writer;
            scope.spawn(move || {
                let name = format!("{thread}");
                let me = thread::current().id();
                for _ in 0..20 {
                    let ran_in = writer.run_here(|connection, count| {
                        add(connection, count, &name)?;
                        Ok(thread::current().id())
                    });
                    assert_eq!(ran_in.unwrap(), me);
                    let name = name.clone();
                    writer.run(move |connection, count| add(connection, count, &name)).unwrap();
                }
            });
        }
    });
    assert_eq!(names(&path).len(), 8 * 40);
}

#[test]
fn a_write_inside_a_write_is_refused_instead_of_hanging() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    let inner = writer.run_here(|_, _| Ok(writer.run(|_, _| Ok(())).unwrap_err().code())).unwrap();
    assert_eq!(inner, "invalid");
    let closing = writer.run_here(|_, _| Ok(writer.close().unwrap_err().code())).unwrap();
    assert_eq!(closing, "invalid");
}

#[test]
fn a_job_that_ends_its_transaction_fails() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    let outcome = writer.run(|connection, count| {
        add(connection, count, "half")?;
        connection.execute_batch("ROLLBACK")?;
        Ok(())
    });
    assert_eq!(outcome.unwrap_err().code(), "internal");
    writer.run(|connection, count| add(connection, count, "whole")).unwrap();
    assert_eq!(names(&path), ["whole"]);
}

#[test]
fn another_process_that_keeps_the_lock_makes_it_locked_after_the_wait() {
    let (_folder, path) = folder();
    let writer = open(&path, &impatient(50)).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = std::time::Instant::now();
    let outcome = writer.run(|connection, count| add(connection, count, "late"));
    assert_eq!(outcome.unwrap_err().code(), "store_locked");
    assert!(began.elapsed().as_millis() >= 50);
    other.execute_batch("ROLLBACK").unwrap();
    writer.run(|connection, count| add(connection, count, "in time")).unwrap();
    assert_eq!(names(&path), ["in time"]);
}

#[test]
fn a_closed_writer_says_so_and_leaves_no_log_behind() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    writer.run(|connection, count| add(connection, count, "one")).unwrap();
    writer.close().unwrap();
    writer.close().unwrap();
    let outcome = writer.run(|connection, count| add(connection, count, "two"));
    assert_eq!(outcome.unwrap_err().code(), "closed");
    assert_eq!(writer.checkpoint_now(true).unwrap_err().code(), "closed");
    assert!(!path.with_extension("db-wal").exists());
    assert_eq!(names(&path), ["one"]);
}

#[test]
fn closing_answers_everyone_who_waits() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    let acknowledged = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let writer = &writer;
                scope.spawn(move || {
                    let mut written = 0;
                    while writer.run(|connection, count| add(connection, count, "x")).is_ok() {
                        written += 1;
                    }
                    written
                })
            })
            .collect();
        writer_common::wait_until("some writes", || names(&path).len() > 20);
        writer.close().unwrap();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(names(&path).len(), acknowledged);
}
