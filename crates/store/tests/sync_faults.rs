//! Taking in what peers bring, when the disk is full, the process is killed, all comes in any order, or a liar floods.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod disk_common;
mod sync_common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use chrysalis_core::admit::LogFacts;
use chrysalis_core::fork::{Branch, Proof};
use chrysalis_core::id::{Epoch, Salt};
use chrysalis_core::limits;
use chrysalis_core::log::{Draft, Head};
use chrysalis_core::member::{Open, Space};
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::Payload;
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::replica::{Intake, Offer, Outcome, Replica as _, Segment};
use chrysalis_store::{Speaker, Store, StoreError};
use disk_common::SmallDisk;
use proptest::prelude::*;
use sync_common::{assert_holds, lacking, offers, open, pull, say, take};
use tempfile::TempDir;

fn say_many(store: &Store, prefix: &str, count: usize) {
    store.begin_batch().unwrap();
    (0..count).for_each(|number| say(store, &format!("{prefix}{number}"), &format!("{prefix} {}", "x".repeat(400))));
    store.commit_batch().unwrap();
}

/// Operations of others that are here.
fn taken(source: &Store, taker: &Store) -> u64 {
    let state = Speaker(taker).state(&source.head().unwrap().log).unwrap();
    state.map_or(0, |state| state.count)
}

#[test]
fn a_disk_that_fills_while_taking_in_keeps_what_was_taken_and_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(3_072) else { return };
    let folder = TempDir::new().unwrap();
    let source = open(folder.path());
    say_many(&source, "a", 4_000);
    let taker = open(&disk.path().join("taker"));
    let error = loop {
        let before = taken(&source, &taker);
        let segments = Speaker(&source).read(&lacking(&source, &taker), 1 << 16).unwrap();
        assert!(!segments.is_empty(), "the disk was not full");
        if let Err(error) = Speaker(&taker).take(offers(&source, segments)) {
            assert_eq!(taken(&source, &taker), before, "nothing of a take that failed counts");
            break error;
        }
    };
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    assert!(taken(&source, &taker) > 0);
    disk.remount("size=65536k");
    pull(&source, &taker);
    pull(&taker, &source);
    assert_eq!(source.logical_digest().unwrap(), taker.logical_digest().unwrap());
    assert_holds(&taker);
}

#[test]
#[ignore = "a part of another test, which runs it in a process of its own"]
fn takes_in_until_killed() {
    let Some(folder) = std::env::var_os("SYNC_FOLDER") else { return };
    let folder = Path::new(&folder);
    let (source, taker) = (open(&folder.join("source")), open(&folder.join("taker")));
    let mut out = std::io::stdout().lock();
    loop {
        let segments = Speaker(&source).read(&lacking(&source, &taker), 1 << 14).unwrap();
        take(&taker, offers(&source, segments));
        writeln!(out, "\n> {}", taken(&source, &taker)).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_kill_while_taking_in_loses_nothing_that_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    let source = open(&folder.path().join("source"));
    say_many(&source, "a", 3_000);
    for life in 0..12_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "takes_in_until_killed", "--nocapture", "--test-threads=1", "--ignored"])
            .env("SYNC_FOLDER", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::park_timeout(Duration::from_micros(20_000 + life * 7_919));
        child.kill().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let acknowledged = said.filter_map(|line| line.strip_prefix("> ")?.parse::<u64>().ok()).last().unwrap_or(0);
        child.wait().unwrap();
        let taker = open(&folder.path().join("taker"));
        let here = taken(&source, &taker);
        assert!(here >= acknowledged, "{acknowledged} were acknowledged, {here} are here");
        assert_holds(&taker);
        taker.close().unwrap();
    }
    let taker = open(&folder.path().join("taker"));
    pull(&source, &taker);
    pull(&taker, &source);
    assert_eq!(source.logical_digest().unwrap(), taker.logical_digest().unwrap());
}

/// One thing that happens among three stores: words, or an offer of a part of what one has.
#[derive(Clone, Debug)]
enum Step {
    Say(usize, u8),
    Offer { from: usize, to: usize, rotated: usize, twice: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let offer = (0..3_usize, 0..3_usize, 0..9_usize, any::<bool>());
    let step = prop_oneof![
        4 => (0..3_usize, 0..6_u8).prop_map(|(who, what)| Step::Say(who, what)),
        3 => offer.prop_map(|(from, to, rotated, twice)| Step::Offer { from, to, rotated, twice }),
    ];
    prop::collection::vec(step, 1..40)
}

fn run(stores: &[Store; 3], number: usize, step: &Step) {
    match *step {
        Step::Say(who, what) => {
            let mut edit = chrysalis_store::Edit::default();
            let words = chrysalis_core::payload::Value::Text(format!("said in step {number}"));
            edit.set(chrysalis_core::payload::Field::Content, words);
            stores[who].remember("agent", chrysalis_store::Remember { id: Some(format!("m{what}")), edit }).unwrap();
        }
        Step::Offer { from, to, rotated, twice } => {
            let wants = Speaker(&stores[from]).states().unwrap().into_iter();
            let wants: Vec<_> =
                wants.map(|state| chrysalis_core::sync::replica::Want { log: state.log, from: 0 }).collect();
            let mut segments: Vec<Segment> = Speaker(&stores[from]).read(&wants, usize::MAX).unwrap();
            let middle = rotated % segments.len().max(1);
            segments.rotate_left(middle);
            if twice {
                segments.extend(segments.clone());
            }
            let outcomes = take(&stores[to], offers(&stores[from], segments));
            assert!(
                outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored(_) | Outcome::Waiting(_))),
                "{outcomes:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stores_that_exchange_in_any_order_and_twice_come_to_the_same(steps in steps()) {
        let folder = TempDir::new().unwrap();
        let stores = ["one", "two", "three"].map(|name| open(&folder.path().join(name)));
        steps.iter().enumerate().for_each(|(number, step)| run(&stores, number, step));
        for _ in 0..2 {
            for (from, to) in [(0, 1), (1, 2), (2, 0), (2, 1), (1, 0), (0, 2)] {
                pull(&stores[from], &stores[to]);
            }
        }
        let digests = stores.each_ref().map(|store| store.logical_digest().unwrap());
        prop_assert_eq!(digests[0], digests[1]);
        prop_assert_eq!(digests[1], digests[2]);
        stores.iter().for_each(assert_holds);
    }
}

/// Two openings of one log by a key that nobody knows.
fn stranger(space: &Space, number: u32) -> Proof {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    let (key, epoch) = (SecretKey::from_seed(&seed), Epoch([9; Epoch::LENGTH]));
    let opening = Open { space: space.clone(), replica: key.public(), epoch, grant: None };
    let facts = LogFacts { replica: key.public(), epoch, role: opening.claimed_role() };
    let branch = |salt: u8| {
        let mut head = Head::unopened(opening.log(), facts);
        let draft = Draft {
            payload: Payload::Open(Box::new(opening.clone())),
            salt: Salt([salt; Salt::LENGTH]),
            now_ms: 1,
            expires_ms: None,
            dependencies: Vec::new(),
            payload_bytes_max: limits::PAYLOAD_BYTES_DEFAULT,
        };
        let said: Operation = head.extend(&key, draft).unwrap().operation().clone();
        (said.fingerprint(), Branch { headers: vec![said.header_bytes().into()], signature: *said.signature() })
    };
    let mut branches = [branch(1), branch(2)];
    branches.sort_by_key(|(first, _)| *first);
    let [(_, left), (_, right)] = branches;
    let (replica, role) = (facts.replica, facts.role);
    Proof { space: space.id(), replica, epoch, role, left, right }
}

#[test]
fn proofs_about_strangers_are_kept_while_they_are_few() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let flood = (0..4_100).map(|number| Offer::Proof(Box::new(stranger(store.space(), number))));
    let offered = flood.map(|proof| (store.replica(), proof)).collect();
    let outcomes = take(&store, Intake { offers: offered, ..Intake::default() });
    assert_eq!(outcomes[..4_096], vec![Outcome::Stored(1); 4_096]);
    assert_eq!(outcomes[4_096..], vec![Outcome::Stored(0); 4]);
    assert_eq!(store.proven().unwrap().len(), 4_096);
}

#[test]
fn a_proof_of_what_is_known_is_not_even_checked_and_one_that_proves_more_is() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let known = stranger(store.space(), 1);
    let mut damaged = [known.clone(), stranger(store.space(), 2)];
    for proof in &mut damaged {
        proof.left.signature.0[5] ^= 1;
    }
    let [again, unknown] = damaged;
    let offers = [known, again, unknown].map(|proof| (store.replica(), Offer::Proof(Box::new(proof))));
    let outcomes = take(&store, Intake { offers: offers.into(), ..Intake::default() });
    assert_eq!(outcomes[..2], [Outcome::Stored(1), Outcome::Stored(0)]);
    assert!(matches!(outcomes[2], Outcome::Refused(_)));
}
