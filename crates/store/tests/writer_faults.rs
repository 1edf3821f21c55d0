//! A disk that is full, and a folder that may not be written to.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod disk_common;
mod writer_common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrysalis_store::{Folder, StoreError};
use disk_common::SmallDisk;
use tempfile::TempDir;
use writer_common::{add, names, open, options};

/// Writes entries of a kilobyte until one fails; how many succeeded, and the failure.
fn fill(path: &Path) -> (usize, StoreError) {
    let writer = open(path, &options()).unwrap();
    for number in 0.. {
        let name = format!("{number:06} {}", "x".repeat(1000));
        let outcome = writer.run(move |connection, count| add(connection, count, &name));
        if let Err(error) = outcome {
            return (number, error);
        }
    }
    unreachable!("the disk is small")
}

fn check_entries(path: &Path, expected: usize) {
    let numbers: Vec<usize> = names(path).iter().map(|name| name[..6].parse().unwrap()).collect();
    assert_eq!(numbers, (0..expected).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_says_so_and_keeps_what_was_acknowledged() {
    let Some(disk) = SmallDisk::mount(1024) else { return };
    let path = disk.path().join("test.db");
    let (written, error) = fill(&path);
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    assert!(written > 10);
    disk.remount("size=4096k");
    check_entries(&path, written);
    let writer = open(&path, &options()).unwrap();
    let name = format!("{written:06}");
    writer.run(move |connection, count| add(connection, count, &name)).unwrap();
    check_entries(&path, written + 1);
}

#[test]
fn a_full_disk_in_a_batch_fails_all_of_it() {
    let Some(disk) = SmallDisk::mount(1024) else { return };
    let path = disk.path().join("test.db");
    let writer = open(&path, &options()).unwrap();
    writer.run(|connection, count| add(connection, count, "000000")).unwrap();
    writer.begin_batch().unwrap();
    let large = |megabytes: usize| {
        move |connection: &rusqlite::Connection, count: &mut writer_common::Count| {
            for _ in 0..megabytes * 256 {
                add(connection, count, &"x".repeat(4096))?;
            }
            Ok(())
        }
    };
    // The cache spills into the log, which does not fit.
    let error = writer.run(large(12)).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    let outcome = writer.commit_batch();
    if let Err(error) = &outcome {
        assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    }
    assert_eq!(names(&path), ["000000"]);
    writer.run(|connection, count| add(connection, count, "000001")).unwrap();
    check_entries(&path, 2);
}

#[test]
fn a_new_store_on_a_full_disk_says_so_and_works_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let folder = Folder::at(disk.path().join("store"));
    folder.create().unwrap();
    let rest = disk.path().join("rest");
    assert!(fs::write(&rest, vec![1; 1 << 20]).is_err());
    let error = folder.load_or_create_seed().unwrap_err();
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    let error = open(&folder.database(), &options()).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    disk.remount("size=4096k");
    folder.load_or_create_seed().unwrap();
    let writer = open(&folder.database(), &options()).unwrap();
    writer.run(|connection, count| add(connection, count, "000000")).unwrap();
}

#[test]
fn a_store_on_a_disk_mounted_for_reading_only_says_so() {
    let Some(disk) = SmallDisk::mount(1024) else { return };
    let folder = Folder::at(disk.path().join("store"));
    folder.create().unwrap();
    folder.load_or_create_seed().unwrap();
    drop(open(&folder.database(), &options()).unwrap());
    disk.remount("ro");
    folder.load_or_create_seed().unwrap();
    let existing = open(&folder.database(), &options()).unwrap_err();
    assert!(matches!(existing, StoreError::ReadOnly), "{existing:?}");
    let fresh = open(&folder.text(), &options()).unwrap_err();
    assert!(matches!(fresh, StoreError::ReadOnly), "{fresh:?}");
    let elsewhere = Folder::at(disk.path().join("other")).create().unwrap_err();
    assert!(matches!(elsewhere, StoreError::ReadOnly), "{elsewhere:?}");
    disk.remount("rw");
    open(&folder.database(), &options()).unwrap();
}

/// A folder that its owner may not write to, made writable again when dropped.
struct Sealed(PathBuf);

impl Drop for Sealed {
    fn drop(&mut self) {
        let _ = fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700));
    }
}

#[test]
fn a_folder_without_permission_to_write_says_so() {
    let outside = TempDir::new().unwrap();
    let folder = Folder::at(outside.path().join("store"));
    folder.create().unwrap();
    fs::set_permissions(folder.root(), fs::Permissions::from_mode(0o500)).unwrap();
    let sealed = Sealed(folder.root().to_owned());
    if fs::write(folder.root().join("probe"), b"").is_ok() {
        println!("skipped: this user may write anywhere");
        return;
    }
    let key = folder.load_or_create_seed().unwrap_err();
    assert!(matches!(key, StoreError::ReadOnly), "{key:?}");
    let database = open(&folder.database(), &options()).unwrap_err();
    assert!(matches!(database, StoreError::ReadOnly), "{database:?}");
    drop(sealed);
}
