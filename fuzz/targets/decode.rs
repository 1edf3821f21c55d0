//! Every reader of foreign bytes: no panic, no memory beyond the input's size, and nothing is read that would be
//! written otherwise.
//!
//! The first byte chooses the reader, the rest is what it reads.

#![no_main]

use chrysalis_core::codec::check_canonical;
use chrysalis_core::fork::Proof;
use chrysalis_core::member::Space;
use chrysalis_core::operation::{Header, Kind, Operation};
use chrysalis_core::payload::Payload;
use libfuzzer_sys::fuzz_target;

/// Readers before those of the payloads, which follow in the order of their kinds.
const OTHER_READERS: u8 = 5;

fuzz_target!(|data: &[u8]| {
    let Some((reader, bytes)) = data.split_first() else { return };
    match reader {
        0 => operation(bytes),
        1 => same(Header::decode(bytes).map(|header| header.encode()), bytes),
        2 => proof(bytes),
        3 => same(Space::decode(bytes).map(|space| space.encode()), bytes),
        4 => drop(check_canonical(bytes)),
        kind => {
            let Ok(kind) = Kind::from_number(u64::from(kind - OTHER_READERS)) else { return };
            payload(kind, bytes);
        }
    }
});

fn same(written: chrysalis_core::Result<Vec<u8>>, bytes: &[u8]) {
    if let Ok(written) = written {
        assert_eq!(written, bytes, "read, but written otherwise");
        assert_eq!(check_canonical(bytes), Ok(()), "read, but not canonical");
    }
}

fn operation(bytes: &[u8]) {
    let Ok(operation) = Operation::decode(bytes) else { return };
    same(Ok(operation.encode()), bytes);
    same(Ok(operation.header().encode()), operation.header_bytes());
    if let Some(body) = operation.body() {
        payload(operation.header().kind, &body.payload);
    }
}

fn payload(kind: Kind, bytes: &[u8]) {
    let Ok(payload) = Payload::decode(kind, bytes) else { return };
    assert_eq!(payload.kind(), kind);
    same(Ok(payload.encode()), bytes);
}

fn proof(bytes: &[u8]) {
    let Ok(proof) = Proof::decode(bytes) else { return };
    same(Ok(proof.encode()), bytes);
    drop(proof.verify());
}
