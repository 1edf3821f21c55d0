//! Words that are missing: who is asked for them, and how often when nobody has them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrysalis_core::id::{Fingerprint, ReplicaKey};
use chrysalis_core::operation::Operation;
use chrysalis_core::sync::gossip::GossipConfig;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::Message;
use chrysalis_core::sync::node::{LinkId, NodeConfig};
use chrysalis_core::sync::replica::{Intake, Offer, Replica};

use network::{Network, replica, say};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// Compares and gossips too seldom to be heard beside the search.
fn quiet() -> NodeConfig {
    let gossip = GossipConfig { interval_ms: DAY_MS, anti_entropy_ms: DAY_MS, ..GossipConfig::default() };
    NodeConfig { gossip: GossipConfig { shuffle_ms: DAY_MS, ..gossip }, ..NodeConfig::default() }
}

fn read_all(replica: &MemoryReplica) -> Vec<Vec<Operation>> {
    replica.read_after(0, usize::MAX).unwrap().0
}

fn give(replica: &mut MemoryReplica, segments: Vec<Vec<Operation>>) {
    let from = ReplicaKey([0; 32]);
    let offers = segments.into_iter().map(|segment| (from, Offer::Segment(segment))).collect();
    replica.take(Intake { offers, ..Intake::default() }).unwrap();
}

/// Who said some things, and peers of whom nobody has the words of any.
fn bereft(peers: u8, count: usize) -> (MemoryReplica, Network) {
    let mut author = replica(99);
    for number in 0..count {
        say(&mut author, &format!("words {number}"));
    }
    let bare = |operation: Operation| match operation.header().sequence {
        0 => operation,
        _ => operation.without_body(),
    };
    let bare: Vec<Vec<Operation>> =
        read_all(&author).into_iter().map(|segment| segment.into_iter().map(bare).collect()).collect();
    let mut network = Network::new();
    for seed in 1..=peers {
        let mut peer = replica(seed);
        give(&mut peer, bare.clone());
        network.add(peer, quiet());
    }
    (author, network)
}

/// Links the first one to these.
fn link_first(network: &mut Network, others: Range<usize>) {
    for other in others {
        network.link(0, other);
    }
}

fn finds(network: &Network, at: usize) -> usize {
    network.messages(at, |message| matches!(message, Message::Find(_)))
}

/// What each link was asked for.
fn asked(network: &Network, at: usize) -> BTreeMap<LinkId, BTreeSet<Fingerprint>> {
    let mut asked: BTreeMap<LinkId, BTreeSet<Fingerprint>> = BTreeMap::new();
    for (link, message, _) in &network.peers[at].sent {
        if let Message::Find(some) = message {
            asked.entry(*link).or_default().extend(some.iter().copied());
        }
    }
    asked
}

fn missing(network: &Network, at: usize) -> usize {
    network.peers[at].replica.without_words(None, usize::MAX).unwrap().len()
}

#[test]
fn what_nobody_has_is_asked_for_ever_more_rarely() {
    let (_, mut network) = bereft(5, 1);
    link_first(&mut network, 1..5);
    network.pass(10 * MINUTE_MS);
    let first = finds(&network, 0);
    assert_eq!(asked(&network, 0).len(), 4, "everyone was asked");
    network.pass(DAY_MS);
    let day = finds(&network, 0) - first;
    network.pass(DAY_MS);
    let next = finds(&network, 0) - first - day;
    // Every four hours at most, each of four.
    assert!(next <= 4 * 7, "{next} requests on the second day, {day} on the first, {first} in ten minutes");
    assert_eq!(missing(&network, 0), 1);
}

#[test]
fn who_links_anew_and_has_the_words_is_asked_within_a_minute_however_long_nobody_had_them() {
    let (author, mut network) = bereft(4, 3);
    link_first(&mut network, 1..4);
    network.pass(2 * DAY_MS);
    assert_eq!(missing(&network, 0), 3);
    let at = network.add(author, quiet());
    let before = finds(&network, 0);
    network.link(at, 0);
    network.pass(MINUTE_MS);
    assert_eq!(missing(&network, 0), 0);
    assert_eq!(finds(&network, 0) - before, 1, "the others had been asked");
}

#[test]
fn of_many_words_each_is_asked_of_everyone() {
    let (_, mut network) = bereft(8, 150);
    link_first(&mut network, 1..8);
    // Three parts for each of three groups of links.
    network.pass(6 * MINUTE_MS);
    let all: BTreeSet<Fingerprint> =
        network.peers[0].replica.without_words(None, usize::MAX).unwrap().into_iter().collect();
    assert_eq!(all.len(), 150);
    let asked = asked(&network, 0);
    assert_eq!(asked.len(), 7);
    assert!(asked.values().all(|some| *some == all));
}

#[test]
fn what_is_missing_newly_is_asked_for_soon() {
    let (_, mut network) = bereft(3, 1);
    link_first(&mut network, 1..3);
    network.pass(2 * DAY_MS);
    let mut other = replica(77);
    let new = say(&mut other, "new words");
    let mut whole = read_all(&other);
    let last = whole[0].pop().unwrap();
    whole[0].push(last.without_body());
    give(&mut network.peers[0].replica, whole);
    network.pass(2 * MINUTE_MS);
    let asked = asked(&network, 0);
    assert!(asked.len() == 2 && asked.values().all(|some| some.contains(&new.fingerprint())));
}

#[test]
fn a_replica_names_what_it_lacks_in_order_and_to_the_end() {
    let (_, network) = bereft(1, 10);
    let replica = &network.peers[0].replica;
    let all = replica.without_words(None, usize::MAX).unwrap();
    let mut parts = Vec::new();
    while let Some(one) = replica.without_words(parts.last(), 1).unwrap().pop() {
        parts.push(one);
    }
    assert_eq!(parts, all);
    assert_eq!(parts.len(), 10);
}
