//! What differs from now at an earlier time that a recall asks about.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::as_of;
use crate::error::StoreError;
use crate::row::{self, MemoryRow};
use crate::search::Number;
use crate::search::filter::Filter;
use crate::store::Store;

/// Memories that were written since the time that is asked about, as they were then, and a filter for all others.
#[derive(Default)]
pub(super) struct Then {
    pub filter: Filter,
    pub rows: BTreeMap<Number, MemoryRow>,
}

impl Then {
    /// The present: nothing differs.
    pub(super) fn now(filter: &Filter) -> Self {
        Self { filter: filter.clone(), rows: BTreeMap::new() }
    }

    pub(super) fn at(store: &Store, searcher: &Connection, at: i64, filter: &Filter) -> Result<Self, StoreError> {
        let until = Some(filter.until.map_or(at + 1, |until| until.min(at + 1)));
        let filter = Filter { until, valid_at: Some(at), ..filter.clone() };
        let rows = as_of::rows_changed_since(&store.views(searcher), at, &filter)?;
        let rows = rows.into_iter().map(|row| (row.number, row)).collect();
        Ok(Self { filter: Filter { updated_until: Some(at), ..filter }, rows })
    }

    /// The memory as it was; `None` when it has been forgotten meanwhile.
    pub(super) fn row(&self, searcher: &Connection, number: Number) -> Result<Option<MemoryRow>, StoreError> {
        match self.rows.get(&number) {
            Some(row) => Ok(Some(row.clone())),
            None => row::by_number(searcher, number),
        }
    }
}
