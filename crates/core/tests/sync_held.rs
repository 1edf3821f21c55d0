//! What a policy holds back is shown to nobody until it is due, and then to all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod network;

use chrysalis_core::sync::held::{Held, Shown};
use chrysalis_core::sync::node::NodeConfig;
use chrysalis_core::sync::replica::{Intake, Offer, Replica, Want};
use network::{Network, replica, say};

/// Three peers in a row, of which the first holds back what it says from now on.
fn holding() -> Network {
    let mut network = Network::of((1..=3).map(replica).collect());
    network.link(0, 1);
    network.link(1, 2);
    network.settle();
    network.pass(10_000);
    network.peers[0].shown = Some(Shown::all(&network.peers[0].replica).unwrap());
    network
}

fn show(network: &mut Network) {
    let now_ms = network.now_ms;
    let peer = &mut network.peers[0];
    let since = peer.shown.as_ref().unwrap().position();
    peer.shown = Some(Shown::all(&peer.replica).unwrap());
    peer.node.tell_again(since, now_ms);
}

fn held(network: &Network) -> u64 {
    network.peers[0].shown.as_ref().unwrap().held(&network.peers[0].replica).unwrap()
}

fn counts_of_first(network: &Network) -> Vec<u64> {
    let log = network.peers[0].replica.own_log();
    let count = |at: usize| network.peers[at].replica.state(&log).unwrap().map_or(0, |state| state.count);
    (0..3).map(count).collect()
}

#[test]
fn what_is_held_reaches_nobody_however_often_peers_compare() {
    let mut network = holding();
    for round in 0..20 {
        network.say(0, &format!("held {round}"));
        network.say(2, &format!("told {round}"));
        network.pass(5_000);
    }
    assert_eq!(counts_of_first(&network), [21, 1, 1]);
    assert_eq!(held(&network), 20);
    let log = network.peers[2].replica.own_log();
    let told = network.peers[0].replica.state(&log).unwrap().unwrap();
    assert_eq!(told.count, 21, "what others say still comes in");
}

#[test]
fn what_was_held_goes_to_everyone_at_once_when_it_is_shown() {
    let mut network = holding();
    for round in 0..20 {
        network.say(0, &format!("held {round}"));
        network.say(1, &format!("told {round}"));
        network.pass(1_000);
    }
    show(&mut network);
    network.settle();
    assert_eq!(counts_of_first(&network), [21, 21, 21]);
    assert!(network.agree());
    assert_eq!(held(&network), 0);
}

#[test]
fn a_peer_that_comes_while_something_is_held_gets_it_when_it_is_shown() {
    let mut network = holding();
    network.say(0, "held");
    let late = network.add(replica(9), NodeConfig::default());
    network.link(late, 0);
    network.pass(10_000);
    let log = network.peers[0].replica.own_log();
    assert_eq!(network.peers[late].replica.state(&log).unwrap().unwrap().count, 1);
    show(&mut network);
    network.settle();
    assert!(network.agree());
}

#[test]
fn what_was_agreed_on_while_something_was_held_is_noted_as_of_before() {
    let mut network = holding();
    network.say(0, "held");
    network.say(1, "told");
    network.pass(10_000);
    let peer = network.peers[1].key();
    let first = &network.peers[0];
    let since = first.replica.agreed(&peer).unwrap().unwrap();
    let changed = first.replica.states_since(since).unwrap();
    assert!(changed.iter().any(|state| state.log == first.replica.own_log()));
}

#[test]
fn what_a_peer_has_by_another_way_is_held_no_more() {
    let mut network = holding();
    network.say(0, "sent by another process of this store");
    let log = network.peers[0].replica.own_log();
    let segments = network.peers[0].replica.read(&[Want { log, from: 1 }], 1 << 20).unwrap();
    let from = network.peers[0].key();
    let offers = segments.into_iter().map(|segment| (from, Offer::Segment(segment))).collect();
    network.peers[1].replica.take(Intake { offers, ..Intake::default() }).unwrap();
    network.pass(20_000);
    assert_eq!(counts_of_first(&network), [2, 2, 2]);
    assert_eq!(held(&network), 0);
}

#[test]
fn others_operations_are_read_past_those_that_are_held() {
    let mut one = replica(1);
    let mut shown = Shown::all(&one).unwrap();
    for round in 0..100 {
        say(&mut one, &format!("held {round}"));
    }
    let log = one.own_log();
    let held = Held::new(&mut one, &mut shown);
    assert!(held.read(&[Want { log, from: 1 }], 1 << 10).unwrap().is_empty());
    assert_eq!(held.state(&log).unwrap().unwrap().count, 1);
    assert_eq!(held.states().unwrap(), [held.state(&log).unwrap().unwrap()]);
    assert_eq!(held.position().unwrap(), 101);
}
