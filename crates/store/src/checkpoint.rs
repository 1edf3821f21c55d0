//! Moving committed pages from the write-ahead log into the database, off the path of writes.
//!
//! A thread that sleeps until there is something to do takes the work: it neither blocks writers nor readers. But
//! while others write it never reaches the end of the log, which would grow for ever, and appending to a file that
//! grows makes each fsync dearer than writing over one that does not. So after the thread has moved nearly all, the
//! writer moves the few pages that came meanwhile, and the log starts over.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::backoff::Patience;
use crate::connection::{ConnectionOptions, Format, open_patient};
use crate::error::StoreError;

/// A checkpoint begins when the log has grown by so many pages since the last one,
const PAGES_DUE: u32 = 2_000;
/// or so long after the first commit that none has seen.
const TIME_DUE: Duration = Duration::from_secs(4);
/// How long the writer waits for readers of old pages when it starts the log over,
const RESTART_WAIT: Duration = Duration::from_millis(2);
/// and how long once the log is as large as this: they are all that can keep it growing.
const LOG_BYTES_MAX: u64 = 64 << 20;
const OUTGROWN_WAIT: Duration = Duration::from_millis(50);
/// How long a checkpoint that was asked for waits for readers and other processes, unless a connection waits less.
const REQUEST_WAIT: Duration = Duration::from_secs(5);
/// The same when the store is being closed: whoever remains will do it.
const CLOSE_WAIT: Duration = Duration::from_millis(250);

/// What a checkpoint reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointReport {
    /// Whether all of the log was moved (and, when asked for, the log emptied); otherwise readers or other
    /// processes kept it from finishing in time.
    pub complete: bool,
    /// Pages in the log; 0 when it was emptied.
    pub log_pages: u32,
    /// How many of these are in the database.
    pub moved_pages: u32,
}

/// How much a checkpoint does, by SQLite's names.
#[derive(Clone, Copy)]
enum Mode {
    /// What can be done without waiting for anybody.
    Passive,
    /// Everything, waiting for writers and readers.
    Full,
    /// The same, and the next writer starts the log over.
    Restart,
    /// The same, and the log is cut to nothing.
    Truncate,
}

/// The thread that checkpoints one database, and what it knows.
pub(crate) struct Checkpointer {
    common: Arc<Common>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Common {
    schedule: Mutex<Schedule>,
    changed: Condvar,
    connection: Mutex<Option<Connection>>,
    request_wait: Duration,
    patience: Arc<Patience>,
}

#[derive(Default)]
struct Schedule {
    /// Pages in the log after the last commit,
    pages: u32,
    /// and when the last checkpoint began.
    pages_seen: u32,
    /// When the first commit came that no checkpoint has seen.
    waiting_since: Option<Instant>,
    /// Whether the writer should move the rest and start the log over.
    restart_due: bool,
    stopped: bool,
}

impl Schedule {
    /// Takes note of a commit; tells whether the thread must look at its schedule again.
    fn note(&mut self, pages: u32) -> bool {
        if pages < self.pages {
            // The log was started over.
            self.pages_seen = 0;
            self.restart_due = false;
        }
        let was_due = self.pages_due();
        self.pages = pages;
        let first = self.waiting_since.is_none();
        self.waiting_since.get_or_insert_with(Instant::now);
        first || (self.pages_due() && !was_due)
    }

    fn pages_due(&self) -> bool {
        self.waiting_since.is_some() && self.pages.saturating_sub(self.pages_seen) >= PAGES_DUE
    }

    /// How long the thread may sleep; none: until it is woken.
    fn time_left(&self) -> Option<Duration> {
        let since = self.waiting_since?;
        if self.pages_due() {
            return Some(Duration::ZERO);
        }
        Some(TIME_DUE.saturating_sub(since.elapsed()))
    }

    /// Takes the commits so far as seen: when readers hold some back, the next commit brings them up again.
    fn begin(&mut self) {
        self.pages_seen = self.pages;
        self.waiting_since = None;
    }

    /// Takes note of a checkpoint that the thread has done.
    fn end(&mut self) {
        self.restart_due = self.pages >= PAGES_DUE;
    }
}

impl Common {
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: sleeps until a checkpoint is due, does it, and ends when told.
    fn serve(&self) {
        while self.wait_until_due() {
            if let Some(connection) = self.connection().as_ref() {
                // A fault here loses nothing; the writer meets it too, and there somebody hears of it.
                let _ = checkpoint(connection, Mode::Passive);
            }
            self.schedule().end();
        }
    }

    fn wait_until_due(&self) -> bool {
        let mut schedule = self.schedule();
        while !schedule.stopped {
            schedule = match schedule.time_left() {
                None => self.changed.wait(schedule).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    schedule.begin();
                    return true;
                }
                Some(left) => {
                    let woken = self.changed.wait_timeout(schedule, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        false
    }

    fn checkpoint_within(&self, mode: Mode, wait: Duration) -> Result<CheckpointReport, StoreError> {
        let connection = self.connection();
        let connection = connection.as_ref().ok_or(StoreError::Closed)?;
        self.patience.until(Instant::now() + wait);
        self.schedule().begin();
        checkpoint(connection, mode)
    }
}

impl Checkpointer {
    /// Opens a connection of its own and starts the thread.
    pub(crate) fn start(path: &Path, format: Format, options: &ConnectionOptions) -> Result<Self, StoreError> {
        let patience = Arc::new(Patience::new(options.busy_timeout));
        let (connection, _) = open_patient(path, format, options, &patience)?;
        let common = Arc::new(Common {
            schedule: Mutex::default(),
            changed: Condvar::new(),
            connection: Mutex::new(Some(connection)),
            request_wait: REQUEST_WAIT.min(options.busy_timeout),
            patience,
        });
        let served = Arc::clone(&common);
        let thread = Builder::new()
            .name("chrysalis-checkpoint".to_owned())
            .spawn(move || served.serve())
            .map_err(|error| StoreError::io(path, error))?;
        Ok(Self { common, thread: Mutex::new(Some(thread)) })
    }

    /// Takes note of a commit that left `pages` in the log.
    pub(crate) fn note_commit(&self, pages: u32) {
        if self.common.schedule().note(pages) {
            self.common.changed.notify_one();
        }
    }

    /// Starts the log over from the writer's own connection when that is due.
    pub(crate) fn restart_if_due(&self, connection: &Connection, page_bytes: u32, patience: &Patience) {
        let mut schedule = self.common.schedule();
        if !std::mem::take(&mut schedule.restart_due) {
            return;
        }
        let log_bytes = u64::from(schedule.pages) * u64::from(page_bytes);
        schedule.begin();
        drop(schedule);
        let outgrown = log_bytes > LOG_BYTES_MAX;
        patience.until(Instant::now() + if outgrown { OUTGROWN_WAIT } else { RESTART_WAIT });
        // When readers or other processes are in the way, the next two thousand pages bring it up again.
        let _ = checkpoint(connection, Mode::Restart);
    }

    /// Checkpoints now, in the calling thread.
    pub(crate) fn checkpoint_now(&self, truncate: bool) -> Result<CheckpointReport, StoreError> {
        let mode = if truncate { Mode::Truncate } else { Mode::Full };
        self.common.checkpoint_within(mode, self.common.request_wait)
    }

    /// Ends the thread and empties the log if nobody else holds it. The writer's connection must have no open
    /// transaction. Asking twice is harmless.
    pub(crate) fn close(&self) {
        self.common.schedule().stopped = true;
        self.common.changed.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
            let _ = self.common.checkpoint_within(Mode::Truncate, CLOSE_WAIT);
        }
        drop(self.common.connection().take());
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Checkpointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Checkpointer").finish_non_exhaustive()
    }
}

fn checkpoint(connection: &Connection, mode: Mode) -> Result<CheckpointReport, StoreError> {
    let sql = match mode {
        Mode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Mode::Full => "PRAGMA wal_checkpoint(FULL)",
        Mode::Restart => "PRAGMA wal_checkpoint(RESTART)",
        Mode::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let (busy, log, moved) = connection
        .query_row(sql, [], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    Ok(CheckpointReport {
        complete: !busy && log == moved,
        log_pages: u32::try_from(log).unwrap_or(0),
        moved_pages: u32::try_from(moved).unwrap_or(0),
    })
}
