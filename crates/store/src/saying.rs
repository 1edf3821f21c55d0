//! From an edit to operations of the own log: mostly one, and as many as it takes where a memory is said again.

use chrysalis_core::id::MemoryId;
use chrysalis_core::limits;
use chrysalis_core::member::Role;
use chrysalis_core::merge::Document;
use chrysalis_core::payload::{Field, Forget, Payload, Value};
use rusqlite::Connection;

use crate::edit::{About, Edit};
use crate::error::StoreError;
use crate::ledger::State;
use crate::row::{self, MemoryRow};
use crate::store::{Forgotten, Remember};
use crate::turn::{Turn, random};
use crate::view::Views;

/// A time that never comes: the end of what has none.
const NEVER: i64 = i64::MAX;

/// What one or more operations say of a memory.
struct Part {
    edit: Edit,
    /// When their words go.
    end: i64,
    /// Bytes of payload that one of them may have.
    bytes_max: usize,
}

pub(crate) fn remember_one(
    connection: &Connection,
    turn: &mut Turn,
    agent: &str,
    wanted: Remember,
) -> Result<MemoryRow, StoreError> {
    let id = match &wanted.id {
        Some(id) => MemoryId::new(id)?,
        None => MemoryId::new(&new_id((turn.shared().clock)())?)?,
    };
    let known = match &wanted.id {
        Some(_) => turn.views(connection).number_of(id.as_str())?,
        None => None,
    };
    if let Some(number) = known {
        return edit_one(connection, turn, agent, &id, number, wanted.edit);
    }
    let document = Document::default();
    let edit = wanted.edit.without_what_stands(&document, &turn.shared().key.public());
    let end = end_of(&edit).unwrap_or(NEVER);
    let part = Part { edit, end, bytes_max: turn.shared().payload_bytes_max };
    let about = About { memory: &id, agent, document: &document, root: None };
    write(connection, turn, &about, vec![part])
}

/// Creates a memory that was read before, with all that it says, in as many operations as it takes.
pub(crate) fn create_again(
    connection: &Connection,
    turn: &mut Turn,
    agent: &str,
    id: &MemoryId,
    edit: Edit,
) -> Result<(), StoreError> {
    let document = Document::default();
    let end = end_of(&edit).unwrap_or(NEVER);
    let mut about = About { memory: id, agent, document: &document, root: None };
    let mut position = 0;
    for edit in edit.pieces(&about, turn.shared().payload_bytes_max) {
        position = say(connection, turn, &about, Part { edit, end, bytes_max: limits::PAYLOAD_BYTES_MAX })?;
        about.root = about.root.or(turn.head().and_then(|head| head.last).map(|last| last.fingerprint));
    }
    match row::by_id(connection, id.as_str(), i64::MIN)? {
        Some(_) => Ok(()),
        None => Err(why_not_shown(&turn.views(connection), position)),
    }
}

/// Edits a memory that has operations already, unless nothing would change.
pub(crate) fn edit_one(
    connection: &Connection,
    turn: &mut Turn,
    agent: &str,
    id: &MemoryId,
    number: i64,
    edit: Edit,
) -> Result<MemoryRow, StoreError> {
    let views = turn.views(connection);
    let document = views.document(number)?;
    let edit = edit.without_what_stands(&document, &turn.shared().key.public());
    if edit.is_empty()
        && let Some(row) = row::by_number(connection, number)?
    {
        return Ok(row);
    }
    if end_of(&edit).is_some_and(|end| end <= views.now_ms as i64) {
        return Err(StoreError::Invalid("the memory would have faded already".to_owned()));
    }
    let about = About { memory: id, agent, document: &document, root: views.root_of(&document)? };
    let bytes_max = turn.shared().payload_bytes_max;
    let parts = match end_of(&edit) {
        Some(end) => until(edit, end, views.ends_of_words(number)?, &about, bytes_max),
        None => vec![Part { edit, end: document.expires_at().unwrap_or(NEVER), bytes_max }],
    };
    drop(views);
    write(connection, turn, &about, parts)
}

/// When a memory ends by this edit; none when it says nothing about that.
fn end_of(edit: &Edit) -> Option<i64> {
    edit.registers.get(&Field::Expiry).map(|value| match value {
        Value::Integer(at) => *at,
        _ => NEVER,
    })
}

/// What gives a memory another end. Its words go when the headers of their operations say so, and that can't be
/// changed: words that would go sooner are said again. What ends a memory sooner than its words stays for ever, and has
/// no words: once it had gone, those would be read again, also ones that somebody else says meanwhile.
fn until(mut edit: Edit, end: i64, standing: Option<(i64, i64)>, about: &About<'_>, bytes_max: usize) -> Vec<Part> {
    let (first, last) = standing.unwrap_or((NEVER, NEVER));
    let mut parts = Vec::new();
    if last > end {
        let ending = edit.registers.remove(&Field::Expiry).map(|value| (Field::Expiry, value));
        let ending = Edit { registers: ending.into_iter().collect(), ..Edit::default() };
        parts.push(Part { edit: ending, end: NEVER, bytes_max });
    }
    let mut rest = if first < end { edit.clone().restating(about.document).without(&edit) } else { Edit::default() };
    // The end that it had is not said again beside the new one.
    rest.registers.remove(&Field::Expiry);
    let whole = edit.clone().and(rest.clone());
    if whole.pieces(about, bytes_max).len() > 1 {
        parts.push(Part { edit, end, bytes_max });
        // A single value may be longer than this replica says of its own: what others said is said again as it is.
        let again = rest.pieces(about, bytes_max).into_iter();
        parts.extend(again.map(|edit| Part { edit, end, bytes_max: limits::PAYLOAD_BYTES_MAX }));
    } else {
        parts.push(Part { edit: whole, end, bytes_max });
    }
    parts.retain(|part| !part.edit.is_empty());
    parts
}

/// Says these parts, and reads back what the memory is then.
fn write(
    connection: &Connection,
    turn: &mut Turn,
    about: &About<'_>,
    parts: Vec<Part>,
) -> Result<MemoryRow, StoreError> {
    let mut position = 0;
    for part in parts {
        position = say(connection, turn, about, part)?;
    }
    let views = turn.views(connection);
    let shown = row::by_id(connection, about.memory.as_str(), i64::MIN)?;
    let said = turn.head().and_then(|head| head.last).map(|last| last.fingerprint);
    match shown {
        // Mostly the newest word is one's own. Where it is not, the rules may have refused ours.
        Some(row) if Some(row.fingerprint()) == said || is_live(&views, position)? => Ok(row),
        _ => Err(why_not_shown(&views, position)),
    }
}

/// Operations that one edit may take to name all that it replaces: some eight thousand concurrent values.
const OPERATIONS_OF_ONE_EDIT: usize = 8;

/// Says an edit, and says again what is still contested because one operation could not name it all. Returns the last
/// position.
fn say(connection: &Connection, turn: &mut Turn, about: &About<'_>, part: Part) -> Result<i64, StoreError> {
    let Part { edit, end, bytes_max } = part;
    let own_max = turn.shared().payload_bytes_max;
    let expires_ms = (end != NEVER).then(|| u64::try_from(end).unwrap_or(0));
    let (write, mut left_out) = edit.clone().compose(about, own_max);
    let mut position = turn.say_within(connection, Payload::Write(write), expires_ms, bytes_max)?;
    for _ in 1..OPERATIONS_OF_ONE_EDIT {
        let number = turn.views(connection).number_of(about.memory.as_str())?;
        let (true, Some(number)) = (left_out, number) else { break };
        let document = turn.views(connection).document(number)?;
        let rest = edit.clone().without_what_stands(&document, &turn.shared().key.public());
        if rest.is_empty() {
            break;
        }
        let (write, more) = rest.compose(&About { document: &document, ..*about }, own_max);
        position = turn.say_within(connection, Payload::Write(write), expires_ms, bytes_max)?;
        left_out = more;
    }
    Ok(position)
}

fn is_live(views: &Views<'_>, position: i64) -> Result<bool, StoreError> {
    let stored = views.tables.at(position)?;
    Ok(stored.is_some_and(|stored| matches!(stored.state, State::Live | State::Embargoed)))
}

/// An own write that shows nothing was refused by the rules: the transaction takes it back.
fn why_not_shown(views: &Views<'_>, position: i64) -> StoreError {
    let state = views.tables.at(position).ok().flatten().map(|stored| stored.state);
    match state {
        Some(State::Forgotten) => StoreError::Refused(
            "not_allowed",
            "this id was forgotten or this content was withdrawn, and stays so".to_owned(),
        ),
        Some(State::Expired) => StoreError::Invalid("the memory would have faded already".to_owned()),
        _ => StoreError::Invalid("a memory needs content".to_owned()),
    }
}

pub(crate) fn forget_one(
    connection: &Connection,
    turn: &mut Turn,
    id: MemoryId,
    reason: String,
    withdraw: bool,
) -> Result<Forgotten, StoreError> {
    if withdraw {
        turn.must_be(connection, Role::Administrator, "withdraw content from everyone")?;
    }
    let views = turn.views(connection);
    let number = views.number_of(id.as_str())?;
    let number = number.ok_or_else(|| StoreError::NotFound(format!("memory {:?}", id.as_str())))?;
    let document = views.document(number)?;
    let operations = views.tables.of_memory(number)?.len();
    let root = views.root_of(&document)?;
    drop(views);
    let content = document.content().filter(|_| withdraw);
    let withdrawal = content.map(|content| turn.shared().space.withdrawal_digest(content));
    let forget = Forget { memory: id, root, reason, withdrawal };
    let position = turn.say(connection, Payload::Forget(forget), None)?;
    // What has no effect is taken back.
    if !is_live(&turn.views(connection), position)? {
        let what = "only a memory's author or an administrator forgets it".to_owned();
        return Err(StoreError::Refused("not_allowed", what));
    }
    Ok(Forgotten { number, operations })
}

/// A new id: 48 bits of time and 80 random ones as 26 characters of Crockford's base 32, in lower case (a ULID), so
/// that ids sort by age.
fn new_id(now_ms: u64) -> Result<String, StoreError> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&now_ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random::<10>()?);
    let number = u128::from_be_bytes(bytes);
    Ok((0..26).rev().map(|digit| char::from(ALPHABET[(number >> (5 * digit)) as usize & 31])).collect())
}
