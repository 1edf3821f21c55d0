//! Uses of memories: counted in memory, written in batches. A read never writes at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrysalis_core::id::MemoryId;
use chrysalis_core::limits;
use chrysalis_core::payload::Payload;

use crate::error::StoreError;
use crate::store::Store;

/// More than this many counted memories are written with the next call that counts one.
const PENDING_MAX: usize = limits::ELEMENTS_MAX;

/// Counts that are not written yet.
#[derive(Default)]
pub(crate) struct Uses(Mutex<BTreeMap<MemoryId, u64>>);

impl Uses {
    fn pending(&self) -> MutexGuard<'_, BTreeMap<MemoryId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Counts a use of each memory. Written by [`Store::flush_uses`], by closing, or when many have gathered; a
    /// process that dies loses what was not written yet, and no more than that.
    ///
    /// # Errors
    /// Those of [`Store::flush_uses`], when it is time to write.
    pub fn count_uses<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Result<(), StoreError> {
        let full = {
            let mut pending = self.uses.pending();
            for id in ids.filter_map(|id| MemoryId::new(id).ok()) {
                *pending.entry(id).or_insert(0) += 1;
            }
            pending.len() >= PENDING_MAX
        };
        if full { self.flush_uses() } else { Ok(()) }
    }

    /// Whether there are uses that are not written yet.
    pub fn has_uses(&self) -> bool {
        !self.uses.pending().is_empty()
    }

    /// Writes the counted uses as operations.
    ///
    /// # Errors
    /// Those of writing; the counts are kept for the next time.
    pub fn flush_uses(&self) -> Result<(), StoreError> {
        let taken = std::mem::take(&mut *self.uses.pending());
        if taken.is_empty() {
            return Ok(());
        }
        let mut left = taken.clone();
        let written = self.writer.run(move |connection, turn| {
            while !left.is_empty() {
                turn.say(connection, Payload::Touch(take_payload(&mut left)), None)?;
            }
            Ok(())
        });
        if written.is_err() {
            let mut pending = self.uses.pending();
            for (id, count) in taken {
                *pending.entry(id).or_insert(0) += count;
            }
        }
        written
    }
}

/// Moves as many counts as one payload may hold out of `left`: 128 ids of the greatest length fit into 64 KiB.
fn take_payload(left: &mut BTreeMap<MemoryId, u64>) -> Vec<(MemoryId, u64)> {
    let taken: Vec<_> =
        left.iter().take(128).map(|(id, count)| (id.clone(), (*count).min(limits::TOUCH_DELTA_MAX))).collect();
    for (id, delta) in &taken {
        if let Some(count) = left.get_mut(id) {
            *count -= delta;
        }
    }
    left.retain(|_, count| *count > 0);
    taken
}
