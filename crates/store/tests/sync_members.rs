//! Members over links: real stores behind nodes, whose frames the test carries and looks at.

#![allow(clippy::unwrap_used, clippy::panic)]

mod member_common;
mod wires;

use chrysalis_core::id::{Epoch, MemoryId, Salt};
use chrysalis_core::log::{Draft, Head, Last};
use chrysalis_core::member::{LogFacts, Role};
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::{Change, Field, Payload, Value, Write};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::{Carried, Message};
use chrysalis_core::sync::replica::Replica;
use chrysalis_core::token::Token;
use chrysalis_store::Speaker;
use member_common::{Ground, START_MS, content, remember};
use wires::{STEPS_MAX, Speaks, Wires};

/// Whether a message carries anything that the space holds.
fn tells(message: &Message) -> bool {
    !matches!(message, Message::Hello(_) | Message::Bye { .. } | Message::Ping(_) | Message::Pong(_))
}

const FOUNDER: usize = 0;
const ADA: usize = 1;
const CLEO: usize = 2;

/// A founder, an administrator and a writer.
fn team(ground: &Ground) -> Wires {
    let founder = ground.found("founder");
    let ada = ground.invited(&founder, "ada", Role::Administrator);
    let cleo = ground.invited(&founder, "cleo", Role::Writer);
    ground.agree(&[&founder, &ada, &cleo]);
    Wires::of([founder, ada, cleo])
}

#[test]
fn a_removed_member_is_shown_out_at_the_door_and_gets_nothing() {
    let ground = Ground::new();
    let mut wires = team(&ground);
    wires.store(FOUNDER).remove(wires.store(CLEO).replica()).unwrap();
    remember(wires.store(FOUNDER), "after", "not for her");
    for (dialer, other) in [(CLEO, FOUNDER), (FOUNDER, CLEO)] {
        let (near, far) = wires.link(dialer, other);
        let over = if dialer == FOUNDER { near } else { far };
        wires.settle();
        assert_eq!(wires.peers[FOUNDER].closings().pop(), Some("not_allowed"));
        let told = wires.peers[FOUNDER].said(over, 0);
        // Who calls shows who calls.
        assert!(told.iter().all(|message| !tells(message) || matches!(message, Message::Credentials(_))), "{told:?}");
    }
    assert_eq!(content(wires.store(CLEO), "after"), None);
}

#[test]
fn a_link_that_is_up_when_its_peer_is_removed_ends_before_anything_more_is_said() {
    let ground = Ground::new();
    let mut wires = team(&ground);
    let (_, far) = wires.link(CLEO, FOUNDER);
    remember(wires.store(FOUNDER), "before", "for all");
    wires.settle();
    assert_eq!(content(wires.store(CLEO), "before").as_deref(), Some("for all"));
    wires.store(FOUNDER).remove(wires.store(CLEO).replica()).unwrap();
    remember(wires.store(FOUNDER), "after", "not for her");
    let from = wires.peers[FOUNDER].sent.len();
    wires.pass(60_000);
    let told = wires.peers[FOUNDER].said(far, from);
    assert!(matches!(&told[..], [Message::Bye { code, .. }] if code == "not_allowed"), "{told:?}");
    assert_eq!(content(wires.store(CLEO), "after"), None);
    assert_eq!(wires.peers[FOUNDER].node.status().links, []);
}

#[test]
fn what_is_said_in_ignorance_of_a_removal_comes_with_all_that_its_author_had_seen() {
    let ground = Ground::new();
    let mut wires = team(&ground);
    for number in 0..3 {
        remember(wires.store(CLEO), &format!("late {number}"), "seen by Ada alone");
    }
    ground.agree(&[wires.store(ADA), wires.store(CLEO)]);
    wires.store(FOUNDER).remove(wires.store(CLEO).replica()).unwrap();
    remember(wires.store(ADA), "honest", "after Cleo's words, which are void now");
    wires.link(ADA, FOUNDER);
    wires.pass(60_000);
    assert_eq!(content(wires.store(FOUNDER), "honest").as_deref(), Some("after Cleo's words, which are void now"));
    assert_eq!(content(wires.store(ADA), "late 0"), None);
    assert!(wires.agree(&[FOUNDER, ADA]));
}

#[test]
fn the_step_that_brings_a_removal_answers_the_removed_one_no_more() {
    let ground = Ground::new();
    let mut wires = team(&ground);
    let (_, to_ada) = wires.link(ADA, FOUNDER);
    wires.settle();
    remember(wires.store(FOUNDER), "old", "what she had asked for");
    // Cleo's request is under way while Ada removes her.
    let (near, to_cleo) = wires.link(CLEO, FOUNDER);
    let asks = |frame: &Vec<u8>| matches!(Message::decode(frame), Ok(Message::Want { .. }));
    for _ in 0..STEPS_MAX {
        if wires.queues.get(&(FOUNDER, to_cleo)).is_some_and(|queue| queue.iter().any(asks)) {
            break;
        }
        for (at, link) in [(FOUNDER, to_cleo), (CLEO, near)] {
            if wires.queues.get(&(at, link)).is_some_and(|queue| queue.iter().any(asks)) {
                continue;
            }
            wires.deliver(at, link);
            wires.step(at);
        }
    }
    assert!(wires.queues[&(FOUNDER, to_cleo)].iter().any(asks), "Cleo asks for what she lacks");
    wires.store(ADA).remove(wires.store(CLEO).replica()).unwrap();
    remember(wires.store(ADA), "after", "not for her");
    wires.step(ADA);
    let from = wires.peers[FOUNDER].sent.len();
    wires.deliver(FOUNDER, to_ada);
    wires.deliver(FOUNDER, to_cleo);
    wires.step(FOUNDER);
    assert_eq!(content(wires.store(FOUNDER), "after").as_deref(), Some("not for her"));
    wires.pass(60_000);
    let told = wires.peers[FOUNDER].said(to_cleo, from);
    // What lay before her last words is compared still; nothing that she asked for comes.
    let [before @ .., Message::Bye { code, .. }] = &told[..] else { panic!("{told:?}") };
    assert!(before.iter().all(|message| matches!(message, Message::Summary(_))), "{told:?}");
    assert_eq!(code, "not_allowed");
    assert_eq!((content(wires.store(CLEO), "old"), content(wires.store(CLEO), "after")), (None, None));
    assert!(wires.agree(&[FOUNDER, ADA]));
}

#[test]
fn what_a_removed_member_wrote_afterwards_counts_nowhere_whoever_brings_it() {
    let ground = Ground::new();
    let mut wires = team(&ground);
    let late = ground.invited(wires.store(FOUNDER), "late", Role::Writer);
    let late = wires.add(Speaks::Store(Box::new(late)));
    wires.store(FOUNDER).remove(wires.store(CLEO).replica()).unwrap();
    // Cleo and Ada have not heard of it, and talk.
    wires.link(CLEO, ADA);
    remember(wires.store(CLEO), "after", "said too late");
    wires.settle();
    assert_eq!(content(wires.store(ADA), "after").as_deref(), Some("said too late"));
    // Ada passes it on to one who has not heard of it either, and then both hear.
    wires.link(ADA, late);
    wires.settle();
    assert_eq!(content(wires.store(late), "after").as_deref(), Some("said too late"));
    wires.link(ADA, FOUNDER);
    wires.pass(60_000);
    for at in [FOUNDER, ADA, late] {
        assert_eq!(content(wires.store(at), "after"), None);
        member_common::assert_holds(wires.store(at));
    }
    assert!(wires.agree(&[FOUNDER, ADA, late]));
    assert_eq!(wires.peers[ADA].closings(), ["not_allowed"]);
}

#[test]
fn a_reader_and_a_relay_fetch_all_and_their_writes_are_refused() {
    for (role, seed) in [(Role::Relay, 7), (Role::Reader, 8)] {
        let ground = Ground::new();
        let mut wires = team(&ground);
        remember(wires.store(FOUNDER), "m", "to be carried");
        let secret = || SecretKey::from_seed(&[seed; 32]);
        let token = wires.store(FOUNDER).invite(role, None, Vec::new()).unwrap();
        let grant = Token::decode(&token).unwrap().accept(&secret().public());
        let mut replica = MemoryReplica::new(wires.store(FOUNDER).space().clone(), secret(), Some(grant));
        let open = replica.open(Epoch([seed; 16]), Salt([seed; 16]), START_MS).unwrap();
        let at = wires.add(Speaks::Hostile(Box::new(replica)));
        let (_, far) = wires.link(at, FOUNDER);
        wires.pass(10_000);
        let Speaks::Hostile(replica) = &wires.peers[at].speaks else { panic!("it is hostile") };
        assert_eq!(replica.states().unwrap(), Speaker(wires.store(FOUNDER)).states().unwrap());
        // It writes all the same, well signed, behind its opening.
        let forged = forged(&secret(), &open);
        let frame = Message::Segments { segments: vec![Carried::Plain(vec![forged])], last: true }.encode();
        wires.queues.entry((FOUNDER, far)).or_default().push_back(frame);
        wires.pass(10_000);
        assert_eq!(wires.peers[FOUNDER].refusals(), ["not_allowed"]);
        assert_eq!(content(wires.store(FOUNDER), "forged"), None);
        member_common::assert_holds(wires.store(FOUNDER));
    }
}

/// A memory that this key writes behind its opening as if it were a writer's.
fn forged(key: &SecretKey, open: &Operation) -> Operation {
    let header = open.header();
    let facts = LogFacts { replica: key.public(), epoch: Epoch([0; 16]), role: Role::Writer };
    let mut head = Head::unopened(header.log, facts);
    head.last = Some(Last {
        fingerprint: open.fingerprint(),
        sequence: header.sequence,
        lamport: header.lamport,
        hybrid_ms: header.hybrid_ms,
    });
    let value = Value::Text("not mine to write".to_owned());
    let changes = vec![Change::Register { field: Field::Content, value, replaces: Vec::new() }];
    let memory = MemoryId::new("forged").unwrap();
    let draft = Draft {
        payload: Payload::Write(Write { memory, agent: "a".to_owned(), root: None, changes }),
        salt: Salt([1; 16]),
        now_ms: START_MS,
        expires_ms: None,
        dependencies: Vec::new(),
        payload_bytes_max: 1 << 16,
    };
    head.extend(key, draft).unwrap().operation().clone()
}

#[test]
fn frames_to_a_stranger_hold_neither_the_name_of_the_space_nor_a_members_key() {
    let ground = Ground::new();
    let mut wires = team(&ground);
    remember(wires.store(FOUNDER), "m", "a secret of the team");
    let space = wires.store(FOUNDER).space().clone();
    let name = space.name().to_owned();
    let keys = [ADA, CLEO].map(|at| wires.store(at).replica());
    // One knows the descriptor of the space and has no grant; one knows nothing.
    for (seed, space) in [(9, space), (10, chrysalis_core::member::Space::Open { name: "other".to_owned() })] {
        let stranger = MemoryReplica::new(space, SecretKey::from_seed(&[seed; 32]), None);
        let at = wires.add(Speaks::Hostile(Box::new(stranger)));
        let (_, far) = wires.link(at, FOUNDER);
        wires.pass(10_000);
        let frames: Vec<_> = wires.peers[FOUNDER].sent.iter().filter(|(link, _)| *link == far).collect();
        assert!(!frames.is_empty());
        for (_, frame) in frames {
            assert!(!tells(&Message::decode(frame).unwrap()));
            let holds = |words: &[u8]| frame.windows(words.len()).any(|window| window == words);
            assert!(!holds(name.as_bytes()) && !holds(b"secret") && !holds(b"anna"));
            assert!(keys.iter().all(|key| !holds(key.as_bytes())));
        }
    }
}

#[test]
fn who_comes_by_an_invitation_that_was_taken_back_is_shown_out_and_leaves_nothing_behind() {
    let ground = Ground::new();
    let mut wires = team(&ground);
    let token = wires.store(FOUNDER).invite(Role::Writer, None, Vec::new()).unwrap();
    let early = ground.join("early", &token);
    ground.carry(&early, wires.store(FOUNDER));
    let (early, late) = (wires.add(Speaks::Store(Box::new(early))), ground.join("late", &token));
    assert!(wires.store(FOUNDER).revoke_token(&Token::decode(&token).unwrap()).unwrap());
    remember(wires.store(FOUNDER), "after", "for members");
    let before = wires.store(FOUNDER).membership().unwrap();
    let late = wires.add(Speaks::Store(Box::new(late)));
    for (dialer, other) in [(late, FOUNDER), (FOUNDER, late)] {
        wires.link(dialer, other);
        wires.settle();
        assert_eq!(wires.peers[FOUNDER].closings().pop(), Some("not_allowed"));
    }
    assert_eq!(content(wires.store(late), "after"), None);
    assert_eq!(
        (wires.store(FOUNDER).membership().unwrap(), wires.store(FOUNDER).members().unwrap().len()),
        (before, 4)
    );
    // Who had come in by it is let in as before.
    wires.link(early, FOUNDER);
    wires.pass(10_000);
    assert_eq!(content(wires.store(early), "after").as_deref(), Some("for members"));
}
