//! Every message reads back as it was written, and foreign frames are refused without panic or waste.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::PathBuf;

use chrysalis_core::id::{Fingerprint, LogId, ReplicaKey, Signature, SpaceId, from_hex, to_hex};
use chrysalis_core::limits;
use chrysalis_core::sync::carry::{carry, fill};
use chrysalis_core::sync::message::{Carried, Credentials, Hello, Message, Nonce, Peer, Range, RangeContent, Summary};
use chrysalis_core::sync::packed::PackedSegment;
use chrysalis_core::sync::replica::{LogState, Tip, Want};
use common::golden::Golden;
use common::opened;

fn state(number: u8, cut: Option<u64>) -> LogState {
    LogState { log: LogId([number; 32]), count: u64::from(number) * 100, tip: Tip([number; 16]), cut }
}

/// Every kind of message, by name, with every form that its parts have.
fn messages() -> Vec<(&'static str, Message)> {
    let golden = Golden::make();
    let opening = Box::new(golden.segment[0].clone());
    let signature = Signature([7; 64]);
    let key = ReplicaKey([8; 32]);
    let log = LogId([9; 32]);
    let states = vec![state(1, None), state(2, Some(150))];
    let hello = Hello {
        versions: (1, 1),
        space: SpaceId([1; 48]),
        replica: key,
        nonce: Nonce([2; 32]),
        window_bytes: 4 << 20,
        address: Some("ws://harbour:4444".to_owned()),
    };
    let ranges = vec![
        Range { until: Some(LogId([1; 32])), content: RangeContent::Skip },
        Range { until: Some(LogId([2; 32])), content: RangeContent::Digest([5; 16]) },
        Range { until: Some(log), content: RangeContent::States { states: states.clone(), answer: false } },
        Range { until: None, content: RangeContent::States { states: Vec::new(), answer: true } },
    ];
    let summary = |states, complete| Message::Summary(Summary { root: [3; 48], logs: 2, states, complete });
    let packed = Carried::Packed(PackedSegment::pack(&golden.segment).unwrap());
    let bare = golden.log.last().unwrap().operation.clone().without_body();
    let pushed = Carried::Packed(PackedSegment::pack(&[bare]).unwrap());
    vec![
        ("hello", Message::Hello(hello.clone())),
        ("hello.unlisted", Message::Hello(Hello { address: None, ..hello })),
        ("credentials", Message::Credentials(Credentials { signature, opening: Some(opening) })),
        ("credentials.relay", Message::Credentials(Credentials { signature, opening: None })),
        ("summary", summary(Some(states.clone()), true)),
        ("summary.many", summary(None, false)),
        ("ranges", Message::Ranges(ranges)),
        ("want", Message::Want { wants: vec![Want { log, from: 12 }], plain: false }),
        ("want.plain", Message::Want { wants: Vec::new(), plain: true }),
        ("segments", Message::Segments { segments: vec![packed.clone(), pushed], last: true }),
        (
            "segments.plain",
            Message::Segments { segments: vec![Carried::Plain(golden.segment.clone()), packed], last: false },
        ),
        ("stored", Message::Stored { states: states.clone(), bytes: 70_000 }),
        ("have", Message::Have(states)),
        ("probe", Message::Probe { log, places: vec![0, 1, 1 << 40] }),
        ("places", Message::Places { log, tips: vec![(3, Some(Tip([4; 16]))), (4, None)] }),
        ("want_proofs", Message::WantProofs(vec![log])),
        ("proofs", Message::Proofs(vec![golden.proof_short, golden.proof_long])),
        ("find", Message::Find(vec![Fingerprint([6; 48])])),
        ("found", Message::Found(golden.segment)),
        (
            "peers",
            Message::Peers(vec![
                Peer { address: "ws://a:1".to_owned(), replica: Some(key) },
                Peer { address: "wss://b:2".to_owned(), replica: None },
            ]),
        ),
        ("not_now", Message::NotNow { retry_ms: 1500, code: "full".to_owned() }),
        ("ping", Message::Ping(u64::MAX)),
        ("pong", Message::Pong(0)),
        ("bye", Message::Bye { code: "wrong_space".to_owned(), why: "another space".to_owned() }),
    ]
}

#[test]
fn every_message_reads_back_as_it_was_written() {
    for (name, message) in messages() {
        let frame = message.encode();
        assert_eq!(Message::decode(&frame).as_ref(), Ok(&message), "{name}");
        assert!(frame.len() <= limits::FRAME_BYTES_MAX, "{name}");
    }
}

/// Frames of this release, a line each: name and hexadecimal.
fn golden_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/messages.txt")
}

fn seed_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/message").join(name)
}

#[test]
fn the_golden_frames_are_read_and_those_without_compression_are_written_alike() {
    let text = std::fs::read_to_string(golden_path()).unwrap();
    let mut lines = text.lines();
    for (name, message) in messages() {
        let (found, hex) = lines.next().unwrap().split_once(' ').unwrap();
        let frame = from_hex(hex).unwrap();
        assert_eq!(found, name);
        assert_eq!(Message::decode(&frame).as_ref(), Ok(&message), "{name}");
        // What a later compressor makes of the others may be shorter.
        if frame[0] == 0 {
            assert_eq!(message.encode(), frame, "{name}");
        }
        assert_eq!(std::fs::read(seed_path(name)).unwrap(), frame, "the fuzzer starts from the same bytes: {name}");
    }
    assert_eq!(lines.next(), None);
}

#[test]
#[ignore = "writes the golden frames and the fuzzer's seeds anew"]
fn write_the_golden_frames() {
    let frames: Vec<_> = messages().into_iter().map(|(name, message)| (name, message.encode())).collect();
    let lines: Vec<_> = frames.iter().map(|(name, frame)| format!("{name} {}\n", to_hex(frame))).collect();
    std::fs::write(golden_path(), lines.concat()).unwrap();
    for (name, frame) in frames {
        std::fs::write(seed_path(name), frame).unwrap();
    }
}

#[test]
fn a_frame_that_was_cut_short_or_has_bytes_behind_is_refused() {
    for (name, message) in messages() {
        let frame = message.encode();
        for length in 0..frame.len() {
            assert!(Message::decode(&frame[..length]).is_err(), "{name} cut to {length}");
        }
        assert!(Message::decode(&[&frame[..], &[0]].concat()).is_err(), "{name} with a byte behind it");
    }
}

#[test]
fn a_frame_that_repeats_itself_is_compressed_and_reads_back() {
    let why = Message::Bye { code: "timeout".to_owned(), why: "and nothing was heard ".repeat(20) };
    let frame = why.encode();
    assert!(frame.len() < 100);
    assert_eq!(Message::decode(&frame), Ok(why));
    for length in 0..frame.len() {
        assert!(Message::decode(&frame[..length]).is_err());
    }
}

#[test]
fn an_answer_written_densely_says_the_same_in_fewer_bytes() {
    let (mut author, opening) = opened(1);
    let words = |number: usize| format!("crane {} of berth {} was serviced", number * 7 % 31, number * 11 % 53);
    let mut segment = vec![opening];
    segment.extend((0..60).map(|number| author.note(&words(number).repeat(5))));
    let answer = Message::Segments { segments: vec![Carried::Plain(segment)], last: true };
    let (fast, dense) = (answer.encode(), answer.encode_densely());
    assert!(dense.len() < fast.len(), "{} and {}", dense.len(), fast.len());
    assert_eq!(Message::decode(&dense).as_ref(), Ok(&answer));
    let small = Message::Ping(1);
    assert_eq!(small.encode_densely(), small.encode());
}

#[test]
fn a_frame_that_claims_to_hold_more_than_it_can_costs_nothing() {
    let claim = |bytes: u32, block: &[u8]| [&[1, 0x1a], &bytes.to_be_bytes()[..], block].concat();
    assert_eq!(Message::decode(&claim(2 << 20, &[0; 9])).unwrap_err().code(), "too_large");
    assert_eq!(Message::decode(&claim(1 << 20, &[0; 9])).unwrap_err().code(), "malformed");
    // A block that ends before its length, and one that goes on behind it.
    let zeros = [0x1f, 0, 1, 0, 0xff, 0xff, 0xff, 10, 0x50, 0, 0, 0, 0, 0];
    assert_eq!(Message::decode(&claim(66_000, &[&zeros[..], &[0; 300]].concat())).unwrap_err().code(), "malformed");
    assert!(Message::decode(&vec![0; limits::FRAME_BYTES_MAX + 1]).is_err());
}

#[test]
fn a_version_that_is_not_known_is_told_from_what_is_malformed() {
    let mut frame = Message::Ping(1).encode();
    assert_eq!(frame[2], limits::PROTOCOL_VERSION as u8);
    frame[2] = 9;
    assert_eq!(Message::decode(&frame).unwrap_err().code(), "unknown_version");
    frame[2] = limits::PROTOCOL_VERSION as u8;
    frame[3] = 19;
    assert_eq!(Message::decode(&frame).unwrap_err().code(), "malformed");
}

#[test]
fn the_longest_lists_fit_a_frame_and_longer_ones_are_refused() {
    let states = |count: usize| -> Vec<LogState> {
        let log = |number: usize| {
            let mut log = [0xff; 32];
            log[..8].copy_from_slice(&(number as u64).to_be_bytes());
            LogId(log)
        };
        let most = limits::INTEGER_MAX;
        (0..count).map(|n| LogState { log: log(n), count: most, tip: Tip([1; 16]), cut: Some(most) }).collect()
    };
    let summary =
        |count| Message::Summary(Summary { root: [3; 48], logs: 2, states: Some(states(count)), complete: true });
    let ranges = |ranges: usize, count| {
        let digest = Range { until: Some(LogId([1; 32])), content: RangeContent::Digest([5; 16]) };
        let mut ranges = vec![digest; ranges - 1];
        let content = RangeContent::States { states: states(count), answer: true };
        ranges.push(Range { until: None, content });
        Message::Ranges(ranges)
    };
    for most in [summary(limits::WANTS_MAX), ranges(limits::RANGES_MAX, limits::WANTS_MAX)] {
        let frame = most.encode();
        assert!(frame.len() <= limits::FRAME_BYTES_MAX);
        assert_eq!(Message::decode(&frame), Ok(most));
    }
    let find = |count| Message::Find(vec![Fingerprint([6; 48]); count]);
    assert!(Message::decode(&find(limits::FINDS_MAX).encode()).is_ok());
    for more in [
        summary(limits::WANTS_MAX + 1),
        ranges(1, limits::WANTS_MAX + 1),
        ranges(limits::RANGES_MAX + 1, 0),
        find(limits::FINDS_MAX + 1),
    ] {
        assert_eq!(Message::decode(&more.encode()).unwrap_err().code(), "too_large");
    }
}

#[test]
fn log_states_of_a_summary_stand_in_order_and_once() {
    for states in [vec![state(2, None), state(1, None)], vec![state(1, None), state(1, Some(1))]] {
        let summary = Message::Summary(Summary { root: [0; 48], logs: 2, states: Some(states), complete: true });
        assert_eq!(Message::decode(&summary.encode()).unwrap_err().code(), "malformed");
    }
}

#[test]
fn the_largest_operation_fits_a_frame_in_either_form() {
    let (mut author, _) = opened(1);
    let others: Vec<_> = (10..26).map(|seed| opened(seed).1).collect();
    let seen: Vec<_> = others.iter().collect();
    let kind = chrysalis_core::operation::Kind::Write;
    let mut payload = common::note("w").encode();
    payload.resize(limits::PAYLOAD_BYTES_MAX, 0);
    let mut named: Vec<_> = seen.iter().map(|o| o.fingerprint()).collect();
    named.sort_unstable();
    let largest = author.craft_bytes(kind, payload, |header| header.dependencies = named);
    assert_eq!(largest.body().unwrap().payload.len(), limits::PAYLOAD_BYTES_MAX);
    let small = author.craft_bytes(kind, vec![0; 20_000], |_| ());
    for plain in [false, true] {
        let segments = vec![vec![small.clone()], vec![largest.clone()], vec![small.clone()]];
        let (carried, left) = carry(segments, plain, usize::MAX);
        assert_eq!((carried.len(), left.len()), (1, 2), "the largest waits for a frame of its own");
        let (carried, left) = carry(left, plain, 1);
        assert_eq!((carried.len(), left.len()), (1, 1));
        let frame = Message::Segments { segments: carried, last: false }.encode();
        assert!(frame.len() <= limits::FRAME_BYTES_MAX);
        assert!(Message::decode(&frame).is_ok());
    }
}

#[test]
fn what_does_not_fit_one_message_is_left_in_order() {
    let lengths = vec![10, 20, 30, 40];
    let (first, left) = fill(lengths, 10, 50, |length| *length);
    assert_eq!((first, left.clone()), (vec![10, 20], vec![30, 40]));
    let (first, left) = fill(left, 1, 1000, |length| *length);
    assert_eq!((first, left.clone()), (vec![30], vec![40]));
    assert_eq!(fill(left, 10, 1, |length| *length), (vec![40], Vec::new()), "one at least");
    assert_eq!(fill(Vec::<usize>::new(), 10, 1, |length| *length), (Vec::new(), Vec::new()));
}
