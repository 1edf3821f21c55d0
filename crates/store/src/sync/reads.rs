//! Operations, proofs and roles, as a node asks for them.

use std::collections::BTreeMap;

use chrysalis_core::causality::LogNumber;
use chrysalis_core::fork::Proof;
use chrysalis_core::id::{Fingerprint, LogId, ReplicaKey, Signature};
use chrysalis_core::limits;
use chrysalis_core::member::Role;
use chrysalis_core::operation::{Operation, fingerprint};
use chrysalis_core::sync::replica::{Mark, Segment, Want};
use rusqlite::{Connection, OptionalExtension as _};

use super::states;
use crate::error::StoreError;
use crate::ledger::{RawOperation, STORED, Tables, damaged};
use crate::segments::Segments;

/// The operation that opened the present own log.
pub(super) fn opening(connection: &Connection) -> Result<Option<Operation>, StoreError> {
    let sql =
        format!("SELECT {STORED} FROM operation WHERE log = (SELECT number FROM log WHERE own = 1) AND sequence = 0");
    let mut statement = connection.prepare_cached(&sql)?;
    let stored = statement.query_row([], RawOperation::read).optional()?;
    Ok(stored.map(RawOperation::parse).transpose()?.map(|stored| stored.operation))
}

/// A proof alone makes a log known by the role that it claims: only one whose opening was admitted counts.
pub(super) fn role_of(connection: &Connection, key: &ReplicaKey) -> Result<Option<Role>, StoreError> {
    let sql = "SELECT max(l.role) FROM log l JOIN log_state s ON s.id = l.id AND s.count > 0
               WHERE l.replica = ?1 AND NOT EXISTS(SELECT 1 FROM removed WHERE replica = ?1)";
    let role: Option<i64> = connection.prepare_cached(sql)?.query_row([key.as_bytes()], |row| row.get(0))?;
    let known = |role: i64| Role::from_number(role.unsigned_abs()).map_err(|refusal| damaged(refusal.to_string()));
    role.map(known).transpose()
}

/// From where on a proof or a removal makes a log void.
pub(super) fn void_from(connection: &Connection, log: &LogId) -> Result<Option<u64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT cut FROM log WHERE id = ?1")?;
    let cut: Option<Option<i64>> = statement.query_row([log.as_bytes()], |row| row.get(0)).optional()?;
    Ok(cut.flatten().map(i64::unsigned_abs))
}

/// Where that of a log ends which counts.
fn end_of(connection: &Connection, number: LogNumber) -> Result<u64, StoreError> {
    let sql = "SELECT s.count FROM log l JOIN log_state s ON s.id = l.id WHERE l.number = ?1";
    let count: Option<i64> = connection.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?;
    Ok(count.map_or(0, i64::unsigned_abs))
}

pub(super) fn wanted(tables: &Tables<'_>, wants: &[Want], bytes_max: usize) -> Result<Vec<Segment>, StoreError> {
    let mut logs: BTreeMap<LogNumber, (u64, u64)> = BTreeMap::new();
    for want in wants.iter().take(limits::WANTS_MAX) {
        let Some((number, _, _)) = tables.find_log(&want.log)? else { continue };
        let end = end_of(tables.connection, number)?;
        let (from, _) = *logs.entry(number).or_insert((want.from, end));
        logs.insert(number, (from.min(want.from), end));
    }
    Segments::of(tables, logs.into_iter().map(|(log, (from, end))| (log, from, end)))?.take(bytes_max)
}

/// The present position, if `told` says of every log that changed since another one that nobody needs to hear of it.
/// Openings and the ends of memberships are always heard of.
pub(super) fn told(
    connection: &Connection,
    since: i64,
    told: &dyn Fn(&LogId, u64) -> bool,
) -> Result<Option<i64>, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let removal = "SELECT 1 FROM operation WHERE kind = 5 AND position > ?1";
    if snapshot.prepare_cached(removal)?.exists([states::operation_at(since)])? {
        return Ok(None);
    }
    let opening = "SELECT 1 FROM log l JOIN operation o ON o.log = l.number AND o.sequence = 0
                   WHERE l.id = ?1 AND o.position > ?2";
    let mut opening = snapshot.prepare_cached(opening)?;
    for state in states::since(&snapshot, since)? {
        let opened = opening.exists((state.log.as_bytes(), states::operation_at(since)))?;
        if opened || !told(&state.log, state.count) {
            return Ok(None);
        }
    }
    drop(opening);
    Ok(Some(states::position(&snapshot)?))
}

/// Segments of what arrived after a position, and the position reached.
pub(super) fn after(tables: &Tables<'_>, position: i64, bytes_max: usize) -> Result<(Vec<Segment>, i64), StoreError> {
    let sql = "SELECT position, log, sequence, checked, length(header) + coalesce(length(payload), 0) FROM operation
               WHERE position > ?1 ORDER BY position";
    let mut statement = tables.connection.prepare_cached(sql)?;
    let mut rows = statement.query([states::operation_at(position)])?;
    let mut logs: BTreeMap<LogNumber, (u64, u64)> = BTreeMap::new();
    let (mut bytes, mut reached, mut sealed) = (0, None, true);
    while let Some(row) = rows.next()? {
        // What is between two seals arrived in one go, and is read in one go.
        if bytes >= bytes_max && sealed {
            return Ok((segments_of(tables, logs)?, states::position_of(reached.unwrap_or(0))));
        }
        let sequence = row.get::<_, i64>(2)?.unsigned_abs();
        let (first, _) = *logs.entry(row.get(1)?).or_insert((sequence, sequence));
        logs.insert(row.get(1)?, (first, sequence + 1));
        bytes += row.get::<_, i64>(4)?.unsigned_abs() as usize;
        (reached, sealed) = (Some(row.get(0)?), row.get(3)?);
    }
    Ok((segments_of(tables, logs)?, states::position(tables.connection)?.max(position)))
}

fn segments_of(tables: &Tables<'_>, logs: BTreeMap<LogNumber, (u64, u64)>) -> Result<Vec<Segment>, StoreError> {
    let mut counting = Vec::with_capacity(logs.len());
    for (log, (from, until)) in logs {
        counting.push((log, from, until.min(end_of(tables.connection, log)?)));
    }
    Segments::of(tables, counting)?.take(usize::MAX)
}

pub(super) fn standing_at(tables: &Tables<'_>, log: &LogId, place: u64) -> Result<Option<Fingerprint>, StoreError> {
    if place > limits::INTEGER_MAX {
        return Ok(None);
    }
    chrysalis_core::admit::Ledger::standing_at(tables, log, place)
}

/// Whether one operation and no more begins so.
pub(super) fn resolve(connection: &Connection, mark: &Mark) -> Result<Option<Fingerprint>, StoreError> {
    let mut found = Vec::new();
    let mut statement = connection.prepare_cached("SELECT header FROM operation WHERE mark = ?1 LIMIT 2")?;
    let mut rows = statement.query([i64::from_be_bytes(mark.0)])?;
    while let Some(row) = rows.next()? {
        found.push(fingerprint(&row.get::<_, Vec<u8>>(0)?));
    }
    let last = [&mark.0[..], &[0xff; Fingerprint::LENGTH - 8]].concat();
    let sql = "SELECT fingerprint FROM void_header WHERE fingerprint BETWEEN ?1 AND ?2 LIMIT 2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((&mark.0[..], last))?;
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        found.push(Fingerprint::from_slice(&bytes).map_err(|refusal| damaged(refusal.to_string()))?);
    }
    Ok(if found.len() == 1 { found.pop() } else { None })
}

pub(super) fn find(tables: &Tables<'_>, fingerprints: &[Fingerprint]) -> Result<Vec<Operation>, StoreError> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for wanted in fingerprints.iter().take(limits::FINDS_MAX) {
        let operation = match tables.stored(wanted)? {
            Some(stored) => Some(stored.operation),
            None => void_header(tables.connection, wanted)?,
        };
        let Some(operation) = operation else { continue };
        bytes += operation.size();
        if bytes > limits::FRAME_BYTES_MAX && !found.is_empty() {
            break;
        }
        found.push(operation);
    }
    Ok(found)
}

fn void_header(connection: &Connection, wanted: &Fingerprint) -> Result<Option<Operation>, StoreError> {
    let sql = "SELECT header, signature FROM void_header WHERE fingerprint = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?));
    let Some((header, signature)) = statement.query_row([wanted.as_bytes()], read).optional()? else {
        return Ok(None);
    };
    let operation =
        Signature::from_slice(&signature).and_then(|signature| Operation::from_parts(&header, signature, None));
    operation.map(Some).map_err(|refusal| damaged(format!("a void header: {refusal}")))
}

pub(super) fn proofs(connection: &Connection, logs: &[LogId]) -> Result<Vec<Proof>, StoreError> {
    let sql = "SELECT proof FROM proof WHERE log = (SELECT number FROM log WHERE id = ?1)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = Vec::new();
    for log in logs.iter().take(limits::WANTS_MAX) {
        let bytes: Option<Vec<u8>> = statement.query_row([log.as_bytes()], |row| row.get(0)).optional()?;
        let proof = bytes.map(|bytes| Proof::decode(&bytes)).transpose();
        found.extend(proof.map_err(|refusal| damaged(format!("a proof: {refusal}")))?);
    }
    Ok(found)
}

/// The operations behind a position that came without words and may still count, in the order of arrival.
pub(super) fn without_words(
    connection: &Connection,
    after: i64,
    now_ms: i64,
    limit: usize,
) -> Result<Vec<(i64, Fingerprint)>, StoreError> {
    let sql = "SELECT position, header FROM operation
               WHERE state = 6 AND position > ?1 AND (expires_at IS NULL OR expires_at > ?2)
               ORDER BY position LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((after, now_ms, i64::try_from(limit).unwrap_or(i64::MAX)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, fingerprint(&row.get::<_, Vec<u8>>(1)?)));
    }
    Ok(found)
}
