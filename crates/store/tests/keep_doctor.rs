//! The doctor: what it finds in damaged stores, and what it saves.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::fs;
use std::path::Path;

use chrysalis_store::doctor::{Finding, Level, diagnose, repair};
use chrysalis_store::{Store, StoreOptions};
use keep_common::{assert_holds, copy, found, furnish, open, remember, saying, tamper};
use tempfile::TempDir;

fn codes(findings: &[Finding], level: Level) -> Vec<&'static str> {
    let mut codes: Vec<_> = findings.iter().filter(|one| one.level == level).map(|one| one.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn errors(path: &Path) -> Vec<&'static str> {
    codes(&diagnose(path, None), Level::Error)
}

type Damage<'a> = &'a dyn Fn(&Path);

/// Everything in the folder, to see that looking changes nothing.
fn contents(path: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| !entry.file_name().to_string_lossy().ends_with("-shm"));
    let mut all: Vec<_> = files
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap()))
        .filter(|(name, bytes)| !(name.ends_with("-wal") && bytes.is_empty()))
        .collect();
    all.sort();
    all
}

fn furnished(folder: &TempDir) -> std::path::PathBuf {
    let path = folder.path().join("store");
    furnish(&path);
    let store = open(&path);
    let _ = found(&store, "memory");
    store.close().unwrap();
    path
}

#[test]
fn a_sound_store_is_well_and_looking_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let path = furnished(&folder);
    let before = contents(&path);
    let findings = diagnose(&path, None);
    assert_eq!(codes(&findings, Level::Error), Vec::<&str>::new());
    assert_eq!(codes(&findings, Level::Warning), Vec::<&str>::new());
    assert_eq!(codes(&findings, Level::Ok), ["holds"]);
    assert_eq!(contents(&path), before);
    assert_eq!(errors(&folder.path().join("nothing")), ["no_store"]);
}

#[test]
fn each_damage_has_its_name() {
    let folder = TempDir::new().unwrap();
    let sound = furnished(&folder);
    let damages: [(&str, Damage<'_>); 9] = [
        ("key_missing", &|path| fs::remove_file(path.join("key")).unwrap()),
        ("key_unusable", &|path| fs::write(path.join("key"), b"short").unwrap()),
        ("key_foreign", &|path| fs::write(path.join("key"), [9; 32]).unwrap()),
        ("database_missing", &|path| fs::remove_file(path.join("chrysalis.db")).unwrap()),
        ("database_empty", &|path| fs::write(path.join("chrysalis.db"), b"").unwrap()),
        ("not_a_database", &|path| fs::write(path.join("chrysalis.db"), [7; 5000]).unwrap()),
        ("foreign_database", &|path| tamper(path, "PRAGMA application_id = 7")),
        ("store_too_new", &|path| tamper(path, "PRAGMA user_version = 99")),
        ("view_differs", &|path| tamper(path, "UPDATE memory SET content = 'lies' WHERE id = 'm5'")),
    ];
    for (number, (code, damage)) in damages.iter().enumerate() {
        let path = copy(&sound, &folder.path().join(number.to_string()));
        damage(&path);
        let found = errors(&path);
        assert!(found.contains(code), "{found:?} without {code}");
    }
}

#[cfg(unix)]
#[test]
fn files_that_others_can_read_are_closed_to_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let path = furnished(&folder);
    let mode = |file: &str| fs::metadata(path.join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("chrysalis.db"), mode("text.db"), mode("key")), (0o600, 0o600, 0o600));
    for file in ["", "key", "text.db"] {
        fs::set_permissions(path.join(file), fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert_eq!(codes(&diagnose(&path, None), Level::Warning), ["file_readable", "folder_open", "key_readable"]);
    repair(&path, None);
    assert_eq!((mode("text.db"), mode("key")), (0o600, 0o600));
    assert_eq!(codes(&diagnose(&path, None), Level::Warning), ["folder_open"]);
}

#[test]
fn views_are_made_again() {
    let folder = TempDir::new().unwrap();
    let path = furnished(&folder);
    tamper(
        &path,
        "UPDATE memory SET content = 'lies' WHERE id = 'm5'; DELETE FROM tag; DELETE FROM memory WHERE id = 'm6'",
    );
    let done = repair(&path, None);
    assert_eq!(codes(&done, Level::Error), Vec::<&str>::new(), "{done:#?}");
    let store = open(&path);
    assert_eq!(store.get("m5").unwrap().unwrap().content, "memory number 5");
    assert_holds(&store);
    assert_eq!(found(&store, "second life"), ["m6"]);
    assert!(!path.join("chrysalis.db.damaged-1").exists());
}

#[test]
fn derived_files_are_no_loss() {
    let folder = TempDir::new().unwrap();
    let path = furnished(&folder);
    fs::write(path.join("text.db"), [3; 9000]).unwrap();
    assert_eq!(codes(&diagnose(&path, None), Level::Warning), ["derived_damaged"]);
    assert_eq!(errors(&path), Vec::<&str>::new());
    repair(&path, None);
    assert_eq!(codes(&diagnose(&path, None), Level::Warning), Vec::<&str>::new());
    assert_eq!(found(&open(&path), "second life"), ["m6"]);
}

#[test]
fn an_operation_that_was_tampered_with_is_dropped_and_what_follows_is_said_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path);
    for number in 0..30 {
        remember(&store, &format!("m{number}"), saying(&format!("memory number {number}")));
    }
    store.close().unwrap();
    tamper(&path, "UPDATE operation SET header = zeroblob(length(header)) WHERE position = 11");
    assert!(errors(&path).contains(&"malformed"), "{:?}", errors(&path));
    let done = repair(&path, None);
    assert_eq!(codes(&done, Level::Error), Vec::<&str>::new(), "{done:#?}");
    assert_eq!(codes(&done, Level::Warning), ["damaged_file_kept", "lost", "said_again"], "{done:#?}");
    let store = open(&path);
    for number in (0..30).filter(|number| *number != 9) {
        assert!(store.get(&format!("m{number}")).unwrap().is_some(), "m{number}");
    }
    assert_eq!(store.get("m9").unwrap(), None);
    assert_holds(&store);
    assert!(path.join("chrysalis.db.damaged-1").exists());
}

/// A store of many pages, whose key signs.
fn large(path: &Path) -> Store {
    let store = open(path);
    for number in 0..300 {
        let padding = "and so on ".repeat(if number % 10 == 0 { 900 } else { 20 });
        remember(&store, &format!("m{number}"), saying(&format!("memory number {number} {padding}")));
    }
    store.forget("m17", "", false).unwrap();
    store
}

fn readable(store: &Store) -> usize {
    (0..300).filter(|number| store.get(&format!("m{number}")).unwrap().is_some()).count()
}

#[test]
fn a_database_with_broken_pages_is_salvaged() {
    let folder = TempDir::new().unwrap();
    let sound = folder.path().join("sound");
    large(&sound).close().unwrap();
    let bytes = fs::read(sound.join("chrysalis.db")).unwrap();
    let pages = bytes.len() / 4096;
    for (number, broken) in [vec![0], vec![pages / 2], vec![1, 2, 3], (10..14).collect(), vec![pages - 1, pages / 3]]
        .into_iter()
        .enumerate()
    {
        let path = copy(&sound, &folder.path().join(number.to_string()));
        let mut damaged = bytes.clone();
        for page in &broken {
            damaged[page * 4096..(page + 1) * 4096].fill(0x5a);
        }
        fs::write(path.join("chrysalis.db"), &damaged).unwrap();
        let done = repair(&path, None);
        assert_eq!(codes(&done, Level::Error), Vec::<&str>::new(), "{broken:?}: {done:#?}");
        let store = open(&path);
        // A page holds about ten short memories.
        let saved = readable(&store);
        assert!(saved >= 299 - 14 * broken.len(), "{broken:?}: {saved} saved: {done:#?}");
        assert_eq!(store.get("m17").unwrap(), None, "what was forgotten stays so");
        assert_holds(&store);
        remember(&store, "after", saying("written after the repair"));
        assert_eq!(fs::read(path.join("chrysalis.db.damaged-1")).unwrap(), damaged);
    }
}

#[test]
fn a_truncated_database_is_salvaged() {
    let folder = TempDir::new().unwrap();
    let sound = folder.path().join("sound");
    large(&sound).close().unwrap();
    let bytes = fs::read(sound.join("chrysalis.db")).unwrap();
    let mut saved = Vec::new();
    for (number, part) in [3, 2].into_iter().enumerate() {
        let path = copy(&sound, &folder.path().join(number.to_string()));
        fs::write(path.join("chrysalis.db"), &bytes[..bytes.len() * (part - 1) / part]).unwrap();
        let done = repair(&path, None);
        assert_eq!(codes(&done, Level::Error), Vec::<&str>::new(), "{part}: {done:#?}");
        let store = open(&path);
        saved.push(readable(&store));
        assert_holds(&store);
    }
    assert!(saved[0] >= saved[1] && saved[1] > 50, "{saved:?}");
}

#[test]
fn an_interrupted_repair_is_finished() {
    let folder = TempDir::new().unwrap();
    let path = furnished(&folder);
    fs::create_dir(path.join("salvage")).unwrap();
    fs::rename(path.join("chrysalis.db"), path.join("salvage/chrysalis.db")).unwrap();
    assert_eq!(errors(&path), ["database_missing", "salvage_unfinished"]);
    let done = repair(&path, None);
    assert_eq!(codes(&done, Level::Error), Vec::<&str>::new(), "{done:#?}");
    assert!(open(&path).get("m5").unwrap().is_some());
}

#[test]
fn a_store_of_another_space_is_repaired_in_its_own() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let options = || StoreOptions { space: Some("project".to_owned()), ..StoreOptions::default() };
    let store = Store::open(&path, options()).unwrap();
    remember(&store, "m", saying("in another space"));
    store.close().unwrap();
    let mut bytes = fs::read(path.join("chrysalis.db")).unwrap();
    bytes[..4096].fill(0);
    fs::write(path.join("chrysalis.db"), bytes).unwrap();
    let done = repair(&path, None);
    assert_eq!(codes(&done, Level::Error), Vec::<&str>::new(), "{done:#?}");
    let store = Store::open(&path, options()).unwrap();
    assert_eq!(store.get("m").unwrap().unwrap().content, "in another space");
}
