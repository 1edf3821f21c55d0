//! Many vectors, grouped in cells around centres, in a file that is read in place.
//!
//! A search compares the query with the centres, then with the vectors in the nearest cells, which lie side by side.
//! A file is written once, for the vectors up to one position of `vectors.db`; what comes later is held in memory until
//! the file is written anew. Only forgetting changes a file: it overwrites rows with zeros.
//!
//! A file takes part only while `vectors.db` names it, and it is named after it is complete and on disk. Whoever
//! writes into a file of the folder holds the write lock of `vectors.db`, so that no row is copied while it is
//! forgotten.

pub mod build;
mod bytes;
mod centres;
mod file;
mod wipe;

pub(super) use file::{CellFile, Scope};
pub(crate) use wipe::remove_all;
pub(super) use wipe::wipe;

use std::path::{Path, PathBuf};

use super::Number;

/// From so many vectors on a file is made; fewer are compared one by one in less than a millisecond.
pub const PASSAGES_MIN: usize = 20_000;

/// What ends the name of a file that is complete, and of one that is being written.
const ENDING: &str = ".cells";
const ENDING_NEW: &str = ".cells-new";

fn path_of(folder: &Path, tag: i64, ending: &str) -> PathBuf {
    folder.join(format!("vectors-{tag:016x}{ending}"))
}

/// The file with this tag that belongs to the `vectors.db` at `vectors`.
pub(super) fn file_of(vectors: &Path, tag: i64) -> PathBuf {
    path_of(vectors.parent().unwrap_or(Path::new("")), tag, ENDING)
}

/// One vector as it stands in a file.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row<'a> {
    number: Number,
    passage: usize,
    scale: f32,
    values: &'a [u8],
}
