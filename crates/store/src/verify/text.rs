//! The text index: whether it is whole and answers for every memory.

use rusqlite::Connection;

use super::Problem;
use crate::error::StoreError;
use crate::search::{ground_position, text};
use crate::store::Store;

/// Index and ground are two files, and what is written between two looks makes them differ: they are compared so often.
const TRIES: usize = 3;

pub(super) fn check(store: &Store) -> Result<Option<Problem>, StoreError> {
    store.read(|ground| {
        let mut problem = None;
        for _ in 0..TRIES {
            let before = ground_position(ground)?;
            problem = compare(store, ground)?;
            if problem.is_none() {
                break;
            }
            if ground_position(ground)? != before {
                problem = None;
            }
        }
        Ok(problem)
    })
}

fn compare(store: &Store, ground: &Connection) -> Result<Option<Problem>, StoreError> {
    store.indexes.catch_up_text(ground)?;
    let (sound, indexed) = store.indexes.with_text(|index| {
        let rows: i64 = index.query_row("SELECT count(*) FROM main.place", [], |row| row.get(0))?;
        Ok((text::is_sound(index)?, rows))
    })?;
    // What was forgotten a moment ago leaves the views first, and then the index.
    let sql = "SELECT (SELECT count(*) FROM memory), (SELECT count(*) FROM erasure)";
    let (shown, owed): (i64, i64) = ground.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let what = match (sound, (shown..=shown + owed).contains(&indexed)) {
        (false, _) => "its words and its text do not agree".to_owned(),
        (true, false) => format!("it answers for {indexed} memories, and there are {shown}"),
        (true, true) => return Ok(None),
    };
    Ok(Some(Problem::new("text_index_differs", "the text index", what)))
}
