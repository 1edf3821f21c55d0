//! How files are opened: what is set, and what is refused.

#![allow(clippy::unwrap_used, clippy::panic)]

mod writer_common;

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use chrysalis_store::{ConnectionOptions, Durability, Format, Readers, StoreError, open_reader, open_writer};
use rusqlite::Connection;
use tempfile::TempDir;
use writer_common::{FORMAT, add, names, open, options, rows};

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    (folder, path)
}

fn pragma(connection: &Connection, name: &str) -> String {
    let value: rusqlite::types::Value = connection.pragma_query_value(None, name, |row| row.get(0)).unwrap();
    match value {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn refusal(path: &Path) -> StoreError {
    open(path, &options()).unwrap_err()
}

#[test]
fn a_writing_connection_has_every_setting() {
    let (_folder, path) = folder();
    for (durability, synchronous) in [(Durability::Full, "2"), (Durability::Normal, "1"), (Durability::Off, "0")] {
        let options = ConnectionOptions { durability, mmap_size_bytes: 1 << 20, ..options() };
        let (connection, _) = open_writer(&path, FORMAT, &options).unwrap();
        let set: Vec<String> = [
            "journal_mode",
            "synchronous",
            "secure_delete",
            "foreign_keys",
            "wal_autocheckpoint",
            "temp_store",
            "mmap_size",
            "cache_size",
        ]
        .map(|name| pragma(&connection, name))
        .into();
        let expected = ["wal", synchronous, "1", "0", "0", "2", "1048576", "-4096"];
        assert_eq!(set, expected);
    }
}

#[test]
fn durability_is_read_by_name() {
    for durability in [Durability::Full, Durability::Normal, Durability::Off] {
        assert_eq!(durability.name().parse::<Durability>().unwrap(), durability);
    }
    assert_eq!("fast".parse::<Durability>().unwrap_err().code(), "invalid");
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_not_changed() {
    let (_folder, path) = folder();
    drop(open(&path, &options()).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let before = fs::read(&path).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, StoreError::TooNew { found: 2, supported: 1 }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_database_of_another_program_is_refused_and_not_changed() {
    let (_folder, path) = folder();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = fs::read(&path).unwrap();
    let error = refusal(&path);
    assert!(matches!(&error, StoreError::Corrupt { file, .. } if *file == path), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(open_reader(&path, FORMAT, &options()).unwrap_err().code(), "store_corrupt");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_not_changed() {
    let (_folder, path) = folder();
    fs::write(&path, "not a database at all. ".repeat(400)).unwrap();
    let before = fs::read(&path).unwrap();
    let error = refusal(&path);
    assert!(matches!(&error, StoreError::Corrupt { file, .. } if *file == path), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_truncated_database_is_reported_as_damaged() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    for number in 0..200 {
        let name = format!("{number} {}", "x".repeat(500));
        writer.run(move |connection, count| add(connection, count, &name)).unwrap();
    }
    writer.close().unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(fs::metadata(&path).unwrap().len() / 2 + 100).unwrap();
    let outcome = open(&path, &options()).and_then(|writer| writer.run(|connection, _| rows(connection)));
    let error = outcome.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { file, .. } if *file == path), "{error:?}");
}

#[test]
fn a_file_in_a_folder_that_is_missing_names_the_path() {
    let (_folder, path) = folder();
    let error = refusal(&path.join("below.db"));
    assert_eq!(error.code(), "file_error");
    assert!(error.to_string().contains("below.db"), "{error}");
    let error = open_reader(&path, FORMAT, &options()).unwrap_err();
    assert_eq!(error.code(), "file_error");
    assert!(!path.exists());
}

#[test]
fn an_older_file_is_brought_up_once_by_one_of_many_openers() {
    let (_folder, path) = folder();
    drop(open(&path, &options()).unwrap());
    let newer = Format { version: 2, ..FORMAT };
    let start = Barrier::new(6);
    let steps_taken: usize = thread::scope(|scope| {
        let openers: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let mut taken = 0;
                    start.wait();
                    let (connection, _) = open_writer(&path, newer, &options()).unwrap();
                    chrysalis_store::migrate(&connection, newer, |connection, found| {
                        assert_eq!(found, 1);
                        taken += 1;
                        connection.execute_batch("ALTER TABLE entry ADD COLUMN extra")?;
                        Ok(())
                    })
                    .unwrap();
                    taken
                })
            })
            .collect();
        openers.into_iter().map(|opener| opener.join().unwrap()).sum()
    });
    assert_eq!(steps_taken, 1);
    assert_eq!(open_writer(&path, newer, &options()).unwrap().1, 2);
}

#[test]
fn steps_that_fail_leave_the_file_as_it_was() {
    let (_folder, path) = folder();
    let (connection, found) = open_writer(&path, FORMAT, &options()).unwrap();
    assert_eq!(found, 0);
    let outcome = chrysalis_store::migrate(&connection, FORMAT, |connection, _| {
        connection.execute_batch("CREATE TABLE half (x)")?;
        Err(StoreError::Invalid("on purpose".to_owned()))
    });
    assert_eq!(outcome.unwrap_err().code(), "invalid");
    drop(connection);
    assert_eq!(open_writer(&path, FORMAT, &options()).unwrap().1, 0);
}

#[test]
fn readers_are_reused_cannot_write_and_lose_their_snapshot() {
    let (_folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    let readers = Readers::new(&path, FORMAT, options());
    let first = readers.get().unwrap();
    first.execute_batch("PRAGMA cache_size = 77; BEGIN").unwrap();
    assert_eq!(rows(&first).unwrap(), 0);
    assert!(first.execute("INSERT INTO entry (name) VALUES ('x')", []).is_err());
    let second = readers.get().unwrap();
    writer.run(|connection, count| add(connection, count, "one")).unwrap();
    assert_eq!((rows(&first).unwrap(), rows(&second).unwrap()), (0, 1));
    drop(first);
    let again = readers.get().unwrap();
    assert_eq!(pragma(&again, "cache_size"), "77");
    assert_eq!(rows(&again).unwrap(), 1);
    readers.close();
    assert_eq!(readers.get().unwrap_err().code(), "closed");
    assert_eq!(names(&path), ["one"]);
}

#[cfg(unix)]
#[test]
fn files_of_a_new_store_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    let writer = open(&path, &options()).unwrap();
    writer.run(|connection, count| add(connection, count, "one")).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}
