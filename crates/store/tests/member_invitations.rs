//! Invitations: which are open, and taking them back before they are used and after.

#![allow(clippy::unwrap_used, clippy::panic)]

mod member_common;

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::member::Role;
use chrysalis_core::token::Token;
use chrysalis_store::Store;
use member_common::{Ground, START_MS, code, content, copy, remember, try_remember};

const HOUR_MS: u64 = 3_600_000;

fn invited(by: &Store) -> (String, ReplicaKey) {
    let token = by.invite(Role::Writer, None, Vec::new()).unwrap();
    let id = Token::decode(&token).unwrap().invitation.ephemeral;
    (token.to_string(), id)
}

fn open_ids(store: &Store) -> Vec<ReplicaKey> {
    store.invitations().unwrap().iter().map(|one| one.id).collect()
}

#[test]
fn open_invitations_are_listed_with_role_end_and_who_joined_until_they_end() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let (_, for_ever) = invited(&founder);
    let token = founder.invite(Role::Reader, Some(START_MS + HOUR_MS), Vec::new()).unwrap();
    let ada = ground.join("ada", &token);
    ground.carry(&ada, &founder);
    let open = founder.invitations().unwrap();
    let told: Vec<_> = open.iter().map(|one| (one.role, one.expires_ms, one.joined)).collect();
    assert_eq!(told, [(Role::Reader, Some(START_MS + HOUR_MS), 1), (Role::Writer, None, 0)]);
    let member = founder.members().unwrap().into_iter().find(|member| member.replica == ada.replica()).unwrap();
    assert_eq!(member.invitation, Some(open[0].id));
    ground.set_clock(START_MS + 2 * HOUR_MS);
    assert_eq!(open_ids(&founder), [for_ever]);
    // Another administrator has signed none of them.
    assert_eq!(ada.invitations().unwrap(), []);
}

#[test]
fn an_invitation_that_was_taken_back_unused_lets_nobody_in() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let ada = ground.invited(&founder, "ada", Role::Administrator);
    let (token, id) = invited(&founder);
    assert!(founder.revoke(id).unwrap());
    assert!(!founder.revoke(id).unwrap());
    assert!(!open_ids(&founder).contains(&id));
    let late = ground.join("late", &token);
    remember(&late, "m", "said before it heard");
    ground.agree(&[&founder, &ada, &late]);
    assert_eq!((content(&founder, "m"), content(&ada, "m"), content(&late, "m")), (None, None, None));
    assert_eq!((late.role().unwrap(), code(try_remember(&late, "n", "no more"))), (None, "invitation_revoked"));
}

#[test]
fn who_had_joined_stays_when_the_invitation_is_taken_back_and_nobody_else_comes_in() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let (token, id) = invited(&founder);
    let (early, unseen) = (ground.join("early", &token), ground.join("unseen", &token));
    ground.agree(&[&founder, &early]);
    assert!(founder.revoke(id).unwrap());
    remember(&early, "early", "a member still");
    remember(&unseen, "unseen", "nobody had heard of it");
    ground.agree(&[&founder, &early, &unseen]);
    assert_eq!(content(&founder, "early").as_deref(), Some("a member still"));
    assert_eq!(content(&founder, "unseen"), None);
    // The member can be removed as any other.
    assert!(founder.remove(early.replica()).unwrap());
}

#[test]
fn a_member_by_an_invitation_that_was_taken_back_comes_back_from_a_backup() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let (token, id) = invited(&founder);
    let early = ground.join("early", &token);
    remember(&early, "before", "in the first log");
    ground.agree(&[&founder, &early]);
    early.close().unwrap();
    copy(&ground.path("early"), &ground.path("restored"));
    founder.revoke(id).unwrap();
    let restored = ground.open("restored");
    remember(&restored, "after", "in a later log, by the same token");
    ground.agree(&[&founder, &restored]);
    assert_eq!(content(&founder, "after").as_deref(), Some("in a later log, by the same token"));
    assert_eq!(restored.role().unwrap(), Some(Role::Writer));
}

#[test]
fn an_administrator_takes_back_anothers_invitation_by_its_token() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let ada = ground.invited(&founder, "ada", Role::Administrator);
    ground.agree(&[&founder, &ada]);
    let (token, id) = invited(&ada);
    assert_eq!(code(founder.revoke(id)), "not_found");
    assert!(founder.revoke_token(&Token::decode(&token).unwrap()).unwrap());
    let late = ground.join("late", &token);
    remember(&late, "m", "too late");
    ground.agree(&[&founder, &ada, &late]);
    assert_eq!(content(&ada, "m"), None);
    assert!(!open_ids(&ada).contains(&id));
}

#[test]
fn only_administrators_take_back_and_only_what_is_an_invitation_of_the_space() {
    let ground = Ground::new();
    let (founder, elsewhere) = (ground.found("founder"), ground.found("elsewhere"));
    let writer = ground.invited(&founder, "writer", Role::Writer);
    let (token, id) = invited(&founder);
    ground.agree(&[&founder, &writer]);
    let token = Token::decode(&token).unwrap();
    assert_eq!(code(writer.revoke_token(&token)), "role_lacking");
    assert_eq!(code(elsewhere.revoke_token(&token)), "invalid");
    assert_eq!(code(elsewhere.revoke(id)), "not_found");
    // A member's key is no invitation's id: nobody is removed by mistake.
    assert_eq!(code(founder.revoke(writer.replica())), "not_found");
    assert_eq!(code(ground.open("open").revoke(id)), "space_open");
}
