//! The types for direct use, one Python class each: the core's values behind a lock, and the clock and the randomness
//! that the core does not have.
//!
//! The classes are frozen and their state is guarded, so that every call is atomic, whichever thread makes it. No
//! Python object is made while a lock is held: collecting garbage may run any code, and that must not wait for us.

mod counters;
mod document;
mod register;
mod sets;
mod stored;

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use chrysalis_core::{Refusal, limits};
use chrysalis_store::StoreError;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyOSError, PyOverflowError, PyValueError};
use pyo3::prelude::*;

use crate::error::raise;

pub use counters::{SharedGCounter, SharedVectorClock};
pub use document::SharedDocument;
pub use register::SharedLwwRegister;
pub use sets::{SharedGSet, SharedOrSet};

/// A value that several threads may use.
struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// A panic under the lock is a mistake of this library, which Python was told of; the value is still one.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads two at once. They are locked in the order of their addresses: threads that merge two values crosswise
    /// must not wait for each other.
    fn with<R>(&self, other: &Self, read: impl FnOnce(&T, &T) -> R) -> R {
        if ptr::eq(self, other) {
            let both = self.lock();
            return read(&both, &both);
        }
        let first = if ptr::from_ref(self) < ptr::from_ref(other) { Some(self.lock()) } else { None };
        let theirs = other.lock();
        let ours = first.unwrap_or_else(|| self.lock());
        read(&ours, &theirs)
    }
}

/// A refusal, raised as a store's would be.
fn refuse(py: Python<'_>, refusal: Refusal) -> PyErr {
    raise(py, StoreError::from(refusal))
}

/// A refusal of what a caller said: misuse, as Python has it, unless a bound was broken.
fn misuse(py: Python<'_>, refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::Malformed(what) => PyValueError::new_err(what),
        other => refuse(py, other),
    }
}

/// Text of a bounded length.
fn bounded<'a>(py: Python<'_>, what: &'static str, text: &'a str, bytes_max: usize) -> PyResult<&'a str> {
    if text.len() > bytes_max {
        return Err(refuse(py, Refusal::TooLarge { what, max: bytes_max as u64 }));
    }
    Ok(text)
}

/// The name of a replica, an instance or a writer.
fn name<'a>(py: Python<'_>, text: &'a str) -> PyResult<&'a str> {
    bounded(py, "name (bytes)", text, limits::NAME_BYTES_MAX)
}

/// A whole number from 0 up to the greatest that every replica can add to.
fn whole(number: &Bound<'_, PyAny>) -> PyResult<u64> {
    let outside = || PyValueError::new_err(format!("a count lies between 0 and {}", limits::INTEGER_MAX));
    let read = number.extract::<u64>().map_err(|error| {
        let too_large = error.is_instance_of::<PyOverflowError>(number.py());
        if too_large { outside() } else { error }
    })?;
    if read <= limits::INTEGER_MAX { Ok(read) } else { Err(outside()) }
}

/// The latest moment that [`now_us`] gave.
static LATEST_US: AtomicU64 = AtomicU64::new(0);

/// The system's clock in µs since the Unix epoch. In one process it never goes back and never stands, so that what was
/// written later here is later, whatever it is written to.
fn now_us() -> u64 {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let before = LATEST_US.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |latest| Some(clock.max(latest + 1)));
    let (Ok(before) | Err(before)) = before;
    clock.max(before + 1)
}

/// Sixteen random bytes.
fn random() -> PyResult<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| PyOSError::new_err(format!("no randomness to be had: {error}")))?;
    Ok(bytes)
}

/// A value as Python shows it.
fn shown<'py>(value: impl IntoPyObjectExt<'py>, py: Python<'py>) -> PyResult<String> {
    Ok(value.into_bound_py_any(py)?.repr()?.to_string())
}
