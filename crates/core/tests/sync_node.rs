//! Nodes that are linked come to hold the same operations.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod network;

use chrysalis_core::sync::message::Message;
use chrysalis_core::sync::replica::Replica;
use network::{Network, Weather, replica, say};

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
        network.weather = Weather { lost, mixed: true };
        for round in 0..30 {
            network.say(round % 6, &format!("{lost} {round}"));
            network.pass(100);
        }
        network.weather = Weather::default();
        network.pass(60_000);
        assert!(network.agree(), "{lost} of 100 lost");
    }
}
