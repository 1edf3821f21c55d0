//! The folder of a store: where its files lie, and the key that this replica signs with.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::backoff::Patience;
use crate::encryption::{self, Key, SEALED_SEED_BYTES};
use crate::error::{EncryptionFault, StoreError};

const SEED_BYTES: usize = 32;

/// No database of SQLite is shorter: one page, and the smallest page.
const SQLITE_BYTES_MIN: u64 = 512;

/// Making a key takes milliseconds; whoever holds the folder for longer than this has been stopped.
const KEY_WAIT: Duration = Duration::from_secs(10);

/// The secret seed of this replica's Ed25519 key. It is wiped from memory when dropped and never printed.
#[derive(Clone)]
pub struct Seed(Zeroizing<[u8; SEED_BYTES]>);

impl Seed {
    /// The 32 bytes of the seed.
    pub fn as_bytes(&self) -> &[u8; SEED_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Seed(secret)")
    }
}

/// A locked file, unlocked when this is dropped.
///
/// Closing would not do: a process that was forked meanwhile has the same handle, and would keep the lock for as long
/// as it lives. Only for locks that end with a call, so that no forked process ever drops one.
#[derive(Debug)]
pub(crate) struct Alone(pub(crate) File);

impl Drop for Alone {
    fn drop(&mut self) {
        // It ends with the last handle, too.
        let _ = self.0.unlock();
    }
}

/// The folder of one store. Making this value touches no disk.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    /// What opens its files, if they are encrypted.
    unlocking: Option<Key>,
}

impl Folder {
    /// The folder at `root`, whether or not it exists.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), unlocking: None }
    }

    /// The same folder, with what opens its files; none when they are plain.
    #[must_use]
    pub(crate) fn with_key(&self, key: Option<Key>) -> Self {
        Self { root: self.root.clone(), unlocking: key }
    }

    /// What opens the files of this folder; none when they are plain.
    pub(crate) fn unlocking(&self) -> Option<&Key> {
        self.unlocking.as_ref()
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The log of operations and the views on it. Each database has SQLite's `-wal` and `-shm` beside it while it is
    /// open, and an empty `-turn` by whose lock processes take turns.
    pub fn database(&self) -> PathBuf {
        self.root.join("chrysalis.db")
    }

    /// The text index: derived, can be deleted and rebuilt.
    pub fn text(&self) -> PathBuf {
        self.root.join("text.db")
    }

    /// The vectors: derived, can be deleted and rebuilt.
    pub fn vectors(&self) -> PathBuf {
        self.root.join("vectors.db")
    }

    /// The seed of the replica's key.
    pub fn key(&self) -> PathBuf {
        self.root.join("key")
    }

    /// How a passphrase opens this store: there when the store is encrypted.
    pub fn encryption(&self) -> PathBuf {
        self.root.join("encryption")
    }

    /// Tells whether a store was begun here.
    pub(crate) fn has_store(&self) -> bool {
        self.key().exists() || holds_bytes(&self.database())
    }

    /// Tells whether the seed is encrypted, as far as its length shows.
    pub(crate) fn has_sealed_seed(&self) -> bool {
        length(&self.key()) == SEALED_SEED_BYTES as u64
    }

    /// Creates the folder, and those above it, for the eyes of its owner only; one that exists stays as it is.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::DiskFull`] or [`StoreError::Io`] when it cannot be created,
    /// [`StoreError::Invalid`] when something that is no folder has this name.
    pub fn create(&self) -> Result<(), StoreError> {
        // One look, not two: another process may create it in between.
        match fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => return Ok(()),
            Ok(_) => {
                let what = format!("{} is a file, and a store is a folder", self.root.display());
                return Err(StoreError::Invalid(what));
            }
            Err(_) => {}
        }
        private_folders().create(&self.root).map_err(|error| write_error(&self.root, error))?;
        match self.root.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
            _ => Ok(()),
        }
    }

    /// Reads the seed of this replica, or makes one in a new store. On disk when this returns.
    ///
    /// Any number of processes may ask at once: they all get the same seed. A key that others could read is
    /// closed to them.
    ///
    /// # Errors
    /// [`StoreError::Key`] when the key has the wrong size, cannot be closed to others, or is missing from a
    /// store that holds data; [`StoreError::Locked`] when another process holds the folder for too long.
    pub fn load_or_create_seed(&self) -> Result<Seed, StoreError> {
        if let Some(seed) = self.read_seed()? {
            return Ok(seed);
        }
        let _alone = self.lock()?;
        if let Some(seed) = self.read_seed()? {
            return Ok(seed);
        }
        if self.unlocking.is_none() && self.encryption().exists() {
            // Another process made this store, encrypted, in this moment.
            return Err(StoreError::Encryption(EncryptionFault::Locked));
        }
        if holds_bytes(&self.database()) || holds_bytes(&self.root.join("chrysalis.db-wal")) {
            let what = format!("{} is missing, and the store beside it has data", self.key().display());
            return Err(StoreError::Key(what));
        }
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        getrandom::fill(seed.as_mut_slice()).map_err(|error| StoreError::io(&self.root, io::Error::other(error)))?;
        self.write_seed(&Seed(seed))?;
        self.read_seed()?.ok_or_else(|| StoreError::Key(format!("{} vanished", self.key().display())))
    }

    /// Makes sure that a database with nothing in it is a new one. SQLite takes a file that was cut to a few bytes for
    /// one that is about to be written, and a store would begin anew where memories were lost.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn check_not_emptied(&self) -> Result<(), StoreError> {
        let database = self.database();
        match length(&database) {
            0 => {}
            1..SQLITE_BYTES_MIN => return Err(StoreError::corrupt(&database, "it was cut to a few bytes")),
            _ => return Ok(()),
        }
        let beside = length(&self.root.join("chrysalis.db-wal")) > 0 || length(&self.text()) == 0;
        // Looked at again: another process may have moved its log into the database between the two looks.
        if beside || length(&database) > 0 {
            return Ok(());
        }
        Err(StoreError::corrupt(&database, "it is empty, and the text index beside it knows memories"))
    }

    /// The seed, or none when there is no key file.
    pub(crate) fn read_seed(&self) -> Result<Option<Seed>, StoreError> {
        let path = self.key();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        close_to_others(&path, &file)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(SEALED_SEED_BYTES + 1));
        file.take(SEALED_SEED_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| StoreError::io(&path, error))?;
        self.seed_in(&bytes).map(Some).ok_or_else(|| {
            let wanted = if self.unlocking.is_some() { "a seed under the store's key" } else { "32 bytes" };
            StoreError::Key(format!("{} does not hold {wanted}", path.display()))
        })
    }

    /// The seed in the bytes of the file; none when they hold none for this store.
    pub(crate) fn seed_in(&self, bytes: &[u8]) -> Option<Seed> {
        match &self.unlocking {
            Some(key) => encryption::open_seed(key, bytes).map(Seed),
            None => bytes.try_into().ok().map(|seed| Seed(Zeroizing::new(seed))),
        }
    }

    /// Writes a seed under another name and then renames it, so that nobody ever reads half of one.
    pub(crate) fn write_seed(&self, seed: &Seed) -> Result<(), StoreError> {
        let bytes = Zeroizing::new(match &self.unlocking {
            Some(key) => encryption::seal_seed(key, seed.as_bytes())?,
            None => seed.as_bytes().to_vec(),
        });
        let draft = self.root.join("key.new");
        write_draft(&draft, &bytes)
            .and_then(|()| fs::rename(&draft, self.key()))
            .map_err(|error| write_error(&self.key(), error))?;
        sync_folder(&self.root)
    }

    /// Keeps other processes from making a key, and from opening the store, until the returned handle is dropped.
    pub(crate) fn lock(&self) -> Result<Alone, StoreError> {
        self.lock_by(File::try_lock).map(Alone)
    }

    /// Keeps others from converting the store until the returned handle is dropped: an open database does so itself.
    /// Where folders can't be locked nobody is kept from anything.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when somebody is converting it, or has since its key was looked for.
    pub(crate) fn lock_unconverted(&self) -> Result<Option<File>, StoreError> {
        let handle = match self.lock_by(File::try_lock_shared) {
            Err(StoreError::Locked) => return Err(StoreError::Locked),
            other => other.ok(),
        };
        let is_as_before = !self.root.join(encryption::CONVERSION_FOLDERS[1]).exists()
            && self.read_seed().is_ok_and(|seed| seed.is_some());
        if is_as_before { Ok(handle) } else { Err(StoreError::Locked) }
    }

    fn lock_by(&self, take: impl Fn(&File) -> Result<(), fs::TryLockError>) -> Result<File, StoreError> {
        let handle = self.open_lock().map_err(|error| write_error(&self.root, error))?;
        let patience = Patience::new(KEY_WAIT);
        let started = Instant::now();
        loop {
            match take(&handle) {
                Ok(()) => return Ok(handle),
                Err(fs::TryLockError::WouldBlock) if patience.pause(started) => {}
                Err(fs::TryLockError::WouldBlock) => return Err(StoreError::Locked),
                Err(fs::TryLockError::Error(error)) => {
                    return Err(StoreError::io(&self.root, error));
                }
            }
        }
    }

    #[cfg(unix)]
    fn open_lock(&self) -> io::Result<File> {
        File::open(&self.root)
    }

    #[cfg(not(unix))]
    fn open_lock(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        options.open(self.root.join("key.lock"))
    }
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    // A draft can only be left from a process that died here: whoever comes now holds the lock.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private_file().open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A file that may not be written to is a store that is read-only.
fn write_error(path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => StoreError::ReadOnly,
        _ => StoreError::io(path, error),
    }
}

/// Closes a file to all but its owner.
#[cfg(unix)]
pub(crate) fn make_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|error| write_error(path, error))
}

#[cfg(not(unix))]
pub(crate) fn make_private(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

fn holds_bytes(path: &Path) -> bool {
    length(path) > 0
}

/// Bytes of a file; none when there is no file.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// A new name in a folder survives a power cut only when the folder itself is on disk.
#[cfg(unix)]
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| StoreError::io(path, error))
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

fn private_folders() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn close_to_others(path: &Path, file: &File) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata().map_err(|error| StoreError::io(path, error))?;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .map_err(|_| StoreError::Key(format!("{} can be read by others", path.display())))
}

#[cfg(not(unix))]
fn close_to_others(_path: &Path, _file: &File) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use tempfile::TempDir;

    use super::Folder;

    #[test]
    fn a_lock_is_let_go_also_while_a_forked_process_has_the_same_handle() {
        let outside = TempDir::new().unwrap();
        let folder = Folder::at(outside.path());
        let alone = folder.lock().unwrap();
        // What a fork gives to the other process.
        let inherited = alone.0.try_clone().unwrap();
        assert!(File::open(outside.path()).unwrap().try_lock().is_err());
        drop(alone);
        assert!(File::open(outside.path()).unwrap().try_lock().is_ok());
        drop(inherited);
    }
}
