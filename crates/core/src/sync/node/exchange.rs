//! Comparing with a peer: digests first, then what changed since both last agreed, then all.

use std::collections::BTreeMap;

use crate::id::LogId;
use crate::sync::message::{Message, Range, Summary};
use crate::sync::reconcile;
use crate::sync::replica::{LogState, Replica};
use crate::sync::session::part;

use super::status::{Effect, LinkId, NodeEvent};
use super::step::Step;

/// Least ms between two comparisons that one link begins: many reasons to compare are one.
pub(super) const PAUSE_MS: u64 = 100;

/// What reading one log state for a peer counts for, in bytes of answers.
const STATE_WORK_BYTES: usize = 8;

/// Logs that a peer may say to have beyond ours: bounds how long it can keep up a comparison.
const LOGS_BEYOND: u64 = 1_000_000;

/// The digest of all log states at a position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    pub(super) position: u64,
    pub(super) digest: [u8; 48],
    pub(super) logs: u64,
}

impl<R: Replica> Step<'_, R> {
    /// The digest of what is here now. Made again only when something changed.
    fn root(&mut self) -> Result<Root, R::Error> {
        let position = self.replica.position()?;
        if let Some(root) = self.node.root.filter(|root| root.position == position) {
            return Ok(root);
        }
        let states = self.replica.states()?;
        let root = Root { position, digest: reconcile::root(&states), logs: states.len() as u64 };
        self.node.root = Some(root);
        Ok(root)
    }

    /// Begins the comparisons that are wanted, unless one is under way.
    pub(super) fn begin_exchanges(&mut self) -> Result<(), R::Error> {
        for id in self.node.links.moved_and_ready() {
            let now_ms = self.now_ms;
            let Some(link) = self.node.links.get_mut(&id) else { continue };
            let exchange = &mut link.exchange;
            let free = exchange.asked_ms.is_none() && link.fetch.is_none() && link.back_off_ms <= now_ms;
            if !free || exchange.begun_ms + PAUSE_MS > now_ms && exchange.begun_ms > 0 {
                continue;
            }
            if exchange.wanted {
                self.begin_exchange(id)?;
            } else if exchange.compare && link.claims.is_empty() {
                self.ask(id, |root| Summary { root: root.digest, logs: root.logs, states: None, complete: true })?;
            }
        }
        Ok(())
    }

    fn begin_exchange(&mut self, id: LinkId) -> Result<(), R::Error> {
        if !self.still_belongs(id)? {
            return Ok(());
        }
        let summary = self.summary(id)?;
        self.note_unlisted(id, &summary);
        self.ask(id, |_| summary)
    }

    /// Remembers whether this side has more logs than a summary can list.
    fn note_unlisted(&mut self, id: LinkId, summary: &Summary) {
        if let Some(link) = self.link(id) {
            link.exchange.unlisted = is_unlisted(summary);
            link.exchange.ranges = 0;
        }
    }

    fn ask(&mut self, id: LinkId, summary: impl FnOnce(Root) -> Summary) -> Result<(), R::Error> {
        let root = self.root()?;
        let (now_ms, fetch_ms) = (self.now_ms, self.node.config.fetch_ms);
        if let Some(link) = self.link(id) {
            let exchange = &mut link.exchange;
            (exchange.wanted, exchange.compare) = (false, false);
            (exchange.begun_ms, exchange.asked_ms) = (now_ms, Some(now_ms + fetch_ms));
        }
        self.send(id, &Message::Summary(summary(root)));
        Ok(())
    }

    /// What this side says of itself: what changed since both agreed, or all when that did not help before.
    fn summary(&mut self, id: LinkId) -> Result<Summary, R::Error> {
        let root = self.root()?;
        let listed_max = self.node.config.listed_logs_max;
        let Some(link) = self.node.links.get(&id) else { return Ok(nothing(root)) };
        let agreed = match link.key.filter(|_| link.exchange.fruitless == 0) {
            Some(key) => match link.exchange.agreed_at {
                Some(position) => Some(position),
                None => self.replica.agreed(&key)?,
            },
            None => None,
        };
        let changed = agreed.map(|position| self.replica.states_since(position)).transpose()?;
        if let Some(states) = changed.filter(|states| states.len() <= listed_max) {
            return Ok(Summary { root: root.digest, logs: root.logs, states: Some(states), complete: false });
        }
        if root.logs > listed_max as u64 {
            return Ok(Summary { root: root.digest, logs: root.logs, states: None, complete: false });
        }
        let states = self.replica.states()?;
        Ok(Summary { root: root.digest, logs: root.logs, states: Some(states), complete: true })
    }

    pub(super) fn hear_summary(&mut self, id: LinkId, theirs: Summary) -> Result<(), R::Error> {
        let root = self.root()?;
        let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
        let asked = link.exchange.asked_ms.take().is_some();
        let equal = theirs.root == root.digest;
        if equal {
            self.note_agreed(id, root)?;
            if !asked {
                self.answer(id, &Message::Summary(nothing(root)));
            }
            return Ok(());
        }
        link.exchange.agreed = false;
        // Who shows everything, or can't, has found that what changed is not enough.
        let thorough = theirs.complete || theirs.states.is_none();
        let compares = theirs.complete && theirs.states.is_none();
        if !asked && !compares && !self.may_answer(id, root.logs as usize * STATE_WORK_BYTES) {
            return Ok(());
        }
        let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
        if asked || !compares {
            link.exchange.fruitless = link.exchange.fruitless.saturating_add(1);
        }
        if !asked {
            let summary = if compares { nothing(root) } else { self.answering(id, thorough)? };
            self.note_unlisted(id, &summary);
            self.answer(id, &Message::Summary(summary));
        }
        if !compares {
            self.begin_ranges(id, &theirs)?;
        }
        match &theirs.states {
            Some(states) => self.learn(id, states),
            None => Ok(()),
        }
    }

    /// The answer to a peer's summary: as thorough as it.
    fn answering(&mut self, id: LinkId, thorough: bool) -> Result<Summary, R::Error> {
        let fruitless = self.node.links.get(&id).map_or(0, |link| link.exchange.fruitless);
        if let Some(link) = self.link(id) {
            link.exchange.fruitless = if thorough { fruitless.max(1) } else { fruitless.saturating_sub(1) };
        }
        let summary = self.summary(id);
        if let Some(link) = self.link(id) {
            link.exchange.fruitless = fruitless;
        }
        summary
    }

    fn note_agreed(&mut self, id: LinkId, root: Root) -> Result<(), R::Error> {
        let now_ms = self.now_ms;
        let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
        let before = std::mem::replace(&mut link.exchange.agreed, true);
        link.exchange.fruitless = 0;
        link.exchange.agreed_ms = now_ms;
        (link.exchange.wanted, link.exchange.compare) = (false, false);
        link.claims.clear();
        if self.node.pushed == Some(root.position) {
            // It has all that is here. What it has of a log is remembered only where that waits to be told.
            link.has.retain(|log, _| self.node.news.tells_of(log));
        }
        if let Some(key) = link.key {
            let notes = &mut self.node.notes;
            if link.exchange.agreed_at.replace(root.position) != Some(root.position) {
                notes.agreed.insert(key, root.position);
                notes.since_ms.get_or_insert(now_ms);
            }
        }
        if !before {
            self.effects.push(Effect::Event(NodeEvent::Agreed { link: id }));
        }
        for log in self.node.own_logs.clone() {
            if let Some(state) = self.replica.state(&log)? {
                self.note_count(id, log, state.count);
            }
        }
        Ok(())
    }

    /// Takes in where a peer says that it stands: what it has more of may be fetched, what differs is looked into.
    pub(super) fn learn(&mut self, id: LinkId, states: &[LogState]) -> Result<(), R::Error> {
        let ours = self.states_of(states.iter().map(|state| state.log))?;
        let mut unproven = Vec::new();
        let mut untold = Vec::new();
        let now_ms = self.now_ms;
        for theirs in states {
            let here = ours.get(&theirs.log);
            let (count, cut) = here.map_or((0, None), |state| (state.count, state.cut));
            let until = |cut: Option<u64>| cut.unwrap_or(u64::MAX);
            if until(theirs.cut) < until(cut) {
                unproven.push(theirs.log);
            } else if until(theirs.cut) > until(cut) {
                untold.push(theirs.log);
            }
            let level = here.is_some_and(|state| (state.count, state.tip) == (theirs.count, theirs.tip));
            let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
            if level && !self.node.news.tells_of(&theirs.log) {
                // What comes next is news there, so nothing need be remembered: a thousand links know a thousand logs.
                link.has.remove(&theirs.log);
            } else {
                link.note_has(theirs.log, theirs.count.min(count));
            }
            if theirs.count > count && until(cut) > count {
                link.claim(*theirs, now_ms);
                self.note_ahead(id, theirs);
            } else if theirs.count == count && count > 0 && here.is_some_and(|state| state.tip != theirs.tip) {
                self.search_fork(id, theirs, count);
            } else if self.node.own_logs.contains(&theirs.log) {
                self.note_acknowledged(id, theirs)?;
            }
        }
        self.ask_proofs(id, unproven);
        self.tell_proofs(id, untold)
    }

    /// The states of these logs here: one by one when they are few, otherwise by one look at all.
    pub(super) fn states_of(
        &mut self,
        logs: impl ExactSizeIterator<Item = LogId>,
    ) -> Result<BTreeMap<LogId, LogState>, R::Error> {
        const FEW: usize = 256;
        if logs.len() > FEW {
            return Ok(self.replica.states()?.into_iter().map(|state| (state.log, state)).collect());
        }
        let mut states = BTreeMap::new();
        for log in logs {
            states.extend(self.state_of(log)?.map(|state| (log, state)));
        }
        Ok(states)
    }

    /// The state of a log here, read once in a step: a thousand peers acknowledge the same.
    fn state_of(&mut self, log: LogId) -> Result<Option<LogState>, R::Error> {
        if let Some(state) = self.states.get(&log) {
            return Ok(*state);
        }
        let state = self.replica.state(&log)?;
        self.states.insert(log, state);
        Ok(state)
    }

    /// A peer has so much of one of our own logs on disk, if its end is ours.
    pub(super) fn note_acknowledged(&mut self, id: LinkId, theirs: &LogState) -> Result<(), R::Error> {
        let Some(last) = theirs.count.checked_sub(1) else { return Ok(()) };
        let tips = self.replica.tips(&theirs.log, &[last])?;
        if tips.first() != Some(&Some(theirs.tip)) {
            return Ok(());
        }
        self.note_count(id, theirs.log, theirs.count);
        Ok(())
    }

    /// A peer has more of one of our own logs than we do: this replica is an old copy, and must not write there before
    /// the rest has come. Its end is not compared, since nobody here knows it.
    fn note_ahead(&mut self, id: LinkId, theirs: &LogState) {
        let key = self.node.links.get(&id).and_then(|link| link.key);
        let news = self.node.ahead.get(&theirs.log).is_none_or(|known| *known < theirs.count);
        let Some(key) = key.filter(|_| news && self.node.own_logs.contains(&theirs.log)) else { return };
        self.node.ahead.insert(theirs.log, theirs.count);
        let known = self.node.notes.acknowledged.entry((key, theirs.log)).or_insert(0);
        *known = theirs.count.max(*known);
        // At once: what is written before this is on disk forks the log.
        self.node.notes.since_ms = Some(0);
    }

    /// Notes how much of an own log a peer has on disk, if that is more than was noted before.
    fn note_count(&mut self, id: LinkId, log: LogId, count: u64) {
        let now_ms = self.now_ms;
        let Some(link) = self.node.links.get_mut(&id) else { return };
        let Some(key) = link.key.filter(|_| link.acknowledged.get(&log).is_none_or(|known| *known < count)) else {
            return;
        };
        link.acknowledged.insert(log, count);
        let notes = &mut self.node.notes;
        let known = notes.acknowledged.entry((key, log)).or_insert(0);
        *known = count.max(*known);
        notes.since_ms.get_or_insert(now_ms);
    }

    /// When either side has too many logs to list, the one that dialed begins to compare by ranges.
    fn begin_ranges(&mut self, id: LinkId, theirs: &Summary) -> Result<(), R::Error> {
        let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
        link.exchange.logs = theirs.logs;
        if !(link.session.proves_first() && (link.exchange.unlisted || is_unlisted(theirs))) {
            return Ok(());
        }
        let salt = link.session.salt();
        let ranges = reconcile::initial(&self.replica.states()?, &salt);
        self.send(id, &Message::Ranges(ranges));
        Ok(())
    }

    pub(super) fn hear_ranges(&mut self, id: LinkId, ranges: Vec<Range>) -> Result<(), R::Error> {
        let root = self.root()?;
        // Reading all states is work, whatever the answer's length.
        let work = root.logs as usize * STATE_WORK_BYTES;
        if !self.may_answer(id, work) {
            return Ok(());
        }
        let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
        link.exchange.ranges += 1;
        if link.exchange.ranges > reconcile::messages_max(root.logs + link.exchange.logs.min(root.logs + LOGS_BEYOND)) {
            link.counters.dropped += 1;
            return Ok(());
        }
        let salt = link.session.salt();
        let reconciled = match reconcile::respond(&self.replica.states()?, &salt, &ranges) {
            Ok(reconciled) => reconciled,
            Err(refusal) => {
                self.part(id, part("malformed", refusal.to_string()));
                return Ok(());
            }
        };
        if !reconciled.answer.is_empty() {
            self.answer(id, &Message::Ranges(reconciled.answer));
        }
        self.learn(id, &reconciled.theirs)
    }
}

/// Whether a summary says that there is more than it can list.
fn is_unlisted(summary: &Summary) -> bool {
    summary.states.is_none() && !summary.complete
}

/// A summary that only compares.
fn nothing(root: Root) -> Summary {
    Summary { root: root.digest, logs: root.logs, states: None, complete: true }
}
