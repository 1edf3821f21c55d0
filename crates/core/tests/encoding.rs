//! One value has one encoding: everything that is read is written back the same, everything else is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use chrysalis_core::Result;
use chrysalis_core::admit::Admission;
use chrysalis_core::fork::Proof;
use chrysalis_core::id::{ContentDigest, Epoch, Fingerprint, LogId, ReplicaKey, WithdrawalDigest};
use chrysalis_core::limits;
use chrysalis_core::member::Space;
use chrysalis_core::operation::{Header, Kind, Operation};
use chrysalis_core::payload::{
    Attest, Change, Collection, Configure, Field, Forget, Payload, Position, Remove, Score, Value, Write,
};
use common::golden::Golden;
use common::{MemoryLedger, ledger_of, memory, open_space, opened};
use proptest::prelude::*;

type Reader = fn(&[u8]) -> Result<Vec<u8>>;

/// Everything with an encoding of its own, with a function that reads it and writes it again.
fn specimens() -> Vec<(Vec<u8>, Reader)> {
    let golden = Golden::make();
    let operation: Reader = |bytes| Operation::decode(bytes).map(|operation| operation.encode());
    let header: Reader = |bytes| Header::decode(bytes).map(|header| header.encode());
    let proof: Reader = |bytes| Proof::decode(bytes).map(|proof| proof.encode());
    let space: Reader = |bytes| Space::decode(bytes).map(|space| space.encode());
    let mut specimens = vec![
        (golden.proof_short.encode(), proof),
        (golden.proof_long.encode(), proof),
        (open_space().encode(), space),
        (common::closed_space(7).encode(), space),
    ];
    for named in golden.log.iter().chain(&golden.openings) {
        specimens.push((named.operation.encode(), operation));
        specimens.push((named.operation.clone().without_body().encode(), operation));
        specimens.push((named.operation.header_bytes().to_vec(), header));
        specimens.push((named.payload.encode(), payload_reader(named.payload.kind())));
    }
    specimens
}

fn payload_reader(kind: Kind) -> Reader {
    macro_rules! reader {
        ($kind:expr) => {
            |bytes| Payload::decode($kind, bytes).map(|payload| payload.encode())
        };
    }
    match kind {
        Kind::Open => reader!(Kind::Open),
        Kind::Write => reader!(Kind::Write),
        Kind::Forget => reader!(Kind::Forget),
        Kind::Touch => reader!(Kind::Touch),
        Kind::Attest => reader!(Kind::Attest),
        Kind::Remove => reader!(Kind::Remove),
        Kind::Configure => reader!(Kind::Configure),
    }
}

/// Where each head of canonical CBOR begins: position, bytes of its argument, the argument.
fn heads(bytes: &[u8]) -> Vec<(usize, usize, u64)> {
    let (mut heads, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let info = bytes[at] & 31;
        let width = if info < 24 { 0 } else { 1usize << (info - 24) };
        let argument = match width {
            0 => u64::from(info),
            _ => bytes[at + 1..=at + width].iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
        };
        if bytes[at] >> 5 < 7 {
            heads.push((at, width, argument));
        }
        let strings = matches!(bytes[at] >> 5, 2 | 3);
        at += 1 + width + if strings { argument as usize } else { 0 };
    }
    heads
}

/// The same value with one head written longer than it must be.
fn lengthened(bytes: &[u8], (at, width, argument): (usize, usize, u64), longer: usize) -> Vec<u8> {
    let info = 24 + longer.trailing_zeros() as u8;
    let head = [&[bytes[at] & 0xe0 | info][..], &argument.to_be_bytes()[8 - longer..]].concat();
    [&bytes[..at], &head, &bytes[at + 1 + width..]].concat()
}

#[test]
fn whatever_has_an_encoding_reads_back_from_it() {
    for (bytes, read) in specimens() {
        assert_eq!(read(&bytes), Ok(bytes));
    }
}

#[test]
fn every_longer_form_of_every_head_is_refused() {
    for (bytes, read) in specimens() {
        for head in heads(&bytes) {
            for longer in [1, 2, 4, 8].into_iter().filter(|longer| *longer > head.1) {
                let other = lengthened(&bytes, head, longer);
                assert!(read(&other).is_err(), "{other:x?}");
            }
        }
    }
}

#[test]
fn every_indefinite_length_and_every_float_tag_or_map_in_place_of_a_head_is_refused() {
    for (bytes, read) in specimens() {
        for (at, ..) in heads(&bytes) {
            for first in [bytes[at] | 31, 0xa0, 0xbf, 0xc0, 0xd8, 0xf7, 0xf9, 0xfa, 0xfb, 0xff] {
                let mut other = bytes.clone();
                other[at] = first;
                assert!(read(&other).is_err(), "{other:x?}");
            }
        }
    }
}

#[test]
fn bytes_cut_short_or_with_something_after_them_are_refused() {
    for (bytes, read) in specimens() {
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err());
        }
        for after in [0x00, 0xf6, 0xff] {
            assert!(read(&[&bytes[..], &[after]].concat()).is_err());
        }
    }
}

fn fingerprints() -> impl Strategy<Value = Vec<Fingerprint>> {
    prop::collection::btree_set(any::<u8>(), 0..4)
        .prop_map(|set| set.into_iter().map(|byte| Fingerprint([byte; 48])).collect())
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set(".{0,12}", 1..4).prop_map(|set| set.into_iter().collect())
}

fn value(field: Field) -> BoxedStrategy<Value> {
    let text = ".{0,40}".prop_map(Value::Text);
    match field {
        Field::Thread | Field::Speaker => prop_oneof![text, Just(Value::Null)].boxed(),
        Field::OccurredAt | Field::Expiry => {
            prop_oneof![any::<i64>().prop_map(Value::Integer), Just(Value::Null)].boxed()
        }
        Field::Validity => {
            any::<(Option<i64>, Option<i64>)>().prop_map(|(from, until)| Value::Span(from, until)).boxed()
        }
        _ => text.boxed(),
    }
}

fn register() -> impl Strategy<Value = Change> {
    (0usize..9).prop_flat_map(|number| {
        let field = Field::ALL[number];
        (value(field), fingerprints()).prop_map(move |(value, replaces)| Change::Register { field, value, replaces })
    })
}

/// At most one change of each form, so that they stand in the order of their places.
fn changes() -> impl Strategy<Value = Vec<Change>> {
    let metadata = (".{0,9}", prop::option::of(".{0,30}"), fingerprints())
        .prop_map(|(key, value, replaces)| Change::Metadata { key, value, replaces });
    let remove = (".{0,9}", fingerprints()).prop_map(|(tag, adds)| Change::RemoveTag { tag, adds });
    let grow = (0usize..3, texts())
        .prop_map(|(number, elements)| Change::Grow { collection: Collection::ALL[number], elements });
    let rate = any::<(bool, u16)>().prop_map(|(confidence, value)| {
        let score = if confidence { Score::Confidence } else { Score::Importance };
        Change::Rate { score, value }
    });
    let embed = (".{0,9}", any::<u8>(), prop::collection::vec(any::<u8>(), 0..20))
        .prop_map(|(model, byte, vector)| Change::Embed { model, content: ContentDigest([byte; 48]), vector });
    use prop::option::of as maybe;
    let parts = (
        maybe(register()),
        maybe(metadata),
        maybe(texts().prop_map(Change::AddTags)),
        maybe(remove),
        maybe(grow),
        maybe(rate),
        maybe(embed),
    );
    parts.prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g].into_iter().flatten().collect())
}

fn payload() -> impl Strategy<Value = Payload> {
    let id = || "[^\0]{1,40}".prop_map(|id| memory(&id));
    let root = || prop::option::of(any::<u8>().prop_map(|byte| Fingerprint([byte; 48])));
    let write = (id(), ".{0,20}", root(), changes())
        .prop_map(|(memory, agent, root, changes)| Payload::Write(Write { memory, agent, root, changes }));
    let forget = (id(), root(), ".{0,30}", prop::option::of(any::<u8>())).prop_map(|(memory, root, reason, digest)| {
        let withdrawal = digest.map(|byte| WithdrawalDigest([byte; 48]));
        Payload::Forget(Forget { memory, root, reason, withdrawal })
    });
    let touch = prop::collection::btree_map("[^\0]{1,9}", 1u64..=100, 0..5)
        .prop_map(|uses| Payload::Touch(uses.into_iter().map(|(id, delta)| (memory(&id), delta)).collect()));
    let attest = (id(), any::<(u8, u16)>()).prop_map(|(memory, (byte, confidence))| {
        Payload::Attest(Attest { memory, content: ContentDigest([byte; 48]), confidence })
    });
    let remove = (any::<u8>(), prop::collection::btree_map(any::<u8>(), 0..=limits::INTEGER_MAX, 0..4)).prop_map(
        |(replica, places)| {
            let position =
                |(byte, sequence)| Position { log: LogId([byte; 32]), sequence, fingerprint: Fingerprint([byte; 48]) };
            let last = places.into_iter().map(position).collect();
            Payload::Remove(Remove { replica: ReplicaKey([replica; 32]), last })
        },
    );
    let configure = (".{0,9}", ".{0,9}", fingerprints())
        .prop_map(|(key, value, replaces)| Payload::Configure(Configure { key, value, replaces }));
    prop_oneof![4 => write, 1 => forget, 1 => touch, 1 => attest, 1 => remove, 1 => configure]
}

/// Any small damage to bytes: a byte changed, put in, taken out, or a piece repeated.
fn damaged(bytes: &[u8], how: u8, at: prop::sample::Index, with: u8) -> Vec<u8> {
    let at = at.index(bytes.len());
    let (before, after) = bytes.split_at(at);
    match how % 4 {
        0 => [before, &[after[0] ^ with], &after[1..]].concat(),
        1 => [before, &[with], after].concat(),
        2 => [before, &after[1..]].concat(),
        _ => [before, &after[..after.len().min(usize::from(with))], after].concat(),
    }
}

proptest! {
    #[test]
    fn any_payload_reads_back_from_its_bytes(payload in payload()) {
        prop_assert_eq!(Payload::decode(payload.kind(), &payload.encode()), Ok(payload));
    }

    /// Damage is refused by the decoder, or it makes another value whose one encoding the damaged bytes are.
    #[test]
    fn nothing_is_read_that_is_not_written_the_same(
        which in any::<prop::sample::Index>(),
        (how, at, with) in (any::<u8>(), any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let specimens = specimens();
        let (bytes, read) = &specimens[which.index(specimens.len())];
        let other = damaged(bytes, how, at, with);
        if let Ok(written) = read(&other) {
            prop_assert_eq!(written, other);
        }
    }

    /// What passes the door after any damage is the very operation that was signed.
    #[test]
    fn a_damaged_operation_never_passes_the_door(
        (how, at, with) in (any::<u8>(), any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let (mut author, open) = opened(1);
        let words = author.note("words");
        let bytes = words.encode();
        let other = damaged(&bytes, how, at, with);
        if let Ok(operation) = Operation::decode(&other)
            && let Ok(Admission::Admitted(_)) = ledger_of(&[&open]).offer_one(&operation)
        {
            prop_assert_eq!(other, bytes);
        }
    }

    /// The same for the first operation of a log, which brings its author's key along.
    #[test]
    fn a_damaged_opening_never_passes_the_door(
        (how, at, with) in (any::<u8>(), any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let bytes = opened(1).1.encode();
        let other = damaged(&bytes, how, at, with);
        if let Ok(operation) = Operation::decode(&other)
            && let Ok(Admission::Admitted(_)) = MemoryLedger::new(&open_space()).offer_one(&operation)
        {
            prop_assert_eq!(other, bytes);
        }
    }
}

#[test]
fn a_space_s_kinds_and_names_have_one_form() {
    let closed = Space::Closed { name: String::new(), founder: ReplicaKey([1; 32]), nonce: Epoch([2; 16]) };
    assert_eq!(Space::decode(&closed.encode()), Ok(closed));
    for bad in [&[0x82, 0x01, 0x60][..], &[0x84, 0x00, 0x60, 0x40, 0x40], &[0x82, 0x02, 0x60], &[0x80], &[]] {
        assert!(Space::decode(bad).is_err());
    }
}
