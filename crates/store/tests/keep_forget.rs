//! Forgetting for real: after it, no file of the store holds the bytes, and everything else is still found.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use chrysalis_core::payload::{Field, Value};
use chrysalis_store::{Edit, Store};
use keep_common::{assert_holds, found, open, remember, saying, tamper};
use tempfile::TempDir;

/// Repeatable numbers that look random.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A word that stands nowhere else; never shorter than 12 letters, so that it does not appear by chance.
    fn word(&mut self) -> String {
        let length = 12 + self.below(20);
        (0..length).map(|_| char::from(b'a' + self.below(26) as u8)).collect()
    }
}

/// The words that stand in one memory and nowhere else, in every place that holds words.
fn furnish(store: &Store, dice: &mut Dice, id: &str) -> Vec<String> {
    let words: Vec<String> = (0..6).map(|_| dice.word()).collect();
    let sizes = [0, 40, 400, 1_000, 4_000, 4_090, 9_000, 20_000, 55_000];
    let padding = "so it goes ".repeat(sizes[dice.below(sizes.len() as u64) as usize] / 11);
    let mut edit = saying(&format!("{} {padding} {}", words[0], words[1]));
    edit.add_tags.insert(words[2].clone());
    edit.set(Field::Speaker, Value::Text(words[3].clone()));
    edit.metadata.insert("note".to_owned(), Some(format!("{:?}", words[4])));
    edit.set(Field::Thread, Value::Text(words[5].clone()));
    remember(store, id, edit);
    words
}

/// Changes a memory; what it said before is superseded, and counts to its words.
fn change(store: &Store, dice: &mut Dice, id: &str, words: &mut Vec<String>) {
    let word = dice.word();
    let mut edit = saying(&format!("{word} instead {}", "and more ".repeat(dice.below(900) as usize)));
    edit.add_tags.insert(dice.word());
    words.extend(edit.add_tags.iter().cloned());
    words.push(word);
    store.update("boris", id, edit).unwrap();
}

/// Which of the words stand in which file.
fn traces(folder: &Path, words: &[String]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let present: HashSet<&[u8]> = bytes.windows(12).collect();
        let held = words.iter().filter(|word| present.contains(&word.as_bytes()[..12]));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        found.extend(held.map(|word| (name.clone(), word.clone())));
    }
    found
}

/// Another process that has the store open and idles. It ends with its standard input.
fn onlooker(folder: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "looks_on", "--nocapture", "--test-threads=1", "--ignored"])
        .env("KEEP_FOLDER", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let out = child.stdout.as_mut().unwrap();
    while !said.ends_with(b"ready") {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "the onlooker ended");
        said.push(byte[0]);
    }
    child
}

#[test]
#[ignore = "a part of another test, which runs it in a process of its own"]
fn looks_on() {
    let Some(folder) = std::env::var_os("KEEP_FOLDER") else { return };
    let store = open(Path::new(&folder));
    let _ = found(&store, "instead");
    let _ = store.list(&Default::default(), chrysalis_store::Order::Created, false, 10, 0).unwrap();
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn no_file_holds_what_was_forgotten_and_all_else_is_found() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path);
    let mut dice = Dice(7);
    let mut memories: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for number in 0..240 {
        let id = format!("m{number}");
        let words = furnish(&store, &mut dice, &id);
        memories.insert(id, words);
        if number == 100 {
            assert_eq!(found(&store, &memories["m50"][0]), ["m50"]);
        }
    }
    let ids: Vec<String> = memories.keys().cloned().collect();
    for _ in 0..150 {
        let id = &ids[dice.below(240) as usize];
        change(&store, &mut dice, id, memories.get_mut(id).unwrap());
    }
    let current = memories["m7"][0].clone();
    let _ = found(&store, &current);
    let mut other = onlooker(&path);
    let mut gone = Vec::new();
    for step in 0..90 {
        let left: Vec<String> = memories.keys().cloned().collect();
        let id = &left[dice.below(left.len() as u64) as usize];
        gone.extend(memories.remove(id).unwrap());
        if step < 60 {
            store.forget(id, "no longer needed", step % 7 == 0).unwrap();
        } else {
            // The last ones in batches of ten.
            if step % 10 == 0 {
                store.begin_batch().unwrap();
            }
            store.forget(id, "", false).unwrap();
            if step % 10 == 9 {
                store.commit_batch().unwrap();
            }
        }
        if step % 5 == 0 {
            let id = format!("new{step}");
            let words = furnish(&store, &mut dice, &id);
            memories.insert(id, words);
        }
    }
    assert_eq!(traces(&path, &gone), []);
    for (id, words) in &memories {
        let row = store.get(id).unwrap().unwrap();
        let standing = words.iter().find(|word| row.content.contains(word.as_str())).unwrap();
        assert_eq!(found(&store, standing), *std::slice::from_ref(id));
    }
    assert_holds(&store);
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
    assert_eq!(traces(&path, &gone), []);
    store.close().unwrap();
    assert_eq!(traces(&path, &gone), []);
}

/// Forgets in a process that dies after the commit and before anything was erased from the derived files.
#[test]
fn what_a_killed_process_began_to_forget_is_gone_after_the_next_open() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path);
    let mut dice = Dice(11);
    let mut words = furnish(&store, &mut dice, "secret");
    change(&store, &mut dice, "secret", &mut words);
    let kept = furnish(&store, &mut dice, "kept");
    assert_eq!(found(&store, &kept[0]), ["kept"]);
    store.close().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "forgets_and_dies", "--nocapture", "--test-threads=1", "--ignored"])
        .env("KEEP_FOLDER", &path)
        .status()
        .unwrap();
    assert!(!status.success());
    assert_ne!(traces(&path, &words), [], "the derived files still hold the words");
    let store = open(&path);
    assert_eq!(store.get("secret").unwrap(), None);
    assert_eq!(traces(&path, &words), []);
    assert_eq!(found(&store, &kept[0]), ["kept"]);
    assert_holds(&store);
}

#[test]
#[ignore = "a part of another test, which runs it in a process of its own"]
fn forgets_and_dies() {
    let Some(folder) = std::env::var_os("KEEP_FOLDER") else { return };
    let store = open(Path::new(&folder));
    // Another process that reads keeps the erasure from finishing; here this process reads itself, and then dies
    // with the numbers of what has to be erased in the database.
    let reader = rusqlite::Connection::open(Path::new(&folder).join("chrysalis.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM operation;").unwrap();
    let text = rusqlite::Connection::open(Path::new(&folder).join("text.db")).unwrap();
    text.execute_batch("BEGIN; SELECT count(*) FROM state;").unwrap();
    store.forget("secret", "", false).unwrap();
    std::process::abort();
}

#[test]
fn what_a_reader_kept_from_being_erased_is_erased_by_the_next_sweep() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path);
    let mut dice = Dice(13);
    let words = furnish(&store, &mut dice, "secret");
    let _ = found(&store, &words[0]);
    let reader = rusqlite::Connection::open(path.join("chrysalis.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM operation;").unwrap();
    store.forget("secret", "", false).unwrap();
    assert_eq!(store.get("secret").unwrap(), None);
    reader.execute_batch("ROLLBACK").unwrap();
    store.sweep().unwrap();
    assert_eq!(traces(&path, &words), []);
}

#[test]
fn words_that_were_never_shown_are_erased_as_well() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path);
    let mut dice = Dice(17);
    let word = dice.word();
    let mut fading = saying(&format!("{word} fades"));
    fading.set(Field::Expiry, Value::Integer(4_000_000_000_000));
    remember(&store, "m", fading);
    let mut promote = Edit::default();
    promote.set(Field::Content, Value::Text("something else".to_owned()));
    promote.set(Field::Expiry, Value::Null);
    store.update("anna", "m", promote).unwrap();
    store.close().unwrap();
    // Its time comes: the first operation loses its words, while the memory stays.
    let hands = keep_common::Hands::at(4_000_000_000_001);
    let store = Store::open(&path, hands.options()).unwrap();
    assert_eq!(store.get("m").unwrap().unwrap().content, "something else");
    assert_eq!(found(&store, "something"), ["m"]);
    assert_eq!(traces(&path, &[word]), []);
    assert_holds(&store);
    store.close().unwrap();
    tamper(&path, "SELECT 1");
}
