//! How many memories a term stands in, remembered per process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::postings;
use super::query::Term;
use crate::error::StoreError;

/// Terms remembered at a time; some 100 bytes each.
const TERMS_REMEMBERED_MAX: usize = 16_384;

#[derive(Debug, Clone, Copy)]
struct Counted {
    memories: u64,
    rows: u64,
}

impl Counted {
    /// A count holds until the index has grown or shrunk by a tenth; nothing but speed and cut hang on it.
    fn holds_at(self, rows: u64) -> bool {
        self.memories > 0 && rows.abs_diff(self.rows) <= self.rows / 10
    }
}

/// The document frequencies of one store's text index, shared by the threads of a process.
#[derive(Debug, Default)]
pub struct Frequencies {
    counted: Mutex<HashMap<Term, Counted>>,
}

impl Frequencies {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// In how many of the `rows` memories `term` stands: exact when it was never counted, else up to a tenth old.
    /// A term that was in none is counted again each time, which costs next to nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub fn count(&self, reader: &Connection, term: &Term, rows: u64) -> Result<u64, StoreError> {
        if let Some(counted) = self.remembered().get(term).filter(|counted| counted.holds_at(rows)) {
            return Ok(counted.memories);
        }
        let memories = postings::count(reader, term)?;
        let mut remembered = self.remembered();
        if remembered.len() >= TERMS_REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(term.clone(), Counted { memories, rows });
        Ok(memories)
    }

    /// Forgets every count, and with them the words that were asked for.
    pub fn clear(&self) {
        self.remembered().clear();
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<Term, Counted>> {
        // A thread that died while it held the lock left a map of counts, each of them whole.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
