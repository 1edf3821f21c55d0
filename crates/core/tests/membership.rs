//! Closed spaces: who gets in, in which role, and that every replica decides alike.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use chrysalis_core::admit::{Admission, Missing};
use chrysalis_core::id::Fingerprint;
use chrysalis_core::member::{Grant, Open, Role};
use chrysalis_core::operation::{Kind, Operation};
use chrysalis_core::payload::{Attest, Configure, Forget, Payload, Position, Remove};
use common::{Author, MemoryLedger, START_MS, closed_space, memory, note, refusal_code};
use proptest::prelude::*;

const FOUNDER: u8 = 9;

/// A closed space whose founder has opened his log, and a ledger that knows it.
fn founded() -> (MemoryLedger, Author) {
    let space = closed_space(FOUNDER);
    let mut founder = Author::new(&space, FOUNDER);
    let mut ledger = MemoryLedger::new(&space);
    ledger.accept(&[founder.open_log()]);
    (ledger, founder)
}

fn with_grant(replica: &Author, change: impl FnOnce(&mut Grant)) -> Author {
    let mut grant = replica.open.grant.clone().unwrap();
    change(&mut grant);
    let seed = replica.key_seed();
    Author::with_grant(&replica.open.space, seed, Some(grant))
}

/// One payload of every kind that a log may hold after its opening.
fn payloads(someone: &Author) -> [Payload; 6] {
    let content = chrysalis_core::id::content_digest("words");
    let last = Position { log: someone.log(), sequence: 0, fingerprint: Fingerprint([0; 48]) };
    [
        note("words"),
        Payload::Forget(Forget { memory: memory("words"), root: None, reason: String::new(), withdrawal: None }),
        Payload::Touch(vec![(memory("words"), 1)]),
        Payload::Attest(Attest { memory: memory("words"), content, confidence: 40_000 }),
        Payload::Remove(Remove { replica: someone.open.replica, last: vec![last] }),
        Payload::Configure(Configure { key: "robust".into(), value: "true".into(), replaces: Vec::new() }),
    ]
}

#[test]
fn the_founder_and_whom_he_invites_get_in() {
    let (mut ledger, founder) = founded();
    let mut writer = founder.invite(2, Role::Writer);
    ledger.accept(&[writer.open_log(), writer.note("words")]);
}

#[test]
fn a_stranger_without_a_grant_stays_outside() {
    let (mut ledger, founder) = founded();
    let mut stranger = Author::new(&founder.open.space, 2);
    assert_eq!(refusal_code(ledger.offer_one(&stranger.open_log())), "not_allowed");
}

#[test]
fn an_administrator_who_was_invited_invites_in_turn_however_deep() {
    let (mut ledger, founder) = founded();
    let mut inviter = founder;
    for depth in 0..20 {
        let mut invited = inviter.invite(20 + depth, Role::Administrator);
        ledger.accept(&[invited.open_log()]);
        inviter = invited;
    }
}

#[test]
fn an_invitation_by_an_administrator_waits_for_his_own_opening() {
    let (mut ledger, founder) = founded();
    let mut administrator = founder.invite(2, Role::Administrator);
    let open = administrator.open_log();
    let mut writer = administrator.invite(3, Role::Writer);
    let joins = writer.open_log();
    let missing = vec![Missing::Operation(open.fingerprint())];
    assert_eq!(ledger.offer_one(&joins), Ok(Admission::Waiting(missing)));
    ledger.accept(&[open]);
    ledger.accept(&[joins]);
}

#[test]
fn who_is_no_administrator_can_not_invite() {
    for role in [Role::Relay, Role::Reader, Role::Writer, Role::Validator] {
        let (mut ledger, founder) = founded();
        let mut member = founder.invite(2, role);
        ledger.accept(&[member.open_log()]);
        let mut friend = member.invite(3, Role::Relay);
        assert_eq!(refusal_code(ledger.offer_one(&friend.open_log())), "not_allowed");
    }
}

#[test]
fn an_invitation_must_name_an_opening_as_its_issuer() {
    let (mut ledger, mut founder) = founded();
    let words = founder.note("words");
    ledger.accept(std::slice::from_ref(&words));
    founder.open.grant = founder.invite(7, Role::Writer).open.grant;
    founder.opened = Some(words.fingerprint());
    let mut writer = founder.invite(2, Role::Writer);
    assert_eq!(refusal_code(ledger.offer_one(&writer.open_log())), "not_allowed");
}

#[test]
fn every_role_may_write_its_own_kinds_and_no_other() {
    for role in [Role::Relay, Role::Reader, Role::Writer, Role::Validator, Role::Administrator] {
        let (mut ledger, founder) = founded();
        let mut member = founder.invite(2, role);
        ledger.accept(&[member.open_log()]);
        for payload in payloads(&founder) {
            let operation = member.craft(&payload, |_| ());
            let admitted = ledger.offer_one(&operation);
            if role.may(payload.kind()) {
                assert!(matches!(admitted, Ok(Admission::Admitted(_))), "{role:?} {payload:?}: {admitted:?}");
                member.head.last = Some(chrysalis_core::log::Last {
                    fingerprint: operation.fingerprint(),
                    sequence: operation.header().sequence,
                    lamport: operation.header().lamport,
                    hybrid_ms: operation.header().hybrid_ms,
                });
            } else {
                assert_eq!(refusal_code(admitted), "not_allowed", "{role:?} {payload:?}");
            }
        }
    }
}

#[test]
fn roles_stand_in_one_order_and_open_is_for_all() {
    let least = |kind| {
        [Role::Relay, Role::Reader, Role::Writer, Role::Validator, Role::Administrator]
            .into_iter()
            .find(|role| role.may(kind))
    };
    assert_eq!(least(Kind::Open), Some(Role::Relay));
    assert_eq!(least(Kind::Write), Some(Role::Writer));
    assert_eq!(least(Kind::Forget), Some(Role::Writer));
    assert_eq!(least(Kind::Touch), Some(Role::Writer));
    assert_eq!(least(Kind::Attest), Some(Role::Validator));
    assert_eq!(least(Kind::Remove), Some(Role::Administrator));
    assert_eq!(least(Kind::Configure), Some(Role::Administrator));
}

#[test]
fn a_reader_who_writes_inside_a_segment_refuses_all_of_it() {
    let (mut ledger, founder) = founded();
    let mut reader = founder.invite(2, Role::Reader);
    let open = reader.open_log();
    let writes = reader.craft(&note("words"), |_| ());
    let before = ledger.fingerprints();
    assert_eq!(refusal_code(ledger.offer(&[open, writes])), "not_allowed");
    assert_eq!(ledger.fingerprints(), before);
}

#[test]
fn an_invitation_expires_by_the_joiner_s_own_time() {
    let (mut ledger, founder) = founded();
    let open_at = |offset: u64, seed: u8| -> Operation {
        let mut writer = founder.invite_until(seed, Role::Writer, Some(START_MS + 1000));
        writer.clock_ms = START_MS + offset - 1;
        writer.open_log()
    };
    ledger.accept(&[open_at(1000, 2)]);
    assert_eq!(refusal_code(ledger.offer_one(&open_at(1001, 3))), "not_allowed");
}

#[test]
fn a_grant_made_for_another_key_or_another_space_is_worth_nothing() {
    let (mut ledger, founder) = founded();
    let writer = founder.invite(2, Role::Writer);
    let mut thief = Author::with_grant(&founder.open.space, 3, writer.open.grant.clone());
    assert_eq!(refusal_code(ledger.offer_one(&thief.open_log())), "not_allowed");
    let mut elsewhere = Author::new(&closed_space_named("another"), FOUNDER);
    elsewhere.open_log();
    let grant = elsewhere.invite(2, Role::Writer).open.grant;
    let mut moved = Author::with_grant(&founder.open.space, 2, grant);
    assert_eq!(refusal_code(ledger.offer_one(&moved.open_log())), "not_allowed");
}

fn closed_space_named(name: &str) -> chrysalis_core::member::Space {
    match closed_space(FOUNDER) {
        chrysalis_core::member::Space::Closed { founder, nonce, .. } => {
            chrysalis_core::member::Space::Closed { name: name.to_owned(), founder, nonce }
        }
        open => open,
    }
}

#[test]
fn a_writer_who_raises_his_own_role_stays_outside() {
    let (mut ledger, founder) = founded();
    let writer = founder.invite(2, Role::Writer);
    let mut raised = with_grant(&writer, |grant| grant.invitation.role = Role::Administrator);
    assert_eq!(refusal_code(ledger.offer_one(&raised.open_log())), "not_allowed");
    let mut longer = with_grant(&writer, |grant| grant.invitation.expires_ms = Some(u64::MAX / 4));
    assert_eq!(refusal_code(ledger.offer_one(&longer.open_log())), "not_allowed");
}

#[test]
fn an_opening_with_the_log_of_another_role_is_refused() {
    let (mut ledger, founder) = founded();
    let mut writer = founder.invite(2, Role::Writer);
    let open = Payload::Open(Box::new(writer.open.clone()));
    let raised = founder.invite(2, Role::Administrator).log();
    let claims = writer.craft(&open, |header| header.log = raised);
    assert_eq!(refusal_code(ledger.offer_one(&claims)), "malformed");
}

#[test]
fn a_removal_changes_nothing_about_what_is_admitted() {
    // What stands after a removal is void in the view. The door must not look at it, or the order in which removal
    // and operation arrive would decide.
    let (mut ledger, mut founder) = founded();
    let mut writer = founder.invite(2, Role::Writer);
    let (open, before, after) = (writer.open_log(), writer.note("before"), writer.note("after"));
    let last = Position { log: writer.log(), sequence: 1, fingerprint: before.fingerprint() };
    let removal = founder.say(Payload::Remove(Remove { replica: writer.open.replica, last: vec![last] }), &[]);
    ledger.accept(&[open, before]);
    ledger.accept(&[removal]);
    ledger.accept(&[after]);
}

#[test]
fn in_an_open_space_everyone_may_do_everything() {
    let space = common::open_space();
    let (mut ledger, mut author) = (MemoryLedger::new(&space), Author::new(&space, 1));
    let open = author.open_log();
    let rest = payloads(&author).map(|payload| author.say(payload, &[]));
    ledger.accept(&[vec![open], Vec::from(rest)].concat());
}

proptest! {
    #[test]
    fn a_grant_with_any_bit_flipped_lets_nobody_in(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (mut ledger, founder) = founded();
        let mut writer = founder.invite_until(2, Role::Writer, Some(START_MS * 2));
        let mut bytes = Payload::Open(Box::new(writer.open.clone())).encode();
        let without = Payload::Open(Box::new(Open { grant: None, ..writer.open.clone() })).encode();
        // The grant stands at the end, where null would stand without it.
        let start = without.len() - 1;
        let length = bytes.len() - start;
        bytes[start + at.index(length)] ^= 1 << bit;
        if let Ok(Payload::Open(changed)) = Payload::decode(Kind::Open, &bytes) {
            let log = changed.log();
            let claims = writer.craft_bytes(Kind::Open, bytes, |header| header.log = log);
            prop_assert!(ledger.offer_one(&claims).is_err());
        }
    }
}
