//! What was known at an earlier time: the log up to then, made into views of its own in memory.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::error::StoreError;
use crate::ledger::Tables;
use crate::row::{COLUMNS, MemoryRow, TABLES};
use crate::schema;
use crate::search::filter::Filter;
use crate::view::Views;

/// Memories that existed at `at_ms` and were written since, as they were then, as far as they pass the filter.
///
/// What was forgotten since stays forgotten. The cost grows with the memories that were written since.
pub(crate) fn rows_changed_since(views: &Views<'_>, at_ms: i64, filter: &Filter) -> Result<Vec<MemoryRow>, StoreError> {
    let ground = views.tables.connection;
    let sql = "SELECT number FROM memory WHERE created_at <= ?1 AND updated_at > ?1";
    let mut statement = ground.prepare_cached(sql)?;
    let numbers = statement.query_map([at_ms], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let then = Connection::open_in_memory()?;
    schema::bring_up(&then, 0)?;
    copy(ground, &then, "log", "1")?;
    copy(ground, &then, "operation", "kind = 6 AND state = 0")?;
    for number in numbers {
        copy(ground, &then, "operation", &operations_until(views, number, at_ms)?)?;
        // A memory keeps its number, so that its hits can be told from those of today.
        let mut id = ground.prepare_cached("SELECT id FROM memory WHERE number = ?1")?;
        let id: String = id.query_row([number], |row| row.get(0))?;
        then.execute("INSERT INTO waiting VALUES(?1, ?2)", (id, number))?;
    }
    let tables = Tables { connection: &then, space: views.tables.space };
    Views { tables, space: views.space, now_ms: u64::try_from(at_ms).unwrap_or(0), memo: Default::default() }
        .rebuild_part()?;
    rows(&then, filter)
}

/// A condition that the operations on a memory satisfy which were written up to then.
fn operations_until(views: &Views<'_>, number: i64, at_ms: i64) -> Result<String, StoreError> {
    let stored = views.tables.of_memory(number)?.into_iter();
    let until = stored.filter(|stored| stored.operation.header().hybrid_ms as i64 <= at_ms);
    let positions: Vec<String> = until.map(|stored| stored.position.to_string()).collect();
    Ok(format!("position IN ({})", positions.join(",")))
}

fn copy(from: &Connection, to: &Connection, table: &str, condition: &str) -> Result<(), StoreError> {
    let mut select = from.prepare(&format!("SELECT * FROM {table} WHERE {condition}"))?;
    let columns = select.column_count();
    let marks = vec!["?"; columns].join(",");
    let mut insert = to.prepare_cached(&format!("INSERT INTO {table} VALUES({marks})"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>()?;
        insert.execute(params_from_iter(values))?;
    }
    Ok(())
}

fn rows(then: &Connection, filter: &Filter) -> Result<Vec<MemoryRow>, StoreError> {
    let condition = filter.condition();
    let mut statement = then.prepare(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE {}", condition.sql))?;
    let mut rows = statement.query(params_from_iter(condition.values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(MemoryRow::read(row)?);
    }
    Ok(found)
}
