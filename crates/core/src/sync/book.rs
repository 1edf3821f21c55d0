//! The address book: which replicas are known to listen, who said so, and what came of calling them.
//!
//! It is bounded, and what a peer announces can't displace what matters: addresses that the user configured, those
//! linked now, and the newer half of those that were once reached. A peer holds at most a share of the rest, and
//! whoever announces more replaces his own words. So an attacker needs many members' keys to fill even that rest.

use crate::id::ReplicaKey;
use crate::limits;

use super::message::Peer;
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
const FAILURES_MAX: u8 = 5;

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

/// Who told of addresses that nobody has checked yet.
#[derive(Clone, Debug)]
struct Announcer {
    key: ReplicaKey,
    /// Entries that name it; with none its place is free.
    entries: u32,
    /// How many of them are hearsay.
    hearsay: u32,
}

/// Who told of an entry, in two bytes instead of a key: its place among the announcers, or that the user did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Teller(u16);

const USER: Teller = Teller(u16::MAX);

#[derive(Clone, Debug)]
struct Entry {
    address: Box<str>,
    replica: Option<ReplicaKey>,
    teller: Teller,
    /// When a link that we dialed last came to be there.
    reached_ms: Option<u64>,
    next_ms: u64,
    state: State,
    /// Calls that failed in a row.
    failures: u8,
    /// Links in a row that ended early: its other side has enough of them, or crashes.
    ended: u8,
}

impl Entry {
    fn new(peer: Peer, teller: Teller) -> Self {
        let (address, replica) = (peer.address.into_boxed_str(), peer.replica);
        Self { address, replica, teller, reached_ms: None, next_ms: 0, state: State::Idle, failures: 0, ended: 0 }
    }

    fn configured(&self) -> bool {
        self.teller == USER
    }

    /// Told by somebody, and nothing more.
    fn hearsay(&self) -> bool {
        !self.configured() && self.reached_ms.is_none() && self.state == State::Idle
    }

    /// When it may be called; none while a call is under way or a link stands.
    fn callable_ms(&self) -> Option<u64> {
        (self.state == State::Idle).then_some(self.next_ms)
    }

    fn wait(&mut self, now_ms: u64, random: &mut Random) {
        let max = match (self.configured(), self.ended) {
            (true, 0..=1) => BACKOFF_CONFIGURED_MS_MAX,
            (true, _) => BACKOFF_RESTLESS_MS_MAX,
            (false, _) => BACKOFF_MS_MAX,
        };
        let doublings = self.failures.saturating_add(self.ended).min(16);
        let whole = BACKOFF_FIRST_MS.saturating_mul(1 << doublings).min(max);
        self.next_ms = now_ms + random.between(whole / 2, whole);
    }
}

/// The book. What is looked for again and again is counted, so that an announcement costs little however full it is.
#[derive(Clone, Debug)]
pub struct Book {
    entries: Vec<Entry>,
    /// A number made of each entry's address, in the same order: what is looked for lies close together.
    marks: Vec<u64>,
    announced_max: usize,
    /// How many of them are not configured.
    announced: usize,
    announcers: Vec<Announcer>,
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

/// FNV-1a (Fowler, Noll and Vo): alike marks of two addresses cost a comparison and nothing more.
fn mark_of(address: &str) -> u64 {
    let mix = |mark: u64, byte: u8| (mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    address.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

// What is in it.
impl Book {
    /// An empty book with room for so many announced addresses; configured ones are not counted.
    pub fn new(announced_max: usize) -> Self {
        Self { entries: Vec::new(), marks: Vec::new(), announced_max, announced: 0, announcers: Vec::new() }
    }

    /// How many addresses it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&self, address: &str) -> Option<usize> {
        let wanted = mark_of(address);
        let mut alike = self.marks.iter().enumerate().filter(|(_, mark)| **mark == wanted).map(|(at, _)| at);
        alike.find(|at| *self.entries[*at].address == *address)
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: &str) -> bool {
        self.find(address).is_some()
    }

    /// Whether the user configured it.
    pub fn is_configured(&self, address: &str) -> bool {
        self.find(address).is_some_and(|at| self.entries[at].configured())
    }

    fn count_in(&mut self, at: usize) {
        let entry = &self.entries[at];
        self.announced += usize::from(!entry.configured());
        if let Some(announcer) = self.announcers.get_mut(usize::from(entry.teller.0)) {
            announcer.entries += 1;
            announcer.hearsay += u32::from(entry.hearsay());
        }
    }

    fn count_out(&mut self, at: usize) {
        let entry = &self.entries[at];
        self.announced -= usize::from(!entry.configured());
        if let Some(announcer) = self.announcers.get_mut(usize::from(entry.teller.0)) {
            announcer.entries -= 1;
            announcer.hearsay -= u32::from(entry.hearsay());
        }
    }

    /// The place of whoever told something; a free one when it has none. Should the numbers run out, the last is shared.
    fn teller(&mut self, source: Source) -> Teller {
        let Source::Announced(key) = source else { return USER };
        let known = self.announcers.iter().position(|one| one.entries > 0 && one.key == key);
        let place = known.or_else(|| self.announcers.iter().position(|one| one.entries == 0));
        let place = place.unwrap_or(self.announcers.len()).min(usize::from(u16::MAX) - 1);
        if place == self.announcers.len() {
            self.announcers.push(Announcer { key, entries: 0, hearsay: 0 });
        }
        if known.is_none() && self.announcers[place].entries == 0 {
            self.announcers[place].key = key;
        }
        Teller(place as u16)
    }

    /// Changes an entry, if it is there.
    fn change<T>(&mut self, address: &str, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let at = self.find(address)?;
        self.count_out(at);
        let changed = change(&mut self.entries[at]);
        self.count_in(at);
        Some(changed)
    }

    fn remove(&mut self, at: usize) {
        self.count_out(at);
        self.entries.swap_remove(at);
        self.marks.swap_remove(at);
    }

    /// Forgets an address, configured or not.
    pub fn forget(&mut self, address: &str) {
        if let Some(at) = self.find(address) {
            self.remove(at);
        }
    }

    /// Peers worth telling others about: those that were reached and did not fail since.
    pub fn reliable(&self) -> impl Iterator<Item = (&str, Option<ReplicaKey>)> {
        let good = self.entries.iter().filter(|entry| entry.reached_ms.is_some() && entry.failures == 0);
        good.map(|entry| (&*entry.address, entry.replica))
    }
}

// What is said of peers.
impl Book {
    /// Takes in what was said of a peer; whether that changed anything. A peer's word changes nothing about an address
    /// that is known already.
    pub fn learn(&mut self, peer: Peer, source: Source, random: &mut Random) -> bool {
        if !is_address(&peer.address) {
            return false;
        }
        if let Some(at) = self.find(&peer.address) {
            let raises = source == Source::Configured && !self.entries[at].configured();
            return raises && self.change(&peer.address, |entry| entry.teller = USER).is_some();
        }
        let teller = self.teller(source);
        if teller != USER && !self.make_room(teller, random) {
            return false;
        }
        self.marks.push(mark_of(&peer.address));
        self.entries.push(Entry::new(peer, teller));
        self.count_in(self.entries.len() - 1);
        true
    }

    /// Whether there is room for one more from this announcer, by dropping something of less worth if need be.
    fn make_room(&mut self, teller: Teller, random: &mut Random) -> bool {
        let said = self.announcers.get(usize::from(teller.0)).map_or(0, |announcer| announcer.hearsay as usize);
        if said >= (self.announced_max / 4).max(1) {
            return self.drop_hearsay_of(teller, random);
        }
        if self.announced < self.announced_max {
            return true;
        }
        // Who announced most of what nobody has checked yet.
        let loudest = self.announcers.iter().enumerate().max_by_key(|(_, one)| (one.hearsay, one.key));
        match loudest.filter(|(_, one)| one.hearsay > 0).map(|(place, _)| Teller(place as u16)) {
            Some(loudest) => self.drop_hearsay_of(loudest, random),
            None => self.drop_stalest(),
        }
    }

    fn drop_hearsay_of(&mut self, teller: Teller, random: &mut Random) -> bool {
        let said = self.entries.iter().enumerate().filter(|(_, entry)| entry.teller == teller && entry.hearsay());
        let dropped = random.pick(said.map(|(at, _)| at).collect());
        dropped.inspect(|at| self.remove(*at)).is_some()
    }

    /// Drops the address that was reached longest ago, unless what was reached fills no more than half of the room.
    fn drop_stalest(&mut self) -> bool {
        let is_idle = |entry: &Entry| !entry.configured() && entry.state == State::Idle;
        let idle = self.entries.iter().enumerate().filter(|(_, entry)| is_idle(entry));
        let (mut count, mut stalest) = (0, None);
        for (at, entry) in idle {
            count += 1;
            stalest = stalest.into_iter().chain([(entry.reached_ms, at)]).min();
        }
        let dropped = stalest.filter(|_| count > self.announced_max / 2);
        dropped.inspect(|(_, at)| self.remove(*at)).is_some()
    }
}

// What comes of calling them.
impl Book {
    /// A link that we dialed stands there, and its other side has proven this key.
    pub fn reached(&mut self, address: &str, key: ReplicaKey, now_ms: u64) {
        // One replica has one place among the announced ones, on however many addresses it listens.
        let is_second = |entry: &Entry| {
            entry.replica == Some(key)
                && !entry.configured()
                && entry.state == State::Idle
                && *entry.address != *address
        };
        while let Some(at) = self.entries.iter().position(is_second) {
            self.remove(at);
        }
        self.change(address, |entry| {
            (entry.replica, entry.reached_ms, entry.state) = (Some(key), Some(now_ms), State::Linked);
            entry.failures = 0;
        });
    }

    /// The link to it is gone. If it did not last, the wait before the next call grows as after a failed one.
    pub fn left(&mut self, address: &str, now_ms: u64, random: &mut Random) {
        self.change(address, |entry| {
            let lasted = entry.reached_ms.is_some_and(|reached_ms| reached_ms + LINK_MS_GOOD <= now_ms);
            entry.ended = if lasted { 0 } else { entry.ended.saturating_add(1).min(16) };
            entry.state = State::Idle;
            entry.wait(now_ms, random);
        });
    }

    /// A call failed.
    pub fn failed(&mut self, address: &str, now_ms: u64, random: &mut Random) {
        let useless = self.change(address, |entry| {
            entry.state = State::Idle;
            entry.failures = entry.failures.saturating_add(1);
            entry.wait(now_ms, random);
            entry.hearsay() && entry.failures >= FAILURES_MAX
        });
        if useless == Some(true) {
            self.forget(address);
        }
    }

    /// Notes that an address is being called.
    pub fn dialing(&mut self, address: &str, now_ms: u64) {
        self.change(address, |entry| entry.state = State::Dialing { since_ms: now_ms });
    }

    /// How many calls are under way. Those that take too long have failed.
    pub fn dials(&mut self, now_ms: u64, random: &mut Random) -> usize {
        let (mut late, mut under_way) = (Vec::new(), 0);
        for entry in &self.entries {
            match entry.state {
                State::Dialing { since_ms } if since_ms + DIAL_MS_MAX <= now_ms => late.push(entry.address.clone()),
                State::Dialing { .. } => under_way += 1,
                _ => {}
            }
        }
        late.iter().for_each(|address| self.failed(address, now_ms, random));
        under_way
    }
}

// Whom to call. All of these leave out addresses whose owner is among `linked`, which is asked last: it is dearest.
impl Book {
    /// Addresses that may be called now, configured or announced.
    pub fn due<'a>(
        &'a self,
        now_ms: u64,
        configured: bool,
        linked: &'a dyn Fn(&ReplicaKey) -> bool,
    ) -> impl Iterator<Item = &'a str> {
        let due = move |entry: &&Entry| {
            entry.callable_ms().is_some_and(|at_ms| at_ms <= now_ms) && entry.configured() == configured
        };
        self.unlinked(due, linked)
    }

    /// Addresses whose last call failed, due or not.
    pub fn dead<'a>(&'a self, linked: &'a dyn Fn(&ReplicaKey) -> bool) -> impl Iterator<Item = &'a str> {
        self.unlinked(|entry| entry.failures > 0 && entry.state == State::Idle, linked)
    }

    fn unlinked<'a>(
        &'a self,
        wanted: impl Fn(&&'a Entry) -> bool + 'a,
        linked: &'a dyn Fn(&ReplicaKey) -> bool,
    ) -> impl Iterator<Item = &'a str> {
        let wanted = self.entries.iter().filter(wanted);
        let unlinked = wanted.filter(move |entry| !entry.replica.as_ref().is_some_and(linked));
        unlinked.map(|entry| &*entry.address)
    }

    /// When the next address may be called, or a call has taken too long. Configured ones alone, all, or none.
    pub fn next_ms(&self, linked: &dyn Fn(&ReplicaKey) -> bool, configured: bool, announced: bool) -> Option<u64> {
        let mut next: Option<u64> = None;
        for entry in &self.entries {
            let wanted = if entry.configured() { configured } else { announced };
            let at_ms = match entry.state {
                State::Dialing { since_ms } => Some(since_ms + DIAL_MS_MAX),
                _ => entry.callable_ms().filter(|_| wanted),
            };
            let sooner = at_ms.filter(|at_ms| next.is_none_or(|next| *at_ms < next));
            let waits = |entry: &Entry| entry.state == State::Idle && entry.replica.as_ref().is_some_and(linked);
            next = sooner.filter(|_| !waits(entry)).or(next);
        }
        next
    }
}
