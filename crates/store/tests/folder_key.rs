//! The folder of a store and the key in it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod writer_common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use chrysalis_store::Folder;
use tempfile::TempDir;
use writer_common::{child_task, finish, spawn_self, wait_until};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn store() -> (TempDir, Folder) {
    let outside = TempDir::new().unwrap();
    let folder = Folder::at(outside.path().join("deep").join("store"));
    folder.create().unwrap();
    (outside, folder)
}

#[test]
fn folder_and_key_are_for_their_owner_only() {
    let (_outside, folder) = store();
    folder.load_or_create_seed().unwrap();
    assert_eq!(mode(folder.root()), 0o700);
    assert_eq!(mode(&folder.key()), 0o600);
    assert_eq!(fs::metadata(folder.key()).unwrap().len(), 32);
    folder.create().unwrap();
}

#[test]
fn the_key_stays_the_same_and_is_never_printed() {
    let (_outside, folder) = store();
    let seed = folder.load_or_create_seed().unwrap();
    let again = folder.load_or_create_seed().unwrap();
    assert_eq!(seed.as_bytes(), again.as_bytes());
    assert_eq!(seed.as_bytes().as_slice(), fs::read(folder.key()).unwrap());
    assert_ne!(seed.as_bytes(), &[0; 32]);
    assert_eq!(format!("{seed:?}"), "Seed(secret)");
}

#[test]
fn two_stores_have_different_keys() {
    let (_first, first) = store();
    let (_second, second) = store();
    let first = first.load_or_create_seed().unwrap();
    assert_ne!(first.as_bytes(), second.load_or_create_seed().unwrap().as_bytes());
}

#[test]
fn a_key_that_others_can_read_is_closed_to_them() {
    let (_outside, folder) = store();
    folder.load_or_create_seed().unwrap();
    fs::set_permissions(folder.key(), fs::Permissions::from_mode(0o644)).unwrap();
    folder.load_or_create_seed().unwrap();
    assert_eq!(mode(&folder.key()), 0o600);
}

#[test]
fn a_key_of_the_wrong_size_is_refused_and_kept() {
    let (_outside, folder) = store();
    for size in [0, 31, 33, 4096] {
        fs::write(folder.key(), vec![7; size]).unwrap();
        assert_eq!(folder.load_or_create_seed().unwrap_err().code(), "key_unusable");
        assert_eq!(fs::metadata(folder.key()).unwrap().len(), size as u64);
    }
}

#[test]
fn a_missing_key_beside_data_is_an_error_and_no_new_key_is_made() {
    let (_outside, folder) = store();
    fs::write(folder.database(), b"data").unwrap();
    let error = folder.load_or_create_seed().unwrap_err();
    assert_eq!(error.code(), "key_unusable");
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(!folder.key().exists());
}

#[test]
fn a_file_in_place_of_the_folder_is_an_error() {
    let outside = TempDir::new().unwrap();
    let path = outside.path().join("store");
    fs::write(&path, b"").unwrap();
    assert_eq!(Folder::at(&path).create().unwrap_err().code(), "invalid");
    assert!(Folder::at(path.join("below")).create().is_err());
}

#[test]
fn whoever_creates_the_same_folder_at_once_finds_it_created() {
    let outside = TempDir::new().unwrap();
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let failed = (0..100).filter(|round| {
                    start.wait();
                    Folder::at(outside.path().join(round.to_string()).join("store")).create().is_err()
                });
                assert_eq!(failed.count(), 0);
            });
        }
    });
}

#[test]
fn a_draft_left_by_a_process_that_died_is_replaced() {
    let (_outside, folder) = store();
    fs::write(folder.root().join("key.new"), b"half").unwrap();
    let seed = folder.load_or_create_seed().unwrap();
    assert_eq!(seed.as_bytes().as_slice(), fs::read(folder.key()).unwrap());
    assert!(!folder.root().join("key.new").exists());
}

#[test]
fn processes_that_open_a_new_store_at_once_get_one_key() {
    if let Some((task, number)) = child_task() {
        let folder = Folder::at(task.join("store"));
        fs::write(task.join(format!("ready-{number}")), b"").unwrap();
        wait_until("the start", || task.join("go").exists());
        folder.create().unwrap();
        let seed = folder.load_or_create_seed().unwrap();
        fs::write(task.join(format!("seed-{number}")), seed.as_bytes()).unwrap();
        return;
    }
    let outside = TempDir::new().unwrap();
    let name = "processes_that_open_a_new_store_at_once_get_one_key";
    let children: Vec<_> = (0..8).map(|n| spawn_self(name, outside.path(), n)).collect();
    wait_until("readiness", || (0..8).all(|number| outside.path().join(format!("ready-{number}")).exists()));
    fs::write(outside.path().join("go"), b"").unwrap();
    for child in children {
        assert!(finish(child).success());
    }
    let seeds: BTreeSet<Vec<u8>> =
        (0..8).map(|number| fs::read(outside.path().join(format!("seed-{number}"))).unwrap()).collect();
    assert_eq!(seeds.len(), 1);
}
