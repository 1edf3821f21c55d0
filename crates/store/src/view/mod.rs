//! Views: what each verified operation does to the tables that are read.
//!
//! Live writing and rebuilding run the same code ([`Views::take_in`] and `replay` end in `have_effect`), so that the
//! view kept up while writing equals the one made from the log. [`rows`] shows memories, [`endings`] takes words away,
//! [`replay`] makes everything again.

mod endings;
mod kept;
mod memo;
mod replay;
mod rows;
mod standing;

use chrysalis_core::admit::{LogFacts, Verified, is_embargoed};
use chrysalis_core::causality::LogNumber;
use chrysalis_core::member::Space;
use chrysalis_core::merge::{Document, Stamp};
use chrysalis_core::operation::{Header, Kind, Operation};
use chrysalis_core::payload::{Change, Field, Payload, Value, Write};
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::StoreError;
use crate::ledger::{State, Stored, Tables, damaged};
use crate::sync::states;

pub(crate) use self::kept::{KEY as KEPT_WORDS, is_any_kept, void_words};
pub(crate) use self::memo::Memo;
use self::memo::Quiet;
pub(crate) use self::replay::{Spoken, winners};
pub(crate) use self::rows::KEPT_DOCUMENT_WRITES;
pub use self::rows::SCORE_DEFAULT;
pub(crate) use self::standing::ROBUST;

/// The views, through one connection inside a write transaction.
pub struct Views<'a> {
    /// The log under them.
    pub tables: Tables<'a>,
    /// The space, for withdrawal digests.
    pub space: &'a Space,
    /// The local clock, in ms since the Unix epoch: it delays effects and ends them, and decides nothing else.
    pub now_ms: u64,
    /// What this value need not ask again.
    pub(crate) memo: Memo<'a>,
}

/// An operation with the number of its log, its position, and whose it is.
pub(super) struct Placed<'a> {
    operation: &'a Operation,
    facts: LogFacts,
    log: LogNumber,
    position: i64,
    /// Whether it is the first here that names its memory.
    first: bool,
}

/// A log that operations go to.
struct Entered {
    log: LogNumber,
    cut: Option<u64>,
    own: bool,
}

/// The last operation of a run that counts, or the last of all when none does; and place and position of the last of
/// all.
struct Arrived<'v> {
    operation: &'v Operation,
    state: State,
    /// Whether it is the first here that names its memory.
    first: bool,
    position: i64,
    last: (u64, i64),
}

impl Placed<'_> {
    fn stamp(&self) -> Stamp {
        let header = self.operation.header();
        Stamp {
            fingerprint: self.operation.fingerprint(),
            lamport: header.lamport,
            hybrid_ms: header.hybrid_ms,
            author: self.facts.replica,
        }
    }
}
impl<'a> Views<'a> {
    fn connection(&self) -> &'a Connection {
        self.tables.connection
    }

    /// Stores an operation and lets it have its effect. Returns its position.
    pub fn take_in(&self, verified: &Verified, own: bool) -> Result<i64, StoreError> {
        let entered = self.enter(verified, own)?;
        let arrived = self.take_one(verified, &entered)?;
        if !may_move_cuts(verified) {
            self.note_end(&entered, &arrived)?;
        }
        Ok(arrived.position)
    }

    /// As [`Views::take_in`] for operations of one log in a row: how far the log stands is noted once.
    pub fn take_in_run(&self, run: &[Verified]) -> Result<(), StoreError> {
        let Some(first) = run.first() else { return Ok(()) };
        let mut entered = self.enter(first, false)?;
        let mut end: Option<Arrived<'_>> = None;
        for verified in run {
            if run.len() > 1 {
                self.remember_quiet(verified.operation().header().kind)?;
            }
            let arrived = self.take_one(verified, &entered)?;
            self.forget_quiet_after(&arrived)?;
            if may_move_cuts(verified) {
                // It may have been the log's own end.
                entered = self.enter(verified, false)?;
            }
            // What follows a void operation is void.
            end = match end {
                Some(end) if arrived.state == State::Void => Some(Arrived { last: arrived.last, ..end }),
                _ => Some(arrived),
            };
        }
        self.forget_quiet()?;
        end.map_or(Ok(()), |end| self.note_end(&entered, &end))
    }

    /// Where operations of a log go; one that is new here is noted.
    fn enter(&self, verified: &Verified, own: bool) -> Result<Entered, StoreError> {
        let id = &verified.operation().header().log;
        let (log, cut) = match self.tables.find_log(id)? {
            Some((number, _, cut)) => (number, cut),
            None => (self.tables.insert_log(id, verified.facts(), own)?, None),
        };
        Ok(Entered { log, cut, own: self.tables.own_number()? == Some(log) })
    }

    /// Notes how far a log stands now, and that its newest operation is to be depended on.
    fn note_end(&self, entered: &Entered, end: &Arrived<'_>) -> Result<(), StoreError> {
        if !entered.own {
            let (sequence, position) = end.last;
            self.tables.note_unseen(entered.log, sequence, position)?;
        }
        let header = end.operation.header();
        let counts = end.state != State::Void && entered.cut.is_none_or(|cut| header.sequence < cut);
        if counts {
            let fingerprint = end.operation.fingerprint();
            states::grow(self.connection(), &header.log, header.sequence, &fingerprint, end.position)?;
        }
        Ok(())
    }

    fn take_one<'v>(&self, verified: &'v Verified, entered: &Entered) -> Result<Arrived<'v>, StoreError> {
        let operation = verified.operation();
        let header = operation.header();
        let (log, cut) = (entered.log, entered.cut);
        let state = self.state_on_arrival(header, verified, cut)?;
        let (memory, first) = match (state, verified.payload()) {
            (State::Live, Some(payload)) => self.number_to_show(payload)?,
            // Void by a removal: it may count again some day, and must be found when its memory is forgotten.
            (State::Embargoed | State::Void, Some(payload)) if !self.is_proven_void(log, header)? => {
                (self.number_named(payload)?, false)
            }
            _ => (None, false),
        };
        let before = match (state, memory) {
            (State::Live, Some(_)) if first => Some(Document::default()),
            (State::Live, Some(number)) if header.kind != Kind::Forget => Some(self.document(number)?),
            _ => None,
        };
        let place = (log, entered.own);
        let position = self.tables.append(&self.memo.operation, verified, place, state, memory)?;
        let arrived = Arrived { operation, state, first, position, last: (header.sequence, position) };
        if may_move_cuts(verified) {
            // Its effect may end this very log, and says then how far it stands.
            self.note_end(entered, &arrived)?;
        }
        if let (State::Live, Some(payload)) = (state, verified.payload()) {
            let placed = Placed { operation, facts: *verified.facts(), log, position, first };
            self.have_effect(&placed, payload, memory, before)?;
        } else if state == State::Void && header.kind == Kind::Remove {
            // A removal may be judged before the one that makes it void, by seniority, and then it counts.
            self.judge_anew()?;
        }
        Ok(arrived)
    }

    /// Takes the words of an operation that was stored without them, and lets them have their effect.
    pub fn take_words(&self, verified: &Verified) -> Result<(), StoreError> {
        let operation = verified.operation();
        let Some(stored) = self.tables.stored(&operation.fingerprint())? else { return Ok(()) };
        // Words that a forgetting took which became void itself may come back; others that were erased may not.
        if !matches!(stored.state, State::Absent | State::Forgotten) || stored.operation.body().is_some() {
            return Ok(());
        }
        let (id, _) = self.tables.log_facts(stored.log)?;
        let cut = self.tables.find_log(&id)?.and_then(|(_, _, cut)| cut);
        let state = self.state_on_arrival(operation.header(), verified, cut)?;
        let (State::Live | State::Embargoed, Some(body)) = (state, operation.body()) else {
            return self.set_state(stored.position, state);
        };
        let sql = "UPDATE operation SET state = ?2, salt = ?3, payload = ?4 WHERE position = ?1";
        let values = (stored.position, state as u8, body.salt.as_bytes(), &body.payload[..]);
        self.connection().prepare_cached(sql)?.execute(values)?;
        self.replay(&Stored { state, operation: operation.clone(), ..stored })
    }

    /// Whether a proof, and not only a removal, makes an operation of this log void.
    fn is_proven_void(&self, log: LogNumber, header: &Header) -> Result<bool, StoreError> {
        Ok(self.tables.proven(log)?.is_some_and(|proven| header.sequence >= proven))
    }

    fn state_on_arrival(&self, header: &Header, verified: &Verified, cut: Option<u64>) -> Result<State, StoreError> {
        let void = cut.is_some_and(|cut| header.sequence >= cut);
        let Some(payload) = verified.payload() else {
            return Ok(if void { State::Void } else { State::Absent });
        };
        if header.expires_ms.is_some_and(|at| at <= self.now_ms) {
            return Ok(State::Expired);
        }
        if self.is_dead(payload, verified.facts().replica, &verified.operation().fingerprint())? {
            return Ok(State::Forgotten);
        }
        if void {
            return Ok(State::Void);
        }
        Ok(if is_embargoed(header.hybrid_ms, self.now_ms) { State::Embargoed } else { State::Live })
    }

    /// The number of the memory that a payload names, taken now if it has none.
    fn number_named(&self, payload: &Payload) -> Result<Option<i64>, StoreError> {
        let Some(id) = memory_named(payload) else { return Ok(None) };
        match self.number_of(id)? {
            Some(number) => Ok(Some(number)),
            None => self.number_waiting(id).map(Some),
        }
    }

    /// As [`Views::number_named`] for an operation that has its effect at once; and whether nothing here named the
    /// memory before. Such a memory is not noted as waiting: having its effect shows it, or notes that it waits.
    fn number_to_show(&self, payload: &Payload) -> Result<(Option<i64>, bool), StoreError> {
        let Some(id) = memory_named(payload) else { return Ok((None, false)) };
        match self.number_of(id)? {
            Some(number) => Ok((Some(number), false)),
            None => Ok((Some(self.next_change()?), true)),
        }
    }

    fn number_waiting(&self, id: &str) -> Result<i64, StoreError> {
        let number = self.next_change()?;
        self.connection().prepare_cached("INSERT INTO waiting VALUES(?1, ?2)")?.execute((id, number))?;
        self.memo.fresh.set(Some(number));
        Ok(number)
    }

    /// The number of a memory that was used, taken now if it has none: uses count even when they come before what they
    /// are uses of. None for a forgotten one.
    fn number_used(&self, id: &str) -> Result<Option<i64>, StoreError> {
        match self.number_of(id)? {
            Some(number) => Ok(Some(number)),
            None if self.is_dead_to_all(id)? => Ok(None),
            None => self.number_waiting(id).map(Some),
        }
    }

    /// The number under which a memory is known here.
    pub fn number_of(&self, id: &str) -> Result<Option<i64>, StoreError> {
        if self.memo.quiet.get().is_some_and(|quiet| quiet.none_waiting) {
            let sql = "SELECT number FROM memory WHERE id = ?1";
            let known = &self.memo.known_memory;
            return known.run(self.connection(), sql, |known| known.query_row([id], |row| row.get(0)).optional());
        }
        let sql = "SELECT number FROM memory WHERE id = ?1 UNION ALL SELECT number FROM waiting WHERE id = ?1";
        let mut statement = self.connection().prepare_cached(sql)?;
        Ok(statement.query_row([id], |row| row.get(0)).optional()?)
    }

    /// The next number of the feed of changes. Numbers are never used twice, so no file confuses two memories.
    pub(crate) fn next_change(&self) -> Result<i64, StoreError> {
        let newest = self.newest_change()? + 1;
        match self.memo.quiet.get() {
            // Written down when the run is over, or its quiet.
            Some(quiet) => self.memo.quiet.set(Some(Quiet { newest, ..quiet })),
            None => self.note_newest(newest)?,
        }
        Ok(newest)
    }

    /// The number that was given out last.
    fn newest_change(&self) -> Result<i64, StoreError> {
        match self.memo.quiet.get() {
            Some(quiet) => Ok(quiet.newest),
            None => {
                Ok(self.connection().prepare_cached("SELECT changed FROM clock")?.query_row([], |row| row.get(0))?)
            }
        }
    }

    fn note_newest(&self, newest: i64) -> Result<(), StoreError> {
        // Two statements: one that returns what it wrote builds a table of its own for that each time.
        self.connection().prepare_cached("UPDATE clock SET changed = ?1 WHERE one = 1")?.execute([newest])?;
        Ok(())
    }

    /// The join of a memory's live operations.
    pub fn document(&self, number: i64) -> Result<Document, StoreError> {
        let sql = "SELECT document FROM memory WHERE number = ?1";
        let mut statement = self.connection().prepare_cached(sql)?;
        let kept: Option<Option<Vec<u8>>> = statement.query_row([number], |row| row.get(0)).optional()?;
        match kept.flatten() {
            Some(bytes) => Document::decode(&bytes).map_err(|refusal| damaged(format!("a document: {refusal}"))),
            None => Ok(self.join(number)?.0),
        }
    }

    /// The document made from the log, and how many writes it joins.
    pub fn join(&self, number: i64) -> Result<(Document, i64), StoreError> {
        let mut document = Document::default();
        let mut writes = 0;
        for stored in self.tables.of_memory(number)? {
            writes += i64::from(self.join_one(&mut document, &stored)?);
        }
        Ok((document, writes))
    }

    fn join_one(&self, document: &mut Document, stored: &Stored) -> Result<bool, StoreError> {
        let (State::Live, Some(body)) = (stored.state, stored.operation.body()) else { return Ok(false) };
        let (_, facts) = self.tables.log_facts(stored.log)?;
        let (operation, log, position) = (&stored.operation, stored.log, stored.position);
        let placed = Placed { operation, facts, log, position, first: false };
        match Payload::decode(stored.operation.header().kind, &body.payload) {
            Ok(Payload::Write(write)) => document.apply(&placed.stamp(), &write),
            Ok(Payload::Attest(vote)) => {
                document.apply_vote(&placed.stamp(), &vote);
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn have_effect(
        &self,
        placed: &Placed<'_>,
        payload: &Payload,
        memory: Option<i64>,
        before: Option<Document>,
    ) -> Result<(), StoreError> {
        match (payload, memory) {
            (Payload::Write(write), Some(number)) => {
                let mut document = match before {
                    Some(document) => document,
                    None => self.document(number)?,
                };
                document.apply(&placed.stamp(), write);
                self.show_after(placed, number, write.memory.as_str(), document, 1)
            }
            (Payload::Attest(vote), Some(number)) => {
                let mut document = match before {
                    Some(document) => document,
                    None => self.document(number)?,
                };
                document.apply_vote(&placed.stamp(), vote);
                self.show_after(placed, number, vote.memory.as_str(), document, 0)
            }
            (Payload::Touch(uses), _) => {
                uses.iter().try_for_each(|(memory, delta)| self.count_use(memory.as_str(), placed.log, *delta))
            }
            (Payload::Forget(forget), _) => self.forget(placed, forget),
            (Payload::Remove(_), _) => self.judge_anew(),
            (Payload::Open(_), _) => self.judge_new_log(placed.log, &placed.facts.replica, placed.facts.role),
            (Payload::Configure(_), _) => self.join_settings(),
            _ => Ok(()),
        }
    }
}

/// Whether an operation has membership judged, by which logs may turn out to be void from some place on.
pub(crate) fn may_move_cuts(verified: &Verified) -> bool {
    matches!(verified.operation().header().kind, Kind::Open | Kind::Remove)
}

/// The memory that an operation is about.
fn memory_named(payload: &Payload) -> Option<&str> {
    match payload {
        Payload::Write(write) => Some(write.memory.as_str()),
        Payload::Attest(vote) => Some(vote.memory.as_str()),
        _ => None,
    }
}

/// The words that a write gives its memory.
pub(crate) fn content_of(write: &Write) -> Option<&str> {
    write.changes.iter().find_map(|change| match change {
        Change::Register { field: Field::Content, value: Value::Text(text), .. } => Some(text.as_str()),
        _ => None,
    })
}
