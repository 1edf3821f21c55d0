//! Checking the seals of what a node brings on all cores, before the transaction that takes it in begins.
//!
//! Operations that come live are segments of one, and checking a signature takes longer than storing what it signs.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread;

use chrysalis_core::admit::Ledger as _;
use chrysalis_core::id::{LogId, ReplicaKey};
use chrysalis_core::operation::{Kind, Operation};
use chrysalis_core::payload::Payload;
use chrysalis_core::sign::Checked;
use chrysalis_core::sync::replica::{Offer, Segment};

use crate::error::StoreError;
use crate::ledger::Tables;
use crate::store::Store;

/// Seals from which on the work is shared: with fewer a thread takes longer to start than it saves.
const SHARED_FROM: usize = 8;

/// Threads that check seals: more would wait for the transaction, of which there is one.
const THREADS_MAX: usize = 4;

impl Store {
    /// Checks the seals that admission would check, as far as they show by themselves whose they are. What is not found
    /// to hold here is judged there.
    pub(super) fn check_seals(&self, offers: &[(ReplicaKey, Offer)]) -> Result<Checked, StoreError> {
        let segments = offers.iter().filter_map(|(_, offer)| match offer {
            Offer::Segment(segment) => Some(segment),
            Offer::Proof(_) => None,
        });
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(THREADS_MAX);
        if threads < 2 || segments.clone().count() < SHARED_FROM {
            return Ok(Checked::default());
        }
        let claimed = self.read(|connection| claimed(&self.tables(connection), segments.clone()))?;
        Ok(check(&claimed, threads))
    }
}

/// The last operation of each segment that is new here, and who is to have signed it.
fn claimed<'o>(
    tables: &Tables<'_>,
    segments: impl Iterator<Item = &'o Segment>,
) -> Result<Vec<(ReplicaKey, &'o Operation)>, StoreError> {
    let mut authors: BTreeMap<LogId, Option<ReplicaKey>> = BTreeMap::new();
    let mut claimed = Vec::new();
    for segment in segments {
        let (Some(first), Some(seal)) = (segment.first(), segment.last()) else { continue };
        if tables.place(&seal.fingerprint())?.is_some() {
            continue;
        }
        let log = seal.header().log;
        let author = match (opener(first), authors.get(&log)) {
            (Some(opener), _) => Some(opener),
            (None, Some(known)) => *known,
            (None, None) => tables.log(&log)?.map(|facts| facts.replica),
        };
        authors.insert(log, author);
        claimed.extend(author.map(|author| (author, seal)));
    }
    Ok(claimed)
}

/// Whose log an operation says to open.
fn opener(operation: &Operation) -> Option<ReplicaKey> {
    let body = operation.body().filter(|_| operation.header().kind == Kind::Open)?;
    match Payload::decode(Kind::Open, &body.payload) {
        Ok(Payload::Open(open)) => Some(open.replica),
        _ => None,
    }
}

fn check(claimed: &[(ReplicaKey, &Operation)], threads: usize) -> Checked {
    if claimed.len() < SHARED_FROM {
        return Checked::default();
    }
    let (mine, theirs) = claimed.split_at(claimed.len().div_ceil(threads));
    thread::scope(|scope| {
        let parts = theirs.chunks(claimed.len().div_ceil(threads));
        // Where no thread can be had, admission does the work itself.
        let others: Vec<_> = parts
            .filter_map(|part| {
                let check = || Checked::check(part.iter().copied());
                thread::Builder::new().name("chrysalis-check".to_owned()).spawn_scoped(scope, check).ok()
            })
            .collect();
        let checked = Checked::check(mine.iter().copied());
        others.into_iter().fold(checked, |checked, other| match other.join() {
            Ok(more) => checked.join(more),
            Err(panic) => resume_unwind(panic),
        })
    })
}
