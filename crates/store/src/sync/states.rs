//! How far each log stands here: the lines of a summary, kept up while operations are stored.
//!
//! A *position* orders everything that changes these lines. It is the position of the newest operation, shifted, plus a
//! count of the cuts since: cuts move it too, and operations keep the numbers of their arrival.

use chrysalis_core::id::{Fingerprint, LogId};
use chrysalis_core::operation::fingerprint;
use chrysalis_core::sync::replica::{LogState, Tip};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::error::StoreError;
use crate::ledger::{Tables, damaged};

/// Bits of a position that count cuts: a million of them between two operations. More than that share one position.
const CUT_BITS: u32 = 20;

/// The position that a store has right after the operation with this number has arrived.
pub(crate) fn position_of(operation: i64) -> i64 {
    operation << CUT_BITS
}

/// The number of the last operation that had arrived at a position.
pub(crate) fn operation_at(position: i64) -> i64 {
    position >> CUT_BITS
}

/// The present position.
pub(crate) fn position(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT (SELECT coalesce(max(position), 0) FROM operation),
                   (SELECT coalesce(max(changed), 0) FROM log_state)";
    let mut statement = connection.prepare_cached(sql)?;
    let (operation, changed): (i64, i64) = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(position_of(operation).max(changed))
}

/// The position after a cut.
fn next_position(now: i64) -> i64 {
    let next = now + 1;
    if operation_at(next) == operation_at(now) { next } else { now }
}

const COLUMNS: &str = "id, count, tip, proven";

/// A log of which nothing counts and nothing is proven is not spoken of.
const SAID: &str = "(count > 0 OR proven IS NOT NULL)";

fn read(row: &Row<'_>) -> rusqlite::Result<Result<LogState, StoreError>> {
    let (id, tip): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(2)?);
    let (count, proven): (i64, Option<i64>) = (row.get(1)?, row.get(3)?);
    let parse = || {
        Some(LogState {
            log: LogId::from_slice(&id).ok()?,
            count: u64::try_from(count).ok()?,
            tip: Tip(tip.try_into().ok()?),
            cut: proven.map(u64::try_from).transpose().ok()?,
        })
    };
    Ok(parse().ok_or_else(|| damaged("what is kept of how far a log stands can't be read")))
}

fn list(connection: &Connection, condition: &str, value: i64) -> Result<Vec<LogState>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM log_state WHERE {SAID} AND {condition} ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([value], read)?;
    rows.map(|row| row?).collect()
}

/// All of them, sorted.
pub(crate) fn all(connection: &Connection) -> Result<Vec<LogState>, StoreError> {
    list(connection, "?1 = 0", 0)
}

/// Those that changed after a position, sorted.
pub(crate) fn since(connection: &Connection, position: i64) -> Result<Vec<LogState>, StoreError> {
    list(connection, "changed > ?1", position)
}

/// That of one log.
pub(crate) fn of_log(connection: &Connection, log: &LogId) -> Result<Option<LogState>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM log_state WHERE id = ?1 AND {SAID}");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row([log.as_bytes()], read).optional()?.transpose()
}

/// Notes that a log now ends, so far as it counts, in this operation.
pub(crate) fn grow(
    connection: &Connection,
    log: &LogId,
    sequence: u64,
    last: &Fingerprint,
    operation: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO log_state VALUES(?1, ?2, ?3, NULL, ?4) ON CONFLICT DO UPDATE
                   SET count = excluded.count, tip = excluded.tip, changed = excluded.changed";
    let values = (log.as_bytes(), sequence as i64 + 1, Tip::of(last).0, position_of(operation));
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// What the ground says of a log: its state, and the number of its last operation that counts.
pub(crate) struct Made {
    pub(crate) state: LogState,
    pub(crate) last: Option<i64>,
    pub(crate) is_cut: bool,
}

/// Reads from the ground how far each log stands, or one of them.
pub(crate) fn made(connection: &Connection, log: Option<&LogId>) -> Result<Vec<Made>, StoreError> {
    let sql = "SELECT l.id, l.cut, p.sequence,
                   (SELECT max(o.sequence) FROM operation o WHERE o.log = l.number
                    AND o.sequence < coalesce(l.cut, 9223372036854775807)), l.number
               FROM log l LEFT JOIN proof p ON p.log = l.number WHERE ?1 IS NULL OR l.id = ?1";
    let sql = if log.is_some() { sql.replace("?1 IS NULL OR ", "") } else { sql.to_owned() };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([log.map(LogId::as_bytes)])?;
    let mut made = Vec::new();
    while let Some(row) = rows.next()? {
        let cut: Option<i64> = row.get(1)?;
        let (proven, last): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
        let end = match last {
            Some(last) => end_of(connection, row.get(4)?, last)?,
            None => None,
        };
        let id: Vec<u8> = row.get(0)?;
        let state = LogState {
            log: LogId::from_slice(&id).map_err(|refusal| damaged(refusal.to_string()))?,
            count: last.map_or(0, |last| last.unsigned_abs() + 1),
            tip: end.map_or(Tip::default(), |(_, tip)| tip),
            cut: proven.map(i64::unsigned_abs),
        };
        made.push(Made { state, last: end.map(|(position, _)| position), is_cut: cut.is_some() });
    }
    Ok(made)
}

fn end_of(connection: &Connection, number: u32, sequence: i64) -> Result<Option<(i64, Tip)>, StoreError> {
    let sql = "SELECT position, header FROM operation WHERE log = ?1 AND sequence = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?));
    let found = statement.query_row((number, sequence), read).optional()?;
    Ok(found.map(|(position, header)| (position, Tip::of(&fingerprint(&header)))))
}

/// Logs of which nothing counts and nothing is proven have a row too, so that the position never falls back.
fn write(connection: &Connection, made: &Made, changed: i64) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO log_state VALUES(?1, ?2, ?3, ?4, ?5)";
    let state = &made.state;
    let cut = state.cut.map(|cut| cut as i64);
    let values = (state.log.as_bytes(), state.count as i64, state.tip.0, cut, changed);
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Makes them all from the ground; `before` is the position that the store had. Of a log that was cut nobody remembers
/// when: it counts as changed just now.
pub(crate) fn make_all(connection: &Connection, before: i64) -> Result<(), StoreError> {
    let made = made(connection, None)?;
    let (cut, whole): (Vec<Made>, Vec<Made>) = made.into_iter().partition(|made| made.is_cut);
    for made in &whole {
        write(connection, made, position_of(made.last.unwrap_or(0)))?;
    }
    let now = next_position(position(connection)?.max(before));
    cut.iter().try_for_each(|made| write(connection, made, now))
}

impl Tables<'_> {
    /// Notes that something other than a new operation changed how far a log stands: a proof, or a removal.
    pub(crate) fn note_cut(&self, log: &LogId) -> Result<(), StoreError> {
        let now = next_position(position(self.connection)?);
        made(self.connection, Some(log))?.iter().try_for_each(|made| write(self.connection, made, now))
    }
}
