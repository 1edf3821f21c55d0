//! Endings: forgetting, withdrawing, expiry, and logs that become void. Words leave the log's tables here.

use std::collections::BTreeSet;

use chrysalis_core::admit::is_embargoed;
use chrysalis_core::id::{Fingerprint, LogId, ReplicaKey, WithdrawalDigest};
use chrysalis_core::member::Role;
use chrysalis_core::operation::Kind;
use chrysalis_core::payload::{Forget, Payload, Write};
use rusqlite::OptionalExtension as _;

use crate::error::StoreError;
use crate::ledger::{State, Stored, damaged};

use super::{Placed, Views, content_of};

impl<'a> Views<'a> {
    /// Whether what it names was forgotten, or what it says was withdrawn.
    pub(crate) fn is_dead(
        &self,
        payload: &Payload,
        signer: ReplicaKey,
        itself: &Fingerprint,
    ) -> Result<bool, StoreError> {
        let (memory, root) = match payload {
            Payload::Write(write) => (&write.memory, write.root),
            Payload::Attest(vote) => (&vote.memory, None),
            _ => return Ok(false),
        };
        let owners = self.owners_of_death(memory.as_str())?;
        if !owners.is_empty() {
            let creator = self.creator(root.filter(|root| root != itself), signer)?;
            if owners.iter().any(|owner| owner.is_empty() || owner == creator.as_bytes()) {
                return Ok(true);
            }
        }
        match payload {
            Payload::Write(write) => self.says_withdrawn(write),
            _ => Ok(false),
        }
    }

    /// For whom an id was forgotten.
    fn owners_of_death(&self, id: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        if self.memo.quiet.get().is_some_and(|quiet| quiet.none_dead) {
            return Ok(Vec::new());
        }
        let mut statement = self.connection().prepare_cached("SELECT owner FROM dead WHERE id = ?1")?;
        let owners = statement.query_map([id], |row| row.get::<_, Vec<u8>>(0))?;
        Ok(owners.collect::<Result<_, _>>()?)
    }

    /// Whose operation `root` is, by its header; the signer's own when there is none.
    pub(crate) fn creator(&self, root: Option<Fingerprint>, signer: ReplicaKey) -> Result<ReplicaKey, StoreError> {
        let Some(root) = root else { return Ok(signer) };
        match self.tables.origin(&root)? {
            Some((log, _)) => Ok(self.tables.log_facts(log)?.1.replica),
            None => Ok(signer),
        }
    }

    pub(super) fn says_withdrawn(&self, write: &Write) -> Result<bool, StoreError> {
        if self.memo.quiet.get().is_some_and(|quiet| quiet.none_withdrawn) {
            return Ok(false);
        }
        let mut any = self.connection().prepare_cached("SELECT 1 FROM withdrawn LIMIT 1")?;
        if !any.exists([])? {
            return Ok(false);
        }
        let Some(content) = content_of(write) else { return Ok(false) };
        let mut statement = self.connection().prepare_cached("SELECT 1 FROM withdrawn WHERE digest = ?1")?;
        Ok(statement.exists([self.space.withdrawal_digest(content).as_bytes()])?)
    }

    /// Whether this replica's membership has ended.
    pub(crate) fn is_removed(&self, replica: &ReplicaKey) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM removed WHERE replica = ?1";
        Ok(self.connection().prepare_cached(sql)?.exists([replica.as_bytes()])?)
    }

    pub(super) fn is_dead_to_all(&self, id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM dead WHERE id = ?1 AND owner = x''";
        Ok(self.connection().prepare_cached(sql)?.exists([id])?)
    }

    pub(super) fn forget(&self, placed: &Placed<'_>, forget: &Forget) -> Result<(), StoreError> {
        let signer = placed.facts;
        let owner: Vec<u8> = match signer.role {
            Role::Administrator => Vec::new(),
            _ if self.creator(forget.root, signer.replica)? == signer.replica => signer.replica.0.to_vec(),
            // Only the author may, or an administrator: the operation stands and does nothing.
            _ => return self.set_state(placed.position, State::Idle),
        };
        let sql = "INSERT OR IGNORE INTO dead VALUES(?1, ?2, ?3)";
        self.connection().prepare_cached(sql)?.execute((forget.memory.as_str(), owner, placed.position))?;
        self.kill(forget.memory.as_str())?;
        match &forget.withdrawal {
            // Else whoever repeats somebody's words could take them away.
            Some(digest) if signer.role == Role::Administrator => self.withdraw(digest, placed.position),
            _ => Ok(()),
        }
    }

    /// Erases every operation that names a dead memory, as far as its death reaches.
    pub(super) fn kill(&self, id: &str) -> Result<(), StoreError> {
        let Some(number) = self.number_of(id)? else { return Ok(()) };
        for stored in self.tables.of_memory(number)? {
            let (_, facts) = self.tables.log_facts(stored.log)?;
            let Some(body) = stored.operation.body() else { continue };
            let payload = Payload::decode(stored.operation.header().kind, &body.payload)
                .map_err(|refusal| damaged(refusal.to_string()))?;
            if self.is_dead(&payload, facts.replica, &stored.operation.fingerprint())? {
                self.erase(stored.position, State::Forgotten)?;
            }
        }
        self.refresh(number, id)
    }

    pub(super) fn withdraw(&self, digest: &WithdrawalDigest, position: i64) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO withdrawn VALUES(?1, ?2)";
        self.connection().prepare_cached(sql)?.execute((digest.as_bytes(), position))?;
        let sql = "SELECT position, memory, payload FROM operation WHERE kind = 1 AND payload IS NOT NULL";
        let mut affected = BTreeSet::new();
        let mut statement = self.connection().prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut positions = Vec::new();
        while let Some(row) = rows.next()? {
            let payload: Vec<u8> = row.get(2)?;
            let Ok(Payload::Write(write)) = Payload::decode(Kind::Write, &payload) else { continue };
            if content_of(&write).is_some_and(|content| self.space.withdrawal_digest(content) == *digest) {
                positions.push(row.get::<_, i64>(0)?);
                affected.extend(row.get::<_, Option<i64>>(1)?.map(|number| (number, write.memory)));
            }
        }
        positions.into_iter().try_for_each(|position| self.erase(position, State::Forgotten))?;
        affected.into_iter().try_for_each(|(number, id)| self.refresh(number, id.as_str()))
    }

    pub(crate) fn set_state(&self, position: i64, state: State) -> Result<(), StoreError> {
        let sql = "UPDATE operation SET state = ?2 WHERE position = ?1";
        self.connection().prepare_cached(sql)?.execute((position, state as u8))?;
        Ok(())
    }

    /// Drops an operation's words. Its header stays, so every chain still verifies.
    pub(crate) fn erase(&self, position: i64, state: State) -> Result<(), StoreError> {
        self.owe_erasure()?;
        let sql = "UPDATE operation SET state = ?2, salt = NULL, payload = NULL, memory = NULL WHERE position = ?1";
        self.connection().prepare_cached(sql)?.execute((position, state as u8))?;
        Ok(())
    }

    /// Notes that words have left the ground, so that older copies of them are erased even when they belonged to no
    /// memory that was shown. No memory has this number.
    pub(super) fn owe_erasure(&self) -> Result<(), StoreError> {
        self.connection().prepare_cached("INSERT OR IGNORE INTO erasure VALUES(0)")?.execute([])?;
        Ok(())
    }

    /// When the words of a memory go, as the headers of its writes say: the first and the last of them, in ms since
    /// the Unix epoch; the greatest number for those that stay. None when it has no words.
    pub(crate) fn ends_of_words(&self, number: i64) -> Result<Option<(i64, i64)>, StoreError> {
        let sql = "SELECT min(coalesce(expires_at, ?2)), max(coalesce(expires_at, ?2)) FROM operation
                   WHERE memory = ?1 AND kind = 1 AND payload IS NOT NULL";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
        let (first, last) = self.connection().prepare_cached(sql)?.query_row((number, i64::MAX), read)?;
        Ok(first.zip(last))
    }

    /// Ends what is past its time. Returns how many operations lost their words.
    pub fn expire(&self) -> Result<usize, StoreError> {
        let sql = "SELECT position, memory FROM operation WHERE expires_at <= ?1 AND payload IS NOT NULL";
        let mut statement = self.connection().prepare_cached(sql)?;
        let rows = statement.query_map([self.now_ms as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows = rows.collect::<Result<Vec<(i64, Option<i64>)>, _>>()?;
        let numbers: BTreeSet<i64> = rows.iter().filter_map(|(_, memory)| *memory).collect();
        let ids = numbers.iter().map(|number| Ok((*number, self.id_of(*number)?)));
        let ids = ids.collect::<Result<Vec<_>, StoreError>>()?;
        for (position, _) in &rows {
            self.erase(*position, State::Expired)?;
        }
        for (number, id) in ids {
            self.refresh(number, &id)?;
        }
        self.hide_faded()?;
        Ok(rows.len())
    }

    /// Hides memories that were given an end after words of theirs had been said to stay.
    fn hide_faded(&self) -> Result<(), StoreError> {
        let mut statement = self.connection().prepare_cached("SELECT number, id FROM memory WHERE expires_at <= ?1")?;
        let faded = statement.query_map([self.now_ms as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let faded = faded.collect::<Result<Vec<(i64, String)>, _>>()?;
        faded.into_iter().try_for_each(|(number, id)| self.refresh(number, &id))
    }

    pub(super) fn id_of(&self, number: i64) -> Result<String, StoreError> {
        let sql = "SELECT id FROM memory WHERE number = ?1 UNION ALL SELECT id FROM waiting WHERE number = ?1";
        let id = self.connection().prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?;
        id.ok_or_else(|| damaged("an operation names a memory without an id"))
    }

    /// Lets operations whose embargo is over have their effect. Returns how many.
    pub fn release(&self) -> Result<usize, StoreError> {
        let mut statement = self.connection().prepare_cached("SELECT position FROM operation WHERE state = 5")?;
        let positions = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        let mut released = 0;
        for position in positions {
            let Some(stored) = self.tables.at(position)? else { continue };
            // One that was released before it may have taken its words, or made it void.
            let waits = stored.state == State::Embargoed;
            if waits && !is_embargoed(stored.operation.header().hybrid_ms, self.now_ms) {
                self.set_state(position, State::Live)?;
                self.replay(&Stored { state: State::Live, ..stored })?;
                released += 1;
            }
        }
        Ok(released)
    }

    /// Voids a log from this place on by proof, in every branch. Its words go for good, unless they are kept for their
    /// author a while.
    pub fn cut(&self, log: &LogId, sequence: u64, keeping: bool) -> Result<(), StoreError> {
        let Some((number, _, _)) = self.tables.find_log(log)? else { return Ok(()) };
        self.tables.note_cut(log)?;
        // A removal among them counts no longer, so everything is judged anew. What is void loses its words last.
        self.judge_anew()?;
        let sql = "UPDATE operation SET state = 4 WHERE log = ?1 AND sequence >= ?2 AND kind <> 0 AND state <> 4";
        self.connection().prepare_cached(sql)?.execute((number, sequence as i64))?;
        if keeping {
            self.keep_words(log, number, sequence)?;
        } else {
            let sql = "SELECT position FROM operation
                       WHERE log = ?1 AND sequence >= ?2 AND kind <> 0 AND (payload IS NOT NULL OR memory IS NOT NULL)";
            let mut statement = self.connection().prepare_cached(sql)?;
            let positions = statement.query_map((number, sequence as i64), |row| row.get(0))?;
            for position in positions.collect::<Result<Vec<i64>, _>>()? {
                self.erase(position, State::Void)?;
            }
        }
        self.drop_idle_numbers()
    }

    /// Ids that nothing names any more wait for nothing.
    pub(super) fn drop_idle_numbers(&self) -> Result<(), StoreError> {
        let sql = "DELETE FROM waiting WHERE number NOT IN (SELECT memory FROM operation WHERE memory IS NOT NULL)
                   AND number NOT IN (SELECT memory FROM access)";
        self.connection().execute(sql, [])?;
        Ok(())
    }
}
