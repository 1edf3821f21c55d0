//! Asking for what a peer has more of: one log from one peer at a time, with a deadline.

use std::collections::BTreeSet;

use crate::id::LogId;
use crate::limits;
use crate::sync::message::Message;
use crate::sync::replica::{LogState, Replica, Want};

use super::OWN_FORKS_MAX;
use super::link::Outstanding;
use super::status::LinkId;
use super::step::Step;

impl<R: Replica> Step<'_, R> {
    /// Asks each idle link for what it claims to have and nobody is being asked for.
    pub(super) fn plan_fetches(&mut self) -> Result<(), R::Error> {
        // Whoever has what another was asked for in vain is looked at, too.
        if std::mem::take(&mut self.node.released) {
            self.node.links.claiming().into_iter().for_each(|id| self.node.links.touch(id));
        }
        for id in self.node.links.moved_and_ready() {
            let now_ms = self.now_ms;
            let Some(link) = self.node.links.get(&id) else { continue };
            let waits = link.back_off_ms.max(link.announced_ms) > now_ms;
            if link.fetch.is_some() || waits {
                continue;
            }
            if link.own_words && self.ask_own_words(id)? {
                continue;
            }
            let Some(link) = self.node.links.get(&id) else { continue };
            if !link.later.is_empty() {
                self.fetch_what_was_put_off(id);
                continue;
            }
            let free = |log: &&LogId| !self.node.fetching.contains_key(log) && !self.node.searches.contains_key(log);
            let logs: Vec<LogId> = link.claims.keys().filter(free).take(limits::WANTS_MAX).copied().collect();
            if !logs.is_empty() {
                self.fetch(id, logs)?;
            }
        }
        Ok(())
    }

    fn fetch(&mut self, id: LinkId, logs: Vec<LogId>) -> Result<(), R::Error> {
        let ours = self.states_of(logs.iter().copied())?;
        let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
        let mut wants = Vec::with_capacity(logs.len());
        for log in logs {
            let (from, cut) = ours.get(&log).map_or((0, None), |state| (state.count, state.cut));
            let claimed = link.claims.get(&log).map_or(0, |claim| claim.count);
            if claimed > from && cut.is_none_or(|cut| cut > from) {
                wants.push(Want { log, from });
            } else {
                link.claims.remove(&log);
            }
        }
        self.want(id, wants, false);
        Ok(())
    }

    /// A log is to be asked for in full headers, because its short form could not be read.
    pub(super) fn want_plain(&mut self, id: LinkId, theirs: LogState, from: u64) -> Result<(), R::Error> {
        let here = self.replica.state(&theirs.log)?.map_or(0, |state| state.count);
        let now_ms = self.now_ms;
        if let Some(link) = self.link(id).filter(|link| !link.distrusts(&theirs.log, now_ms)) {
            link.claim(theirs, now_ms);
            link.ask_later(theirs.log, from.min(here), true);
        }
        Ok(())
    }

    /// Asks for what was put off: that in full first, as a request is either.
    fn fetch_what_was_put_off(&mut self, id: LinkId) {
        let Some(link) = self.link(id) else { return };
        let plain = link.later.values().any(|(_, plain)| *plain);
        let mut wants = Vec::new();
        link.later.retain(|log, (from, in_full)| {
            let now = *in_full == plain;
            wants.extend(now.then_some(Want { log: *log, from: *from }));
            !now
        });
        // Who is asking someone else for a log asks no second one.
        wants.retain(|want| self.node.fetching.get(&want.log).is_none_or(|from| *from == id));
        self.want(id, wants, plain);
    }

    /// Asks who may have kept them for what this replica said in branches that are void now, of which it may have none
    /// itself: it was restored from a backup. It says again what it recognises as its own. Returns whether there is
    /// anything to ask for.
    fn ask_own_words(&mut self, id: LinkId) -> Result<bool, R::Error> {
        let wants = self.own_forks()?;
        if let Some(link) = self.link(id) {
            link.own_words = false;
        }
        let asks = !wants.is_empty();
        self.want(id, wants, true);
        Ok(asks)
    }

    /// The own logs that forked, from where on they are void.
    fn own_forks(&mut self) -> Result<Vec<Want>, R::Error> {
        if let Some(known) = &self.node.own_forks {
            return Ok(known.clone());
        }
        let forked = self.replica.states()?.into_iter();
        let forked: Vec<Want> = forked.filter_map(|state| Some(Want { log: state.log, from: state.cut? })).collect();
        let mut own = Vec::new();
        for want in forked {
            let proofs = self.replica.proofs(&[want.log])?;
            own.extend(proofs.iter().any(|proof| proof.replica == self.terms.replica).then_some(want));
        }
        own.truncate(OWN_FORKS_MAX);
        self.node.own_forks = Some(own.clone());
        Ok(own)
    }

    /// Sends a request and remembers it.
    pub(super) fn want(&mut self, id: LinkId, wants: Vec<Want>, plain: bool) {
        let deadline_ms = self.now_ms + self.node.config.fetch_ms;
        let Some(link) = self.node.links.get_mut(&id) else { return };
        if wants.is_empty() {
            return;
        }
        let logs: BTreeSet<LogId> = wants.iter().map(|want| want.log).collect();
        self.node.fetching.extend(logs.iter().map(|log| (*log, id)));
        match &mut link.fetch {
            Some(fetch) => fetch.logs.extend(logs),
            None => link.fetch = Some(Outstanding { logs, deadline_ms }),
        }
        self.send(id, &Message::Want { wants, plain });
    }

    /// Answers that ended, or that did not go on in time. What was claimed and did not come is not believed for a
    /// while: another peer may have it.
    pub(super) fn end_fetches(&mut self) -> Result<(), R::Error> {
        self.drop_claims_that_were_kept()?;
        let now_ms = self.now_ms;
        let late = |fetch: &Outstanding| fetch.deadline_ms <= now_ms;
        let is_late = |id: &LinkId| self.node.links.get(id).and_then(|link| link.fetch.as_ref()).is_some_and(late);
        let mut ended: BTreeSet<LinkId> = self.node.links.moved().into_iter().filter(is_late).collect();
        ended.append(&mut self.ended);
        for id in ended {
            let Some(link) = self.node.links.get_mut(&id) else { continue };
            let Some(fetch) = link.fetch.take() else { continue };
            self.node.released = true;
            for log in fetch.logs {
                self.node.fetching.remove(&log);
                let undecided = link.later.contains_key(&log) || self.node.searches.contains_key(&log);
                if link.claims.contains_key(&log) && !undecided {
                    link.doubt(log, now_ms);
                }
            }
            link.exchange.compare = true;
        }
        Ok(())
    }

    fn drop_claims_that_were_kept(&mut self) -> Result<(), R::Error> {
        let touched = std::mem::take(&mut self.touched);
        let states = self.states_of(touched.iter().copied())?;
        for id in if states.is_empty() { Vec::new() } else { self.node.links.claiming() } {
            let Some(link) = self.node.links.get_mut(&id) else { continue };
            for (log, state) in &states {
                let kept =
                    |claim: &LogState| claim.count <= state.count || state.cut.is_some_and(|cut| cut <= state.count);
                if link.claims.get(log).is_some_and(kept) {
                    link.claims.remove(log);
                }
            }
        }
        self.touched = touched;
        Ok(())
    }
}
