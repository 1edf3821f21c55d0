//! What the replica is asked to keep, and what becomes of it.

use std::collections::BTreeSet;

use crate::admit::Missing;
use crate::error::Refusal;
use crate::fork::Proof;
use crate::id::LogId;
use crate::operation::Operation;
use crate::sync::message::{Carried, Message};
use crate::sync::packed::{PackedSegment, Unpacker, Unresolved};
use crate::sync::replica::{Intake, LogState, Offer, Outcome, Replica, Segment, Tip};
use crate::sync::session::{Phase, part};

use super::Notes;
use super::push::may_end_membership;
use super::status::{Effect, LinkId, NodeEvent};
use super::step::{Parcel, Source, Step, What};

impl<R: Replica> Step<'_, R> {
    pub(super) fn hear_segments(&mut self, id: LinkId, segments: Vec<Carried>, last: bool, bytes: u64) {
        let Some(link) = self.node.links.get_mut(&id) else { return };
        let Some(key) = link.key else { return };
        let source = Source { link: id, key, what: What::Received };
        link.owed += bytes;
        for carried in segments {
            let (log, parcel) = match carried {
                Carried::Packed(packed) => (packed.log(), Parcel::Packed(packed)),
                Carried::Plain(segment) => {
                    let Some(first) = segment.first() else { continue };
                    (first.header().log, Parcel::Offer(Offer::Segment(segment)))
                }
            };
            link.owed_logs.insert(log);
            self.offers.push((source, parcel));
        }
        if last {
            self.ended.insert(id);
        }
    }

    pub(super) fn hear_proofs(&mut self, id: LinkId, proofs: Vec<Proof>) {
        let Some(key) = self.node.links.get(&id).and_then(|link| link.key) else { return };
        let source = Source { link: id, key, what: What::Received };
        // Proofs come before all that waits to be taken: they decide what counts.
        let proofs = proofs.into_iter().map(|proof| (source, Parcel::Offer(Offer::Proof(Box::new(proof)))));
        self.offers.splice(0..0, proofs);
    }

    pub(super) fn hear_found(&mut self, id: LinkId, operations: Vec<Operation>, bytes: u64) {
        let Some(link) = self.node.links.get_mut(&id) else { return };
        let Some(key) = link.key else { return };
        link.owed += bytes;
        let (mut before, mut found) = (BTreeSet::new(), Vec::new());
        for operation in operations {
            // Only what was asked for, and in the same breath what stands before it.
            let fingerprint = operation.fingerprint();
            if link.sought.remove(&fingerprint) || before.contains(&fingerprint) {
                before.extend(operation.header().back);
                found.push(operation);
            }
        }
        // What stands before comes first.
        found.sort_by_key(|operation| operation.header().sequence);
        let source = Source { link: id, key, what: What::Received };
        self.offers.extend(found.into_iter().map(|one| (source, Parcel::Offer(Offer::Segment(vec![one])))));
    }

    /// Offers all that was gathered, in one transaction.
    pub(super) fn take(&mut self) -> Result<(), R::Error> {
        let offered = self.complete_parcels()?;
        let offers = offered.iter().map(|(source, offer)| (source.key, offer.clone())).collect();
        let notes = &self.node.notes;
        let acknowledged = notes.acknowledged.iter().map(|((key, log), count)| (*key, *log, *count));
        let agreed = notes.agreed.iter().map(|(key, position)| (*key, *position));
        let intake = Intake { offers, acknowledged: acknowledged.collect(), agreed: agreed.collect() };
        self.states.clear();
        let outcomes = self.replica.take(intake)?;
        // Only now: what a failed transaction would have noted is noted with the next.
        self.node.notes = Notes::default();
        for ((source, offer), outcome) in offered.into_iter().zip(outcomes) {
            if source.what == What::Opening {
                self.judge(&source, &outcome)?;
            }
            self.settle(source, offer, outcome)?;
        }
        Ok(())
    }

    /// Completes what came in short form. What can't be completed is asked for again.
    fn complete_parcels(&mut self) -> Result<Vec<(Source, Offer)>, R::Error> {
        let parcels = std::mem::take(&mut self.offers);
        let mut offers = Vec::with_capacity(parcels.len());
        let mut unresolved = Vec::new();
        let mut unpacker = Unpacker::new(&*self.replica);
        for (source, parcel) in parcels {
            match parcel {
                Parcel::Offer(offer) => {
                    if let Offer::Segment(segment) = &offer {
                        unpacker.learn(segment);
                    }
                    offers.push((source, offer));
                }
                Parcel::Packed(packed) => match unpacker.unpack(&packed) {
                    Ok(segment) => offers.push((source, Offer::Segment(segment))),
                    Err(Unresolved::Fault(fault)) => return Err(fault),
                    Err(why) => unresolved.push((source, packed, why)),
                },
            }
        }
        for (source, packed, why) in unresolved {
            self.note_unresolved(&source, &packed, why)?;
        }
        Ok(offers)
    }

    fn note_unresolved(
        &mut self,
        source: &Source,
        packed: &PackedSegment,
        why: Unresolved<R::Error>,
    ) -> Result<(), R::Error> {
        let (id, log) = (source.link, packed.log());
        let count = packed.first() + packed.count() as u64;
        let claimed = LogState { log, count, tip: Tip::default(), cut: None };
        match why {
            Unresolved::Gap { .. } => {
                let now_ms = self.now_ms;
                if let Some(link) = self.link(id) {
                    link.claim(claimed, now_ms);
                }
                Ok(())
            }
            Unresolved::Unreadable { from, .. } => self.want_plain(id, claimed, from),
            Unresolved::Refused(refusal) => {
                self.note_refused(source, &Offer::Segment(Vec::new()), &refusal);
                Ok(())
            }
            Unresolved::Fault(fault) => Err(fault),
        }
    }

    fn settle(&mut self, source: Source, offer: Offer, outcome: Outcome) -> Result<(), R::Error> {
        match (outcome, offer) {
            (Outcome::Stored(count), Offer::Segment(segment)) => self.note_stored(&source, &segment, count),
            (Outcome::Stored(count), Offer::Proof(proof)) => {
                if count > 0
                    && let Ok(cut) = proof.verify()
                {
                    self.touched.insert(cut.log);
                    self.note_cut();
                    self.announce_proof(cut.log)?;
                }
            }
            (Outcome::Forked, Offer::Segment(segment)) => {
                self.note_stored(&source, &segment, 0);
                self.note_cut();
                if let Some(first) = segment.first() {
                    self.announce_proof(first.header().log)?;
                }
            }
            (Outcome::Waiting(missing), Offer::Segment(segment)) if source.what != What::Opening => {
                self.wait(source, segment, &missing)?;
            }
            (Outcome::Refused(refusal), offer) => self.note_refused(&source, &offer, &refusal),
            _ => {}
        }
        Ok(())
    }

    /// A proof is new here: a removal or a forgetting may have become void by it.
    fn note_cut(&mut self) {
        self.members_moved = true;
        self.node.words.begin_anew();
    }

    /// Something is here now: whatever waited for it is offered again.
    fn note_stored(&mut self, source: &Source, segment: &[Operation], count: usize) {
        let (Some(first), Some(last)) = (segment.first(), segment.last()) else { return };
        let log = first.header().log;
        self.touched.insert(log);
        let now_ms = self.now_ms;
        let deadline_ms = now_ms + self.node.config.fetch_ms;
        self.members_moved |= count > 0 && may_end_membership(segment);
        if count > 0 {
            self.stored += count;
            self.origins.insert(last.fingerprint(), source.link);
            if let Some(link) = self.node.links.get_mut(&source.link) {
                link.counters.stored += count as u64;
                link.trust(&log);
                link.exchange.fruitless = 0;
                if let Some(fetch) = &mut link.fetch {
                    fetch.deadline_ms = deadline_ms;
                }
            }
        }
        if let Some(link) = self.node.links.get_mut(&source.link) {
            link.note_has(log, last.header().sequence + 1);
            if count == 0 && link.fetch.is_none() && source.what == What::Received {
                self.node.gossip.duplicate(source.link);
            }
        }
        let opened = (first.header().sequence == 0).then_some(Missing::Log(log));
        let arrived = segment.iter().map(|operation| Missing::Operation(operation.fingerprint()));
        for missing in opened.into_iter().chain(arrived) {
            for entry in self.node.waiting.wake(&missing) {
                self.offers.push((entry.source, Parcel::Offer(Offer::Segment(entry.segment))));
            }
        }
    }

    /// Counts what is unacceptable. Who sends too much of it is hostile, and the link ends.
    fn note_refused(&mut self, source: &Source, offer: &Offer, refusal: &Refusal) {
        let id = source.link;
        let (now_ms, refused_max) = (self.now_ms, self.node.config.refusals_max);
        let Some(link) = self.node.links.get_mut(&id) else { return };
        if let Offer::Segment(segment) = offer
            && let Some(first) = segment.first()
        {
            link.doubt(first.header().log, now_ms);
        }
        if !is_senders_doing(source, offer, refusal) {
            return;
        }
        link.counters.refused += 1;
        let count = link.counters.refused;
        self.effects.push(Effect::Event(NodeEvent::Refused { link: id, code: refusal.code(), count }));
        if count >= refused_max {
            self.part(id, part("refused", format!("{count} offers were unacceptable; the last was {refusal}")));
        }
    }

    /// An offer can't be stored before something else is here.
    fn wait(&mut self, source: Source, segment: Segment, missing: &[Missing]) -> Result<(), R::Error> {
        let Some(first) = segment.first() else { return Ok(()) };
        let (log, place, back) = (first.header().log, first.header().sequence, first.header().back);
        let gap = missing.iter().any(|missing| match missing {
            Missing::Log(_) => true,
            Missing::Operation(fingerprint) => back == Some(*fingerprint),
        });
        // Of a void branch only what others depend on is kept, so its beginning must be found one by one.
        let void = gap && self.is_void(&log, place)?;
        if gap && !void {
            return self.note_gap(source.link, log, place, &segment);
        }
        let late = segment.iter().position(|operation| depends_on(operation, missing)).unwrap_or(0);
        if late > 0 {
            // Its beginning need not wait. Two segments can wait for each other's beginning.
            let (head, tail) = segment.split_at(late);
            for part in [head, tail] {
                let source = Source { what: What::Part, ..source };
                self.offers.push((source, Parcel::Offer(Offer::Segment(part.to_vec()))));
            }
            return Ok(());
        }
        if !self.node.waiting.put(source, segment, missing, self.now_ms, void) {
            self.full.insert(source.link);
        }
        if let Some(link) = self.link(source.link) {
            link.exchange.wanted |= !void;
        }
        Ok(())
    }

    pub(super) fn is_void(&self, log: &LogId, place: u64) -> Result<bool, R::Error> {
        Ok(self.replica.void_from(log)?.is_some_and(|cut| cut <= place))
    }

    /// A run does not join what is here: either something between is missing, or it is of another branch.
    fn note_gap(&mut self, id: LinkId, log: LogId, place: u64, segment: &[Operation]) -> Result<(), R::Error> {
        let Some(last) = segment.last() else { return Ok(()) };
        let here = self.replica.state(&log)?.map_or(0, |state| state.count);
        let now_ms = self.now_ms;
        let claimed = LogState { log, count: last.header().sequence + 1, tip: Tip::of(&last.fingerprint()), cut: None };
        if place > here {
            if let Some(link) = self.link(id) {
                link.claim(claimed, now_ms);
            }
            return Ok(());
        }
        // The answer that showed it has shown all it can.
        if self.node.fetching.get(&log) == Some(&id) {
            self.node.fetching.remove(&log);
            self.node.released = true;
        }
        self.search_fork(id, &claimed, here);
        Ok(())
    }

    /// The replica failed: nothing of what was offered counts, and peers are told.
    pub(super) fn fail(&mut self, fault: R::Error) {
        self.offers.clear();
        let retry_ms = self.node.config.retry_ms;
        self.node.clocks.fault_ms = self.now_ms + retry_ms;
        let ids: Vec<_> = self.node.links.iter().map(|(id, link)| (*id, link.session.phase(), link.owed)).collect();
        for (id, phase, owed) in ids {
            if phase == Phase::Judging {
                self.part(id, part("fault", "the replica can't answer now"));
            } else if owed > 0 {
                self.send(id, &Message::NotNow { retry_ms, code: "fault".to_owned() });
                if let Some(link) = self.link(id) {
                    (link.owed, link.fetch, link.exchange.wanted) = (0, None, true);
                    link.owed_logs.clear();
                }
                self.node.stop_fetching(id);
            }
        }
        self.effects.push(Effect::Fault(fault));
    }

    /// Writes down what was learned about peers, if it has waited long enough for operations to travel with.
    pub(super) fn write_notes(&mut self) -> Result<(), R::Error> {
        let due = self.node.notes.since_ms.is_some_and(|since| since + self.node.config.notes_ms <= self.now_ms);
        if due { self.take() } else { Ok(()) }
    }
}

/// Whether an honest peer would not have sent this. A run is sent by the signature at its end, so the ones inside are
/// its author's, and a version that is not known here may be known there.
fn is_senders_doing(source: &Source, offer: &Offer, refusal: &Refusal) -> bool {
    let inside = matches!(offer, Offer::Segment(segment) if segment.len() > 1);
    match refusal {
        Refusal::UnknownVersion(_) => false,
        Refusal::BadSignature => source.what == What::Received && !inside,
        _ => source.what == What::Received,
    }
}

fn depends_on(operation: &Operation, missing: &[Missing]) -> bool {
    let names = |fingerprint| missing.contains(&Missing::Operation(fingerprint));
    operation.header().dependencies.iter().any(|dependency| names(*dependency))
}
