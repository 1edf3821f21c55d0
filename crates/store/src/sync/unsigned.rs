//! Operations whose own signature turned out not to hold, although chain and seal prove whose they are: whoever passed
//! them on damaged it. A peer that has it whole is asked for it, as peers are asked for words that did not come.

use chrysalis_core::id::Fingerprint;
use chrysalis_core::operation::{Operation, fingerprint};
use chrysalis_core::sign;
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::StoreError;
use crate::schema;
use crate::store::Store;
use crate::turn::Turn;

/// Where `meta` keeps their positions, as 8 bytes each.
const KEY: &str = "unsigned";

/// So many are sought at a time. What is beyond is found by the next verification.
const UNSIGNED_MAX: usize = 1_024;

fn positions(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    let kept = schema::meta(connection, KEY)?.unwrap_or_default();
    let numbers = kept.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok());
    Ok(numbers.map(i64::from_be_bytes).collect())
}

fn keep(connection: &Connection, positions: &[i64]) -> Result<(), StoreError> {
    let bytes: Vec<u8> = positions.iter().take(UNSIGNED_MAX).flat_map(|position| position.to_be_bytes()).collect();
    schema::set_meta(connection, KEY, &bytes)
}

/// Those behind a position, to be asked for, in the order of arrival.
pub(super) fn sought(connection: &Connection, after: i64, limit: usize) -> Result<Vec<(i64, Fingerprint)>, StoreError> {
    let mut header = connection.prepare_cached("SELECT header FROM operation WHERE position = ?1")?;
    let mut sought = Vec::new();
    for position in positions(connection)?.into_iter().filter(|position| *position > after).take(limit) {
        let bytes: Option<Vec<u8>> = header.query_row([position], |row| row.get(0)).optional()?;
        sought.extend(bytes.map(|bytes| (position, fingerprint(&bytes))));
    }
    Ok(sought)
}

impl Store {
    /// Notes what a verification found.
    pub(crate) fn seek_signatures(&self, found: Vec<i64>) -> Result<(), StoreError> {
        if found.is_empty() {
            return Ok(());
        }
        self.writer.run(move |connection, _| {
            let mut all = positions(connection)?;
            all.extend(found);
            all.sort_unstable();
            all.dedup();
            keep(connection, &all)
        })
    }
}

impl Turn {
    /// Takes the signature of an operation that is sought, if it holds. Only single operations come because they were
    /// asked for.
    pub(crate) fn take_signature(&self, connection: &Connection, segment: &[Operation]) -> Result<(), StoreError> {
        let [operation] = segment else { return Ok(()) };
        let mut sought = positions(connection)?;
        if sought.is_empty() {
            return Ok(());
        }
        let tables = self.views(connection).tables;
        let Some((place, position)) = tables.place(&operation.fingerprint())? else { return Ok(()) };
        let replica = tables.log_facts(place.log)?.1.replica;
        let holds = sign::verify_operation(&replica, &operation.fingerprint(), operation.signature()).is_ok();
        if holds && sought.contains(&position) {
            let sql = "UPDATE operation SET signature = ?2, checked = 1 WHERE position = ?1";
            connection.execute(sql, (position, operation.signature().as_bytes()))?;
            sought.retain(|one| *one != position);
            keep(connection, &sought)?;
        }
        Ok(())
    }
}
