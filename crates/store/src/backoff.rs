//! Waiting for a lock that another process holds.
//!
//! SQLite's own wait sleeps in growing steps of up to 100 ms, so a process that has waited long asks less and
//! less often and can starve behind a busy one. Here everybody asks again after a short random pause, and
//! waiting ends at a deadline instead of after a count.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const PAUSE_MIN_US: u64 = 100;
const PAUSE_SPAN_US: u64 = 1_500;

/// How long a connection may wait for locks.
#[derive(Debug)]
pub(crate) struct Patience {
    timeout: Duration,
    deadline: Mutex<Option<Instant>>,
}

impl Patience {
    /// Each wait may last `timeout`, unless a deadline is set.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, deadline: Mutex::new(None) }
    }

    /// From now on every wait ends at `deadline`, so that several waits in a row share one bound.
    pub(crate) fn until(&self, deadline: Instant) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
    }

    /// Sleeps once; `false` when the time of a wait that began at `started` is over.
    pub(crate) fn pause(&self, started: Instant) -> bool {
        let set = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = set.unwrap_or_else(|| started + self.timeout);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        thread::sleep(random_pause().min(left));
        true
    }
}

/// Between 0.1 and 1.6 ms, different in every process and at every call.
fn random_pause() -> Duration {
    // Without randomness from the system the pauses are equal: unfair under load, but never wrong.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    Duration::from_micros(PAUSE_MIN_US + u64::from(random) % PAUSE_SPAN_US)
}
