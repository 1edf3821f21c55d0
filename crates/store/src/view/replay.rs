//! Making every view again from the log.

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::id::Fingerprint;
use chrysalis_core::operation::{Header, Kind};
use chrysalis_core::payload::{Configure, Payload};

use rusqlite::OptionalExtension as _;

use crate::error::StoreError;
use crate::ledger::{State, Stored, damaged};
use crate::sync::states;

use super::{Placed, Views};

impl<'a> Views<'a> {
    /// Settings are few: they are joined from all their operations whenever one comes.
    pub(super) fn join_settings(&self) -> Result<(), StoreError> {
        let sql = "SELECT position FROM operation WHERE kind = 6 AND state = 0 ORDER BY position";
        let mut statement = self.connection().prepare_cached(sql)?;
        let positions = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        let mut spoken = Vec::new();
        for position in positions {
            let Some(stored) = self.tables.at(position)? else { continue };
            let Some(body) = stored.operation.body() else { continue };
            if let Ok(Payload::Configure(setting)) = Payload::decode(Kind::Configure, &body.payload) {
                let order = (stored.operation.header().lamport, stored.operation.fingerprint());
                spoken.push(Spoken { order, position, setting });
            }
        }
        let mut insert = self.connection().prepare_cached("INSERT OR REPLACE INTO setting VALUES(?1, ?2, ?3)")?;
        let before = self.is_robust()?;
        for (position, setting) in winners(spoken) {
            insert.execute((setting.key, setting.value, position))?;
        }
        if self.is_robust()? == before { Ok(()) } else { self.rescore() }
    }

    /// Makes every view again from the log, with the numbers that memories had.
    pub fn rebuild(&self) -> Result<(), StoreError> {
        // What was remembered of the tables is of those that go now.
        self.forget_quiet()?;
        self.make_again(true)
    }

    /// As [`Views::rebuild`], of a log of which only a part is here: what counts is what was found to count before.
    pub(crate) fn rebuild_part(&self) -> Result<(), StoreError> {
        self.make_again(false)
    }

    fn make_again(&self, judging: bool) -> Result<(), StoreError> {
        let connection = self.connection();
        connection.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS kept(id TEXT PRIMARY KEY, number INTEGER, shown INTEGER);
             DELETE FROM kept;
             INSERT OR IGNORE INTO kept SELECT id, number, 1 FROM memory;
             INSERT OR IGNORE INTO kept SELECT id, number, 0 FROM waiting;
             CREATE TEMP TABLE IF NOT EXISTS owed(memory INTEGER PRIMARY KEY);
             DELETE FROM owed;
             INSERT INTO owed SELECT memory FROM erasure;",
        )?;
        let clock: i64 = connection.query_row("SELECT changed FROM clock", [], |row| row.get(0))?;
        let before = states::position(connection)?;
        crate::schema::recreate_views(connection)?;
        connection.execute("UPDATE clock SET changed = ?1", [clock])?;
        connection.execute_batch(
            "INSERT INTO waiting SELECT id, number FROM kept; INSERT INTO erasure SELECT memory FROM owed;
             UPDATE operation SET memory = NULL WHERE memory IS NOT NULL;",
        )?;
        let last: i64 =
            connection.query_row("SELECT coalesce(max(position), 0) FROM operation", [], |row| row.get(0))?;
        if judging {
            // Membership first: it decides which operations have an effect, and needs to know who had seen what.
            self.note_all_steps(last)?;
            self.settle_membership()?;
        }
        for position in 1..=last {
            if let Some(stored) = self.tables.at(position)?
                && !matches!(stored.operation.header().kind, Kind::Open | Kind::Remove)
            {
                self.replay(&stored)?;
            }
        }
        if self.is_robust()? {
            self.rescore()?;
        }
        states::make_all(connection, before)?;
        connection.execute_batch(
            "INSERT OR IGNORE INTO erasure
                 SELECT number FROM kept WHERE shown = 1 AND number NOT IN (SELECT number FROM memory);
             DELETE FROM waiting WHERE number NOT IN (SELECT memory FROM operation WHERE memory IS NOT NULL)
                 AND number NOT IN (SELECT memory FROM access);
             DROP TABLE kept; DROP TABLE owed;",
        )?;
        Ok(())
    }

    fn note_all_steps(&self, last: i64) -> Result<(), StoreError> {
        let own = self.tables.own_number()?;
        let mut statement = self.connection().prepare("SELECT log, header FROM operation WHERE position = ?1")?;
        for position in 1..=last {
            let found = statement.query_row([position], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)));
            let Some((log, bytes)) = found.optional()? else { continue };
            let header = Header::decode(&bytes).map_err(|refusal| damaged(refusal.to_string()))?;
            let own = own == Some(log);
            if !own {
                self.tables.note_unseen(log, header.sequence, position)?;
            }
            self.tables.note_steps(&header, log, own)?;
        }
        Ok(())
    }

    /// Lets a stored operation have its effect again.
    pub(super) fn replay(&self, stored: &Stored) -> Result<(), StoreError> {
        let Some(body) = stored.operation.body() else { return Ok(()) };
        let kind = stored.operation.header().kind;
        let payload = Payload::decode(kind, &body.payload).map_err(|refusal| damaged(refusal.to_string()))?;
        let (_, facts) = self.tables.log_facts(stored.log)?;
        if self.is_dead(&payload, facts.replica, &stored.operation.fingerprint())? {
            return self.erase(stored.position, State::Forgotten);
        }
        let memory = self.number_named(&payload)?;
        let before = match memory {
            Some(number) if stored.state == State::Live => Some(self.document(number)?),
            _ => None,
        };
        if memory.is_some() {
            let sql = "UPDATE operation SET memory = ?2 WHERE position = ?1";
            self.connection().prepare_cached(sql)?.execute((stored.position, memory))?;
        }
        if stored.state != State::Live {
            return Ok(());
        }
        let (operation, log, position) = (&stored.operation, stored.log, stored.position);
        let placed = Placed { operation, facts, log, position, first: false };
        self.have_effect(&placed, &payload, memory, before)
    }
}

/// A setting as one operation gives it, and where that stands.
pub(crate) struct Spoken {
    pub(crate) order: (u64, Fingerprint),
    pub(crate) position: i64,
    pub(crate) setting: Configure,
}

/// Of several values of a setting the greatest (Lamport time, fingerprint) that nothing replaced, by key.
pub(crate) fn winners(mut spoken: Vec<Spoken>) -> impl Iterator<Item = (i64, Configure)> {
    let replaced: BTreeSet<Fingerprint> = spoken.iter().flat_map(|one| one.setting.replaces.iter().copied()).collect();
    spoken.retain(|one| !replaced.contains(&one.order.1));
    spoken.sort_by_key(|one| one.order);
    let by_key: BTreeMap<String, (i64, Configure)> =
        spoken.into_iter().map(|one| (one.setting.key.clone(), (one.position, one.setting))).collect();
    by_key.into_values()
}
