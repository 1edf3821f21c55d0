//! Membership as the views see it: what removals and proofs make of the logs, and how scores are read because of it.

use std::collections::BTreeMap;

use chrysalis_core::admit::{Ledger as _, is_embargoed};
use chrysalis_core::causality::{LogNumber, Place};
use chrysalis_core::id::{LogId, ReplicaKey};
use chrysalis_core::member::{Grant, Role, Space};
use chrysalis_core::merge::Reading;
use chrysalis_core::operation::Kind;
use chrysalis_core::payload::Payload;
use chrysalis_core::standing::{Invited, Removal, Standing, Verdict, judge};
use rusqlite::OptionalExtension as _;

use crate::belonging::opened_by;
use crate::error::StoreError;
use crate::ledger::{RawOperation, STORED, State, damaged};

use super::Views;

/// The setting by which scores are read as trimmed means.
pub const ROBUST: &str = "robust";

impl Views<'_> {
    /// Every log, as judging needs it.
    pub(crate) fn standings(&self) -> Result<BTreeMap<LogNumber, Standing>, StoreError> {
        let sql = "SELECT l.number, l.id, l.replica, p.sequence FROM log l LEFT JOIN proof p ON p.log = l.number";
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut standings = BTreeMap::new();
        let wrong = |refusal: chrysalis_core::Refusal| damaged(format!("a log: {refusal}"));
        while let Some(row) = rows.next()? {
            let number: LogNumber = row.get(0)?;
            let id = LogId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(wrong)?;
            let replica = ReplicaKey::from_slice(&row.get::<_, Vec<u8>>(2)?).map_err(wrong)?;
            let proven = row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs);
            standings.insert(number, Standing { id, replica, invited: self.invited(number)?, proven });
        }
        Ok(standings)
    }

    /// By what a log was opened.
    pub(crate) fn invited(&self, log: LogNumber) -> Result<Option<Invited>, StoreError> {
        let Some(opening) = self.tables.opening(log)? else { return Ok(None) };
        let grant = opened_by(&opening.operation).and_then(|(_, used)| used).map(|used| used.grant);
        grant.map(|grant| self.invited_by(&grant)).transpose()
    }

    fn invited_by(&self, grant: &Grant) -> Result<Invited, StoreError> {
        let (token, role) = (grant.invitation.ephemeral, grant.invitation.role);
        let Some(opening) = grant.invitation.issuer else {
            let founder = match self.space {
                Space::Closed { founder, .. } => Some(*founder),
                Space::Open { .. } => None,
            };
            return Ok(Invited { by: None, issuer: founder, token, role });
        };
        let known = self.tables.known(&opening)?;
        let by = known.map(|known| self.tables.find_log(&known.log)).transpose()?.flatten();
        let (by, issuer) = by.map_or((None, None), |(by, facts, _)| (Some(by), Some(facts.replica)));
        Ok(Invited { by, issuer, token, role })
    }

    /// Every removal that is here and not waiting, whether it counts or not.
    pub(crate) fn removals(&self) -> Result<Vec<Removal>, StoreError> {
        // In an open space nobody is a member, so nobody's membership ends.
        if matches!(self.space, Space::Open { .. }) {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {STORED} FROM operation WHERE kind = 5 AND state IN (0, 4) AND payload IS NOT NULL ORDER BY position"
        );
        let mut statement = self.connection().prepare_cached(&sql)?;
        let rows = statement.query_map([], RawOperation::read)?;
        let mut removals = Vec::new();
        for raw in rows {
            let stored = raw?.parse()?;
            let Some(body) = stored.operation.body() else { continue };
            let Ok(Payload::Remove(said)) = Payload::decode(Kind::Remove, &body.payload) else { continue };
            let header = stored.operation.header();
            let place = Place { log: stored.log, sequence: header.sequence };
            let (lamport, fingerprint) = (header.lamport, stored.operation.fingerprint());
            removals.push(Removal { place, lamport, fingerprint, said });
        }
        Ok(removals)
    }

    /// What removals and proofs make of the logs.
    pub(crate) fn verdict(&self) -> Result<Verdict, StoreError> {
        judge(&self.standings()?, &self.removals()?, &self.tables)
    }

    /// Brings cuts and states in line with removals and proofs. Returns whether views have to be made again.
    pub(super) fn settle_membership(&self) -> Result<bool, StoreError> {
        let verdict = self.verdict()?;
        let connection = self.connection();
        connection.execute("DELETE FROM removed", [])?;
        let sql = "INSERT INTO removed SELECT ?1, position FROM operation WHERE log = ?2 AND sequence = ?3";
        for (replica, place) in &verdict.removed {
            let values = (replica.as_bytes(), place.log, place.sequence as i64);
            connection.prepare_cached(sql)?.execute(values)?;
        }
        let mut statement = connection.prepare("SELECT number, id, cut FROM log")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let logs: Vec<(LogNumber, Vec<u8>, Option<i64>)> = rows.collect::<Result<_, _>>()?;
        let mut changed = false;
        for (number, id, before) in logs {
            let now = verdict.cuts.get(&number).map(|cut| i64::try_from(*cut).unwrap_or(i64::MAX));
            if now != before {
                changed |= self.move_cut(number, before, now)?;
                let id = LogId::from_slice(&id).map_err(|refusal| damaged(refusal.to_string()))?;
                self.tables.note_cut(&id)?;
            }
        }
        Ok(changed)
    }

    /// Moves the place from which a log is void. Returns whether that changed what any operation counts for.
    fn move_cut(&self, log: LogNumber, before: Option<i64>, now: Option<i64>) -> Result<bool, StoreError> {
        let connection = self.connection();
        connection.prepare_cached("UPDATE log SET cut = ?2 WHERE number = ?1")?.execute((log, now))?;
        let (before, now) = (before.unwrap_or(i64::MAX), now.unwrap_or(i64::MAX));
        let sql = "SELECT 1 FROM operation WHERE log = ?1 AND sequence >= ?2 AND kind = 2 AND state = 0";
        if connection.prepare_cached(sql)?.exists((log, now))? {
            // What it took may stand elsewhere, and counts again: such words are asked for. Which they were is not known
            // any more; what others forgot as well is refused when it comes.
            connection.execute("UPDATE operation SET state = 6 WHERE state = 2", [])?;
        }
        let sql = "UPDATE operation SET state = 4 WHERE log = ?1 AND sequence >= ?2 AND kind <> 0
                   AND state IN (0, 1, 5, 6)";
        let voided = connection.prepare_cached(sql)?.execute((log, now))?;
        let sql = "SELECT position FROM operation WHERE log = ?1 AND sequence >= ?2 AND sequence < ?3 AND state = 4";
        let mut statement = connection.prepare_cached(sql)?;
        let restored = statement.query_map((log, before, now), |row| row.get(0))?;
        let restored = restored.collect::<Result<Vec<i64>, _>>()?;
        for position in &restored {
            let Some(stored) = self.tables.at(*position)? else { continue };
            let state = match stored.operation.body() {
                None => State::Absent,
                Some(_) if is_embargoed(stored.operation.header().hybrid_ms, self.now_ms) => State::Embargoed,
                Some(_) => State::Live,
            };
            self.set_state(*position, state)?;
        }
        Ok(voided > 0 || !restored.is_empty())
    }

    /// Judges anew, and makes the views again if something counts now that did not, or the other way round.
    pub(super) fn judge_anew(&self) -> Result<(), StoreError> {
        let members = self.trim()?;
        if self.settle_membership()? {
            return self.rebuild();
        }
        if self.trim()? == members { Ok(()) } else { self.rescore() }
    }

    /// A new log: judged only when somebody's membership has ended that may have to do with it.
    pub(super) fn judge_new_log(&self, log: LogNumber, replica: &ReplicaKey, role: Role) -> Result<(), StoreError> {
        if self.may_be_void(log, replica)? {
            return self.judge_anew();
        }
        if role < Role::Writer || !self.is_robust()? {
            return Ok(());
        }
        let sql = "SELECT count(*) FROM log WHERE replica = ?1 AND role >= 2 AND number <> ?2";
        let values = (replica.as_bytes(), log);
        let others: i64 = self.connection().prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        let members = self.keys_with(Role::Writer)?.len();
        // A trimmed mean changes with every third member.
        let moves = members.saturating_sub(1) / 3 != members.saturating_sub(2) / 3;
        if others == 0 && moves { self.rescore() } else { Ok(()) }
    }

    fn may_be_void(&self, log: LogNumber, replica: &ReplicaKey) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS(SELECT 1 FROM removed)";
        if !self.connection().prepare_cached(sql)?.query_row([], |row| row.get::<_, bool>(0))? {
            return Ok(false);
        }
        if self.is_removed(replica)? {
            return Ok(true);
        }
        let Some(invited) = self.invited(log)? else { return Ok(false) };
        let inviter_removed = invited.issuer.map(|issuer| self.is_removed(&issuer)).transpose()?.unwrap_or(false);
        let inviter_void = match invited.by {
            Some(by) => {
                let sql = "SELECT cut = 0 FROM log WHERE number = ?1";
                let void = self.connection().prepare_cached(sql)?.query_row([by], |row| row.get(0)).optional()?;
                void.flatten().unwrap_or(false)
            }
            None => false,
        };
        Ok(inviter_removed || inviter_void || self.is_removed(&invited.token)?)
    }

    /// Whether the space reads scores as trimmed means.
    pub(crate) fn is_robust(&self) -> Result<bool, StoreError> {
        let mut statement = self.connection().prepare_cached("SELECT value = 'true' FROM setting WHERE key = ?1")?;
        Ok(statement.query_row([ROBUST], |row| row.get(0)).optional()?.unwrap_or(false))
    }

    /// How the scores of several authors become one here.
    pub(crate) fn reading(&self) -> Result<Reading, StoreError> {
        if !self.is_robust()? {
            return Ok(Reading::Maximum);
        }
        Ok(Reading::TrimmedMean { members: self.keys_with(Role::Writer)?.len() })
    }

    /// What of the number of members reaches a trimmed mean.
    fn trim(&self) -> Result<Option<usize>, StoreError> {
        Ok(match self.reading()? {
            Reading::Maximum => None,
            Reading::TrimmedMean { members } => Some(members.saturating_sub(1) / 3),
        })
    }

    /// The keys of members that have at least this role by a log that counts, sorted.
    pub(crate) fn keys_with(&self, least: Role) -> Result<Vec<ReplicaKey>, StoreError> {
        let sql = "SELECT DISTINCT l.replica FROM log l WHERE l.role >= ?1 AND (l.cut IS NULL OR l.cut > 0)
                       AND EXISTS(SELECT 1 FROM operation o WHERE o.log = l.number AND o.sequence = 0)
                       AND l.replica NOT IN (SELECT replica FROM removed) ORDER BY l.replica";
        let mut statement = self.connection().prepare_cached(sql)?;
        let keys = statement.query_map([least as u8], |row| row.get::<_, Vec<u8>>(0))?;
        keys.map(|key| ReplicaKey::from_slice(&key?).map_err(|refusal| damaged(refusal.to_string()))).collect()
    }

    /// Makes the rows of memories again whose scores read otherwise than they stand.
    pub(super) fn rescore(&self) -> Result<(), StoreError> {
        let mut statement = self.connection().prepare("SELECT number, id, importance, confidence FROM memory")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let memories: Vec<(i64, String, u16, u16)> = rows.collect::<Result<_, _>>()?;
        let reading = self.reading()?;
        for (number, id, importance, confidence) in memories {
            let document = self.document(number)?;
            if super::rows::scores(&document, reading) != (importance, confidence) {
                self.refresh(number, &id)?;
            }
        }
        Ok(())
    }
}
