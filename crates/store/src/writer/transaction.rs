//! One write transaction: jobs run in it one after the other, and a job that fails takes only itself back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::Connection;

use super::TransactionState;
use super::job::Job;
use crate::error::StoreError;

/// A transaction that is open on the connection given to every call.
pub(super) struct Transaction<C> {
    state: C,
    /// Why SQLite took the whole transaction back by itself, as it does when the disk is full.
    broken: Option<StoreError>,
}

impl<C: TransactionState> Transaction<C> {
    /// Takes the write lock, waiting for it as long as the connection's patience lasts.
    pub(super) fn begin(connection: &Connection, shared: &Arc<C::Shared>) -> Result<Self, StoreError> {
        execute(connection, "BEGIN IMMEDIATE")?;
        match guarded(|| C::begin(shared, connection)) {
            Ok(state) => Ok(Self { state, broken: None }),
            Err(error) => {
                roll_back(connection);
                Err(error)
            }
        }
    }

    /// Runs a job that is alone in the transaction so far: when it fails, the transaction must be rolled back.
    pub(super) fn attempt_first(&mut self, connection: &Connection, job: &mut dyn Job<C>) -> Result<(), StoreError> {
        let state = &mut self.state;
        let outcome = guarded(|| job.execute(connection, state));
        self.note_end(connection, outcome)
    }

    /// Runs a job in a savepoint, so that the work before it stays when it fails.
    pub(super) fn attempt(&mut self, connection: &Connection, job: &mut dyn Job<C>) -> Result<(), StoreError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        execute(connection, "SAVEPOINT job")?;
        let outcome = self.attempt_first(connection, job);
        if self.broken.is_some() {
            return outcome;
        }
        if outcome.is_err() {
            self.take_back(connection);
        }
        match execute(connection, "RELEASE job") {
            Ok(()) => outcome,
            Err(error) => self.fail(error),
        }
    }

    /// Why nothing of this transaction can be committed any more, if so.
    pub(super) fn broken(&self) -> Option<&StoreError> {
        self.broken.as_ref()
    }

    /// Makes the work durable; nothing of it remains when this fails.
    pub(super) fn commit(self, connection: &Connection) -> Result<(), StoreError> {
        let committed = match self.broken {
            Some(error) => Err(error),
            None => execute(connection, "COMMIT"),
        };
        if let Err(error) = committed {
            roll_back(connection);
            return Err(error);
        }
        // The work is on disk: a panic in here can no longer make it fail.
        let _ = guarded(|| {
            self.state.committed();
            Ok(())
        });
        Ok(())
    }

    /// Takes everything back.
    pub(super) fn roll_back(self, connection: &Connection) {
        roll_back(connection);
    }

    /// Notices when the whole transaction ended inside a job.
    fn note_end(&mut self, connection: &Connection, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        if !connection.is_autocommit() {
            return outcome;
        }
        let error = outcome
            .err()
            .unwrap_or_else(|| StoreError::Internal("a job ended the transaction that it ran in".to_owned()));
        self.fail(error)
    }

    fn take_back(&mut self, connection: &Connection) {
        let state = &mut self.state;
        let taken_back =
            execute(connection, "ROLLBACK TO job").and_then(|()| guarded(|| state.rollback_to_savepoint(connection)));
        if let Err(error) = taken_back {
            self.broken = Some(error);
        }
    }

    fn fail(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.broken = Some(error.clone());
        Err(error)
    }
}

/// Ends whatever transaction is open. SQLite may have done so itself, and cannot fail to otherwise.
fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        let _ = execute(connection, "ROLLBACK");
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Turns a panic into an error. What the panic left half done is rolled back by the caller.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<&str>()
            .map(|said| (*said).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "without a message".to_owned());
        Err(StoreError::Internal(format!("a write panicked: {said}")))
    })
}
