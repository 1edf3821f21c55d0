//! Closed spaces: founding, inviting, joining, and coming back.

#![allow(clippy::unwrap_used, clippy::panic)]

mod member_common;

use chrysalis_core::member::Role;
use chrysalis_core::payload::{Collection, Field, Score, Value};
use chrysalis_core::token::Token;
use chrysalis_store::{Edit, Remember, Store, StoreOptions};
use member_common::{Ground, START_MS, assert_holds, code, content, copy, remember, saying, try_remember};

const HOUR_MS: u64 = 3_600_000;

#[test]
fn whom_the_founder_invites_shares_the_space() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    assert_eq!((founder.is_closed(), founder.role().unwrap()), (true, Some(Role::Administrator)));
    remember(&founder, "one", "said by the founder");
    let writer = ground.join("writer", &founder.invite(Role::Writer, None, Vec::new()).unwrap());
    remember(&writer, "two", "said by the writer");
    ground.agree(&[&founder, &writer]);
    assert_eq!(content(&founder, "two").as_deref(), Some("said by the writer"));
    assert_eq!(content(&writer, "one").as_deref(), Some("said by the founder"));
    assert_eq!(founder.space(), writer.space());
}

#[test]
fn a_store_that_belongs_needs_neither_name_nor_token_again() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let token = founder.invite(Role::Validator, None, Vec::new()).unwrap();
    let (space, head) = (founder.space().clone(), ground.join("other", &token).head().unwrap().log);
    founder.close().unwrap();
    let again = ground.open("founder");
    assert_eq!((again.space(), again.role().unwrap()), (&space, Some(Role::Administrator)));
    let other = ground.open("other");
    assert_eq!((other.space(), other.role().unwrap()), (&space, Some(Role::Validator)));
    assert_eq!(other.head().unwrap().log, head);
    // The token, once more, changes nothing.
    let other = ground.join("other", &token);
    assert_eq!((other.head().unwrap().log, other.brought()), (head, 0));
    let named = |name: &str, closed| {
        let options = StoreOptions { space: Some(name.to_owned()), closed, ..ground.options() };
        code(Store::open(&ground.path("founder"), options))
    };
    assert_eq!(named("team", false), "done");
    assert_eq!(named("team", true), "done");
    assert_eq!(named("another", false), "invalid");
    assert_eq!(named("another", true), "invalid");
}

#[test]
fn two_spaces_of_one_name_and_founder_are_two_spaces() {
    let ground = Ground::new();
    let (one, two) = (ground.found("one"), ground.found("two"));
    assert_eq!(one.space().name(), two.space().name());
    assert_ne!(one.space().id(), two.space().id());
    let path = ground.path("bundle");
    one.export(&path).unwrap();
    assert_eq!(code(two.import_bundle(&path)), "wrong_space");
}

#[test]
fn memories_of_an_open_space_come_along() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let own = ground.open("own");
    let mut edit = saying("the kiln is hot");
    edit.set(Field::Scope, Value::Text("workshop".to_owned())).set(Field::Tier, Value::Text("working".to_owned()));
    edit.set(Field::Expiry, Value::Integer((START_MS + 100 * HOUR_MS) as i64));
    edit.add_tags.extend(["kiln".to_owned(), "heat".to_owned()]);
    edit.grow.insert(Collection::Evidence, ["a thermometer".to_owned()].into());
    edit.scores.extend([(Score::Importance, 60_000), (Score::Confidence, 50_000)]);
    edit.metadata.insert("place".to_owned(), Some("\"cellar\"".to_owned()));
    own.remember("anna", Remember { id: Some("kiln".to_owned()), edit }).unwrap();
    remember(&own, "secret", "nobody shall know");
    own.forget("secret", "", false).unwrap();
    for turn in 0..3 {
        remember(&own, "often", &format!("version {turn}"));
    }
    let before = own.get("kiln").unwrap().unwrap();
    own.close().unwrap();
    ground.set_clock(START_MS + HOUR_MS);
    let own = ground.join("own", &founder.invite(Role::Writer, None, vec!["hub.example:4444".to_owned()]).unwrap());
    assert_eq!((own.brought(), own.peers().unwrap()), (2, vec!["hub.example:4444".to_owned()]));
    let after = own.get("kiln").unwrap().unwrap();
    assert_eq!(
        (&after.content, &after.scope, &after.tier, after.expires_at, &after.tags, &after.evidence, &after.metadata),
        (
            &before.content,
            &before.scope,
            &before.tier,
            before.expires_at,
            &before.tags,
            &before.evidence,
            &before.metadata
        )
    );
    assert_eq!((after.importance, after.confidence, after.agent.as_str()), (60_000, 50_000, "anna"));
    // It is created anew; when it was said first is not lost.
    assert_eq!((after.created_at, after.occurred_at), ((START_MS + HOUR_MS) as i64, Some(START_MS as i64)));
    assert_eq!(after.number, before.number);
    assert_eq!(own.history("often").unwrap().len(), 1);
    assert_eq!(content(&own, "secret"), None);
    assert_holds(&own);
    ground.agree(&[&founder, &own]);
    assert_eq!(content(&founder, "often").as_deref(), Some("version 2"));
    let found = own.recall(&chrysalis_store::Query { text: "kiln".to_owned(), k: 5, ..Default::default() }).unwrap();
    assert_eq!(found.hits.iter().map(|hit| hit.row.id.as_str()).collect::<Vec<_>>(), ["kiln"]);
    // What was joined stays joined.
    own.close().unwrap();
    assert_eq!(ground.open("own").brought(), 0);
}

#[test]
fn a_memory_that_many_edits_made_large_comes_along_in_pieces() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let own = ground.open("own");
    remember(&own, "m", "a memory with many tags");
    for part in 0..3 {
        let mut edit = Edit::default();
        edit.add_tags.extend((0..900).map(|tag| format!("tag {part} {tag}")));
        own.update("anna", "m", edit).unwrap();
    }
    let tags = own.get("m").unwrap().unwrap().tags;
    own.close().unwrap();
    let own = ground.join("own", &founder.invite(Role::Writer, None, Vec::new()).unwrap());
    assert_eq!(own.get("m").unwrap().unwrap().tags, tags);
    assert_holds(&own);
}

#[test]
fn an_open_store_that_founds_a_closed_space_keeps_its_memories() {
    let ground = Ground::new();
    let own = ground.open("own");
    remember(&own, "m", "from before");
    own.close().unwrap();
    let own = ground.found("own");
    assert_eq!((own.brought(), own.is_closed(), own.space().name()), (1, true, "team"));
    let other = ground.invited(&own, "other", Role::Reader);
    assert_eq!(content(&other, "m").as_deref(), Some("from before"));
}

#[test]
fn a_store_of_another_process_that_moved_is_not_written_to_as_before() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let early = ground.open("own");
    remember(&early, "m", "from before");
    let late = ground.join("own", &founder.invite(Role::Writer, None, Vec::new()).unwrap());
    assert_eq!(code(try_remember(&early, "n", "as if nothing had happened")), "wrong_space");
    assert_eq!(late.brought(), 1);
    assert_holds(&late);
}

#[test]
fn a_member_of_a_closed_space_does_not_join_another() {
    let ground = Ground::new();
    let (one, two) = (ground.found("one"), ground.found("two"));
    let token = two.invite(Role::Writer, None, Vec::new()).unwrap();
    one.close().unwrap();
    assert_eq!(code(ground.try_join("one", &token)), "wrong_space");
    assert_eq!(ground.open("one").role().unwrap(), Some(Role::Administrator));
    let named = StoreOptions {
        space: Some("other".to_owned()),
        invite: Some(std::sync::Arc::new(Token::decode(&token).unwrap())),
        ..ground.options()
    };
    assert_eq!(code(Store::open(&ground.path("new"), named)), "invalid");
}

#[test]
fn who_may_not_write_joins_without_memories_and_says_nothing() {
    for role in [Role::Relay, Role::Reader] {
        let ground = Ground::new();
        let founder = ground.found("founder");
        remember(&founder, "m", "to be read");
        let token = founder.invite(role, None, Vec::new()).unwrap();
        let own = ground.open("own");
        remember(&own, "mine", "would be lost");
        own.close().unwrap();
        assert_eq!(code(ground.try_join("own", &token)), "role_lacking");
        assert_eq!(content(&ground.open("own"), "mine").as_deref(), Some("would be lost"));
        let reader = ground.join("reader", &token);
        ground.carry(&founder, &reader);
        assert_eq!(content(&reader, "m").as_deref(), Some("to be read"));
        assert_eq!(code(try_remember(&reader, "n", "not allowed")), "role_lacking");
        assert_eq!(code(reader.forget("m", "", false)), "role_lacking");
        reader.count_uses(["m"].into_iter());
        reader.flush_uses().unwrap();
        assert_eq!(reader.head().unwrap().last.unwrap().sequence, 0);
        reader.close().unwrap();
    }
}

#[test]
fn only_an_administrator_of_a_closed_space_invites() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    for (number, role) in [Role::Relay, Role::Reader, Role::Writer, Role::Validator].into_iter().enumerate() {
        let member = ground.invited(&founder, &format!("member {number}"), role);
        assert_eq!(code(member.invite(Role::Reader, None, Vec::new())), "role_lacking");
    }
    assert_eq!(code(ground.open("open").invite(Role::Writer, None, Vec::new())), "space_open");
    let administrator = ground.invited(&founder, "administrator", Role::Administrator);
    let friend = ground.invited(&administrator, "friend", Role::Writer);
    remember(&friend, "m", "invited by one who was invited");
    ground.agree(&[&founder, &administrator, &friend]);
    assert_eq!(content(&founder, "m").as_deref(), Some("invited by one who was invited"));
}

#[test]
fn one_token_lets_several_in_until_it_expires() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let token = founder.invite(Role::Writer, Some(START_MS + HOUR_MS), Vec::new()).unwrap();
    let early: Vec<Store> = ["a", "b", "c"].iter().map(|name| ground.join(name, &token)).collect();
    ground.set_clock(START_MS + HOUR_MS + 1);
    assert_eq!(code(ground.try_join("late", &token)), "invitation_expired");
    for (number, store) in early.iter().enumerate() {
        remember(store, &format!("m{number}"), "said by one of three");
    }
    ground.agree(&[&founder, &early[0], &early[1], &early[2]]);
}

#[test]
fn a_member_restored_from_a_backup_after_the_invitation_expired_is_still_one() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let member = ground.join("member", &founder.invite(Role::Writer, Some(START_MS + HOUR_MS), Vec::new()).unwrap());
    remember(&member, "m", "before the backup");
    member.close().unwrap();
    copy(&ground.path("member"), &ground.path("restored"));
    ground.set_clock(START_MS + 1000 * HOUR_MS);
    let restored = ground.open("restored");
    assert_eq!(restored.role().unwrap(), Some(Role::Writer));
    remember(&restored, "n", "after it was restored");
    ground.agree(&[&founder, &restored]);
    assert_eq!(content(&founder, "n").as_deref(), Some("after it was restored"));
    let written = founder.get("n").unwrap().unwrap();
    assert_eq!(written.updated_at, (START_MS + 1000 * HOUR_MS) as i64);
}

#[test]
fn addresses_are_kept_until_they_are_forgotten() {
    let ground = Ground::new();
    let store = ground.open("store");
    assert_eq!((store.add_peer("b:1").unwrap(), store.add_peer("a:1").unwrap()), (true, true));
    assert!(!store.add_peer("a:1").unwrap());
    assert_eq!(store.peers().unwrap(), ["a:1", "b:1"]);
    assert_eq!((store.forget_peer("a:1").unwrap(), store.forget_peer("a:1").unwrap()), (true, false));
    for wrong in ["", "a b", "a\nb"] {
        assert_eq!(code(store.add_peer(wrong)), "invalid");
    }
    for number in 1..256 {
        store.add_peer(&format!("c{number}:1")).unwrap();
    }
    assert_eq!(code(store.add_peer("one too many")), "invalid");
    assert_eq!(code(store.add_peer("one-too-many")), "invalid");
    store.close().unwrap();
    assert_eq!(ground.open("store").peers().unwrap().len(), 256);
}
