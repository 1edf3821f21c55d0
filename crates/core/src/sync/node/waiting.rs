//! The waiting room: runs of operations whose author signed them, but which name others that are not here yet.
//!
//! Nothing is lost when it is full or its replica stops: a replica stores an operation only after all its ancestors,
//! so whatever is missing follows from the heads and is fetched again.

use std::collections::{BTreeMap, BTreeSet};

use crate::admit::Missing;
use crate::id::{Fingerprint, LogId, ReplicaKey};
use crate::sync::replica::Segment;

use super::config::NodeConfig;
use super::serve::segment_size;
use super::status::LinkId;
use super::step::Source;

/// Greatest pause, in ms, after which what is missing is sought again.
const SEEK_MS_MAX: u64 = 20_000;

/// A run that waits.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) source: Source,
    pub(super) segment: Segment,
    missing: Vec<Missing>,
    log: LogId,
    last: Fingerprint,
    bytes: usize,
    since_ms: u64,
    /// When what is missing is sought next, and how long after that again.
    seek_ms: u64,
    pause_ms: u64,
    /// How often it was sought.
    sought: u32,
}

/// All that wait. Bounded for each peer, for each log and in all.
#[derive(Debug)]
pub(super) struct WaitingRoom {
    entries: BTreeMap<u64, Entry>,
    waiting_for: BTreeMap<Missing, BTreeSet<u64>>,
    present: BTreeSet<Fingerprint>,
    by_peer: BTreeMap<ReplicaKey, usize>,
    by_log: BTreeMap<LogId, usize>,
    bytes: usize,
    next: u64,
    bytes_max: usize,
    peer_bytes_max: usize,
    log_bytes_max: usize,
    waiting_ms: u64,
    find_ms: u64,
}

impl WaitingRoom {
    pub(super) fn new(config: &NodeConfig) -> Self {
        Self {
            entries: BTreeMap::new(),
            waiting_for: BTreeMap::new(),
            present: BTreeSet::new(),
            by_peer: BTreeMap::new(),
            by_log: BTreeMap::new(),
            bytes: 0,
            next: 0,
            bytes_max: config.waiting_bytes_max,
            peer_bytes_max: config.waiting_link_bytes_max,
            log_bytes_max: config.waiting_log_bytes_max,
            waiting_ms: config.waiting_ms,
            find_ms: config.find_ms,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keeps a run until what is missing comes; what is missing of a void branch is sought at once. False when there
    /// is no room.
    pub(super) fn put(
        &mut self,
        source: Source,
        segment: Segment,
        missing: &[Missing],
        now_ms: u64,
        void: bool,
    ) -> bool {
        let Some(last) = segment.last() else { return true };
        let (log, last) = (last.header().log, last.fingerprint());
        if self.present.contains(&last) {
            return true;
        }
        let bytes = segment_size(&segment);
        let used = |used: Option<&usize>| used.copied().unwrap_or(0);
        let fits = self.bytes + bytes <= self.bytes_max
            && used(self.by_peer.get(&source.key)) + bytes <= self.peer_bytes_max
            && used(self.by_log.get(&log)) + bytes <= self.log_bytes_max;
        if !fits {
            return false;
        }
        self.next += 1;
        let number = self.next;
        for one in missing {
            self.waiting_for.entry(*one).or_default().insert(number);
        }
        self.present.insert(last);
        *self.by_peer.entry(source.key).or_insert(0) += bytes;
        *self.by_log.entry(log).or_insert(0) += bytes;
        self.bytes += bytes;
        let missing = missing.to_vec();
        let seek_ms = if void { now_ms } else { now_ms + self.find_ms };
        self.entries.insert(
            number,
            Entry {
                source,
                segment,
                missing,
                log,
                last,
                bytes,
                since_ms: now_ms,
                seek_ms,
                pause_ms: self.find_ms,
                sought: 0,
            },
        );
        true
    }

    /// Takes out what waited for this.
    pub(super) fn wake(&mut self, missing: &Missing) -> Vec<Entry> {
        let numbers = self.waiting_for.get(missing).cloned().unwrap_or_default();
        numbers.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        for one in &entry.missing {
            if let Some(numbers) = self.waiting_for.get_mut(one) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.waiting_for.remove(one);
                }
            }
        }
        self.present.remove(&entry.last);
        self.bytes -= entry.bytes;
        give_back(&mut self.by_peer, &entry.source.key, entry.bytes);
        give_back(&mut self.by_log, &entry.log, entry.bytes);
        Some(entry)
    }

    /// Lets go of what has waited too long. Numbers grow with time.
    pub(super) fn expire(&mut self, now_ms: u64) {
        while let Some((number, entry)) = self.entries.first_key_value()
            && entry.since_ms + self.waiting_ms <= now_ms
        {
            let number = *number;
            self.remove(number);
        }
    }

    /// What has been missing for a while, by the link that brought what names it; none when that was asked before.
    pub(super) fn due_finds(&mut self, now_ms: u64) -> BTreeMap<Option<LinkId>, BTreeSet<Fingerprint>> {
        let mut wanted: BTreeMap<Option<LinkId>, BTreeSet<Fingerprint>> = BTreeMap::new();
        for entry in self.entries.values_mut().filter(|entry| entry.seek_ms <= now_ms) {
            let link = (entry.sought == 0).then_some(entry.source.link);
            entry.sought += 1;
            entry.pause_ms = (entry.pause_ms * 2).min(SEEK_MS_MAX);
            entry.seek_ms = now_ms + entry.pause_ms;
            let fingerprints = entry.missing.iter().filter_map(|missing| match missing {
                Missing::Operation(fingerprint) => Some(*fingerprint),
                Missing::Log(_) => None,
            });
            wanted.entry(link).or_default().extend(fingerprints);
        }
        wanted
    }

    /// When the next thing is due here.
    pub(super) fn wake_at(&self) -> Option<u64> {
        let expiry = self.entries.values().next().map(|entry| entry.since_ms + self.waiting_ms);
        let find = self.entries.values().map(|entry| entry.seek_ms).min();
        expiry.into_iter().chain(find).min()
    }
}

fn give_back<K: Ord>(used: &mut BTreeMap<K, usize>, key: &K, bytes: usize) {
    if let Some(left) = used.get_mut(key) {
        *left -= bytes;
        if *left == 0 {
            used.remove(key);
        }
    }
}
