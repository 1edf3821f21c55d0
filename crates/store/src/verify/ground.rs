//! Logs as wholes: what opens them, that none of their places is empty, and what voids them.

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::admit::LogFacts;
use chrysalis_core::causality::LogNumber;
use chrysalis_core::fork::Proof;
use chrysalis_core::id::{Epoch, LogId, ReplicaKey, Signature};
use chrysalis_core::member::{Role, log_id};
use chrysalis_core::operation::{Header, fingerprint};
use chrysalis_core::sign::{self, Verifier};
use rusqlite::{OptionalExtension as _, Row};

use super::Problem;
use crate::error::StoreError;
use crate::ledger::Tables;

/// A log as the store describes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) id: LogId,
    pub(super) facts: LogFacts,
    /// None for a key that is no key: nothing that it signed holds.
    pub(super) verifier: Option<Verifier>,
    pub(super) cut: Option<u64>,
    pub(super) own: bool,
    /// The last place that is taken; none when nothing has come yet.
    pub(super) last: Option<u64>,
}

/// What the check of a single operation needs of the rest of the store.
#[derive(Clone, Default, Debug)]
pub(super) struct Ground {
    pub(super) operations: u64,
    pub(super) logs: BTreeMap<LogNumber, Log>,
    /// From where on logs are void by proof.
    pub(super) proven: BTreeMap<LogNumber, u64>,
    /// Forgotten ids, whoever's memories of that id it ended.
    pub(super) dead: BTreeSet<String>,
    /// Forgotten ids of which nothing counts any more, whoever says it.
    pub(super) dead_to_all: BTreeSet<String>,
    pub(super) withdrawals: bool,
    pub(super) problems: Vec<Problem>,
}

impl Ground {
    pub(super) fn read(tables: &Tables<'_>) -> Result<Self, StoreError> {
        let connection = tables.connection;
        let mut ground = Self {
            operations: connection.query_row("SELECT count(*) FROM operation", [], |row| row.get::<_, i64>(0))? as u64,
            withdrawals: connection.query_row("SELECT EXISTS(SELECT 1 FROM withdrawn)", [], |row| row.get(0))?,
            ..Self::default()
        };
        let ids = |sql| connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>();
        ground.dead = ids("SELECT id FROM dead")?;
        ground.dead_to_all = ids("SELECT id FROM dead WHERE owner = x''")?;
        ground.read_logs(tables)?;
        ground.check_places(tables)?;
        ground.check_proofs(tables)?;
        ground.check_void_headers(tables)?;
        Ok(ground)
    }

    /// Whether this store signs by this key.
    pub(super) fn is_own(&self, replica: &ReplicaKey) -> bool {
        self.logs.values().any(|log| log.own && log.facts.replica == *replica)
    }

    fn report(&mut self, code: &'static str, where_: String, what: impl Into<String>) {
        self.problems.push(Problem::new(code, where_, what));
    }

    fn read_logs(&mut self, tables: &Tables<'_>) -> Result<(), StoreError> {
        let sql = "SELECT l.number, l.id, l.replica, l.epoch, l.role, l.cut, l.own,
                       (SELECT max(sequence) FROM operation WHERE log = l.number) FROM log l ORDER BY l.number";
        let mut statement = tables.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let number: LogNumber = row.get(0)?;
            let where_ = format!("log {number}");
            let Some(log) = read_log(row)? else {
                self.report("log_differs", where_, "what is kept of the log can't be read");
                continue;
            };
            let facts = &log.facts;
            if log_id(&tables.space, &facts.replica, &facts.epoch, facts.role) != log.id {
                self.report("log_differs", where_, "its id is not the one of this space, replica, epoch and role");
            }
            self.logs.insert(number, log);
        }
        if self.logs.values().filter(|log| log.own).count() != 1 {
            self.report("log_differs", "the logs".to_owned(), "not exactly one of them is this store's own");
        }
        Ok(())
    }

    /// Every place from 0 to the last is taken once, and operations never leave the order of arrival.
    fn check_places(&mut self, tables: &Tables<'_>) -> Result<(), StoreError> {
        let sql = "SELECT log, count(*), min(sequence), max(sequence) FROM operation GROUP BY log";
        let mut statement = tables.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (log, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            let (first, last): (i64, i64) = (row.get(2)?, row.get(3)?);
            if (first, last) != (0, count - 1) {
                let what = format!("{count} operations stand at places {first} to {last}");
                self.report("sequence_gap", format!("log {log}"), what);
            }
        }
        let sql = "SELECT count(*), coalesce(min(position), 1), coalesce(max(position), 0) FROM operation";
        let (count, first, last): (i64, i64, i64) =
            tables.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if (first, last) != (1, count) {
            let what = format!("{count} operations came at positions {first} to {last}: some are gone");
            self.report("operation_missing", "the order of arrival".to_owned(), what);
        }
        Ok(())
    }

    fn check_proofs(&mut self, tables: &Tables<'_>) -> Result<(), StoreError> {
        let mut statement = tables.connection.prepare("SELECT log, sequence, proof FROM proof")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let number: LogNumber = row.get(0)?;
            let sequence: i64 = row.get(1)?;
            let verified = Proof::decode(&row.get::<_, Vec<u8>>(2)?).and_then(|proof| proof.verify());
            let log = self.logs.get(&number).map(|log| log.id);
            match verified {
                Ok(cut) if Some(cut.log) == log && cut.sequence as i64 == sequence => {
                    self.proven.insert(number, cut.sequence);
                }
                Ok(_) => self.report("bad_proof", format!("log {number}"), "the proof is of another log or place"),
                Err(refusal) => self.report("bad_proof", format!("log {number}"), refusal.to_string()),
            }
        }
        Ok(())
    }

    fn check_void_headers(&mut self, tables: &Tables<'_>) -> Result<(), StoreError> {
        let sql = "SELECT fingerprint, log, sequence, lamport, header, signature FROM void_header";
        let mut statement = tables.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let bytes: Vec<u8> = row.get(4)?;
            let found = fingerprint(&bytes);
            let where_ = format!("void header {found}");
            let (sequence, lamport): (i64, i64) = (row.get(2)?, row.get(3)?);
            let signature = Signature::from_slice(&row.get::<_, Vec<u8>>(5)?);
            let log = self.logs.get(&row.get(1)?).copied();
            let (Ok(header), Ok(signature), Some(log)) = (Header::decode(&bytes), signature, log) else {
                self.report("malformed", where_, "it can't be read");
                continue;
            };
            let agrees = row.get::<_, Vec<u8>>(0)? == found.as_bytes()
                && header.log == log.id
                && (header.sequence as i64, header.lamport as i64) == (sequence, lamport);
            if !agrees {
                self.report("columns_differ", where_, "what is kept beside the header is not what it says");
            } else if sign::verify_operation(&log.facts.replica, &found, &signature).is_err() {
                self.report("bad_signature", where_, "its author did not sign it");
            }
        }
        Ok(())
    }
}

/// None for a row that says nothing readable.
fn read_log(row: &Row<'_>) -> Result<Option<Log>, StoreError> {
    let bytes = |column| row.get::<_, Vec<u8>>(column).optional().unwrap_or_default().unwrap_or_default();
    let number = |value: Option<i64>| value.map(u64::try_from).transpose();
    let (cut, last) = (number(row.get(5)?), number(row.get(7)?));
    let (id, replica) = (LogId::from_slice(&bytes(1)), ReplicaKey::from_slice(&bytes(2)));
    let (epoch, role) = (Epoch::from_slice(&bytes(3)), Role::from_number(row.get::<_, i64>(4)?.unsigned_abs()));
    Ok(match (id, replica, epoch, role, cut, last) {
        (Ok(id), Ok(replica), Ok(epoch), Ok(role), Ok(cut), Ok(last)) => Some(Log {
            id,
            facts: LogFacts { replica, epoch, role },
            verifier: Verifier::new(&replica).ok(),
            cut,
            own: row.get(6)?,
            last,
        }),
        _ => None,
    })
}
