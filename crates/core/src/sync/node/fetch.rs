//! Asking for what a peer has more of: one log from one peer at a time, with a deadline.

use std::collections::BTreeSet;

use crate::id::LogId;
use crate::limits;
use crate::sync::message::Message;
use crate::sync::replica::{Replica, Want};

use super::link::Outstanding;
use super::status::LinkId;
use super::step::Step;

impl<R: Replica> Step<'_, R> {
    /// Asks each idle link for what it claims to have and nobody is being asked for.
    pub(super) fn plan_fetches(&mut self) -> Result<(), R::Error> {
        for id in self.node.ready() {
            let now_ms = self.now_ms;
            let Some(link) = self.node.links.get(&id) else { continue };
            if link.fetch.is_some() || link.claims.is_empty() || link.back_off_ms > now_ms {
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

    /// Asks for a log in full headers, because its short form could not be read: once in a request.
    pub(super) fn want_plain(&mut self, id: LinkId, log: LogId, from: u64) -> Result<(), R::Error> {
        let here = self.replica.state(&log)?.map_or(0, |state| state.count);
        let elsewhere = self.node.fetching.get(&log).is_some_and(|link| *link != id);
        let Some(link) = self.node.links.get(&id).filter(|_| !elsewhere) else { return Ok(()) };
        if link.fetch.as_ref().is_some_and(|fetch| fetch.plain.contains(&log)) {
            return Ok(());
        }
        self.want(id, vec![Want { log, from: from.min(here) }], true);
        if let Some(fetch) = self.link(id).and_then(|link| link.fetch.as_mut()) {
            fetch.plain.insert(log);
        }
        Ok(())
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
            None => link.fetch = Some(Outstanding { logs, plain: BTreeSet::new(), deadline_ms }),
        }
        self.send(id, &Message::Want { wants, plain });
    }

    /// Answers that ended, or that did not go on in time. What was claimed and did not come is not believed for a
    /// while: another peer may have it.
    pub(super) fn end_fetches(&mut self) -> Result<(), R::Error> {
        self.drop_claims_that_were_kept()?;
        let now_ms = self.now_ms;
        let late = |fetch: &Outstanding| fetch.deadline_ms <= now_ms;
        let late = self.node.links.iter().filter(|(_, link)| link.fetch.as_ref().is_some_and(late));
        let late: BTreeSet<LinkId> = late.map(|(id, _)| *id).collect();
        for id in self.ended.iter().chain(&late).copied().collect::<BTreeSet<_>>() {
            let Some(link) = self.node.links.get_mut(&id) else { continue };
            let Some(fetch) = link.fetch.take() else { continue };
            for log in fetch.logs {
                self.node.fetching.remove(&log);
                if link.claims.contains_key(&log) {
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
        for (log, state) in &states {
            for link in self.node.links.values_mut().filter(|link| !link.claims.is_empty()) {
                let kept = |claim: &crate::sync::replica::LogState| {
                    claim.count <= state.count || state.cut.is_some_and(|cut| cut <= state.count)
                };
                if link.claims.get(log).is_some_and(kept) {
                    link.claims.remove(log);
                }
            }
        }
        self.touched = touched;
        Ok(())
    }
}
