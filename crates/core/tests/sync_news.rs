//! A node that tells everyone: how often it tells, and what travels together.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod network;

use chrysalis_core::sync::gossip::GossipConfig;
use chrysalis_core::sync::message::Message;
use chrysalis_core::sync::node::NodeConfig;
use chrysalis_core::sync::replica::Replica;

use network::{Network, replica};

/// Of three links it lets 30 ms pass, and 600 when logs were merely opened.
const TELL_US: u64 = 10_000;
const LONG_MS: u64 = 1_000_000;

/// Compares notes too seldom to help.
fn quiet(gossip: GossipConfig) -> NodeConfig {
    let gossip = GossipConfig { interval_ms: LONG_MS, anti_entropy_ms: LONG_MS, shuffle_ms: LONG_MS, ..gossip };
    NodeConfig { gossip, tell_us: TELL_US, ..NodeConfig::default() }
}

/// A hub, and three that are linked to it and agree with it.
fn star() -> Network {
    let mut network = Network::new();
    network.add(replica(1), quiet(GossipConfig::hub()));
    for seed in 2..=4 {
        let at = network.add(replica(seed), quiet(GossipConfig::default()));
        network.link(at, 0);
    }
    network.pass(5_000);
    assert!(network.agree());
    network
}

fn told(network: &Network) -> usize {
    network.messages(0, |message| matches!(message, Message::Segments { .. }))
}

fn logs_at(network: &Network, at: usize) -> usize {
    network.peers[at].replica.states().unwrap().len()
}

#[test]
fn the_first_word_goes_on_at_once_and_what_follows_travels_together() {
    let mut network = star();
    let before = told(&network);
    network.say(1, "first");
    network.settle();
    assert!(network.agree());
    assert_eq!(told(&network), before + 2);
    for words in ["second", "third", "fourth"] {
        network.say(1, words);
        network.settle();
    }
    assert_eq!(told(&network), before + 2);
    assert!(!network.agree());
    network.pass(30);
    assert_eq!(told(&network), before + 4);
    assert!(network.agree());
}

#[test]
fn a_log_that_was_merely_opened_is_told_later_than_words() {
    let mut network = star();
    let at = network.add(replica(5), quiet(GossipConfig::default()));
    network.link(at, 0);
    network.pass(100);
    assert_eq!((logs_at(&network, 0), logs_at(&network, at), logs_at(&network, 1)), (5, 5, 4));
    network.pass(1_000);
    assert!(network.agree());
}

#[test]
fn words_take_along_the_log_that_was_opened_before() {
    let mut network = star();
    let at = network.add(replica(5), quiet(GossipConfig::default()));
    network.link(at, 0);
    network.pass(100);
    assert_eq!(logs_at(&network, 1), 4);
    network.say(at, "here I am");
    network.pass(40);
    assert!(network.agree());
}

#[test]
fn whoever_tells_a_few_waits_for_nobody() {
    let mut network = Network::new();
    for seed in 1..=3 {
        network.add(replica(seed), quiet(GossipConfig::default()));
    }
    network.link_all();
    network.settle();
    for words in ["first", "second", "third"] {
        network.say(0, words);
        network.settle();
        assert!(network.agree());
    }
}

#[test]
fn what_peers_have_acknowledged_is_not_remembered_for_each_of_them() {
    let mut network = star();
    for seed in 5..=14 {
        let at = network.add(replica(seed), quiet(GossipConfig::default()));
        network.link(at, 0);
        network.pass(1_000);
        network.say(at, "here I am");
        network.pass(1_000);
    }
    assert!(network.agree());
    // Not one for each log: of who spoke is known that he has what he said, of another what waited when he acknowledged.
    let most = network.peers[0].node.status().links.iter().map(|link| link.remembered_logs).max().unwrap();
    assert!(most * 4 < logs_at(&network, 0), "{most} of {} logs", logs_at(&network, 0));
    let before = told(&network);
    network.say(1, "and who was silent for long is told as before");
    network.settle();
    assert_eq!(told(&network), before + 12);
    assert!(network.agree());
}
