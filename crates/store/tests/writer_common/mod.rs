//! A small database that the tests of the writer share.

#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrysalis_store::{ConnectionOptions, Format, StoreError, TransactionState, Writer};
use rusqlite::Connection;

pub const FORMAT: Format = Format { application_id: 0x7465_7374, version: 1 };

/// Counts what was written in the open transaction, as the head of a log would.
#[derive(Debug)]
pub struct Count(pub i64);

impl TransactionState for Count {
    type Shared = ();

    fn begin(_shared: &Arc<()>, connection: &Connection) -> Result<Self, StoreError> {
        Ok(Self(rows(connection)?))
    }

    fn rollback_to_savepoint(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.0 = rows(connection)?;
        Ok(())
    }

    fn committed(self) {}
}

pub fn rows(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT count(*) FROM entry", [], |row| row.get(0))?)
}

/// Writes one entry, checking that the state in memory and the table agree.
pub fn add(connection: &Connection, count: &mut Count, name: &str) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached("INSERT INTO entry (name) VALUES (?1)")?;
    statement.execute([name])?;
    count.0 += 1;
    Ok(connection.last_insert_rowid())
}

pub fn options() -> ConnectionOptions {
    ConnectionOptions::default()
}

pub fn impatient(milliseconds: u64) -> ConnectionOptions {
    ConnectionOptions { busy_timeout: Duration::from_millis(milliseconds), ..options() }
}

pub fn open(path: &Path, options: &ConnectionOptions) -> Result<Writer<Count>, StoreError> {
    Writer::open(path, FORMAT, options, (), |connection, _| {
        connection.execute_batch("CREATE TABLE entry (number INTEGER PRIMARY KEY, name TEXT)")?;
        Ok(())
    })
}

/// All names, read by a connection of its own.
pub fn names(path: &Path) -> Vec<String> {
    let connection = chrysalis_store::open_reader(path, FORMAT, &options()).unwrap();
    let mut statement = connection.prepare("SELECT name FROM entry ORDER BY name").unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

/// Starts this test program again, to run only the test `name`, with its task in the environment.
pub fn spawn_self(name: &str, task: &Path, number: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("CHILD_TASK", task)
        .env("CHILD_NUMBER", number.to_string())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

/// The task that [`spawn_self`] gave to this process, if it is a child.
pub fn child_task() -> Option<(PathBuf, usize)> {
    let task = PathBuf::from(std::env::var_os("CHILD_TASK")?);
    Some((task, std::env::var("CHILD_NUMBER").ok()?.parse().ok()?))
}

/// Waits for a condition that another thread or process brings about, for a minute at most: the machine may be busy.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        // Spinning would take the processor from those who are waited for.
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

pub fn finish(mut child: Child) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
