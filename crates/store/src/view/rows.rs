//! Memories as rows: what a document shows, and the tags and links that find it.

use std::cell::RefCell;

use chrysalis_core::causality::LogNumber;
use chrysalis_core::id::Fingerprint;
use chrysalis_core::merge::{Document, Reading};
use chrysalis_core::operation::Kind;
use chrysalis_core::payload::{Collection, Field, Payload, Score};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension as _, Statement};

use crate::error::StoreError;
use crate::ledger::damaged;
use crate::row::{METADATA_CONFLICT, pack, unpack};

use super::{Placed, Views};

/// A memory with at least this many writes keeps its document beside its row; younger ones are joined again from
/// their operations, which is cheaper than keeping the document of every memory that is never edited.
pub(crate) const KEPT_DOCUMENT_WRITES: i64 = 16;

/// What a score reads when nobody gave one: 0.5 in fixed point.
pub const SCORE_DEFAULT: u16 = 32_768;

/// A memory's row as its document makes it, but for what only the store knows: number, id, feed position, version and
/// uses.
pub(crate) struct Projection<'d> {
    document: &'d Document,
    content: &'d str,
    agent: &'d str,
    head: i64,
    author: LogNumber,
    created_at: u64,
    scores: (u16, u16),
}

/// Importance and confidence as they are read.
pub(super) fn scores(document: &Document, reading: Reading) -> (u16, u16) {
    let score = |score| document.score(score, reading).unwrap_or(SCORE_DEFAULT);
    (score(Score::Importance), score(Score::Confidence))
}

/// The columns of a row that hold lists, packed.
pub(crate) type Lists = [Option<Vec<u8>>; 5];

/// How many columns [`Projection::columns`] has.
pub(crate) const PROJECTED: usize = 23;

macro_rules! row_of_memory {
    ($insert:literal, $uses:literal) => {
        concat!(
            $insert,
            " INTO memory(number, id, changed, version, document, access_count, head, author, agent,
                 created_at, updated_at, importance, confidence, conflicts, tier, memory_type, scope, thread, speaker,
                 occurred_at, valid_from, valid_until, expires_at, tags, evidence, related, parents, metadata, content)
             VALUES(?1, ?2, ?3, ?4, ?5, ",
            $uses,
            ", ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,
                 ?26, ?27, ?28)"
        )
    };
}

/// Shows a memory that nothing named before: it has no row yet, and nobody used it.
const SHOW_NEW: &str = row_of_memory!("INSERT", "0");

/// Shows a memory that may have a row, and uses.
const SHOW_AGAIN: &str =
    row_of_memory!("INSERT OR REPLACE", "(SELECT coalesce(sum(count), 0) FROM access WHERE memory = ?1)");

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
        let list = |place: usize| lists[place].as_deref().map_or(ValueRef::Null, ValueRef::Blob);
        let (valid_from, valid_until) = document.validity();
        [
            ("head", number(self.head)),
            ("author", number(self.author.into())),
            ("agent", text(self.agent)),
            ("created_at", number(self.created_at as i64)),
            ("updated_at", number(document.updated_ms() as i64)),
            ("importance", number(self.scores.0.into())),
            ("confidence", number(self.scores.1.into())),
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

impl<'a> Views<'a> {
    pub(super) fn show_after(
        &self,
        placed: &Placed<'_>,
        number: i64,
        id: &str,
        mut document: Document,
        writes: i64,
    ) -> Result<(), StoreError> {
        self.settle(&mut document)?;
        let version = match self.version(number, placed.first)? {
            Some(version) => version + writes,
            // What waited for its creation counts too.
            None => self.count_writes(number)?,
        };
        self.show(number, id, &document, version, Some(placed))
    }

    /// How many writes are in the row, none when there is no row.
    pub(super) fn version(&self, number: i64, first: bool) -> Result<Option<i64>, StoreError> {
        if first {
            return Ok(Some(0));
        }
        let mut statement = self.connection().prepare_cached("SELECT version FROM memory WHERE number = ?1")?;
        Ok(statement.query_row([number], |row| row.get(0)).optional()?)
    }

    /// Drops from a document the marks of replaced values that can't come any more, so that it stays small.
    pub(crate) fn settle(&self, document: &mut Document) -> Result<(), StoreError> {
        let fault = RefCell::new(None);
        document.settle(|seen| match self.tables.is_settled(seen, self.now_ms) {
            Ok(settled) => settled,
            Err(error) => {
                fault.replace(Some(error));
                false
            }
        });
        if let Some(error) = fault.into_inner() {
            return Err(error);
        }
        Ok(())
    }

    pub(super) fn count_writes(&self, number: i64) -> Result<i64, StoreError> {
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
            None => self.creation_by_header(head_position)?.unwrap_or((head_log, document.updated_ms())),
        };
        let reading = match self.memo.quiet.get() {
            Some(quiet) => quiet.reading,
            None => self.reading()?,
        };
        let scores = scores(document, reading);
        Ok(Some(Projection { document, content, agent: &head.agent, head: head_position, author, created_at, scores }))
    }

    /// Who created a memory whose first words are gone, and when: the header that its writes name as their root stays.
    fn creation_by_header(&self, position: i64) -> Result<Option<(LogNumber, u64)>, StoreError> {
        match self.root_named_at(position)? {
            Some(root) => self.tables.origin(&root),
            None => Ok(None),
        }
    }

    /// The operation that created a memory, also when its words are gone; none for a memory that nobody created here.
    pub(crate) fn root_of(&self, document: &Document) -> Result<Option<Fingerprint>, StoreError> {
        if let Some(origin) = document.origin() {
            return Ok(Some(origin.fingerprint));
        }
        let (true, Some(head)) = (document.is_live(), document.head()) else { return Ok(None) };
        match self.tables.place(&head.fingerprint)? {
            Some((_, position)) => self.root_named_at(position),
            None => Ok(None),
        }
    }

    fn root_named_at(&self, position: i64) -> Result<Option<Fingerprint>, StoreError> {
        let Some(stored) = self.tables.at(position)? else { return Ok(None) };
        let Some(body) = stored.operation.body() else { return Ok(None) };
        let Ok(Payload::Write(write)) = Payload::decode(Kind::Write, &body.payload) else { return Ok(None) };
        Ok(write.root)
    }

    pub(super) fn show(
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
        let lists = shown.lists();
        let write = |statement: &mut Statement<'_>| {
            statement.raw_bind_parameter(1, number)?;
            statement.raw_bind_parameter(2, id)?;
            statement.raw_bind_parameter(3, changed)?;
            statement.raw_bind_parameter(4, version)?;
            statement.raw_bind_parameter(5, kept)?;
            for (place, (_, value)) in (6..).zip(shown.columns(&lists)) {
                statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))?;
            }
            statement.raw_execute()
        };
        if first {
            self.memo.new_memory.run(self.connection(), SHOW_NEW, write)?;
        } else {
            write(&mut *self.connection().prepare_cached(SHOW_AGAIN)?)?;
        }
        if !first && !was_shown {
            self.connection().prepare_cached("DELETE FROM waiting WHERE id = ?1")?.execute([id])?;
        }
        self.insert_tags_and_links(number, document)
    }

    pub(super) fn is_shown(&self, number: i64) -> Result<bool, StoreError> {
        Ok(self.connection().prepare_cached("SELECT 1 FROM memory WHERE number = ?1")?.exists([number])?)
    }

    /// The feed position of a memory's first appearance: its own number when that was given out just now, as it mostly
    /// is. An older number may have been passed by those who follow the feed.
    pub(super) fn first_change(&self, number: i64) -> Result<i64, StoreError> {
        if self.memo.fresh.get() != Some(number) {
            return self.next_change();
        }
        if self.newest_change()? == number { Ok(number) } else { self.next_change() }
    }

    pub(super) fn insert_tags_and_links(&self, number: i64, document: &Document) -> Result<(), StoreError> {
        let (tag, link) = (&self.memo.tag, &self.memo.link);
        for name in document.tags() {
            let sql = "INSERT INTO tag VALUES(?1, ?2)";
            tag.run(self.connection(), sql, |tag| tag.execute((name, number)))?;
        }
        for collection in Collection::ALL {
            for target in document.elements(collection) {
                let sql = "INSERT INTO link VALUES(?1, ?2, ?3)";
                link.run(self.connection(), sql, |link| link.execute((target, collection as u8, number)))?;
            }
        }
        Ok(())
    }

    /// Takes out the tags and links that the memory's row shows; the row must still be the old one.
    pub(super) fn drop_tags_and_links(&self, number: i64) -> Result<(), StoreError> {
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
    pub(super) fn hide(&self, number: i64, id: &str) -> Result<(), StoreError> {
        self.forget_quiet()?;
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

    pub(super) fn count_use(&self, id: &str, log: LogNumber, delta: u64) -> Result<(), StoreError> {
        let Some(number) = self.number_used(id)? else { return Ok(()) };
        let sql = "INSERT INTO access VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET count = count + excluded.count";
        self.connection().prepare_cached(sql)?.execute((number, log, delta as i64))?;
        let sql = "UPDATE memory SET access_count = access_count + ?2 WHERE number = ?1";
        self.connection().prepare_cached(sql)?.execute((number, delta as i64))?;
        Ok(())
    }
}

fn conflict_bits(document: &Document) -> u16 {
    let fields = Field::ALL.into_iter().filter(|field| !document.conflicts(*field).is_empty());
    let bits = fields.fold(0, |bits, field| bits | 1 << field as u16);
    bits | u16::from(!document.metadata_conflicts().is_empty()) << METADATA_CONFLICT
}
