//! Nodes that are linked come to hold the same operations.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod network;

use chrysalis_core::id::{Epoch, Salt};
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::Message;
use chrysalis_core::sync::node::{Node, NodeConfig};
use chrysalis_core::sync::random::Random;
use chrysalis_core::sync::replica::{Intake, Offer, Replica};
use common::{START_MS, note, open_space};
use network::{Network, Weather, key_of, long_note, replica, say, silent};
use proptest::prelude::*;

#[test]
fn two_that_meet_hold_the_same_at_once_and_know_it() {
    let (mut one, mut other) = (replica(1), replica(2));
    for round in 0..200 {
        say(&mut one, &format!("one {round}"));
        say(&mut other, &format!("other {round}"));
    }
    let mut network = Network::of(vec![one, other]);
    network.link(0, 1);
    network.settle();
    assert!(network.agree());
    network.pass(1_000);
    let keys = [network.peers[0].key(), network.peers[1].key()];
    let [one, other] = [0, 1].map(|at| &network.peers[at].replica);
    assert_eq!(one.agreed(&keys[1]).unwrap(), Some(one.position().unwrap()));
    assert_eq!(other.agreed(&keys[0]).unwrap(), Some(other.position().unwrap()));
}

#[test]
fn what_is_written_is_on_the_peers_disk_with_the_next_messages() {
    let mut network = Network::of(vec![replica(1), replica(2)]);
    network.link(0, 1);
    network.settle();
    let said = network.say(0, "news");
    network.settle();
    assert_eq!(network.peers[1].replica.find(&[said.fingerprint()]).unwrap(), [said]);
    network.pass(1_000);
    let (log, peer) = (network.peers[0].replica.own_log(), network.peers[1].key());
    assert_eq!(network.peers[0].replica.acknowledged(&peer, &log), 2);
}

#[test]
fn news_goes_on_from_peer_to_peer_and_not_back() {
    let mut network = Network::of((1..=5).map(replica).collect());
    for at in 1..5 {
        network.link(at - 1, at);
    }
    network.settle();
    network.pass(10_000);
    assert!(network.agree());
    network.peers.iter_mut().for_each(|peer| peer.sent.clear());
    network.say(0, "along the chain");
    network.settle();
    assert!(network.agree());
    let pushes = |message: &Message| matches!(message, Message::Segments { .. });
    let sent: Vec<_> = (0..5).map(|at| network.messages(at, pushes)).collect();
    assert_eq!(sent, [1, 1, 1, 1, 0]);
}

#[test]
fn lost_and_mixed_frames_delay_and_lose_nothing() {
    for lost in [0, 10, 40] {
        let mut network = Network::of((1..=6).map(replica).collect());
        network.link_all();
        network.settle();
        network.weather = Weather { lost, mixed: true, ..Weather::default() };
        for round in 0..30 {
            network.say(round % 6, &format!("{lost} {round}"));
            network.pass(100);
        }
        network.weather = Weather::default();
        network.pass(60_000);
        assert!(network.agree(), "{lost} of 100 lost");
    }
}

#[test]
fn windows_whose_acknowledgements_were_lost_are_free_again_after_a_while() {
    let mut network = Network::of(vec![replica(1), replica(2)]);
    network.link(0, 1);
    network.settle();
    network.weather = Weather { unacknowledged: true, ..Weather::default() };
    // More than two windows, of words that can't be packed.
    let mut random = Random::new(3);
    for _ in 0..180 {
        let long: String = (0..50_000).map(|_| char::from(b'0' + random.below(75) as u8)).collect();
        network.say(0, &long);
    }
    network.pass(5_000);
    assert!(!network.agree(), "the window is full");
    network.weather = Weather::default();
    network.pass(45_000);
    assert!(network.agree());
    assert_eq!(network.peers[0].node.status().links[0].unacknowledged_bytes, 0);
}

/// So many logs of one operation each; each log has its own key.
fn logs(count: u64) -> Vec<chrysalis_core::operation::Operation> {
    let log = |number: u64| {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let key = chrysalis_core::sign::SecretKey::from_seed(&seed);
        let mut author = MemoryReplica::new(open_space(), key, None);
        author.open(Epoch([0; 16]), Salt([0; 16]), START_MS).unwrap()
    };
    (0..count).map(log).collect()
}

fn give(replica: &mut MemoryReplica, operations: &[chrysalis_core::operation::Operation]) {
    let from = replica.key();
    let offers = operations.iter().map(|operation| (from, Offer::Segment(vec![operation.clone()]))).collect();
    replica.take(Intake { offers, ..Intake::default() }).unwrap();
}

#[test]
fn many_logs_are_compared_by_ranges_and_a_few_changes_take_few_bytes() {
    let all = logs(600);
    let config = NodeConfig { listed_logs_max: 100, ..NodeConfig::default() };
    for dialer in [0, 1] {
        let mut network = Network::new();
        for (seed, left_out) in [(1, 17), (2, 23)] {
            let mut replica = replica(seed);
            let some = all.iter().enumerate().filter(|(at, _)| at % 97 != left_out % 97).map(|(_, one)| one.clone());
            give(&mut replica, &some.collect::<Vec<_>>());
            network.add(replica, config.clone());
        }
        network.link(dialer, 1 - dialer);
        network.pass(1_000);
        assert!(network.agree());
        let compared = |message: &Message| matches!(message, Message::Summary(_) | Message::Ranges(_));
        let sent = network.peers.iter().flat_map(|peer| &peer.sent).filter(|(_, message, _)| compared(message));
        let bytes: usize = sent.map(|(_, _, bytes)| bytes).sum();
        assert!(bytes < 12_000, "{bytes} bytes to find 14 of 600 logs");
    }
}

#[test]
fn a_newcomer_gets_more_logs_than_a_summary_lists() {
    let config = NodeConfig { listed_logs_max: 50, ..NodeConfig::default() };
    for dialer in [0, 1] {
        let mut network = Network::new();
        let mut full = replica(1);
        give(&mut full, &logs(400));
        network.add(full, config.clone());
        network.add(silent(open_space(), 2), config.clone());
        network.link(dialer, 1 - dialer);
        network.pass(1_000);
        assert!(network.agree(), "dialed by {dialer}");
    }
}

#[test]
fn who_was_away_is_told_what_changed_since_both_agreed() {
    let mut full = replica(1);
    give(&mut full, &logs(300));
    let mut network = Network::of(vec![full, replica(2)]);
    let (near, _) = network.link(0, 1);
    network.pass(1_000);
    network.cut(0, near);
    network.settle();
    network.say(0, "meanwhile");
    network.peers.iter_mut().for_each(|peer| peer.sent.clear());
    network.link(0, 1);
    network.settle();
    assert!(network.agree());
    let states = network.peers[0].sent.iter().find_map(|(_, message, _)| match message {
        Message::Summary(summary) => summary.states.clone(),
        _ => None,
    });
    assert_eq!(states.map(|states| states.len()), Some(1));
}

#[test]
fn a_peer_that_lost_what_both_had_agreed_on_gets_it_again() {
    let mut full = replica(1);
    give(&mut full, &logs(50));
    let mut network = Network::of(vec![full, replica(2)]);
    let (near, _) = network.link(0, 1);
    network.pass(1_000);
    network.cut(0, near);
    network.settle();
    // Restored from before the two ever met, but with the note that they agreed.
    let (peer, position) = (network.peers[0].key(), network.peers[1].replica.position().unwrap());
    let mut restored = replica(2);
    restored.take(Intake { agreed: vec![(peer, position)], ..Intake::default() }).unwrap();
    network.peers[1].replica = restored;
    network.peers[1].node = Node::new(NodeConfig::default(), 77);
    network.link(0, 1);
    network.pass(30_000);
    assert!(network.agree());
}

#[test]
fn a_replica_that_fell_behind_its_own_log_gets_it_back() {
    let mut network = Network::of(vec![replica(1), replica(2)]);
    let (near, _) = network.link(0, 1);
    network.say(0, "before the backup was restored");
    network.pass(1_000);
    network.cut(0, near);
    network.peers[0].replica = replica(1);
    network.peers[0].node = Node::new(NodeConfig::default(), 77);
    network.link(0, 1);
    network.pass(1_000);
    assert!(network.agree());
}

#[test]
fn large_operations_are_announced_and_fetched() {
    let mut network = Network::of(vec![replica(1), replica(2)]);
    network.link(0, 1);
    network.settle();
    network.peers[0].sent.clear();
    network.peers[0].replica.say(long_note(&"x".repeat(9_000)), Salt([3; 16]), START_MS).unwrap();
    network.pass(1_000);
    assert!(network.agree());
    let first = network.peers[0].sent.iter().find(|(_, message, _)| !matches!(message, Message::Summary(_)));
    assert!(matches!(first, Some((_, Message::Have(_), _))), "{first:?}");
}

#[test]
fn equal_inputs_give_equal_outputs() {
    let run = || {
        let mut network = Network::of((1..=4).map(replica).collect());
        network.link_all();
        network.weather = Weather { mixed: true, ..Weather::default() };
        for round in 0..10 {
            network.say(round % 4, &format!("round {round}"));
            network.pass(300);
        }
        network.peers.into_iter().map(|peer| (peer.sent, peer.events)).collect::<Vec<_>>()
    };
    assert!(run() == run());
}

#[derive(Clone, Debug)]
enum Happening {
    Say(usize),
    Link(usize, usize),
    Cut(usize),
    Pass(u64),
    Clone(usize, usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    let peer = 0usize..5;
    prop_oneof![
        6 => peer.clone().prop_map(Happening::Say),
        3 => (peer.clone(), peer.clone()).prop_map(|(one, other)| Happening::Link(one, other)),
        1 => (0usize..20).prop_map(Happening::Cut),
        3 => (1u64..3_000).prop_map(Happening::Pass),
        1 => (peer.clone(), peer).prop_map(|(author, at)| Happening::Clone(author, at)),
    ]
}

fn play(happenings: &[Happening], mixed: bool) -> Network {
    let mut network = Network::of((1..=5).map(replica).collect());
    network.weather = Weather { mixed, ..Weather::default() };
    let mut links = Vec::new();
    for (number, happening) in happenings.iter().enumerate() {
        match happening {
            Happening::Say(at) => drop(network.say(*at, &format!("{number}"))),
            Happening::Link(one, other) if one != other => links.push((*one, network.link(*one, *other).0)),
            Happening::Link(..) => {}
            Happening::Cut(at) if !links.is_empty() => {
                let (one, link) = links.remove(at % links.len());
                network.cut(one, link);
            }
            Happening::Cut(_) => {}
            Happening::Pass(ms) => network.pass(*ms),
            Happening::Clone(author, at) => fork_at(&mut network, *author as u8 + 1, *at, number),
        }
    }
    network
}

/// A second machine continues someone's log from its beginning, and one replica gets that.
fn fork_at(network: &mut Network, author: u8, at: usize, number: usize) {
    let mut copy = MemoryReplica::new(open_space(), key_of(author), None);
    copy.open(Epoch([author; 16]), Salt([author; 16]), START_MS).unwrap();
    let said = copy.say(note(&format!("copy {number}")), Salt([9; 16]), START_MS).unwrap();
    give(&mut network.peers[at].replica, &[said]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happened_all_that_are_linked_come_to_hold_the_same(
        happenings in prop::collection::vec(happening(), 1..40), mixed: bool,
    ) {
        let mut network = play(&happenings, mixed);
        // In the end everyone is reachable, by way of others.
        for at in 1..5 {
            network.link(at - 1, at);
        }
        network.pass(60_000);
        prop_assert!(network.agree());
    }
}

#[test]
fn a_void_branch_of_several_operations_on_which_others_depend_reaches_everyone() {
    use Happening::{Clone, Link, Pass, Say};
    let happenings = [Link(0, 3), Pass(283), Link(1, 0), Pass(217), Say(1), Say(1), Clone(1, 3), Pass(1), Say(0)];
    for mixed in [false, true] {
        let mut network = play(&happenings, mixed);
        for at in 1..5 {
            network.link(at - 1, at);
        }
        network.pass(60_000);
        assert!(network.agree());
    }
}
