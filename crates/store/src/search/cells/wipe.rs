//! Forgetting: rows of files of cells are overwritten where they stand.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Transaction, params};

use super::super::{Number, StoreMark, state_row, vector};
use super::bytes::{read_at, read_row, write_at};
use super::file::{Directory, Head};
use super::{ENDING, ENDING_NEW, path_of};
use crate::error::StoreError;

/// Rows that are read at once while a file without a directory is searched.
const ROWS_PER_READ: usize = 512;

/// Overwrites the vectors of these memories in every file of cells beside `vectors`, also in one that is being written
/// by another process. A vector that `vectors` still has stays. A file that nobody will use again, or whose rows can't
/// be found for damage, is removed whole.
///
/// Inside a transaction that writes: then nobody else writes into the files.
pub(in super::super) fn wipe(vectors: &Transaction<'_>, numbers: &[Number]) -> Result<(), StoreError> {
    let Some(folder) = folder_of(vectors) else { return Ok(()) };
    for path in files(&folder)? {
        if !wipe_file(vectors, &path, numbers).map_err(|error| error.in_file(&path))? {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes every file of cells in `folder`.
pub(crate) fn remove_all(folder: &Path) -> Result<(), StoreError> {
    files(folder)?.iter().try_for_each(|path| remove(path))
}

/// Removes the files that no model names: what was superseded, or left by a process that was killed.
pub(super) fn remove_unnamed(vectors: &Transaction<'_>, folder: &Path) -> Result<(), StoreError> {
    for path in files(folder)? {
        let head = File::open(&path).and_then(|file| Head::read(&file));
        let named = head.ok().flatten().is_some_and(|head| is_named(vectors, &head, &path).unwrap_or(true));
        if !named {
            remove(&path)?;
        }
    }
    Ok(())
}

pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path, error)),
        _ => Ok(()),
    }
}

fn folder_of(vectors: &Transaction<'_>) -> Option<PathBuf> {
    Some(Path::new(vectors.path()?).parent()?.to_owned())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let wrong = |source| StoreError::io(folder, source);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if is_cells(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

fn is_cells(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("vectors-") && (name.ends_with(ENDING) || name.ends_with(ENDING_NEW))
}

/// False when the file should go.
fn wipe_file(vectors: &Transaction<'_>, path: &Path, numbers: &[Number]) -> Result<bool, StoreError> {
    let wrong = |source| StoreError::io(path, source);
    let file = match File::options().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        other => other.map_err(wrong)?,
    };
    let Ok(Some(head)) = Head::read(&file) else { return Ok(false) };
    let is_new = path.to_string_lossy().ends_with(ENDING_NEW);
    if !(is_named(vectors, &head, path)? || (is_new && is_of_model(vectors, &head)?)) {
        return Ok(false);
    }
    let gone = gone(vectors, &head, numbers)?;
    if gone.is_empty() {
        return Ok(true);
    }
    let rows = if is_new { scan(&file, &head, &gone).map(Some) } else { look_up(&file, &head, &gone) };
    let Some(rows) = rows.map_err(wrong)? else { return Ok(false) };
    overwrite(&file, &head, &rows).map_err(wrong)?;
    Ok(true)
}

/// Tells whether the model of a file names it as the one to use.
fn is_named(vectors: &Transaction<'_>, head: &Head, path: &Path) -> Result<bool, StoreError> {
    let model = vector::model(vectors, &head.name)?.filter(|model| model.id == head.model);
    let tag = model.and_then(|model| model.base);
    let names = tag.is_some_and(|base| path.file_name() == path_of(Path::new(""), base.tag, ENDING).file_name());
    Ok(names && is_of_model(vectors, head)?)
}

/// Tells whether a file was made from `vectors` as it is.
fn is_of_model(vectors: &Transaction<'_>, head: &Head) -> Result<bool, StoreError> {
    let sql = "SELECT mark, generation FROM main.state";
    let found: (_, [u8; 16]) = state_row(vectors.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))))?;
    let (mark, generation) = found;
    let known = vector::model(vectors, &head.name)?.is_some_and(|model| model.id == head.model);
    Ok(known && head.mark == StoreMark(mark) && head.generation == generation)
}

/// Those of `numbers` whose vectors the file may have and `vectors` has no more, in ascending order.
fn gone(vectors: &Transaction<'_>, head: &Head, numbers: &[Number]) -> Result<Vec<Number>, StoreError> {
    let sql = "SELECT 1 FROM main.vector WHERE number = ?1 AND model = ?2 AND position <= ?3";
    let mut statement = vectors.prepare_cached(sql)?;
    let mut gone = Vec::new();
    for &number in numbers {
        if !statement.exists(params![number, head.model, head.position])? {
            gone.push(number);
        }
    }
    gone.sort_unstable();
    Ok(gone)
}

fn look_up(file: &File, head: &Head, gone: &[Number]) -> io::Result<Option<Vec<usize>>> {
    let directory = Directory::read(file, head)?;
    Ok(directory.map(|directory| gone.iter().flat_map(|number| directory.rows_of(*number)).collect()))
}

fn scan(file: &File, head: &Head, gone: &[Number]) -> io::Result<Vec<usize>> {
    let places = head.places();
    let mut found = Vec::new();
    for first in (0..head.rows).step_by(ROWS_PER_READ) {
        let rows = ROWS_PER_READ.min(head.rows - first);
        let mut bytes = vec![0; rows * places.row_bytes];
        read_at(file, &mut bytes, places.row(first))?;
        for (at, row) in bytes.chunks_exact(places.row_bytes).enumerate() {
            if read_row(row).is_some_and(|row| gone.binary_search(&row.number).is_ok()) {
                found.push(first + at);
            }
        }
    }
    Ok(found)
}

fn overwrite(file: &File, head: &Head, rows: &[usize]) -> io::Result<()> {
    let places = head.places();
    let zeros = vec![0; places.row_bytes];
    rows.iter().try_for_each(|row| write_at(file, &zeros, places.row(*row)))?;
    if rows.is_empty() { Ok(()) } else { file.sync_data() }
}
