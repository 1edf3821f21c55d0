//! Which space a folder keeps, and how it comes to keep one: by name, by founding, or by a token.
//!
//! A store belongs to one space. One that keeps an open space may found or join a closed one: what it remembers is then
//! said again there, in the same transaction. Nobody leaves a closed space for another by accident.

use std::path::Path;

use chrysalis_core::id::{Epoch, MemoryId, ReplicaKey};
use chrysalis_core::limits;
use chrysalis_core::member::{Open, Role, Space};
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::{Field, Payload, Value};
use chrysalis_core::token::Token;
use rusqlite::Connection;

use crate::connection::{ConnectionOptions, open_reader};
use crate::edit::Edit;
use crate::error::StoreError;
use crate::joining_again::is_another_way_in;
use crate::ledger::{Tables, damaged};
use crate::saying::create_again;
use crate::schema::{self, FORMAT};
use crate::store::StoreOptions;
use crate::turn::{Turn, UsedGrant};
use crate::view::Views;
use crate::writer::TransactionState as _;

/// The name of the open space that a new store keeps when nobody names one.
pub(crate) const SPACE_DEFAULT: &str = "default";

/// What the folder keeps, and what it shall keep.
pub(crate) struct Belonging {
    /// What was found; none in a new store.
    pub(crate) kept: Option<Space>,
    /// What it keeps once the store is open.
    pub(crate) space: Space,
    /// The grant by which it comes to keep that; none for an open space, for its founder, and for what it keeps.
    pub(crate) used: Option<UsedGrant>,
}

impl Belonging {
    /// Finds out what the folder keeps and what it shall keep.
    pub(crate) fn settle(database: &Path, options: &StoreOptions, key: ReplicaKey) -> Result<Self, StoreError> {
        let name = options.space.as_deref();
        if name.is_some_and(|name| name.is_empty() || name.len() > limits::NAME_BYTES_MAX) {
            return Err(StoreError::Invalid("a space has a name of 1 to 1024 bytes".to_owned()));
        }
        if options.closed && options.invite.is_some() {
            return Err(StoreError::Invalid("a space is founded or joined, not both at once".to_owned()));
        }
        let kept = kept_in(database, &options.connection)?;
        let space = match &options.invite {
            Some(token) => joined(kept.as_ref(), token, name)?,
            None if options.closed => founded(kept.as_ref(), options, key)?,
            None => opened(kept.as_ref(), name)?,
        };
        let now_ms = (options.clock)();
        let used = match &options.invite {
            Some(token) if kept.as_ref() != Some(&space) || says_more(database, options, &space, key, token)? => {
                Some(accept(token, &key, now_ms)?)
            }
            _ => None,
        };
        Ok(Self { kept, space, used })
    }

    /// The grant by which a store that belongs already joins once more.
    pub(crate) fn joins_again(&self) -> Option<&UsedGrant> {
        self.used.as_ref().filter(|_| self.kept.as_ref() == Some(&self.space))
    }
}

/// Whether a token for the space that is kept already says something new.
fn says_more(
    database: &Path,
    options: &StoreOptions,
    space: &Space,
    key: ReplicaKey,
    token: &Token,
) -> Result<bool, StoreError> {
    let reader = open_reader(database, FORMAT, &options.connection)?;
    let tables = Tables { connection: &reader, space: space.id() };
    is_another_way_in(&Views { tables, space, now_ms: (options.clock)(), memo: Default::default() }, token, &key)
}

/// The space of this database; none when there is no database yet.
fn kept_in(database: &Path, options: &ConnectionOptions) -> Result<Option<Space>, StoreError> {
    if std::fs::metadata(database).map_or(0, |file| file.len()) == 0 {
        return Ok(None);
    }
    let reader = open_reader(database, FORMAT, options)?;
    let is_new = reader.query_row("SELECT NOT EXISTS(SELECT 1 FROM sqlite_master WHERE name = 'meta')", [], |row| {
        row.get::<_, bool>(0)
    })?;
    if is_new { Ok(None) } else { kept_by(&reader).map_err(|error| error.in_file(database)) }
}

/// The space that the store behind this connection keeps.
pub(crate) fn kept_by(connection: &Connection) -> Result<Option<Space>, StoreError> {
    let bytes = schema::meta(connection, "space")?;
    bytes.map(|bytes| Space::decode(&bytes).map_err(|refusal| damaged(refusal.to_string()))).transpose()
}

fn opened(kept: Option<&Space>, name: Option<&str>) -> Result<Space, StoreError> {
    let Some(kept) = kept else { return Ok(Space::Open { name: name.unwrap_or(SPACE_DEFAULT).to_owned() }) };
    match name {
        Some(name) if name != kept.name() => Err(other_space(kept, name)),
        _ => Ok(kept.clone()),
    }
}

fn founded(kept: Option<&Space>, options: &StoreOptions, founder: ReplicaKey) -> Result<Space, StoreError> {
    let name = options.space.as_deref();
    match kept {
        Some(Space::Closed { .. }) => opened(kept, name),
        _ => {
            let name = name.or(kept.map(Space::name)).unwrap_or(SPACE_DEFAULT).to_owned();
            let mut nonce = Epoch([0; Epoch::LENGTH]);
            (options.randomness)(&mut nonce.0)?;
            Ok(Space::Closed { name, founder, nonce })
        }
    }
}

fn joined(kept: Option<&Space>, token: &Token, name: Option<&str>) -> Result<Space, StoreError> {
    if name.is_some_and(|name| name != token.space.name()) {
        let what = format!("the token leads into the space {:?}, not {:?}", token.space.name(), name.unwrap_or(""));
        return Err(StoreError::Invalid(what));
    }
    match kept {
        Some(closed @ Space::Closed { .. }) if *closed != token.space => {
            let what = format!(
                "this store keeps the closed space {:?} already, and the token leads into another one, {:?}: \
                 join it with a store of its own",
                closed.name(),
                token.space.name()
            );
            Err(StoreError::Refused("wrong_space", what))
        }
        _ => Ok(token.space.clone()),
    }
}

fn other_space(kept: &Space, name: &str) -> StoreError {
    StoreError::Invalid(format!("this store keeps the space {:?}, not {name:?}", kept.name()))
}

/// A memory on its way into another space.
struct Brought {
    number: i64,
    id: String,
    agent: String,
    edit: Edit,
}

/// Makes the store keep another space than before: its memories are said again there. Returns how many.
pub(crate) fn move_into(
    connection: &Connection,
    turn: &mut Turn,
    old: &Space,
    used: Option<UsedGrant>,
) -> Result<usize, StoreError> {
    let space = turn.shared().space.clone();
    let brought = memories_of(connection, turn, old)?;
    if let Some(role) = used.as_ref().map(|used| used.grant.invitation.role)
        && role < Role::Writer
        && !brought.is_empty()
    {
        let what = format!(
            "this store has {} memories of its own, and as a {} it could not bring them along: join with a new store, \
             or ask for an invitation as a writer",
            brought.len(),
            role.name()
        );
        return Err(StoreError::Refused("role_lacking", what));
    }
    empty(connection, &brought)?;
    schema::set_meta(connection, "space", &space.encode())?;
    turn.rollback_to_savepoint(connection)?;
    turn.open_epoch(connection, used)?;
    let count = brought.len();
    for memory in brought {
        say_again(connection, turn, memory)?;
    }
    Ok(count)
}

/// Everything that can be read, oldest first.
fn memories_of(connection: &Connection, turn: &Turn, old: &Space) -> Result<Vec<Brought>, StoreError> {
    let now_ms = (turn.shared().clock)();
    let tables = Tables { connection, space: old.id() };
    let views = Views { tables, space: old, now_ms, memo: Default::default() };
    let sql = "SELECT number, id, agent, created_at FROM memory WHERE expires_at IS NULL OR expires_at > ?1
               ORDER BY created_at, number";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([now_ms as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, created_ms): (i64, i64) = (row.get(0)?, row.get(3)?);
        let mut edit = Edit::default().restating(&views.document(number)?);
        // It is created anew, so the time when it was first said would be lost.
        edit.registers.entry(Field::OccurredAt).or_insert(Value::Integer(created_ms));
        found.push(Brought { number, id: row.get(1)?, agent: row.get(2)?, edit });
    }
    Ok(found)
}

/// Takes everything of the space before out of the store, but for the numbers of memories that come along: files that
/// are derived from them stay true.
fn empty(connection: &Connection, brought: &[Brought]) -> Result<(), StoreError> {
    let clock: i64 = connection.query_row("SELECT changed FROM clock", [], |row| row.get(0))?;
    connection.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS owed(memory INTEGER PRIMARY KEY); DELETE FROM owed;
         INSERT INTO owed SELECT memory FROM erasure UNION SELECT number FROM memory UNION SELECT 0;",
    )?;
    for table in schema::ground_tables(connection)? {
        connection.execute_batch(&format!("DELETE FROM \"{table}\""))?;
    }
    schema::recreate_views(connection)?;
    connection.execute("UPDATE clock SET changed = ?1", [clock])?;
    let mut waits = connection.prepare("INSERT INTO waiting(id, number) VALUES(?1, ?2)")?;
    let mut comes = connection.prepare("DELETE FROM owed WHERE memory = ?1")?;
    for memory in brought {
        waits.execute((&memory.id, memory.number))?;
        comes.execute([memory.number])?;
    }
    Ok(connection.execute_batch("INSERT INTO erasure SELECT memory FROM owed; DROP TABLE owed;")?)
}

fn say_again(connection: &Connection, turn: &mut Turn, memory: Brought) -> Result<(), StoreError> {
    let Brought { id, agent, edit, .. } = memory;
    create_again(connection, turn, &agent, &MemoryId::new(&id)?, edit).map_err(|error| match error {
        StoreError::Refused(code, why) => StoreError::Refused(code, format!("memory {id:?}: {why}")),
        other => other,
    })
}

/// The grant with which the own log opened, and the time at which it was used. A later epoch opens with the same
/// two: the invitation was used then, whatever has expired since.
pub(crate) fn kept_grant(connection: &Connection) -> Result<Option<UsedGrant>, StoreError> {
    let tables = Tables { connection, space: chrysalis_core::id::SpaceId([0; 48]) };
    let Some((own, _)) = tables.own_head()? else { return Ok(None) };
    let opening = tables.opening(own)?.ok_or_else(|| damaged("the own log has no beginning"))?;
    Ok(opened_by(&opening.operation).and_then(|(_, used)| used))
}

/// Who opened a log by this operation, and by what grant; none when it opens nothing that can be read.
pub(crate) fn opened_by(opening: &Operation) -> Option<(Box<Open>, Option<UsedGrant>)> {
    let header = opening.header();
    match Payload::decode(header.kind, &opening.body()?.payload) {
        Ok(Payload::Open(mut open)) => {
            let used = open.grant.take().map(|grant| UsedGrant { grant, at_ms: header.hybrid_ms });
            Some((open, used))
        }
        _ => None,
    }
}

/// What a token gives this replica now.
fn accept(token: &Token, replica: &ReplicaKey, now_ms: u64) -> Result<UsedGrant, StoreError> {
    if token.invitation.expires_ms.is_some_and(|expires_ms| now_ms > expires_ms) {
        let what = "the invitation has expired: ask an administrator for a new one".to_owned();
        return Err(StoreError::Refused("invitation_expired", what));
    }
    Ok(UsedGrant { grant: token.accept(replica), at_ms: now_ms })
}
