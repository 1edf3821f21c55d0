//! Whose turn it is among processes that wait for the write lock.
//!
//! SQLite's lock goes to whoever asks in the moment it is free, and that is nearly always the process that just
//! released it. So before asking for that lock a writer passes a turnstile, another file's lock, and keeps it until
//! it has the write lock: one process waits at the front and asks often, the others wait behind it, and the one
//! that just wrote has to queue again.
//!
//! The turnstile only makes things fair, never safe: where it does not work, or somebody in it was stopped, the
//! write lock is asked for without it.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backoff::Patience;

/// Whoever stands in the turnstile for longer than this waits for a batch, or was stopped.
const TURN_WAIT: Duration = Duration::from_secs(2);
/// After that it is left alone for so long.
const AVOIDED_FOR: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Turnstile {
    /// None where it cannot be made.
    file: Option<File>,
    avoided_until: Mutex<Option<Instant>>,
}

/// Being at the front; passed on when dropped.
pub(crate) struct Front<'turnstile> {
    file: &'turnstile File,
    patience: &'turnstile Patience,
}

impl Drop for Front<'_> {
    fn drop(&mut self) {
        self.patience.hurry(false);
        // The lock also ends with the file; nothing is lost but fairness.
        let _ = self.file.unlock();
    }
}

impl Turnstile {
    /// The turnstile of the database at `path`: an empty file beside it.
    pub(crate) fn of(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push("-turn");
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(name);
        Self { file: file.ok(), avoided_until: Mutex::new(None) }
    }

    /// Waits for the front, within the patience of the caller; none: go on without.
    pub(crate) fn enter<'turnstile>(&'turnstile self, patience: &'turnstile Patience) -> Option<Front<'turnstile>> {
        let file = self.file.as_ref()?;
        let mut avoided = self.avoided_until.lock().unwrap_or_else(PoisonError::into_inner);
        let started = Instant::now();
        if avoided.is_some_and(|until| started < until) {
            return None;
        }
        loop {
            match file.try_lock() {
                Ok(()) => {
                    patience.hurry(true);
                    return Some(Front { file, patience });
                }
                Err(TryLockError::WouldBlock) if started.elapsed() < TURN_WAIT && patience.pause(started) => {}
                Err(_) => {
                    *avoided = Some(Instant::now() + AVOIDED_FOR);
                    return None;
                }
            }
        }
    }
}
