//! The thread that writes a file of cells when one is due, so that nobody who puts or looks for vectors waits for it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::search::cells::build::{self, Outcome, Watch};

/// Another process is at it: by then it may be done.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// The disk is full, or fails: searches stay exact and slower meanwhile.
const FAULT_WAIT: Duration = Duration::from_secs(60);

/// Writes one file at a time. The thread is there only while it has work.
pub(crate) struct Tending {
    vectors_path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    work: Option<Work>,
    not_before: Option<Instant>,
    closed: bool,
}

struct Work {
    model: String,
    watch: Arc<Watch>,
    thread: JoinHandle<Result<Outcome, StoreError>>,
}

impl Tending {
    pub(crate) fn new(vectors_path: &Path) -> Self {
        Self { vectors_path: vectors_path.to_owned(), state: Mutex::default() }
    }

    /// Begins to write the file of a model, unless something is being written, or failed a moment ago.
    pub(crate) fn begin(&self, model: &str) {
        let mut state = self.state();
        if state.work.as_ref().is_some_and(|work| !work.thread.is_finished()) {
            return;
        }
        state.finish();
        if state.closed || state.not_before.is_some_and(|time| Instant::now() < time) {
            return;
        }
        let watch = Arc::new(Watch::default());
        let (path, name, watched) = (self.vectors_path.clone(), model.to_owned(), Arc::clone(&watch));
        let job = move || build::build_if_due(&path, &name, &watched);
        // Without a thread searches are slower, and the next call tries again.
        if let Ok(thread) = Builder::new().name("chrysalis-cells".to_owned()).spawn(job) {
            state.work = Some(Work { model: model.to_owned(), watch, thread });
        }
    }

    /// How far the writing of a model's file has come, from 0 to 1; none when none is being written by this process.
    pub(crate) fn progress(&self, model: &str) -> Option<f64> {
        let state = self.state();
        let work = state.work.as_ref().filter(|work| work.model == model && !work.thread.is_finished());
        work.map(|work| work.watch.progress())
    }

    /// Ends the thread without a new file.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        if let Some(work) = &state.work {
            work.watch.stop();
        }
        state.finish();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Waits for the thread, and takes note of how it ended.
    fn finish(&mut self) {
        let Some(work) = self.work.take() else { return };
        let wait = match work.thread.join() {
            Ok(Ok(Outcome::Built | Outcome::NotDue | Outcome::Stopped)) => None,
            Ok(Ok(Outcome::Busy)) => Some(BUSY_WAIT),
            Ok(Err(_)) | Err(_) => Some(FAULT_WAIT),
        };
        self.not_before = wait.map(|wait| Instant::now() + wait);
    }
}

impl Drop for Tending {
    fn drop(&mut self) {
        self.close();
    }
}
