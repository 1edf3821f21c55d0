//! Reading the log as segments, for links and bundles: runs of one log that end in a seal checked here.
//!
//! What an operation depends on comes before it. Logs that did not wait for each other come in long runs although they
//! arrived by turns: a run is cheap to check, a single operation is not.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use chrysalis_core::causality::LogNumber;
use chrysalis_core::id::ReplicaKey;
use chrysalis_core::limits;
use chrysalis_core::operation::Operation;
use chrysalis_core::sign;
use chrysalis_core::sync::replica::Segment;
use rusqlite::OptionalExtension as _;

use crate::error::StoreError;
use crate::ledger::{RawOperation, STORED, Tables};

/// Segments of some logs, in an order in which another replica can admit them.
pub(crate) struct Segments<'a> {
    tables: &'a Tables<'a>,
    /// What is still to be read of each log: the next place, and the one to stop before.
    places: BTreeMap<LogNumber, (u64, u64)>,
    /// Each log with places left, by the arrival of its next operation.
    order: BinaryHeap<Reverse<(i64, LogNumber)>>,
}

impl<'a> Segments<'a> {
    /// The operations of each log from a place on and before another.
    pub(crate) fn of(
        tables: &'a Tables<'a>,
        logs: impl IntoIterator<Item = (LogNumber, u64, u64)>,
    ) -> Result<Self, StoreError> {
        let mut segments = Self { tables, places: BTreeMap::new(), order: BinaryHeap::new() };
        for (log, next, end) in logs {
            segments.places.insert(log, (next, end));
            segments.line_up(log)?;
        }
        Ok(segments)
    }

    /// The next segment; none when all has been read.
    pub(crate) fn next(&mut self) -> Result<Option<Segment>, StoreError> {
        while let Some(Reverse((_, log))) = self.order.pop() {
            let run = self.run(log)?;
            self.line_up(log)?;
            if !run.is_empty() {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    /// Segments of about so many bytes together, one at least while there is any.
    pub(crate) fn take(&mut self, bytes_max: usize) -> Result<Vec<Segment>, StoreError> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < bytes_max {
            let Some(segment) = self.next()? else { break };
            bytes += segment.iter().map(Operation::size).sum::<usize>();
            taken.push(segment);
        }
        Ok(taken)
    }

    /// Puts a log in line again, by the arrival of what comes next in it.
    fn line_up(&mut self, log: LogNumber) -> Result<(), StoreError> {
        let Some((next, _)) = self.places.get(&log).filter(|(next, end)| next < end) else {
            self.places.remove(&log);
            return Ok(());
        };
        let sql = "SELECT position FROM operation WHERE log = ?1 AND sequence = ?2";
        let mut statement = self.tables.connection.prepare_cached(sql)?;
        match statement.query_row((log, *next as i64), |row| row.get(0)).optional()? {
            Some(position) => self.order.push(Reverse((position, log))),
            None => drop(self.places.remove(&log)),
        }
        Ok(())
    }

    /// Operations of a log up to the last seal that fits into a segment and waits for no other log here.
    fn run(&mut self, log: LogNumber) -> Result<Segment, StoreError> {
        let Some((next, end)) = self.places.get(&log).copied() else { return Ok(Vec::new()) };
        let (mut run, sealed) = self.look_ahead(log, next, end)?;
        if sealed > 0 {
            run.truncate(sealed);
            self.places.insert(log, (next + sealed as u64, end));
            return Ok(run);
        }
        // A fork or a removal took the seal, or words that came later made the run too long for it. The last signature
        // that holds serves as well.
        let (_, facts) = self.tables.log_facts(log)?;
        while run.last().is_some_and(|last| !is_signed(&facts.replica, last)) {
            run.pop();
        }
        let next = if run.is_empty() { end } else { next + run.len() as u64 };
        self.places.insert(log, (next, end));
        Ok(run)
    }

    /// The operations that come next, and how many of them end in a seal.
    fn look_ahead(&self, log: LogNumber, next: u64, end: u64) -> Result<(Segment, usize), StoreError> {
        let sql = format!(
            "SELECT {STORED} FROM operation WHERE log = ?1 AND sequence >= ?2 AND sequence < ?3
                           ORDER BY sequence"
        );
        let mut statement = self.tables.connection.prepare_cached(&sql)?;
        let end = end.min(next + limits::SEGMENT_OPERATIONS_MAX as u64);
        let mut rows = statement.query((log, next as i64, end as i64))?;
        let (mut run, mut sealed, mut bytes) = (Vec::new(), 0, 0);
        while let Some(row) = rows.next()? {
            let stored = RawOperation::read(row)?.parse()?;
            bytes += stored.operation.size();
            let is_full = !run.is_empty() && bytes > limits::SEGMENT_BYTES_MAX;
            if is_full || sealed > 0 && self.waits(log, &stored.operation)? {
                break;
            }
            run.push(stored.operation);
            if stored.checked {
                sealed = run.len();
            }
        }
        Ok((run, sealed))
    }

    /// Whether it depends on an operation of another log that is still to be read.
    fn waits(&self, log: LogNumber, operation: &Operation) -> Result<bool, StoreError> {
        for dependency in &operation.header().dependencies {
            let Some((place, _)) = self.tables.place(dependency)? else { continue };
            let to_read = self.places.get(&place.log).filter(|_| place.log != log);
            if to_read.is_some_and(|(next, end)| (*next..*end).contains(&place.sequence)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn is_signed(replica: &ReplicaKey, operation: &Operation) -> bool {
    sign::verify_operation(replica, &operation.fingerprint(), operation.signature()).is_ok()
}
