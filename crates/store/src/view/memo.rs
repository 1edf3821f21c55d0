//! What [`Views`] remember of their tables while a run of new memories comes, so that nothing is asked again for each.

use std::cell::Cell;

use chrysalis_core::merge::Reading;
use chrysalis_core::operation::Kind;

use crate::error::StoreError;
use crate::ledger::State;

use super::{Arrived, Views};

/// What stays true while nothing but new memories comes: they are put into none of these tables.
#[derive(Clone, Copy)]
pub(super) struct Quiet {
    /// Nothing was forgotten.
    pub(super) none_dead: bool,
    /// Nothing was withdrawn.
    pub(super) none_withdrawn: bool,
    /// No id waits for what creates it.
    pub(super) none_waiting: bool,
    /// How scores are read.
    pub(super) reading: Reading,
    /// The number that was given out last.
    pub(super) newest: i64,
}

/// What one value of [`Views`] remembers: nothing, unless it takes in a run.
#[derive(Default)]
pub(crate) struct Memo {
    /// The number that was given out last, through this value: nobody outside this transaction has seen it.
    pub(super) fresh: Cell<Option<i64>>,
    pub(super) quiet: Cell<Option<Quiet>>,
}

impl Views<'_> {
    /// Reads what a run of new memories would ask for each, unless it is remembered. Any other kind of operation may
    /// change it while it has its effect, and then asks for it.
    pub(super) fn remember_quiet(&self, kind: Kind) -> Result<(), StoreError> {
        if kind != Kind::Write {
            self.memo.quiet.set(None);
            return Ok(());
        }
        if self.memo.quiet.get().is_some() {
            return Ok(());
        }
        let sql = "SELECT NOT EXISTS(SELECT 1 FROM dead), NOT EXISTS(SELECT 1 FROM withdrawn),
                       NOT EXISTS(SELECT 1 FROM waiting), changed FROM clock";
        let mut statement = self.connection().prepare_cached(sql)?;
        let reading = self.reading()?;
        let read = |row: &rusqlite::Row<'_>| {
            let (none_dead, none_withdrawn) = (row.get(0)?, row.get(1)?);
            Ok(Quiet { none_dead, none_withdrawn, none_waiting: row.get(2)?, reading, newest: row.get(3)? })
        };
        self.memo.quiet.set(Some(statement.query_row([], read)?));
        Ok(())
    }

    /// Forgets what an operation may have changed: all of it, unless it was the first of a memory that was shown.
    pub(super) fn forget_quiet_after(&self, arrived: &Arrived<'_>) {
        let plain = arrived.first && arrived.state == State::Live && arrived.operation.header().kind == Kind::Write;
        if !plain {
            self.memo.quiet.set(None);
        }
    }
}
