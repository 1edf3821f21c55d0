//! Tables that many operations make together: forgotten ids, settings, uses, steps, cuts.

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::causality::{LogNumber, Place, Steps as _};
use chrysalis_core::member::Role;
use chrysalis_core::payload::{Collection, Forget, Payload};
use rusqlite::Connection;

use super::Problem;
use super::ground::Ground;
use super::operations::{Gathered, Said};
use crate::error::StoreError;
use crate::row::unpack;
use crate::sync::states;
use crate::view::{Spoken, Views, winners};

/// Compares every such table with what the operations say.
pub(super) fn check(views: &Views<'_>, ground: &Ground, gathered: &Gathered) -> Result<Vec<Problem>, StoreError> {
    let mut problems = Vec::new();
    let connection = views.tables.connection;
    check_dead(views, gathered, &mut problems)?;
    check_removed(views, ground, &mut problems)?;
    check_settings(connection, gathered, &mut problems)?;
    check_uses(connection, ground, gathered, &mut problems)?;
    check_tags(connection, gathered.tags, &mut problems)?;
    check_links(connection, gathered.links, &mut problems)?;
    check_unseen(views, ground, &mut problems)?;
    check_waiting(connection, &mut problems)?;
    check_log_states(connection, &mut problems)?;
    let steps: i64 = connection.query_row("SELECT count(*) FROM step", [], |row| row.get(0))?;
    if steps != gathered.steps as i64 {
        let what = format!("{steps} steps of knowledge are kept, and the logs make {}", gathered.steps);
        problems.push(Problem::new("steps_differ", "the table of steps", what));
    }
    Ok(problems)
}

/// All rows of a query, to be compared as a whole.
fn rows<T: Ord>(
    connection: &Connection,
    sql: &str,
    read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<BTreeSet<T>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| read(row))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn compare<T: Ord + std::fmt::Debug>(
    code: &'static str,
    table: &str,
    kept: &BTreeSet<T>,
    made: &BTreeSet<T>,
    problems: &mut Vec<Problem>,
) {
    for extra in kept.difference(made) {
        problems.push(Problem::new(code, table, format!("{extra:?} is kept, and no operation makes it")));
    }
    for missing in made.difference(kept) {
        problems.push(Problem::new(code, table, format!("{missing:?} is missing")));
    }
}

fn check_dead(views: &Views<'_>, gathered: &Gathered, problems: &mut Vec<Problem>) -> Result<(), StoreError> {
    let connection = views.tables.connection;
    let (mut dead, mut withdrawn, mut positions) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for said in &gathered.said {
        let Payload::Forget(forget) = &said.payload else { continue };
        let owner = owner(views, said, forget)?;
        let id = forget.memory.as_str().to_owned();
        positions.entry(id.clone()).or_insert_with(BTreeSet::new).insert(said.position);
        dead.extend(owner.map(|owner| (id, owner)));
        let withdraws = said.facts.role == Role::Administrator;
        withdrawn.extend(forget.withdrawal.filter(|_| withdraws).map(|digest| digest.0.to_vec()));
    }
    let kept = rows(connection, "SELECT id, owner FROM dead", |row| Ok((row.get(0)?, row.get(1)?)))?;
    compare("dead_differs", "the table of forgotten ids", &kept, &dead, problems);
    let mut positions: BTreeMap<String, BTreeSet<i64>> = positions;
    let sql = "SELECT id, operation FROM dead";
    for (id, position) in rows(connection, sql, |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))? {
        if positions.entry(id.clone()).or_default().iter().all(|one| *one != position) {
            let what = format!("operation {position} did not forget {id:?}");
            problems.push(Problem::new("dead_differs", "the table of forgotten ids", what));
        }
    }
    let kept = rows(connection, "SELECT digest FROM withdrawn", |row| row.get(0))?;
    compare("withdrawn_differs", "the table of withdrawn content", &kept, &withdrawn, problems);
    Ok(())
}

/// Whose memories of that id the forgetting reaches; none when it reaches nothing.
fn owner(views: &Views<'_>, said: &Said, forget: &Forget) -> Result<Option<Vec<u8>>, StoreError> {
    let signer = &said.facts;
    if signer.role == Role::Administrator {
        return Ok(Some(Vec::new()));
    }
    let creator = views.creator(forget.root, signer.replica)?;
    Ok((creator == signer.replica).then(|| signer.replica.0.to_vec()))
}

fn check_removed(views: &Views<'_>, ground: &Ground, problems: &mut Vec<Problem>) -> Result<(), StoreError> {
    let connection = views.tables.connection;
    let verdict = views.verdict()?;
    let removed = verdict.removed.keys().map(|replica| replica.0.to_vec()).collect();
    let kept = rows(connection, "SELECT replica FROM removed", |row| row.get::<_, Vec<u8>>(0))?;
    compare("removed_differs", "the table of removed replicas", &kept, &removed, problems);
    let made: BTreeSet<(LogNumber, u64)> = verdict.cuts.into_iter().collect();
    let kept = ground.logs.iter().filter_map(|(number, log)| Some((*number, log.cut?))).collect();
    compare("cut_differs", "the cuts of logs (log, place)", &kept, &made, problems);
    Ok(())
}

fn check_settings(connection: &Connection, gathered: &Gathered, problems: &mut Vec<Problem>) -> Result<(), StoreError> {
    let spoken = gathered.said.iter().filter_map(|said| match &said.payload {
        Payload::Configure(setting) => {
            Some(Spoken { order: said.order, position: said.position, setting: setting.clone() })
        }
        _ => None,
    });
    let made = winners(spoken.collect()).map(|(position, setting)| (setting.key, setting.value, position)).collect();
    let sql = "SELECT key, value, operation FROM setting";
    let kept = rows(connection, sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    compare("settings_differ", "the table of settings", &kept, &made, problems);
    Ok(())
}

fn check_uses(
    connection: &Connection,
    ground: &Ground,
    gathered: &Gathered,
    problems: &mut Vec<Problem>,
) -> Result<(), StoreError> {
    // Uses say whose they are by no root: they end when the id is dead to all, not when one creator forgot their own.
    let living = gathered.uses.iter().filter(|((id, _), _)| !ground.dead_to_all.contains(id));
    let made = living.map(|((id, log), count)| (id.clone(), *log, *count as i64)).collect();
    let sql = "SELECT coalesce(m.id, w.id, 'number ' || a.memory), a.log, a.count FROM access a
               LEFT JOIN memory m ON m.number = a.memory LEFT JOIN waiting w ON w.number = a.memory";
    let kept = rows(connection, sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    compare("access_differs", "the table of uses (memory, log, uses)", &kept, &made, problems);
    Ok(())
}

/// What the tags of all memories make was found in the table already: here more would be too much.
fn check_tags(connection: &Connection, made: u64, problems: &mut Vec<Problem>) -> Result<(), StoreError> {
    let kept: i64 = connection.query_row("SELECT count(*) FROM tag", [], |row| row.get(0))?;
    if kept == made as i64 {
        return Ok(());
    }
    let sql = "SELECT t.name, t.memory, m.tags FROM tag t LEFT JOIN memory m ON m.number = t.memory";
    let mut statement = connection.prepare(sql)?;
    let mut found = statement.query([])?;
    let mut extra = 0;
    while let Some(row) = found.next()? {
        let (name, list): (String, Option<Vec<u8>>) = (row.get(0)?, row.get(2)?);
        if !unpack(list.as_deref()).unwrap_or_default().contains(&name.as_str()) {
            extra += 1;
            let what = format!("memory number {} does not have the tag {name:?}", row.get::<_, i64>(1)?);
            problems.push(Problem::new("tags_differ", "the table of tags", what));
        }
    }
    if extra == 0 {
        problems.push(Problem::new("tags_differ", "the table of tags", format!("{kept} rows instead of {made}")));
    }
    Ok(())
}

fn check_links(connection: &Connection, made: u64, problems: &mut Vec<Problem>) -> Result<(), StoreError> {
    let kept: i64 = connection.query_row("SELECT count(*) FROM link", [], |row| row.get(0))?;
    if kept == made as i64 {
        return Ok(());
    }
    let sql = "SELECT l.target, l.kind, l.memory, m.evidence, m.related, m.parents FROM link l
               LEFT JOIN memory m ON m.number = l.memory";
    let mut statement = connection.prepare(sql)?;
    let mut found = statement.query([])?;
    let mut extra = 0;
    while let Some(row) = found.next()? {
        let (target, kind): (String, i64) = (row.get(0)?, row.get(1)?);
        let column = usize::try_from(kind).ok().filter(|kind| *kind < Collection::ALL.len());
        let list: Option<Vec<u8>> = column.map_or(Ok(None), |column| row.get(3 + column))?;
        if !unpack(list.as_deref()).unwrap_or_default().contains(&target.as_str()) {
            extra += 1;
            let what = format!("memory number {} does not name {target:?}", row.get::<_, i64>(2)?);
            problems.push(Problem::new("links_differ", "the table of links", what));
        }
    }
    if extra == 0 {
        problems.push(Problem::new("links_differ", "the table of links", format!("{kept} rows instead of {made}")));
    }
    Ok(())
}

/// The logs that have grown since the own log last named them, at their newest operation.
fn check_unseen(views: &Views<'_>, ground: &Ground, problems: &mut Vec<Problem>) -> Result<(), StoreError> {
    let Some((own, head)) = ground.logs.iter().find(|(_, log)| log.own) else { return Ok(()) };
    let known = match head.last {
        Some(sequence) => views.tables.vector_at(Place { log: *own, sequence })?,
        None => BTreeMap::new(),
    };
    let others = ground.logs.iter().filter(|(_, log)| !log.own);
    let made = others
        .filter_map(|(number, log)| Some((*number, log.last?)))
        .filter(|(number, last)| known.get(number).is_none_or(|known| known < last))
        .map(|(number, last)| (number, last as i64))
        .collect();
    let sql = "SELECT log, sequence FROM unseen";
    let kept = rows(views.tables.connection, sql, |row| Ok((row.get(0)?, row.get(1)?)))?;
    compare("unseen_differs", "the table of unseen heads (log, place)", &kept, &made, problems);
    let sql = "SELECT u.log FROM unseen u LEFT JOIN operation o ON o.position = u.position
               WHERE o.log IS NOT u.log OR o.sequence IS NOT u.sequence";
    for log in rows(views.tables.connection, sql, |row| row.get::<_, i64>(0))? {
        let what = format!("the head of log {log} stands elsewhere");
        problems.push(Problem::new("unseen_differs", "the table of unseen heads", what));
    }
    Ok(())
}

/// How far each log stands, and that it says so to those who ask what changed.
fn check_log_states(connection: &Connection, problems: &mut Vec<Problem>) -> Result<(), StoreError> {
    let table = "the table of log states (log, count, tip, place of the proof)";
    let made = states::made(connection, None)?;
    let said = made.iter().filter(|made| made.state.count > 0 || made.state.cut.is_some());
    let kept = states::all(connection)?.into_iter().collect();
    compare("log_states_differ", table, &kept, &said.map(|made| made.state).collect(), problems);
    let changed: BTreeMap<Vec<u8>, i64> =
        rows(connection, "SELECT id, changed FROM log_state", |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect();
    let newest: i64 = connection.query_row("SELECT coalesce(max(position), 0) FROM operation", [], |row| row.get(0))?;
    for made in &made {
        let Some(changed) = changed.get(made.state.log.as_bytes()) else { continue };
        let last = made.last.unwrap_or(0);
        let fits = states::position_of(last) <= *changed && states::operation_at(*changed) <= newest;
        if !fits {
            let what = format!("log {} is said to have changed at {changed}", made.state.log);
            problems.push(Problem::new("log_states_differ", table, what));
        }
    }
    Ok(())
}

/// Numbers and feed positions are given out once, and ids that wait are named by something.
fn check_waiting(connection: &Connection, problems: &mut Vec<Problem>) -> Result<(), StoreError> {
    let sql = "SELECT id FROM waiting WHERE number NOT IN (SELECT memory FROM operation WHERE memory IS NOT NULL)
                   AND number NOT IN (SELECT memory FROM access)
               UNION ALL SELECT w.id FROM waiting w JOIN memory m ON m.id = w.id OR m.number = w.number";
    for id in rows(connection, sql, |row| row.get::<_, String>(0))? {
        problems.push(Problem::new("waiting_differs", "the table of waiting ids", format!("{id:?} waits for nothing")));
    }
    let sql = "SELECT EXISTS(SELECT 1 FROM memory WHERE max(changed, number) > (SELECT changed FROM clock))
                   OR EXISTS(SELECT 1 FROM waiting WHERE number > (SELECT changed FROM clock))";
    if connection.query_row(sql, [], |row| row.get(0))? {
        let what = "a memory is newer than the newest change";
        problems.push(Problem::new("clock_differs", "the feed of changes", what));
    }
    Ok(())
}
