//! How far peers have come: what they acknowledged of our own logs, and what follows from it for memories and
//! forgettings.

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::causality::{LogNumber, Place};
use chrysalis_core::id::{LogId, ReplicaKey};
use rusqlite::{Connection, OptionalExtension as _};

use super::states;
use crate::error::StoreError;
use crate::ledger::{State, Tables, damaged};
use crate::store::Store;
use crate::turn::Turn;

/// Peers whose progress is kept: those seen longest ago are let go first, and exchange everything once more.
const PEERS_MAX: i64 = 4_096;

/// Where a memory's own operations are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SyncState {
    /// Here, and no peer was ever met.
    Local,
    /// Some of them were acknowledged by nobody yet.
    Pending,
    /// Others have on disk all that this replica said of it.
    Synced,
}

impl SyncState {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            SyncState::Local => "local",
            SyncState::Pending => "pending",
            SyncState::Synced => "synced",
        }
    }
}

/// How far a memory's own operations have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Where they are.
    pub state: SyncState,
    /// How many peers have acknowledged all of them.
    pub peers: usize,
}

/// Operations of this replica that count, by where they are.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SyncCounts {
    /// Here, and no peer was ever met.
    pub local: u64,
    /// Acknowledged by nobody yet.
    pub pending: u64,
    /// On another replica's disk.
    pub synced: u64,
}

/// Who has acknowledged a forgetting, and who of the known members has not.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Forgetting {
    /// Replicas that have it, this one among them.
    pub acknowledged: BTreeSet<ReplicaKey>,
    /// Replicas that are not known to have it.
    pub missing: BTreeSet<ReplicaKey>,
}

/// The position at which this peer's logs last equalled ours. One that lies ahead is from before a restore.
pub(super) fn agreed(connection: &Connection, peer: &ReplicaKey) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT agreed FROM peer WHERE replica = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let agreed: Option<Option<i64>> = statement.query_row([peer.as_bytes()], |row| row.get(0)).optional()?;
    let now = states::position(connection)?;
    Ok(agreed.flatten().filter(|position| *position <= now).map(i64::unsigned_abs))
}

/// Notes where a peer's logs equalled ours.
pub(super) fn agree(connection: &Connection, peer: &ReplicaKey, position: u64, now_ms: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO peer VALUES(?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET agreed = max(coalesce(agreed, 0), excluded.agreed), seen_at = excluded.seen_at";
    let position = i64::try_from(position).unwrap_or(i64::MAX).min(states::position(connection)?);
    connection.prepare_cached(sql)?.execute((peer.as_bytes(), position, now_ms))?;
    Ok(())
}

/// Notes how much of one of our logs a peer has on disk. More than we have ourselves shows that this store is an old
/// copy.
pub(crate) fn acknowledge(
    connection: &Connection,
    turn: &mut Turn,
    peer: &ReplicaKey,
    log: &LogId,
    count: u64,
    now_ms: i64,
) -> Result<(), StoreError> {
    let tables = turn.views(connection).tables;
    let Some((number, facts, _)) = tables.find_log(log)? else { return Ok(()) };
    if facts.replica != turn.shared().key.public() {
        return Ok(());
    }
    let here = tables.last(number)?.map_or(0, |last| last.sequence + 1);
    if count > here {
        // Which branch it is shows when it comes: until then nothing of ours is acknowledged by it.
        return turn.note_ahead(connection, log, count);
    }
    meet(connection, peer, now_ms)?;
    let sql = "INSERT INTO acknowledged VALUES(?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET count = max(count, excluded.count)";
    connection.prepare_cached(sql)?.execute((number, peer.as_bytes(), count as i64))?;
    Ok(())
}

/// Notes that a peer was met.
pub(crate) fn meet(connection: &Connection, peer: &ReplicaKey, now_ms: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO peer VALUES(?1, NULL, ?2) ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at";
    connection.prepare_cached(sql)?.execute((peer.as_bytes(), now_ms))?;
    Ok(())
}

/// Lets go of peers beyond the bound.
pub(crate) fn forget_oldest(connection: &Connection) -> Result<(), StoreError> {
    let count: i64 = connection.prepare_cached("SELECT count(*) FROM peer")?.query_row([], |row| row.get(0))?;
    if count <= PEERS_MAX {
        return Ok(());
    }
    let sql = "DELETE FROM peer WHERE replica IN (SELECT replica FROM peer ORDER BY seen_at, replica LIMIT ?1)";
    connection.execute(sql, [count - PEERS_MAX])?;
    connection.execute("DELETE FROM acknowledged WHERE peer NOT IN (SELECT replica FROM peer)", [])?;
    Ok(())
}

impl Store {
    /// How far what this replica said of a memory has come. What others said of it came from them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an id that nothing here names; those of the disk.
    pub fn sync_state(&self, id: &str) -> Result<Sent, StoreError> {
        self.read(|connection| {
            let number = self.views(connection).number_of(id)?;
            let number = number.ok_or_else(|| StoreError::NotFound(format!("memory {id:?}")))?;
            let ends = self.own_ends(connection, number)?;
            let met: bool =
                connection.prepare_cached("SELECT EXISTS(SELECT 1 FROM peer)")?.query_row([], |row| row.get(0))?;
            let has_all = |counts: &BTreeMap<LogNumber, u64>| {
                ends.iter().all(|(log, end)| counts.get(log).is_some_and(|count| count >= end))
            };
            let counts = acknowledged(connection)?;
            let peers = counts.values().filter(|counts| has_all(counts)).count();
            let by_anyone = ends
                .iter()
                .all(|(log, end)| counts.values().any(|counts| counts.get(log).is_some_and(|count| count >= end)));
            let state = match (met, by_anyone) {
                (false, _) => SyncState::Local,
                (true, false) => SyncState::Pending,
                (true, true) => SyncState::Synced,
            };
            Ok(Sent { state, peers })
        })
    }

    /// For each own log the place after its last operation that names a memory and counts.
    fn own_ends(&self, connection: &Connection, memory: i64) -> Result<BTreeMap<LogNumber, u64>, StoreError> {
        let sql = "SELECT o.log, max(o.sequence) + 1 FROM operation o JOIN log l ON l.number = o.log
                   WHERE o.memory = ?1 AND l.replica = ?2 AND o.state <> ?3 GROUP BY o.log";
        let mut statement = connection.prepare_cached(sql)?;
        let values = (memory, self.shared.key.public().0, State::Void as u8);
        let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many operations of this replica that count have not been acknowledged by a peer, or by anyone.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn unsent(&self, peer: Option<&ReplicaKey>) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(s.count - min(s.count, coalesce(
                       (SELECT max(a.count) FROM acknowledged a WHERE a.log = l.number AND (?2 IS NULL OR a.peer = ?2)),
                       0))), 0)
                   FROM log l JOIN log_state s ON s.id = l.id WHERE l.replica = ?1";
        self.read(|connection| {
            let values = (self.shared.key.public().0, peer.map(|peer| peer.0));
            let count: i64 = connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// How many operations of this replica count, and how many of them each peer that is remembered has not
    /// acknowledged: one look for all, since a hub asks about a thousand.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn unsent_by_peer(&self) -> Result<(u64, BTreeMap<ReplicaKey, u64>), StoreError> {
        let own = "FROM log l JOIN log_state s ON s.id = l.id";
        let all = format!("SELECT coalesce(sum(s.count), 0) {own} WHERE l.replica = ?1");
        let sql = format!(
            "SELECT a.peer, sum(min(a.count, s.count)) {own} JOIN acknowledged a ON a.log = l.number
             WHERE l.replica = ?1 GROUP BY a.peer"
        );
        let key = self.shared.key.public().0;
        self.read(|connection| {
            let all: i64 = connection.prepare_cached(&all)?.query_row([key], |row| row.get(0))?;
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([key])?;
            let mut by_peer = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let peer = ReplicaKey::from_slice(&row.get::<_, Vec<u8>>(0)?);
                let peer = peer.map_err(|refusal| damaged(refusal.to_string()))?;
                by_peer.insert(peer, all.saturating_sub(row.get(1)?).max(0).unsigned_abs());
            }
            Ok((all.unsigned_abs(), by_peer))
        })
    }

    /// How many operations of this replica are where.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn sync_counts(&self) -> Result<SyncCounts, StoreError> {
        let sql = "SELECT coalesce(sum(s.count), 0), EXISTS(SELECT 1 FROM peer)
                   FROM log l JOIN log_state s ON s.id = l.id WHERE l.replica = ?1";
        let (all, met): (i64, bool) = self.read(|connection| {
            let row = connection
                .prepare_cached(sql)?
                .query_row([self.shared.key.public().0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(row)
        })?;
        // Read later than the rest, so it may know of more: what is acknowledged counts as synced at once.
        let unsent = self.unsent(None)?.min(all.unsigned_abs());
        let synced = all.unsigned_abs() - unsent;
        Ok(if met {
            SyncCounts { local: 0, pending: unsent, synced }
        } else {
            SyncCounts { local: unsent, pending: 0, synced }
        })
    }

    /// Which replicas are known to have erased a forgotten id: by acknowledging the forgetting, or by having said
    /// something after it. The others are those whose logs count here.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the id is not forgotten; those of the disk.
    pub fn forgetting(&self, id: &str) -> Result<Forgetting, StoreError> {
        self.read(|connection| {
            let tables = self.tables(connection);
            let mut statement = connection.prepare_cached("SELECT operation FROM dead WHERE id = ?1")?;
            let positions = statement.query_map([id], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
            if positions.is_empty() {
                return Err(StoreError::NotFound(format!("a forgetting of {id:?}")));
            }
            let mut receipt = Forgetting::default();
            receipt.acknowledged.insert(self.shared.key.public());
            for position in positions {
                receipt.acknowledged.extend(who_has(&tables, position)?);
            }
            let members = members(connection)?;
            receipt.missing = members.difference(&receipt.acknowledged).copied().collect();
            Ok(receipt)
        })
    }
}

/// What each peer has acknowledged of our logs.
fn acknowledged(connection: &Connection) -> Result<BTreeMap<ReplicaKey, BTreeMap<LogNumber, u64>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT peer, log, count FROM acknowledged")?;
    let mut rows = statement.query([])?;
    let mut counts: BTreeMap<ReplicaKey, BTreeMap<LogNumber, u64>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let of_peer = counts.entry(key(row.get(0)?)?).or_default();
        of_peer.insert(row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs());
    }
    Ok(counts)
}

fn key(bytes: Vec<u8>) -> Result<ReplicaKey, StoreError> {
    ReplicaKey::from_slice(&bytes).map_err(|refusal| damaged(refusal.to_string()))
}

/// Replicas with a log that counts and that were not removed.
fn members(connection: &Connection) -> Result<BTreeSet<ReplicaKey>, StoreError> {
    let sql = "SELECT DISTINCT l.replica FROM log l JOIN log_state s ON s.id = l.id AND s.count > 0
               WHERE l.replica NOT IN (SELECT replica FROM removed)";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.map(|bytes| key(bytes?)).collect()
}

/// Replicas that have an operation: its author, who acknowledged it, and who has spoken knowing of it.
fn who_has(tables: &Tables<'_>, position: i64) -> Result<BTreeSet<ReplicaKey>, StoreError> {
    let Some(stored) = tables.at(position)? else { return Ok(BTreeSet::new()) };
    let place = Place { log: stored.log, sequence: stored.operation.header().sequence };
    let mut have = BTreeSet::from([tables.log_facts(place.log)?.1.replica]);
    let values = (place.log, place.sequence as i64);
    for sql in [
        "SELECT peer FROM acknowledged WHERE log = ?1 AND count > ?2",
        "SELECT DISTINCT l.replica FROM step s JOIN log l ON l.number = s.log WHERE s.other = ?1 AND s.known >= ?2",
    ] {
        let mut statement = tables.connection.prepare_cached(sql)?;
        let rows = statement.query_map(values, |row| row.get(0))?;
        for bytes in rows {
            have.insert(key(bytes?)?);
        }
    }
    Ok(have)
}
