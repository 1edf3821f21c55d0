//! Two branches of one log: nodes find the place, make the proof and tell everyone, whoever holds which branch.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod network;

use chrysalis_core::id::LogId;
use chrysalis_core::operation::Operation;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::Message;
use chrysalis_core::sync::node::NodeEvent;
use chrysalis_core::sync::replica::{Intake, Offer, Outcome, Replica};
use common::{Author, opened};
use network::{Network, replica};

/// Stores these operations one by one, as they would have come live.
fn give(replica: &mut MemoryReplica, operations: &[Operation]) {
    let from = replica.key();
    for operation in operations {
        let offers = vec![(from, Offer::Segment(vec![operation.clone()]))];
        let outcomes = replica.take(Intake { offers, ..Intake::default() }).unwrap();
        assert!(matches!(outcomes[..], [Outcome::Stored(_)]), "{outcomes:?}");
    }
}

fn notes(author: &mut Author, prefix: &str, count: usize) -> Vec<Operation> {
    (0..count).map(|number| author.note(&format!("{prefix} {number}"))).collect()
}

/// A log of so many operations and two branches behind it.
fn fork(trunk: usize, left: usize, right: usize) -> (LogId, Vec<Operation>, Vec<Operation>) {
    let (mut author, open) = opened(50);
    let mut trunk: Vec<_> = [open].into_iter().chain(notes(&mut author, "trunk", trunk)).collect();
    let mut copy = author.copy();
    let mut left_branch = trunk.clone();
    left_branch.extend(notes(&mut author, "left", left));
    trunk.extend(notes(&mut copy, "right", right));
    (author.log(), left_branch, trunk)
}

fn cut_of(network: &Network, at: usize, log: &LogId) -> Option<u64> {
    network.peers[at].replica.state(log).unwrap().and_then(|state| state.cut)
}

#[test]
fn the_place_of_a_fork_is_found_wherever_it_is() {
    for (trunk, left, right) in [(0, 1, 1), (0, 1, 5), (3, 4, 4), (3, 1, 90), (70, 2, 2), (100, 200, 130), (300, 1, 1)]
    {
        let (log, one, other) = fork(trunk, left, right);
        let mut network = Network::of(vec![replica(1), replica(2)]);
        give(&mut network.peers[0].replica, &one);
        give(&mut network.peers[1].replica, &other);
        network.link(0, 1);
        network.pass(20_000);
        let cut = Some(trunk as u64 + 1);
        assert_eq!([0, 1].map(|at| cut_of(&network, at, &log)), [cut, cut], "{trunk} {left} {right}");
        assert!(network.agree());
        let probes = [0, 1].map(|at| network.messages(at, |message| matches!(message, Message::Probe { .. })));
        assert!(probes.iter().all(|probes| *probes <= 4), "{probes:?}");
    }
}

#[test]
fn everyone_hears_of_the_proof_and_the_branches_stay_where_they_are() {
    let (log, one, other) = fork(5, 3, 3);
    let mut network = Network::of((1..=6).map(replica).collect());
    for at in 1..6 {
        network.link(at - 1, at);
    }
    network.pass(5_000);
    give(&mut network.peers[0].replica, &one);
    give(&mut network.peers[5].replica, &other);
    network.pass(30_000);
    assert!(network.agree());
    for at in 0..6 {
        assert_eq!(cut_of(&network, at, &log), Some(6));
        let proven = network.peers[at].events.iter().filter(|event| **event == NodeEvent::Proven { log }).count();
        assert_eq!(proven, 1, "peer {at}");
    }
}

#[test]
fn a_proof_is_said_before_the_segments_that_were_to_be_said() {
    let (log, one, other) = fork(2, 1, 1);
    let mut network = Network::of(vec![replica(1), replica(2)]);
    network.link(0, 1);
    network.pass(5_000);
    network.peers[0].sent.clear();
    give(&mut network.peers[0].replica, &one);
    let outcome = {
        let (from, branch) = (network.peers[0].key(), vec![other.last().unwrap().clone()]);
        let offers = vec![(from, Offer::Segment(branch))];
        network.peers[0].replica.take(Intake { offers, ..Intake::default() }).unwrap()
    };
    assert_eq!(outcome, [Outcome::Forked]);
    network.pass(10_000);
    assert_eq!([0, 1].map(|at| cut_of(&network, at, &log)), [Some(3), Some(3)]);
}

#[test]
fn an_operation_that_depends_on_a_void_branch_arrives_with_the_header_it_needs() {
    let (mut author, open) = opened(50);
    let mut copy = author.copy();
    let (left, right) = (author.note("left"), copy.note("right"));
    let (mut honest, honest_open) = opened(51);
    // It saw the right branch before anyone knew of the other.
    let answer = honest.note_after("an answer", &[&right]);
    let mut network = Network::of(vec![replica(1), replica(2), replica(3)]);
    give(&mut network.peers[0].replica, &[open.clone(), right.clone(), honest_open.clone(), answer.clone()]);
    give(&mut network.peers[1].replica, &[open.clone(), left.clone()]);
    network.link(0, 1);
    network.link(1, 2);
    network.pass(30_000);
    assert!(network.agree());
    for peer in &network.peers {
        assert_eq!(peer.replica.find(&[answer.fingerprint()]).unwrap(), std::slice::from_ref(&answer));
    }
}

#[test]
fn words_that_came_without_are_asked_for_and_taken() {
    let (mut author, open) = opened(50);
    let said = author.note("words");
    let mut network = Network::of(vec![replica(1), replica(2), replica(3)]);
    give(&mut network.peers[0].replica, &[open.clone(), said.clone().without_body()]);
    give(&mut network.peers[2].replica, &[open, said.clone()]);
    network.link_all();
    network.pass(300_000);
    for peer in &network.peers {
        assert_eq!(peer.replica.find(&[said.fingerprint()]).unwrap(), std::slice::from_ref(&said));
    }
}
