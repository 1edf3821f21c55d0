//! Whom to call, and whom to hang up on.

use std::collections::BTreeMap;

use crate::id::ReplicaKey;
use crate::sync::message::Address;

use super::{Gossip, GossipCommand, Link, LinkId, jittered};

/// A link is not hung up before it was there for so many milliseconds: its other side came to learn of others.
const SETTLED_MS: u64 = 10_000;
/// Milliseconds between two looks at links that may be too many.
const HANG_UP_MS: u64 = 1_000;

impl Gossip {
    fn is_linked(&self, key: &ReplicaKey) -> bool {
        *key == self.own || self.keys.contains_key(key)
    }

    fn dialed(&self) -> usize {
        self.links.values().filter(|link| !link.inbound).count()
    }

    /// Links to call for now, beside those to configured peers. A hub waits to be called.
    fn links_wished(&self) -> usize {
        match (self.config.eager_to_all, self.partial) {
            (true, _) => 0,
            (false, true) => self.config.active_max.div_ceil(2).saturating_sub(self.dialed()),
            (false, false) => self.config.links_max.saturating_sub(self.links.len()),
        }
    }

    /// Calls whom it is time to call.
    pub(super) fn dial(&mut self, now_ms: u64, commands: &mut Vec<GossipCommand>) {
        if now_ms < self.dial_ms {
            return;
        }
        let mut under_way = self.book.dials(now_ms, &mut self.random);
        let chosen = self.choose_calls(now_ms, under_way);
        under_way += chosen.len();
        for address in chosen {
            self.book.dialing(&address, now_ms);
            commands.push(GossipCommand::Dial(address));
        }
        let is_linked = |key: &ReplicaKey| self.is_linked(key);
        let room = under_way < self.config.dials_max;
        let next_ms = self.book.next_ms(&is_linked, room, room && self.links_wished() > under_way);
        let revive_ms = self.book.dead(&is_linked).next().map(|_| self.revive_ms);
        self.dial_ms = next_ms.into_iter().chain(revive_ms).min().unwrap_or(u64::MAX);
    }

    fn choose_calls(&mut self, now_ms: u64, under_way: usize) -> Vec<Address> {
        let revives = self.revive_ms <= now_ms;
        let wished = self.links_wished().saturating_sub(under_way);
        let Self { own, keys, book, random, config, revive_ms, .. } = self;
        let is_linked = |key: &ReplicaKey| key == own || keys.contains_key(key);
        let mut chosen: Vec<&str> = book.due(now_ms, true, &is_linked).collect();
        let mut announced: Vec<&str> =
            if wished > 0 { book.due(now_ms, false, &is_linked).collect() } else { Vec::new() };
        let dead: Vec<&str> = if revives { book.dead(&is_linked).collect() } else { Vec::new() };
        random.sample(&mut announced, wished);
        chosen.append(&mut announced);
        if revives {
            *revive_ms = now_ms + jittered(config.revive_ms, random);
        }
        if let Some(dead) = random.pick(dead) {
            chosen.retain(|other| *other != dead);
            chosen.insert(0, dead);
        }
        chosen.truncate(config.dials_max.saturating_sub(under_way));
        chosen.into_iter().map(Address::from).collect()
    }

    /// Hangs up where two replicas called each other, and where there are more links than wished for.
    pub(super) fn hang_up(&mut self, now_ms: u64, commands: &mut Vec<GossipCommand>) {
        if now_ms < self.hang_up_ms {
            return;
        }
        self.hang_up_ms = now_ms + HANG_UP_MS;
        let mut dropped = self.crossed();
        let excess = self.links.len().saturating_sub(dropped.len()).saturating_sub(self.config.links_max);
        if excess > 0 {
            let mut callers = self.settled(true, now_ms);
            self.random.sample(&mut callers, excess);
            dropped.append(&mut callers);
        }
        if self.partial && self.dialed() > self.config.active_max {
            let mut called = self.settled(false, now_ms);
            called.retain(|id| !self.is_configured(id));
            dropped.extend(self.random.pick(called));
        }
        dropped.sort_unstable();
        dropped.dedup();
        commands.extend(dropped.into_iter().map(GossipCommand::Drop));
    }

    /// Links, opened by the other side or by this one, that had the time to learn of other peers.
    fn settled(&self, inbound: bool, now_ms: u64) -> Vec<LinkId> {
        let settled = |link: &Link| link.inbound == inbound && link.since_ms + SETTLED_MS <= now_ms;
        self.links.iter().filter(|(_, link)| settled(link)).map(|(id, _)| *id).collect()
    }

    fn is_configured(&self, link: &LinkId) -> bool {
        let address = self.links.get(link).and_then(|link| link.address.as_deref());
        address.is_some_and(|address| self.book.is_configured(address))
    }

    /// Of two links that two replicas opened to each other at once, both drop the one that the greater key called.
    fn crossed(&self) -> Vec<LinkId> {
        if self.keys.len() == self.links.len() {
            return Vec::new();
        }
        let mine: BTreeMap<ReplicaKey, LinkId> =
            self.links.iter().filter(|(_, link)| !link.inbound).map(|(id, link)| (link.key, *id)).collect();
        let theirs = self.links.iter().filter(|(_, link)| link.inbound);
        let crossed = theirs.filter_map(|(id, link)| mine.get(&link.key).map(|mine| (link.key, *mine, *id)));
        crossed.map(|(key, mine, theirs)| if self.own > key { mine } else { theirs }).collect()
    }
}
