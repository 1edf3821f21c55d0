//! The one way to write: jobs of many threads, committed together.
//!
//! Waiting for the disk is nearly all that a durable write costs, and one wait serves any number of jobs. So the
//! thread that comes first leads: it takes the write lock, runs its own job and those that came meanwhile, each
//! so that it can fail alone, and commits them in one transaction. A thread that finds nobody else does all of
//! it by itself, without a switch.

mod job;
mod line;
mod transaction;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use self::job::{Job, Task};
use self::line::{Called, Entry, Guest, Line};
use self::transaction::Transaction;
use crate::backoff::Patience;
use crate::checkpoint::{CheckpointReport, Checkpointer};
use crate::connection::{ConnectionOptions, Format, migrate, open_patient, page_bytes};
use crate::error::StoreError;
use crate::turnstile::Turnstile;

/// A transaction takes no more guests after so many,
const GUESTS_MAX: usize = 256;
/// or after so much time, so that other processes get the lock too.
const WORK_MAX: Duration = Duration::from_millis(8);

/// State in memory that is only true inside one write transaction, such as the head of the log.
///
/// It is made when a transaction begins, follows it when a job is taken back, and is dropped without
/// [`TransactionState::committed`] when the transaction is taken back as a whole.
pub trait TransactionState: Sized + Send + 'static {
    /// What lives as long as the writer and serves to make this state: keys, settings, caches.
    type Shared: Send + Sync + 'static;

    /// Makes the state of a transaction that has just begun.
    ///
    /// # Errors
    /// Any: the transaction is given up, and the job that opened it fails with this error.
    fn begin(shared: &Arc<Self::Shared>, connection: &Connection) -> Result<Self, StoreError>;

    /// Brings the state back in line with the database, after the work of one failed job was taken back while
    /// the work of those before it stays.
    ///
    /// # Errors
    /// Any: the whole transaction is given up.
    fn rollback_to_savepoint(&mut self, connection: &Connection) -> Result<(), StoreError>;

    /// The transaction is on disk.
    fn committed(self);
}

impl TransactionState for () {
    type Shared = ();

    fn begin(_shared: &Arc<()>, _connection: &Connection) -> Result<Self, StoreError> {
        Ok(())
    }

    fn rollback_to_savepoint(&mut self, _connection: &Connection) -> Result<(), StoreError> {
        Ok(())
    }

    fn committed(self) {}
}

/// Writes to one database file, for all threads of this process.
pub struct Writer<C: TransactionState> {
    path: PathBuf,
    timeout: Duration,
    shared: Arc<C::Shared>,
    line: Line<C>,
    lane: Mutex<Lane<C>>,
    patience: Arc<Patience>,
    turnstile: Turnstile,
    log_pages: Arc<AtomicU32>,
    checkpointer: Checkpointer,
}

/// What only the leading thread touches.
struct Lane<C> {
    /// None once the writer is closed.
    connection: Option<Connection>,
    page_bytes: u32,
    /// The transaction that a thread keeps open over many calls.
    batch: Option<Transaction<C>>,
}

/// Passes leading on when dropped, even while a panic unwinds.
struct Leading<'line, C>(&'line Line<C>);

impl<C> Drop for Leading<'_, C> {
    fn drop(&mut self) {
        self.0.hand_over();
    }
}

/// A guest, and what became of its job before the commit.
type Served<C> = (Guest<C>, Result<(), StoreError>);

impl<C: TransactionState> Writer<C> {
    /// Opens the file at `path` for writing, creating it when it is missing.
    ///
    /// When the file is new or older than `format`, `steps` is called with its version (0: new and empty), inside
    /// a transaction of its own, to bring it up; any number of processes may open the file at once, and one of
    /// them does it.
    ///
    /// # Errors
    /// Those of [`crate::open_writer`] and of `steps`.
    pub fn open(
        path: &Path,
        format: Format,
        options: &ConnectionOptions,
        shared: C::Shared,
        steps: impl FnOnce(&Connection, i32) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let patience = Arc::new(Patience::new(options.busy_timeout));
        let (connection, _) = open_patient(path, format, options, &patience)?;
        migrate(&connection, format, steps).map_err(|error| error.in_file(path))?;
        let log_pages = Arc::new(AtomicU32::new(0));
        let lane = Lane {
            page_bytes: page_bytes(&connection)?,
            connection: Some(count_log_pages(connection, &log_pages)?),
            batch: None,
        };
        Ok(Self {
            path: path.to_owned(),
            timeout: options.busy_timeout,
            shared: Arc::new(shared),
            line: Line::new(),
            lane: Mutex::new(lane),
            patience,
            turnstile: Turnstile::of(path),
            log_pages,
            checkpointer: Checkpointer::start(path, format, options)?,
        })
    }

    /// What all transactions share.
    pub fn shared(&self) -> &Arc<C::Shared> {
        &self.shared
    }

    /// Runs `job` in a write transaction, together with the jobs of other threads; its work is committed when
    /// this returns, as durably as the options say. Inside a batch of this thread it is part of the batch.
    ///
    /// Another thread may run the job. A job that fails or panics is taken back, and only it.
    ///
    /// # Errors
    /// That of the job; [`StoreError::Locked`] when others keep the store busy for longer than `busy_timeout`;
    /// [`StoreError::Invalid`] from inside a job; [`StoreError::Closed`]; and the faults of the disk, which fail
    /// every job of the transaction.
    pub fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection, &mut C) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let deadline = self.deadline();
        let (mut task, outcome) = Task::new(job);
        match self.line.enter()? {
            Entry::Leads => self.lead(&mut task, deadline),
            Entry::InBatch => self.run_in_batch(&mut task),
            Entry::Waits(place) => {
                let turn = place.leave(Some(Box::new(task)));
                if let Called::Leads(Some(mut job)) = self.line.wait(&turn, deadline)? {
                    self.lead(job.as_mut(), deadline);
                }
            }
        }
        outcome.take().map_err(|error| error.in_file(&self.path))
    }

    /// As [`Writer::run`], for a job that borrows: it always runs in the calling thread, which therefore waits
    /// until it leads.
    ///
    /// # Errors
    /// As [`Writer::run`].
    pub fn run_here<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection, &mut C) -> Result<T, StoreError>,
    {
        let deadline = self.deadline();
        let (mut task, outcome) = Task::new(job);
        match self.line.enter()? {
            Entry::InBatch => self.run_in_batch(&mut task),
            Entry::Leads => self.lead(&mut task, deadline),
            Entry::Waits(place) => {
                self.line.wait(&place.leave(None), deadline)?;
                self.lead(&mut task, deadline);
            }
        }
        outcome.take().map_err(|error| error.in_file(&self.path))
    }

    /// Opens a transaction that this thread keeps open: what it runs from now on becomes visible to others, and
    /// durable, with [`Writer::commit_batch`]. Everybody else's writes wait meanwhile, in other processes too.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when this thread has a batch open already; else as [`Writer::run`].
    pub fn begin_batch(&self) -> Result<(), StoreError> {
        let deadline = self.deadline();
        match self.line.enter()? {
            Entry::Leads => {}
            Entry::InBatch => {
                let what = "this thread has a batch open already".to_owned();
                return Err(StoreError::Invalid(what));
            }
            Entry::Waits(place) => drop(self.line.wait(&place.leave(None), deadline)?),
        }
        let leading = Leading(&self.line);
        let mut lane = self.lane();
        let batch = self.begin(lane.connection()?, deadline);
        lane.batch = Some(batch.map_err(|error| error.in_file(&self.path))?);
        self.line.open_batch();
        std::mem::forget(leading);
        Ok(())
    }

    /// Commits the batch of this thread.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it has none; the faults of the disk, after which nothing of it remains.
    pub fn commit_batch(&self) -> Result<(), StoreError> {
        self.end_batch(|writer, lane, batch| {
            batch.commit(lane.connection()?)?;
            writer.after_commit(lane);
            Ok(())
        })
    }

    /// Takes the batch of this thread back.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it has none.
    pub fn rollback_batch(&self) -> Result<(), StoreError> {
        self.end_batch(|_, lane, batch| {
            batch.roll_back(lane.connection()?);
            Ok(())
        })
    }

    /// Tells whether the calling thread has a batch open.
    pub fn in_batch(&self) -> bool {
        self.line.holds_batch()
    }

    /// Moves what is committed out of the write-ahead log, and with `truncate` cuts the log to nothing, so that no
    /// byte of older versions remains in it. Waits a few seconds at most for readers and other processes: the
    /// report says whether they kept it from finishing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] while this thread has a batch open, [`StoreError::Closed`], the faults of the disk.
    pub fn checkpoint_now(&self, truncate: bool) -> Result<CheckpointReport, StoreError> {
        if self.in_batch() {
            let what = "a checkpoint cannot run inside a batch".to_owned();
            return Err(StoreError::Invalid(what));
        }
        let report = self.checkpointer.checkpoint_now(truncate);
        report.map_err(|error| error.in_file(&self.path))
    }

    /// Finishes the writes that wait, takes back a batch that this thread left open, and closes the file. A writer
    /// that is dropped closes too.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another thread keeps its batch open for longer than `busy_timeout`,
    /// [`StoreError::Invalid`] from inside a job. Closing twice is no error.
    pub fn close(&self) -> Result<(), StoreError> {
        match self.line.enter() {
            Ok(Entry::Leads | Entry::InBatch) => {}
            Ok(Entry::Waits(place)) => {
                drop(self.line.wait(&place.leave(None), self.deadline())?);
            }
            Err(StoreError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        }
        let _leading = Leading(&self.line);
        self.line.close();
        self.release();
        Ok(())
    }

    fn release(&self) {
        let mut lane = self.lane();
        if let (Some(batch), Some(connection)) = (lane.batch.take(), &lane.connection) {
            batch.roll_back(connection);
        }
        self.checkpointer.close();
        drop(lane.connection.take());
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    fn lane(&self) -> MutexGuard<'_, Lane<C>> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a job and those that came meanwhile, and answers them all.
    fn lead(&self, own: &mut dyn Job<C>, deadline: Instant) {
        let leading = Leading(&self.line);
        let mut guests = Vec::new();
        let outcome = self.commit_group(own, &mut guests, deadline);
        // The next leader can begin while the answers go out.
        drop(leading);
        for (mut guest, served) in guests {
            guest.job.finish(served.and_then(|()| outcome.clone()));
        }
        own.finish(outcome);
    }

    fn commit_group(
        &self,
        own: &mut dyn Job<C>,
        guests: &mut Vec<Served<C>>,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let lane = self.lane();
        let connection = lane.connection()?;
        let mut group = self.begin(connection, deadline)?;
        if let Err(error) = group.attempt_first(connection, own) {
            group.roll_back(connection);
            return Err(error);
        }
        self.serve_guests(connection, &mut group, guests);
        group.commit(connection)?;
        self.after_commit(&lane);
        Ok(())
    }

    /// Takes the write lock, in turn with other processes.
    fn begin(&self, connection: &Connection, deadline: Instant) -> Result<Transaction<C>, StoreError> {
        self.patience.until(deadline);
        let _front = self.turnstile.enter(&self.patience);
        Transaction::begin(connection, &self.shared)
    }

    fn serve_guests(&self, connection: &Connection, group: &mut Transaction<C>, guests: &mut Vec<Served<C>>) {
        let began = Instant::now();
        while guests.len() < GUESTS_MAX && group.broken().is_none() && began.elapsed() < WORK_MAX {
            let Some(mut guest) = self.line.next_guest() else {
                return;
            };
            let served = group.attempt(connection, guest.job.as_mut());
            guests.push((guest, served));
        }
    }

    fn run_in_batch(&self, job: &mut dyn Job<C>) {
        let mut lane = self.lane();
        let Lane { connection, batch, .. } = &mut *lane;
        let outcome = match (connection, batch) {
            (Some(connection), Some(batch)) => batch.attempt(connection, job),
            _ => Err(StoreError::Closed),
        };
        job.finish(outcome);
    }

    fn end_batch(
        &self,
        end: impl FnOnce(&Self, &Lane<C>, Transaction<C>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if !self.line.holds_batch() {
            let what = "this thread has no batch open".to_owned();
            return Err(StoreError::Invalid(what));
        }
        let _leading = Leading(&self.line);
        let mut lane = self.lane();
        let batch = lane.batch.take().ok_or(StoreError::Closed)?;
        end(self, &lane, batch).map_err(|error| error.in_file(&self.path))
    }

    fn after_commit(&self, lane: &Lane<C>) {
        // 0: the transaction changed nothing.
        let pages = self.log_pages.swap(0, Ordering::Relaxed);
        if pages == 0 {
            return;
        }
        self.checkpointer.note_commit(pages);
        if let Some(connection) = &lane.connection {
            self.checkpointer.restart_if_due(connection, lane.page_bytes, &self.patience);
        }
    }
}

impl<C> Lane<C> {
    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or(StoreError::Closed)
    }
}

impl<C: TransactionState> Drop for Writer<C> {
    fn drop(&mut self) {
        self.release();
    }
}

impl<C: TransactionState> fmt::Debug for Writer<C> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Writer").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Learns from SQLite how long the write-ahead log is after each commit.
fn count_log_pages(mut connection: Connection, log_pages: &Arc<AtomicU32>) -> Result<Connection, StoreError> {
    let log_pages = Arc::clone(log_pages);
    connection.wal_hook(Some(move |_: &mut _, pages: i32| {
        log_pages.store(pages.unsigned_abs(), Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(connection)
}
