//! Gossip: whom a replica calls, tells, compares notes with and hangs up on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::sync::book::{Source, is_address};
use chrysalis_core::sync::gossip::{Gossip, GossipCommand, GossipConfig, LinkId, PEERS_MAX};
use chrysalis_core::sync::message::{Address, Peer};

fn key(number: usize) -> ReplicaKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    ReplicaKey(bytes)
}

fn address(number: usize) -> Address {
    format!("ws://replica-{number}.example:4444")
}

fn peer(number: usize) -> Peer {
    Peer { address: address(number), replica: None }
}

fn machine(config: GossipConfig) -> Gossip {
    Gossip::new(config, key(0), 7)
}

/// A machine with links that it called itself, numbered like their peers from 1.
fn linked(config: GossipConfig, links: usize) -> Gossip {
    let mut gossip = machine(config);
    for number in 1..=links {
        gossip.know(peer(number), Source::Configured);
        gossip.linked(LinkId(number as u64), key(number), Some(address(number)), false, 0);
    }
    gossip.tick(0);
    gossip
}

fn dials(commands: &[GossipCommand]) -> BTreeSet<Address> {
    let dialed = commands.iter().filter_map(|command| match command {
        GossipCommand::Dial(address) => Some(address.clone()),
        _ => None,
    });
    dialed.collect()
}

fn exchanges(commands: &[GossipCommand]) -> usize {
    commands.iter().filter(|command| matches!(command, GossipCommand::Exchange(_))).count()
}

/// Every call that it makes until `until_ms`, each of which fails at once, with its time.
fn failing_calls(gossip: &mut Gossip, until_ms: u64) -> Vec<(u64, Address)> {
    let (mut now, mut calls) = (0, Vec::new());
    while now < until_ms {
        for address in dials(&gossip.tick(now)) {
            gossip.dial_failed(&address, now);
            calls.push((now, address));
        }
        now = gossip.wake_at().map_or(until_ms, |wake| wake.max(now + 1));
    }
    calls
}

#[test]
fn few_peers_are_all_called_and_nobody_twice() {
    let mut gossip = machine(GossipConfig::default());
    (1..=20).for_each(|number| gossip.know(peer(number), Source::Announced(key(99))));
    let mut called = BTreeSet::new();
    for now in 0..20 {
        for address in dials(&gossip.tick(now)) {
            assert!(called.insert(address.clone()), "{address} was called twice");
            let number = called.len();
            gossip.linked(LinkId(number as u64), key(number), Some(address), false, now);
        }
    }
    assert_eq!(called, (1..=20).map(address).collect());
}

#[test]
fn calls_under_way_are_bounded_and_one_that_never_ends_gives_its_place_back() {
    let mut gossip = machine(GossipConfig::default());
    (1..=30).for_each(|number| gossip.know(peer(number), Source::Configured));
    assert_eq!(dials(&gossip.tick(0)).len(), 8);
    assert_eq!(dials(&gossip.tick(1)).len(), 0);
    let wake = gossip.wake_at().unwrap();
    assert_eq!(wake, 30_000);
    assert_eq!(dials(&gossip.tick(wake)).len(), 8);
}

#[test]
fn fanout_links_are_told_at_once_and_all_others_get_an_announcement() {
    let mut gossip = linked(GossipConfig::default(), 20);
    let mut told = BTreeSet::new();
    for _ in 0..50 {
        let spread = gossip.spread(Some(LinkId(4)), 500);
        assert_eq!(spread.eager.len(), 3);
        let all: BTreeSet<LinkId> = spread.eager.iter().chain(&spread.lazy).copied().collect();
        assert_eq!(all.len(), spread.eager.len() + spread.lazy.len());
        assert_eq!(all, (1..=20).filter(|link| *link != 4).map(LinkId).collect());
        told.extend(spread.eager);
    }
    assert_eq!(told.len(), 19, "the choice is a new one each time");
}

#[test]
fn what_is_large_is_announced_only() {
    let mut gossip = linked(GossipConfig::default(), 5);
    assert_eq!(gossip.spread(None, 4096).eager.len(), 3);
    let spread = gossip.spread(None, 4097);
    assert_eq!((spread.eager.len(), spread.lazy.len()), (0, 5));
}

#[test]
fn a_hub_tells_everyone_calls_nobody_unasked_and_hangs_up_on_nobody() {
    let mut hub = machine(GossipConfig::hub());
    for number in 1..=500 {
        hub.linked(LinkId(number as u64), key(number), Some(address(number)), true, 0);
    }
    let spread = hub.spread(Some(LinkId(1)), 500);
    assert_eq!((spread.eager.len(), spread.lazy.len()), (499, 0));
    (1..=100).for_each(|number| hub.unlinked(LinkId(number), 1));
    for now in (0..120_000).step_by(500) {
        let commands = hub.tick(now);
        assert!(dials(&commands).is_empty());
        assert!(!commands.iter().any(|command| matches!(command, GossipCommand::Drop(_))));
    }
}

#[test]
fn the_wait_after_a_failed_call_doubles_with_jitter_up_to_five_seconds_for_configured_peers() {
    let quiet = GossipConfig { revive_ms: u64::MAX / 4, ..GossipConfig::default() };
    let mut gossip = machine(quiet);
    gossip.know(peer(1), Source::Configured);
    let calls = failing_calls(&mut gossip, 3_600_000);
    let waits: Vec<u64> = calls.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    for (failures, wait) in waits.iter().enumerate() {
        let whole = (2_000u64 << failures.min(10)).min(5_000);
        assert!((whole / 2..=whole).contains(wait), "after {failures} failures more: {wait} ms");
    }
    assert!(waits.len() >= 60, "it is never given up");
    assert!(waits[10..].iter().collect::<BTreeSet<_>>().len() > 20, "the waits are not in step");
}

#[test]
fn a_configured_peer_that_was_away_for_long_is_called_within_five_seconds_of_its_return() {
    let quiet = GossipConfig { revive_ms: u64::MAX / 4, ..GossipConfig::default() };
    let mut gossip = machine(quiet);
    gossip.know(peer(1), Source::Configured);
    assert_eq!(dials(&gossip.tick(0)), [address(1)].into());
    gossip.linked(LinkId(1), key(1), Some(address(1)), false, 10);
    gossip.unlinked(LinkId(1), 20);
    let calls = failing_calls(&mut gossip, 3_600_000);
    assert!(calls.windows(2).all(|pair| pair[1].0 - pair[0].0 <= 5_000));
    assert!(calls.len() > 600, "{} calls in an hour", calls.len());
}

#[test]
fn an_announced_address_where_nobody_ever_answers_is_dropped() {
    let mut gossip = machine(GossipConfig::default());
    gossip.know(peer(1), Source::Announced(key(9)));
    assert_eq!(failing_calls(&mut gossip, 3_600_000).len(), 5);
    assert_eq!(gossip.known(), 0);
}

#[test]
fn a_peer_believed_dead_is_called_again_though_there_are_links_enough() {
    let mut gossip = linked(GossipConfig { peers_full_max: 4, ..GossipConfig::default() }, 6);
    gossip.linked(LinkId(50), key(50), None, true, 0);
    gossip.know(peer(60), Source::Announced(key(50)));
    gossip.linked(LinkId(60), key(60), Some(address(60)), false, 0);
    assert!(gossip.is_partial());
    gossip.unlinked(LinkId(60), 100);
    gossip.dial_failed(&address(60), 100);
    let found = (200..180_000).step_by(100).find(|now| dials(&gossip.tick(*now)).contains(&address(60)));
    assert!(found.is_some(), "nobody would ever find out that the other half is back");
}

#[test]
fn news_is_followed_by_a_few_rounds_of_exchanges_and_then_by_anti_entropy_alone() {
    let mut gossip = linked(GossipConfig { anti_entropy_ms: 1_000_000_000, ..GossipConfig::default() }, 20);
    gossip.news(0);
    let rounds: Vec<u64> = (1..60_000).filter(|now| exchanges(&gossip.tick(*now)) == 3).collect();
    assert_eq!(rounds, (1..=5).map(|round| round * 500).collect::<Vec<u64>>());
}

#[test]
fn anti_entropy_asks_one_peer_every_one_to_five_seconds_for_ever() {
    let mut gossip = linked(GossipConfig::default(), 20);
    let times: Vec<u64> = (0..600_000).step_by(10).filter(|now| exchanges(&gossip.tick(*now)) == 1).collect();
    let waits: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.iter().all(|wait| (1_000..=5_010).contains(wait)), "{waits:?}");
    assert!((150..260).contains(&times.len()), "{} in ten minutes", times.len());
}

#[test]
fn a_tree_grows_where_news_arrived_twice_and_keeps_fanout_branches() {
    let mut gossip = linked(GossipConfig { peers_full_max: 4, ..GossipConfig::default() }, 8);
    assert!(gossip.is_partial());
    assert_eq!(gossip.spread(None, 500).eager.len(), 8);
    (1..=8).for_each(|link| gossip.duplicate(LinkId(link)));
    let spread = gossip.spread(None, 500);
    assert_eq!(spread.eager, [6, 7, 8].map(LinkId));
    assert_eq!(spread.lazy, [1, 2, 3, 4, 5].map(LinkId));
    gossip.grafted(LinkId(2));
    assert_eq!(gossip.spread(None, 500).eager, [2, 6, 7, 8].map(LinkId));
}

#[test]
fn a_lost_link_makes_every_branch_count_again() {
    let mut gossip = linked(GossipConfig { peers_full_max: 4, ..GossipConfig::default() }, 8);
    (1..=8).for_each(|link| gossip.duplicate(LinkId(link)));
    gossip.unlinked(LinkId(7), 1);
    assert_eq!(gossip.spread(None, 500).eager.len(), 7);
}

#[test]
fn of_two_links_that_crossed_both_sides_drop_the_same_one() {
    let (mut first, mut second) = (machine(GossipConfig::default()), Gossip::new(GossipConfig::default(), key(1), 8));
    // Link 1 was called by key 0, link 2 by key 1.
    first.linked(LinkId(1), key(1), Some(address(1)), false, 0);
    first.linked(LinkId(2), key(1), None, true, 0);
    second.linked(LinkId(1), key(0), None, true, 0);
    second.linked(LinkId(2), key(0), Some(address(0)), false, 0);
    let dropped = |gossip: &mut Gossip| -> Vec<GossipCommand> {
        gossip.tick(5).into_iter().filter(|command| matches!(command, GossipCommand::Drop(_))).collect()
    };
    assert_eq!(dropped(&mut first), [GossipCommand::Drop(LinkId(2))]);
    assert_eq!(dropped(&mut second), [GossipCommand::Drop(LinkId(2))]);
}

#[test]
fn hearsay_is_not_passed_on() {
    let mut gossip = machine(GossipConfig::default());
    gossip.know(peer(1), Source::Configured);
    (100..110).for_each(|number| gossip.know(peer(number), Source::Announced(key(1))));
    gossip.linked(LinkId(1), key(1), Some(address(1)), false, 0);
    gossip.linked(LinkId(2), key(2), Some(address(2)), true, 0);
    gossip.linked(LinkId(3), key(3), None, true, 0);
    let told: Vec<_> = gossip.tick(0).into_iter().filter(|c| matches!(c, GossipCommand::Shuffle(..))).collect();
    let known = |number: usize| Peer { address: address(number), replica: Some(key(number)) };
    let shuffle = |link, peers: &[Peer]| GossipCommand::Shuffle(LinkId(link), peers.to_vec());
    assert_eq!(told[..2], [shuffle(1, &[known(2)]), shuffle(2, &[known(1)])]);
    let GossipCommand::Shuffle(LinkId(3), mut both) = told[2].clone() else { panic!("{told:?}") };
    both.sort();
    assert_eq!(both, [known(1), known(2)]);
}

#[test]
fn only_what_may_be_an_address_is_kept() {
    for text in ["ws://h", "wss://memory.example:443/chrysalis", "ws://[::1]:4444"] {
        assert!(is_address(text), "{text}");
    }
    let long = format!("ws://{}", "a".repeat(300));
    for text in ["", "ws://", "ws:///x", "ws://:1", "http://h", "ws://a b", "ws://u:p@h", "ws://h\n", "ws://é", &long]
    {
        assert!(!is_address(text), "{text}");
        let mut gossip = machine(GossipConfig::default());
        gossip.know(Peer { address: text.to_owned(), replica: None }, Source::Configured);
        assert_eq!(gossip.known(), 0);
    }
}

#[test]
fn one_who_announces_thousands_of_addresses_displaces_nobody_else() {
    let mut gossip = machine(GossipConfig::default());
    (1..=3).for_each(|number| gossip.know(peer(number), Source::Configured));
    for number in 10..40 {
        gossip.know(peer(number), Source::Announced(key(1)));
        gossip.linked(LinkId(number as u64), key(number), Some(address(number)), false, 0);
        gossip.unlinked(LinkId(number as u64), 60_000);
    }
    (40..60).for_each(|number| gossip.know(peer(number), Source::Announced(key(2))));
    let good: Vec<Address> = (1..=3).chain(10..60).map(address).collect();
    for number in 1_000..11_000 {
        gossip.know(peer(number), Source::Announced(key(666)));
    }
    assert!(good.iter().all(|address| gossip.knows(address)));
    assert!(gossip.known() <= good.len() + 32, "{} addresses", gossip.known());
}

#[test]
fn many_who_announce_thousands_of_addresses_do_not_displace_configured_linked_or_reached_ones() {
    let mut gossip = machine(GossipConfig::default());
    (1..=3).for_each(|number| gossip.know(peer(number), Source::Configured));
    for number in 10..50 {
        gossip.know(peer(number), Source::Announced(key(1)));
        gossip.linked(LinkId(number as u64), key(number), Some(address(number)), false, 0);
        if number >= 14 {
            gossip.unlinked(LinkId(number as u64), 60_000);
        }
    }
    for number in 1_000..21_000 {
        gossip.know(peer(number), Source::Announced(key(600 + number % 50)));
    }
    assert!((1..=3).chain(10..50).all(|number| gossip.knows(&address(number))));
    assert!(gossip.known() <= 3 + 128, "{} addresses", gossip.known());
}

#[test]
fn one_replica_that_listens_at_many_addresses_has_one_place_among_the_announced() {
    let mut gossip = machine(GossipConfig::default());
    for number in 1..=30 {
        gossip.know(peer(number), Source::Announced(key(600 + number)));
        gossip.linked(LinkId(number as u64), key(666), Some(address(number)), false, 0);
        gossip.unlinked(LinkId(number as u64), 60_000);
    }
    assert_eq!(gossip.known(), 1);
}

#[test]
fn what_peers_say_of_an_address_that_is_known_changes_nothing() {
    let mut gossip = machine(GossipConfig::default());
    gossip.know(peer(1), Source::Configured);
    gossip.know(Peer { replica: Some(key(5)), ..peer(1) }, Source::Announced(key(6)));
    gossip.linked(LinkId(5), key(5), None, true, 0);
    assert_eq!(dials(&gossip.tick(0)), BTreeSet::from([address(1)]), "a liar could keep us from calling it");
}

#[test]
fn our_own_address_is_not_called_again_once_it_turned_out_to_be_ours() {
    let mut gossip = machine(GossipConfig::default());
    gossip.know(peer(1), Source::Announced(key(2)));
    gossip.linked(LinkId(1), key(0), Some(address(1)), false, 0);
    gossip.unlinked(LinkId(1), 10);
    assert!((0..600_000).step_by(1000).all(|now| dials(&gossip.tick(now)).is_empty()));
}

#[test]
fn after_a_tick_the_next_one_is_due_later() {
    let mut gossip = linked(GossipConfig { peers_full_max: 4, ..GossipConfig::default() }, 6);
    (100..180).for_each(|number| gossip.know(peer(number), Source::Announced(key(number / 10))));
    gossip.news(0);
    let mut now = 0;
    for turn in 0..2_000 {
        for (place, address) in dials(&gossip.tick(now)).into_iter().enumerate() {
            if place % 3 == 0 {
                gossip.dial_failed(&address, now);
            }
        }
        gossip.tick(now);
        let wake = gossip.wake_at().unwrap();
        assert!(wake > now, "turn {turn}: busy at {now}");
        now = wake;
    }
}

/// Replicas without operations: calls that always succeed, peers told, links hung up.
struct Overlay {
    machines: Vec<Gossip>,
    ends: BTreeMap<u64, (usize, usize)>,
    log: Vec<(usize, GossipCommand)>,
}

impl Overlay {
    /// All know the first one alone.
    fn new(size: usize, seed: u64) -> Self {
        let machine = |number: usize| {
            let mut gossip = Gossip::new(GossipConfig::default(), key(number), seed + number as u64);
            gossip.know(peer(0), Source::Configured);
            gossip
        };
        Self { machines: (0..size).map(machine).collect(), ends: BTreeMap::new(), log: Vec::new() }
    }

    fn run(&mut self, until_ms: u64) {
        for now in (0..until_ms).step_by(500) {
            for number in 0..self.machines.len() {
                for command in self.machines[number].tick(now) {
                    self.obey(number, command, now);
                }
            }
        }
    }

    fn obey(&mut self, number: usize, command: GossipCommand, now: u64) {
        self.log.push((number, command.clone()));
        match command {
            GossipCommand::Dial(to) => self.link(number, &to, now),
            GossipCommand::Drop(link) => self.unlink(link, now),
            GossipCommand::Shuffle(link, peers) => {
                assert!(peers.len() <= PEERS_MAX);
                let Some((one, other)) = self.ends.get(&link.0).copied() else { return };
                let to = if one == number { other } else { one };
                peers.into_iter().for_each(|peer| self.machines[to].know(peer, Source::Announced(key(number))));
            }
            GossipCommand::Exchange(_) => {}
        }
    }

    fn link(&mut self, from: usize, to: &Address, now: u64) {
        let Some(number) = (0..self.machines.len()).find(|number| address(*number) == *to) else { return };
        if number == from {
            return self.machines[from].dial_failed(to, now);
        }
        let id = self.log.len() as u64;
        self.ends.insert(id, (from, number));
        self.machines[from].linked(LinkId(id), key(number), Some(to.clone()), false, now);
        self.machines[number].linked(LinkId(id), key(from), Some(address(from)), true, now);
    }

    fn unlink(&mut self, link: LinkId, now: u64) {
        if let Some((one, other)) = self.ends.remove(&link.0) {
            self.machines[one].unlinked(link, now);
            self.machines[other].unlinked(link, now);
        }
    }

    fn degrees(&self) -> Vec<usize> {
        let mut degrees = vec![0; self.machines.len()];
        for (one, other) in self.ends.values() {
            degrees[*one] += 1;
            degrees[*other] += 1;
        }
        degrees
    }

    fn reachable(&self) -> usize {
        let (mut seen, mut queue) = (BTreeSet::from([0]), VecDeque::from([0]));
        while let Some(at) = queue.pop_front() {
            for (one, other) in self.ends.values().copied() {
                for next in [(one, other), (other, one)].into_iter().filter(|ends| ends.0 == at).map(|ends| ends.1) {
                    if seen.insert(next) {
                        queue.push_back(next);
                    }
                }
            }
        }
        seen.len()
    }
}

#[test]
fn replicas_that_know_one_of_them_find_each_other() {
    let mut overlay = Overlay::new(12, 1);
    overlay.run(60_000);
    assert_eq!(overlay.degrees(), vec![11; 12], "few peers: everyone is linked to everyone, once");
}

#[test]
fn many_replicas_form_one_whole_with_few_links_each() {
    for seed in 0..3 {
        let mut overlay = Overlay::new(300, seed);
        overlay.run(120_000);
        assert_eq!(overlay.reachable(), 300);
        let mut degrees = overlay.degrees();
        degrees.sort_unstable();
        assert!(degrees[0] >= 4, "{degrees:?}");
        assert!(degrees[150] <= 16, "{degrees:?}");
        assert!(degrees[299] <= 160, "{degrees:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_choices() {
    let logs = [5, 5, 6].map(|seed| {
        let mut overlay = Overlay::new(100, seed);
        overlay.run(30_000);
        overlay.log
    });
    assert_eq!(logs[0], logs[1]);
    assert_ne!(logs[0], logs[2]);
}
