//! The address book: which replicas are known to listen, who said so, and what came of calling them.
//!
//! It is bounded, and what a peer announces can't displace what matters: addresses that the user configured, those
//! linked now, and the newer half of those that were once reached. A peer holds at most a share of the rest, and
//! whoever announces more replaces his own words. So an attacker needs many members' keys to fill even that rest.

use std::collections::BTreeMap;

use crate::id::ReplicaKey;
use crate::limits;

use super::message::{Address, Peer};
use super::random::Random;

/// Milliseconds of the first wait after a failed call; each further one doubles it.
const BACKOFF_FIRST_MS: u64 = 1_000;
/// Milliseconds between calls of an address that the user configured, at most: its owner may come back any time.
const BACKOFF_CONFIGURED_MS_MAX: u64 = 5_000;
/// The same, where several links in a row ended early: it may have enough of them, or crash each time.
const BACKOFF_RESTLESS_MS_MAX: u64 = 60_000;
/// Milliseconds between calls of any other address, at most.
const BACKOFF_MS_MAX: u64 = 300_000;
/// A link that lasted so many milliseconds proves that its other side wants it.
const LINK_MS_GOOD: u64 = 600_000;
/// A call that nothing came of for so many milliseconds has failed.
const DIAL_MS_MAX: u64 = 30_000;
/// Failed calls after which an address that was never reached is dropped.
const FAILURES_MAX: u32 = 5;

/// Who told of an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// The user: never displaced, always called again.
    Configured,
    /// A peer with this key.
    Announced(ReplicaKey),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Dialing { since_ms: u64 },
    Linked,
}

#[derive(Clone, Debug)]
struct Entry {
    replica: Option<ReplicaKey>,
    source: Source,
    /// When a link that we dialed last came to be there.
    reached_ms: Option<u64>,
    /// Calls that failed in a row.
    failures: u32,
    /// Links in a row that ended early: its other side has enough of them, or crashes.
    ended: u32,
    next_ms: u64,
    state: State,
}

impl Entry {
    fn new(replica: Option<ReplicaKey>, source: Source) -> Self {
        Self { replica, source, reached_ms: None, failures: 0, ended: 0, next_ms: 0, state: State::Idle }
    }

    fn configured(&self) -> bool {
        self.source == Source::Configured
    }

    /// Told by somebody, and nothing more.
    fn hearsay(&self) -> bool {
        !self.configured() && self.reached_ms.is_none() && self.state == State::Idle
    }

    fn wait(&mut self, now_ms: u64, random: &mut Random) {
        let max = match (self.configured(), self.ended) {
            (true, 0..=1) => BACKOFF_CONFIGURED_MS_MAX,
            (true, _) => BACKOFF_RESTLESS_MS_MAX,
            (false, _) => BACKOFF_MS_MAX,
        };
        let whole = BACKOFF_FIRST_MS.saturating_mul(1 << (self.failures + self.ended).min(16)).min(max);
        self.next_ms = now_ms + random.between(whole / 2, whole);
    }
}

/// The book.
#[derive(Clone, Debug)]
pub struct Book {
    entries: BTreeMap<Address, Entry>,
    announced_max: usize,
}

/// Whether this may be an address at all: `ws://` or `wss://` and a host, printable, of bounded length, without a
/// user's name or password.
pub fn is_address(text: &str) -> bool {
    let host = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://")).unwrap_or("");
    !host.is_empty()
        && !host.starts_with(['/', ':', '?', '#'])
        && text.len() <= limits::ADDRESS_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains('@')
}

impl Book {
    /// An empty book with room for so many announced addresses; configured ones are not counted.
    pub fn new(announced_max: usize) -> Self {
        Self { entries: BTreeMap::new(), announced_max }
    }

    /// How many addresses it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: &str) -> bool {
        self.entries.contains_key(address)
    }

    /// Whether the user configured it.
    pub fn is_configured(&self, address: &str) -> bool {
        self.entries.get(address).is_some_and(Entry::configured)
    }

    /// Takes in what was said of a peer. A peer's word changes nothing about an address that is known already.
    pub fn learn(&mut self, peer: Peer, source: Source, random: &mut Random) {
        if !is_address(&peer.address) {
            return;
        }
        if let Some(entry) = self.entries.get_mut(&peer.address) {
            if source == Source::Configured {
                entry.source = source;
            }
            return;
        }
        if source == Source::Configured || self.make_room(source, random) {
            self.entries.insert(peer.address, Entry::new(peer.replica, source));
        }
    }

    /// Whether there is room for one more from this announcer, by dropping something of less worth if need be.
    fn make_room(&mut self, source: Source, random: &mut Random) -> bool {
        let said = self.hearsay_of(source);
        if said.len() >= (self.announced_max / 4).max(1) {
            return self.drop_one(said, random);
        }
        if self.entries.values().filter(|entry| !entry.configured()).count() < self.announced_max {
            return true;
        }
        match self.loudest() {
            Some(loudest) => self.drop_one(self.hearsay_of(loudest), random),
            None => self.drop_stalest(),
        }
    }

    fn hearsay_of(&self, source: Source) -> Vec<Address> {
        let said = self.entries.iter().filter(|(_, entry)| entry.source == source && entry.hearsay());
        said.map(|(address, _)| address.clone()).collect()
    }

    /// Who announced most of what nobody has checked yet.
    fn loudest(&self) -> Option<Source> {
        let mut counts: BTreeMap<Source, usize> = BTreeMap::new();
        for entry in self.entries.values().filter(|entry| entry.hearsay()) {
            *counts.entry(entry.source).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(source, _)| source)
    }

    fn drop_one(&mut self, among: Vec<Address>, random: &mut Random) -> bool {
        random.pick(among).is_some_and(|address| self.entries.remove(&address).is_some())
    }

    /// Drops the address that was reached longest ago, unless what was reached fills no more than half of the room.
    fn drop_stalest(&mut self) -> bool {
        let reached = self.entries.iter().filter(|(_, entry)| !entry.configured() && entry.state == State::Idle);
        let mut reached: Vec<_> = reached.map(|(address, entry)| (entry.reached_ms, address.clone())).collect();
        reached.sort_unstable();
        reached.truncate(reached.len().saturating_sub(self.announced_max / 2));
        reached.first().is_some_and(|(_, address)| self.entries.remove(address).is_some())
    }

    /// Forgets an address, configured or not.
    pub fn forget(&mut self, address: &str) {
        self.entries.remove(address);
    }

    /// A link that we dialed stands there, and its other side has proven this key.
    pub fn reached(&mut self, address: &str, key: ReplicaKey, now_ms: u64) {
        // One replica has one place among the announced ones, on however many addresses it listens.
        self.entries.retain(|other, entry| {
            other == address || entry.replica != Some(key) || entry.configured() || entry.state != State::Idle
        });
        if let Some(entry) = self.entries.get_mut(address) {
            *entry =
                Entry { replica: Some(key), reached_ms: Some(now_ms), state: State::Linked, failures: 0, ..*entry };
        }
    }

    /// The link to it is gone. If it did not last, the wait before the next call grows as after a failed one.
    pub fn left(&mut self, address: &str, now_ms: u64, random: &mut Random) {
        if let Some(entry) = self.entries.get_mut(address) {
            let lasted = entry.reached_ms.is_some_and(|reached_ms| reached_ms + LINK_MS_GOOD <= now_ms);
            entry.ended = if lasted { 0 } else { entry.ended.saturating_add(1).min(16) };
            entry.state = State::Idle;
            entry.wait(now_ms, random);
        }
    }

    /// A call failed.
    pub fn failed(&mut self, address: &str, now_ms: u64, random: &mut Random) {
        let Some(entry) = self.entries.get_mut(address) else {
            return;
        };
        entry.state = State::Idle;
        entry.failures = entry.failures.saturating_add(1).min(u32::MAX / 2);
        entry.wait(now_ms, random);
        if entry.hearsay() && entry.failures >= FAILURES_MAX {
            self.entries.remove(address);
        }
    }

    /// Notes that an address is being called.
    pub fn dialing(&mut self, address: &str, now_ms: u64) {
        if let Some(entry) = self.entries.get_mut(address) {
            entry.state = State::Dialing { since_ms: now_ms };
        }
    }

    /// How many calls are under way. Those that take too long have failed.
    pub fn dials(&mut self, now_ms: u64, random: &mut Random) -> usize {
        let late =
            |entry: &Entry| matches!(entry.state, State::Dialing { since_ms } if since_ms + DIAL_MS_MAX <= now_ms);
        let late: Vec<Address> =
            self.entries.iter().filter(|(_, entry)| late(entry)).map(|(address, _)| address.clone()).collect();
        late.iter().for_each(|address| self.failed(address, now_ms, random));
        self.entries.values().filter(|entry| matches!(entry.state, State::Dialing { .. })).count()
    }

    /// Addresses that may be called now, configured or announced; never one whose owner is among `linked`.
    pub fn due(&self, now_ms: u64, configured: bool, linked: &dyn Fn(&ReplicaKey) -> bool) -> Vec<Address> {
        let due = self.callable(linked).filter(|(_, entry)| entry.next_ms <= now_ms);
        due.filter(|(_, entry)| entry.configured() == configured).map(|(address, _)| address.clone()).collect()
    }

    /// Addresses whose last call failed, due or not.
    pub fn dead<'a>(&'a self, linked: &'a dyn Fn(&ReplicaKey) -> bool) -> impl Iterator<Item = &'a Address> {
        self.callable(linked).filter(|(_, entry)| entry.failures > 0).map(|(address, _)| address)
    }

    /// When the next address may be called, or a call has taken too long. Configured ones alone, all, or none.
    pub fn next_ms(&self, linked: &dyn Fn(&ReplicaKey) -> bool, configured: bool, announced: bool) -> Option<u64> {
        let wanted = |entry: &Entry| if entry.configured() { configured } else { announced };
        let callable = self.callable(linked).filter(|(_, entry)| wanted(entry)).map(|(_, entry)| entry.next_ms);
        let dialing = self.entries.values().filter_map(|entry| match entry.state {
            State::Dialing { since_ms } => Some(since_ms + DIAL_MS_MAX),
            _ => None,
        });
        callable.chain(dialing).min()
    }

    fn callable<'a>(
        &'a self,
        linked: &'a dyn Fn(&ReplicaKey) -> bool,
    ) -> impl Iterator<Item = (&'a Address, &'a Entry)> {
        let idle = self.entries.iter().filter(|(_, entry)| entry.state == State::Idle);
        idle.filter(move |(_, entry)| !entry.replica.as_ref().is_some_and(linked))
    }

    /// Peers worth telling others about: those that were reached and did not fail since.
    pub fn reliable(&self) -> Vec<Peer> {
        let good = self.entries.iter().filter(|(_, entry)| entry.reached_ms.is_some() && entry.failures == 0);
        good.map(|(address, entry)| Peer { address: address.clone(), replica: entry.replica }).collect()
    }
}
