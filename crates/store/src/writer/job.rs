//! One piece of work in a transaction, and where its outcome goes.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::StoreError;

/// Work that a leader can do for whoever asked for it.
pub(super) trait Job<C> {
    /// Does the work; what it produced is kept until it is known whether the transaction holds.
    fn execute(&mut self, connection: &Connection, state: &mut C) -> Result<(), StoreError>;

    /// Hands the outcome to whoever waits for it: what the work produced, or why it did not happen.
    fn finish(&mut self, outcome: Result<(), StoreError>);
}

/// A function to run once, and its outcome.
pub(super) struct Task<F, T> {
    work: Option<F>,
    produced: Option<T>,
    outcome: Outcome<T>,
}

/// The place where the outcome of a task appears.
pub(super) struct Outcome<T>(Arc<Mutex<Option<Result<T, StoreError>>>>);

impl<T> Outcome<T> {
    /// The outcome, once the task is finished.
    pub(super) fn take(&self) -> Result<T, StoreError> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        place.take().unwrap_or_else(|| Err(lost()))
    }
}

impl<F, T> Task<F, T> {
    pub(super) fn new(work: F) -> (Self, Outcome<T>) {
        let place = Arc::new(Mutex::new(None));
        let task = Self { work: Some(work), produced: None, outcome: Outcome(Arc::clone(&place)) };
        (task, Outcome(place))
    }
}

impl<C, F, T> Job<C> for Task<F, T>
where
    F: FnOnce(&Connection, &mut C) -> Result<T, StoreError>,
{
    fn execute(&mut self, connection: &Connection, state: &mut C) -> Result<(), StoreError> {
        let work = self.work.take().ok_or_else(lost)?;
        self.produced = Some(work(connection, state)?);
        Ok(())
    }

    fn finish(&mut self, outcome: Result<(), StoreError>) {
        let result = outcome.and_then(|()| self.produced.take().ok_or_else(lost));
        let mut place = self.outcome.0.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(result);
    }
}

fn lost() -> StoreError {
    StoreError::Internal("the outcome of a write got lost".to_owned())
}
