//! The short form of segments gives back every operation byte for byte, or says what it lacks; nothing that is read
//! wrongly reaches admission.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use chrysalis_core::id::{Fingerprint, LogId, Salt};
use chrysalis_core::limits;
use chrysalis_core::log::Draft;
use chrysalis_core::operation::{Kind, Operation};
use chrysalis_core::sync::carry::carry;
use chrysalis_core::sync::message::{Carried, Message};
use chrysalis_core::sync::packed::{PackedSegment, Resolver, Unpacker, Unresolved};
use chrysalis_core::sync::replica::Mark;
use common::golden::Golden;
use common::{Author, closed_space, note, open_space, opened};
use proptest::prelude::*;

/// What stands here, without a disk. A forged mark leads to another operation than its own.
#[derive(Default)]
struct Standing {
    places: BTreeMap<(LogId, u64), Fingerprint>,
    forged: BTreeMap<Mark, Fingerprint>,
}

impl Standing {
    fn of<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Self {
        let place = |o: &Operation| ((o.header().log, o.header().sequence), o.fingerprint());
        Self { places: operations.into_iter().map(place).collect(), forged: BTreeMap::new() }
    }
}

impl Resolver for Standing {
    type Error = Infallible;

    fn standing_at(&self, log: &LogId, place: u64) -> Result<Option<Fingerprint>, Infallible> {
        Ok(self.places.get(&(*log, place)).copied())
    }

    fn resolve(&self, mark: &Mark) -> Result<Option<Fingerprint>, Infallible> {
        let found = self.places.values().find(|fingerprint| Mark::of(fingerprint) == *mark);
        Ok(self.forged.get(mark).or(found).copied())
    }

    fn count(&self, log: &LogId) -> Result<u64, Infallible> {
        Ok(self.places.range((*log, 0)..=(*log, u64::MAX)).count() as u64)
    }
}

/// Sends segments through as many frames as they need, and unpacks them one after the other.
fn travel(segments: Vec<Vec<Operation>>, bytes_max: usize, here: &Standing) -> Vec<Vec<Operation>> {
    let mut unpacker = Unpacker::new(here);
    let (mut left, mut arrived) = (segments, Vec::new());
    while !left.is_empty() {
        let (carried, behind) = carry(left, false, bytes_max);
        let frame = Message::Segments { segments: carried, last: behind.is_empty() }.encode();
        assert!(frame.len() <= limits::FRAME_BYTES_MAX);
        let Ok(Message::Segments { segments, last }) = Message::decode(&frame) else { panic!("not read") };
        assert_eq!(last, behind.is_empty());
        for carried in segments {
            let Carried::Packed(packed) = carried else { panic!("not packed") };
            arrived.push(unpacker.unpack(&packed).unwrap());
        }
        left = behind;
    }
    arrived
}

fn packed(segment: &[Operation]) -> PackedSegment {
    PackedSegment::pack(segment).unwrap()
}

/// What one author does next.
#[derive(Clone, Debug)]
struct Step {
    author: usize,
    seen: Vec<usize>,
    /// How far the author's clock jumps, in ms: backwards too, and beyond the embargo.
    leap_ms: i64,
    expires_ms: Option<u64>,
    bare: bool,
    words: usize,
}

fn step() -> impl Strategy<Value = Step> {
    let leap = prop_oneof![4 => 0i64..5_000, 1 => -100_000i64..0, 1 => Just(1_000_000_000)];
    let words = prop_oneof![8 => 0usize..300, 1 => Just(60_000usize)];
    let expires = prop::option::weighted(0.2, 0u64..limits::INTEGER_MAX);
    (0usize..4, prop::collection::vec(0usize..4, 0..4), leap, expires, prop::bool::weighted(0.2), words).prop_map(
        |(author, seen, leap_ms, expires_ms, bare, words)| Step { author, seen, leap_ms, expires_ms, bare, words },
    )
}

/// Several logs that name each other, in an order in which whatever is named comes first.
fn history(steps: &[Step]) -> Vec<Operation> {
    let mut authors: Vec<Author> = (1..5).map(|seed| Author::new(&open_space(), seed)).collect();
    let mut heads: Vec<Operation> = authors.iter_mut().map(Author::open_log).collect();
    let mut operations = heads.clone();
    for (number, step) in steps.iter().enumerate() {
        let author = &mut authors[step.author];
        author.clock_ms = author.clock_ms.saturating_add_signed(step.leap_ms);
        let others = step.seen.iter().filter(|seen| **seen != step.author);
        let seen: BTreeMap<_, _> = others.map(|s| (heads[*s].fingerprint(), heads[*s].header().lamport)).collect();
        let mut payload = note(&format!("step {number}"));
        if let chrysalis_core::payload::Payload::Write(write) = &mut payload {
            write.agent = "a".repeat(step.words % limits::NAME_BYTES_MAX);
            write.changes.push(chrysalis_core::payload::Change::Metadata {
                key: "k".to_owned(),
                value: Some(format!("\"{}\"", "w".repeat(step.words))),
                replaces: Vec::new(),
            });
        }
        let draft = Draft {
            payload,
            salt: Salt([number as u8; 16]),
            now_ms: author.clock_ms,
            expires_ms: step.expires_ms,
            dependencies: seen.into_iter().collect(),
            payload_bytes_max: limits::PAYLOAD_BYTES_MAX,
        };
        let operation = author.head.extend(&author.key, draft).unwrap().operation().clone();
        heads[step.author] = operation.clone();
        operations.push(if step.bare { operation.without_body() } else { operation });
    }
    operations
}

/// Cut into runs of one log, in the order of the history.
fn runs(operations: &[Operation]) -> Vec<Vec<Operation>> {
    let mut runs: Vec<Vec<Operation>> = Vec::new();
    for operation in operations {
        match runs.last_mut() {
            Some(run) if run[0].header().log == operation.header().log && run.len() < 64 => run.push(operation.clone()),
            _ => runs.push(vec![operation.clone()]),
        }
    }
    runs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_history_comes_through_byte_for_byte(
        steps in prop::collection::vec(step(), 0..60),
        bytes_max in prop_oneof![Just(1usize), 500usize..20_000, Just(usize::MAX)],
        known in 4usize..20,
    ) {
        let operations = history(&steps);
        let known = known.min(operations.len());
        let here = Standing::of(&operations[..known]);
        let sent = runs(&operations[known..]);
        let arrived = travel(sent.clone(), bytes_max, &here);
        prop_assert_eq!(&arrived, &sent);
        for operation in arrived.iter().flatten() {
            prop_assert_eq!(Operation::decode(&operation.encode()), Ok(operation.clone()), "as if it came in full");
        }
    }

    #[test]
    fn changed_bytes_are_refused_or_unreadable_or_change_no_header(
        steps in prop::collection::vec(step(), 1..8),
        at in any::<prop::sample::Index>(),
        flip in 1u8..=255,
    ) {
        let operations = history(&steps);
        let here = Standing::of(&operations[..4]);
        let written: BTreeSet<_> = operations.iter().map(Operation::fingerprint).collect();
        let carried = runs(&operations[4..]).iter().map(|run| Carried::Packed(packed(run))).collect();
        let mut frame = Message::Segments { segments: carried, last: true }.encode();
        let at = at.index(frame.len());
        frame[at] ^= flip;
        let mut unpacker = Unpacker::new(&here);
        if let Ok(Message::Segments { segments, .. }) = Message::decode(&frame) {
            for carried in segments {
                let Carried::Packed(packed) = carried else { continue };
                let Ok(segment) = unpacker.unpack(&packed) else { continue };
                prop_assert!(segment.iter().all(|operation| written.contains(&operation.fingerprint())));
            }
        }
    }
}

#[test]
fn every_kind_of_operation_comes_through() {
    let golden = Golden::make();
    let operations: Vec<_> = golden.log.into_iter().map(|named| named.operation).collect();
    let sent = runs(&operations);
    assert_eq!(travel(sent.clone(), usize::MAX, &Standing::default()), sent);
    let openings: Vec<_> = golden.openings.into_iter().map(|named| vec![named.operation]).collect();
    assert_eq!(travel(openings.clone(), 1, &Standing::default()), openings);
}

#[test]
fn a_void_header_that_others_need_comes_through_and_so_does_what_continues_it() {
    let (mut author, open) = opened(1);
    let mut copy = author.copy();
    let standing = author.note("this branch");
    let void = copy.note("the other branch").without_body();
    let after = copy.note("and on");
    let here = Standing::of([&open, &standing]);
    let sent = vec![vec![void], vec![after]];
    assert_eq!(travel(sent.clone(), usize::MAX, &here), sent);
}

#[test]
fn what_was_not_received_is_named_by_its_first_place() {
    let (mut author, open) = opened(1);
    let notes: Vec<_> = (0..5).map(|number| author.note(&format!("note {number}"))).collect();
    let run = packed(&notes[3..]);
    let here = Standing::of([&open, &notes[0]]);
    assert_eq!(run.unpack(&here), Err(Unresolved::Gap { log: author.log(), from: 2 }));
    assert_eq!(run.unpack(&Standing::default()), Err(Unresolved::Gap { log: author.log(), from: 0 }));
    let mut unpacker = Unpacker::new(&here);
    unpacker.learn(&notes[1..3]);
    assert_eq!(unpacker.unpack(&run).as_deref(), Ok(&notes[3..]), "what came in full a moment ago stands");
}

#[test]
fn a_run_of_another_branch_or_with_an_unknown_dependency_is_asked_for_in_full() {
    let (mut author, open) = opened(1);
    let mut copy = author.copy();
    let (first, others) = (author.note("one"), [copy.note("other"), copy.note("other still")]);
    let unreadable = |from| Err(Unresolved::Unreadable { log: open.header().log, from });
    assert_eq!(packed(&others[1..]).unpack(&Standing::of([&open, &first])), unreadable(2));
    let foreign = opened(2).1;
    let dependent = author.note_after("after another", &[&foreign]);
    assert_eq!(packed(&[dependent]).unpack(&Standing::of([&open, &first])), unreadable(2));
}

#[test]
fn a_mark_that_leads_to_another_operation_accuses_nobody() {
    let (mut author, open) = opened(1);
    let (named, other) = (opened(2).1, opened(3).1);
    let dependent = author.note_after("after another", &[&named]);
    let mut here = Standing::of([&open, &named, &other]);
    let run = packed(std::slice::from_ref(&dependent));
    assert_eq!(run.unpack(&here).as_deref(), Ok(&[dependent][..]));
    here.forged.insert(Mark::of(&named.fingerprint()), other.fingerprint());
    assert_eq!(run.unpack(&here), Err(Unresolved::Unreadable { log: author.log(), from: 1 }));
}

#[test]
fn only_a_run_of_one_log_of_at_most_a_segment_is_packed() {
    let (mut author, open) = opened(1);
    let notes: Vec<_> = (0..65).map(|number| author.note(&format!("note {number}"))).collect();
    assert_eq!(PackedSegment::pack(&[]), None);
    assert_eq!(PackedSegment::pack(&[open.clone(), notes[1].clone()]), None);
    assert_eq!(PackedSegment::pack(&[opened(2).1, open]), None);
    assert_eq!(PackedSegment::pack(&notes), None);
    assert_eq!(packed(&notes[1..]).count(), 64);
    let (carried, left) = carry(vec![notes], false, usize::MAX);
    assert_eq!((carried.len(), left.len(), left[0].len()), (1, 1, 1), "too long a run is cut");
}

#[test]
fn a_header_that_no_author_may_write_is_refused_when_it_is_unpacked() {
    let mut founder = Author::new(&closed_space(1), 1);
    let open = founder.open_log();
    // An opening that expires: its own decoder would refuse it, so it can only come in short form.
    let frame = Message::Segments { segments: vec![Carried::Packed(packed(&[open]))], last: true }.encode();
    let bare = uncompressed(&frame);
    let expiry = bare.windows(3).position(|bytes| bytes == [0x1b_u8, 0, 0]).unwrap();
    let null = expiry + bare[expiry..].iter().position(|byte| *byte == 0xf6).unwrap();
    let mut changed = bare.clone();
    changed[null] = 5;
    let Ok(Message::Segments { segments, .. }) = Message::decode(&changed) else { panic!("not read") };
    let Carried::Packed(packed) = &segments[0] else { panic!("not packed") };
    let refused = packed.unpack(&Standing::default());
    assert!(matches!(refused, Err(Unresolved::Refused(refusal)) if refusal.code() == "malformed"));
}

/// The frame that says the same without compression.
fn uncompressed(frame: &[u8]) -> Vec<u8> {
    if frame[0] == 0 {
        return frame.to_vec();
    }
    let mut d = chrysalis_core::codec::Decoder::new(&frame[1..]);
    let length = d.uint(u64::MAX, "length").unwrap() as usize;
    let bare = lz4_flex::block::decompress(d.rest(), length).unwrap();
    [&[0], &bare[..]].concat()
}

#[test]
fn times_beyond_every_bound_are_refused_when_they_are_read() {
    let (mut author, _) = opened(1);
    let late = author.craft(&note("late"), |header| {
        (header.lamport, header.hybrid_ms) = (limits::INTEGER_MAX, limits::INTEGER_MAX);
    });
    assert_eq!(late.header().kind, Kind::Write);
    let frame = Message::Segments { segments: vec![Carried::Packed(packed(&[late]))], last: true }.encode();
    assert!(Message::decode(&frame).is_ok());
    let mut bare = uncompressed(&frame);
    let time = bare.windows(8).position(|bytes| bytes == limits::INTEGER_MAX.to_be_bytes()).unwrap();
    bare[time + 7] += 1;
    assert_eq!(Message::decode(&bare).unwrap_err().code(), "too_large");
}
