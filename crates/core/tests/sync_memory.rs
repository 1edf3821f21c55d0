//! The replica in memory answers its node as a store does, and enters nothing but by admission.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use chrysalis_core::admit::Missing;
use chrysalis_core::id::{Epoch, Fingerprint, Salt};
use chrysalis_core::operation::Operation;
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::replica::{Intake, LogState, Mark, Offer, Outcome, Replica, Segment, Tip, Want};
use common::{Author, START_MS, note, open_space, opened};

fn replica(seed: u8) -> MemoryReplica {
    let mut replica = MemoryReplica::new(open_space(), SecretKey::from_seed(&[seed; 32]), None);
    replica.open(Epoch([seed; 16]), Salt([0; 16]), START_MS).unwrap();
    replica
}

fn say(replica: &mut MemoryReplica, words: &str) -> Operation {
    replica.say(note(words), Salt([7; 16]), START_MS).unwrap()
}

fn offer(replica: &mut MemoryReplica, offers: Vec<Offer>) -> Vec<Outcome> {
    let from = SecretKey::from_seed(&[99; 32]).public();
    let offers = offers.into_iter().map(|offer| (from, offer)).collect();
    replica.take(Intake { offers, ..Intake::default() }).unwrap()
}

fn segments(replica: &MemoryReplica, bytes_max: usize) -> Vec<Segment> {
    let wants: Vec<_> = replica.states().unwrap().iter().map(|state| Want { log: state.log, from: 0 }).collect();
    replica.read(&wants, bytes_max).unwrap()
}

#[test]
fn what_one_reads_another_takes_and_both_stand_alike() {
    let (mut one, mut other) = (replica(1), replica(2));
    for round in 0..70 {
        say(&mut one, &format!("round {round}"));
    }
    let all = segments(&one, usize::MAX);
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [64, 7]);
    let outcomes = offer(&mut other, all.into_iter().map(Offer::Segment).collect());
    assert_eq!(outcomes, [Outcome::Stored(64), Outcome::Stored(7)]);
    // It answers what it came to know, so that a third one gets it in an order that admission accepts.
    say(&mut other, "an answer");
    let outcomes = offer(&mut one, segments(&other, usize::MAX).into_iter().map(Offer::Segment).collect());
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored(_))), "{outcomes:?}");
    assert_eq!(one.states(), other.states());
    let mut third = MemoryReplica::new(open_space(), SecretKey::from_seed(&[3; 32]), None);
    let outcomes = offer(&mut third, segments(&one, usize::MAX).into_iter().map(Offer::Segment).collect());
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored(_))), "{outcomes:?}");
    assert_eq!(third.states(), one.states());
}

#[test]
fn a_read_stops_near_its_bytes_and_goes_on_from_the_places_reached() {
    let mut one = replica(1);
    let said: Vec<_> = (0..9).map(|round| say(&mut one, &format!("round {round}"))).collect();
    let log = one.own_log();
    let first = one.read(&[Want { log, from: 1 }], 1).unwrap();
    assert_eq!(first, [[said[0].clone()]]);
    let rest = one.read(&[Want { log, from: 2 }], usize::MAX).unwrap();
    assert_eq!(rest, [said[1..].to_vec()]);
    assert_eq!(one.read(&[Want { log, from: 10 }], usize::MAX).unwrap(), Vec::<Segment>::new());
    let (later, reached) = one.read_after(8, usize::MAX).unwrap();
    assert_eq!((later, reached), (vec![said[7..].to_vec()], 10));
    assert_eq!(one.read_after(reached, usize::MAX).unwrap(), (vec![], 10));
}

#[test]
fn a_fork_cuts_the_log_and_its_proof_does_the_same_elsewhere() {
    let (mut author, open) = opened(5);
    let trunk = author.note("trunk");
    let mut copy = author.copy();
    let (left, right) = (author.note("left"), copy.note("right"));
    let (mut one, mut other) = (replica(1), replica(2));
    let trunk: Segment = vec![open, trunk];
    let branches = [trunk.clone(), vec![left], vec![right]].map(Offer::Segment);
    assert_eq!(offer(&mut one, branches.into())[2], Outcome::Forked);
    let state = one.state(&author.log()).unwrap().unwrap();
    let tip = Tip::of(&trunk[1].fingerprint());
    assert_eq!(state, LogState { log: author.log(), count: 2, tip, cut: Some(2) });
    // The proof alone is enough, even before the log.
    let proof = one.proofs(&[author.log()]).unwrap().remove(0);
    let offers = vec![Offer::Proof(Box::new(proof)), Offer::Segment(trunk)];
    assert_eq!(offer(&mut other, offers), [Outcome::Stored(1), Outcome::Stored(2)]);
    assert_eq!(other.state(&author.log()), Ok(Some(state)));
    assert!(one.valid().all(
        |verified| verified.operation().header().log != author.log() || verified.operation().header().sequence < 2
    ));
    assert_eq!(segments(&one, usize::MAX).into_iter().flatten().filter(|o| o.header().log == author.log()).count(), 2);
}

#[test]
fn what_waits_says_for_what_and_words_that_come_late_are_taken() {
    let (mut author, open) = opened(5);
    let (first, second) = (author.note("first"), author.note("second"));
    let mut one = replica(1);
    let waiting = offer(&mut one, vec![Offer::Segment(vec![second])]);
    assert_eq!(waiting, [Outcome::Waiting(vec![Missing::Log(author.log())])]);
    let bare = first.clone().without_body();
    offer(&mut one, vec![Offer::Segment(vec![open]), Offer::Segment(vec![bare])]);
    assert_eq!(one.without_words(None, 9), Ok(vec![first.fingerprint()]));
    assert_eq!(offer(&mut one, vec![Offer::Segment(vec![first.clone()])]), [Outcome::Stored(1)]);
    assert_eq!(one.without_words(None, 9), Ok(vec![]));
    assert_eq!(one.find(&[first.fingerprint()]), Ok(vec![first]));
}

#[test]
fn a_mark_names_one_operation_or_none() {
    let mut one = replica(1);
    let said = say(&mut one, "words").fingerprint();
    assert_eq!(one.resolve(&Mark::of(&said)), Ok(Some(said)));
    assert_eq!(one.resolve(&Mark([0xee; 8])), Ok(None));
    assert_eq!(one.tips(&one.own_log(), &[1, 2]), Ok(vec![Some(Tip::of(&said)), None]));
    assert_eq!(Replica::standing_at(&one, &one.own_log(), 1), Ok(Some(said)));
    assert_eq!(one.find(&[Fingerprint([1; 48])]), Ok(vec![]));
}

#[test]
fn a_copied_replica_opens_a_new_log_and_goes_on() {
    let (mut one, mut copy, mut peer) = (replica(1), replica(1), replica(2));
    say(&mut one, "here");
    say(&mut copy, "there");
    offer(&mut peer, segments(&one, usize::MAX).into_iter().map(Offer::Segment).collect());
    offer(&mut peer, segments(&copy, usize::MAX).into_iter().map(Offer::Segment).collect());
    let proofs = peer.proofs(&[one.own_log()]).unwrap();
    offer(&mut one, proofs.into_iter().map(|proof| Offer::Proof(Box::new(proof))).collect());
    assert!(one.is_forked());
    one.open(Epoch([0x77; 16]), Salt([1; 16]), START_MS).unwrap();
    let again = say(&mut one, "again");
    assert!(!one.is_forked());
    assert_eq!(one.valid().last().map(|verified| verified.operation().fingerprint()), Some(again.fingerprint()));
}

#[test]
fn a_node_reads_back_what_was_noted_about_its_peers() {
    let mut one = replica(1);
    let (peer, log) = (SecretKey::from_seed(&[9; 32]).public(), one.own_log());
    let acknowledged = vec![(peer, log, 3), (peer, log, 2)];
    one.take(Intake { acknowledged, agreed: vec![(peer, 5)], ..Intake::default() }).unwrap();
    assert_eq!((one.acknowledged(&peer, &log), one.agreed(&peer)), (3, Ok(Some(5))));
    let author = Author::new(&open_space(), 9);
    assert_eq!(one.role_of(&author.key.public()), Ok(None));
}
