//! What a store keeps beside its log, read out of a damaged database and taken over into the new one.
//!
//! Nobody has it but this store, and no operation says it: open invitations, addresses of other replicas, and how far
//! those have come. What can't be read is named, with what to do about it.

use std::collections::BTreeMap;

use chrysalis_core::id::{LogId, ReplicaKey};
use chrysalis_core::member::{Invitation, Space};
use rusqlite::{Connection, Row};

use super::Finding;
use crate::error::StoreError;
use crate::invitations::{self, note};
use crate::peers::{self, keep_peers};
use crate::store::Store;
use crate::sync::{acknowledge, forget_oldest, meet};
use crate::turn::Turn;
use crate::view::KEPT_WORDS;

/// What is made of one row of a table.
type Take<'a, T> = &'a dyn Fn(&Row<'_>) -> rusqlite::Result<T>;

/// What could be read.
#[derive(Default)]
pub(super) struct Beside {
    values: BTreeMap<String, Vec<u8>>,
    met: BTreeMap<ReplicaKey, i64>,
    acknowledged: Vec<(LogId, ReplicaKey, u64)>,
    /// Whether each of the two kinds was read to its end.
    all_values: bool,
    all_progress: bool,
}

/// What was taken over.
#[derive(Default)]
struct Counts {
    invitations: usize,
    addresses: usize,
    met: usize,
}

impl Beside {
    /// Reads the tables from both ends, each way with a connection of its own.
    pub(super) fn read(open: impl Fn() -> Result<Connection, StoreError>) -> Self {
        let mut beside = Self::default();
        let values: (Vec<(String, Vec<u8>)>, bool) =
            rows(&open, "meta", "key, value FROM meta ORDER BY key #", &|row| Ok((row.get(0)?, row.get(1)?)));
        beside.all_values = values.1;
        beside.values.extend(values.0);
        let met = rows(&open, "peer", "replica, seen_at FROM peer ORDER BY replica #", &|row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?))
        });
        let named = |(key, seen_at): (Vec<u8>, i64)| Some((ReplicaKey::from_slice(&key).ok()?, seen_at));
        beside.met.extend(met.0.into_iter().filter_map(named));
        let sql = "l.id, a.peer, a.count FROM acknowledged a JOIN log l ON l.number = a.log ORDER BY a.log #, a.peer #";
        let acknowledged = rows(&open, "acknowledged", sql, &|row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
        });
        let named = |(log, peer, count): (Vec<u8>, Vec<u8>, i64)| {
            Some((LogId::from_slice(&log).ok()?, ReplicaKey::from_slice(&peer).ok()?, u64::try_from(count).ok()?))
        };
        beside.acknowledged.extend(acknowledged.0.into_iter().filter_map(named));
        beside.all_progress = met.1 && acknowledged.1;
        beside
    }

    /// Takes what was found in the pages, where SQLite did not read to the end: elsewhere it would bring back what was
    /// dropped.
    pub(super) fn add(&mut self, carved: Vec<(String, Vec<u8>)>) {
        if !self.all_values {
            for (key, value) in carved {
                self.values.entry(key).or_insert(value);
            }
        }
    }

    /// The space that the store kept.
    pub(super) fn space(&self) -> Option<Space> {
        self.values.get("space").and_then(|bytes| Space::decode(bytes).ok())
    }

    /// Takes it over into a store that has the operations already, and tells what was and what was not.
    pub(super) fn take_over(self, store: &Store) -> Result<Vec<Finding>, StoreError> {
        let had_words = self.values.keys().any(|key| key.starts_with(KEPT_WORDS));
        let (all_values, all_progress, closed) = (self.all_values, self.all_progress, store.is_closed());
        let counts = store.writer.run(move |connection, turn| self.write(connection, turn))?;
        let mut findings = Vec::new();
        findings.extend(counts.told().map(|what| Finding::ok("beside_kept", FILE, what)));
        let mut lost = |what: &str| findings.push(Finding::warning("beside_lost", FILE, what));
        if !all_values && closed {
            lost(
                "open invitations could not all be read: whoever has such a token can join until it ends; take it \
                 back by the token itself",
            );
        }
        if !all_values {
            lost(
                "addresses of other replicas could not all be read: look through them, and add those that are missing",
            );
        }
        if !all_progress {
            lost(
                "how far other replicas have come could not all be read: each is compared with once in full, and what \
                 it has is known again then",
            );
        }
        if had_words {
            lost("words that were kept for the authors of forked logs were let go");
        }
        Ok(findings)
    }

    fn write(self, connection: &Connection, turn: &mut Turn) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        let shared = turn.shared();
        let (own, space, now_ms) = (shared.key.public(), shared.space.id(), (shared.clock)());
        for (key, value) in &self.values {
            let Some(Ok(invitation)) = invitations::is_key(key).then(|| Invitation::decode(value)) else { continue };
            if invitation.is_signed_by(&own, &space) {
                note(connection, &invitation, now_ms)?;
                counts.invitations += 1;
            }
        }
        for address in self.values.get(peers::KEY).and_then(|bytes| peers::decode(bytes).ok()).unwrap_or_default() {
            // One that a later version refuses is left out, and the others stay.
            counts.addresses += keep_peers(connection, &[address]).unwrap_or(0);
        }
        counts.met = self.met.len();
        for (peer, seen_at) in &self.met {
            meet(connection, peer, *seen_at)?;
        }
        for (log, peer, count) in &self.acknowledged {
            let seen_at = self.met.get(peer).copied().unwrap_or(0);
            acknowledge(connection, turn, peer, log, *count, seen_at)?;
        }
        forget_oldest(connection)?;
        Ok(counts)
    }
}

const FILE: &str = "chrysalis.db";

impl Counts {
    /// What was taken over, in words; none when there was nothing.
    fn told(&self) -> Option<String> {
        let kinds = [
            (self.invitations, "open invitation", "open invitations"),
            (self.addresses, "address of another replica", "addresses of other replicas"),
            (self.met, "replica's progress", "replicas' progress"),
        ];
        let named = |(count, one, more): &(usize, &str, &str)| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {more}")),
        };
        let told: Vec<String> = kinds.iter().filter_map(named).collect();
        (!told.is_empty()).then(|| format!("taken over from beside the log: {}", told.join(", ")))
    }
}

/// The rows of a table from its beginning up to a fault, then from its end; and whether there was no fault. `sql` has a
/// `#` for the direction. A table that an older version did not have is empty.
fn rows<T>(
    open: &dyn Fn() -> Result<Connection, StoreError>,
    table: &str,
    sql: &str,
    take: Take<'_, T>,
) -> (Vec<T>, bool) {
    let mut found = Vec::new();
    for direction in ["ASC", "DESC"] {
        let sql = format!("SELECT {}", sql.replace('#', direction));
        if open().and_then(|connection| read_through(&connection, table, &sql, take, &mut found)).is_ok() {
            return (found, true);
        }
    }
    (found, false)
}

fn read_through<T>(
    connection: &Connection,
    table: &str,
    sql: &str,
    take: Take<'_, T>,
    found: &mut Vec<T>,
) -> Result<(), StoreError> {
    let has_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
    if !connection.prepare(has_table)?.exists([table])? {
        return Ok(());
    }
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // A single value of another kind is passed over; its neighbours are read.
        found.extend(take(row).ok());
    }
    Ok(())
}
