//! Tables of `chrysalis.db`: the ground (log, operations, proofs) and the views derived from it.
//!
//! Everything under [`VIEWS`] can be dropped and made again from the ground. A new version appends a step to
//! [`MIGRATIONS`]; steps that were released never change, and a test opens a file of every version.

use rusqlite::{Connection, OptionalExtension as _};

use crate::connection::Format;
use crate::error::StoreError;

/// `application_id` and version of `chrysalis.db`. The id spells "CHRY".
pub const FORMAT: Format = Format { application_id: 0x4348_5259, version: 2 };

/// The ground: what can't be made again from anything else here.
const GROUND: &str = "
CREATE TABLE meta(
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- A log is (space, replica, epoch). `number` is its dense number in this store; `cut` the place from which it is void.
CREATE TABLE log(
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    replica BLOB NOT NULL,
    epoch BLOB NOT NULL,
    role INTEGER NOT NULL,
    own INTEGER NOT NULL,
    cut INTEGER
);

-- `position` is the order of arrival. `mark` is the first eight bytes of the fingerprint, which the header yields.
CREATE TABLE operation(
    position INTEGER PRIMARY KEY,
    mark INTEGER NOT NULL,
    log INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,
    checked INTEGER NOT NULL,
    memory INTEGER,
    expires_at INTEGER,
    header BLOB NOT NULL,
    signature BLOB NOT NULL,
    salt BLOB,
    payload BLOB
);
CREATE UNIQUE INDEX operation_place ON operation(log, sequence);
CREATE INDEX operation_mark ON operation(mark);
CREATE INDEX operation_memory ON operation(memory) WHERE memory IS NOT NULL;
CREATE INDEX operation_expiry ON operation(expires_at) WHERE expires_at IS NOT NULL AND payload IS NOT NULL;
CREATE INDEX operation_embargo ON operation(position) WHERE state = 5;

-- Headers of branches other than the first, kept where a valid operation depends on them.
CREATE TABLE void_header(
    fingerprint BLOB PRIMARY KEY,
    log INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    lamport INTEGER NOT NULL,
    header BLOB NOT NULL,
    signature BLOB NOT NULL
) WITHOUT ROWID;

-- The proof of misbehaviour with the lowest place, for each forked log.
CREATE TABLE proof(
    log INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    proof BLOB NOT NULL
);
";

/// The views: joins of operations, in the shape in which they are read.
const VIEWS: &str = "
CREATE TABLE memory(
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    changed INTEGER NOT NULL,
    head INTEGER NOT NULL,
    version INTEGER NOT NULL,
    author INTEGER NOT NULL,
    agent TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    importance INTEGER NOT NULL,
    confidence INTEGER NOT NULL,
    access_count INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,
    tier TEXT NOT NULL,
    memory_type TEXT NOT NULL,
    scope TEXT NOT NULL,
    thread TEXT,
    speaker TEXT,
    occurred_at INTEGER,
    valid_from INTEGER,
    valid_until INTEGER,
    expires_at INTEGER,
    tags BLOB,
    evidence BLOB,
    related BLOB,
    parents BLOB,
    metadata BLOB,
    content TEXT NOT NULL,
    document BLOB
);
CREATE INDEX memory_changed ON memory(changed);
CREATE INDEX memory_created ON memory(created_at);
CREATE INDEX memory_scope ON memory(scope);
CREATE INDEX memory_thread ON memory(thread) WHERE thread IS NOT NULL;
CREATE INDEX memory_expiry ON memory(expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE tag(
    name TEXT NOT NULL,
    memory INTEGER NOT NULL,
    PRIMARY KEY(name, memory)
) WITHOUT ROWID;

-- Links as their target sees them: who names it, and how (0 evidence, 1 related, 2 parent).
CREATE TABLE link(
    target TEXT NOT NULL,
    kind INTEGER NOT NULL,
    memory INTEGER NOT NULL,
    PRIMARY KEY(target, kind, memory)
) WITHOUT ROWID;

CREATE TABLE access(
    memory INTEGER NOT NULL,
    log INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY(memory, log)
) WITHOUT ROWID;

-- Forgotten ids. An empty owner stands for everyone, another for the memories that this replica created.
CREATE TABLE dead(
    id TEXT NOT NULL,
    owner BLOB NOT NULL,
    operation INTEGER NOT NULL,
    PRIMARY KEY(id, owner)
) WITHOUT ROWID;

CREATE TABLE withdrawn(
    digest BLOB PRIMARY KEY,
    operation INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE setting(
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    operation INTEGER NOT NULL
) WITHOUT ROWID;

-- At `sequence`, log `log` came to know log `other` up to `known`: vector clocks are read from these steps.
CREATE TABLE step(
    log INTEGER NOT NULL,
    other INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    known INTEGER NOT NULL,
    PRIMARY KEY(log, other, sequence)
) WITHOUT ROWID;

-- Replicas whose membership ended: logs of theirs that come later are void from the start.
CREATE TABLE removed(
    replica BLOB PRIMARY KEY,
    operation INTEGER NOT NULL
) WITHOUT ROWID;

-- Memories that operations name while nothing has created them yet, or nothing of which is left to read.
CREATE TABLE waiting(
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE
) WITHOUT ROWID;

-- Logs that have grown since this store's own log last named them: the next own operation depends on them.
CREATE TABLE unseen(
    log INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL
);

-- Memories whose words still have to leave the derived files.
CREATE TABLE erasure(
    memory INTEGER PRIMARY KEY
);

-- One row: the last number given to a change of a view.
CREATE TABLE clock(
    one INTEGER PRIMARY KEY CHECK(one = 1),
    changed INTEGER NOT NULL
);
INSERT INTO clock VALUES(1, 0);
";

/// What version 2 added to the ground: how far this store and its peers have come, and indexes for those who ask.
const PROGRESS: &str = "
-- Replicas that this one has exchanged with; `agreed` is our position when their logs last equalled ours.
CREATE TABLE peer(
    replica BLOB PRIMARY KEY,
    agreed INTEGER,
    seen_at INTEGER NOT NULL
) WITHOUT ROWID;

-- How many operations of our own logs a peer has said to have on disk.
CREATE TABLE acknowledged(
    log INTEGER NOT NULL,
    peer BLOB NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY(log, peer)
) WITHOUT ROWID;

CREATE INDEX log_replica ON log(replica);
CREATE INDEX operation_removal ON operation(position) WHERE kind = 5;
CREATE INDEX operation_absent ON operation(position) WHERE state = 6;
";

/// What version 2 added to the views.
const LOG_STATES: &str = "
-- How far each log stands here: its operations that are not void, the last of them, the place of its proof, and the position
-- at which that last changed.
CREATE TABLE log_state(
    id BLOB PRIMARY KEY,
    count INTEGER NOT NULL,
    tip BLOB NOT NULL,
    proven INTEGER,
    changed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX log_state_changed ON log_state(changed);
";

const VIEW_TABLES: [&str; 14] = [
    "memory",
    "tag",
    "link",
    "access",
    "dead",
    "withdrawn",
    "setting",
    "step",
    "removed",
    "waiting",
    "unseen",
    "erasure",
    "clock",
    "log_state",
];

/// Steps from one version to the next: the first makes version 1 out of an empty file.
const MIGRATIONS: [Migration; FORMAT.version as usize] = [create, add_progress];

type Migration = fn(&Connection) -> Result<(), StoreError>;

fn create(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(GROUND)?;
    Ok(connection.execute_batch(VIEWS)?)
}

fn add_progress(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(PROGRESS)?;
    connection.execute_batch(LOG_STATES)?;
    crate::sync::states::make_all(connection, 0)
}

/// Brings a file of this version (0: new and empty) to the current one; runs inside the caller's transaction.
///
/// # Errors
/// Those of writing.
pub fn bring_up(connection: &Connection, found: i32) -> Result<(), StoreError> {
    let found = usize::try_from(found).unwrap_or(0);
    MIGRATIONS.iter().skip(found).try_for_each(|step| step(connection))
}

/// Drops every view and makes it again, empty.
pub fn recreate_views(connection: &Connection) -> Result<(), StoreError> {
    for table in VIEW_TABLES {
        connection.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
    }
    connection.execute_batch(VIEWS)?;
    Ok(connection.execute_batch(LOG_STATES)?)
}

/// The tables that hold what came from others or was said here: all but the views, and what is kept beside the log.
pub(crate) fn ground_tables(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'meta'";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    Ok(names.into_iter().filter(|name| !VIEW_TABLES.contains(&name.as_str())).collect())
}

/// A value kept beside the log: the space, the store's mark, what the store was bound to.
pub fn meta(connection: &Connection, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// Sets a value kept beside the log.
pub fn set_meta(connection: &Connection, key: &str, value: &[u8]) -> Result<(), StoreError> {
    connection.execute("INSERT OR REPLACE INTO meta VALUES(?1, ?2)", (key, value))?;
    Ok(())
}
