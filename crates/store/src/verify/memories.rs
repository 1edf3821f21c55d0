//! Memories: whether each row says what the join of its operations says.

use std::collections::BTreeMap;

use chrysalis_core::merge::{Document, Stamp};
use chrysalis_core::payload::{Collection, Payload};
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension as _, Row};

use super::ground::Ground;
use super::operations::{Checker, Gathered};
use crate::error::StoreError;
use crate::ledger::{State, Stored};
use crate::view::{KEPT_DOCUMENT_WRITES, Views};

/// The columns of [`crate::view::Projection`], and before them what only the store knows.
const ROW: &str = "number, id, version, access_count,
    (SELECT coalesce(sum(count), 0) FROM access WHERE access.memory = number), document,
    head, author, agent, created_at, updated_at, importance, confidence, conflicts, tier, memory_type, scope, thread,
    speaker, occurred_at, valid_from, valid_until, expires_at, tags, evidence, related, parents, metadata, content";

/// The place of the first projected column in [`ROW`].
const PROJECTED_FROM: usize = 6;

/// What the operations of one memory make.
struct Joined {
    id: String,
    document: Document,
    writes: i64,
}

/// Checks the memories with these numbers, and every operation that names one of them.
pub(super) fn check(
    views: &Views<'_>,
    ground: &Ground,
    numbers: (i64, i64),
    gathered: &mut Gathered,
) -> Result<(), StoreError> {
    let mut joined = join(views, ground, numbers, gathered)?;
    let sql = format!("SELECT {ROW} FROM memory WHERE number BETWEEN ?1 AND ?2");
    let mut statement = views.tables.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(numbers)?;
    while let Some(row) = rows.next()? {
        gathered.memories += 1;
        let number: i64 = row.get(0)?;
        check_row(views, row, joined.remove(&number), gathered)?;
    }
    for (number, joined) in joined {
        check_unshown(views, number, &joined, gathered)?;
    }
    Ok(())
}

fn join(
    views: &Views<'_>,
    ground: &Ground,
    numbers: (i64, i64),
    gathered: &mut Gathered,
) -> Result<BTreeMap<i64, Joined>, StoreError> {
    let mut all: BTreeMap<i64, Joined> = BTreeMap::new();
    let condition = "memory BETWEEN ?1 AND ?2 ORDER BY memory, position";
    Checker::new(views, ground).each(condition, numbers, gathered, |checker, gathered, stored, payload| {
        let id = match &payload {
            Some(Payload::Write(write)) => write.memory.as_str(),
            Some(Payload::Attest(vote)) => vote.memory.as_str(),
            _ => {
                let where_ = checker.name(&stored);
                gathered.report("wrong_memory", &where_, "it is listed under a memory and names none");
                return Ok(());
            }
        };
        let number = stored.memory.unwrap_or(0);
        let joined =
            all.entry(number).or_insert_with(|| Joined { id: id.to_owned(), document: Document::default(), writes: 0 });
        if joined.id != id {
            let where_ = checker.name(&stored);
            gathered.report("wrong_memory", &where_, "it is listed under another memory than it names");
            return Ok(());
        }
        take_in(joined, checker.ground, &stored, payload);
        Ok(())
    })?;
    Ok(all)
}

fn take_in(joined: &mut Joined, ground: &Ground, stored: &Stored, payload: Option<Payload>) {
    let (State::Live, Some(log)) = (stored.state, ground.logs.get(&stored.log)) else { return };
    let header = stored.operation.header();
    let stamp = Stamp {
        fingerprint: stored.operation.fingerprint(),
        lamport: header.lamport,
        hybrid_ms: header.hybrid_ms,
        author: log.facts.replica,
    };
    match payload {
        Some(Payload::Write(write)) => {
            joined.document.apply(&stamp, &write);
            joined.writes += 1;
        }
        Some(Payload::Attest(vote)) => joined.document.apply_vote(&stamp, &vote),
        _ => {}
    }
}

fn check_row(
    views: &Views<'_>,
    row: &Row<'_>,
    joined: Option<Joined>,
    gathered: &mut Gathered,
) -> Result<(), StoreError> {
    let id: String = row.get(1)?;
    let where_ = format!("memory {id:?}");
    let Some(joined) = joined else {
        gathered.report("row_without_operations", &where_, "no operation in the log makes it");
        return Ok(());
    };
    if joined.id != id {
        gathered.report("view_differs", &where_, format!("its operations name the memory {:?}", joined.id));
    }
    if row.get::<_, i64>(2)? != joined.writes {
        gathered.report("view_differs", &where_, "version is not the number of its writes");
    }
    if row.get::<_, i64>(3)? != row.get::<_, i64>(4)? {
        gathered.report("view_differs", &where_, "access_count is not the sum of its uses");
    }
    let shown = match views.project(&joined.document, None) {
        Ok(Some(shown)) => shown,
        Ok(None) => {
            gathered.report("view_differs", &where_, "its operations give it no content");
            return Ok(());
        }
        Err(StoreError::Corrupt { what, .. }) => {
            gathered.report("view_differs", &where_, what);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let lists = shown.lists();
    for (place, (name, value)) in (PROJECTED_FROM..).zip(shown.columns(&lists)) {
        if row.get_ref(place)? != value {
            gathered.report("view_differs", &where_, format!("{name} is not what its operations say"));
        }
    }
    check_kept(views, row.get_ref(5)?, &joined, &where_, gathered)?;
    check_tags_and_links(views, row.get(0)?, &joined.document, &where_, gathered)
}

/// The document that is kept beside a memory of many writes reads as the one made from them.
fn check_kept(
    views: &Views<'_>,
    kept: ValueRef<'_>,
    joined: &Joined,
    where_: &str,
    gathered: &mut Gathered,
) -> Result<(), StoreError> {
    let kept = match kept {
        ValueRef::Null if joined.writes < KEPT_DOCUMENT_WRITES => return Ok(()),
        ValueRef::Blob(bytes) => Document::decode(bytes).ok(),
        _ => None,
    };
    let mut agrees = false;
    if let Some(mut kept) = kept {
        let mut made = joined.document.clone();
        views.settle(&mut kept)?;
        views.settle(&mut made)?;
        agrees = kept == made;
    }
    if !agrees {
        gathered.report("view_differs", where_, "the document kept beside it is not the join of its operations");
    }
    Ok(())
}

fn check_tags_and_links(
    views: &Views<'_>,
    number: i64,
    document: &Document,
    where_: &str,
    gathered: &mut Gathered,
) -> Result<(), StoreError> {
    let connection = views.tables.connection;
    let mut tag = connection.prepare_cached("SELECT 1 FROM tag WHERE name = ?1 AND memory = ?2")?;
    for name in document.tags() {
        gathered.tags += 1;
        if !tag.exists((name, number))? {
            gathered.report("tags_differ", where_, format!("the index of tags lacks {name:?}"));
        }
    }
    let sql = "SELECT 1 FROM link WHERE target = ?1 AND kind = ?2 AND memory = ?3";
    let mut link = connection.prepare_cached(sql)?;
    for collection in Collection::ALL {
        for target in document.elements(collection) {
            gathered.links += 1;
            if !link.exists((target, collection as u8, number))? {
                gathered.report("links_differ", where_, format!("the index of links lacks {target:?}"));
            }
        }
    }
    Ok(())
}

/// A memory that has operations and no row waits for its creation, or is past its time.
fn check_unshown(views: &Views<'_>, number: i64, joined: &Joined, gathered: &mut Gathered) -> Result<(), StoreError> {
    let where_ = format!("memory {:?}", joined.id);
    let over = joined.document.expires_at().is_some_and(|at| at <= views.now_ms as i64);
    if joined.document.is_live() && !over {
        gathered.report("row_missing", &where_, "its operations are in the log, and it is not shown");
        return Ok(());
    }
    let mut waiting = views.tables.connection.prepare_cached("SELECT id FROM waiting WHERE number = ?1")?;
    let id: Option<String> = waiting.query_row([number], |row| row.get(0)).optional()?;
    if id.as_deref() != Some(&joined.id) {
        gathered.report("wrong_memory", &where_, "its operations stand under a number that is not its own");
    }
    Ok(())
}
