//! What a replica in memory answers to its node.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::Bound;

use crate::fork::Proof;
use crate::id::{Fingerprint, LogId, ReplicaKey, Signature};
use crate::limits;
use crate::member::{Role, Space};
use crate::operation::Operation;
use crate::sign;
use crate::sync::memory::{Kept, KeptLog, MemoryReplica};
use crate::sync::replica::{Intake, LogState, Mark, Outcome, Replica, Segment, Tip, Want};

type Answer<T> = Result<T, Infallible>;

/// Groups operations, in order of arrival, into runs of one log that end in a checked seal.
#[derive(Default)]
struct Runs<'a> {
    done: Vec<Segment>,
    run: Vec<&'a Kept>,
    run_bytes: usize,
    /// What came since the last seal.
    unsealed: Vec<&'a Kept>,
}

impl<'a> Runs<'a> {
    fn push(&mut self, kept: &'a Kept) {
        let joined = |last: &&Kept| kept.operation().header().back == Some(last.operation().fingerprint());
        if !self.unsealed.last().is_none_or(joined) {
            self.seal();
        }
        self.unsealed.push(kept);
        if kept.verified.signature_checked() {
            self.seal();
        }
    }

    /// Joins what came since the last seal to the run, or begins the next run with it. A fork found inside a segment
    /// leaves a part of it without the seal: then the last operation whose own signature holds is one.
    fn seal(&mut self) {
        let mut part = std::mem::take(&mut self.unsealed);
        while part.last().is_some_and(|last| !holds(last)) {
            part.pop();
        }
        let Some(first) = part.first() else { return };
        let bytes = part.iter().map(|kept| kept.operation().size()).sum::<usize>();
        let back = first.operation().header().back;
        if part.len() > 1 && bytes > limits::SEGMENT_BYTES_MAX {
            // Words that came later made it too long for its seal: each signature serves for its own operation.
            self.close();
            let signed = part.into_iter().take_while(|kept| holds(kept));
            self.done.extend(signed.map(|kept| vec![kept.operation().clone()]));
            return;
        }
        let joined = self.run.last().is_some_and(|last| back == Some(last.operation().fingerprint()));
        let fits = self.run.len() + part.len() <= limits::SEGMENT_OPERATIONS_MAX
            && self.run_bytes + bytes <= limits::SEGMENT_BYTES_MAX;
        if !(joined && fits) {
            self.close();
        }
        self.run.append(&mut part);
        self.run_bytes += bytes;
    }

    fn close(&mut self) {
        let run = std::mem::take(&mut self.run);
        self.run_bytes = 0;
        if !run.is_empty() {
            self.done.push(run.into_iter().map(|kept| kept.operation().clone()).collect());
        }
    }

    fn finish(mut self) -> Vec<Segment> {
        self.seal();
        self.close();
        self.done
    }
}

fn holds(kept: &Kept) -> bool {
    let (operation, replica) = (kept.operation(), kept.verified.facts().replica);
    kept.verified.signature_checked()
        || sign::verify_operation(&replica, &operation.fingerprint(), operation.signature()).is_ok()
}

impl MemoryReplica {
    fn at(&self, log: &KeptLog, place: u64) -> Option<&Kept> {
        let standing = log.standing.get(usize::try_from(place).ok()?)?;
        self.operations.get(standing)
    }

    fn state_of(&self, id: &LogId, log: &KeptLog) -> Option<LogState> {
        let (count, cut) = (log.count(), log.cut());
        let last = count.checked_sub(1).and_then(|last| log.standing.get(last as usize));
        let tip = last.map(Tip::of).unwrap_or_default();
        (count > 0 || cut.is_some()).then_some(LogState { log: *id, count, tip, cut })
    }
}

impl Replica for MemoryReplica {
    type Error = Infallible;

    fn space(&self) -> &Space {
        &self.space
    }

    fn key(&self) -> ReplicaKey {
        self.key.public()
    }

    fn sign(&self, message: &[u8]) -> Signature {
        self.key.sign(message)
    }

    fn opening(&self) -> Answer<Option<Operation>> {
        let kept = self.opening.and_then(|opening| self.operations.get(&opening));
        Ok(kept.map(|kept| kept.operation().clone()))
    }

    fn role_of(&self, key: &ReplicaKey) -> Answer<Option<Role>> {
        let theirs = self.logs.values().filter(|log| log.facts.replica == *key && log.count() > 0);
        Ok(theirs.map(|log| log.facts.role).max())
    }

    fn position(&self) -> Answer<u64> {
        Ok(self.position)
    }

    fn states(&self) -> Answer<Vec<LogState>> {
        Ok(self.logs.iter().filter_map(|(id, log)| self.state_of(id, log)).collect())
    }

    fn state(&self, log: &LogId) -> Answer<Option<LogState>> {
        Ok(self.logs.get(log).and_then(|kept| self.state_of(log, kept)))
    }

    fn states_since(&self, position: u64) -> Answer<Vec<LogState>> {
        let changed = self.logs.iter().filter(|(_, log)| log.changed > position);
        Ok(changed.filter_map(|(id, log)| self.state_of(id, log)).collect())
    }

    fn read(&self, wants: &[Want], bytes_max: usize) -> Answer<Vec<Segment>> {
        // The next wanted operation of each log, by order of arrival.
        let mut next: BTreeMap<u64, (&KeptLog, u64)> = BTreeMap::new();
        for want in wants {
            if let Some(log) = self.logs.get(&want.log)
                && let Some(kept) = self.at(log, want.from).filter(|_| want.from < log.count())
            {
                next.insert(kept.position, (log, want.from));
            }
        }
        let (mut runs, mut bytes) = (Runs::default(), 0);
        while let Some((_, (log, place))) = next.pop_first() {
            let Some(kept) = self.at(log, place) else { continue };
            runs.push(kept);
            bytes += kept.operation().size();
            // Only a seal may end the last run.
            if bytes >= bytes_max && kept.verified.signature_checked() {
                break;
            }
            if let Some(after) = self.at(log, place + 1).filter(|_| place + 1 < log.count()) {
                next.insert(after.position, (log, place + 1));
            }
        }
        Ok(runs.finish())
    }

    fn read_void(&self, log: &LogId, from: u64, bytes_max: usize) -> Answer<Vec<Segment>> {
        let Some((kept, cut)) = self.logs.get(log).and_then(|kept| Some((kept, kept.cut()?))) else {
            return Ok(Vec::new());
        };
        let (mut runs, mut bytes) = (Runs::default(), 0);
        let places = (from.max(cut)..).map_while(|place| self.at(kept, place));
        for void in places.take_while(|void| void.operation().body().is_some()) {
            runs.push(void);
            bytes += void.operation().size();
            if bytes >= bytes_max && void.verified.signature_checked() {
                break;
            }
        }
        Ok(runs.finish())
    }

    fn read_after(&self, position: u64, bytes_max: usize) -> Answer<(Vec<Segment>, u64)> {
        let (mut runs, mut bytes, mut reached) = (Runs::default(), 0, self.position.max(position));
        let later = (Bound::Excluded(position), Bound::Unbounded);
        for (at, fingerprint) in self.arrivals.range(later) {
            let Some(kept) = self.operations.get(fingerprint).filter(|kept| self.counts(kept)) else { continue };
            runs.push(kept);
            bytes += kept.operation().size();
            if bytes >= bytes_max && kept.verified.signature_checked() {
                reached = *at;
                break;
            }
        }
        Ok((runs.finish(), reached))
    }

    fn tips(&self, log: &LogId, places: &[u64]) -> Answer<Vec<Option<Tip>>> {
        let log = self.logs.get(log);
        let tip = |place: &u64| log.and_then(|log| log.standing.get(usize::try_from(*place).ok()?)).map(Tip::of);
        Ok(places.iter().map(tip).collect())
    }

    fn standing_at(&self, log: &LogId, place: u64) -> Answer<Option<Fingerprint>> {
        crate::admit::Ledger::standing_at(self, log, place)
    }

    fn resolve(&self, mark: &Mark) -> Answer<Option<Fingerprint>> {
        let mut least = Fingerprint([0; Fingerprint::LENGTH]);
        least.0[..mark.0.len()].copy_from_slice(&mark.0);
        let mut found = self.operations.range(least..).map(|(fingerprint, _)| *fingerprint);
        let first = found.next().filter(|one| Mark::of(one) == *mark);
        Ok(first.filter(|_| found.next().is_none_or(|two| Mark::of(&two) != *mark)))
    }

    fn find(&self, fingerprints: &[Fingerprint]) -> Answer<Vec<Operation>> {
        let wanted: BTreeSet<_> = fingerprints.iter().collect();
        let kept = wanted.into_iter().filter_map(|one| self.operations.get(one));
        Ok(kept.map(|kept| kept.operation().clone()).collect())
    }

    fn proofs(&self, logs: &[LogId]) -> Answer<Vec<Proof>> {
        let kept = logs.iter().filter_map(|log| self.logs.get(log));
        Ok(kept.filter_map(|log| log.proof.as_ref()).map(|proof| proof.1.clone()).collect())
    }

    fn without_words(&self, after: Option<&Fingerprint>, limit: usize) -> Answer<Vec<Fingerprint>> {
        let arrived = |one: &Fingerprint| self.operations.get(one).map_or(0, |kept| kept.position);
        let after = after.map_or(0, arrived);
        let mut behind: Vec<(u64, Fingerprint)> = self.wordless.iter().map(|one| (arrived(one), *one)).collect();
        behind.retain(|(position, _)| *position > after);
        behind.sort_unstable();
        Ok(behind.into_iter().take(limit).map(|(_, one)| one).collect())
    }

    fn agreed(&self, peer: &ReplicaKey) -> Answer<Option<u64>> {
        Ok(self.agreed.get(peer).copied())
    }

    fn take(&mut self, intake: Intake) -> Answer<Vec<Outcome>> {
        let outcomes = intake.offers.into_iter().map(|(_, offer)| self.take_offer(offer)).collect();
        for (peer, log, count) in intake.acknowledged {
            let known = self.acknowledged.entry((peer, log)).or_insert(0);
            *known = count.max(*known);
        }
        self.agreed.extend(intake.agreed);
        Ok(outcomes)
    }
}
