//! The text index: whether it is whole and answers for every memory.

use rusqlite::Connection;

use super::Problem;
use crate::error::StoreError;
use crate::search::{ground_position, text};
use crate::store::Store;

/// Index and ground are two files: they are compared when nothing was written meanwhile, and tried so often.
const TRIES: usize = 3;

pub(super) fn check(store: &Store) -> Result<Option<Problem>, StoreError> {
    store.read(|ground| {
        for _ in 0..TRIES {
            let before = ground_position(ground)?;
            let problem = compare(store, ground)?;
            if ground_position(ground)? == before {
                return Ok(problem);
            }
        }
        Ok(None)
    })
}

fn compare(store: &Store, ground: &Connection) -> Result<Option<Problem>, StoreError> {
    store.indexes.catch_up_text(ground)?;
    let (sound, indexed) = store.indexes.with_text(|index| {
        let rows: i64 = index.query_row("SELECT count(*) FROM main.words_docsize", [], |row| row.get(0))?;
        Ok((text::is_sound(index)?, rows))
    })?;
    let shown: i64 = ground.query_row("SELECT count(*) FROM memory", [], |row| row.get(0))?;
    let what = match (sound, indexed == shown) {
        (false, _) => "its words and its text do not agree".to_owned(),
        (true, false) => format!("it answers for {indexed} memories, and there are {shown}"),
        (true, true) => return Ok(None),
    };
    Ok(Some(Problem::new("text_index_differs", "the text index", what)))
}
