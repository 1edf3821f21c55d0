//! Bad input: whatever is wrong with the files, the answer is an error with a name, or it works; never a panic.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrysalis_store::doctor::{Level, diagnose};
use chrysalis_store::{Store, StoreError, StoreOptions};
use keep_common::{assert_holds, copy, found, furnish, open, remember, saying, tamper};
use tempfile::TempDir;

type Damage<'a> = &'a dyn Fn(&Path);

/// Opens, reads and writes; the first error.
fn live(path: &Path) -> Result<(), StoreError> {
    let store = Store::open(path, StoreOptions::default())?;
    for number in 0..20 {
        let _ = store.get(&format!("m{number}"))?;
    }
    store.history("m4").map(drop).or_else(expected)?;
    let query = chrysalis_store::Query { text: "memory".to_owned(), k: 50, ..Default::default() };
    let _ = store.recall(&query)?;
    let wanted = chrysalis_store::Remember { id: None, edit: saying("one more") };
    let _ = store.remember("anna", wanted)?;
    store.update("anna", "m2", saying("edited")).map(drop).or_else(expected)?;
    store.forget("m1", "", false).map(drop).or_else(expected)?;
    store.verify(None, |_, _| {})?;
    store.close()
}

fn expected(error: StoreError) -> Result<(), StoreError> {
    if error.code() == "not_found" { Ok(()) } else { Err(error) }
}

/// An error that says what is wrong with the files.
fn assert_clear(error: &StoreError, case: &str) {
    let codes = ["store_corrupt", "key_unusable", "store_too_new", "invalid", "file_error"];
    assert!(codes.contains(&error.code()), "{case}: {error} ({})", error.code());
    assert!(!error.hint().is_empty());
}

/// Everything that is read of the memories, but for where their words stand in this store.
fn contents(store: &Store) -> Vec<chrysalis_store::MemoryRow> {
    store.list(&Default::default(), chrysalis_store::Order::Created, false, 1_000, 0).unwrap()
}

fn furnished(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("sound");
    furnish(&path);
    let store = open(&path);
    let _ = found(&store, "memory");
    store.close().unwrap();
    path
}

#[test]
fn a_database_truncated_at_any_length_is_refused_or_works() {
    let folder = TempDir::new().unwrap();
    let sound = furnished(&folder);
    let bytes = fs::read(sound.join("chrysalis.db")).unwrap();
    let lengths = (1..bytes.len()).step_by(bytes.len() / 40).chain([1, 15, 16, 99, 100, 4095, 4096, 4097]);
    for length in lengths {
        let path = copy(&sound, &folder.path().join("damaged"));
        fs::write(path.join("chrysalis.db"), &bytes[..length]).unwrap();
        let named = diagnose(&path, None).iter().any(|finding| finding.level == Level::Error);
        assert!(named, "the doctor sees nothing at {length}");
        // What was cut off may be something that this little use of the store does not meet.
        if let Err(error) = live(&path) {
            assert_clear(&error, &format!("cut at {length}"));
        }
        fs::remove_dir_all(&path).unwrap();
    }
}

#[test]
fn flipped_bits_are_refused_or_found_or_do_no_harm() {
    let folder = TempDir::new().unwrap();
    let sound = furnished(&folder);
    let bytes = fs::read(sound.join("chrysalis.db")).unwrap();
    let unharmed = contents(&open(&copy(&sound, &folder.path().join("unharmed"))));
    let (mut refused, mut works) = (0, 0);
    for step in 0..150_usize {
        let place = step * 48_271 % bytes.len();
        let path = copy(&sound, &folder.path().join("damaged"));
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (step % 8);
        fs::write(path.join("chrysalis.db"), &damaged).unwrap();
        let named = diagnose(&path, None).iter().any(|finding| finding.level == Level::Error);
        if !named {
            // The bit lies where nothing is read.
            assert_eq!(contents(&open(&path)), unharmed, "bit at {place}");
        }
        match live(&path) {
            Err(error) => {
                assert_clear(&error, &format!("bit at {place}"));
                assert!(named, "the doctor sees nothing of a bit at {place}: {error}");
                refused += 1;
            }
            Ok(()) => works += 1,
        }
        fs::remove_dir_all(&path).unwrap();
    }
    println!("{refused} refused, {works} worked");
}

#[test]
fn files_that_are_no_store_are_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let sound = furnished(&folder);
    let cases: [(&str, Damage<'_>); 7] = [
        ("store_too_new", &|path| tamper(path, "PRAGMA user_version = 99")),
        ("store_corrupt", &|path| tamper(path, "PRAGMA application_id = 99")),
        ("store_corrupt", &|path| fs::write(path.join("chrysalis.db"), vec![b'x'; 8192]).unwrap()),
        ("store_corrupt", &|path| {
            fs::remove_file(path.join("chrysalis.db")).unwrap();
            fs::create_dir(path.join("chrysalis.db")).unwrap();
        }),
        ("key_unusable", &|path| fs::remove_file(path.join("key")).unwrap()),
        ("key_unusable", &|path| fs::write(path.join("key"), [1; 32]).unwrap()),
        ("key_unusable", &|path| fs::write(path.join("key"), b"x").unwrap()),
    ];
    for (number, (code, damage)) in cases.iter().enumerate() {
        let path = copy(&sound, &folder.path().join(number.to_string()));
        damage(&path);
        let database = path.join("chrysalis.db");
        let before = fs::read(&database).ok();
        let error = Store::open(&path, StoreOptions::default()).map(drop).unwrap_err();
        assert_eq!(error.code(), *code, "case {number}: {error}");
        assert_eq!(fs::read(&database).ok(), before, "case {number}");
    }
    let file = folder.path().join("file");
    fs::write(&file, b"x").unwrap();
    assert_eq!(Store::open(&file, StoreOptions::default()).map(drop).unwrap_err().code(), "invalid");
}

#[test]
fn an_emptied_database_beside_a_key_is_not_taken_for_a_new_store() {
    let folder = TempDir::new().unwrap();
    let path = furnished(&folder);
    fs::write(path.join("chrysalis.db"), b"").unwrap();
    let codes: Vec<_> = diagnose(&path, None).into_iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&"database_empty"), "{codes:?}");
    assert_eq!(Store::open(&path, StoreOptions::default()).map(drop).unwrap_err().code(), "store_corrupt");
    fs::remove_file(path.join("chrysalis.db")).unwrap();
    assert!(Store::open(&path, StoreOptions::default()).is_err());
}

#[test]
fn derived_files_heal_by_themselves() {
    let folder = TempDir::new().unwrap();
    let path = furnished(&folder);
    let other = folder.path().join("other");
    furnish(&other);
    let store = open(&other);
    let _ = found(&store, "memory");
    store.close().unwrap();
    let damages: [&dyn Fn(); 5] = [
        &|| fs::write(path.join("text.db"), vec![5; 20_000]).unwrap(),
        &|| fs::write(path.join("text.db"), b"").unwrap(),
        &|| {
            let _ = fs::copy(other.join("text.db"), path.join("text.db")).unwrap();
        },
        &|| fs::write(path.join("vectors.db"), vec![5; 20_000]).unwrap(),
        &|| {
            let bytes = fs::read(path.join("text.db")).unwrap();
            fs::write(path.join("text.db"), &bytes[..bytes.len() / 2]).unwrap();
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        damage();
        let store = open(&path);
        assert_eq!(found(&store, "second life"), ["m6"], "damage {number}");
        store.put_vectors("model", Vec::new()).unwrap();
        remember(&store, &format!("new{number}"), saying("one more"));
        store.forget(&format!("new{number}"), "", false).unwrap();
        assert_holds(&store);
        store.close().unwrap();
    }
}

#[test]
fn a_lost_write_ahead_log_loses_nothing_that_was_moved() {
    let folder = TempDir::new().unwrap();
    let path = furnished(&folder);
    let _ = fs::remove_file(path.join("chrysalis.db-wal"));
    let _ = fs::remove_file(path.join("chrysalis.db-shm"));
    assert_holds(&open(&path));
    // And one that is damaged ends where the damage begins.
    let store = open(&path);
    remember(&store, "late", saying("in the log alone"));
    let wal = fs::read(path.join("chrysalis.db-wal")).unwrap();
    let torn = copy(&path, &folder.path().join("torn"));
    fs::write(torn.join("chrysalis.db-wal"), &wal[..wal.len() - 100]).unwrap();
    assert_holds(&open(&torn));
    let flipped = copy(&path, &folder.path().join("flipped"));
    let mut wal = wal;
    let middle = wal.len() / 2;
    wal[middle] ^= 4;
    fs::write(flipped.join("chrysalis.db-wal"), wal).unwrap();
    assert_holds(&open(&flipped));
}

/// Mounts a file system of so many bytes, where this is permitted.
struct Mounted(PathBuf);

impl Mounted {
    fn new(place: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(place).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(place).output().ok()?;
        mounted.status.success().then(|| Self(place.to_owned()))
    }

    fn remount(&self, options: &str) -> bool {
        let options = format!("remount,{options}");
        Command::new("mount").args(["-o", &options]).arg(&self.0).status().is_ok_and(|status| status.success())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_takes_nothing_that_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = Mounted::new(&folder.path().join("disk"), "size=3m") else {
        println!("skipped: mounting is not permitted here");
        return;
    };
    let path = disk.0.join("store");
    let store = open(&path);
    let mut written = 0;
    let error = loop {
        let edit = saying(&format!("number {written} {}", "fills the disk ".repeat(500)));
        let wanted = chrysalis_store::Remember { id: Some(format!("m{written}")), edit };
        match store.remember("anna", wanted) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), "disk_full", "{error}");
    assert!(written > 10);
    for number in 0..written {
        assert!(store.get(&format!("m{number}")).unwrap().is_some());
    }
    assert!(disk.remount("size=30m"));
    remember(&store, "after", saying("there is room again"));
    assert_holds(&store);
    drop(store);
    assert_holds(&open(&path));
}

#[test]
fn a_disk_mounted_for_reading_is_called_so() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = Mounted::new(&folder.path().join("disk"), "size=8m") else {
        println!("skipped: mounting is not permitted here");
        return;
    };
    let path = disk.0.join("store");
    furnish(&path);
    assert!(disk.remount("ro"));
    let error = Store::open(&path, StoreOptions::default()).map(drop).unwrap_err();
    assert_eq!(error.code(), "read_only", "{error}");
    let new = Store::open(&disk.0.join("new"), StoreOptions::default()).map(drop).unwrap_err();
    assert_eq!(new.code(), "read_only", "{new}");
    assert!(disk.remount("rw"));
    assert_holds(&open(&path));
}
