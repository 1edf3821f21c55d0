//! A pool of connections that read.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::connection::{ConnectionOptions, Format, open_reader};
use crate::error::StoreError;

/// More idle readers than this are closed: each holds a page cache and three file handles.
const IDLE_READERS: usize = 8;

/// Connections that read one file, opened when needed and kept for the next reader.
///
/// Cloning gives another handle on the same pool.
#[derive(Clone)]
pub struct Readers {
    pool: Arc<Pool>,
}

struct Pool {
    path: PathBuf,
    format: Format,
    options: ConnectionOptions,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    closed: bool,
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Readers {
    /// A pool for the file at `path`; nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>, format: Format, options: ConnectionOptions) -> Self {
        let pool = Pool { path: path.into(), format, options, idle: Mutex::default() };
        Self { pool: Arc::new(pool) }
    }

    /// A connection for the caller alone, which goes back to the pool when dropped. It never waits for another.
    ///
    /// # Errors
    /// [`StoreError::Closed`] after [`Readers::close`], or those of [`open_reader`].
    pub fn get(&self) -> Result<ReadConnection, StoreError> {
        let mut idle = self.pool.idle();
        if idle.closed {
            return Err(StoreError::Closed);
        }
        let kept = idle.connections.pop();
        drop(idle);
        let connection = match kept {
            Some(connection) => connection,
            None => open_reader(&self.pool.path, self.pool.format, &self.pool.options)?,
        };
        Ok(ReadConnection { connection: Some(connection), pool: Arc::clone(&self.pool) })
    }

    /// Closes the idle connections now and those in use as they are dropped.
    pub fn close(&self) {
        let mut idle = self.pool.idle();
        idle.closed = true;
        let connections = std::mem::take(&mut idle.connections);
        drop(idle);
        drop(connections);
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Readers").field("path", &self.pool.path).finish_non_exhaustive()
    }
}

/// A connection out of the pool of [`Readers`].
pub struct ReadConnection {
    /// Present until the drop.
    connection: Option<Connection>,
    pool: Arc<Pool>,
}

impl Deref for ReadConnection {
    type Target = Connection;

    #[expect(clippy::expect_used, reason = "only the drop takes the connection away")]
    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a reader in use has a connection")
    }
}

impl Drop for ReadConnection {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        // A snapshot left open would keep every checkpoint from finishing.
        let clean = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        let mut idle = self.pool.idle();
        if clean && !idle.closed && idle.connections.len() < IDLE_READERS {
            idle.connections.push(connection);
        }
    }
}

impl fmt::Debug for ReadConnection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ReadConnection").field("path", &self.pool.path).finish_non_exhaustive()
    }
}
