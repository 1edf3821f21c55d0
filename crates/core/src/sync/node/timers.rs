//! What is due by the clock: broken links, comparisons with a random peer.

use std::collections::BTreeSet;

use crate::id::Fingerprint;
use crate::limits;
use crate::sync::gossip::GossipCommand;
use crate::sync::message::Message;
use crate::sync::replica::Replica;
use crate::sync::session::part;

use super::config::NodeConfig;
use super::link::Link;
use super::status::{Effect, LinkId};
use super::step::Step;

/// Fingerprints that a link may have been asked for and not have answered yet.
const SOUGHT_MAX: usize = 4 * limits::FINDS_MAX;

/// Rounds of gossip in which a comparison that ended equal is not begun anew, unless something came here meanwhile.
const FRESH_ROUNDS: u64 = 3;

impl<R: Replica> Step<'_, R> {
    pub(super) fn look_at_clocks(&mut self) -> Result<(), R::Error> {
        self.end_broken_links();
        self.forget_unanswered();
        self.free_windows();
        self.end_searches();
        self.node.waiting.expire(self.now_ms);
        self.seek_what_is_missing();
        self.gossip();
        self.seek_words()
    }

    fn end_broken_links(&mut self) {
        let (now_ms, config) = (self.now_ms, &self.node.config);
        let (handshake_ms, dead_ms, idle_ms) = (config.handshake_ms, config.dead_ms, config.idle_ms);
        for id in self.node.links.moved() {
            let Some(link) = self.link(id) else { continue };
            if !link.is_ready() {
                if link.opened_ms + handshake_ms <= now_ms {
                    self.part(id, part("timeout", "the handshake took too long"));
                }
            } else if link.heard_ms + dead_ms <= now_ms {
                self.part(id, part("timeout", "nothing was heard for too long"));
            } else if link.heard_ms.max(link.pinged_ms) + idle_ms <= now_ms {
                link.pinged_ms = now_ms;
                self.send(id, &Message::Ping(now_ms));
            }
        }
    }

    /// A summary that was not answered in time counts as unanswered; the next comparison begins anew.
    fn forget_unanswered(&mut self) {
        let now_ms = self.now_ms;
        for id in self.node.links.moved() {
            let Some(link) = self.link(id) else { continue };
            let late = |asked_ms: &u64| *asked_ms <= now_ms;
            if link.exchange.asked_ms.as_ref().is_some_and(late) {
                link.exchange.asked_ms = None;
                link.exchange.fruitless = link.exchange.fruitless.saturating_add(1);
            }
        }
    }

    /// Where nothing was acknowledged for too long, frames were lost, or their acknowledgement was.
    fn free_windows(&mut self) {
        let (now_ms, acknowledge_ms) = (self.now_ms, self.node.config.acknowledge_ms);
        for id in self.node.links.moved() {
            let Some(link) = self.link(id).filter(|link| link.unacknowledged > 0) else { continue };
            if link.acknowledged_ms + acknowledge_ms <= now_ms {
                link.take_back_sent();
            }
        }
    }

    /// Asks by fingerprint for what others wait for: it may stand in a void branch, of which no summary speaks.
    fn seek_what_is_missing(&mut self) {
        for (id, fingerprints) in self.node.waiting.due_finds(self.now_ms) {
            let known = id.filter(|id| self.node.links.get(id).is_some_and(Link::is_ready));
            if let Some(id) = known.or_else(|| self.some_link()) {
                self.seek(id, fingerprints);
            }
        }
    }

    /// Sends a request for single operations and remembers what was asked.
    pub(super) fn seek(&mut self, id: LinkId, fingerprints: BTreeSet<Fingerprint>) {
        let Some(link) = self.link(id) else { return };
        if link.sought.len() > SOUGHT_MAX {
            link.sought.clear();
        }
        link.sought.extend(fingerprints.iter().copied());
        let fingerprints: Vec<Fingerprint> = fingerprints.into_iter().collect();
        for some in fingerprints.chunks(limits::FINDS_MAX) {
            self.send(id, &Message::Find(some.to_vec()));
        }
    }

    fn some_link(&mut self) -> Option<LinkId> {
        let ready = self.node.links.ready();
        self.node.random.pick(ready)
    }

    /// Does what gossip asks for.
    fn gossip(&mut self) {
        if self.node.gossip.wake_at().is_none_or(|at| at > self.now_ms) {
            return;
        }
        for command in self.node.gossip.tick(self.now_ms) {
            match command {
                GossipCommand::Dial(address) => self.effects.push(Effect::Dial(address)),
                GossipCommand::Exchange(id) => {
                    let (news, rounds_ms) = (self.node.pushed, FRESH_ROUNDS * self.node.config.gossip.interval_ms);
                    let now_ms = self.now_ms;
                    if let Some(link) = self.link(id).filter(|link| !link.exchange.is_fresh(news, now_ms, rounds_ms)) {
                        link.exchange.wanted = true;
                    }
                }
                GossipCommand::Shuffle(id, peers) => {
                    self.send(id, &Message::Peers(peers));
                }
                GossipCommand::Drop(id) => self.part(id, part("enough", "there are links enough without this one")),
            }
        }
    }

    /// The earliest time at which something is due.
    pub(super) fn next_wake(&self) -> Option<u64> {
        if self.unfinished {
            return Some(self.now_ms);
        }
        let node = &*self.node;
        let config = &node.config;
        let mut times: Vec<u64> = node.links.wake_at().into_iter().collect();
        if node.links.ready_count() > 0 {
            times.push(node.words.due_ms);
        }
        times.extend(node.gossip.wake_at());
        times.extend(node.news.due_ms(node.pace_ms()));
        times.extend(node.notes.since_ms.map(|since| since + config.notes_ms));
        times.extend(node.waiting.wake_at());
        times.extend(node.searches.values().map(|search| search.deadline_ms));
        if node.clocks.fault_ms > self.now_ms {
            times.push(node.clocks.fault_ms);
        }
        // What is overdue was looked at in this step and waits for something else.
        times.into_iter().map(|at| at.max(self.now_ms + 1)).min()
    }
}

/// When this link next needs a look.
pub(super) fn due_ms(link: &Link, config: &NodeConfig, now_ms: u64) -> u64 {
    if !link.is_ready() {
        return link.opened_ms + config.handshake_ms;
    }
    let silent_ms = link.heard_ms.max(link.pinged_ms) + config.idle_ms;
    let mut due_ms = silent_ms.min(link.heard_ms + config.dead_ms);
    let mut note = |at_ms: Option<u64>| due_ms = at_ms.map_or(due_ms, |at_ms| at_ms.min(due_ms));
    note(link.exchange.asked_ms);
    note((link.unacknowledged > 0).then_some(link.acknowledged_ms + config.acknowledge_ms));
    note(link.fetch.as_ref().map(|fetch| fetch.deadline_ms));
    let idle = link.exchange.asked_ms.is_none() && link.fetch.is_none();
    if idle && (link.exchange.wanted || link.exchange.compare && link.claims.is_empty()) {
        note(Some((link.exchange.begun_ms + super::exchange::PAUSE_MS).max(link.back_off_ms)));
    }
    let idle = link.unsaid.is_empty() && link.serving.is_empty() && link.claims.is_empty() && link.later.is_empty();
    let waits = !idle || link.own_words;
    if waits {
        note(Some(link.back_off_ms).filter(|at_ms| *at_ms > now_ms));
        note(Some(link.announced_ms).filter(|at_ms| *at_ms > now_ms));
    }
    due_ms
}
