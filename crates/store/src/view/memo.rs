//! What [`Views`] remember of their tables while a run of new memories comes, so that nothing is asked, looked up or
//! written again for each.

use std::cell::Cell;

use chrysalis_core::merge::Reading;
use chrysalis_core::operation::Kind;

use crate::connection::Held;
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
    /// The number that the table has for it.
    pub(super) noted: i64,
}

/// What one value of [`Views`] remembers: statements, and more only while it takes in a run.
#[derive(Default)]
pub(crate) struct Memo<'c> {
    /// The number that was given out last, through this value: nobody outside this transaction has seen it.
    pub(super) fresh: Cell<Option<i64>>,
    pub(super) quiet: Cell<Option<Quiet>>,
    pub(super) operation: Held<'c>,
    pub(super) new_memory: Held<'c>,
    pub(super) known_memory: Held<'c>,
    pub(super) tag: Held<'c>,
    pub(super) link: Held<'c>,
}

impl Views<'_> {
    /// Reads what a run of new memories would ask for each, unless it is remembered. Any other kind of operation may
    /// change it while it has its effect, and then asks for it.
    pub(super) fn remember_quiet(&self, kind: Kind) -> Result<(), StoreError> {
        if kind != Kind::Write {
            return self.forget_quiet();
        }
        if self.memo.quiet.get().is_some() {
            return Ok(());
        }
        let sql = "SELECT NOT EXISTS(SELECT 1 FROM dead), NOT EXISTS(SELECT 1 FROM withdrawn),
                       NOT EXISTS(SELECT 1 FROM waiting), changed FROM clock";
        let mut statement = self.connection().prepare_cached(sql)?;
        let reading = self.reading()?;
        let read = |row: &rusqlite::Row<'_>| {
            let (none_dead, none_withdrawn, newest) = (row.get(0)?, row.get(1)?, row.get(3)?);
            Ok(Quiet { none_dead, none_withdrawn, none_waiting: row.get(2)?, reading, newest, noted: newest })
        };
        self.memo.quiet.set(Some(statement.query_row([], read)?));
        Ok(())
    }

    /// Forgets what an operation may have changed: all of it, unless it was the first of a memory that was shown.
    pub(super) fn forget_quiet_after(&self, arrived: &Arrived<'_>) -> Result<(), StoreError> {
        let plain = arrived.first && arrived.state == State::Live && arrived.operation.header().kind == Kind::Write;
        if plain { Ok(()) } else { self.forget_quiet() }
    }

    /// Forgets all of it, and notes the numbers that were given out meanwhile.
    pub(super) fn forget_quiet(&self) -> Result<(), StoreError> {
        match self.memo.quiet.take() {
            Some(quiet) if quiet.newest > quiet.noted => self.note_newest(quiet.newest),
            _ => Ok(()),
        }
    }
}
