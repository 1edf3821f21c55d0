//! What can go wrong in a store, each with a stable code and a hint that says what to do next.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// A fault of the store, or a request that it cannot serve.
///
/// Cloning is cheap: one failed commit answers every thread whose work was in it.
#[derive(Debug, Clone)]
pub enum StoreError {
    /// Other threads or processes kept the store busy for longer than the configured wait.
    Locked,
    /// A file of the store does not hold what it must.
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file was written by a newer version than this one can read.
    TooNew {
        /// The version of the file.
        found: i32,
        /// The newest version that this library reads.
        supported: i32,
    },
    /// The disk, or the quota on it, has no room left.
    DiskFull,
    /// The store lies where this process may not write.
    ReadOnly,
    /// The store has been closed.
    Closed,
    /// What was asked for is not in the store.
    NotFound(String),
    /// The request itself makes no sense.
    Invalid(String),
    /// Somebody's bytes were not acceptable: the stable code of the refusal, and what was wrong.
    Refused(&'static str, String),
    /// The key file is missing or unusable.
    Key(String),
    /// How the store is kept and what was given to open it do not fit.
    Encryption(EncryptionFault),
    /// A step of some work in the store broke off: a mistake in this library or in a function given to it.
    Internal(String),
    /// The operating system refused a file operation.
    Io {
        /// The file it was about; empty when unknown.
        file: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// SQLite failed in a way that has no name of its own here.
    Sqlite(Arc<rusqlite::Error>),
}

/// Why a store could not be opened with the passphrase that was given, or without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionFault {
    /// It is encrypted, and no passphrase was given.
    Locked,
    /// The passphrase is not the one that it was encrypted with.
    WrongPassphrase,
    /// A passphrase was given, and the store is not encrypted.
    Plain,
    /// This build of the library has no encryption.
    NotBuilt,
}

impl EncryptionFault {
    fn code(self) -> &'static str {
        match self {
            Self::Locked => "store_encrypted",
            Self::WrongPassphrase => "passphrase_wrong",
            Self::Plain => "store_plain",
            Self::NotBuilt => "encryption_not_built",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Locked => "the store is encrypted, and no passphrase was given",
            Self::WrongPassphrase => "the passphrase does not open this store",
            Self::Plain => "a passphrase was given, and the store is not encrypted",
            Self::NotBuilt => "this build of the library has no encryption, which an encrypted store needs",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Locked => {
                "Give `passphrase=`, or on the command line --passphrase-file or the variable CHRYSALIS_PASSPHRASE."
            }
            Self::WrongPassphrase => "Give the passphrase that it was encrypted with; nothing was changed.",
            Self::Plain => "Open it without one, or convert it with `chrysalis encrypt`; nothing was changed.",
            Self::NotBuilt => {
                "Install a build with it: MATURIN_PEP517_ARGS=\"--features encryption\" pip install . (docs/guide.md)."
            }
        }
    }
}

impl StoreError {
    /// The fault that a file operation on `file` ended with.
    pub fn io(file: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io { file: file.to_owned(), source: Arc::new(source) },
        }
    }

    /// A damaged file, and what is wrong with it.
    pub fn corrupt(file: &Path, what: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), what: what.into() }
    }

    /// The same error, naming `path` where it speaks of a file that it could not know.
    #[must_use]
    pub fn in_file(mut self, path: &Path) -> Self {
        if let Self::Corrupt { file, .. } | Self::Io { file, .. } = &mut self
            && file.as_os_str().is_empty()
        {
            path.clone_into(file);
        }
        self
    }

    /// A name of this kind of error that no later version changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked => "store_locked",
            Self::Corrupt { .. } => "store_corrupt",
            Self::TooNew { .. } => "store_too_new",
            Self::DiskFull => "disk_full",
            Self::ReadOnly => "read_only",
            Self::Closed => "closed",
            Self::NotFound(_) => "not_found",
            Self::Invalid(_) => "invalid",
            Self::Refused(code, _) => code,
            Self::Key(_) => "key_unusable",
            Self::Encryption(fault) => fault.code(),
            Self::Internal(_) => "internal",
            Self::Io { .. } => "file_error",
            Self::Sqlite(_) => "database_error",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Locked => "Try again, or find the process or thread that keeps a batch open on this store.",
            Self::Corrupt { .. } => "Run `chrysalis doctor`: it says what is damaged and rebuilds what can be rebuilt.",
            Self::TooNew { .. } => "Upgrade chrysalis-memory; the file is sound and was not changed.",
            Self::DiskFull => "Free some space and try again; what was acknowledged before is safe.",
            Self::ReadOnly => {
                "Check the permissions of the store's folder and whether its disk is mounted for writing."
            }
            Self::Closed => "Open the store again.",
            Self::NotFound(_) => "Check the id; a forgotten memory stays forgotten.",
            Self::Invalid(_) => "Correct the call; nothing was changed.",
            Self::Refused("not_allowed", _) => {
                "What was forgotten or withdrawn stays so: choose another id or other words, or ask an administrator."
            }
            Self::Refused("role_lacking" | "removed" | "invitation_expired", _) => {
                "Ask an administrator of the space for an invitation; `chrysalis members` shows who is one."
            }
            Self::Refused("invitation_revoked", _) => {
                "Ask an administrator for a new token, and join again by it: what was said here comes along."
            }
            Self::Refused("space_open", _) => {
                "Found a closed space with `closed=True` or `chrysalis found`, then invite."
            }
            Self::Refused("wrong_space", _) => "Use another store: each keeps one space.",
            Self::Refused("too_large", _) => "Split it into several memories, or raise `payload_bytes_max` in Config.",
            Self::Refused(..) => "Ask whoever made these bytes; nothing was changed.",
            Self::Encryption(fault) => fault.hint(),
            Self::Key(_) => "Restore the key file from a backup; without it this store cannot write in its own name.",
            Self::Internal(_) => "Report this; the store rolled the work back.",
            Self::Io { .. } => {
                "Check that the path exists, is readable by you, and that the disk is healthy and has room."
            }
            Self::Sqlite(_) => "Run `chrysalis doctor`; if it finds nothing, report this message.",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => out.write_str("the store stayed busy for longer than the configured wait"),
            Self::Corrupt { file, what } if file.as_os_str().is_empty() => {
                write!(out, "the store is damaged: {what}")
            }
            Self::Corrupt { file, what } => write!(out, "{} is damaged: {what}", file.display()),
            Self::TooNew { found, supported } => {
                write!(out, "the store has format version {found}, and this library reads versions up to {supported}")
            }
            Self::DiskFull => out.write_str("no room left on the disk of the store"),
            Self::ReadOnly => out.write_str("the store cannot be written to"),
            Self::Closed => out.write_str("the store is closed"),
            Self::NotFound(what) => write!(out, "{what} is not in the store"),
            Self::Invalid(what) | Self::Refused(_, what) | Self::Key(what) | Self::Internal(what) => {
                out.write_str(what)
            }
            Self::Encryption(fault) => out.write_str(fault.what()),
            Self::Io { file, source } if file.as_os_str().is_empty() => write!(out, "{source}"),
            Self::Io { file, source } => write!(out, "{}: {source}", file.display()),
            Self::Sqlite(source) => write!(out, "{source}"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source.as_ref()),
            Self::Sqlite(source) => Some(source.as_ref()),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    /// Paths are not known here: [`StoreError::in_file`] adds them.
    fn from(error: rusqlite::Error) -> Self {
        match failure(&error) {
            Some(failure) => from_failure(failure, error),
            None if holds_wrong_value(&error) => Self::corrupt(Path::new(""), error.to_string()),
            None => Self::Sqlite(Arc::new(error)),
        }
    }
}

/// The result code of SQLite inside `error`, wherever rusqlite put it.
fn failure(error: &rusqlite::Error) -> Option<ffi::Error> {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => Some(*failure),
        rusqlite::Error::SqlInputError { error, .. } => Some(*error),
        _ => None,
    }
}

/// Tells whether a column held a value that no version of this library writes there.
fn holds_wrong_value(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
    )
}

fn from_failure(failure: ffi::Error, error: rusqlite::Error) -> StoreError {
    match failure.code {
        // A failing protocol means that others recovered or closed the file in a loop while we tried to enter.
        ErrorCode::DatabaseBusy | ErrorCode::FileLockingProtocolFailed => StoreError::Locked,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::corrupt(Path::new(""), error.to_string()),
        ErrorCode::DiskFull => StoreError::DiskFull,
        ErrorCode::ReadOnly if failure.extended_code == ffi::SQLITE_READONLY_DBMOVED => {
            file_error(io::ErrorKind::NotFound, "the file was moved or deleted while it was open")
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly,
        ErrorCode::CannotOpen => file_error(io::ErrorKind::Other, "the file cannot be opened"),
        ErrorCode::SystemIoFailure => from_io_failure(failure.extended_code, error),
        _ => StoreError::Sqlite(Arc::new(error)),
    }
}

/// Reading and writing failed below SQLite.
///
/// SQLite itself reports a full disk while it writes pages; growing the shared index of the write-ahead log
/// reports `SHMSIZE` instead, and nothing else makes that step fail on a file just opened.
fn from_io_failure(extended_code: i32, error: rusqlite::Error) -> StoreError {
    match extended_code {
        ffi::SQLITE_IOERR_SHMSIZE => StoreError::DiskFull,
        ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_CORRUPTFS => {
            StoreError::corrupt(Path::new(""), error.to_string())
        }
        _ => file_error(io::ErrorKind::Other, &error.to_string()),
    }
}

fn file_error(kind: io::ErrorKind, what: &str) -> StoreError {
    StoreError::io(Path::new(""), io::Error::new(kind, what))
}
