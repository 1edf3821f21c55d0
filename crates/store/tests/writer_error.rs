//! Errors: one name for each cause, whatever SQLite or the system called it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use chrysalis_store::StoreError;
use rusqlite::ffi;

fn from_code(code: i32) -> StoreError {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
}

#[test]
fn result_codes_of_sqlite_get_the_name_of_their_cause() {
    let cases = [
        (ffi::SQLITE_BUSY, "store_locked"),
        (ffi::SQLITE_BUSY_SNAPSHOT, "store_locked"),
        (ffi::SQLITE_BUSY_RECOVERY, "store_locked"),
        (ffi::SQLITE_PROTOCOL, "store_locked"),
        (ffi::SQLITE_CORRUPT, "store_corrupt"),
        (ffi::SQLITE_CORRUPT_INDEX, "store_corrupt"),
        (ffi::SQLITE_NOTADB, "store_corrupt"),
        (ffi::SQLITE_IOERR_SHORT_READ, "store_corrupt"),
        (ffi::SQLITE_FULL, "disk_full"),
        (ffi::SQLITE_IOERR_SHMSIZE, "disk_full"),
        (ffi::SQLITE_READONLY, "read_only"),
        (ffi::SQLITE_READONLY_DIRECTORY, "read_only"),
        (ffi::SQLITE_PERM, "read_only"),
        (ffi::SQLITE_READONLY_DBMOVED, "file_error"),
        (ffi::SQLITE_CANTOPEN, "file_error"),
        (ffi::SQLITE_IOERR_FSYNC, "file_error"),
        (ffi::SQLITE_CONSTRAINT_UNIQUE, "database_error"),
    ];
    let named: Vec<_> = cases.iter().map(|(code, _)| (*code, from_code(*code).code())).collect();
    assert_eq!(named, cases);
}

#[test]
fn a_value_of_the_wrong_kind_in_the_file_is_damage() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    for sql in ["SELECT 'text'", "SELECT 300", "SELECT NULL"] {
        let error = connection.query_row(sql, [], |row| row.get::<_, u8>(0)).unwrap_err();
        assert_eq!(StoreError::from(error).code(), "store_corrupt", "{sql}");
    }
    let error = connection.query_row("SELECT CAST(x'ff' AS TEXT)", [], |row| row.get::<_, String>(0));
    assert_eq!(StoreError::from(error.unwrap_err()).code(), "store_corrupt");
}

#[test]
fn a_file_is_named_once_it_is_known() {
    let error = from_code(ffi::SQLITE_CORRUPT).in_file(Path::new("/s/one.db"));
    let again = error.in_file(Path::new("/s/two.db"));
    assert!(matches!(&again, StoreError::Corrupt { file, .. } if file == Path::new("/s/one.db")));
    assert!(again.to_string().starts_with("/s/one.db is damaged: "), "{again}");
}

#[test]
fn file_errors_keep_their_source_and_full_disks_their_name() {
    let path = Path::new("/s/key");
    let denied = StoreError::io(path, io::ErrorKind::PermissionDenied.into());
    assert_eq!(denied.code(), "file_error");
    assert_eq!(denied.source().unwrap().to_string(), "permission denied");
    assert_eq!(StoreError::io(path, io::ErrorKind::StorageFull.into()).code(), "disk_full");
    assert_eq!(StoreError::io(path, io::ErrorKind::QuotaExceeded.into()).code(), "disk_full");
    assert_eq!(StoreError::io(path, io::ErrorKind::ReadOnlyFilesystem.into()).code(), "read_only");
}

#[test]
fn every_error_has_its_own_code_and_says_what_to_do() {
    let what = || "something".to_owned();
    let all = [
        StoreError::Locked,
        StoreError::Corrupt { file: PathBuf::from("x"), what: what() },
        StoreError::TooNew { found: 2, supported: 1 },
        StoreError::DiskFull,
        StoreError::ReadOnly,
        StoreError::Closed,
        StoreError::NotFound(what()),
        StoreError::Invalid(what()),
        StoreError::Refused("bad_signature", what()),
        StoreError::Key(what()),
        StoreError::Internal(what()),
        StoreError::io(Path::new("x"), io::Error::other("y")),
        from_code(ffi::SQLITE_ERROR),
    ];
    let codes: BTreeSet<&str> = all.iter().map(StoreError::code).collect();
    assert_eq!(codes.len(), all.len());
    for error in &all {
        assert!(error.hint().ends_with('.'), "{error}");
        assert!(!error.to_string().is_empty());
    }
}
