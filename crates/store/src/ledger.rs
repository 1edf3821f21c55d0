//! The log tables: appending verified operations and answering what admission asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrysalis_core::admit::{Known, Ledger, LogFacts, Verified};
use chrysalis_core::causality::{LogNumber, Place, Steps, learn, news_of};
use chrysalis_core::fork::Branch;
use chrysalis_core::id::{Epoch, Fingerprint, LogId, ReplicaKey, Salt, Signature, SpaceId};
use chrysalis_core::limits;
use chrysalis_core::log::{Head, Last};
use chrysalis_core::member::Role;
use chrysalis_core::operation::{Body, Header, Kind, Operation, fingerprint};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::connection::Held;
use crate::error::StoreError;

/// What became of an operation's effect. The numbers are the file format's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// It counts.
    Live = 0,
    /// Its payload says nothing that decodes, or nothing that it may say.
    Idle = 1,
    /// Its memory was forgotten: the payload is gone.
    Forgotten = 2,
    /// Its time is over: the payload is gone.
    Expired = 3,
    /// It stands after a fork or after its author's removal.
    Void = 4,
    /// It comes from the future: its effect waits.
    Embargoed = 5,
    /// Its payload never arrived.
    Absent = 6,
}

impl State {
    const ALL: [State; 7] =
        [State::Live, State::Idle, State::Forgotten, State::Expired, State::Void, State::Embargoed, State::Absent];

    pub(crate) fn from_number(number: i64) -> Result<Self, StoreError> {
        let known = usize::try_from(number).ok().and_then(|number| Self::ALL.get(number));
        known.copied().ok_or_else(|| damaged("an operation is in no known state"))
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Idle => "idle",
            State::Forgotten => "forgotten",
            State::Expired => "expired",
            State::Void => "void",
            State::Embargoed => "embargoed",
            State::Absent => "absent",
        }
    }
}

pub(crate) fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::corrupt(std::path::Path::new(""), what)
}

/// An operation as it lies in the table.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Order of arrival.
    pub position: i64,
    /// The dense number of its log.
    pub log: LogNumber,
    /// What became of its effect.
    pub state: State,
    /// Whether its own signature was checked.
    pub checked: bool,
    /// The memory it names.
    pub memory: Option<i64>,
    /// The operation itself.
    pub operation: Operation,
}

/// Columns that [`Stored::read`] takes, in its order.
pub(crate) const STORED: &str = "position, log, state, checked, memory, header, signature, salt, payload";

/// The parts of a stored operation before they were found consistent.
pub(crate) struct RawOperation {
    pub(crate) position: i64,
    pub(crate) log: LogNumber,
    pub(crate) state: i64,
    pub(crate) checked: bool,
    pub(crate) memory: Option<i64>,
    pub(crate) header: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
}

impl RawOperation {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            position: row.get(0)?,
            log: row.get(1)?,
            state: row.get(2)?,
            checked: row.get(3)?,
            memory: row.get(4)?,
            header: row.get(5)?,
            signature: row.get(6)?,
            salt: row.get(7)?,
            payload: row.get(8)?,
        })
    }

    /// Salt and payload, when both are there.
    pub(crate) fn body(&self) -> chrysalis_core::Result<Option<Body>> {
        match (&self.salt, &self.payload) {
            (Some(salt), Some(payload)) => {
                Ok(Some(Body { salt: Salt::from_slice(salt)?, payload: payload.as_slice().into() }))
            }
            _ => Ok(None),
        }
    }

    /// Checks header, commitment and shape; the signature is not looked at.
    pub(crate) fn parse(self) -> Result<Stored, StoreError> {
        let position = self.position;
        let wrong = |refusal| damaged(format!("operation at position {position}: {refusal}"));
        let body = self.body().map_err(wrong)?;
        let signature = Signature::from_slice(&self.signature).map_err(wrong)?;
        let operation = Operation::from_parts(&self.header, signature, body).map_err(wrong)?;
        let state = State::from_number(self.state)?;
        Ok(Stored { position, log: self.log, state, checked: self.checked, memory: self.memory, operation })
    }
}

/// The log tables, through one connection.
pub struct Tables<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) space: SpaceId,
}

/// First eight bytes of a fingerprint, as SQLite's integer: a short key for the index.
pub(crate) fn mark(fingerprint: &Fingerprint) -> i64 {
    let mut first = [0; 8];
    first.copy_from_slice(&fingerprint.as_bytes()[..8]);
    i64::from_be_bytes(first)
}

impl<'a> Tables<'a> {
    /// Where a fingerprint stands, if it stands in a first branch.
    pub fn place(&self, wanted: &Fingerprint) -> Result<Option<(Place, i64)>, StoreError> {
        let sql = "SELECT log, sequence, position, header FROM operation WHERE mark = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([mark(wanted)])?;
        while let Some(row) = rows.next()? {
            if fingerprint(row.get_ref(3)?.as_blob().map_err(|_| damaged("a header is no blob"))?) == *wanted {
                let place = Place { log: row.get(0)?, sequence: sequence(row.get(1)?)? };
                return Ok(Some((place, row.get(2)?)));
            }
        }
        Ok(None)
    }

    /// The log of an operation and its hybrid time, whichever branch it stands in: what follows from a header must not
    /// depend on which branch came first.
    pub(crate) fn origin(&self, wanted: &Fingerprint) -> Result<Option<(LogNumber, u64)>, StoreError> {
        if let Some(stored) = self.stored(wanted)? {
            return Ok(Some((stored.log, stored.operation.header().hybrid_ms)));
        }
        Ok(self.void_header(wanted)?.map(|(log, header)| (log, header.hybrid_ms)))
    }

    /// Whether an operation has had its effect, or never will: what it wrote need not be remembered as replaced. One of
    /// another branch is void, and words that never came and whose time is over don't come any more.
    pub fn is_settled(&self, wanted: &Fingerprint, now_ms: u64) -> Result<bool, StoreError> {
        let Some(stored) = self.stored(wanted)? else {
            let mut statement = self.connection.prepare_cached("SELECT 1 FROM void_header WHERE fingerprint = ?1")?;
            return Ok(statement.exists([wanted.as_bytes()])?);
        };
        Ok(match stored.state {
            State::Embargoed => false,
            State::Absent => stored.operation.header().expires_ms.is_some_and(|at| at <= now_ms),
            _ => true,
        })
    }

    /// Whether an operation stands here without words that it could still be given.
    pub(crate) fn lacks_words(&self, position: i64) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT state FROM operation WHERE position = ?1")?;
        let state: Option<i64> = statement.query_row([position], |row| row.get(0)).optional()?;
        let state = state.map(State::from_number).transpose()?;
        Ok(state.is_some_and(|state| matches!(state, State::Absent | State::Forgotten)))
    }

    /// The stored operation with this fingerprint.
    pub fn stored(&self, wanted: &Fingerprint) -> Result<Option<Stored>, StoreError> {
        match self.place(wanted)? {
            Some((_, position)) => self.at(position),
            None => Ok(None),
        }
    }

    /// The stored operation at this position.
    pub fn at(&self, position: i64) -> Result<Option<Stored>, StoreError> {
        let sql = format!("SELECT {STORED} FROM operation WHERE position = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_row([position], RawOperation::read).optional()?.map(RawOperation::parse).transpose()
    }

    /// From which place on a proof of misbehaviour makes a log void.
    pub(crate) fn proven(&self, number: LogNumber) -> Result<Option<u64>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT sequence FROM proof WHERE log = ?1")?;
        let proven: Option<i64> = statement.query_row([number], |row| row.get(0)).optional()?;
        proven.map(sequence).transpose()
    }

    /// The operation that opens this log.
    pub fn opening(&self, number: LogNumber) -> Result<Option<Stored>, StoreError> {
        let sql = format!("SELECT {STORED} FROM operation WHERE log = ?1 AND sequence = 0");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_row([number], RawOperation::read).optional()?.map(RawOperation::parse).transpose()
    }

    /// The operations that name a memory, in order of arrival.
    pub fn of_memory(&self, memory: i64) -> Result<Vec<Stored>, StoreError> {
        let sql = format!("SELECT {STORED} FROM operation WHERE memory = ?1 ORDER BY position");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([memory], RawOperation::read)?;
        rows.map(|row| row?.parse()).collect()
    }

    /// Id and facts of the log with this number.
    pub fn log_facts(&self, number: LogNumber) -> Result<(LogId, LogFacts), StoreError> {
        let sql = "SELECT id, replica, epoch, role FROM log WHERE number = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row([number], read_log).optional()?;
        found.ok_or_else(|| damaged("an operation belongs to no log"))?
    }

    /// The number of a log, its facts, and the place from which it is void.
    pub fn find_log(&self, id: &LogId) -> Result<Option<(LogNumber, LogFacts, Option<u64>)>, StoreError> {
        let sql = "SELECT id, replica, epoch, role, number, cut FROM log WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| Ok((read_log(row)?, row.get(4)?, row.get::<_, Option<i64>>(5)?));
        let Some((log, number, cut)) = statement.query_row([id.as_bytes()], read).optional()? else {
            return Ok(None);
        };
        Ok(Some((number, log?.1, cut.map(sequence).transpose()?)))
    }

    /// The end of a log's first branch.
    pub fn last(&self, number: LogNumber) -> Result<Option<Last>, StoreError> {
        let sql = "SELECT header FROM operation WHERE log = ?1 ORDER BY sequence DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let header: Option<Vec<u8>> = statement.query_row([number], |row| row.get(0)).optional()?;
        let Some(bytes) = header else { return Ok(None) };
        let header = Header::decode(&bytes).map_err(|refusal| damaged(format!("the head of a log: {refusal}")))?;
        Ok(Some(Last {
            fingerprint: fingerprint(&bytes),
            sequence: header.sequence,
            lamport: header.lamport,
            hybrid_ms: header.hybrid_ms,
        }))
    }

    /// The log that this store writes, by number, with its head.
    pub fn own_head(&self) -> Result<Option<(LogNumber, Head)>, StoreError> {
        let sql = "SELECT id, replica, epoch, role, number FROM log WHERE own = 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row([], |row| Ok((read_log(row)?, row.get(4)?))).optional()?;
        let Some((log, number)) = found else { return Ok(None) };
        let (id, facts) = log?;
        Ok(Some((number, Head { log: id, facts, last: self.last(number)? })))
    }

    /// The newest heads of other logs that the own log has not named yet: the next operation's dependencies.
    pub fn unseen_heads(&self) -> Result<Vec<(Fingerprint, u64)>, StoreError> {
        let sql = "SELECT o.header FROM unseen u JOIN operation o ON o.position = u.position
                   ORDER BY u.position DESC LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let headers = statement.query_map([limits::DEPENDENCIES_MAX as i64], |row| row.get::<_, Vec<u8>>(0))?;
        headers
            .map(|bytes| {
                let bytes = bytes?;
                let header = Header::decode(&bytes).map_err(|refusal| damaged(refusal.to_string()))?;
                Ok((fingerprint(&bytes), header.lamport))
            })
            .collect()
    }

    /// Notes a log, by the operation that opens it.
    pub fn insert_log(&self, id: &LogId, facts: &LogFacts, own: bool) -> Result<LogNumber, StoreError> {
        let sql = "INSERT INTO log(id, replica, epoch, role, own) VALUES(?1, ?2, ?3, ?4, ?5) RETURNING number";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = (id.as_bytes(), facts.replica.as_bytes(), facts.epoch.as_bytes(), facts.role as u8, own);
        Ok(statement.query_row(values, |row| row.get(0))?)
    }

    /// Appends an operation to its log and notes what its log knows through it. Returns its position.
    pub(crate) fn append(
        &self,
        insert: &Held<'a>,
        verified: &Verified,
        (log, own): (LogNumber, bool),
        state: State,
        memory: Option<i64>,
    ) -> Result<i64, StoreError> {
        let operation = verified.operation();
        let header = operation.header();
        // What opens a log is no memory's words: others need it to admit the log, void or not.
        let keeps = match state {
            State::Live | State::Embargoed => true,
            // A removal can be taken back by a more senior one; a proof can't.
            State::Void => self.proven(log)?.is_none_or(|proven| header.sequence < proven),
            _ => false,
        };
        let keeps = keeps || header.kind == Kind::Open;
        let body = operation.body().filter(|_| keeps);
        let sql =
            "INSERT INTO operation(mark, log, sequence, kind, state, checked, memory, expires_at, header, signature,
                       salt, payload)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let values = (
            mark(&operation.fingerprint()),
            log,
            header.sequence as i64,
            header.kind as u8,
            state as u8,
            verified.signature_checked(),
            memory,
            header.expires_ms.map(|at| at as i64),
            operation.header_bytes(),
            operation.signature().as_bytes(),
            body.map(|body| body.salt.as_bytes()),
            body.map(|body| &body.payload[..]),
        );
        insert.run(self.connection, sql, |statement| statement.execute(values))?;
        let position = self.connection.last_insert_rowid();
        self.note_steps(header, log, own)?;
        Ok(position)
    }

    /// Notes that the own log has not named the newest operation of another one yet; unless it knows so much of that log
    /// already, from a branch of it that stands here as headers alone.
    pub(crate) fn note_unseen(&self, log: LogNumber, sequence: u64, position: i64) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO unseen SELECT ?1, ?2, ?3
                   WHERE coalesce((SELECT known FROM step WHERE log = (SELECT number FROM log WHERE own = 1)
                                       AND other = ?1 ORDER BY sequence DESC LIMIT 1), -1) < ?2";
        self.connection.prepare_cached(sql)?.execute((log, sequence as i64, position))?;
        Ok(())
    }

    /// Notes what a log knows through an operation; what the own one has named is no longer unseen.
    pub(crate) fn note_steps(&self, header: &Header, log: LogNumber, own: bool) -> Result<(), StoreError> {
        if header.dependencies.is_empty() {
            return Ok(());
        }
        let past = self.past_of(&header.dependencies)?;
        let place = Place { log, sequence: header.sequence };
        let mut insert = self.connection.prepare_cached("INSERT INTO step VALUES(?1, ?2, ?3, ?4)")?;
        let mut seen = self.connection.prepare_cached("DELETE FROM unseen WHERE log = ?1 AND sequence <= ?2")?;
        for (other, known) in news_of(self, place, past)? {
            insert.execute((log, other, header.sequence as i64, known as i64))?;
            if own {
                seen.execute((other, known as i64))?;
            }
        }
        Ok(())
    }

    /// How far operations and all that happened before them reach in each log. What stands here as a void header alone
    /// stands in another store's first branch, and must tell both the same.
    pub(crate) fn past_of(&self, operations: &[Fingerprint]) -> Result<BTreeMap<LogNumber, u64>, StoreError> {
        let (mut past, mut seen, mut left) = (BTreeMap::new(), BTreeSet::new(), operations.to_vec());
        while let Some(next) = left.pop() {
            if let Some((place, _)) = self.place(&next)? {
                let known = self.vector_at(place)?;
                known.into_iter().for_each(|(log, sequence)| learn(&mut past, log, sequence));
            } else if seen.insert(next)
                && let Some((log, header)) = self.void_header(&next)?
            {
                learn(&mut past, log, header.sequence);
                left.extend(header.back.into_iter().chain(header.dependencies));
            }
        }
        Ok(past)
    }

    /// The header of an operation of a branch other than the first, and its log.
    fn void_header(&self, wanted: &Fingerprint) -> Result<Option<(LogNumber, Header)>, StoreError> {
        let sql = "SELECT log, header FROM void_header WHERE fingerprint = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?));
        let Some((log, bytes)) = statement.query_row([wanted.as_bytes()], read).optional()? else { return Ok(None) };
        let header = Header::decode(&bytes).map_err(|refusal| damaged(format!("a void header: {refusal}")))?;
        Ok(Some((log, header)))
    }

    /// The number of the log that this store writes.
    pub(crate) fn own_number(&self) -> Result<Option<LogNumber>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT number FROM log WHERE own = 1")?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?)
    }
}

fn read_log(row: &Row<'_>) -> rusqlite::Result<Result<(LogId, LogFacts), StoreError>> {
    let (id, replica, epoch): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let role: i64 = row.get(3)?;
    let parse = || {
        let facts = LogFacts {
            replica: ReplicaKey::from_slice(&replica)?,
            epoch: Epoch::from_slice(&epoch)?,
            role: Role::from_number(role.unsigned_abs())?,
        };
        Ok((LogId::from_slice(&id)?, facts))
    };
    Ok(parse().map_err(|refusal: chrysalis_core::Refusal| damaged(format!("a log: {refusal}"))))
}

fn sequence(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| damaged("a sequence number is negative"))
}

impl Ledger for Tables<'_> {
    type Error = StoreError;

    fn space(&self) -> SpaceId {
        self.space
    }

    fn log(&self, log: &LogId) -> Result<Option<LogFacts>, StoreError> {
        Ok(self.find_log(log)?.map(|(_, facts, _)| facts))
    }

    fn known(&self, wanted: &Fingerprint) -> Result<Option<Known>, StoreError> {
        // The header alone: salt and payload need not be read, nor their digest taken.
        let mut statement = self.connection.prepare_cached("SELECT header FROM operation WHERE mark = ?1")?;
        let mut rows = statement.query([mark(wanted)])?;
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(0)?.as_blob().map_err(|_| damaged("a header is no blob"))?;
            if fingerprint(bytes) == *wanted {
                let header = Header::decode(bytes).map_err(|refusal| damaged(refusal.to_string()))?;
                return Ok(Some(Known { log: header.log, sequence: header.sequence, lamport: header.lamport }));
            }
        }
        let sql = "SELECT log, sequence, lamport FROM void_header WHERE fingerprint = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let Some((log, place, lamport)) = statement.query_row([wanted.as_bytes()], read).optional()? else {
            return Ok(None);
        };
        let (log, _) = self.log_facts(log)?;
        Ok(Some(Known { log, sequence: sequence(place)?, lamport: sequence(lamport)? }))
    }

    fn standing_at(&self, log: &LogId, place: u64) -> Result<Option<Fingerprint>, StoreError> {
        let sql = "SELECT header FROM operation WHERE log = (SELECT number FROM log WHERE id = ?1) AND sequence = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let header: Option<Vec<u8>> =
            statement.query_row((log.as_bytes(), place as i64), |row| row.get(0)).optional()?;
        Ok(header.map(|bytes| fingerprint(&bytes)))
    }

    fn branch_from(&self, log: &LogId, place: u64) -> Result<Branch, StoreError> {
        let sql = "SELECT header, signature, checked FROM operation
                   WHERE log = (SELECT number FROM log WHERE id = ?1) AND sequence >= ?2 ORDER BY sequence LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((log.as_bytes(), place as i64, limits::SEGMENT_OPERATIONS_MAX as i64))?;
        let mut headers: Vec<Arc<[u8]>> = Vec::new();
        while let Some(row) = rows.next()? {
            headers.push(row.get::<_, Vec<u8>>(0)?.into());
            if row.get(2)? {
                let signature = Signature::from_slice(&row.get::<_, Vec<u8>>(1)?)
                    .map_err(|refusal| damaged(refusal.to_string()))?;
                return Ok(Branch { headers, signature });
            }
        }
        Err(damaged("a log has no seal within a segment"))
    }
}

impl Steps for Tables<'_> {
    type Error = StoreError;

    fn known_at(&self, place: Place, other: LogNumber) -> Result<Option<u64>, StoreError> {
        if other == place.log {
            return Ok(Some(place.sequence));
        }
        let sql = "SELECT known FROM step WHERE log = ?1 AND other = ?2 AND sequence <= ?3
                   ORDER BY sequence DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let known = statement.query_row((place.log, other, place.sequence as i64), |row| row.get(0)).optional()?;
        known.map(sequence).transpose()
    }

    fn vector_at(&self, place: Place) -> Result<BTreeMap<LogNumber, u64>, StoreError> {
        let sql = "SELECT other, max(known) FROM step WHERE log = ?1 AND sequence <= ?2 GROUP BY other";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((place.log, place.sequence as i64))?;
        let mut vector = BTreeMap::from([(place.log, place.sequence)]);
        while let Some(row) = rows.next()? {
            vector.insert(row.get(0)?, sequence(row.get(1)?)?);
        }
        Ok(vector)
    }
}
