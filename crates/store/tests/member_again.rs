//! Joining once more: who came by an invitation that was taken back, and comes by another one.

#![allow(clippy::unwrap_used, clippy::panic)]

mod member_common;
mod wires;

use chrysalis_core::member::Role;
use chrysalis_core::token::Token;
use chrysalis_store::Store;
use member_common::{Ground, START_MS, assert_holds, code, content, remember, try_remember};
use wires::{Speaks, Wires};

const HOUR_MS: u64 = 3_600_000;

fn token(by: &Store, role: Role) -> String {
    by.invite(role, None, Vec::new()).unwrap().to_string()
}

fn take_back(by: &Store, token: &str) {
    assert!(by.revoke_token(&Token::decode(token).unwrap()).unwrap());
}

/// A founder who has said something, and a replica that came by a token which was taken back, and does not know it.
fn too_late(ground: &Ground) -> (Store, Store) {
    let founder = ground.found("founder");
    let first = token(&founder, Role::Writer);
    take_back(&founder, &first);
    remember(&founder, "ours", "for members");
    let late = ground.join("late", &first);
    for turn in 0..3 {
        remember(&late, "mine", &format!("version {turn}"));
    }
    remember(&late, "secret", "to be forgotten");
    late.forget("secret", "", false).unwrap();
    (founder, late)
}

/// The words are there, each memory once, and what was forgotten stays so.
fn assert_there(store: &Store) {
    assert_eq!(content(store, "mine").as_deref(), Some("version 2"));
    assert_eq!(content(store, "secret"), None);
    assert_holds(store);
}

#[test]
fn who_joins_again_is_heard_with_all_that_was_said_before() {
    let ground = Ground::new();
    let (founder, late) = too_late(&ground);
    let log = late.head().unwrap().log;
    late.close().unwrap();
    let late = ground.join("late", &token(&founder, Role::Writer));
    assert_ne!(late.head().unwrap().log, log);
    assert_there(&late);
    remember(&late, "after", "said in the new log");
    ground.agree(&[&founder, &late]);
    for store in [&founder, &late] {
        assert_there(store);
        assert_eq!(content(store, "after").as_deref(), Some("said in the new log"));
        assert_eq!(content(store, "ours").as_deref(), Some("for members"));
    }
    assert_eq!(late.role().unwrap(), Some(Role::Writer));
}

#[test]
fn who_has_heard_that_its_words_are_void_gets_them_back_at_once() {
    let ground = Ground::new();
    let (founder, late) = too_late(&ground);
    ground.agree(&[&founder, &late]);
    assert_eq!((content(&late, "mine"), late.role().unwrap()), (None, None));
    assert_eq!(code(try_remember(&late, "more", "not now")), "invitation_revoked");
    late.close().unwrap();
    let late = ground.join("late", &token(&founder, Role::Writer));
    assert_there(&late);
    ground.agree(&[&founder, &late]);
    assert_there(&founder);
    // Nothing is said twice, whoever tells of the removal again.
    let said = late.head().unwrap().last.unwrap().sequence;
    ground.agree(&[&founder, &late]);
    assert_eq!(late.head().unwrap().last.unwrap().sequence, said);
}

#[test]
fn over_a_link_the_door_is_shut_to_the_first_token_and_open_to_the_second() {
    let ground = Ground::new();
    let (founder, late) = too_late(&ground);
    let second = token(&founder, Role::Writer);
    let mut wires = Wires::of([founder, late]);
    wires.link(1, 0);
    wires.settle();
    assert_eq!(wires.peers[0].closings(), ["not_allowed"]);
    let mut stores = wires.into_stores();
    stores.pop().unwrap().close().unwrap();
    let mut wires = Wires::of(stores);
    let late = wires.add(Speaks::Store(Box::new(ground.join("late", &second))));
    remember(wires.store(late), "after", "said before it was let in");
    wires.link(late, 0);
    wires.pass(60_000);
    for at in [0, late] {
        assert_there(wires.store(at));
        assert_eq!(content(wires.store(at), "after").as_deref(), Some("said before it was let in"));
        assert_eq!(content(wires.store(at), "ours").as_deref(), Some("for members"));
    }
    assert_eq!(wires.store(0).logical_digest().unwrap(), wires.store(late).logical_digest().unwrap());
}

#[test]
fn a_token_once_more_or_one_for_less_says_nothing_new() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let first = token(&founder, Role::Writer);
    let ada = ground.join("ada", &first);
    let log = ada.head().unwrap().log;
    ada.close().unwrap();
    let (lesser, second) = (token(&founder, Role::Reader), token(&founder, Role::Validator));
    for same in [&first, &lesser] {
        assert_eq!(ground.join("ada", same).head().unwrap().log, log);
    }
    let ada = ground.join("ada", &second);
    let risen = ada.head().unwrap().log;
    assert_eq!((risen == log, ada.role().unwrap()), (false, Some(Role::Validator)));
    ada.close().unwrap();
    for same in [&first, &second] {
        assert_eq!(ground.join("ada", same).head().unwrap().log, risen);
    }
    founder.close().unwrap();
    let founder = ground.join("founder", &second);
    assert_eq!(founder.role().unwrap(), Some(Role::Administrator));
    ground.agree(&[&founder, &ground.open("ada")]);
}

#[test]
fn nobody_joins_again_by_what_is_void_expired_or_for_another_space() {
    let ground = Ground::new();
    let (founder, late) = too_late(&ground);
    let void = token(&founder, Role::Writer);
    let brief = founder.invite(Role::Writer, Some(START_MS), Vec::new()).unwrap().to_string();
    let reading = token(&founder, Role::Reader);
    take_back(&founder, &void);
    ground.agree(&[&founder, &late]);
    late.close().unwrap();
    ground.set_clock(START_MS + HOUR_MS);
    let other = token(&ground.found("other"), Role::Writer);
    let refused = [(&void, "invitation_revoked"), (&brief, "invitation_expired"), (&other, "wrong_space")];
    for (token, why) in refused.into_iter().chain([(&reading, "role_lacking")]) {
        assert_eq!(code(ground.try_join("late", token)), why);
    }
    // Nothing of it was lost by trying.
    assert_there(&ground.join("late", &token(&founder, Role::Writer)));
}

#[test]
fn a_removed_replica_is_told_that_no_token_helps() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let ada = ground.invited(&founder, "ada", Role::Writer);
    remember(&ada, "mine", "said by ada");
    ground.agree(&[&founder, &ada]);
    founder.remove(ada.replica()).unwrap();
    ground.agree(&[&founder, &ada]);
    ada.close().unwrap();
    assert_eq!(code(ground.try_join("ada", &token(&founder, Role::Writer))), "removed");
    assert_eq!(content(&ground.open("ada"), "mine").as_deref(), Some("said by ada"));
}
