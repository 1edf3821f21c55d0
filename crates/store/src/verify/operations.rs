//! Single operations: signature, links, Lamport time, payload, and whether what is kept beside them agrees.

use std::collections::{BTreeMap, HashMap};

use chrysalis_core::admit::LogFacts;
use chrysalis_core::causality::{LogNumber, Place, news_of};
use chrysalis_core::error::Refusal;
use chrysalis_core::id::{Fingerprint, Signature};
use chrysalis_core::operation::{Header, Kind, Operation, fingerprint};
use chrysalis_core::payload::Payload;
use chrysalis_core::sign::Verifier;
use rusqlite::{OptionalExtension as _, Row};

use super::Problem;
use super::ground::{Ground, Log};
use crate::error::StoreError;
use crate::ledger::{RawOperation, STORED, State, Stored, mark};
use crate::view::Views;

/// An operation that concerns more than one memory.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) position: i64,
    pub(super) order: (u64, Fingerprint),
    pub(super) facts: LogFacts,
    pub(super) payload: Payload,
}

/// What was found while looking at operations and memories.
#[derive(Default, Debug)]
pub(super) struct Gathered {
    pub(super) operations: u64,
    pub(super) memories: u64,
    pub(super) problems: Vec<Problem>,
    /// Live operations that forget, remove and configure.
    pub(super) said: Vec<Said>,
    /// Live uses, by memory and log.
    pub(super) uses: BTreeMap<(String, LogNumber), u64>,
    /// How many rows the tables must have.
    pub(super) steps: u64,
    pub(super) tags: u64,
    pub(super) links: u64,
    /// Positions of operations whose own signature is to be fetched again.
    pub(super) unsigned: Vec<i64>,
}

impl Gathered {
    pub(super) fn report(&mut self, code: &'static str, where_: &str, what: impl Into<String>) {
        self.problems.push(Problem::new(code, where_, what));
    }
}

/// Checks the operations at these positions that name no memory.
pub(super) fn check_nameless(
    views: &Views<'_>,
    ground: &Ground,
    positions: (i64, i64),
    gathered: &mut Gathered,
) -> Result<(), StoreError> {
    let condition = "position BETWEEN ?1 AND ?2 AND memory IS NULL ORDER BY position";
    let mut checker = Checker::new(views, ground);
    checker.each(condition, positions, gathered, |checker, gathered, stored, payload| {
        let named = matches!(payload, Some(Payload::Write(_) | Payload::Attest(_)));
        if named {
            let where_ = checker.name(&stored);
            gathered.report("wrong_memory", &where_, "it is not listed under the memory that it names");
        }
        gather(&stored, payload, checker.ground, gathered);
        Ok(())
    })
}

fn gather(stored: &Stored, payload: Option<Payload>, ground: &Ground, gathered: &mut Gathered) {
    let (State::Live, Some(payload), Some(log)) = (stored.state, payload, ground.logs.get(&stored.log)) else {
        return;
    };
    match payload {
        Payload::Touch(uses) => {
            for (memory, delta) in uses {
                *gathered.uses.entry((memory.as_str().to_owned(), stored.log)).or_insert(0) += delta;
            }
        }
        Payload::Forget(_) | Payload::Configure(_) => {
            let order = (stored.operation.header().lamport, stored.operation.fingerprint());
            gathered.said.push(Said { position: stored.position, order, facts: log.facts, payload });
        }
        _ => {}
    }
}

/// The columns that repeat what the header says.
struct Beside {
    mark: i64,
    sequence: i64,
    kind: i64,
    expires_at: Option<i64>,
}

impl Beside {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { mark: row.get(9)?, sequence: row.get(10)?, kind: row.get(11)?, expires_at: row.get(12)? })
    }

    fn agrees(&self, operation: &Operation) -> bool {
        let header = operation.header();
        self.mark == mark(&operation.fingerprint())
            && self.sequence == header.sequence as i64
            && self.kind == header.kind as i64
            && self.expires_at == header.expires_ms.map(|at| at as i64)
    }
}

/// What the next operation must follow.
#[derive(Clone, Copy)]
struct Before {
    position: i64,
    sequence: u64,
    lamport: u64,
    fingerprint: Fingerprint,
}

/// Checks operations through one connection.
pub(super) struct Checker<'a, 'c> {
    pub(super) views: &'a Views<'c>,
    pub(super) ground: &'a Ground,
    /// The operation of each log that was looked at last: mostly it is the one before the next.
    latest: HashMap<LogNumber, Before>,
}

impl<'a, 'c> Checker<'a, 'c> {
    pub(super) fn new(views: &'a Views<'c>, ground: &'a Ground) -> Self {
        Self { views, ground, latest: HashMap::new() }
    }

    /// Checks each operation that meets the condition, and hands on what can be read.
    pub(super) fn each(
        &mut self,
        condition: &str,
        bounds: (i64, i64),
        gathered: &mut Gathered,
        mut with: impl FnMut(&mut Self, &mut Gathered, Stored, Option<Payload>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = format!("SELECT {STORED}, mark, sequence, kind, expires_at FROM operation WHERE {condition}");
        let mut statement = self.views.tables.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(bounds)?;
        while let Some(row) = rows.next()? {
            gathered.operations += 1;
            let read = RawOperation::read(row).and_then(|raw| Ok((raw, Beside::read(row)?)));
            let (raw, beside) = match read {
                Ok(read) => read,
                Err(error) => {
                    let position = row.get(0).unwrap_or(0);
                    gathered.report("malformed", &at(position), error.to_string());
                    continue;
                }
            };
            if let Some((stored, payload)) = self.check(raw, &beside, gathered)? {
                with(self, gathered, stored, payload)?;
            }
        }
        Ok(())
    }

    /// The name under which problems of an operation are listed.
    pub(super) fn name(&self, stored: &Stored) -> String {
        format!("operation {} ({})", stored.position, stored.operation.fingerprint())
    }

    fn check(
        &mut self,
        raw: RawOperation,
        beside: &Beside,
        gathered: &mut Gathered,
    ) -> Result<Option<(Stored, Option<Payload>)>, StoreError> {
        let position = raw.position;
        let Some(stored) = parse(raw, gathered) else { return Ok(None) };
        let where_ = at(position);
        let Some(log) = self.ground.logs.get(&stored.log) else {
            gathered.report("log_differs", &where_, "it stands in a log that is not listed");
            return Ok(None);
        };
        let operation = &stored.operation;
        if !beside.agrees(operation) {
            gathered.report("columns_differ", &where_, "what is kept beside the header is not what it says");
        }
        if operation.header().log != log.id {
            gathered.report("log_differs", &where_, "its header names another log");
        }
        let signed = |verifier: &Verifier| verifier.verify_operation(&operation.fingerprint(), operation.signature());
        if log.verifier.is_none_or(|verifier| signed(&verifier).is_err()) {
            self.report_signature(&stored, &where_, gathered)?;
        }
        if !log.facts.role.may(operation.header().kind) {
            gathered.report("not_allowed", &where_, "its author's role does not allow that");
        }
        self.check_causality(&stored, &where_, gathered)?;
        let payload = self.check_words(&stored, log, &where_, gathered)?;
        Ok(Some((stored, payload)))
    }

    /// An operation that came before a seal is its author's all the same when its fingerprint is the one that the next
    /// links back to: whoever passed it on damaged the signature, or never had it.
    fn report_signature(&self, stored: &Stored, where_: &str, gathered: &mut Gathered) -> Result<(), StoreError> {
        let operation = &stored.operation;
        let sql = "SELECT header FROM operation WHERE log = ?1 AND sequence = ?2";
        let mut statement = self.views.tables.connection.prepare_cached(sql)?;
        let place = (stored.log, operation.header().sequence as i64 + 1);
        let next: Option<Vec<u8>> = statement.query_row(place, |row| row.get(0)).optional()?;
        let back = next.and_then(|bytes| Header::decode(&bytes).ok()).and_then(|header| header.back);
        if !stored.checked && back == Some(operation.fingerprint()) {
            let what = "its own signature does not hold; chain and seal prove whose it is, and nobody is to blame";
            gathered.report("bad_inner_signature", where_, what);
            gathered.unsigned.push(stored.position);
        } else {
            gathered.report("bad_signature", where_, "its author did not sign it");
        }
        Ok(())
    }

    /// Back link, dependencies, Lamport time, order of arrival, and the steps of knowledge.
    fn check_causality(&mut self, stored: &Stored, where_: &str, gathered: &mut Gathered) -> Result<(), StoreError> {
        let header = stored.operation.header();
        let before = self.before(stored.log, header.sequence)?;
        let itself = Before {
            position: stored.position,
            sequence: header.sequence,
            lamport: header.lamport,
            fingerprint: stored.operation.fingerprint(),
        };
        self.latest.insert(stored.log, itself);
        if header.back != before.map(|before| before.fingerprint) {
            gathered.report("broken_chain", where_, "the operation before it in its log is not the one it follows");
        }
        let mut greatest = before.map_or(0, |before| before.lamport);
        let mut latest = before.map_or(0, |before| before.position);
        for dependency in &header.dependencies {
            let Some((position, lamport)) = self.known(dependency)? else {
                gathered.report("missing_dependency", where_, format!("{dependency} is not here"));
                continue;
            };
            greatest = greatest.max(lamport);
            latest = latest.max(position);
        }
        if header.lamport != greatest + 1 {
            let what = format!("its Lamport time is {}, and what it follows makes it {}", header.lamport, greatest + 1);
            gathered.report("bad_lamport", where_, what);
        }
        if latest >= stored.position {
            gathered.report("out_of_order", where_, "it came before something that it follows");
        }
        if header.dependencies.is_empty() { Ok(()) } else { self.check_steps(stored, where_, gathered) }
    }

    fn before(&self, log: LogNumber, sequence: u64) -> Result<Option<Before>, StoreError> {
        let Some(wanted) = sequence.checked_sub(1) else { return Ok(None) };
        if let Some(before) = self.latest.get(&log).filter(|before| before.sequence == wanted) {
            return Ok(Some(*before));
        }
        let sql = "SELECT position, header FROM operation WHERE log = ?1 AND sequence = ?2";
        let mut statement = self.views.tables.connection.prepare_cached(sql)?;
        let found = statement.query_row((log, wanted as i64), |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)));
        let Some((position, bytes)) = found.optional()? else { return Ok(None) };
        let lamport = Header::decode(&bytes).map_or(0, |header| header.lamport);
        Ok(Some(Before { position, sequence: wanted, lamport, fingerprint: fingerprint(&bytes) }))
    }

    /// Position and Lamport time of what an operation depends on; one that is void has but the latter.
    fn known(&self, wanted: &Fingerprint) -> Result<Option<(i64, u64)>, StoreError> {
        let tables = &self.views.tables;
        if let Some((_, position)) = tables.place(wanted)? {
            let sql = "SELECT header FROM operation WHERE position = ?1";
            let mut statement = tables.connection.prepare_cached(sql)?;
            let bytes: Vec<u8> = statement.query_row([position], |row| row.get(0))?;
            let lamport = Header::decode(&bytes).map_or(0, |header| header.lamport);
            return Ok(Some((position, lamport)));
        }
        let sql = "SELECT lamport FROM void_header WHERE fingerprint = ?1";
        let mut statement = tables.connection.prepare_cached(sql)?;
        let lamport: Option<i64> = statement.query_row([wanted.as_bytes()], |row| row.get(0)).optional()?;
        Ok(lamport.map(|lamport| (0, lamport.unsigned_abs())))
    }

    fn check_steps(&self, stored: &Stored, where_: &str, gathered: &mut Gathered) -> Result<(), StoreError> {
        let tables = &self.views.tables;
        let place = Place { log: stored.log, sequence: stored.operation.header().sequence };
        let past = tables.past_of(&stored.operation.header().dependencies)?;
        let sql = "SELECT known FROM step WHERE log = ?1 AND other = ?2 AND sequence = ?3";
        let mut statement = tables.connection.prepare_cached(sql)?;
        for (other, known) in news_of(tables, place, past)? {
            gathered.steps += 1;
            let values = (place.log, other, place.sequence as i64);
            let kept: Option<i64> = statement.query_row(values, |row| row.get(0)).optional()?;
            if kept != Some(known as i64) {
                let what = format!("what its log knows of log {other} is not what its dependencies say");
                gathered.report("steps_differ", where_, what);
            }
        }
        Ok(())
    }

    /// Whether salt and payload are there or gone as the state says, and what they say.
    fn check_words(
        &self,
        stored: &Stored,
        log: &Log,
        where_: &str,
        gathered: &mut Gathered,
    ) -> Result<Option<Payload>, StoreError> {
        let header = stored.operation.header();
        let state = stored.state;
        if !self.state_fits(stored, log) {
            let what = format!("it is kept as {}, and nothing in the log makes it so", state.name());
            gathered.report("wrong_state", where_, what);
        }
        let words = matches!(state, State::Live | State::Embargoed | State::Idle);
        let Some(body) = stored.operation.body() else {
            if words {
                gathered.report("words_missing", where_, "its words are gone, and nothing forgot them");
            }
            return Ok(None);
        };
        if !words && !self.may_return(stored, log) {
            gathered.report("words_kept", where_, format!("it is {}, and its words are still here", state.name()));
        }
        let payload = match Payload::decode(header.kind, &body.payload) {
            Ok(payload) => payload,
            Err(refusal) => {
                gathered.report("malformed", where_, refusal.to_string());
                return Ok(None);
            }
        };
        if let Payload::Open(open) = &payload
            && open.log() != log.id
        {
            gathered.report("log_differs", where_, "it opens another log");
        }
        self.check_death(stored, log, &payload, where_, gathered)?;
        Ok(Some(payload))
    }

    /// Void by a removal, which a more senior one may take back, or by a proof, and kept for its author to say it
    /// again: nobody is shown such words. This store's own it has said again already.
    fn may_return(&self, stored: &Stored, log: &Log) -> bool {
        let proven = self.ground.proven.get(&stored.log);
        let header = stored.operation.header();
        let kept = header.kind == Kind::Open || proven.is_none_or(|from| header.sequence < *from);
        stored.state == State::Void && (kept || !self.ground.is_own(&log.facts.replica))
    }

    fn check_death(
        &self,
        stored: &Stored,
        log: &Log,
        payload: &Payload,
        where_: &str,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        let named = match payload {
            Payload::Write(write) => self.ground.dead.contains(write.memory.as_str()),
            Payload::Attest(vote) => self.ground.dead.contains(vote.memory.as_str()),
            _ => return Ok(()),
        };
        let suspect = named || self.ground.withdrawals;
        if suspect && self.views.is_dead(payload, log.facts.replica, &stored.operation.fingerprint())? {
            gathered.report("words_kept", where_, "what it says was forgotten, and its words are still here");
        }
        Ok(())
    }

    fn state_fits(&self, stored: &Stored, log: &Log) -> bool {
        let header = stored.operation.header();
        let void = log.cut.is_some_and(|cut| header.sequence >= cut);
        let over = header.expires_ms.is_some_and(|at| at <= self.views.now_ms);
        match stored.state {
            State::Void => void,
            // What opens a void log is kept: who reads on must know whose log it is.
            State::Live => !void || header.kind == Kind::Open,
            State::Idle => !void && header.kind == Kind::Forget,
            State::Expired => over,
            State::Forgotten => {
                let forgettable = matches!(header.kind, Kind::Write | Kind::Attest);
                // A forgetting that was voided later has erased words all the same.
                let voided = self.ground.logs.values().any(|log| log.cut.is_some());
                forgettable && (!self.ground.dead.is_empty() || self.ground.withdrawals || voided)
            }
            State::Embargoed | State::Absent => true,
        }
    }
}

pub(super) fn at(position: i64) -> String {
    format!("operation {position}")
}

/// Reads an operation even when its payload is not the one that the header commits to.
fn parse(raw: RawOperation, gathered: &mut Gathered) -> Option<Stored> {
    let where_ = at(raw.position);
    let kept = (raw.position, raw.log, raw.checked, raw.memory);
    if raw.salt.is_some() != raw.payload.is_some() {
        gathered.report("words_missing", &where_, "one of salt and payload is gone");
    }
    let state = State::from_number(raw.state);
    let parsed = raw.body().and_then(|body| {
        let signature = Signature::from_slice(&raw.signature)?;
        match Operation::from_parts(&raw.header, signature, body) {
            Err(Refusal::BadPayload) => {
                gathered.report(Refusal::BadPayload.code(), &where_, Refusal::BadPayload.to_string());
                Operation::from_parts(&raw.header, signature, None)
            }
            other => other,
        }
    });
    match (state, parsed) {
        (Ok(state), Ok(operation)) => {
            let (position, log, checked, memory) = kept;
            Some(Stored { position, log, state, checked, memory, operation })
        }
        (Err(error), _) => {
            gathered.report("malformed", &where_, error.to_string());
            None
        }
        (_, Err(refusal)) => {
            gathered.report(refusal.code(), &where_, refusal.to_string());
            None
        }
    }
}
