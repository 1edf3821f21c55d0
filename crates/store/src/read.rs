//! Reading: memories by id and by time, their history, their conflicts, and the links between them.

use std::collections::BTreeMap;

use chrysalis_core::admit::LogFacts;
use chrysalis_core::causality::{LogNumber, Place, Steps, happens_before};
use chrysalis_core::merge::Document;
use chrysalis_core::payload::{Collection, Payload};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use crate::error::StoreError;
use crate::ledger::{Stored, Tables};
use crate::row::{self, COLUMNS, MemoryRow, TABLES, unpack};
use crate::search::filter::Filter;
use crate::store::Store;
use crate::view::Views;

/// What a list is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Time of creation.
    Created,
    /// Time of the last write.
    Updated,
    /// Importance, then time of creation.
    Importance,
}

/// One operation in the history of a memory.
#[derive(Clone, Debug)]
pub struct Revision {
    /// The operation.
    pub stored: Stored,
    /// Whose it is.
    pub facts: LogFacts,
    /// What it says; none when its words are gone.
    pub payload: Option<Payload>,
}

/// A change of a view, for those who watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Position in the feed.
    pub position: i64,
    /// The memory's id.
    pub id: String,
    /// Whether this is its first version.
    pub created: bool,
}

impl Store {
    /// The memory with this id, or none.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn get(&self, id: &str) -> Result<Option<MemoryRow>, StoreError> {
        let now_ms = self.now_ms();
        self.read(|connection| row::by_id(connection, id, now_ms))
    }

    /// The memories with these ids, in their order; none where there is none.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn get_many(&self, ids: &[String]) -> Result<Vec<Option<MemoryRow>>, StoreError> {
        let now_ms = self.now_ms();
        self.read(|connection| ids.iter().map(|id| row::by_id(connection, id, now_ms)).collect())
    }

    /// Memories that pass the filter, sorted, from `offset` on, at most `limit`.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn list(
        &self,
        filter: &Filter,
        order: Order,
        descending: bool,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<MemoryRow>, StoreError> {
        let direction = if descending { "DESC" } else { "ASC" };
        let order = match order {
            Order::Created => format!("m.created_at {direction}, m.number {direction}"),
            Order::Updated => format!("m.updated_at {direction}, m.changed {direction}"),
            Order::Importance => format!("m.importance {direction}, m.created_at {direction}, m.number {direction}"),
        };
        let condition = filter.condition();
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE {} ORDER BY {order} LIMIT ? OFFSET ?", condition.sql);
        let bounds = [limit, offset].map(|bound| SqlValue::Integer(i64::try_from(bound).unwrap_or(i64::MAX)));
        let values = condition.values.into_iter().chain(bounds);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(MemoryRow::read(row)?);
            }
            Ok(found)
        })
    }

    pub(crate) fn tables<'a>(&self, connection: &'a Connection) -> Tables<'a> {
        Tables { connection, space: self.shared.space.id() }
    }

    pub(crate) fn views<'a>(&'a self, connection: &'a Connection) -> Views<'a> {
        let now_ms = (self.shared.clock)();
        Views { tables: self.tables(connection), space: &self.shared.space, now_ms, memo: Default::default() }
    }

    /// The operations that a memory is the join of, in order of arrival; for a forgotten one, what forgot it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an id that was never here; those of the disk.
    pub fn history(&self, id: &str) -> Result<Vec<Revision>, StoreError> {
        self.read(|connection| {
            let views = self.views(connection);
            let mut stored = match views.number_of(id)? {
                Some(number) => views.tables.of_memory(number)?,
                None => Vec::new(),
            };
            let mut dead = connection.prepare_cached("SELECT operation FROM dead WHERE id = ?1 ORDER BY operation")?;
            for position in dead.query_map([id], |row| row.get(0))? {
                stored.extend(views.tables.at(position?)?);
            }
            if stored.is_empty() {
                return Err(StoreError::NotFound(format!("memory {id:?}")));
            }
            stored.into_iter().map(|stored| revision(&views.tables, stored)).collect()
        })
    }

    /// The join of a memory's operations.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; those of the disk.
    pub fn document(&self, id: &str) -> Result<Document, StoreError> {
        self.read(|connection| {
            let views = self.views(connection);
            let number = views.number_of(id)?;
            views.document(number.ok_or_else(|| StoreError::NotFound(format!("memory {id:?}")))?)
        })
    }

    /// The ids that a memory's parents lead to, or with `down` those that name it as a parent, and so on: each once,
    /// nearest first, at most `limit`. Ids of memories that are not here are among them.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn lineage(&self, id: &str, down: bool, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut found: Vec<String> = Vec::new();
            let mut seen = std::collections::BTreeSet::from([id.to_owned()]);
            let mut frontier = vec![id.to_owned()];
            while !frontier.is_empty() && found.len() < limit {
                let mut next = Vec::new();
                for id in &frontier {
                    let linked = if down { children(connection, id)? } else { parents(connection, id)? };
                    next.extend(linked.into_iter().filter(|linked| seen.insert(linked.clone())));
                }
                found.extend(next.iter().cloned());
                frontier = next;
            }
            found.truncate(limit);
            Ok(found)
        })
    }

    /// The newest position of the feed of changes.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn position(&self) -> Result<i64, StoreError> {
        self.read(crate::search::ground_position)
    }

    /// Changes of views after this position of the feed, in its order, at most `limit`: one for each memory.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn changes_after(&self, position: i64, limit: usize) -> Result<Vec<Changed>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT changed, id, version = 1 FROM memory WHERE changed > ?1 ORDER BY changed LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map((position, limit as i64), |row| {
                Ok(Changed { position: row.get(0)?, id: row.get(1)?, created: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Forgotten ids whose forgetting stands after this position of the log, with that position.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn forgotten_after(&self, position: i64) -> Result<Vec<(i64, String)>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT operation, id FROM dead WHERE operation > ?1 ORDER BY operation";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([position], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The newest position of the log.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn log_position(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            let sql = "SELECT coalesce(max(position), 0) FROM operation";
            Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
        })
    }

    /// The vector clock at a place: for each replica's log its greatest known sequence number, by the log's id.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn vector(&self, place: (LogNumber, u64)) -> Result<BTreeMap<String, u64>, StoreError> {
        self.read(|connection| {
            let tables = self.tables(connection);
            let vector = tables.vector_at(Place { log: place.0, sequence: place.1 })?;
            vector.into_iter().map(|(log, known)| Ok((tables.log_facts(log)?.0.to_hex(), known))).collect()
        })
    }

    /// Whether one operation happened before another.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn happens_before(&self, one: (LogNumber, u64), other: (LogNumber, u64)) -> Result<bool, StoreError> {
        let place = |place: (LogNumber, u64)| Place { log: place.0, sequence: place.1 };
        self.read(|connection| happens_before(&self.tables(connection), place(one), place(other)))
    }
}

fn revision(tables: &Tables<'_>, stored: Stored) -> Result<Revision, StoreError> {
    let (_, facts) = tables.log_facts(stored.log)?;
    let kind = stored.operation.header().kind;
    let payload = stored.operation.body().and_then(|body| Payload::decode(kind, &body.payload).ok());
    Ok(Revision { stored, facts, payload })
}

fn parents(connection: &Connection, id: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT parents FROM memory WHERE id = ?1")?;
    let packed: Option<Option<Vec<u8>>> = statement.query_row([id], |row| row.get(0)).optional()?;
    Ok(unpack(packed.flatten().as_deref())?.into_iter().map(str::to_owned).collect())
}

fn children(connection: &Connection, id: &str) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT m.id FROM link l JOIN memory m ON m.number = l.memory
               WHERE l.target = ?1 AND l.kind = ?2 ORDER BY m.number";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((id, Collection::Parents as u8), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
