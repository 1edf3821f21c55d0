//! A store that was restored from an old backup and wrote before it heard of anybody: its log is forked, and of what it
//! said between backup and restore only its peers have the words.

#![allow(clippy::unwrap_used, clippy::panic)]

mod sync_common;
mod wires;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrysalis_core::id::LogId;
use chrysalis_core::payload::Field;
use chrysalis_core::sync::message::Message;
use chrysalis_core::sync::replica::{Outcome, Replica as _, Want};
use chrysalis_store::{Edit, Speaker, Store, StoreOptions};
use sync_common::{assert_holds, content, offers, open, pull, say, take};
use tempfile::TempDir;
use wires::Wires;

const MINE: usize = 0;
const FRIEND: usize = 1;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// A store and a friend; what was said in between is gone from the store, and the friend has it.
struct Accident {
    folder: TempDir,
    mine: Store,
    friend: Store,
    log: LogId,
    /// The first place that the backup lacks.
    cut: u64,
}

impl Accident {
    fn new(friend: impl FnOnce(&Path) -> Store, before: impl FnOnce(&Store), between: impl FnOnce(&Store)) -> Self {
        let folder = TempDir::new().unwrap();
        let (path, friend) = (folder.path().join("mine"), friend(&folder.path().join("friend")));
        let mine = open(&path);
        say(&mine, "early", "in the backup");
        before(&mine);
        let (log, cut) = (mine.head().unwrap().log, mine.head().unwrap().last.unwrap().sequence + 1);
        mine.close().unwrap();
        let backup = std::fs::read(path.join("chrysalis.db")).unwrap();
        let mine = open(&path);
        between(&mine);
        pull(&mine, &friend);
        pull(&friend, &mine);
        mine.close().unwrap();
        // Written over in place, as a restore does: the file stays the same file.
        std::fs::write(path.join("chrysalis.db"), backup).unwrap();
        Self { mine: open(&path), folder, friend, log, cut }
    }

    /// The restored store writes, and the friend hears of that first: it cuts what it alone has.
    fn fork(&self) {
        say(&self.mine, "offline", "said before anybody was heard");
        let second = Speaker(&self.mine).read(&[Want { log: self.log, from: self.cut }], usize::MAX).unwrap();
        assert_eq!(take(&self.friend, offers(&self.mine, second)), [Outcome::Forked]);
    }

    /// Both meet, until they have nothing left to say.
    fn meet(self) -> (TempDir, Store, Store) {
        let mut wires = Wires::of([self.mine, self.friend]);
        wires.link(MINE, FRIEND);
        wires.settle();
        wires.pass(120_000);
        assert!(wires.agree(&[MINE, FRIEND]));
        let [mine, friend] = <[Store; 2]>::try_from(wires.into_stores()).unwrap_or_else(|_| panic!("two stores"));
        [&mine, &friend].into_iter().for_each(assert_holds);
        (self.folder, mine, friend)
    }
}

fn bytes_kept(path: &Path) -> u64 {
    let database = rusqlite::Connection::open(path.join("chrysalis.db")).unwrap();
    let sql = "SELECT coalesce(sum(length(payload)), 0) FROM operation WHERE state = 4";
    database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
}

fn holds_bytes(path: &Path, wanted: &str) -> bool {
    let files = std::fs::read_dir(path).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(wanted.len()).any(|some| some == wanted.as_bytes()))
}

fn late(number: usize) -> String {
    format!("late{number}")
}

#[test]
fn what_only_a_peer_had_of_the_branch_that_it_cut_first_is_said_again() {
    let between = |store: &Store| (0..150).for_each(|number| say(store, &late(number), "after the backup"));
    let accident = Accident::new(open, |_| (), between);
    accident.fork();
    assert_eq!(content(&accident.friend, "late0"), None, "void words are shown to nobody");
    let (_folder, mine, friend) = accident.meet();
    for id in (0..150).map(late).chain(["early".to_owned(), "offline".to_owned()]) {
        assert!(content(&mine, &id).is_some() && content(&friend, &id).is_some(), "{id}");
    }
}

#[test]
fn what_only_a_peer_had_is_said_again_when_both_find_the_fork_over_their_link() {
    let between = |store: &Store| (0..150).for_each(|number| say(store, &late(number), "after the backup"));
    let accident = Accident::new(open, |_| (), between);
    (0..151).for_each(|number| say(&accident.mine, &format!("offline{number}"), "said before anybody was heard"));
    let (_folder, mine, friend) = accident.meet();
    for id in (0..150).map(late).chain((0..151).map(|number| format!("offline{number}"))) {
        assert!(content(&mine, &id).is_some() && content(&friend, &id).is_some(), "{id}");
    }
}

#[test]
fn an_edit_that_saw_a_void_one_keeps_the_last_word() {
    let between = |store: &Store| ["second", "third"].into_iter().for_each(|words| say(store, "plan", words));
    let accident = Accident::new(open, |store| say(store, "plan", "first"), between);
    say(&accident.friend, "plan", "fourth, having read the third");
    accident.fork();
    let (_folder, mine, friend) = accident.meet();
    for store in [&mine, &friend] {
        assert_eq!(content(store, "plan").unwrap(), "fourth, having read the third");
        assert_eq!(store.get("plan").unwrap().unwrap().conflicts, 0);
    }
}

#[test]
fn an_older_edit_that_is_said_again_late_is_shown_beside_a_newer_one_and_does_not_win() {
    let accident = Accident::new(open, |store| say(store, "plan", "first"), |store| say(store, "plan", "second"));
    (0..5).for_each(|number| say(&accident.mine, &format!("offline{number}"), "time passes"));
    say(&accident.mine, "plan", "newer");
    accident.fork();
    let (_folder, mine, friend) = accident.meet();
    for store in [&mine, &friend] {
        assert_eq!(content(store, "plan").unwrap(), "newer");
        let document = store.document("plan").unwrap();
        let losers: Vec<String> =
            document.conflicts(Field::Content).iter().map(|loser| format!("{:?}", loser.value)).collect();
        assert_eq!(losers, ["Text(\"second\")"]);
    }
}

#[test]
fn several_edits_of_one_memory_that_are_said_again_end_in_the_last_one() {
    let between = |store: &Store| ["second", "third", "last"].into_iter().for_each(|words| say(store, "plan", words));
    let accident = Accident::new(open, |store| say(store, "plan", "first"), between);
    accident.fork();
    let (_folder, mine, friend) = accident.meet();
    for store in [&mine, &friend] {
        assert_eq!(content(store, "plan").unwrap(), "last");
        assert_eq!(store.get("plan").unwrap().unwrap().conflicts, 0);
    }
}

#[test]
fn a_branch_that_is_brought_again_changes_nothing_more() {
    let tagged = |store: &Store| {
        say(store, "late0", "after the backup");
        let mut edit = Edit::default();
        edit.add_tags.insert("draft".to_owned());
        store.update("agent", "late0", edit).unwrap();
        store.update("agent", "early", Edit { add_tags: ["draft".to_owned()].into(), ..Edit::default() }).unwrap();
    };
    let accident = Accident::new(open, |_| (), tagged);
    accident.fork();
    let kept = Speaker(&accident.friend).read_void(&accident.log, 0, usize::MAX).unwrap();
    let (_folder, mine, friend) = accident.meet();
    let untag = || Edit { remove_tags: ["draft".to_owned()].into(), ..Edit::default() };
    for id in ["late0", "early"] {
        assert_eq!(mine.document(id).unwrap().tags().collect::<Vec<_>>(), ["draft"]);
        mine.update("agent", id, untag()).unwrap();
    }
    say(&mine, "late0", "changed since");
    let (head, digest) = (mine.head().unwrap(), mine.logical_digest().unwrap());
    for _ in 0..2 {
        take(&mine, offers(&friend, kept.clone()));
    }
    assert_eq!((mine.head().unwrap(), mine.logical_digest().unwrap()), (head, digest));
    assert_eq!(content(&mine, "late0").unwrap(), "changed since");
}

#[test]
fn what_was_said_again_is_kept_for_its_author_no_longer() {
    let accident = Accident::new(open, |_| (), |store| say(store, "late", "after the backup"));
    accident.fork();
    assert!(bytes_kept(&accident.folder.path().join("friend")) > 0);
    let (folder, _mine, friend) = accident.meet();
    friend.sweep().unwrap();
    assert_eq!(bytes_kept(&folder.path().join("friend")), 0);
}

#[test]
fn what_is_forgotten_while_it_is_kept_is_gone_and_is_not_said_again() {
    let between = |store: &Store| {
        say(store, "secret", "the code is 7734 zebra");
        say(store, "late", "after the backup");
    };
    let accident = Accident::new(open, |_| (), between);
    accident.fork();
    accident.friend.forget("secret", "", false).unwrap();
    let (folder, mine, friend) = accident.meet();
    for store in [&mine, &friend] {
        assert_eq!((content(store, "secret"), content(store, "late").as_deref()), (None, Some("after the backup")));
    }
    friend.close().unwrap();
    mine.close().unwrap();
    for name in ["mine", "friend"] {
        assert!(!holds_bytes(&folder.path().join(name), "7734 zebra"), "{name}");
    }
}

#[test]
fn void_words_are_kept_within_a_bound_and_for_thirty_days() {
    let now_ms = Arc::new(AtomicU64::new(1_767_225_600_000));
    let clock = Arc::clone(&now_ms);
    let friend = move |path: &Path| {
        let clock = Arc::new(move || clock.load(Ordering::Relaxed));
        Store::open(path, StoreOptions { clock, ..StoreOptions::default() }).unwrap()
    };
    let long = "x".repeat(60_000);
    let between = |store: &Store| (0..30).for_each(|number| say(store, &late(number), &long));
    let accident = Accident::new(friend, |_| (), between);
    accident.fork();
    let path = accident.folder.path().join("friend");
    let kept = bytes_kept(&path);
    assert!((900_000..=1 << 20).contains(&kept), "{kept}");
    now_ms.fetch_add(29 * DAY_MS, Ordering::Relaxed);
    accident.friend.sweep().unwrap();
    assert_eq!(bytes_kept(&path), kept);
    now_ms.fetch_add(DAY_MS, Ordering::Relaxed);
    accident.friend.sweep().unwrap();
    assert_eq!(bytes_kept(&path), 0);
    assert_holds(&accident.friend);
}

#[test]
fn void_words_are_given_to_their_author_alone() {
    let accident = Accident::new(open, |_| (), |store| say(store, "late", "after the backup"));
    accident.fork();
    let (log, cut) = (accident.log, accident.cut);
    let stranger = open(&accident.folder.path().join("stranger"));
    let mut wires = Wires::of([stranger, accident.friend]);
    let (_, far) = wires.link(0, FRIEND);
    wires.settle();
    let from = wires.peers[FRIEND].sent.len();
    let want = Message::Want { wants: vec![Want { log, from: cut }], plain: true };
    wires.peers[FRIEND].node.received(far, want.encode());
    wires.settle();
    let told = wires.peers[FRIEND].said(far, from);
    let answers: Vec<bool> = told
        .iter()
        .filter_map(|message| match message {
            Message::Segments { segments, .. } => Some(segments.is_empty()),
            _ => None,
        })
        .collect();
    assert_eq!(answers, [true]);
}
