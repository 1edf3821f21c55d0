//! Words of void branches, kept for who signed them: after a restored backup only the peers may have them.
//!
//! They count nowhere and are shown to nobody. Forgetting and expiry reach them like all words. They go when their
//! author has said them again, and after a while in any case.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::causality::LogNumber;
use chrysalis_core::id::{Fingerprint, LogId};
use chrysalis_core::operation::fingerprint;
use chrysalis_core::payload::{Change, Payload};
use chrysalis_core::sync::replica::Segment;
use rusqlite::{Connection, Row};

use crate::error::StoreError;
use crate::ledger::{State, Tables};
use crate::segments::Segments;

use super::Views;

/// Milliseconds after the cut in which an author may fetch the words: 30 days, as long as a restored machine may stay
/// away.
const KEPT_MS: i64 = 30 * 24 * 3600 * 1000;

/// Bytes kept of one log: what is said between a backup and its restore is far less.
const LOG_BYTES_MAX: i64 = 1 << 20;

/// Bytes kept of all logs: whoever makes keys and forks without end fills this and no more.
const BYTES_MAX: i64 = 16 << 20;

/// What the keys of `meta` begin with that say since when words of a void branch are kept, by log.
pub(crate) const KEY: &str = "void:";

/// What is kept: proven void, with words. What opens a log keeps its own always.
const KEPT: &str = "FROM operation o JOIN proof p ON p.log = o.log
    WHERE o.sequence >= p.sequence AND o.state = 4 AND o.kind <> 0 AND o.payload IS NOT NULL";

impl Views<'_> {
    /// Keeps the words of a log that was cut here, as far as there is room, first ones first; the others go.
    pub(super) fn keep_words(&self, id: &LogId, log: LogNumber, cut: u64) -> Result<(), StoreError> {
        self.drop_said_again()?;
        let sql = format!("SELECT coalesce(sum(length(o.payload)), 0) {KEPT} AND o.log <> ?1");
        let elsewhere: i64 = self.connection().query_row(&sql, [log], |row| row.get(0))?;
        let room = LOG_BYTES_MAX.min(BYTES_MAX - elsewhere);
        let sql = "SELECT position, length(payload) FROM operation
                   WHERE log = ?1 AND sequence >= ?2 AND kind <> 0 AND payload IS NOT NULL ORDER BY sequence";
        let mut statement = self.connection().prepare(sql)?;
        let rows = statement.query_map((log, cut as i64), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows = rows.collect::<Result<Vec<(i64, i64)>, _>>()?;
        let mut bytes = 0;
        for (position, length) in &rows {
            bytes += length;
            if bytes > room {
                self.erase(*position, State::Void)?;
            }
        }
        if !rows.is_empty() {
            let sql = "INSERT OR IGNORE INTO meta VALUES(?1, ?2)";
            self.connection().execute(sql, (key_of(id), (self.now_ms as i64).to_be_bytes()))?;
        }
        Ok(())
    }

    /// Lets go of what was said again, and of what was kept for long enough.
    pub(crate) fn drop_kept(&self) -> Result<(), StoreError> {
        self.drop_said_again()?;
        let sql = "SELECT key FROM meta WHERE key >= ?1 AND key < ?2 AND value <= ?3";
        let mut statement = self.connection().prepare(sql)?;
        let keys = statement.query_map((KEY, END, over_at(self.now_ms as i64)), |row| row.get(0))?;
        for key in keys.collect::<Result<Vec<String>, _>>()? {
            let sql = format!("SELECT o.position {KEPT} AND o.log = (SELECT number FROM log WHERE hex(id) = ?1)");
            let mut statement = self.connection().prepare(&sql)?;
            let kept = statement.query_map([&key[KEY.len()..]], |row| row.get(0))?;
            for position in kept.collect::<Result<Vec<i64>, _>>()? {
                self.erase(position, State::Void)?;
            }
            self.connection().execute("DELETE FROM meta WHERE key = ?1", [key])?;
        }
        self.drop_idle_numbers()
    }

    /// An author who says words again names their first operation: they need be kept no longer.
    fn drop_said_again(&self) -> Result<(), StoreError> {
        let sql = format!("SELECT o.position, o.memory, l.replica, o.header {KEPT}")
            .replace("WHERE", "JOIN log l ON l.number = o.log WHERE o.memory IS NOT NULL AND");
        let mut statement = self.connection().prepare(&sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let mut named: BTreeMap<i64, BTreeSet<(Vec<u8>, Fingerprint)>> = BTreeMap::new();
        for (position, memory, replica, header) in rows.collect::<Result<Vec<(i64, i64, Vec<u8>, Vec<u8>)>, _>>()? {
            if let Entry::Vacant(vacant) = named.entry(memory) {
                vacant.insert(self.named_in(memory)?);
            }
            let original = (replica, fingerprint(&header));
            if named.get(&memory).is_some_and(|named| named.contains(&original)) {
                self.erase(position, State::Void)?;
            }
        }
        Ok(())
    }

    /// What the writes of a memory that count name, each with its author's key.
    fn named_in(&self, memory: i64) -> Result<BTreeSet<(Vec<u8>, Fingerprint)>, StoreError> {
        let mut named = BTreeSet::new();
        for stored in self.tables.of_memory(memory)? {
            let (State::Live, Some(body)) = (stored.state, stored.operation.body()) else { continue };
            let Ok(Payload::Write(write)) = Payload::decode(stored.operation.header().kind, &body.payload) else {
                continue;
            };
            let author = self.tables.log_facts(stored.log)?.1.replica;
            let names = write.changes.iter().flat_map(names_of);
            named.extend(names.map(|name| (author.0.to_vec(), *name)));
        }
        Ok(named)
    }
}

fn names_of(change: &Change) -> &[Fingerprint] {
    match change {
        Change::Register { replaces, .. } | Change::Metadata { replaces, .. } => replaces,
        Change::RemoveTag { adds, .. } => adds,
        _ => &[],
    }
}

/// The first key after those of kept words.
const END: &str = "void;";

fn key_of(id: &LogId) -> String {
    let hex: String = id.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
    format!("{KEY}{hex}")
}

/// What was cut then or before is over.
fn over_at(now_ms: i64) -> [u8; 8] {
    now_ms.saturating_sub(KEPT_MS).max(0).to_be_bytes()
}

/// Whether words of void branches are kept here: then they have to be looked after.
pub(crate) fn is_any_kept(connection: &Connection) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM meta WHERE key >= ?1 AND key < ?2")?;
    Ok(statement.exists((KEY, END))?)
}

/// Void segments of a log as far as their words are kept here, from a place on: for who signed them.
pub(crate) fn void_words(
    tables: &Tables<'_>,
    id: &LogId,
    from: u64,
    bytes_max: usize,
) -> Result<Vec<Segment>, StoreError> {
    let sql =
        format!("SELECT o.log, max(o.sequence), p.sequence {KEPT} AND o.log = (SELECT number FROM log WHERE id = ?1)");
    let mut statement = tables.connection.prepare_cached(&sql)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (Some(log), Some(last), Some(cut)) = statement.query_row([id.as_bytes()], read)? else { return Ok(Vec::new()) };
    let (last, cut): (i64, i64) = (last, cut);
    let places: (LogNumber, u64, u64) = (log, from.max(cut.unsigned_abs()), last.unsigned_abs() + 1);
    Segments::of(tables, [places])?.take(bytes_max)
}
