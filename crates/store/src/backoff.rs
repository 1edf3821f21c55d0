//! Waiting for a lock that another process holds.
//!
//! SQLite's own wait sleeps in growing steps of up to 100 ms, so a process that has waited long asks less and
//! less often and can starve behind a busy one. Here everybody asks again after a short random pause, and
//! waiting ends at a deadline instead of after a count.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const PAUSE_MIN_US: u64 = 100;
const PAUSE_SPAN_US: u64 = 1_500;
const PAUSE_SPAN_MIN_US: u64 = 200;
const PATIENCE_US: u64 = 10_000;
const HURRIED_PAUSE: Duration = Duration::from_micros(20);

/// How long a connection may wait for locks.
#[derive(Debug)]
pub(crate) struct Patience {
    timeout: Duration,
    deadline: Mutex<Option<Instant>>,
    hurried: AtomicBool,
}

impl Patience {
    /// Each wait may last `timeout`, unless a deadline is set.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, deadline: Mutex::new(None), hurried: AtomicBool::new(false) }
    }

    /// From now on every wait ends at `deadline`, so that several waits in a row share one bound.
    pub(crate) fn until(&self, deadline: Instant) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
    }

    /// Asks more often, for the one process at the front.
    pub(crate) fn hurry(&self, hurried: bool) {
        self.hurried.store(hurried, Ordering::Relaxed);
    }

    /// Sleeps once; `false` when the time of a wait that began at `started` is over.
    pub(crate) fn pause(&self, started: Instant) -> bool {
        let set = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = set.unwrap_or_else(|| started + self.timeout);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let pause = match self.hurried.load(Ordering::Relaxed) {
            true => HURRIED_PAUSE,
            false => random_pause(started.elapsed()),
        };
        thread::sleep(pause.min(left));
        true
    }
}

/// Between 0.1 and 1.6 ms, different in every process and at every call; shorter on average for whoever has
/// waited long, so that the lock comes to those before the newcomers.
fn random_pause(waited: Duration) -> Duration {
    let patience_lost = waited.as_micros() as u64 / PATIENCE_US;
    let span = (PAUSE_SPAN_US / (1 + patience_lost)).max(PAUSE_SPAN_MIN_US);
    // Without randomness from the system the pauses are equal: unfair under load, but never wrong.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    Duration::from_micros(PAUSE_MIN_US + u64::from(random) % span)
}
