//! Sizes at and above each bound of the format.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use chrysalis_core::codec::{Encoder, check_canonical};
use chrysalis_core::id::{ContentDigest, Fingerprint, LogId, MemoryId, ReplicaKey, Salt, Signature};
use chrysalis_core::limits;
use chrysalis_core::log::Draft;
use chrysalis_core::member::Space;
use chrysalis_core::operation::{Body, Header, Kind, Operation, commitment};
use chrysalis_core::payload::{Change, Collection, Configure, Field, Forget, Payload, Position, Remove, Value, Write};
use chrysalis_core::{Refusal, Result};
use common::{ledger_of, memory, note, opened};

fn reads(payload: &Payload) -> Result<()> {
    Payload::decode(payload.kind(), &payload.encode()).map(drop)
}

/// A payload made for a size is read at the bound and too large one above it.
fn assert_bound(bound: usize, payload: impl Fn(usize) -> Payload) {
    assert_eq!(reads(&payload(bound)), Ok(()));
    assert_eq!(reads(&payload(bound + 1)).unwrap_err().code(), "too_large");
}

fn write(changes: Vec<Change>) -> Payload {
    Payload::Write(Write { memory: memory("m"), agent: "a".to_owned(), root: None, changes })
}

fn register(field: Field, text: String) -> Payload {
    write(vec![Change::Register { field, value: Value::Text(text), replaces: Vec::new() }])
}

/// As many different fingerprints as asked for, ascending.
fn fingerprints(count: usize) -> Vec<Fingerprint> {
    numbers(count).map(|number| Fingerprint(padded(&number))).collect()
}

fn numbers(count: usize) -> impl Iterator<Item = [u8; 4]> {
    (0..count as u32).map(u32::to_be_bytes)
}

fn padded<const N: usize>(start: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..start.len()].copy_from_slice(start);
    bytes
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:06}")).collect()
}

#[test]
fn names_have_a_bound_wherever_they_stand() {
    let name = |bytes| "x".repeat(bytes);
    let bound = limits::NAME_BYTES_MAX;
    for field in [Field::Tier, Field::MemoryType, Field::Scope, Field::Thread, Field::Speaker] {
        assert_bound(bound, |bytes| register(field, name(bytes)));
    }
    assert_bound(bound, |bytes| {
        Payload::Write(Write { memory: memory("m"), agent: name(bytes), root: None, changes: Vec::new() })
    });
    assert_bound(bound, |bytes| write(vec![Change::AddTags(vec![name(bytes)])]));
    assert_bound(bound, |bytes| write(vec![Change::RemoveTag { tag: name(bytes), adds: Vec::new() }]));
    assert_bound(bound, |bytes| write(vec![Change::Metadata { key: name(bytes), value: None, replaces: Vec::new() }]));
    assert_bound(bound, |bytes| {
        write(vec![Change::Grow { collection: Collection::Related, elements: vec![name(bytes)] }])
    });
    assert_bound(bound, |bytes| {
        Payload::Forget(Forget { memory: memory("m"), root: None, reason: name(bytes), withdrawal: None })
    });
    assert_bound(bound, |bytes| {
        Payload::Configure(Configure { key: "k".to_owned(), value: name(bytes), replaces: Vec::new() })
    });
    assert!(Space::decode(&Space::Open { name: name(bound) }.encode()).is_ok());
    assert_eq!(Space::decode(&Space::Open { name: name(bound + 1) }.encode()).unwrap_err().code(), "too_large");
}

#[test]
fn content_may_be_as_long_as_a_payload() {
    assert_bound(limits::PAYLOAD_BYTES_MAX, |bytes| register(Field::Content, "x".repeat(bytes)));
}

#[test]
fn a_memory_id_is_bounded_in_the_payload_too() {
    let touch = |bytes: usize| {
        let mut encoder = Encoder::default();
        encoder.array(1).array(2).text(&"x".repeat(bytes)).uint(1);
        Payload::decode(Kind::Touch, &encoder.finish())
    };
    assert!(touch(limits::MEMORY_ID_BYTES_MAX).is_ok());
    assert_eq!(touch(limits::MEMORY_ID_BYTES_MAX + 1).unwrap_err().code(), "too_large");
    assert_eq!(touch(0).unwrap_err().code(), "malformed");
}

#[test]
fn lists_have_a_bound() {
    let (elements, replaces) = (limits::ELEMENTS_MAX, limits::REPLACES_MAX);
    assert_bound(elements, |count| write(vec![Change::AddTags(texts(count))]));
    assert_bound(elements, |count| {
        write(vec![Change::Grow { collection: Collection::Parents, elements: texts(count) }])
    });
    assert_bound(elements, |count| {
        Payload::Touch(texts(count).into_iter().map(|id| (MemoryId::new(&id).unwrap(), 1)).collect())
    });
    assert_bound(elements, |count| {
        let position =
            |number: [u8; 4]| Position { log: LogId(padded(&number)), sequence: 0, fingerprint: Fingerprint([0; 48]) };
        Payload::Remove(Remove { replica: ReplicaKey([0; 32]), last: numbers(count).map(position).collect() })
    });
    assert_bound(replaces, |count| {
        write(vec![Change::Register {
            field: Field::Content,
            value: Value::Text(String::new()),
            replaces: fingerprints(count),
        }])
    });
    assert_bound(replaces, |count| write(vec![Change::RemoveTag { tag: "t".to_owned(), adds: fingerprints(count) }]));
    assert_bound(replaces, |count| {
        Payload::Configure(Configure { key: String::new(), value: String::new(), replaces: fingerprints(count) })
    });
    assert_bound(limits::CHANGES_MAX, |count| {
        write(texts(count).into_iter().map(|key| Change::Metadata { key, value: None, replaces: Vec::new() }).collect())
    });
}

#[test]
fn a_vector_has_a_bound() {
    assert_bound(limits::VECTOR_BYTES_MAX, |bytes| {
        write(vec![Change::Embed { model: "m".to_owned(), content: ContentDigest([0; 48]), vector: vec![7; bytes] }])
    });
}

#[test]
fn one_operation_counts_1_to_100_uses_of_a_memory() {
    let touch = |delta| reads(&Payload::Touch(vec![(memory("m"), delta)])).map_err(|refusal| refusal.code());
    assert_eq!((touch(1), touch(100)), (Ok(()), Ok(())));
    assert_eq!((touch(0), touch(101)), (Err("malformed"), Err("too_large")));
}

#[test]
fn lists_that_are_unsorted_doubled_or_empty_are_malformed() {
    let tags = |tags: &[&str]| write(vec![Change::AddTags(tags.iter().map(|tag| (*tag).to_owned()).collect())]);
    let twice = |id: &str, then: &str| Payload::Touch(vec![(memory(id), 1), (memory(then), 1)]);
    let [one, two] = [Fingerprint([1; 48]), Fingerprint([2; 48])];
    let removal = |adds: Vec<Fingerprint>| write(vec![Change::RemoveTag { tag: "t".to_owned(), adds }]);
    let register = Change::Register { field: Field::Content, value: Value::Text(String::new()), replaces: Vec::new() };
    let empty_metadata = Change::Metadata { key: "k".to_owned(), value: None, replaces: Vec::new() };
    for malformed in [
        tags(&[]),
        tags(&["b", "a"]),
        tags(&["a", "a"]),
        twice("b", "a"),
        twice("a", "a"),
        removal(vec![two, one]),
        removal(vec![one, one]),
        write(vec![register.clone(), register.clone()]),
        write(vec![empty_metadata.clone(), register.clone()]),
        write(vec![empty_metadata.clone(), empty_metadata]),
    ] {
        assert_eq!(reads(&malformed).unwrap_err().code(), "malformed", "{malformed:?}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_for_its_field_is_malformed() {
    for field in Field::ALL {
        for value in [Value::Null, Value::Integer(1), Value::Text("t".to_owned()), Value::Span(None, None)] {
            let fits = match field {
                Field::Content | Field::Tier | Field::MemoryType | Field::Scope => matches!(value, Value::Text(_)),
                Field::Thread | Field::Speaker => matches!(value, Value::Text(_) | Value::Null),
                Field::OccurredAt | Field::Expiry => matches!(value, Value::Integer(_) | Value::Null),
                Field::Validity => matches!(value, Value::Span(..)),
            };
            let read = reads(&write(vec![Change::Register { field, value: value.clone(), replaces: Vec::new() }]));
            assert_eq!(read.is_ok(), fits, "{field:?} {value:?}");
        }
    }
}

#[test]
fn the_largest_operation_is_admitted_and_fits_a_frame() {
    let (mut author, open) = opened(1);
    // Four more bytes: the text's length no longer fits into its head.
    let overhead = register(Field::Content, String::new()).encode().len() + 4;
    let words = "x".repeat(limits::PAYLOAD_BYTES_MAX - overhead);
    let largest = author.craft(&register(Field::Content, words), |_| ());
    assert_eq!(largest.header().payload_length as usize, limits::PAYLOAD_BYTES_MAX);
    let bytes = largest.encode();
    assert!(bytes.len() > limits::PAYLOAD_BYTES_MAX && bytes.len() < limits::FRAME_BYTES_MAX);
    ledger_of(&[&open]).accept(&[Operation::decode(&bytes).unwrap()]);
}

#[test]
fn a_header_payload_or_operation_above_its_bound_is_too_large() {
    let encoded = |header: usize, payload: usize| {
        let mut encoder = Encoder::default();
        encoder.array(3).bytes(&vec![0; header]).bytes(&[0; 64]).array(2).bytes(&[0; 16]).bytes(&vec![0; payload]);
        Operation::decode(&encoder.finish()).unwrap_err().code()
    };
    assert_eq!(
        encoded(limits::HEADER_BYTES_MAX, limits::PAYLOAD_BYTES_MAX),
        "malformed",
        "of the right size, but noise"
    );
    assert_eq!(encoded(limits::HEADER_BYTES_MAX + 1, 0), "too_large");
    assert_eq!(encoded(0, limits::PAYLOAD_BYTES_MAX + 1), "too_large");
    assert_eq!(Operation::decode(&vec![0; limits::OPERATION_BYTES_MAX + 1]).unwrap_err().code(), "too_large");
    assert_eq!(Header::decode(&vec![0; limits::HEADER_BYTES_MAX + 1]).unwrap_err().code(), "too_large");
}

#[test]
fn a_payload_length_that_is_not_the_payload_s_is_refused() {
    let (mut author, _) = opened(1);
    for wrong in [0, 1, limits::PAYLOAD_BYTES_MAX as u32] {
        let mut header = author.note("words").header().clone();
        header.payload_length = wrong;
        let body = Body { salt: Salt([0; 16]), payload: b"12345678".as_slice().into() };
        header.commitment = commitment(&body.salt, &body.payload);
        let operation = Operation::from_parts(&header.encode(), Signature([0; 64]), Some(body));
        assert_eq!(operation, Err(Refusal::BadPayload));
    }
    let mut header = author.note("words").header().clone();
    header.payload_length = limits::PAYLOAD_BYTES_MAX as u32 + 1;
    assert_eq!(Header::decode(&header.encode()).unwrap_err().code(), "too_large");
}

#[test]
fn times_and_numbers_leave_room_to_add() {
    let (mut author, _) = opened(1);
    let honest = author.note("words").header().clone();
    let set: [fn(&mut Header, u64); 4] = [
        |header, value| header.sequence = value,
        |header, value| header.lamport = value,
        |header, value| header.hybrid_ms = value,
        |header, value| header.expires_ms = Some(value),
    ];
    for set in set {
        let mut header = honest.clone();
        set(&mut header, limits::INTEGER_MAX);
        assert!(Header::decode(&header.encode()).is_ok());
        set(&mut header, limits::INTEGER_MAX + 1);
        assert_eq!(Header::decode(&header.encode()).unwrap_err().code(), "too_large");
    }
}

#[test]
fn an_author_can_not_sign_what_another_door_would_refuse() {
    let (mut author, _) = opened(1);
    let head = author.head;
    let draft = |payload: Payload| Draft {
        payload,
        salt: Salt([0; 16]),
        now_ms: 1,
        expires_ms: None,
        dependencies: Vec::new(),
        payload_bytes_max: limits::PAYLOAD_BYTES_DEFAULT,
    };
    let large = draft(register(Field::Content, "x".repeat(limits::PAYLOAD_BYTES_DEFAULT)));
    let unsorted = draft(write(vec![Change::AddTags(vec!["b".to_owned(), "a".to_owned()])]));
    let expiring = Draft {
        expires_ms: Some(2),
        ..draft(Payload::Remove(Remove { replica: ReplicaKey([0; 32]), last: Vec::new() }))
    };
    let crowded = Draft {
        dependencies: fingerprints(17).into_iter().map(|fingerprint| (fingerprint, 1)).collect(),
        ..draft(note("words"))
    };
    let itself = Draft { dependencies: vec![(head.last.unwrap().fingerprint, 1)], ..draft(note("words")) };
    let far = Draft { dependencies: vec![(Fingerprint([1; 48]), limits::INTEGER_MAX)], ..draft(note("words")) };
    let late = Draft { now_ms: u64::MAX, ..draft(note("words")) };
    let drafts = [(large, "too_large"), (unsorted, "malformed"), (expiring, "malformed"), (crowded, "too_large")];
    for (draft, code) in drafts.into_iter().chain([(itself, "malformed"), (far, "too_large"), (late, "too_large")]) {
        assert_eq!(author.head.extend(&author.key, draft).unwrap_err().code(), code);
        assert_eq!(author.head, head, "a refused draft moves nothing");
    }
}

#[test]
fn nesting_ends_at_its_bound() {
    let nested = |depth: usize| [vec![0x81; depth - 1], vec![0x80]].concat();
    assert_eq!(check_canonical(&nested(limits::NESTING_MAX)), Ok(()));
    assert!(check_canonical(&nested(limits::NESTING_MAX + 1)).is_err());
    assert!(check_canonical(&vec![0x81; 1 << 20]).is_err());
}
