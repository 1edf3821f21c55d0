//! Connections for searching, kept between recalls.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::connection::open_reader;
use crate::error::StoreError;
use crate::schema::FORMAT;
use crate::store::Store;

/// Idle connections for searching, each with the text index attached.
const IDLE_SEARCHERS: usize = 8;

/// Connections with the text index attached.
#[derive(Default)]
pub(crate) struct Searchers(Mutex<Vec<Connection>>);

impl Searchers {
    pub(super) fn take(&self, store: &Store) -> Result<Connection, StoreError> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => {
                let connection = open_reader(&store.folder.database(), FORMAT, &store.options.connection)?;
                store.indexes.attach(&connection)?;
                Ok(connection)
            }
        }
    }

    pub(super) fn give_back(&self, connection: Connection) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_SEARCHERS {
            idle.push(connection);
        }
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
