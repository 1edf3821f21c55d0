//! Every frame that a link can bring: no panic, no memory beyond its bound, and what is read is written alike.
//!
//! Packed segments are completed beside a small ledger, and ranges answered beside small lists, as a node does it.

#![no_main]

#[path = "../../crates/core/tests/common/mod.rs"]
mod common;

use std::convert::Infallible;
use std::sync::LazyLock;

use chrysalis_core::id::{Fingerprint, LogId};
use chrysalis_core::limits;
use chrysalis_core::operation::Operation;
use chrysalis_core::sync::message::{Carried, Message, Range};
use chrysalis_core::sync::packed::{PackedSegment, Resolver, Unpacker};
use chrysalis_core::sync::reconcile::respond;
use chrysalis_core::sync::replica::{LogState, Mark, Tip};
use common::golden::Golden;
use libfuzzer_sys::fuzz_target;

/// The first operations of the golden logs, on which the seeds build.
struct Standing(Vec<Operation>);

static STANDING: LazyLock<Standing> = LazyLock::new(|| {
    let golden = Golden::make();
    let log = golden.log.into_iter().map(|named| named.operation);
    Standing(log.chain(golden.segment).collect())
});

impl Resolver for Standing {
    type Error = Infallible;

    fn standing_at(&self, log: &LogId, place: u64) -> Result<Option<Fingerprint>, Infallible> {
        let stands = |o: &&Operation| o.header().log == *log && o.header().sequence == place;
        Ok(self.0.iter().find(stands).map(Operation::fingerprint))
    }

    fn resolve(&self, mark: &Mark) -> Result<Option<Fingerprint>, Infallible> {
        Ok(self.0.iter().map(Operation::fingerprint).find(|fingerprint| Mark::of(fingerprint) == *mark))
    }

    fn count(&self, log: &LogId) -> Result<u64, Infallible> {
        Ok(self.0.iter().filter(|o| o.header().log == *log).count() as u64)
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(message) = Message::decode(data) else { return };
    let written = message.encode();
    assert_eq!(Message::decode(&written).as_ref(), Ok(&message), "read, but written otherwise");
    if data[0] == 0 && written[0] == 0 {
        assert_eq!(written, data, "one message, two encodings");
    }
    match message {
        Message::Segments { segments, .. } => unpack(&segments),
        Message::Ranges(ranges) => answer(&ranges),
        _ => {}
    }
});

fn unpack(segments: &[Carried]) {
    let mut unpacker = Unpacker::new(&*STANDING);
    for carried in segments {
        match carried {
            Carried::Plain(segment) => unpacker.learn(segment),
            Carried::Packed(packed) => {
                let Ok(segment) = unpacker.unpack(packed) else { continue };
                assert_eq!(PackedSegment::pack(&segment).as_ref(), Some(packed));
                for operation in segment {
                    assert_eq!(Operation::decode(&operation.encode()).as_ref(), Ok(&operation));
                }
            }
        }
    }
}

fn answer(ranges: &[Range]) {
    let state = |byte: u8| LogState { log: LogId([byte; 32]), count: 3, tip: Tip([byte; 16]), cut: None };
    let ours: Vec<_> = (0..40).map(|number| state(number * 6)).collect();
    for ours in [&ours[..], &[]] {
        let Ok(reconciled) = respond(ours, b"salt", ranges) else { continue };
        assert!(reconciled.answer.len() <= limits::RANGES_MAX);
        respond(ours, b"salt", &reconciled.answer).expect("an answer is in order");
    }
}
