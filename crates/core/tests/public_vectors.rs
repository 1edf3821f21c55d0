//! The core against test vectors that others published: see `vectors/README.md` for their sources and licences.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use chrysalis_core::codec::check_canonical;
use chrysalis_core::id::{ReplicaKey, Signature, from_hex, sha384, to_hex};
use chrysalis_core::sign;
use serde_json::Value;

fn vector_file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn hex_field(object: &Value, name: &str) -> Vec<u8> {
    from_hex(object[name].as_str().unwrap()).unwrap()
}

/// What our one verifier says; a signature or key of the wrong length is refused before it.
fn accepts(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (ReplicaKey::from_slice(key), Signature::from_slice(signature)) else {
        return false;
    };
    sign::verify(&key, message, &signature).is_ok()
}

#[test]
fn the_strict_verifier_agrees_with_every_wycheproof_case() {
    let file: Value = serde_json::from_str(&vector_file("wycheproof_ed25519.json")).unwrap();
    let mut differing = Vec::new();
    let mut cases = 0;
    for group in file["testGroups"].as_array().unwrap() {
        let key = hex_field(&group["publicKey"], "pk");
        for case in group["tests"].as_array().unwrap() {
            let accepted = accepts(&key, &hex_field(case, "msg"), &hex_field(case, "sig"));
            let valid = match case["result"].as_str().unwrap() {
                "valid" => true,
                "invalid" => false,
                other => panic!("a result that this test does not know: {other}"),
            };
            if accepted != valid {
                differing.push(case["tcId"].clone());
            }
            cases += 1;
        }
    }
    assert_eq!(differing, Vec::<Value>::new());
    assert_eq!(cases, file["numberOfTests"].as_u64().unwrap());
}

/// Messages and digests of a NIST response file. A message of length 0 is written as one byte there.
fn nist_cases(name: &str) -> Vec<(Vec<u8>, String)> {
    let text = vector_file(name);
    let mut cases = Vec::new();
    let (mut length, mut message) = (0, Vec::new());
    for line in text.lines() {
        match line.split_once(" = ") {
            Some(("Len", bits)) => length = bits.parse::<usize>().unwrap() / 8,
            Some(("Msg", hex)) => {
                message = from_hex(hex).unwrap();
                message.truncate(length);
            }
            Some(("MD", hex)) => cases.push((std::mem::take(&mut message), hex.to_owned())),
            _ => {}
        }
    }
    cases
}

#[test]
fn sha_384_gives_every_digest_that_nist_published() {
    let (short, long) = (nist_cases("SHA384ShortMsg.rsp"), nist_cases("SHA384LongMsg_subset.rsp"));
    assert_eq!((short.len(), long.len()), (129, 18));
    assert_eq!(long.last().unwrap().0.len(), 12_800);
    for (message, digest) in short.iter().chain(&long) {
        assert_eq!(&to_hex(&sha384(message)), digest, "a message of {} bytes", message.len());
    }
}

/// Whether one well-formed item keeps to integers, strings, arrays, null and booleans. Not our decoder: a second
/// opinion, which reads lengths and nothing else.
fn keeps_to_profile(bytes: &[u8]) -> bool {
    fn item(bytes: &[u8], at: &mut usize) -> bool {
        let first = bytes[*at];
        *at += 1;
        let width = match first & 31 {
            info @ 24..=27 => 1usize << (info - 24),
            _ => 0,
        };
        let argument = match width {
            0 => u64::from(first & 31),
            _ => bytes[*at..*at + width].iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
        };
        *at += width;
        match first >> 5 {
            0 | 1 => true,
            2 | 3 => {
                *at += argument as usize;
                true
            }
            4 => (0..argument).all(|_| item(bytes, at)),
            7 => matches!(first, 0xf4..=0xf6),
            _ => false,
        }
    }
    item(bytes, &mut 0)
}

struct CborCase {
    name: String,
    data: Vec<u8>,
    kind: String,
    tags: Vec<String>,
}

fn cbor_cases() -> Vec<CborCase> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/cbor");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let parsed: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for case in parsed.as_array().unwrap() {
            cases.push(CborCase {
                name: case["name"].as_str().unwrap().to_owned(),
                data: hex_field(case, "data"),
                kind: case["type"].as_str().unwrap().to_owned(),
                tags: case["tags"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned()).collect(),
            });
        }
    }
    cases
}

#[test]
fn every_dasl_case_within_the_profile_is_accepted_and_no_other() {
    let (mut accepted, mut refused, mut left_out) = (0, 0, 0);
    for case in cbor_cases() {
        // The one difference: dCBOR alone refuses text that is not in Unicode normal form. We follow DAG-CBOR, where
        // the same bytes are valid (and are a case of their own): text is never altered.
        if case.kind == "invalid_in" && case.tags == ["dCBOR"] && keeps_to_profile(&case.data) {
            left_out += 1;
            continue;
        }
        let expected = case.kind == "roundtrip" && keeps_to_profile(&case.data);
        assert_eq!(check_canonical(&case.data).is_ok(), expected, "{} ({})", case.name, case.kind);
        if expected { accepted += 1 } else { refused += 1 }
    }
    assert_eq!((accepted, refused, left_out), (15, 89, 1));
}
