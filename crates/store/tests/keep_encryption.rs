//! Stores that are kept encrypted: what was said stands in no file, and everything else is as in a plain store.

#![cfg(feature = "encryption")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chrysalis_store::doctor::{Finding, Level, diagnose, repair};
use chrysalis_store::{Passphrase, Store, StoreError, StoreOptions, change_passphrase, convert};
use keep_common::{assert_holds, codes, copy, found, furnish, open, remember, saying, tagged, verify};
use tempfile::TempDir;

const WORDS: &str = "the lighthouse keeper";
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

fn secret(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

fn with(text: &str) -> StoreOptions {
    StoreOptions { passphrase: Some(secret(text)), ..StoreOptions::default() }
}

fn open_with(path: &Path, text: &str) -> Store {
    Store::open(path, with(text)).unwrap()
}

fn code_of(opened: Result<Store, StoreError>) -> &'static str {
    opened.err().map_or("opened", |error| error.code())
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(files(&entry.path())),
            false => all.push(entry.path()),
        }
    }
    all
}

/// The files in which these bytes stand.
fn holding(path: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let holds = |file: &PathBuf| fs::read(file).unwrap().windows(bytes.len()).any(|window| window == bytes);
    files(path).into_iter().filter(holds).collect()
}

fn assert_unreadable(path: &Path) {
    for bytes in [WORDS.as_bytes(), b"lighthous", b"keeper", b"seaside", b"said-by-anna", SQLITE_MAGIC] {
        assert_eq!(holding(path, bytes), Vec::<PathBuf>::new(), "{}", String::from_utf8_lossy(bytes));
    }
}

fn levels(findings: &[Finding], level: Level) -> Vec<&'static str> {
    let mut codes: Vec<_> = findings.iter().filter(|one| one.level == level).map(|one| one.code).collect();
    codes.dedup();
    codes
}

fn put_vector(store: &Store) {
    let made = store.pending_vectors("m", 100).unwrap().into_iter();
    let made = made.map(|one| (one.number, one.digest.as_bytes().to_vec(), vec![vec![1.0, 0.5, 0.25]]));
    store.put_vectors("m", made.collect()).unwrap();
}

/// Words in every place that holds words, in a store that was never closed.
fn furnish_words(store: &Store) {
    for number in 0..40 {
        let content = format!("{WORDS} counts ships, {number} of them");
        remember(store, &format!("m{number}"), tagged(&content, &["seaside"]));
    }
    store.update("said-by-anna", "m3", saying(&format!("{WORDS} sleeps"))).unwrap();
    assert!(!found(store, "lighthouse").is_empty());
    put_vector(store);
}

#[test]
fn nothing_that_was_said_stands_readable_in_any_file_while_it_is_open_and_after() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open_with(&path, "open sesame");
    furnish_words(&store);
    assert!(fs::metadata(path.join("chrysalis.db-wal")).unwrap().len() > 0, "the write-ahead log is looked at too");
    assert_unreadable(&path);
    store.close().unwrap();
    assert_unreadable(&path);
    let store = open_with(&path, "open sesame");
    assert_eq!(store.get("m3").unwrap().unwrap().content, format!("{WORDS} sleeps"));
    assert_eq!(found(&store, "lighthouse").len(), 40);
    assert_holds(&store);
    let seed = store.folder().load_or_create_seed().unwrap();
    assert_eq!(holding(&path, seed.as_bytes()), Vec::<PathBuf>::new(), "the seed of the replica's key");
    // The same search would find them in a plain store.
    let plain = folder.path().join("plain");
    let store = open(&plain);
    furnish_words(&store);
    assert!(holding(&plain, b"lighthous").len() >= 2);
}

#[test]
fn many_vectors_are_searched_without_files_of_cells() {
    let folder = TempDir::new().unwrap();
    let store = open_with(folder.path(), "open sesame");
    for number in 0..700 {
        remember(&store, &format!("m{number}"), saying(&format!("memory {number}")));
    }
    let made = store.pending_vectors("m", 700).unwrap().into_iter().map(|one| {
        let passages = (0..32).map(|passage| vec![1.0, one.number as f32, passage as f32]).collect();
        (one.number, one.digest.as_bytes().to_vec(), passages)
    });
    store.put_vectors("m", made.collect()).unwrap();
    let index = store.vector_index("m").unwrap();
    assert_eq!((index.vectors, index.in_cells, index.writing), (22_400, 0, None));
    store.close().unwrap();
    assert!(files(folder.path()).iter().all(|file| !file.to_string_lossy().contains("cells")));
}

#[test]
fn a_passphrase_that_does_not_fit_is_told_as_what_it_is_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let (path, plain) = (folder.path().join("store"), folder.path().join("plain"));
    open_with(&path, "open sesame").close().unwrap();
    open(&plain).close().unwrap();
    let contents = || files(&path).into_iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    let before = contents();
    assert_eq!(code_of(Store::open(&path, with("open barley"))), "passphrase_wrong");
    assert_eq!(code_of(Store::open(&path, StoreOptions::default())), "store_encrypted");
    assert_eq!(code_of(Store::open(&plain, with("open sesame"))), "store_plain");
    assert!(contents() == before);
    assert!(!plain.join("encryption").exists());
    open(&plain);
    open_with(&path, "open sesame");
    // Letters that a keyboard puts together of two are the same letters.
    let composed = folder.path().join("composed");
    open_with(&composed, "caf\u{e9}").close().unwrap();
    open_with(&composed, "cafe\u{301}");
    assert!(Passphrase::new("").is_err() && Passphrase::new(&"x".repeat(2_000)).is_err());
}

#[test]
fn a_damaged_or_missing_envelope_is_told_from_a_wrong_passphrase() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    open_with(&path, "open sesame").close().unwrap();
    let envelope = path.join("encryption");
    let whole = fs::read(&envelope).unwrap();
    for bytes in [vec![], whole[..whole.len() / 2].to_vec(), vec![7; 4_000], {
        let mut bytes = whole.clone();
        bytes[60] ^= 1;
        bytes
    }] {
        fs::write(&envelope, bytes).unwrap();
        let error = Store::open(&path, with("open sesame")).err().unwrap();
        assert_eq!(error.code(), "store_corrupt");
        assert!(error.to_string().contains("encryption"), "{error}");
    }
    let mut newer = whole.clone();
    let at = newer.windows(20).position(|window| window == b"chrysalis-encryption").unwrap() + 20;
    newer[at] = 2;
    fs::write(&envelope, newer).unwrap();
    assert_eq!(code_of(Store::open(&path, with("open sesame"))), "store_too_new");
    fs::remove_file(&envelope).unwrap();
    assert_eq!(code_of(Store::open(&path, with("open sesame"))), "store_corrupt");
    assert_eq!(code_of(Store::open(&path, StoreOptions::default())), "store_corrupt");
    fs::write(&envelope, whole).unwrap();
    open_with(&path, "open sesame");
}

#[test]
fn no_secret_is_shown() {
    let options = with("open sesame");
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path(), options.clone()).unwrap();
    let error = Store::open(folder.path(), with("open barley")).err().unwrap();
    let shown = format!("{:?} {error} {error:?} {:?}", options.passphrase, store.folder());
    assert!(!shown.contains("sesame") && !shown.contains("barley"), "{shown}");
    assert!(shown.contains("Passphrase(secret)") && shown.contains("Key(secret)"), "{shown}");
}

/// A test of this file as a process of its own.
fn process(name: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1", "--ignored"])
        .env("KEEP_FOLDER", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "a part of another test, which runs it in a process of its own"]
fn writes_until_killed() {
    let Some(path) = std::env::var_os("KEEP_FOLDER") else { return };
    let store = open_with(Path::new(&path), "open sesame");
    let mut out = std::io::stdout().lock();
    for number in 0.. {
        remember(&store, &format!("k{number}"), saying(&format!("{WORDS} wrote {number}")));
        writeln!(out, "\n> k{number}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_process_that_is_killed_loses_nothing_and_leaves_no_words() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let mut acknowledged = 0;
    for _ in 0..3 {
        let mut child = process("writes_until_killed", &path);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        acknowledged = acknowledged.max(lines.filter(|line| line.starts_with("> ")).take(40).count());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_unreadable(&path);
    }
    let store = open_with(&path, "open sesame");
    assert!((0..acknowledged).all(|number| store.get(&format!("k{number}")).unwrap().is_some()));
    assert_holds(&store);
}

#[test]
#[ignore = "a part of another test, which runs it in a process of its own"]
fn remembers_ten() {
    let Some(path) = std::env::var_os("KEEP_FOLDER") else { return };
    let store = open_with(Path::new(&path), "open sesame");
    for number in 0..10 {
        remember(&store, &format!("p{}-{number}", std::process::id()), saying(WORDS));
        let _ = found(&store, "lighthouse");
    }
}

#[test]
fn many_processes_make_and_use_one_encrypted_store() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let children: Vec<Child> = (0..5).map(|_| process("remembers_ten", &path)).collect();
    for child in children {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    }
    let store = open_with(&path, "open sesame");
    assert_eq!(found(&store, "lighthouse").len(), 50);
    assert_holds(&store);
    assert_unreadable(&path);
}

/// What can be read of a store, beside its text index.
fn readings(store: &Store) -> Vec<(String, String)> {
    let page = store.list(&Default::default(), chrysalis_store::Order::Created, false, 1_000, 0).unwrap();
    page.into_iter().map(|row| (row.id, row.content)).collect()
}

#[test]
fn a_plain_store_is_encrypted_and_made_plain_again_with_all_that_it_knows() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    furnish(&path);
    let store = open(&path);
    furnish_words(&store);
    let (before, replica, operations) = (readings(&store), store.replica(), verify(&store).operations);
    store.close().unwrap();
    assert_ne!(holding(&path, WORDS.as_bytes()), Vec::<PathBuf>::new());

    convert(&path, None, Some(&secret("open sesame"))).unwrap();
    assert_unreadable(&path);
    assert_eq!(code_of(Store::open(&path, StoreOptions::default())), "store_encrypted");
    let store = open_with(&path, "open sesame");
    assert_eq!((readings(&store), store.replica()), (before.clone(), replica));
    assert!(verify(&store).operations >= operations);
    assert_eq!(store.pending_vectors("m", 100).unwrap(), [], "vectors came along");
    assert_eq!(found(&store, "lighthouse").len(), 40);
    assert_holds(&store);
    remember(&store, "after", saying("written after it was encrypted"));
    store.close().unwrap();
    assert_unreadable(&path);

    convert(&path, Some(&secret("open sesame")), None).unwrap();
    assert!(!path.join("encryption").exists());
    let store = open(&path);
    assert_eq!(readings(&store).len(), before.len() + 1);
    assert_eq!(found(&store, "lighthouse").len(), 40);
    assert_eq!(store.replica(), replica);
    assert_holds(&store);
}

#[test]
fn a_new_key_or_a_new_passphrase_takes_the_place_of_the_one_before() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open_with(&path, "one");
    remember(&store, "m", saying(WORDS));
    // Whoever has it open goes on while the passphrase changes.
    change_passphrase(&path, &secret("one"), &secret("two")).unwrap();
    remember(&store, "n", saying(WORDS));
    assert_eq!(found(&store, "keeper").len(), 2);
    store.close().unwrap();
    assert_eq!(code_of(Store::open(&path, with("one"))), "passphrase_wrong");
    let page = fs::read(path.join("chrysalis.db")).unwrap()[..16].to_vec();
    convert(&path, Some(&secret("two")), Some(&secret("three"))).unwrap();
    assert_eq!(code_of(Store::open(&path, with("two"))), "passphrase_wrong");
    assert_ne!(fs::read(path.join("chrysalis.db")).unwrap()[..16], page, "another key has another salt");
    assert_eq!(readings(&open_with(&path, "three")).len(), 2);
    assert_eq!(change_passphrase(&path, &secret("x"), &secret("y")).unwrap_err().code(), "passphrase_wrong");
}

#[test]
fn a_store_that_somebody_has_open_is_not_converted() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path);
    remember(&store, "m", saying(WORDS));
    let sesame = secret("open sesame");
    assert_eq!(convert(&path, None, Some(&sesame)).unwrap_err().code(), "store_locked");
    remember(&store, "n", saying("and it goes on"));
    store.close().unwrap();
    assert!(!path.join("converting").exists());
    assert_eq!(convert(&path, None, None).unwrap_err().code(), "invalid");
    assert_eq!(convert(&folder.path().join("none"), None, Some(&sesame)).unwrap_err().code(), "not_found");
    fs::write(path.join("chrysalis.db.damaged-1"), WORDS).unwrap();
    let error = convert(&path, None, Some(&sesame)).unwrap_err();
    assert!(error.to_string().contains("damaged-1"), "{error}");
    fs::remove_file(path.join("chrysalis.db.damaged-1")).unwrap();
    convert(&path, None, Some(&sesame)).unwrap();
    assert_eq!(readings(&open_with(&path, "open sesame")).len(), 2);
}

#[test]
fn a_conversion_that_was_interrupted_after_its_files_were_whole_is_ended_by_the_next_opening() {
    let folder = TempDir::new().unwrap();
    let plain = folder.path().join("plain");
    let store = open(&plain);
    furnish_words(&store);
    store.close().unwrap();
    let sound = copy(&plain, &folder.path().join("sound"));
    convert(&sound, None, Some(&secret("open sesame"))).unwrap();
    let new = ["encryption", "key", "vectors.db", "chrysalis.db"];
    for moved in 0..new.len() {
        // The new files up to here are in place, the others still stand in the folder of whole ones.
        let path = copy(&plain, &folder.path().join(moved.to_string()));
        fs::create_dir(path.join("converted")).unwrap();
        for (at, name) in new.iter().enumerate() {
            let place = if at < moved { path.join(name) } else { path.join("converted").join(name) };
            fs::copy(sound.join(name), place).unwrap();
        }
        fs::remove_file(path.join("text.db")).unwrap();
        let store = open_with(&path, "open sesame");
        assert_eq!(readings(&store).len(), 40);
        assert_holds(&store);
        assert!(!path.join("converted").exists());
        store.close().unwrap();
        assert_unreadable(&path);
    }
}

#[test]
fn the_doctor_looks_into_an_encrypted_store_and_saves_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open_with(&path, "open sesame");
    for number in 0..300 {
        remember(&store, &format!("m{number}"), saying(&format!("{WORDS} counts {number} {}", "ships ".repeat(20))));
    }
    let _ = found(&store, "lighthouse");
    store.close().unwrap();
    let sesame = secret("open sesame");
    let well = diagnose(&path, Some(&sesame));
    assert_eq!((levels(&well, Level::Ok), levels(&well, Level::Error)), (vec!["holds"], vec![]), "{well:#?}");
    assert_eq!(levels(&diagnose(&path, None), Level::Error), ["store_encrypted"]);
    assert_eq!(levels(&diagnose(&path, Some(&secret("x"))), Level::Error), ["passphrase_wrong"]);
    assert_eq!(levels(&repair(&path, None), Level::Error), ["store_encrypted"]);

    let bytes = fs::read(path.join("chrysalis.db")).unwrap();
    for page in [0, bytes.len() / 4096 / 2] {
        let copied = copy(&path, &folder.path().join(page.to_string()));
        let mut damaged = bytes.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0x5a);
        fs::write(copied.join("chrysalis.db"), &damaged).unwrap();
        let done = repair(&copied, Some(&sesame));
        assert_eq!(levels(&done, Level::Error), Vec::<&str>::new(), "{done:#?}");
        let store = open_with(&copied, "open sesame");
        assert!(readings(&store).len() >= 285, "{} saved: {done:#?}", readings(&store).len());
        assert_eq!(codes(&verify(&store)), Vec::<&str>::new());
        store.close().unwrap();
        assert_unreadable(&copied);
    }
}

#[test]
fn damaged_derived_files_of_an_encrypted_store_are_made_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open_with(&path, "open sesame");
    furnish_words(&store);
    store.rebuild().unwrap();
    assert_eq!(found(&store, "lighthouse").len(), 40, "a sound index is emptied and filled again");
    store.close().unwrap();
    let damages: [&dyn Fn(Vec<u8>) -> Vec<u8>; 3] = [
        &|_| b"no database".repeat(1_000),
        &|bytes| bytes[..4_096].iter().map(|byte| byte ^ 1).chain(bytes[4_096..].iter().copied()).collect(),
        &|mut bytes| {
            bytes[4_096..].fill(0x5a);
            bytes
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        for derived in ["text.db", "vectors.db"] {
            let copied = copy(&path, &folder.path().join(format!("{number}-{derived}")));
            let file = copied.join(derived);
            fs::write(&file, damage(fs::read(&file).unwrap())).unwrap();
            let store = open_with(&copied, "open sesame");
            assert_eq!(found(&store, "lighthouse").len(), 40, "{number} {derived}");
            put_vector(&store);
            assert_eq!(store.vector_index("m").unwrap().vectors, 40, "{number} {derived}");
            store.forget("m7", "", false).unwrap();
            assert_eq!(found(&store, "lighthouse").len(), 39, "{number} {derived}");
            assert_holds(&store);
            store.close().unwrap();
            assert_unreadable(&copied);
        }
    }
}

#[test]
fn an_encrypted_store_of_version_1_opens() {
    let folder = TempDir::new().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/encrypted1");
    let path = copy(&kept, &folder.path().join("store"));
    let store = open_with(&path, "open sesame");
    assert_eq!(store.get("m").unwrap().unwrap().content, WORDS);
    assert_holds(&store);
}

#[test]
#[ignore = "made the files once, in the folder that KEEP_FOLDER names"]
fn writes_the_files_of_this_version() {
    let Some(path) = std::env::var_os("KEEP_FOLDER") else { return };
    let store = open_with(Path::new(&path), "open sesame");
    remember(&store, "m", saying(WORDS));
    store.close().unwrap();
}
