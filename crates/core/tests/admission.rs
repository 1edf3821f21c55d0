//! The door: every refusal by a hostile input made for it, what waits, what is known, what a seal vouches for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use chrysalis_core::Refusal;
use chrysalis_core::admit::{Admission, AdmitError, Missing, admit_body, admit_checked, admit_segment, is_embargoed};
use chrysalis_core::id::{Commitment, Fingerprint, LogId, Salt, Signature};
use chrysalis_core::limits;
use chrysalis_core::member::Space;
use chrysalis_core::operation::{Body, Header, Kind, Operation};
use chrysalis_core::payload::{Change, Field, Payload, Value};
use chrysalis_core::sign::Checked;
use common::{Author, MemoryLedger, ledger_of, note, open_space, opened, refusal_code};

/// An operation with another signature, as a meddler between two replicas makes it.
fn resigned(operation: &Operation, signature: Signature) -> Operation {
    Operation::from_parts(operation.header_bytes(), signature, operation.body().cloned()).unwrap()
}

fn run(author: &mut Author, length: usize) -> Vec<Operation> {
    (0..length).map(|number| author.note(&format!("number {number}"))).collect()
}

#[test]
fn an_honest_log_is_admitted_one_by_one_and_as_a_segment() {
    let (mut author, open) = opened(1);
    let log = [vec![open], run(&mut author, 10)].concat();
    let (mut singly, mut whole) = (MemoryLedger::new(&open_space()), MemoryLedger::new(&open_space()));
    log.iter().for_each(|operation| singly.accept(std::slice::from_ref(operation)));
    whole.accept(&log);
    assert_eq!(singly.fingerprints(), whole.fingerprints());
    assert_eq!(singly.heads(), whole.heads());
}

#[test]
fn what_is_known_is_admitted_as_nothing() {
    let (mut author, open) = opened(1);
    let log = [vec![open], run(&mut author, 3)].concat();
    let mut ledger = ledger_of(&log.iter().collect::<Vec<_>>());
    assert_eq!(ledger.offer(&log), Ok(Admission::Admitted(Vec::new())));
    assert_eq!(ledger.offer_one(&log[2]), Ok(Admission::Admitted(Vec::new())));
    assert_eq!(ledger.offer(&[]), Ok(Admission::Admitted(Vec::new())));
    let longer = [log, run(&mut author, 2)].concat();
    let Ok(Admission::Admitted(news)) = ledger.offer(&longer) else { panic!("refused") };
    assert_eq!(news.len(), 2, "the known beginning of a segment is left out");
}

#[test]
fn a_missing_log_back_link_or_dependency_waits_and_is_admitted_once_it_came() {
    let ((mut author, open), (mut other, other_open)) = (opened(1), opened(2));
    let (first, words) = (author.note("first"), other.note("words"));
    let second = author.note_after("second", &[&words]);
    let mut ledger = MemoryLedger::new(&open_space());
    let waits = |ledger: &mut MemoryLedger, operation: &Operation| match ledger.offer_one(operation) {
        Ok(Admission::Waiting(missing)) => missing,
        other => panic!("does not wait: {other:?}"),
    };
    assert_eq!(waits(&mut ledger, &first), [Missing::Log(author.log())]);
    ledger.accept(&[open]);
    let both = [Missing::Operation(first.fingerprint()), Missing::Operation(words.fingerprint())];
    assert_eq!(waits(&mut ledger, &second), both);
    ledger.accept(&[first]);
    assert_eq!(waits(&mut ledger, &second), both[1..]);
    ledger.accept(&[other_open]);
    ledger.accept(&[words]);
    ledger.accept(&[second]);
}

#[test]
fn a_stranger_can_not_make_others_wait_for_what_he_made_up() {
    let (mut author, open) = opened(1);
    let mut ledger = ledger_of(&[&open]);
    let invented = Fingerprint([7; 48]);
    let waits = author.craft(&note("signed"), |header| header.dependencies = vec![invented]);
    assert_eq!(ledger.offer_one(&waits), Ok(Admission::Waiting(vec![Missing::Operation(invented)])));
    let forged = resigned(&waits, Signature([7; 64]));
    assert_eq!(refusal_code(ledger.offer_one(&forged)), "bad_signature");
}

#[test]
fn lamport_time_above_or_below_the_one_that_follows_is_refused() {
    let ((mut author, open), (mut other, other_open)) = (opened(1), opened(2));
    let far = run(&mut other, 5);
    let mut ledger = ledger_of(&[&open, &other_open]);
    ledger.accept(&far);
    for wrong in [0, 1, 3, limits::INTEGER_MAX] {
        let lies = author.craft(&note("lies"), |header| header.lamport = wrong);
        assert_eq!(ledger.offer_one(&lies).unwrap_err(), Refusal::BadLamport { expected: 2, found: wrong });
    }
    for wrong in [2, 6, 8] {
        let lies = author.craft(&note("lies"), |header| {
            header.dependencies = vec![far[4].fingerprint()];
            header.lamport = wrong;
        });
        assert_eq!(ledger.offer_one(&lies).unwrap_err(), Refusal::BadLamport { expected: 7, found: wrong });
    }
    ledger.accept(&[author.note_after("truth", &[&far[4]])]);
}

#[test]
fn a_wrong_lamport_time_anywhere_in_a_segment_refuses_all_of_it() {
    let (mut author, open) = opened(1);
    let good = author.note("good");
    let lies = author.craft(&note("lies"), |header| header.lamport += 1);
    let mut ledger = MemoryLedger::new(&open_space());
    assert_eq!(refusal_code(ledger.offer(&[open, good, lies])), "bad_lamport");
    assert!(ledger.fingerprints().is_empty());
}

#[test]
fn a_seal_vouches_for_the_chain_before_it_and_says_nothing_of_inner_signatures() {
    let (mut author, open) = opened(1);
    let log = [vec![open], run(&mut author, 4)].concat();
    let garbled: Vec<_> = log[..4].iter().map(|operation| resigned(operation, Signature([9; 64]))).collect();
    let mut ledger = MemoryLedger::new(&open_space());
    ledger.accept(&[garbled.clone(), log[4..].to_vec()].concat());
    let checked: Vec<_> = log.iter().map(|o| ledger.get(&o.fingerprint()).unwrap().signature_checked()).collect();
    assert_eq!(checked, [false, false, false, false, true]);
    let mut alone = MemoryLedger::new(&open_space());
    assert_eq!(refusal_code(alone.offer_one(&garbled[0])), "bad_signature");
}

#[test]
fn a_bad_seal_refuses_every_operation_of_its_segment() {
    let (mut author, open) = opened(1);
    let mut log = [vec![open], run(&mut author, 3)].concat();
    log[3] = resigned(&log[3], *log[2].signature());
    let mut ledger = MemoryLedger::new(&open_space());
    assert_eq!(refusal_code(ledger.offer(&log)), "bad_signature");
    assert!(ledger.fingerprints().is_empty());
}

#[test]
fn another_author_s_signature_does_not_open_the_door() {
    let ((mut author, open), (thief, _)) = (opened(1), opened(2));
    let words = author.note("words");
    let mut ledger = ledger_of(&[&open]);
    let forged = resigned(&words, thief.key.sign_operation(&words.fingerprint()));
    assert_eq!(refusal_code(ledger.offer_one(&forged)), "bad_signature");
    ledger.accept(&[words]);
}

#[test]
fn a_segment_with_a_gap_a_swap_or_two_logs_is_a_broken_chain() {
    let ((mut author, open), (mut other, other_open)) = (opened(1), opened(2));
    let log = [vec![open], run(&mut author, 3)].concat();
    let foreign = other.note("foreign");
    let mut ledger = ledger_of(&[&other_open]);
    let broken = [
        vec![log[0].clone(), log[2].clone()],
        vec![log[0].clone(), log[2].clone(), log[1].clone()],
        vec![log[0].clone(), log[0].clone()],
        vec![log[0].clone(), foreign],
    ];
    for segment in broken {
        assert_eq!(refusal_code(ledger.offer(&segment)), "broken_chain");
    }
}

#[test]
fn a_back_link_to_another_log_or_another_place_is_a_broken_chain() {
    let ((mut author, open), (_, other_open)) = (opened(1), opened(2));
    let mut ledger = ledger_of(&[&open, &other_open]);
    let elsewhere = author.craft(&note("words"), |header| header.back = Some(other_open.fingerprint()));
    assert_eq!(refusal_code(ledger.offer_one(&elsewhere)), "broken_chain");
    let skips = author.craft(&note("words"), |header| header.sequence = 5);
    assert_eq!(refusal_code(ledger.offer_one(&skips)), "broken_chain");
}

#[test]
fn a_dependency_that_nobody_has_can_not_be_forged() {
    let (mut author, open) = opened(1);
    let mut ledger = ledger_of(&[&open]);
    let invented = Fingerprint([1; 48]);
    for lamport in [1, 2, 1_000_000] {
        let forged = author.craft(&note("words"), |header| {
            header.dependencies = vec![invented];
            header.lamport = lamport;
        });
        ledger.receive(&[forged]);
    }
    assert_eq!((ledger.fingerprints().len(), ledger.waiting()), (1, 3), "it waits for ever and harms nobody");
}

#[test]
fn a_log_that_depends_on_itself_is_refused_alone_and_in_a_segment() {
    let (mut author, open) = opened(1);
    let words = author.note("words");
    let itself = author.craft(&note("again"), |header| header.dependencies = vec![open.fingerprint()]);
    let segment = [open.clone(), words.clone(), itself.clone()];
    assert_eq!(refusal_code(MemoryLedger::new(&open_space()).offer(&segment)), "malformed");
    assert_eq!(refusal_code(ledger_of(&[&open, &words]).offer_one(&itself)), "malformed");
}

#[test]
fn seventeen_dependencies_are_too_many_and_sixteen_are_not() {
    let mut ledger = MemoryLedger::new(&open_space());
    let heads: Vec<_> = (10..27).map(|seed| opened(seed).1).collect();
    heads.iter().for_each(|open| ledger.accept(std::slice::from_ref(open)));
    let (mut author, open) = opened(1);
    ledger.accept(&[open]);
    let mut dependencies: Vec<_> = heads.iter().map(Operation::fingerprint).collect();
    dependencies.sort_unstable();
    let header = |dependencies: &[Fingerprint]| Header {
        log: author.log(),
        sequence: 1,
        back: author.opened,
        dependencies: dependencies.to_vec(),
        lamport: 2,
        hybrid_ms: 0,
        kind: Kind::Write,
        payload_length: 0,
        commitment: Commitment([0; 48]),
        expires_ms: None,
    };
    assert_eq!(Header::decode(&header(&dependencies).encode()).unwrap_err().code(), "too_large");
    let mut unsorted = dependencies[..16].to_vec();
    unsorted.swap(3, 4);
    assert_eq!(Header::decode(&header(&unsorted).encode()).unwrap_err().code(), "malformed");
    unsorted[4] = unsorted[3];
    assert_eq!(Header::decode(&header(&unsorted).encode()).unwrap_err().code(), "malformed");
    let all = heads[..16].iter().collect::<Vec<_>>();
    ledger.accept(&[author.note_after("sixteen", &all)]);
}

#[test]
fn a_segment_of_65_operations_is_too_large_and_one_of_64_is_not() {
    let (mut author, open) = opened(1);
    let log = [vec![open], run(&mut author, 64)].concat();
    let mut ledger = MemoryLedger::new(&open_space());
    assert_eq!(refusal_code(ledger.offer(&log)), "too_large");
    ledger.accept(&log[..64]);
}

/// A memory of so many letters.
fn long(length: usize) -> Payload {
    let Payload::Write(mut write) = note("long") else { panic!("a note is a write") };
    let value = Value::Text("x".repeat(length));
    write.changes = vec![Change::Register { field: Field::Content, value, replaces: Vec::new() }];
    Payload::Write(write)
}

#[test]
fn a_segment_of_too_many_bytes_is_refused_unless_it_is_one_operation() {
    let (mut author, open) = opened(1);
    let log: Vec<Operation> = [vec![open], (0..5).map(|_| author.say(long(60_000), &[])).collect()].concat();
    let mut ledger = MemoryLedger::new(&open_space());
    assert_eq!(refusal_code(ledger.offer(&log)), "too_large");
    ledger.accept(&log[..5]);
    ledger.accept(&log[5..]);
    let large = author.say(long(300_000), &[]);
    assert!(large.size() > limits::SEGMENT_BYTES_MAX);
    ledger.accept(&[large]);
}

#[test]
fn a_seal_that_was_checked_before_admits_the_same_and_saves_no_forged_one() {
    let (mut author, open) = opened(1);
    let log = [vec![open], run(&mut author, 3)].concat();
    let ledger = MemoryLedger::new(&open_space());
    let (seal, key) = (log.last().unwrap(), author.key.public());
    let (held, none) = (Checked::check([(key, seal)]), Checked::default());
    let admitted = admit_segment(&ledger, log.clone());
    assert!(matches!(&admitted, Ok(Admission::Admitted(news)) if news.len() == 4));
    assert_eq!(admit_checked(&ledger, log.clone(), &held), admitted);
    // With another signature it is not the seal that was checked, and the wrong one is not among those that hold.
    let forged = [&log[..3], &[resigned(seal, Signature([7; 64]))]].concat();
    let wrong = Checked::check([(key, forged.last().unwrap())]);
    for checked in [none, held.clone(), wrong.clone(), held.join(wrong)] {
        let refused = admit_checked(&ledger, forged.clone(), &checked);
        assert_eq!(refused, Err(AdmitError::Refused(Refusal::BadSignature)));
    }
}

#[test]
fn an_operation_of_another_space_is_refused() {
    let mut foreign = Author::new(&Space::Open { name: "another".to_owned() }, 1);
    let (open, words) = (foreign.open_log(), foreign.note("words"));
    let mut ledger = MemoryLedger::new(&open_space());
    assert_eq!(refusal_code(ledger.offer_one(&open)), "wrong_space");
    assert_eq!(refusal_code(ledger.offer(&[open, words.clone()])), "wrong_space");
    assert_eq!(ledger.offer_one(&words), Ok(Admission::Waiting(vec![Missing::Log(foreign.log())])));
}

#[test]
fn an_opening_that_claims_another_log_s_id_is_refused() {
    let (mut author, _) = opened(1);
    let (victim, _) = opened(2);
    let open = Payload::Open(Box::new(author.open.clone()));
    author.head.last = None;
    let steals = author.craft(&open, |header| header.log = victim.log());
    assert_eq!(refusal_code(MemoryLedger::new(&open_space()).offer_one(&steals)), "malformed");
}

#[test]
fn an_opening_without_a_payload_that_opens_is_refused() {
    let mut author = Author::new(&open_space(), 1);
    let garbage = author.craft_bytes(Kind::Open, b"garbage".to_vec(), |_| ());
    let open = author.open_log();
    let mut ledger = MemoryLedger::new(&open_space());
    assert_eq!(refusal_code(ledger.offer_one(&garbage)), "malformed");
    assert_eq!(refusal_code(ledger.offer_one(&open.clone().without_body())), "malformed");
    ledger.accept(&[open]);
}

#[test]
fn a_payload_that_does_not_decode_is_admitted_without_effect_as_its_header_alone_is() {
    let (mut author, open) = opened(1);
    let garbage = author.craft_bytes(Kind::Write, b"not a write".to_vec(), |_| ());
    let (mut with, mut without) = (ledger_of(&[&open]), ledger_of(&[&open]));
    let verdict = with.offer_one(&garbage);
    assert_eq!(verdict, without.offer_one(&garbage.clone().without_body()));
    let Ok(Admission::Admitted(news)) = verdict else { panic!("refused") };
    assert_eq!((news[0].payload(), news[0].operation().body()), (None, None));
    assert_eq!(with.heads(), without.heads());
}

#[test]
fn a_payload_of_another_kind_than_the_header_says_has_no_effect() {
    let (mut author, open) = opened(1);
    let disguised = author.craft_bytes(Kind::Touch, note("words").encode(), |_| ());
    let Ok(Admission::Admitted(news)) = ledger_of(&[&open]).offer_one(&disguised) else { panic!("refused") };
    assert_eq!(news[0].payload(), None);
}

#[test]
fn a_body_that_was_held_back_is_taken_later_and_only_the_right_one() {
    let (mut author, open) = opened(1);
    let words = author.note("words");
    let mut ledger = ledger_of(&[&open]);
    assert_eq!(admit_body(&ledger, words.clone()), Ok(None), "the header comes first");
    ledger.accept(&[words.clone().without_body()]);
    assert_eq!(ledger.get(&words.fingerprint()).unwrap().payload(), None);
    let Ok(Some(whole)) = admit_body(&ledger, words.clone()) else { panic!("not taken") };
    assert_eq!(whole.payload(), Some(&note("words")));
    assert_eq!(admit_body(&ledger, words.without_body()), Ok(None));
    let garbage = author.craft_bytes(Kind::Write, b"not a write".to_vec(), |_| ());
    ledger.accept(std::slice::from_ref(&garbage));
    assert_eq!(admit_body(&ledger, garbage), Ok(None), "what does not decode has no effect later either");
}

#[test]
fn a_swapped_payload_or_salt_is_a_bad_payload() {
    let (mut author, _) = opened(1);
    let (one, other) = (author.note("some words"), author.note("same count"));
    let (body, foreign) = (one.body().unwrap(), other.body().unwrap());
    assert_eq!(body.payload.len(), foreign.payload.len());
    let bodies = [
        foreign.clone(),
        Body { salt: foreign.salt, ..body.clone() },
        Body { payload: foreign.payload.clone(), ..body.clone() },
        Body { salt: Salt([0; 16]), ..body.clone() },
        Body { payload: [&body.payload[..], &[0]].concat().into(), ..body.clone() },
        Body { payload: [].into(), ..body.clone() },
    ];
    for swapped in bodies {
        let joined = Operation::from_parts(one.header_bytes(), *one.signature(), Some(swapped));
        assert_eq!(joined, Err(Refusal::BadPayload));
    }
}

#[test]
fn an_operation_of_a_later_format_says_so_whatever_its_shape() {
    let (mut author, _) = opened(1);
    let mut later = author.note("words").header_bytes().to_vec();
    assert_eq!(later[..2], [0x8b, 0x01]);
    later[1] = 2;
    assert_eq!(Header::decode(&later), Err(Refusal::UnknownVersion(2)));
    later[0] = 0x8c;
    assert_eq!(Header::decode(&later), Err(Refusal::UnknownVersion(2)), "a later header may have more elements");
}

#[test]
fn headers_that_contradict_themselves_are_malformed() {
    let (mut author, open) = opened(1);
    let honest = author.note("words").header().clone();
    let contradictions: [fn(&mut Header); 8] = [
        |header| header.back = None,
        |header| header.sequence = 0,
        |header| header.kind = Kind::Open,
        |header| (header.sequence, header.back) = (0, None),
        |header| (header.kind, header.expires_ms) = (Kind::Forget, Some(1)),
        |header| (header.kind, header.expires_ms) = (Kind::Remove, Some(1)),
        |header| (header.kind, header.expires_ms) = (Kind::Configure, Some(1)),
        |header| (header.sequence, header.back, header.kind, header.expires_ms) = (0, None, Kind::Open, Some(1)),
    ];
    for contradict in contradictions {
        let mut header = honest.clone();
        contradict(&mut header);
        assert_eq!(Header::decode(&header.encode()).unwrap_err().code(), "malformed", "{header:?}");
    }
    assert!(Header::decode(open.header_bytes()).is_ok());
}

#[test]
fn an_operation_from_the_future_is_admitted_and_only_its_effect_waits() {
    let (mut author, open) = opened(1);
    author.clock_ms += 365 * 24 * 60 * 60 * 1000;
    let early = author.note("from the future");
    ledger_of(&[&open]).accept(std::slice::from_ref(&early));
    let at = early.header().hybrid_ms;
    assert!(is_embargoed(at, common::START_MS));
    assert!(!is_embargoed(at, at - limits::EMBARGO_MS));
    assert!(is_embargoed(at, at - limits::EMBARGO_MS - 1));
    assert!(!is_embargoed(u64::MAX, u64::MAX));
}

#[test]
fn the_log_of_an_unknown_author_waits_for_its_opening_by_name() {
    let (mut author, _) = opened(1);
    let words = author.note("words");
    let stranger = author.craft(&note("words"), |header| header.log = LogId([3; 32]));
    let mut ledger = MemoryLedger::new(&open_space());
    assert_eq!(ledger.offer_one(&words), Ok(Admission::Waiting(vec![Missing::Log(author.log())])));
    assert_eq!(ledger.offer_one(&stranger), Ok(Admission::Waiting(vec![Missing::Log(LogId([3; 32]))])));
}

#[test]
fn two_segments_that_wait_for_each_other_s_beginning_are_admitted_in_parts() {
    let ((mut one, open), (mut other, other_open)) = (opened(1), opened(2));
    let asks = one.note("asks");
    let answers = other.note_after("answers", &[&asks]);
    let thanks = one.note_after("thanks", &[&answers]);
    let segments = [vec![open, asks, thanks], vec![other_open, answers]];
    let mut ledger = MemoryLedger::new(&open_space());
    for segment in &segments {
        assert!(matches!(ledger.offer(segment), Ok(Admission::Waiting(_))));
    }
    ledger.accept(&segments[0][..2]);
    ledger.accept(&segments[1]);
    ledger.accept(&segments[0]);
}

/// Hostile bytes as a link brings them: read, then offered to a ledger that knows one log.
fn refused(bytes: &[u8], ledger: &mut MemoryLedger) -> Refusal {
    Operation::decode(bytes).and_then(|operation| ledger.offer_one(&operation)).unwrap_err()
}

#[test]
fn every_refusal_has_bytes_that_bring_it_about() {
    let (mut author, open) = opened(1);
    let mut ledger = ledger_of(&[&open]);
    let words = author.note("words");
    let bytes = words.encode();
    let changed = |at: usize, to: u8| [&bytes[..at], &[to], &bytes[at + 1..]].concat();
    let mut foreign = Author::new(&Space::Open { name: "another".to_owned() }, 1);
    let closed = common::closed_space(9);
    let stranger = Author::new(&closed, 1).open_log();
    author.head.last = Some(chrysalis_core::log::Last { sequence: 7, ..author.head.last.unwrap() });
    let skips = author.craft(&note("words"), |header| header.back = Some(open.fingerprint()));
    author.head = Author::new(&open_space(), 1).head;
    let early = author.craft(&note("words"), |header| {
        (header.sequence, header.back, header.lamport) = (1, Some(open.fingerprint()), 9);
    });
    let hostile = [
        ("malformed", bytes[..9].to_vec()),
        ("too_large", vec![0; limits::OPERATION_BYTES_MAX + 1]),
        // The version is the second byte of the header, which begins at the fourth.
        ("unknown_version", changed(4, 0x07)),
        ("bad_payload", changed(bytes.len() - 1, 0x81)),
        ("bad_signature", resigned(&words, Signature([0; 64])).encode()),
        ("broken_chain", skips.encode()),
        ("bad_lamport", early.encode()),
        ("wrong_space", foreign.open_log().encode()),
        ("wrong_space", stranger.encode()),
    ];
    for (code, bytes) in hostile {
        let refusal = refused(&bytes, &mut ledger);
        assert_eq!(refusal.code(), code);
        assert!(refusal.to_string().len() > 10, "a refusal says what is wrong in words");
    }
    let mut members = MemoryLedger::new(&closed);
    assert_eq!(refused(&stranger.encode(), &mut members).code(), "not_allowed");
    assert_eq!(ledger.fingerprints().len(), 1, "nothing of it was kept");
}
