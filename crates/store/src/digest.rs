//! The logical digest: one number for everything that can be read, by which two replicas know that they agree.

use std::collections::BTreeMap;

use chrysalis_core::id::Fingerprint;
use chrysalis_core::operation::fingerprint;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::error::StoreError;
use crate::store::Store;
use crate::view::Views;

/// Columns of a memory that are numbers of this store and nobody else's.
const LOCAL: [&str; 2] = ["head", "author"];

/// Gathers parts so that no two lists of parts look alike.
#[derive(Default)]
struct Parts(Vec<u8>);

impl Parts {
    fn add(&mut self, part: &[u8]) {
        self.0.extend((part.len() as u64).to_be_bytes());
        self.0.extend(part);
    }

    fn number(&mut self, number: i64) {
        self.add(&number.to_be_bytes());
    }

    fn value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Integer(number) => self.number(number),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => self.add(bytes),
            _ => self.add(&[]),
        }
    }

    fn digest(&self) -> [u8; 48] {
        chrysalis_core::id::digest("chrysalis/logical/1", &[&self.0])
    }
}

impl Store {
    /// A digest of everything that is read: memories with their values in conflict, forgotten ids, withdrawn content,
    /// settings, logs and what is void of them. It knows no local numbers and no order of arrival: replicas with the
    /// same operations and proofs have the same. Reads all of the store.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn logical_digest(&self) -> Result<[u8; 48], StoreError> {
        self.read(|connection| {
            let views = self.views(connection);
            let mut parts = Parts::default();
            for digest in memories(&views)?.into_values() {
                parts.add(&digest);
            }
            for sql in [
                "SELECT id, owner FROM dead ORDER BY id, owner",
                "SELECT digest FROM withdrawn ORDER BY digest",
                "SELECT replica FROM removed ORDER BY replica",
                "SELECT key, value FROM setting ORDER BY key",
            ] {
                rows(connection, sql, &mut parts)?;
            }
            logs(connection, &mut parts)?;
            Ok(parts.digest())
        })
    }
}

fn memories(views: &Views<'_>) -> Result<BTreeMap<String, [u8; 48]>, StoreError> {
    let mut statement = views.tables.connection.prepare("SELECT number, id, version, access_count FROM memory")?;
    let mut rows = statement.query([])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (number, id): (i64, String) = (row.get(0)?, row.get(1)?);
        let mut parts = Parts::default();
        parts.add(id.as_bytes());
        parts.number(row.get(2)?);
        parts.number(row.get(3)?);
        let (mut document, _) = views.join(number)?;
        views.settle(&mut document)?;
        if let Some(shown) = views.project(&document, None)? {
            let lists = shown.lists();
            let shared = shown.columns(&lists).into_iter().filter(|(name, _)| !LOCAL.contains(name));
            shared.for_each(|(_, value)| parts.value(value));
        }
        parts.add(&document.encode());
        all.insert(id, parts.digest());
    }
    Ok(all)
}

fn rows(connection: &Connection, sql: &str, parts: &mut Parts) -> Result<(), StoreError> {
    parts.add(sql.as_bytes());
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            parts.value(row.get_ref(column)?);
        }
    }
    Ok(())
}

/// Each log by its id: where it is void, and its last operation that is not.
fn logs(connection: &Connection, parts: &mut Parts) -> Result<(), StoreError> {
    let sql = "SELECT l.id, coalesce(l.cut, -1),
                   (SELECT o.header FROM operation o WHERE o.log = l.number AND (l.cut IS NULL OR o.sequence < l.cut)
                    ORDER BY o.sequence DESC LIMIT 1)
               FROM log l ORDER BY l.id";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        parts.value(row.get_ref(0)?);
        parts.number(row.get(1)?);
        let header: Option<Vec<u8>> = row.get(2)?;
        let last = header.map_or(Fingerprint([0; Fingerprint::LENGTH]), |bytes| fingerprint(&bytes));
        parts.add(last.as_bytes());
    }
    Ok(())
}
