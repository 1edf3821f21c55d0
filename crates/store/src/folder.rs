//! The folder of a store: where its files lie, and the key that this replica signs with.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::backoff::Patience;
use crate::error::StoreError;

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

/// The folder of one store. Making this value touches no disk.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`, whether or not it exists.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
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

    /// Creates the folder, and those above it, for the eyes of its owner only; one that exists stays as it is.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::DiskFull`] or [`StoreError::Io`] when it cannot be created,
    /// [`StoreError::Invalid`] when something that is no folder has this name.
    pub fn create(&self) -> Result<(), StoreError> {
        if self.root.is_dir() {
            return Ok(());
        }
        if self.root.exists() {
            let what = format!("{} is a file, and a store is a folder", self.root.display());
            return Err(StoreError::Invalid(what));
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
        if holds_bytes(&self.database()) || holds_bytes(&self.root.join("chrysalis.db-wal")) {
            let what = format!("{} is missing, and the store beside it has data", self.key().display());
            return Err(StoreError::Key(what));
        }
        self.write_new_seed()?;
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
    fn read_seed(&self) -> Result<Option<Seed>, StoreError> {
        let path = self.key();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        close_to_others(&path, &file)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(SEED_BYTES + 1));
        file.take(SEED_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| StoreError::io(&path, error))?;
        let seed = <[u8; SEED_BYTES]>::try_from(bytes.as_slice())
            .map_err(|_| StoreError::Key(format!("{} does not hold {SEED_BYTES} bytes", path.display())))?;
        Ok(Some(Seed(Zeroizing::new(seed))))
    }

    /// Writes a seed under another name and then renames it, so that nobody ever reads half of one.
    fn write_new_seed(&self) -> Result<(), StoreError> {
        let draft = self.root.join("key.new");
        self.write_draft(&draft)
            .and_then(|()| fs::rename(&draft, self.key()))
            .map_err(|error| write_error(&self.key(), error))?;
        sync_folder(&self.root)
    }

    fn write_draft(&self, draft: &Path) -> io::Result<()> {
        // A draft can only be left from a process that died here: whoever comes now holds the lock.
        match fs::remove_file(draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        getrandom::fill(seed.as_mut_slice()).map_err(io::Error::other)?;
        let mut file = private_file().open(draft)?;
        file.write_all(seed.as_slice())?;
        file.sync_all()
    }

    /// Keeps other processes from making a key until the returned handle is dropped.
    fn lock(&self) -> Result<File, StoreError> {
        let handle = self.open_lock().map_err(|error| write_error(&self.root, error))?;
        let patience = Patience::new(KEY_WAIT);
        let started = Instant::now();
        loop {
            match handle.try_lock() {
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

fn private_file() -> OpenOptions {
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
