//! The derived files of one store as this process holds them: text index and vectors, opened when first needed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::connection::open_writer;
use crate::encryption::Key;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::schema::FORMAT;
use crate::scrub::scrub;
use crate::search::derived::{self, truncate_log};
use crate::search::frequency::Frequencies;
use crate::search::matrix::Matrix;
use crate::search::{StoreMark, cells, feed, is_damage, is_given_up, text, vector};
use crate::store::Store;
use crate::tending::Tending;

/// Rows indexed by one call before it looks whether the store was closed meanwhile.
const ROWS_PER_STEP: usize = 20_000;

/// The derived files, shared by the threads of a process.
pub(crate) struct Indexes {
    text_path: PathBuf,
    vectors_path: PathBuf,
    mark: StoreMark,
    key: Option<Key>,
    text: Mutex<Handle>,
    vectors: Mutex<Handle>,
    matrices: Mutex<BTreeMap<String, Arc<Matrix>>>,
    tending: Tending,
    pub(crate) frequencies: Frequencies,
}

/// A connection that is opened when first used.
#[derive(Default)]
pub(crate) struct Handle {
    connection: Option<Connection>,
    closed: bool,
}

impl Handle {
    fn get(&mut self, open: impl FnOnce() -> Result<Connection, StoreError>) -> Result<&mut Connection, StoreError> {
        if self.closed {
            return Err(StoreError::Closed);
        }
        match &mut self.connection {
            Some(connection) => Ok(connection),
            empty => Ok(empty.insert(open()?)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Indexes {
    pub(crate) fn new(folder: &Folder, mark: [u8; 16]) -> Self {
        Self {
            text_path: folder.text(),
            vectors_path: folder.vectors(),
            mark: StoreMark(mark),
            key: folder.unlocking().cloned(),
            text: Mutex::default(),
            vectors: Mutex::default(),
            matrices: Mutex::default(),
            tending: Tending::new(&folder.vectors()),
            frequencies: Frequencies::new(),
        }
    }

    /// What the derived files of this store share.
    pub(crate) fn mark(&self) -> StoreMark {
        self.mark
    }

    /// Runs `job` with the connection that writes the text index.
    pub(crate) fn with_text<T>(
        &self,
        job: impl FnMut(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let open = || text::open(&self.text_path, self.mark, self.key.as_ref());
        self.with(&self.text, &self.text_path, open, job)
    }

    /// Runs `job` with the connection that writes the vectors.
    pub(crate) fn with_vectors<T>(
        &self,
        job: impl FnMut(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let open = || vector::open(&self.vectors_path, self.mark, self.key.as_ref());
        self.with(&self.vectors, &self.vectors_path, open, job)
    }

    /// Runs `job` once; and again, if the file is encrypted and damaged, with a new one. Such a file can't be emptied in
    /// place: SQLCipher gives nothing more to a connection that has met a damaged page, not even leave to write.
    fn with<T>(
        &self,
        handle: &Mutex<Handle>,
        path: &Path,
        open: impl Fn() -> Result<Connection, StoreError>,
        mut job: impl FnMut(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut handle = lock(handle);
        let done = job(handle.get(&open)?);
        let done = match (done, &self.key) {
            (Err(error), Some(key)) if is_given_up(&error) => {
                handle.connection = None;
                // Another process may have made it anew, and the damage may be the ground's.
                if !derived::is_whole(path, key) {
                    derived::remove(path)?;
                }
                job(handle.get(&open)?)
            }
            (done, _) => done,
        };
        done.map_err(|error| error.in_file(path))
    }

    /// The vectors of a model, caught up with the file. When too many of them are not in cells, that is mended beside.
    pub(crate) fn matrix(&self, model: &str) -> Result<Arc<Matrix>, StoreError> {
        let matrix = {
            let mut matrices = lock(&self.matrices);
            Arc::clone(matrices.entry(model.to_owned()).or_insert_with(|| Arc::new(Matrix::new(model))))
        };
        self.with_vectors(|vectors| matrix.catch_up(vectors))?;
        if matrix.is_due() && self.may_have_cells() {
            self.tending.begin(model);
        }
        Ok(matrix)
    }

    /// Has the file of a model's cells written by a thread of its own, if that is due.
    pub(crate) fn tend(&self, model: &str) -> Result<(), StoreError> {
        if self.may_have_cells() && self.with_vectors(|vectors| cells::build::is_due_now(vectors, model))? {
            self.tending.begin(model);
        }
        Ok(())
    }

    /// Files of cells hold vectors in the clear, so an encrypted store has none, and searches all vectors one by one.
    fn may_have_cells(&self) -> bool {
        self.key.is_none()
    }

    /// How far that has come, from 0 to 1; none when this process does not write one.
    pub(crate) fn tending(&self, model: &str) -> Option<f64> {
        self.tending.progress(model)
    }

    /// Brings the text index up to what `ground` shows.
    pub(crate) fn catch_up_text(&self, ground: &Connection) -> Result<(), StoreError> {
        while !self.with_text(|index| feed::catch_up(ground, index, self.mark, ROWS_PER_STEP))?.current {}
        Ok(())
    }

    /// Makes a search connection see the text index.
    pub(crate) fn attach(&self, reader: &Connection) -> Result<(), StoreError> {
        self.with_text(|_| Ok(()))?;
        text::attach(reader, &self.text_path, self.key.as_ref())
    }

    /// Empties the text index: it fills again from the ground.
    pub(crate) fn reset_text(&self) -> Result<(), StoreError> {
        self.frequencies.clear();
        self.with_text(|index| text::reset(index, self.mark))
    }

    /// Empties both files, whichever is damaged: they fill again from the ground and from the embedder.
    pub(crate) fn reset(&self) -> Result<(), StoreError> {
        self.reset_text()?;
        lock(&self.matrices).clear();
        if !self.vectors_path.exists() {
            return Ok(());
        }
        self.with_vectors(|vectors| vector::reset(vectors, self.mark))
    }

    /// Erases memories from every derived file and its write-ahead log; false when a reader kept a log from being
    /// emptied, so that it has to be tried again.
    pub(crate) fn erase(&self, ground: &Connection, numbers: &[i64]) -> Result<bool, StoreError> {
        self.frequencies.clear();
        let text_gone = match self.with_text(|index| text::erase(index, numbers)) {
            Err(error) if is_damage(&error) => self.reset_text().map(|()| true),
            other => other.map(|erasure| erasure.log_truncated),
        }?;
        if !self.vectors_path.exists() {
            // Somebody deleted the file, and perhaps not what belongs to it.
            self.vectors_path.parent().map_or(Ok(()), cells::remove_all)?;
            return Ok(text_gone);
        }
        let vectors_gone = match self.with_vectors(|vectors| vector::erase(ground, vectors, numbers)) {
            Err(error) if is_damage(&error) => {
                self.with_vectors(|vectors| vector::reset(vectors, self.mark)).map(|()| true)
            }
            other => other.map(|erasure| erasure.log_truncated),
        }?;
        Ok(text_gone && vectors_gone)
    }

    pub(crate) fn close(&self) {
        self.tending.close();
        for handle in [&self.text, &self.vectors] {
            let mut handle = lock(handle);
            handle.closed = true;
            if let Some(connection) = handle.connection.take() {
                // What can't be moved out of the log now is moved when the file is opened next.
                let _ = truncate_log(&connection);
            }
        }
        lock(&self.matrices).clear();
    }
}

impl Store {
    /// Erases from the derived files, and from the write-ahead log, what left the views: nothing when nothing did.
    pub(crate) fn erase_derived(&self) -> Result<(), StoreError> {
        let numbers = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT memory FROM erasure")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?)
        })?;
        if numbers.is_empty() {
            return Ok(());
        }
        let derived_gone = self.read(|ground| self.indexes.erase(ground, &numbers))?;
        self.scrub_ground()?;
        let ground_gone = self.writer.checkpoint_now(true)?.complete;
        if !(derived_gone && ground_gone) {
            // A reader still holds an old version in a log. The list stays, so that the next sweep tries again.
            return Ok(());
        }
        self.writer.run(move |connection, _| {
            let mut statement = connection.prepare_cached("DELETE FROM erasure WHERE memory = ?1")?;
            numbers.iter().try_for_each(|number| statement.execute([number]).map(drop))?;
            Ok(())
        })
    }

    /// Overwrites the copies of erased rows that SQLite has left in the pages of the database.
    fn scrub_ground(&self) -> Result<(), StoreError> {
        let (mut connection, _) = open_writer(&self.folder.database(), FORMAT, &self.options.connection)?;
        scrub(&mut connection).map(drop)
    }

    /// Brings the text index up to the newest write.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] inside a batch; else those of the disk.
    pub fn catch_up_text(&self) -> Result<(), StoreError> {
        self.read(|connection| self.indexes.catch_up_text(connection))
    }
}
