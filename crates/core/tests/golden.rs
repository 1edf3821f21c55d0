//! Golden bytes of our own: what this release writes is what the file holds, and what the file holds is read.
//!
//! After a deliberate addition, `cargo test -p chrysalis-core --test golden -- --ignored` writes the file anew. A line
//! that changes or disappears is a break of the format.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrysalis_core::admit::Admission;
use chrysalis_core::fork::Proof;
use chrysalis_core::id::{Fingerprint, Signature, SpaceId, content_digest, from_hex};
use chrysalis_core::member::Space;
use chrysalis_core::operation::{Kind, Operation};
use chrysalis_core::payload::{Change, Payload};
use common::golden::{FOUNDER, Golden, Named};
use common::{MemoryLedger, closed_space, open_space};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/golden.txt")
}

/// The committed bytes by name and part.
fn committed() -> BTreeMap<(String, String), Vec<u8>> {
    let text = std::fs::read_to_string(path()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split(' ').map(str::to_owned);
            let key = (words.next().unwrap(), words.next().unwrap());
            (key, from_hex(&words.next().unwrap()).unwrap())
        })
        .collect()
}

fn part<'a>(file: &'a BTreeMap<(String, String), Vec<u8>>, name: &str, what: &str) -> &'a [u8] {
    &file[&(name.to_owned(), what.to_owned())]
}

/// An operation of the file, read from its bytes and checked against fingerprint and signature there.
fn read(file: &BTreeMap<(String, String), Vec<u8>>, name: &str) -> Operation {
    let encoded = part(file, name, "encoded");
    let operation = Operation::decode(encoded).unwrap();
    assert_eq!(operation.encode(), encoded, "{name}");
    assert_eq!(operation.header().encode(), operation.header_bytes(), "{name}");
    assert_eq!(Ok(operation.fingerprint()), Fingerprint::from_slice(part(file, name, "fingerprint")));
    assert_eq!(Ok(*operation.signature()), Signature::from_slice(part(file, name, "signature")));
    operation
}

#[test]
fn this_release_writes_the_golden_bytes() {
    assert_eq!(Golden::make().text(), std::fs::read_to_string(path()).unwrap());
}

#[test]
fn the_golden_operations_are_read_say_what_they_said_and_are_admitted() {
    let (file, golden) = (committed(), Golden::make());
    for (space, named) in [(open_space(), &golden.log), (closed_space(FOUNDER), &golden.openings)] {
        let mut ledger = MemoryLedger::new(&space);
        for Named { name, payload, .. } in named {
            let operation = read(&file, name);
            let body = operation.body().unwrap();
            assert_eq!(Payload::decode(operation.header().kind, &body.payload).as_ref(), Ok(payload), "{name}");
            assert_eq!(payload.encode(), *body.payload, "{name}");
            let Ok(Admission::Admitted(news)) = ledger.offer_one(&operation) else { panic!("{name} is not admitted") };
            assert_eq!(news[0].payload(), Some(payload), "{name}");
        }
    }
}

#[test]
fn the_golden_segment_is_admitted_by_its_seal() {
    let file = committed();
    let segment: Vec<_> = (0..3).map(|place| read(&file, &format!("segment.{place}"))).collect();
    MemoryLedger::new(&open_space()).accept(&segment);
}

#[test]
fn the_golden_proofs_are_read_and_hold() {
    let file = committed();
    for (name, headers) in [("proof.short", [1, 1]), ("proof.long", [2, 3])] {
        let encoded = part(&file, name, "encoded");
        let proof = Proof::decode(encoded).unwrap();
        assert_eq!(proof.encode(), encoded);
        assert_eq!(proof.verify().unwrap().sequence, 1);
        let mut lengths = [proof.left.headers.len(), proof.right.headers.len()];
        lengths.sort_unstable();
        assert_eq!(lengths, headers);
    }
}

#[test]
fn the_golden_spaces_and_digests_are_what_they_were() {
    let file = committed();
    for (name, space) in [("space.open", open_space()), ("space.closed", closed_space(FOUNDER))] {
        assert_eq!(Space::decode(part(&file, name, "encoded")).as_ref(), Ok(&space));
        assert_eq!(SpaceId::from_slice(part(&file, name, "id")), Ok(space.id()));
    }
    assert_eq!(part(&file, "content", "digest"), content_digest("The harbour opens at six.").as_bytes());
}

#[test]
fn the_golden_file_holds_every_kind_and_every_change() {
    let golden = Golden::make();
    let kinds: BTreeSet<u8> = golden.log.iter().map(|named| named.payload.kind() as u8).collect();
    assert_eq!(kinds.len(), 7);
    assert!(Kind::from_number(7).is_err(), "a new kind needs golden bytes");
    let changes: BTreeSet<u8> = golden.log.iter().flat_map(|named| changes_of(&named.payload)).collect();
    assert_eq!(changes.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
}

fn changes_of(payload: &Payload) -> Vec<u8> {
    let Payload::Write(write) = payload else { return Vec::new() };
    let number = |change: &Change| match change {
        Change::Register { .. } => 0,
        Change::Metadata { .. } => 1,
        Change::AddTags(_) => 2,
        Change::RemoveTag { .. } => 3,
        Change::Grow { .. } => 4,
        Change::Rate { .. } => 5,
        Change::Embed { .. } => 6,
    };
    write.changes.iter().map(number).collect()
}

#[test]
#[ignore = "writes the golden file anew"]
fn write_the_golden_file() {
    std::fs::write(path(), Golden::make().text()).unwrap();
}

/// The reader that the fuzz target `decode` chooses by the first byte.
fn seeds(golden: &Golden) -> Vec<(String, u8, Vec<u8>)> {
    let mut seeds = vec![
        ("proof.long".to_owned(), 2, golden.proof_long.encode()),
        ("space.open".to_owned(), 3, open_space().encode()),
        ("space.closed".to_owned(), 3, closed_space(FOUNDER).encode()),
        ("canonical".to_owned(), 4, from_hex("8801203bffffffffffffffff4100616182f6f5f48080").unwrap()),
    ];
    for named in golden.log.iter().chain(&golden.openings) {
        let kind = named.payload.kind() as u8;
        seeds.push((format!("{}.payload", named.name), 5 + kind, named.payload.encode()));
    }
    for named in golden.log.iter().filter(|named| ["open", "write.many", "write.dependent"].contains(&&*named.name)) {
        seeds.push((named.name.clone(), 0, named.operation.encode()));
        seeds.push((format!("{}.header", named.name), 1, named.operation.header_bytes().to_vec()));
    }
    seeds
}

#[test]
fn the_fuzzer_starts_from_the_golden_bytes() {
    for (name, reader, bytes) in seeds(&Golden::make()) {
        let seed = std::fs::read(seed_path(&name)).unwrap();
        assert_eq!(seed, [&[reader][..], &bytes].concat(), "{name}");
    }
}

fn seed_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/decode").join(name)
}

#[test]
#[ignore = "writes the fuzzer's seeds anew"]
fn write_the_fuzzer_s_seeds() {
    for (name, reader, bytes) in seeds(&Golden::make()) {
        std::fs::write(seed_path(&name), [&[reader][..], &bytes].concat()).unwrap();
    }
}
