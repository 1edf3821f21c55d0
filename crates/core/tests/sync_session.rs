//! Handshakes: who is let in, who is not, and what either learns.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod network;

use chrysalis_core::id::{Epoch, Salt, Signature};
use chrysalis_core::member::{Role, Space};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::{Credentials, Hello, Message, Nonce};
use chrysalis_core::sync::node::{Effect, LinkId, Node, NodeConfig};
use chrysalis_core::sync::replica::{Intake, Offer, Replica};
use chrysalis_core::sync::session::{Opened, Session, Terms};
use common::{Author, START_MS, closed_space, open_space};
use network::{Network, key_of, replica, say, silent};

fn opened(salt: u8, dialed: bool) -> Opened {
    Opened { nonce: [salt; 32], dialed: dialed.then(|| "ws://there:1".to_owned()), trusted: None }
}

fn terms(seed: u8, space: &Space) -> Terms {
    Terms { space: space.id(), replica: key_of(seed).public(), window_bytes: 1 << 20, address: None }
}

/// A replica of the closed space of founder 1, with a grant from this author.
fn member(author: &Author, seed: u8, role: Role) -> MemoryReplica {
    let grant = author.grant(seed, role, None, &key_of(seed).public());
    let mut member = MemoryReplica::new(author.open.space.clone(), key_of(seed), Some(grant));
    member.open(Epoch([seed; 16]), Salt([seed; 16]), START_MS).unwrap();
    member
}

fn founder() -> (Author, MemoryReplica) {
    let space = closed_space(1);
    let mut replica = MemoryReplica::new(space.clone(), key_of(1), None);
    replica.open(Epoch([1; 16]), Salt([1; 16]), START_MS).unwrap();
    (Author::new(&space, 1), replica)
}

fn closings(network: &Network, at: usize) -> Vec<&str> {
    network.peers[at].closings()
}

#[test]
fn members_of_a_closed_space_let_each_other_in_and_a_writer_needs_no_introduction() {
    let (author, founder) = founder();
    let mut network = Network::of(vec![founder, member(&author, 2, Role::Writer)]);
    network.link(0, 1);
    network.settle();
    assert!(network.agree());
    assert_eq!(network.peers.iter().map(network::Peer::readies).collect::<Vec<_>>(), [1, 1]);
    let role = network.peers[0].node.status().links[0].role;
    assert_eq!(role, Some(Role::Writer));
}

#[test]
fn a_stranger_learns_nothing_of_a_closed_space_and_is_shown_out() {
    let (_, mut home) = founder();
    say(&mut home, "a secret");
    for dialer in [0, 1] {
        // It knows the space's descriptor, and has no grant.
        let mut network = Network::of(vec![std::mem::replace(&mut home, founder().1), silent(closed_space(1), 9)]);
        network.link(dialer, 1 - dialer);
        network.settle();
        assert_eq!(closings(&network, 0), ["not_allowed"]);
        // Who calls a stranger shows it who calls, and nothing else.
        assert_eq!(network.peers[1].replica.valid().count(), usize::from(dialer == 0));
        let told =
            |message: &Message| !matches!(message, Message::Hello(_) | Message::Credentials(_) | Message::Bye { .. });
        assert_eq!(network.messages(0, told), 0);
        let shown = network.messages(0, |message| matches!(message, Message::Credentials(_)));
        assert_eq!(shown, usize::from(dialer == 0));
    }
}

#[test]
fn a_member_that_an_unknown_administrator_invited_shows_how_the_chain_leads_to_the_founder() {
    let (author, first) = founder();
    let mut second = author.invite(2, Role::Administrator);
    let second_open = second.open_log();
    let mut third = second.invite(3, Role::Administrator);
    let third_open = third.open_log();
    let grant = third.grant(4, Role::Writer, None, &key_of(4).public());
    for dialer in [0, 1] {
        let mut fourth = MemoryReplica::new(closed_space(1), key_of(4), Some(grant.clone()));
        let lineage = [second_open.clone(), third_open.clone()];
        let offers = lineage.map(|open| (third.key.public(), Offer::Segment(vec![open])));
        fourth.take(Intake { offers: offers.into(), ..Intake::default() }).unwrap();
        fourth.open(Epoch([4; 16]), Salt([4; 16]), START_MS).unwrap();
        let home = if dialer == 0 { founder().1 } else { member(&author, 5, Role::Writer) };
        let mut network = Network::of(vec![home, fourth]);
        network.link(dialer, 1 - dialer);
        network.settle();
        assert_eq!(closings(&network, 0), [""; 0]);
        assert!(network.agree());
    }
    drop(first);
}

#[test]
fn a_named_relay_without_a_role_carries_for_a_closed_space() {
    let (author, founder) = founder();
    let mut network = Network::of(vec![founder, silent(closed_space(1), 8), member(&author, 2, Role::Writer)]);
    let relay = network.peers[1].key();
    for member in [0, 2] {
        network.link_trusting(member, 1, Some(relay));
    }
    network.say(0, "carried");
    network.settle();
    assert!(network.agree());
}

#[test]
fn in_an_open_space_a_proven_key_suffices() {
    let mut network = Network::of(vec![replica(1), silent(open_space(), 2)]);
    network.link(1, 0);
    network.settle();
    assert!(network.agree());
}

#[test]
fn another_space_an_unknown_version_and_the_own_key_are_refused_by_name() {
    let other = Space::Open { name: "other".to_owned() };
    let mut network = Network::of(vec![replica(1), silent(other, 2), replica(1)]);
    network.link(1, 0);
    network.link(2, 0);
    network.settle();
    assert_eq!(closings(&network, 0), ["wrong_space", "own_key"]);
    let (space, mut session) = (open_space(), Session::new(opened(1, false)));
    session.begin(&terms(1, &space));
    let mut dialer = Session::new(opened(2, true));
    let hello = dialer.begin(&terms(2, &space)).unwrap();
    let refused = session.hear_hello(&terms(1, &space), Hello { versions: (7, 9), ..hello }).unwrap_err();
    assert_eq!(refused.code, "unknown_version");
}

/// Both sides after their hellos, the dialer first.
fn greeted(space: &Space) -> (Session, Session) {
    let (mut dialer, mut listener) = (Session::new(opened(1, true)), Session::new(opened(2, false)));
    let hello = dialer.begin(&terms(1, space)).unwrap();
    assert_eq!(listener.begin(&terms(2, space)), None);
    let answer = listener.hear_hello(&terms(2, space), hello).unwrap().unwrap();
    assert_eq!(dialer.hear_hello(&terms(1, space), answer), Ok(None));
    (dialer, listener)
}

fn credentials(session: &Session, seed: u8) -> Credentials {
    session.credentials(|message| key_of(seed).sign(message), None)
}

#[test]
fn credentials_hold_for_one_handshake_one_side_and_one_key() {
    let space = open_space();
    let (dialer, mut listener) = greeted(&space);
    let right = credentials(&dialer, 1);
    // By another key; for the other side, as a mirror would send it back; and damaged.
    let wrong = [
        credentials(&dialer, 3),
        credentials(&listener, 2),
        Credentials { signature: Signature([0; 64]), opening: None },
    ];
    for wrong in wrong {
        assert_eq!(listener.hear_credentials(wrong).unwrap_err().code, "not_allowed");
    }
    assert_eq!(listener.hear_credentials(right.clone()).unwrap().0, key_of(1).public());
    // The same words in another handshake, where the listener drew another nonce.
    let mut again = Session::new(opened(9, false));
    again.begin(&terms(2, &space));
    let hello = Session::new(opened(1, true)).begin(&terms(1, &space)).unwrap();
    again.hear_hello(&terms(2, &space), hello).unwrap();
    assert_eq!(again.hear_credentials(right).unwrap_err().code, "not_allowed");
}

#[test]
fn terms_that_were_changed_on_the_way_break_the_signature() {
    let space = open_space();
    let change: [fn(&mut Hello); 4] = [
        |hello| hello.versions = (0, 1),
        |hello| hello.window_bytes += 1,
        |hello| hello.address = Some("ws://elsewhere:1".to_owned()),
        |hello| hello.nonce = Nonce([5; 32]),
    ];
    for change in change {
        let (mut dialer, mut listener) = (Session::new(opened(1, true)), Session::new(opened(2, false)));
        let mut hello = dialer.begin(&terms(1, &space)).unwrap();
        listener.begin(&terms(2, &space));
        change(&mut hello);
        let answer = listener.hear_hello(&terms(2, &space), hello).unwrap().unwrap();
        dialer.hear_hello(&terms(1, &space), answer).unwrap();
        assert!(listener.hear_credentials(credentials(&dialer, 1)).is_err());
    }
}

#[test]
fn someone_elses_opening_opens_no_door() {
    let (author, founder) = founder();
    let opening = founder.opening().unwrap();
    let space = author.open.space.clone();
    let (dialer, mut listener) = {
        let (mut dialer, mut listener) = (Session::new(opened(1, true)), Session::new(opened(2, false)));
        let hello = dialer.begin(&terms(9, &space)).unwrap();
        listener.begin(&terms(2, &space));
        let answer = listener.hear_hello(&terms(2, &space), hello).unwrap().unwrap();
        dialer.hear_hello(&terms(9, &space), answer).unwrap();
        (dialer, listener)
    };
    let stolen = dialer.credentials(|message| key_of(9).sign(message), opening);
    assert_eq!(listener.hear_credentials(stolen).unwrap_err().code, "not_allowed");
}

#[test]
fn a_third_link_of_one_key_is_one_too_many() {
    let mut network = Network::of(vec![replica(1), replica(2)]);
    for _ in 0..3 {
        network.link(0, 1);
    }
    network.settle();
    let closed: Vec<_> = [0, 1].into_iter().flat_map(|at| closings(&network, at)).collect();
    assert!(closed.contains(&"too_many"), "{closed:?}");
    assert_eq!(network.peers[0].node.status().links.len(), 2);
    assert_eq!(network.peers[1].node.status().links.len(), 2);
}

#[test]
fn who_never_speaks_is_shown_out_in_time_and_strangers_do_not_take_all_links() {
    let config = NodeConfig { handshakes_max: 3, ..NodeConfig::default() };
    let mut node = Node::new(config.clone(), 1);
    let mut home = replica(1);
    for number in 0..5 {
        node.opened(LinkId(number), opened(number as u8, false), START_MS);
    }
    let closed = |effects: Vec<Effect<_>>| -> Vec<(u64, String)> {
        let closed = effects.into_iter().filter_map(|effect| match effect {
            Effect::<std::convert::Infallible>::Close { link, code, .. } => Some((link.0, code)),
            _ => None,
        });
        closed.collect()
    };
    let too_many = closed(node.step(&mut home, START_MS));
    assert_eq!(too_many, [(3, "too_many".to_owned()), (4, "too_many".to_owned())]);
    assert_eq!(node.wake_at(), Some(START_MS + config.handshake_ms));
    let late = closed(node.step(&mut home, START_MS + config.handshake_ms));
    assert_eq!(late.len(), 3);
    assert!(late.iter().all(|(_, code)| code == "timeout"));
    assert_eq!(node.status().links, []);
}

#[test]
fn a_silent_link_is_asked_and_then_given_up() {
    let mut network = Network::of(vec![replica(1), replica(2)]);
    let (near, _) = network.link(0, 1);
    network.settle();
    network.pass(120_000);
    assert_eq!(closings(&network, 0), [""; 0]);
    // The other end vanishes without a word.
    network.lose(0, near);
    network.pass(120_000);
    assert_eq!(closings(&network, 0), ["timeout"]);
}

#[test]
fn a_message_out_of_turn_ends_the_link() {
    let mut node = Node::new(NodeConfig::default(), 1);
    let mut home = replica(1);
    for message in [
        Message::Ping(1),
        Message::WantProofs(vec![]),
        Message::Summary(chrysalis_core::sync::message::Summary {
            root: [0; 48],
            logs: 0,
            states: None,
            complete: false,
        }),
    ] {
        node.opened(LinkId(1), opened(1, false), START_MS);
        node.received(LinkId(1), message.encode());
        node.step(&mut home, START_MS);
        assert_eq!(node.status().links, []);
    }
}

#[test]
fn the_debug_text_of_a_replica_holds_no_secret() {
    let replica = MemoryReplica::new(open_space(), SecretKey::from_seed(&[0xab; 32]), None);
    assert!(!format!("{replica:?}").contains("171, 171"));
}
