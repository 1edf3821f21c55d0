//! What counts of each log, after all removals: a pure function of operations and proofs, whatever their order.
//!
//! Removals can contradict each other: two administrators may remove one another, each without knowing of the other.
//! They are therefore judged one after the other, those of the more senior first: seniority is the distance from the
//! founder in invitations, then the Lamport time, then the fingerprint. A removal counts unless those that count before
//! it, or a proof of misbehaviour, make it void. So an administrator who was removed can't undo it by a removal that he
//! dates back: whoever invited him, and at last the founder, has the last word.

use std::collections::{BTreeMap, BTreeSet};

use crate::causality::{LogNumber, Place, Steps};
use crate::id::{Fingerprint, LogId, ReplicaKey};
use crate::member::Role;
use crate::payload::Remove;

/// What judging needs to know of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The log.
    pub id: LogId,
    /// Whose it is.
    pub replica: ReplicaKey,
    /// By what it was opened; none in an open space and for the founder.
    pub invited: Option<Invited>,
    /// From where on a proof of misbehaviour makes it void.
    pub proven: Option<u64>,
}

/// By whose invitation a log was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invited {
    /// The administrator's log; none for the founder's invitation, or while that log is not known here.
    pub by: Option<LogNumber>,
    /// Whose key signed the invitation, as far as that is known here.
    pub issuer: Option<ReplicaKey>,
    /// The key that the token carried.
    pub token: ReplicaKey,
    /// The role that it grants.
    pub role: Role,
}

/// A removal, and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removal {
    /// Where it stands.
    pub place: Place,
    /// Its Lamport time.
    pub lamport: u64,
    /// The operation.
    pub fingerprint: Fingerprint,
    /// What it says.
    pub said: Remove,
}

/// What removals and proofs make of the logs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// From where on each log is void; a log that is not void anywhere is not here.
    pub cuts: BTreeMap<LogNumber, u64>,
    /// The removals that count, in the order in which they were judged.
    pub counting: Vec<Place>,
    /// Whose membership has ended, each with the first removal that says so.
    pub removed: BTreeMap<ReplicaKey, Place>,
}

/// Judges all removals of a space. Each is as long as the logs are many, so the cost is their product.
///
/// # Errors
/// Those of `steps`.
pub fn judge<S: Steps>(
    logs: &BTreeMap<LogNumber, Standing>,
    removals: &[Removal],
    steps: &S,
) -> Result<Verdict, S::Error> {
    let proven = logs.iter().filter_map(|(number, log)| Some((*number, log.proven?)));
    let mut court = Court { logs, steps, uninvited: BTreeSet::new(), verdict: Verdict::default() };
    court.verdict.cuts = proven.collect();
    let mut order: Vec<(usize, &Removal)> =
        removals.iter().map(|removal| (distance(logs, removal.place.log), removal)).collect();
    order.sort_by_key(|(distance, removal)| (*distance, removal.lamport, removal.fingerprint));
    for (_, removal) in order {
        if !court.is_void(removal.place) {
            court.apply(removal)?;
        }
    }
    Ok(court.verdict)
}

/// How many invitations lie between a log and the founder.
fn distance(logs: &BTreeMap<LogNumber, Standing>, log: LogNumber) -> usize {
    let mut at = log;
    for distance in 0..logs.len() {
        let Some(invited) = logs.get(&at).and_then(|log| log.invited) else { return distance };
        match invited.by {
            Some(by) => at = by,
            None => return distance + 1,
        }
    }
    logs.len()
}

struct Court<'a, S> {
    logs: &'a BTreeMap<LogNumber, Standing>,
    steps: &'a S,
    /// Logs whose invitation does not hold any more.
    uninvited: BTreeSet<LogNumber>,
    verdict: Verdict,
}

impl<S: Steps> Court<'_, S> {
    fn is_void(&self, place: Place) -> bool {
        self.verdict.cuts.get(&place.log).is_some_and(|cut| place.sequence >= *cut)
    }

    fn cut(&mut self, log: LogNumber, from: u64) {
        let cut = self.verdict.cuts.entry(log).or_insert(from);
        *cut = from.min(*cut);
    }

    fn apply(&mut self, removal: &Removal) -> Result<(), S::Error> {
        let removed = removal.said.replica;
        let seen = self.came_in_before(removal)?;
        self.verdict.counting.push(removal.place);
        self.verdict.removed.entry(removed).or_insert(removal.place);
        for (number, log) in self.logs {
            if log.replica == removed {
                let last = removal.said.last.iter().find(|last| last.log == log.id);
                self.cut(*number, last.map_or(0, |last| last.sequence.saturating_add(1)));
            } else if log.way_in(&removed).is_some_and(|way_in| !seen.contains(&way_in)) {
                // Who removes an administrator stands by those whom he saw come in, and by nobody else.
                self.uninvited.insert(*number);
            }
        }
        self.spread();
        Ok(())
    }

    /// Who had come in by invitations of the removed key, as the remover had seen: their later logs count as well, for
    /// a restored backup opens a new one by the same token.
    fn came_in_before(&self, removal: &Removal) -> Result<BTreeSet<WayIn>, S::Error> {
        let mut seen = BTreeSet::new();
        for (number, log) in self.logs {
            if let Some(way_in) = log.way_in(&removal.said.replica)
                && self.steps.known_at(removal.place, *number)?.is_some()
            {
                seen.insert(way_in);
            }
        }
        Ok(seen)
    }

    /// Whoever was invited by a log whose invitation does not hold was not invited either.
    fn spread(&mut self) {
        loop {
            let followers = self.logs.iter().filter(|(_, log)| {
                log.invited.and_then(|invited| invited.by).is_some_and(|by| self.uninvited.contains(&by))
            });
            let more: BTreeSet<LogNumber> =
                followers.map(|(number, _)| *number).filter(|number| !self.uninvited.contains(number)).collect();
            if more.is_empty() {
                break;
            }
            self.uninvited.extend(more);
        }
        for number in self.uninvited.clone() {
            self.cut(number, 0);
        }
    }
}

/// A replica, the token by which it came in, and as what. The role is part of it: a removed administrator can sign a
/// second invitation for the key of a token, and that lets nobody rise.
type WayIn = (ReplicaKey, ReplicaKey, Role);

impl Standing {
    /// How its owner came in, if that was by an invitation of this key's.
    fn way_in(&self, key: &ReplicaKey) -> Option<WayIn> {
        let invited = self.invited.filter(|invited| invited.is_of(key))?;
        Some((self.replica, invited.token, invited.role))
    }
}

impl Invited {
    /// Whether the invitation is this key's: its signer's, or the token's own. So a token can be revoked by its key.
    fn is_of(&self, key: &ReplicaKey) -> bool {
        self.issuer == Some(*key) || self.token == *key
    }
}
