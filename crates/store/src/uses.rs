//! Uses of memories: counted in memory, written in batches. A read never writes at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrysalis_core::id::MemoryId;
use chrysalis_core::limits;
use chrysalis_core::operation::Kind;
use chrysalis_core::payload::Payload;

use crate::error::StoreError;
use crate::store::Store;

/// With so many memories counted and nobody writing the counts down, further memories are not counted.
const PENDING_MAX: usize = 65_536;

/// Counts that are not written yet.
#[derive(Default)]
pub(crate) struct Uses(Mutex<BTreeMap<MemoryId, u64>>);

impl Uses {
    fn pending(&self) -> MutexGuard<'_, BTreeMap<MemoryId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Counts a use of each memory, and returns how many memories have counts that are not written yet.
    ///
    /// Written by [`Store::flush_uses`] and by closing: whoever counts decides when. A process that dies loses what was
    /// not written yet, and no more than that.
    pub fn count_uses<'a>(&self, ids: impl Iterator<Item = &'a str>) -> usize {
        let mut pending = self.uses.pending();
        for id in ids.filter_map(|id| MemoryId::new(id).ok()) {
            if pending.len() < PENDING_MAX || pending.contains_key(&id) {
                *pending.entry(id).or_insert(0) += 1;
            }
        }
        pending.len()
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
            // Who may only read leaves no trace of reading.
            if turn.head().is_some_and(|head| !head.facts.role.may(Kind::Touch)) {
                return Ok(());
            }
            while !left.is_empty() {
                turn.say(connection, Payload::Touch(take_payload(&mut left)), None)?;
            }
            Ok(())
        });
        if matches!(&written, Err(StoreError::Refused("removed" | "invitation_revoked", _))) {
            return Ok(());
        }
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
