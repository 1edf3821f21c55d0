//! Memories that are past their end while words of them are left, because these had been said to stay.

use rusqlite::Connection;

use crate::error::StoreError;
use crate::ledger::Tables;
use crate::store::Store;
use crate::view::Views;

/// A memory that is hidden since its end came, and whose words stay until it is forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faded {
    /// Its id.
    pub id: String,
    /// Its type.
    pub memory_type: String,
    /// When its end came, in ms since the Unix epoch.
    pub expires_at: i64,
    /// JSON text of the key of its metadata that was asked for.
    pub noted: Option<String>,
    /// Bytes of payload that its writes take in the log.
    pub bytes: usize,
}

impl Store {
    /// Memories of this type that have faded and whose words are still here, at most so many, by age, with one key of
    /// their metadata: all of them may be much.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn faded(&self, memory_type: &str, key: &str, limit: usize) -> Result<Vec<Faded>, StoreError> {
        let now_ms = self.now_ms();
        self.read(|connection| {
            let tables = Tables { connection, space: self.shared.space.id() };
            let views = Views { tables, space: &self.shared.space, now_ms: now_ms as u64, memo: Default::default() };
            let mut found = Vec::new();
            for (number, id) in hidden(connection, now_ms)? {
                if found.len() >= limit {
                    break;
                }
                let faded = look_at(&views, number, id, key)?.filter(|one| one.memory_type == memory_type);
                found.extend(faded);
            }
            Ok(found)
        })
    }
}

/// Numbers and ids of memories that have words and are not read.
fn hidden(connection: &Connection, now_ms: i64) -> Result<Vec<(i64, String)>, StoreError> {
    let sql = "SELECT number, id FROM waiting
                   WHERE EXISTS(SELECT 1 FROM operation WHERE memory = number AND kind = 1 AND payload IS NOT NULL)
               UNION SELECT number, id FROM memory WHERE expires_at <= ?1 ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([now_ms], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn look_at(views: &Views<'_>, number: i64, id: String, key: &str) -> Result<Option<Faded>, StoreError> {
    let (document, _) = views.join(number)?;
    let (true, Some(expires_at)) = (document.is_live(), document.expires_at()) else { return Ok(None) };
    if expires_at > views.now_ms as i64 {
        return Ok(None);
    }
    let payloads = views.tables.of_memory(number)?.into_iter().filter_map(|one| one.operation.body().cloned());
    let bytes = payloads.map(|body| body.payload.len()).sum();
    let noted = document.metadata().find(|(name, _)| *name == key).map(|(_, json)| json.to_owned());
    Ok(Some(Faded { id, memory_type: document.memory_type().to_owned(), expires_at, noted, bytes }))
}
