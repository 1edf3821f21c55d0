//! Removing members: what counts afterwards is the same everywhere, in whatever order news arrives.

#![allow(clippy::unwrap_used, clippy::panic)]

mod member_common;

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::member::Role;
use chrysalis_core::sync::replica::{Intake, Offer, Replica as _};
use chrysalis_store::{Speaker, Store};
use member_common::{Ground, START_MS, assert_holds, code, content, remember, try_remember};

/// A founder, two administrators and a writer, who know each other.
struct Team {
    ground: Ground,
    founder: Store,
    ada: Store,
    ben: Store,
    cleo: Store,
}

impl Team {
    fn new() -> Self {
        let ground = Ground::new();
        let founder = ground.found("founder");
        let ada = ground.invited(&founder, "ada", Role::Administrator);
        let ben = ground.invited(&founder, "ben", Role::Administrator);
        let cleo = ground.invited(&founder, "cleo", Role::Writer);
        let team = Self { ground, founder, ada, ben, cleo };
        team.agree();
        team
    }

    fn agree(&self) {
        self.ground.agree(&[&self.founder, &self.ada, &self.ben, &self.cleo]);
    }

    fn removed(&self) -> Vec<ReplicaKey> {
        let members = self.founder.members().unwrap().into_iter();
        members.filter(|member| member.is_removed).map(|member| member.replica).collect()
    }
}

#[test]
fn what_a_removed_member_said_before_stays_and_nothing_after_counts() {
    let team = Team::new();
    remember(&team.cleo, "before", "said as a member");
    team.agree();
    assert_eq!(team.founder.membership().unwrap(), (4, Vec::new()));
    assert!(team.founder.remove(team.cleo.replica()).unwrap());
    assert_eq!(team.founder.membership().unwrap(), (4, vec![team.cleo.replica()]));
    assert!(!team.founder.remove(team.cleo.replica()).unwrap());
    remember(&team.cleo, "after", "said before the news came");
    remember(&team.cleo, "before", "changed before the news came");
    team.agree();
    for store in [&team.founder, &team.ada, &team.cleo] {
        assert_eq!(content(store, "before").as_deref(), Some("said as a member"));
        assert_eq!(content(store, "after"), None);
    }
    assert_eq!(team.removed(), [team.cleo.replica()]);
    assert_eq!(team.cleo.role().unwrap(), None);
    assert_eq!(code(try_remember(&team.cleo, "later", "no more")), "removed");
    // Closed and opened again it is still removed, and can still be read.
    team.cleo.close().unwrap();
    let cleo = team.ground.open("cleo");
    assert_eq!((cleo.role().unwrap(), code(try_remember(&cleo, "later", "no more"))), (None, "removed"));
    assert_eq!(content(&cleo, "before").as_deref(), Some("said as a member"));
}

#[test]
fn a_restored_backup_of_a_removed_member_says_nothing_that_counts() {
    let team = Team::new();
    team.cleo.close().unwrap();
    member_common::copy(&team.ground.path("cleo"), &team.ground.path("restored"));
    team.founder.remove(team.cleo.replica()).unwrap();
    let restored = team.ground.open("restored");
    remember(&restored, "m", "in a new epoch, and unaware");
    team.ground.agree(&[&team.founder, &restored]);
    assert_eq!((content(&team.founder, "m"), content(&restored, "m")), (None, None));
}

#[test]
fn members_are_listed_with_role_and_inviter() {
    let team = Team::new();
    let dora = team.ground.invited(&team.ada, "dora", Role::Validator);
    remember(&dora, "m", "hello");
    team.ground.agree(&[&team.founder, &team.ada, &dora]);
    team.founder.remove(team.ben.replica()).unwrap();
    let members = team.founder.members().unwrap();
    let of = |store: &Store| members.iter().find(|member| member.replica == store.replica()).unwrap();
    assert_eq!(members.len(), 5);
    assert_eq!((of(&team.founder).role, of(&team.founder).invited_by), (Role::Administrator, None));
    assert_eq!((of(&team.ada).role, of(&team.ada).invited_by), (Role::Administrator, Some(team.founder.replica())));
    assert_eq!((of(&dora).role, of(&dora).invited_by), (Role::Validator, Some(team.ada.replica())));
    assert_eq!((&of(&dora).agents[..], of(&dora).joined_ms), (&["anna".to_owned()][..], START_MS));
    assert_eq!((of(&team.ben).is_removed, of(&team.ada).is_removed), (true, false));
}

#[test]
fn only_administrators_remove_others() {
    let team = Team::new();
    assert_eq!(code(team.cleo.remove(team.ben.replica())), "role_lacking");
    assert_eq!(code(team.founder.remove(team.founder.replica())), "invalid");
    assert_eq!(code(team.founder.remove(ReplicaKey([7; 32]))), "not_found");
    let open = team.ground.open("open");
    assert_eq!(code(open.remove(team.cleo.replica())), "space_open");
}

#[test]
fn of_two_who_remove_each_other_all_replicas_keep_the_same_one() {
    let team = Team::new();
    team.ada.remove(team.ben.replica()).unwrap();
    team.ben.remove(team.ada.replica()).unwrap();
    team.agree();
    assert_eq!(team.removed().len(), 1);
    let stays = if team.removed()[0] == team.ben.replica() { &team.ada } else { &team.ben };
    remember(stays, "m", "still a member");
    team.agree();
    assert_eq!(content(&team.cleo, "m").as_deref(), Some("still a member"));
}

#[test]
fn a_removal_by_one_whom_the_founder_removed_is_taken_back_with_all_its_words() {
    let team = Team::new();
    remember(&team.cleo, "one", "first");
    team.ground.carry(&team.cleo, &team.ada);
    // Ada removes Cleo; the founder, who has not heard of it, removes Ada.
    team.ada.remove(team.cleo.replica()).unwrap();
    remember(&team.cleo, "two", "second");
    team.ground.carry(&team.cleo, &team.founder);
    team.ground.carry(&team.ada, &team.ben);
    team.ground.carry(&team.cleo, &team.ben);
    assert_eq!((content(&team.ben, "one").as_deref(), content(&team.ben, "two")), (Some("first"), None));
    team.founder.remove(team.ada.replica()).unwrap();
    team.agree();
    assert_eq!(team.removed(), [team.ada.replica()]);
    assert_eq!(content(&team.ben, "two").as_deref(), Some("second"));
    remember(&team.cleo, "three", "still here");
    team.agree();
    assert_eq!(content(&team.founder, "three").as_deref(), Some("still here"));
}

#[test]
fn whom_a_removed_administrator_let_in_unseen_does_not_count() {
    let team = Team::new();
    let seen = team.ground.invited(&team.ada, "seen", Role::Writer);
    team.ground.agree(&[&team.founder, &seen]);
    team.founder.remove(team.ada.replica()).unwrap();
    let unseen = team.ground.invited(&team.ada, "unseen", Role::Writer);
    remember(&seen, "seen", "known to the founder");
    remember(&unseen, "unseen", "let in at the last moment");
    let all = [&team.founder, &team.ada, &team.ben, &seen, &unseen];
    team.ground.agree(&all);
    for store in all {
        assert_eq!(content(store, "seen").as_deref(), Some("known to the founder"));
        assert_eq!(content(store, "unseen"), None);
    }
}

#[test]
fn a_memory_forgotten_while_its_author_was_void_stays_forgotten() {
    let team = Team::new();
    team.ada.remove(team.cleo.replica()).unwrap();
    remember(&team.cleo, "secret", "the code is 7734");
    team.ground.carry(&team.ada, &team.ben);
    team.ground.carry(&team.cleo, &team.ben);
    team.ground.carry(&team.cleo, &team.founder);
    team.founder.forget("secret", "", false).unwrap();
    team.founder.remove(team.ada.replica()).unwrap();
    team.agree();
    for name in ["founder", "ada", "ben", "cleo"] {
        let path = team.ground.path(name).join("chrysalis.db");
        let bytes = std::fs::read(path).unwrap();
        assert!(!bytes.windows(4).any(|four| four == b"7734"), "{name} still holds the words");
    }
    assert_eq!(content(&team.cleo, "secret"), None);
}

#[test]
fn a_removal_names_all_that_its_author_had_seen_however_many_they_are() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let ada = ground.invited(&founder, "ada", Role::Administrator);
    let crowd: Vec<Store> = (0..20)
        .map(|number| ground.join(&format!("m{number}"), &ada.invite(Role::Writer, None, vec![]).unwrap()))
        .collect();
    ground.carry(&ada, &founder);
    for member in &crowd {
        remember(member, &member.replica().to_hex(), "one of a crowd");
        ground.carry(member, &founder);
    }
    founder.remove(ada.replica()).unwrap();
    assert_holds(&founder);
    assert_eq!(founder.list(&Default::default(), chrysalis_store::Order::Created, false, 100, 0).unwrap().len(), 20);
    ground.agree(&[&founder, &ada, &crowd[0], &crowd[19]]);
}

#[test]
fn any_order_of_news_ends_in_the_same() {
    // Five stores, each with something to say about the others, told in many orders.
    for seed in 0..6u64 {
        let team = Team::new();
        team.ada.remove(team.cleo.replica()).unwrap();
        remember(&team.cleo, "c", "said by cleo");
        team.ben.remove(team.ada.replica()).unwrap();
        remember(&team.ada, "a", "said by ada");
        if seed % 2 == 0 {
            team.founder.remove(team.ben.replica()).unwrap();
        }
        remember(&team.ben, "b", "said by ben");
        let stores = [&team.founder, &team.ada, &team.ben, &team.cleo];
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (from, to) = ((state >> 33) as usize % 4, (state >> 40) as usize % 4);
            if from != to {
                team.ground.carry(stores[from], stores[to]);
            }
        }
        team.agree();
    }
}

#[test]
fn who_was_invited_stays_alike_whichever_branch_of_a_forked_log_the_remover_knew_it_by() {
    let ground = Ground::new();
    let founder = ground.found("founder");
    let ada = ground.invited(&founder, "ada", Role::Administrator);
    let ben = ground.invited(&founder, "ben", Role::Writer);
    let cleo = ground.invited(&founder, "cleo", Role::Writer);
    let others: Vec<Store> =
        (0..16).map(|number| ground.invited(&founder, &format!("other{number}"), Role::Writer)).collect();
    others.iter().chain([&ada, &ben, &cleo]).for_each(|store| drop(ground.carry(store, &founder)));
    (0..3).for_each(|number| remember(&founder, &format!("seen{number}"), "the founder has seen them all"));
    let nina = ground.join("nina", &ada.invite(Role::Writer, None, Vec::new()).unwrap());
    ground.carry(&ada, &nina);
    remember(&nina, "words", "hers");
    ground.carry(&nina, &founder);
    // Cleo's one branch knows her, the other does not.
    cleo.close().unwrap();
    let backup = std::fs::read(ground.path("cleo").join("chrysalis.db")).unwrap();
    let cleo = ground.open("cleo");
    ground.carry(&nina, &cleo);
    remember(&cleo, "left", "having heard of nina");
    for other in &others {
        remember(other, &format!("by {:?}", other.replica()), "so that one operation can't name all heads");
        ground.carry(other, &founder);
    }
    ground.carry(&cleo, &founder);
    cleo.close().unwrap();
    std::fs::write(ground.path("cleo").join("chrysalis.db"), backup).unwrap();
    let cleo = ground.open("cleo");
    remember(&cleo, "right", "not having heard of nina");
    ground.carry(&cleo, &ben);
    assert!(founder.remove(ada.replica()).unwrap());
    ground.agree(&[&founder, &ben]);
    for store in [&founder, &ben] {
        assert_eq!(content(store, "words").as_deref(), Some("hers"));
    }
}

#[test]
fn what_a_forgetting_took_that_the_removal_made_void_comes_back_from_those_who_have_it() {
    let team = Team::new();
    remember(&team.cleo, "m", "the bridge holds ten tons");
    remember(&team.ben, "other", "of no account");
    team.agree();
    team.ben.forget("other", "", false).unwrap();
    // Ben hears that Cleo forgets; the founder, who removes her, does not.
    team.cleo.forget("m", "", false).unwrap();
    team.ground.carry(&team.cleo, &team.ben);
    team.founder.remove(team.cleo.replica()).unwrap();
    team.ground.carry(&team.founder, &team.ben);
    assert_eq!(content(&team.ben, "m"), None);
    let wanted = Speaker(&team.ben).without_words(None, 64).unwrap();
    let found = Speaker(&team.founder).find(&wanted).unwrap();
    let offers = found.into_iter().map(|one| (team.founder.replica(), Offer::Segment(vec![one]))).collect();
    Speaker(&team.ben).take(Intake { offers, ..Intake::default() }).unwrap();
    team.agree();
    for store in [&team.founder, &team.ada, &team.ben] {
        assert_eq!(content(store, "m").as_deref(), Some("the bridge holds ten tons"));
        assert_eq!(content(store, "other"), None);
        assert_holds(store);
    }
}
