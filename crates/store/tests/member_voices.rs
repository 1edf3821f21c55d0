//! Whose word counts in a closed space: votes, forgetting, and scores read over the members.

#![allow(clippy::unwrap_used, clippy::panic)]

mod member_common;

use chrysalis_core::id::{Epoch, MemoryId, ReplicaKey, Salt, content_digest};
use chrysalis_core::log::{Draft, Head};
use chrysalis_core::member::{LogFacts, Open, Role};
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::{Attest, Payload, Score};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::replica::{Intake, Offer, Outcome, Replica};
use chrysalis_core::token::Token;
use chrysalis_store::{Edit, Speaker, Store};
use member_common::{Ground, START_MS, code, content, remember, saying, try_remember};

fn draft(payload: Payload, salt: u8) -> Draft {
    Draft {
        payload,
        salt: Salt([salt; 16]),
        now_ms: START_MS,
        expires_ms: None,
        dependencies: Vec::new(),
        payload_bytes_max: 1 << 16,
    }
}

/// A validator whom the founder invited: its opening, and two contradictory votes with one sequence number.
fn two_faced(founder: &Store, memory: &str) -> (ReplicaKey, Operation, [Operation; 2]) {
    let key = SecretKey::from_seed(&[77; 32]);
    let token = Token::decode(&founder.invite(Role::Validator, None, Vec::new()).unwrap()).unwrap();
    let grant = Some(token.accept(&key.public()));
    let open = Open { space: founder.space().clone(), replica: key.public(), epoch: Epoch([7; 16]), grant };
    let facts = LogFacts { replica: open.replica, epoch: open.epoch, role: open.claimed_role() };
    let mut head = Head::unopened(open.log(), facts);
    let opening = head.extend(&key, draft(Payload::Open(Box::new(open)), 1)).unwrap().operation().clone();
    let says = content_digest(&content(founder, memory).unwrap());
    let votes = [(u16::MAX, 2), (0, 3)].map(|(confidence, salt)| {
        let vote = Attest { memory: MemoryId::new(memory).unwrap(), content: says, confidence };
        head.clone().extend(&key, draft(Payload::Attest(vote), salt)).unwrap().operation().clone()
    });
    (key.public(), opening, votes)
}

fn offer(store: &Store, operations: &[&Operation]) -> Outcome {
    let segment = operations.iter().map(|operation| (*operation).clone()).collect();
    let intake = Intake { offers: vec![(store.replica(), Offer::Segment(segment))], ..Intake::default() };
    Speaker(store).take(intake).unwrap().remove(0)
}

/// Each voter with its vote.
fn votes(store: &Store, id: &str) -> Vec<(ReplicaKey, u16)> {
    store.ballots(id).unwrap().votes.iter().map(|vote| (vote.voter, vote.confidence)).collect()
}

#[test]
fn two_contradictory_votes_with_one_number_are_a_fork_and_neither_counts_anywhere() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let honest = ground.invited(&founder, "honest", Role::Validator);
    let third = ground.invited(&founder, "third", Role::Validator);
    remember(&founder, "m", "the bridge holds ten tons");
    ground.agree(&[&founder, &honest, &third]);
    honest.attest("m", 60_000).unwrap();
    let (liar, opening, [yes, no]) = two_faced(&founder, "m");
    // One says yes to the one and no to the other.
    assert_eq!(offer(&founder, &[&opening, &yes]), Outcome::Stored(2));
    assert_eq!(offer(&honest, &[&opening, &no]), Outcome::Stored(2));
    assert!(votes(&founder, "m").contains(&(liar, u16::MAX)));
    assert!(votes(&honest, "m").contains(&(liar, 0)));
    let all = [&founder, &honest, &third];
    ground.agree(&all);
    for store in all {
        let [proven] = &store.proven().unwrap()[..] else { panic!("one proof") };
        assert_eq!((proven.replica, proven.sequence), (liar, 1));
        assert_eq!(votes(store, "m"), [(honest.replica(), 60_000)]);
        assert_eq!(store.ballots("m").unwrap(), founder.ballots("m").unwrap());
    }
}

#[test]
fn a_removed_validator_neither_votes_nor_is_counted_on_any_replica() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let validators = ["a", "b", "c", "d"].map(|name| ground.invited(&founder, name, Role::Validator));
    let writer = ground.invited(&founder, "writer", Role::Writer);
    remember(&writer, "m", "the bridge holds ten tons");
    let all: Vec<&Store> = [&founder, &writer].into_iter().chain(&validators).collect();
    ground.agree(&all);
    for (number, validator) in validators.iter().enumerate() {
        validator.attest("m", 10_000 * (number as u16 + 1)).unwrap();
    }
    assert_eq!(code(writer.attest("m", 1)), "role_lacking");
    ground.agree(&all);
    for store in &all {
        let ballots = store.ballots("m").unwrap();
        assert_eq!((ballots.votes.len(), ballots.validators.len()), (4, 5));
    }
    founder.remove(validators[3].replica()).unwrap();
    validators[3].attest("m", 7).unwrap();
    ground.agree(&all);
    let mut voters: Vec<_> = validators[..3].iter().map(Store::replica).collect();
    voters.sort();
    for store in &all {
        let ballots = store.ballots("m").unwrap();
        assert_eq!(ballots, founder.ballots("m").unwrap());
        assert_eq!(ballots.votes.iter().map(|vote| vote.voter).collect::<Vec<_>>(), voters);
        assert!(ballots.votes.iter().all(|vote| vote.is_current));
        assert_eq!(ballots.validators.len(), 4);
    }
}

#[test]
fn a_writer_forgets_what_is_its_own_and_an_administrator_what_is_anyones() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let author = ground.invited(&founder, "author", Role::Writer);
    let other = ground.invited(&founder, "other", Role::Writer);
    let all = [&founder, &author, &other];
    for id in ["own", "told", "kept"] {
        remember(&author, id, &format!("the author's {id}"));
    }
    ground.agree(&all);
    // Another writer may change a memory, and not end it; nor by repeating its words and withdrawing them.
    other.update("anna", "kept", saying("as another sees it")).unwrap();
    assert_eq!(code(other.forget("kept", "", false)), "not_allowed");
    remember(&other, "copy", "the author's told");
    assert_eq!(code(other.forget("copy", "", true)), "role_lacking");
    ground.agree(&all);
    assert!(all.iter().all(|store| content(store, "told").as_deref() == Some("the author's told")));
    assert!(all.iter().all(|store| content(store, "kept").as_deref() == Some("as another sees it")));
    // The author's forgetting takes the words of those who edited too, even the ones that had not come yet.
    other.update("anna", "own", saying("edited meanwhile")).unwrap();
    author.forget("own", "", false).unwrap();
    founder.forget("told", "", false).unwrap();
    ground.agree(&all);
    for store in all {
        assert_eq!((content(store, "own"), content(store, "told")), (None, None));
        assert_eq!(content(store, "kept").as_deref(), Some("as another sees it"));
    }
    assert_eq!(code(try_remember(&author, "told", "again")), "not_allowed");
}

#[test]
fn the_trimmed_mean_of_a_robust_space_follows_members_who_come_and_go() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let writers = ["a", "b", "c", "d", "e", "f"].map(|name| ground.invited(&founder, name, Role::Writer));
    founder.set_robust(true).unwrap();
    remember(&founder, "m", "how sure are we?");
    let all: Vec<&Store> = [&founder].into_iter().chain(&writers).collect();
    ground.agree(&all);
    let said = [1_000, 2_000, 4_000, 8_000, 9_000, 30_000, 65_535];
    for (store, confidence) in all.iter().zip(said) {
        let mut edit = Edit::default();
        edit.scores.insert(Score::Confidence, confidence);
        store.update("anna", "m", edit).unwrap();
    }
    ground.agree(&all);
    let read = || -> Vec<u16> { all.iter().map(|store| store.get("m").unwrap().unwrap().confidence).collect() };
    // Of seven two are cut from each end.
    assert_eq!(read(), [7_000; 7]);
    // Silent ones who come make ten: three are cut, and the middle is left.
    let silent = ["g", "h", "i"].map(|name| ground.invited(&founder, name, Role::Writer));
    let with_silent: Vec<&Store> = all.iter().copied().chain(&silent).collect();
    ground.agree(&with_silent);
    assert_eq!(read(), [8_000; 7]);
    founder.remove(silent[0].replica()).unwrap();
    ground.agree(&with_silent);
    assert_eq!(read(), [7_000; 7]);
    // Who had not heard of it and joined late reads the same.
    let late = ground.invited(&founder, "late", Role::Reader);
    ground.agree(&[&founder, &late]);
    assert_eq!(late.get("m").unwrap().unwrap().confidence, 7_000);
}
