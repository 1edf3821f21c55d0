//! Views: what each verified operation does to the tables that are read.
//!
//! Live writing and rebuilding run the same code ([`Views::take_in`] and [`Views::replay`] end in `have_effect`), so
//! that the view kept up while writing equals the one made from the log.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::admit::{LogFacts, Verified, is_embargoed};
use chrysalis_core::causality::LogNumber;
use chrysalis_core::id::{Fingerprint, LogId, ReplicaKey, WithdrawalDigest};
use chrysalis_core::member::{Role, Space};
use chrysalis_core::merge::{Document, Reading, Stamp};
use chrysalis_core::operation::{Header, Kind, Operation};
use chrysalis_core::payload::{Change, Collection, Configure, Field, Forget, Payload, Remove, Score, Value, Write};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::StoreError;
use crate::ledger::{State, Stored, Tables, damaged};
use crate::row::{METADATA_CONFLICT, pack, unpack};

/// A memory with at least this many writes keeps its document beside its row; younger ones are joined again from
/// their operations, which is cheaper than keeping the document of every memory that is never edited.
pub(crate) const KEPT_DOCUMENT_WRITES: i64 = 16;

/// What a score reads when nobody gave one: 0.5 in fixed point.
pub const SCORE_DEFAULT: u16 = 32_768;

/// The views, through one connection inside a write transaction.
pub struct Views<'a> {
    /// The log under them.
    pub tables: Tables<'a>,
    /// The space, for withdrawal digests.
    pub space: &'a Space,
    /// The local clock, in ms since the Unix epoch: it delays effects and ends them, and decides nothing else.
    pub now_ms: u64,
    /// The number that was given out last, through this value: nobody outside this transaction has seen it.
    pub(crate) fresh: Cell<Option<i64>>,
}

/// A memory's row as its document makes it, but for what only the store knows: number, id, feed position, version and
/// uses.
pub(crate) struct Projection<'d> {
    document: &'d Document,
    content: &'d str,
    agent: &'d str,
    head: i64,
    author: LogNumber,
    created_at: u64,
}

/// The columns of a row that hold lists, packed.
pub(crate) type Lists = [Option<Vec<u8>>; 5];

/// How many columns [`Projection::columns`] has.
pub(crate) const PROJECTED: usize = 23;

impl Projection<'_> {
    /// Tags, evidence, related, parents, metadata.
    pub(crate) fn lists(&self) -> Lists {
        let list = |collection| pack(self.document.elements(collection));
        [
            pack(self.document.tags()),
            list(Collection::Evidence),
            list(Collection::Related),
            list(Collection::Parents),
            pack(self.document.metadata().flat_map(|(key, value)| [key, value])),
        ]
    }

    /// Names and values, in the order in which the row is written.
    pub(crate) fn columns<'c>(&'c self, lists: &'c Lists) -> [(&'static str, ValueRef<'c>); PROJECTED] {
        let document = self.document;
        let number = |value: i64| ValueRef::Integer(value);
        let text = |value: &'c str| ValueRef::Text(value.as_bytes());
        let score = |score| number(i64::from(document.score(score, Reading::Maximum).unwrap_or(SCORE_DEFAULT)));
        let list = |place: usize| lists[place].as_deref().map_or(ValueRef::Null, ValueRef::Blob);
        let (valid_from, valid_until) = document.validity();
        [
            ("head", number(self.head)),
            ("author", number(self.author.into())),
            ("agent", text(self.agent)),
            ("created_at", number(self.created_at as i64)),
            ("updated_at", number(document.updated_ms() as i64)),
            ("importance", score(Score::Importance)),
            ("confidence", score(Score::Confidence)),
            ("conflicts", number(conflict_bits(document).into())),
            ("tier", text(document.tier())),
            ("memory_type", text(document.memory_type())),
            ("scope", text(document.scope())),
            ("thread", document.thread().map_or(ValueRef::Null, text)),
            ("speaker", document.speaker().map_or(ValueRef::Null, text)),
            ("occurred_at", document.occurred_at().map_or(ValueRef::Null, number)),
            ("valid_from", valid_from.map_or(ValueRef::Null, number)),
            ("valid_until", valid_until.map_or(ValueRef::Null, number)),
            ("expires_at", document.expires_at().map_or(ValueRef::Null, number)),
            ("tags", list(0)),
            ("evidence", list(1)),
            ("related", list(2)),
            ("parents", list(3)),
            ("metadata", list(4)),
            ("content", text(self.content)),
        ]
    }
}

/// An operation with the number of its log, its position, and whose it is.
struct Placed<'a> {
    operation: &'a Operation,
    facts: LogFacts,
    log: LogNumber,
    position: i64,
    /// Whether it is the first here that names its memory.
    first: bool,
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
        let operation = verified.operation();
        let header = operation.header();
        let (log, cut) = match self.tables.find_log(&header.log)? {
            Some((number, _, cut)) => (number, cut),
            None => self.admit_log(&header.log, verified.facts(), own)?,
        };
        let state = self.state_on_arrival(header, verified, cut)?;
        let (memory, first) = match (state, verified.payload()) {
            (State::Live, Some(payload)) => self.number_to_show(payload)?,
            (State::Embargoed, Some(payload)) => (self.number_named(payload)?, false),
            _ => (None, false),
        };
        let before = match (state, memory) {
            (State::Live, Some(_)) if first => Some(Document::default()),
            (State::Live, Some(number)) if header.kind != Kind::Forget => Some(self.document(number)?),
            _ => None,
        };
        let position = self.tables.append(verified, log, state, memory)?;
        if let (State::Live, Some(payload)) = (state, verified.payload()) {
            let placed = Placed { operation, facts: *verified.facts(), log, position, first };
            self.have_effect(&placed, payload, memory, before)?;
        }
        Ok(position)
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

    /// Notes a new log, void from the start if its owner's membership has ended.
    fn admit_log(&self, id: &LogId, facts: &LogFacts, own: bool) -> Result<(LogNumber, Option<u64>), StoreError> {
        let number = self.tables.insert_log(id, facts, own)?;
        let mut removed = self.connection().prepare_cached("SELECT 1 FROM removed WHERE replica = ?1")?;
        if !removed.exists([facts.replica.as_bytes()])? {
            return Ok((number, None));
        }
        self.connection().execute("UPDATE log SET cut = 0 WHERE number = ?1", [number])?;
        Ok((number, Some(0)))
    }

    fn state_on_arrival(&self, header: &Header, verified: &Verified, cut: Option<u64>) -> Result<State, StoreError> {
        if cut.is_some_and(|cut| header.sequence >= cut) {
            return Ok(State::Void);
        }
        let Some(payload) = verified.payload() else { return Ok(State::Absent) };
        if header.expires_ms.is_some_and(|at| at <= self.now_ms) {
            return Ok(State::Expired);
        }
        if self.is_dead(payload, verified.facts().replica, &verified.operation().fingerprint())? {
            return Ok(State::Forgotten);
        }
        Ok(if is_embargoed(header.hybrid_ms, self.now_ms) { State::Embargoed } else { State::Live })
    }

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
        let mut statement = self.connection().prepare_cached("SELECT owner FROM dead WHERE id = ?1")?;
        let owners = statement.query_map([memory.as_str()], |row| row.get::<_, Vec<u8>>(0))?;
        let owners = owners.collect::<Result<Vec<_>, _>>()?;
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

    /// Whose operation `root` is, by its header; the signer's own when there is none.
    pub(crate) fn creator(&self, root: Option<Fingerprint>, signer: ReplicaKey) -> Result<ReplicaKey, StoreError> {
        let Some(root) = root else { return Ok(signer) };
        match self.tables.place(&root)? {
            Some((place, _)) => Ok(self.tables.log_facts(place.log)?.1.replica),
            None => Ok(signer),
        }
    }

    fn says_withdrawn(&self, write: &Write) -> Result<bool, StoreError> {
        let mut any = self.connection().prepare_cached("SELECT 1 FROM withdrawn LIMIT 1")?;
        if !any.exists([])? {
            return Ok(false);
        }
        let Some(content) = content_of(write) else { return Ok(false) };
        let mut statement = self.connection().prepare_cached("SELECT 1 FROM withdrawn WHERE digest = ?1")?;
        Ok(statement.exists([self.space.withdrawal_digest(content).as_bytes()])?)
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
        self.fresh.set(Some(number));
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

    fn is_dead_to_all(&self, id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM dead WHERE id = ?1 AND owner = x''";
        Ok(self.connection().prepare_cached(sql)?.exists([id])?)
    }

    /// The number under which a memory is known here.
    pub fn number_of(&self, id: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT number FROM memory WHERE id = ?1 UNION ALL SELECT number FROM waiting WHERE id = ?1";
        let mut statement = self.connection().prepare_cached(sql)?;
        Ok(statement.query_row([id], |row| row.get(0)).optional()?)
    }

    /// The next number of the feed of changes. Numbers are never used twice, so no file confuses two memories.
    pub(crate) fn next_change(&self) -> Result<i64, StoreError> {
        let sql = "UPDATE clock SET changed = changed + 1 RETURNING changed";
        Ok(self.connection().prepare_cached(sql)?.query_row([], |row| row.get(0))?)
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
            (Payload::Remove(removal), _) => self.remove(removal, placed.position),
            (Payload::Configure(_), _) => self.join_settings(),
            _ => Ok(()),
        }
    }

    fn show_after(
        &self,
        placed: &Placed<'_>,
        number: i64,
        id: &str,
        mut document: Document,
        writes: i64,
    ) -> Result<(), StoreError> {
        let fault = RefCell::new(None);
        document.settle(|seen| match self.tables.is_settled(seen) {
            Ok(settled) => settled,
            Err(error) => {
                fault.replace(Some(error));
                false
            }
        });
        if let Some(error) = fault.into_inner() {
            return Err(error);
        }
        let version = match self.version(number, placed.first)? {
            Some(version) => version + writes,
            // What waited for its creation counts too.
            None => self.count_writes(number)?,
        };
        self.show(number, id, &document, version, Some(placed))
    }

    /// How many writes are in the row, none when there is no row.
    fn version(&self, number: i64, first: bool) -> Result<Option<i64>, StoreError> {
        if first {
            return Ok(Some(0));
        }
        let mut statement = self.connection().prepare_cached("SELECT version FROM memory WHERE number = ?1")?;
        Ok(statement.query_row([number], |row| row.get(0)).optional()?)
    }

    fn count_writes(&self, number: i64) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM operation WHERE memory = ?1 AND kind = 1 AND state = 0";
        Ok(self.connection().prepare_cached(sql)?.query_row([number], |row| row.get(0))?)
    }

    /// Makes a memory's row, tags and links again from its operations, or takes them away when nothing is left.
    pub fn refresh(&self, number: i64, id: &str) -> Result<(), StoreError> {
        let (document, writes) = self.join(number)?;
        self.show(number, id, &document, writes, None)
    }

    /// What the row of a memory says of its document; none while there is no content.
    pub(crate) fn project<'d>(
        &self,
        document: &'d Document,
        latest: Option<(&Fingerprint, LogNumber, i64)>,
    ) -> Result<Option<Projection<'d>>, StoreError> {
        let (Some(content), Some(head)) = (document.content(), document.head()) else { return Ok(None) };
        let here = |wanted: &Fingerprint| match latest {
            Some((fingerprint, log, position)) if fingerprint == wanted => Ok((log, position)),
            _ => match self.tables.place(wanted)? {
                Some((place, position)) => Ok((place.log, position)),
                None => Err(damaged("a memory's operation is not in the log")),
            },
        };
        let (head_log, head_position) = here(&head.fingerprint)?;
        let (author, created_at) = match document.origin() {
            Some(origin) => (here(&origin.fingerprint)?.0, origin.created_ms),
            None => (head_log, document.updated_ms()),
        };
        Ok(Some(Projection { document, content, agent: &head.agent, head: head_position, author, created_at }))
    }

    fn show(
        &self,
        number: i64,
        id: &str,
        document: &Document,
        version: i64,
        latest: Option<&Placed<'_>>,
    ) -> Result<(), StoreError> {
        let fits = document.expires_at().is_none_or(|at| at > self.now_ms as i64);
        let first = latest.is_some_and(|placed| placed.first);
        let latest = latest.map(|placed| (placed.operation.fingerprint(), placed.log, placed.position));
        let latest = latest.as_ref().map(|(fingerprint, log, position)| (fingerprint, *log, *position));
        let shown = if fits { self.project(document, latest)? } else { None };
        let Some(shown) = shown else { return self.hide(number, id) };
        let kept = (version >= KEPT_DOCUMENT_WRITES).then(|| document.encode());
        let was_shown = !first && self.is_shown(number)?;
        let changed = if first {
            number
        } else if was_shown {
            self.drop_tags_and_links(number)?;
            self.next_change()?
        } else {
            self.first_change(number)?
        };
        let mut statement = self.connection().prepare_cached(
            "INSERT OR REPLACE INTO memory(number, id, changed, version, document, access_count, head, author, agent,
                 created_at, updated_at, importance, confidence, conflicts, tier, memory_type, scope, thread, speaker,
                 occurred_at, valid_from, valid_until, expires_at, tags, evidence, related, parents, metadata, content)
             VALUES(?1, ?2, ?3, ?4, ?5, (SELECT coalesce(sum(count), 0) FROM access WHERE memory = ?1), ?6, ?7, ?8, ?9,
                 ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)",
        )?;
        statement.raw_bind_parameter(1, number)?;
        statement.raw_bind_parameter(2, id)?;
        statement.raw_bind_parameter(3, changed)?;
        statement.raw_bind_parameter(4, version)?;
        statement.raw_bind_parameter(5, kept)?;
        let lists = shown.lists();
        for (place, (_, value)) in (6..).zip(shown.columns(&lists)) {
            statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))?;
        }
        statement.raw_execute()?;
        if !first && !was_shown {
            self.connection().prepare_cached("DELETE FROM waiting WHERE id = ?1")?.execute([id])?;
        }
        self.insert_tags_and_links(number, document)
    }

    fn is_shown(&self, number: i64) -> Result<bool, StoreError> {
        Ok(self.connection().prepare_cached("SELECT 1 FROM memory WHERE number = ?1")?.exists([number])?)
    }

    /// The feed position of a memory's first appearance: its own number when that was given out just now, as it mostly
    /// is. An older number may have been passed by those who follow the feed.
    fn first_change(&self, number: i64) -> Result<i64, StoreError> {
        if self.fresh.get() != Some(number) {
            return self.next_change();
        }
        let mut statement = self.connection().prepare_cached("SELECT changed FROM clock")?;
        let newest: i64 = statement.query_row([], |row| row.get(0))?;
        if newest == number { Ok(number) } else { self.next_change() }
    }

    fn insert_tags_and_links(&self, number: i64, document: &Document) -> Result<(), StoreError> {
        let mut tag = self.connection().prepare_cached("INSERT INTO tag VALUES(?1, ?2)")?;
        for name in document.tags() {
            tag.execute((name, number))?;
        }
        let mut link = self.connection().prepare_cached("INSERT INTO link VALUES(?1, ?2, ?3)")?;
        for collection in Collection::ALL {
            for target in document.elements(collection) {
                link.execute((target, collection as u8, number))?;
            }
        }
        Ok(())
    }

    /// Takes out the tags and links that the memory's row shows; the row must still be the old one.
    fn drop_tags_and_links(&self, number: i64) -> Result<(), StoreError> {
        let sql = "SELECT tags, evidence, related, parents FROM memory WHERE number = ?1";
        let lists: [Option<Vec<u8>>; 4] = self
            .connection()
            .prepare_cached(sql)?
            .query_row([number], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
        let mut tag = self.connection().prepare_cached("DELETE FROM tag WHERE name = ?1 AND memory = ?2")?;
        for name in unpack(lists[0].as_deref())? {
            tag.execute((name, number))?;
        }
        let sql = "DELETE FROM link WHERE target = ?1 AND kind = ?2 AND memory = ?3";
        let mut link = self.connection().prepare_cached(sql)?;
        for (collection, list) in Collection::ALL.into_iter().zip(&lists[1..]) {
            for target in unpack(list.as_deref())? {
                link.execute((target, collection as u8, number))?;
            }
        }
        Ok(())
    }

    /// Takes a memory out of everything that is read; operations that still name it keep its number.
    fn hide(&self, number: i64, id: &str) -> Result<(), StoreError> {
        if self.is_shown(number)? {
            self.drop_tags_and_links(number)?;
            for sql in ["DELETE FROM memory WHERE number = ?1", "INSERT OR IGNORE INTO erasure VALUES(?1)"] {
                self.connection().prepare_cached(sql)?.execute([number])?;
            }
        }
        let dead = self.is_dead_to_all(id)?;
        if dead {
            self.connection().prepare_cached("DELETE FROM access WHERE memory = ?1")?.execute([number])?;
        }
        let sql = "SELECT EXISTS(SELECT 1 FROM operation WHERE memory = ?1)
                       OR EXISTS(SELECT 1 FROM access WHERE memory = ?1)";
        let named: bool = self.connection().prepare_cached(sql)?.query_row([number], |row| row.get(0))?;
        let sql = match named {
            true => "INSERT OR IGNORE INTO waiting(number, id) VALUES(?1, ?2)",
            false => "DELETE FROM waiting WHERE number = ?1 AND id = ?2",
        };
        self.connection().prepare_cached(sql)?.execute((number, id))?;
        Ok(())
    }

    fn count_use(&self, id: &str, log: LogNumber, delta: u64) -> Result<(), StoreError> {
        let Some(number) = self.number_used(id)? else { return Ok(()) };
        let sql = "INSERT INTO access VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET count = count + excluded.count";
        self.connection().prepare_cached(sql)?.execute((number, log, delta as i64))?;
        let sql = "UPDATE memory SET access_count = access_count + ?2 WHERE number = ?1";
        self.connection().prepare_cached(sql)?.execute((number, delta as i64))?;
        Ok(())
    }

    fn forget(&self, placed: &Placed<'_>, forget: &Forget) -> Result<(), StoreError> {
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
            Some(digest) => self.withdraw(digest, placed.position),
            None => Ok(()),
        }
    }

    /// Erases every operation that names a dead memory, as far as its death reaches.
    fn kill(&self, id: &str) -> Result<(), StoreError> {
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

    fn withdraw(&self, digest: &WithdrawalDigest, position: i64) -> Result<(), StoreError> {
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
    fn owe_erasure(&self) -> Result<(), StoreError> {
        self.connection().prepare_cached("INSERT OR IGNORE INTO erasure VALUES(0)")?.execute([])?;
        Ok(())
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
        Ok(rows.len())
    }

    fn id_of(&self, number: i64) -> Result<String, StoreError> {
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
            if !is_embargoed(stored.operation.header().hybrid_ms, self.now_ms) {
                self.set_state(position, State::Live)?;
                self.replay(&Stored { state: State::Live, ..stored })?;
                released += 1;
            }
        }
        Ok(released)
    }

    /// Voids a log from this place on, in every branch.
    pub fn cut(&self, log: &LogId, sequence: u64) -> Result<(), StoreError> {
        let Some((number, _, cut)) = self.tables.find_log(log)? else { return Ok(()) };
        if cut.is_some_and(|cut| cut <= sequence) {
            return Ok(());
        }
        let sql = "UPDATE log SET cut = ?2 WHERE number = ?1";
        self.connection().prepare_cached(sql)?.execute((number, sequence as i64))?;
        // A proof about a log of which nothing came yet must not cost a rebuild.
        let sql = "SELECT 1 FROM operation WHERE log = ?1 AND sequence >= ?2";
        if !self.connection().prepare_cached(sql)?.exists((number, sequence as i64))? {
            return Ok(());
        }
        self.owe_erasure()?;
        let sql = "UPDATE operation SET state = 4, salt = NULL, payload = NULL WHERE log = ?1 AND sequence >= ?2
                   AND kind <> 0";
        self.connection().prepare_cached(sql)?.execute((number, sequence as i64))?;
        self.rebuild()
    }

    fn remove(&self, removal: &Remove, position: i64) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO removed VALUES(?1, ?2)";
        self.connection().prepare_cached(sql)?.execute((removal.replica.as_bytes(), position))?;
        let sql = "SELECT id FROM log WHERE replica = ?1";
        let mut statement = self.connection().prepare_cached(sql)?;
        let logs = statement.query_map([removal.replica.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
        for log in logs.collect::<Result<Vec<_>, _>>()? {
            let log = LogId::from_slice(&log).map_err(|refusal| damaged(refusal.to_string()))?;
            let last = removal.last.iter().find(|last| last.log == log);
            self.cut(&log, last.map_or(0, |last| last.sequence + 1))?;
        }
        Ok(())
    }

    /// Settings are few: they are joined from all their operations whenever one comes.
    fn join_settings(&self) -> Result<(), StoreError> {
        let sql = "SELECT position FROM operation WHERE kind = 6 AND state = 0 ORDER BY position";
        let mut statement = self.connection().prepare_cached(sql)?;
        let positions = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        let mut spoken = Vec::new();
        for position in positions {
            let Some(stored) = self.tables.at(position)? else { continue };
            let Some(body) = stored.operation.body() else { continue };
            if let Ok(Payload::Configure(setting)) = Payload::decode(Kind::Configure, &body.payload) {
                let order = (stored.operation.header().lamport, stored.operation.fingerprint());
                spoken.push(Spoken { order, position, setting });
            }
        }
        let mut insert = self.connection().prepare_cached("INSERT OR REPLACE INTO setting VALUES(?1, ?2, ?3)")?;
        for (position, setting) in winners(spoken) {
            insert.execute((setting.key, setting.value, position))?;
        }
        Ok(())
    }

    /// Makes every view again from the log, with the numbers that memories had.
    pub fn rebuild(&self) -> Result<(), StoreError> {
        let connection = self.connection();
        connection.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS kept(id TEXT PRIMARY KEY, number INTEGER, shown INTEGER);
             DELETE FROM kept;
             INSERT OR IGNORE INTO kept SELECT id, number, 1 FROM memory;
             INSERT OR IGNORE INTO kept SELECT id, number, 0 FROM waiting;
             CREATE TEMP TABLE IF NOT EXISTS owed(memory INTEGER PRIMARY KEY);
             DELETE FROM owed;
             INSERT INTO owed SELECT memory FROM erasure;",
        )?;
        let clock: i64 = connection.query_row("SELECT changed FROM clock", [], |row| row.get(0))?;
        crate::schema::recreate_views(connection)?;
        connection.execute("UPDATE clock SET changed = ?1", [clock])?;
        connection.execute_batch(
            "INSERT INTO waiting SELECT id, number FROM kept; INSERT INTO erasure SELECT memory FROM owed;
             UPDATE operation SET memory = NULL WHERE memory IS NOT NULL;",
        )?;
        let last: i64 =
            connection.query_row("SELECT coalesce(max(position), 0) FROM operation", [], |row| row.get(0))?;
        for position in 1..=last {
            if let Some(stored) = self.tables.at(position)? {
                self.tables.note_steps(stored.operation.header(), stored.log, position)?;
                self.replay(&stored)?;
            }
        }
        connection.execute_batch(
            "INSERT OR IGNORE INTO erasure
                 SELECT number FROM kept WHERE shown = 1 AND number NOT IN (SELECT number FROM memory);
             DELETE FROM waiting WHERE number NOT IN (SELECT memory FROM operation WHERE memory IS NOT NULL)
                 AND number NOT IN (SELECT memory FROM access);
             DROP TABLE kept; DROP TABLE owed;",
        )?;
        Ok(())
    }

    /// Lets a stored operation have its effect again.
    fn replay(&self, stored: &Stored) -> Result<(), StoreError> {
        let Some(body) = stored.operation.body() else { return Ok(()) };
        let kind = stored.operation.header().kind;
        let payload = Payload::decode(kind, &body.payload).map_err(|refusal| damaged(refusal.to_string()))?;
        let memory = self.number_named(&payload)?;
        let before = match memory {
            Some(number) if stored.state == State::Live => Some(self.document(number)?),
            _ => None,
        };
        if memory.is_some() {
            let sql = "UPDATE operation SET memory = ?2 WHERE position = ?1";
            self.connection().prepare_cached(sql)?.execute((stored.position, memory))?;
        }
        if stored.state != State::Live {
            return Ok(());
        }
        let (_, facts) = self.tables.log_facts(stored.log)?;
        let (operation, log, position) = (&stored.operation, stored.log, stored.position);
        let placed = Placed { operation, facts, log, position, first: false };
        self.have_effect(&placed, &payload, memory, before)
    }
}

/// A setting as one operation gives it, and where that stands.
pub(crate) struct Spoken {
    pub(crate) order: (u64, Fingerprint),
    pub(crate) position: i64,
    pub(crate) setting: Configure,
}

/// Of several values of a setting the greatest (Lamport time, fingerprint) that nothing replaced, by key.
pub(crate) fn winners(mut spoken: Vec<Spoken>) -> impl Iterator<Item = (i64, Configure)> {
    let replaced: BTreeSet<Fingerprint> = spoken.iter().flat_map(|one| one.setting.replaces.iter().copied()).collect();
    spoken.retain(|one| !replaced.contains(&one.order.1));
    spoken.sort_by_key(|one| one.order);
    let by_key: BTreeMap<String, (i64, Configure)> =
        spoken.into_iter().map(|one| (one.setting.key.clone(), (one.position, one.setting))).collect();
    by_key.into_values()
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

fn conflict_bits(document: &Document) -> u16 {
    let fields = Field::ALL.into_iter().filter(|field| !document.conflicts(*field).is_empty());
    let bits = fields.fold(0, |bits, field| bits | 1 << field as u16);
    let keys = document.metadata().any(|(key, _)| document.metadata_replaces(key).len() > 1);
    bits | u16::from(keys) << METADATA_CONFLICT
}
