//! Finding the place of a fork, and spreading its proof.
//!
//! Two replicas that hold two branches of one log see it by equal counts with different tips, or by a run that does not
//! join. The first place that differs is found by asking for tips at places that lie ever farther back, and then
//! between. The other branch is fetched from there; admission makes the proof from both, and all peers get it.

use crate::id::LogId;
use crate::limits;
use crate::sync::message::Message;
use crate::sync::replica::{LogState, Replica, Tip};

use super::status::{Effect, LinkId, NodeEvent};
use super::step::Step;
use super::{ANNOUNCED_MAX, serve};

/// Questions of one search. Eleven tell the place among all that a log can have.
const ROUNDS_MAX: u32 = 12;

/// Searches under way: more wait for the next comparison.
const SEARCHES_MAX: usize = 64;

/// Bytes of one place in an answer to a probe.
const PLACE_BYTES: usize = 32;

/// A search for the first place at which two branches differ.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) link: LinkId,
    /// All places below are equal.
    equal: u64,
    /// This place differs, or is the end of what both have.
    differs: u64,
    /// How many operations both have.
    end: u64,
    rounds: u32,
    asked: Vec<u64>,
    pub(super) deadline_ms: u64,
}

impl Search {
    /// The places to ask about next: at first ever farther back from the end, then evenly between.
    fn next_places(&self) -> Vec<u64> {
        let between = self.differs - self.equal;
        if self.rounds == 0 {
            let steps = (0..limits::PROBES_MAX as u32 - 1).map_while(|step| self.end.checked_sub(1 << step));
            return steps.collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        }
        let parts = between.min(limits::PROBES_MAX as u64);
        (0..parts).map(|part| self.equal + between * part / parts).collect()
    }

    /// Takes in what stands where: ours and theirs, at the places that were asked about.
    fn narrow(&mut self, theirs: &[(u64, Option<Tip>)], ours: &[Option<Tip>]) {
        for ((place, tip), own) in theirs.iter().zip(ours) {
            if *tip == *own && own.is_some() {
                self.equal = self.equal.max(place + 1);
            } else {
                self.differs = self.differs.min(*place);
            }
        }
        self.rounds += 1;
    }
}

impl<R: Replica> Step<'_, R> {
    /// Begins to look for the place from which a peer's branch is another than ours.
    pub(super) fn search_fork(&mut self, id: LinkId, theirs: &LogState, here: u64) {
        let searches = &self.node.searches;
        let end = theirs.count.min(here);
        let distrusted = self.node.links.get(&id).is_none_or(|link| link.distrusts(&theirs.log, self.now_ms));
        let asked = self.node.links.get(&id).is_some_and(|link| link.later.contains_key(&theirs.log));
        let busy = searches.len() >= SEARCHES_MAX
            || searches.contains_key(&theirs.log)
            || asked
            || self.node.fetching.contains_key(&theirs.log);
        if end == 0 || busy || distrusted {
            return;
        }
        let deadline_ms = self.now_ms + self.node.config.fetch_ms;
        let search = Search { link: id, equal: 0, differs: end, end, rounds: 0, asked: Vec::new(), deadline_ms };
        self.node.searches.insert(theirs.log, search);
        self.probe(theirs.log);
    }

    fn probe(&mut self, log: LogId) {
        let Some(search) = self.node.searches.get_mut(&log) else { return };
        let places = search.next_places();
        search.asked = places.clone();
        let id = search.link;
        self.send(id, &Message::Probe { log, places });
    }

    pub(super) fn hear_probe(&mut self, id: LinkId, log: LogId, places: &[u64]) -> Result<(), R::Error> {
        let places = &places[..places.len().min(limits::PROBES_MAX)];
        if !self.may_answer(id, places.len() * PLACE_BYTES) {
            return Ok(());
        }
        let tips = self.replica.tips(&log, places)?;
        let tips = places.iter().copied().zip(tips).collect();
        self.send(id, &Message::Places { log, tips });
        Ok(())
    }

    pub(super) fn hear_places(&mut self, id: LinkId, log: LogId, tips: &[(u64, Option<Tip>)]) -> Result<(), R::Error> {
        let Some(search) = self.node.searches.get_mut(&log).filter(|search| search.link == id) else { return Ok(()) };
        let places: Vec<u64> = tips.iter().map(|(place, _)| *place).collect();
        if places != search.asked {
            return Ok(());
        }
        let ours = self.replica.tips(&log, &places)?;
        search.narrow(tips, &ours);
        // Answers that contradict each other, or an end that is equal: there is nothing to find.
        let (equal, differs, end) = (search.equal, search.differs, search.end);
        if equal < differs && search.rounds < ROUNDS_MAX {
            self.probe(log);
            return Ok(());
        }
        self.node.end_search(&log);
        if equal == differs && differs < end {
            if let Some(link) = self.link(id) {
                // Kept when the proof is there; otherwise it was a lie.
                link.claims.insert(log, LogState { log, count: u64::MAX, tip: Tip::default(), cut: None });
                link.ask_later(log, differs, true);
            }
        } else {
            self.doubt(id, log);
        }
        Ok(())
    }

    pub(super) fn doubt(&mut self, id: LinkId, log: LogId) {
        let now_ms = self.now_ms;
        if let Some(link) = self.link(id) {
            link.doubt(log, now_ms);
        }
    }

    pub(super) fn end_searches(&mut self) {
        let late = self.node.searches.iter().filter(|(_, search)| search.deadline_ms <= self.now_ms);
        let late: Vec<(LogId, LinkId)> = late.map(|(log, search)| (*log, search.link)).collect();
        for (log, id) in late {
            self.node.end_search(&log);
            self.doubt(id, log);
        }
    }

    /// Tells everyone, before all else, that a log is forked: once for each cut.
    pub(super) fn announce_proof(&mut self, log: LogId) -> Result<(), R::Error> {
        let Some(cut) = self.replica.state(&log)?.and_then(|state| state.cut) else { return Ok(()) };
        if self.node.announced.get(&log) == Some(&cut) {
            return Ok(());
        }
        if self.node.announced.len() >= ANNOUNCED_MAX {
            self.node.announced.clear();
        }
        self.node.announced.insert(log, cut);
        self.node.end_search(&log);
        self.effects.push(Effect::Event(NodeEvent::Proven { log }));
        self.node.own_forks = None;
        let own = self.replica.proofs(&[log])?.iter().any(|proof| proof.replica == self.terms.replica);
        for id in self.node.links.ready() {
            self.tell_proofs(id, vec![log])?;
            if let Some(link) = self.link(id).filter(|_| own) {
                link.own_words = true;
            }
        }
        Ok(())
    }

    /// Sends proofs that a link was not told of yet.
    pub(super) fn tell_proofs(&mut self, id: LinkId, logs: Vec<LogId>) -> Result<(), R::Error> {
        for log in logs {
            let Some(cut) = self.replica.state(&log)?.and_then(|state| state.cut) else { continue };
            let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
            if link.told_proofs.get(&log) == Some(&cut) {
                continue;
            }
            if link.told_proofs.len() >= ANNOUNCED_MAX {
                link.told_proofs.clear();
            }
            link.told_proofs.insert(log, cut);
            let proofs = self.replica.proofs(&[log])?;
            self.send(id, &Message::Proofs(proofs));
        }
        Ok(())
    }

    pub(super) fn ask_proofs(&mut self, id: LinkId, logs: Vec<LogId>) {
        for some in logs.chunks(limits::WANTS_MAX) {
            self.send(id, &Message::WantProofs(some.to_vec()));
        }
    }

    pub(super) fn hear_want_proofs(&mut self, id: LinkId, logs: &[LogId]) -> Result<(), R::Error> {
        for log in logs.iter().take(limits::WANTS_MAX) {
            let proofs = self.replica.proofs(&[*log])?;
            let bytes = proofs.iter().map(proof_size).sum();
            if proofs.is_empty() {
                continue;
            }
            if !self.may_answer(id, bytes) {
                break;
            }
            self.send(id, &Message::Proofs(proofs));
        }
        Ok(())
    }
}

fn proof_size(proof: &crate::fork::Proof) -> usize {
    let headers = proof.left.headers.iter().chain(&proof.right.headers);
    headers.map(|header| header.len()).sum::<usize>() + serve::FRAMING_BYTES
}
