//! What a store holds, in numbers.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::error::StoreError;
use crate::store::Store;

/// Numbers by name.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct StoreStats {
    /// Memories, working, long_term, forgotten, operations, logs, conflicts, vectors, lamport.
    pub numbers: BTreeMap<&'static str, i64>,
    /// Memories of each type.
    pub memory_types: BTreeMap<String, i64>,
    /// Bytes of each file of the folder that is there.
    pub file_bytes: BTreeMap<String, u64>,
}

impl Store {
    /// Counts what is here. Scans the memories once: some milliseconds for a hundred thousand.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn stats(&self) -> Result<StoreStats, StoreError> {
        let mut stats = self.read(|connection| {
            let mut stats = StoreStats::default();
            for (name, sql) in [
                ("memories", "SELECT count(*) FROM memory"),
                ("working", "SELECT count(*) FROM memory WHERE tier = 'working'"),
                ("long_term", "SELECT count(*) FROM memory WHERE tier = 'long_term'"),
                ("conflicts", "SELECT count(*) FROM memory WHERE conflicts <> 0"),
                ("forgotten", "SELECT count(DISTINCT id) FROM dead"),
                ("operations", "SELECT count(*) FROM operation"),
                ("logs", "SELECT count(*) FROM log"),
            ] {
                stats.numbers.insert(name, number(connection, sql)?);
            }
            let sql = "SELECT memory_type, count(*) FROM memory GROUP BY memory_type";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            stats.memory_types = rows.collect::<Result<_, _>>()?;
            Ok(stats)
        })?;
        let lamport = self.head()?.last.map_or(0, |last| last.lamport);
        stats.numbers.insert("lamport", lamport as i64);
        stats.file_bytes = self.file_bytes()?;
        if self.folder.vectors().exists() {
            let vectors = self.indexes.with_vectors(|vectors| number(vectors, "SELECT count(*) FROM main.vector"))?;
            stats.numbers.insert("vectors", vectors);
        }
        Ok(stats)
    }

    fn file_bytes(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let root = self.folder.root();
        let wrong = |source| StoreError::io(root, source);
        let mut bytes = BTreeMap::new();
        for entry in std::fs::read_dir(root).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            // A file of the write-ahead log may vanish between the two looks.
            if let Ok(metadata) = entry.metadata() {
                bytes.insert(entry.file_name().to_string_lossy().into_owned(), metadata.len());
            }
        }
        Ok(bytes)
    }
}

fn number(connection: &Connection, sql: &str) -> Result<i64, StoreError> {
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}
