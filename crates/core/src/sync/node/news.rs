//! What came to be on disk here and waits to be told, all of it together.
//!
//! To tell everyone takes time for each link, so a hub of many links does it less often, and tells more each time. A
//! log that was merely opened can wait longest: it says nothing, and whoever needs it earlier asks for it.

use std::collections::BTreeMap;

use crate::id::LogId;
use crate::limits;
use crate::operation::{Kind, Operation};
use crate::sync::replica::Segment;

use super::serve::segment_size;
use super::status::LinkId;

/// How many times as long openings wait.
const OPENINGS: u64 = 20;

/// The queue.
#[derive(Debug)]
pub(super) struct News {
    /// Each run, and who sent it.
    waiting: Vec<(Segment, Option<LinkId>)>,
    /// The last run of each log.
    runs: BTreeMap<LogId, usize>,
    bytes: usize,
    /// Bytes of a payload that is not told at once, and must hold nothing else up.
    eager_bytes_max: usize,
    /// Since when the first waits.
    since_ms: u64,
    /// When they were told last.
    told_ms: Option<u64>,
    /// Whether there is more than openings.
    words: bool,
}

impl News {
    pub(super) fn new(eager_bytes_max: usize) -> Self {
        let (waiting, runs) = (Vec::new(), BTreeMap::new());
        Self { waiting, runs, bytes: 0, eager_bytes_max, since_ms: 0, told_ms: None, words: false }
    }

    /// Whether something of this log waits.
    pub(super) fn tells_of(&self, log: &LogId) -> bool {
        self.runs.contains_key(log)
    }

    /// Puts a segment behind the others, or behind the run of its log that it continues; `origin` sent it.
    pub(super) fn put(&mut self, segment: Segment, origin: Option<LinkId>, now_ms: u64) {
        let Some(log) = segment.first().map(|first| first.header().log) else { return };
        if self.waiting.is_empty() {
            self.since_ms = now_ms;
        }
        self.words |= !is_opening(&segment);
        self.bytes += segment_size(&segment);
        let eager_bytes_max = self.eager_bytes_max;
        let run = self.runs.get(&log).and_then(|at| self.waiting.get_mut(*at));
        match run.filter(|(run, from)| *from == origin && joins(run, &segment, eager_bytes_max)) {
            Some((run, _)) => run.extend(segment),
            None => {
                self.runs.insert(log, self.waiting.len());
                self.waiting.push((segment, origin));
            }
        }
    }

    /// When they are to be told, if there are any: at once when none were told for `pace_ms`.
    pub(super) fn due_ms(&self, pace_ms: u64) -> Option<u64> {
        if self.waiting.is_empty() {
            return None;
        }
        let paced_ms = self.told_ms.map_or(0, |told_ms| told_ms + pace_ms);
        let many = self.bytes >= limits::FRAME_BYTES_MAX;
        let rest_ms = if self.words || many { 0 } else { self.since_ms + OPENINGS * pace_ms };
        Some(if many { 0 } else { paced_ms.max(rest_ms) })
    }

    /// Takes all of them, to be told now.
    pub(super) fn take(&mut self, now_ms: u64) -> Vec<(Segment, Option<LinkId>)> {
        self.told_ms = Some(now_ms);
        (self.bytes, self.words) = (0, false);
        self.runs.clear();
        std::mem::take(&mut self.waiting)
    }
}

/// Whether a segment goes on where a run ends, and both may travel as one.
fn joins(run: &[Operation], segment: &[Operation], eager_bytes_max: usize) -> bool {
    let (Some(last), Some(first)) = (run.last(), segment.first()) else { return false };
    first.header().back == Some(last.fingerprint())
        && run.len() + segment.len() <= limits::SEGMENT_OPERATIONS_MAX
        && segment_size(run) + segment_size(segment) <= limits::SEGMENT_BYTES_MAX
        && largest_payload(run).max(largest_payload(segment)) <= eager_bytes_max
}

/// Bytes of the largest payload.
pub(super) fn largest_payload(segment: &[Operation]) -> usize {
    segment.iter().filter_map(|operation| operation.body()).map(|body| body.payload.len()).max().unwrap_or(0)
}

fn is_opening(segment: &[Operation]) -> bool {
    segment.iter().all(|operation| operation.header().kind == Kind::Open)
}
