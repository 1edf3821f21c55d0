//! Where two stores that should read alike do not: the rows that the one has and the other has not.

use std::collections::BTreeSet;
use std::path::Path;

use chrysalis_store::StoreError;
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::failure::Failure;

/// Rows that are told of: the first ones say where to look.
const TOLD_MAX: usize = 6;

/// What two replicas with the same operations must have alike, without numbers and orders of their own.
const SHARED: [(&str, &str); 6] = [
    ("log", "SELECT hex(id), hex(replica), cut FROM log"),
    (
        "operation",
        "SELECT hex(l.id), o.sequence, o.kind, o.state, o.payload IS NOT NULL FROM operation o
         JOIN log l ON l.number = o.log WHERE o.sequence < coalesce(l.cut, 9223372036854775807)",
    ),
    ("forgotten", "SELECT id, hex(owner) FROM dead"),
    ("withdrawn", "SELECT hex(digest) FROM withdrawn"),
    ("removed", "SELECT hex(replica) FROM removed"),
    ("setting", "SELECT key, value FROM setting"),
];

/// Columns of a memory that are numbers of one store.
const LOCAL: [&str; 4] = ["number", "changed", "head", "author"];

type Rows = BTreeSet<String>;

/// What two stores in these folders have differently, in words.
///
/// # Errors
/// Faults of the disk.
pub fn difference(one: &Path, other: &Path) -> Result<Vec<String>, Failure> {
    let (one, other) = (read(one)?, read(other)?);
    let only = |rows: &Rows, there: &Rows, who: &str| -> Vec<String> {
        rows.difference(there).map(|row| format!("only the {who} has {row}")).collect()
    };
    let mut told = only(&one, &other, "first");
    told.extend(only(&other, &one, "second"));
    told.truncate(TOLD_MAX);
    Ok(told)
}

fn read(folder: &Path) -> Result<Rows, Failure> {
    let connection = Connection::open(folder.join("chrysalis.db")).map_err(StoreError::from)?;
    let mut all = Rows::new();
    for (name, sql) in SHARED {
        all.extend(rows(&connection, name, sql).map_err(StoreError::from)?);
    }
    all.extend(rows(&connection, "memory", "SELECT * FROM memory").map_err(StoreError::from)?);
    Ok(all)
}

fn rows(connection: &Connection, name: &str, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    let names = statement.column_names().enumerate();
    let shared: Vec<usize> = names.filter(|(_, column)| !LOCAL.contains(column)).map(|(at, _)| at).collect();
    let mut read = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = read.next()? {
        let values = shared.iter().map(|column| Ok(shown(&row.get(*column)?)));
        let values = values.collect::<rusqlite::Result<Vec<String>>>()?;
        rows.push(format!("{name} {}", values.join(", ")));
    }
    Ok(rows)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => format!("{} bytes {:02x?}", bytes.len(), &bytes[..bytes.len().min(4)]),
    }
}
