//! Forks: two branches of one log are proven, void and harmless; nobody honest is ever convicted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use chrysalis_core::admit::{Admission, Verified};
use chrysalis_core::fork::{Branch, Cut, Proof};
use chrysalis_core::id::Signature;
use chrysalis_core::member::Role;
use chrysalis_core::operation::Operation;
use common::{Author, MemoryLedger, closed_space, ledger_of, open_space, opened};
use proptest::prelude::*;

fn forked(admission: Admission) -> (Option<Proof>, Vec<Verified>) {
    match admission {
        Admission::Forked { proof, void } => (proof.map(|proof| *proof), void),
        other => panic!("no fork: {other:?}"),
    }
}

/// A log whose owner wrote `shared` operations (the opening among them), then two branches on two machines.
fn two_branches(shared: u64, lengths: (usize, usize)) -> (Vec<Operation>, Vec<Operation>, Vec<Operation>) {
    let mut one = Author::new(&open_space(), 1);
    let mut trunk = Vec::new();
    for number in 0..shared {
        trunk.push(if number == 0 { one.open_log() } else { one.note(&format!("shared {number}")) });
    }
    let mut other = one.copy();
    if shared == 0 {
        other.clock_ms += 77;
        let branch = |author: &mut Author, length: usize| {
            let open = author.open_log();
            [vec![open], run(author, length - 1)].concat()
        };
        return (trunk, branch(&mut one, lengths.0), branch(&mut other, lengths.1));
    }
    (trunk, run(&mut one, lengths.0), run(&mut other, lengths.1))
}

fn run(author: &mut Author, length: usize) -> Vec<Operation> {
    (0..length).map(|number| author.note(&format!("branch {number}"))).collect()
}

fn singly(ledger: &mut MemoryLedger, operations: &[Operation]) {
    for operation in operations {
        ledger.accept(std::slice::from_ref(operation));
    }
}

#[test]
fn a_second_operation_at_one_place_is_a_fork_with_a_proof_that_holds_by_itself() {
    for shared in [0, 1, 40] {
        let (trunk, left, right) = two_branches(shared, (1, 1));
        let mut ledger = MemoryLedger::new(&open_space());
        singly(&mut ledger, &[trunk, left.clone()].concat());
        let (proof, void) = forked(ledger.offer(&right).unwrap());
        assert_eq!(proof.unwrap().verify(), Ok(Cut { log: left[0].header().log, sequence: shared }));
        assert_eq!(void[0].operation(), &right[0]);
    }
}

#[test]
fn both_orders_of_arrival_give_the_same_cut_and_the_same_proof() {
    let (trunk, left, right) = two_branches(3, (1, 1));
    let proof_of = |first: &[Operation], second: &[Operation]| {
        let mut ledger = MemoryLedger::new(&open_space());
        singly(&mut ledger, &trunk);
        ledger.accept(first);
        forked(ledger.offer(second).unwrap()).0.unwrap()
    };
    assert_eq!(proof_of(&left, &right), proof_of(&right, &left));
}

#[test]
fn branches_that_arrived_as_sealed_segments_are_proven_by_the_chain_to_their_seals() {
    let (trunk, left, right) = two_branches(2, (5, 7));
    let mut ledger = MemoryLedger::new(&open_space());
    ledger.accept(&[trunk, left].concat());
    let (proof, void) = forked(ledger.offer(&right).unwrap());
    let proof = proof.unwrap();
    let mut lengths = [proof.left.headers.len(), proof.right.headers.len()];
    lengths.sort_unstable();
    assert_eq!(lengths, [5, 7]);
    assert_eq!(proof.verify().unwrap().sequence, 2);
    assert_eq!(void.len(), 7);
    assert_eq!(Proof::decode(&proof.encode()), Ok(proof));
}

#[test]
fn a_fork_inside_a_segment_of_known_operations_is_found() {
    let (trunk, left, right) = two_branches(4, (3, 2));
    let mut ledger = MemoryLedger::new(&open_space());
    ledger.accept(&[trunk.clone(), left].concat());
    let (proof, void) = forked(ledger.offer(&[trunk, right].concat()).unwrap());
    assert_eq!((proof.unwrap().verify().unwrap().sequence, void.len()), (4, 2));
}

#[test]
fn what_continues_a_void_branch_is_void_and_needs_no_second_proof() {
    let (trunk, left, right) = two_branches(1, (2, 3));
    let mut ledger = MemoryLedger::new(&open_space());
    singly(&mut ledger, &[trunk, left].concat());
    assert!(forked(ledger.offer(&right[..1]).unwrap()).0.is_some());
    for operation in &right[1..] {
        let (proof, void) = forked(ledger.offer_one(operation).unwrap());
        assert_eq!((proof, void.len()), (None, 1));
    }
    assert_eq!(ledger.cuts().into_values().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_lower_fork_found_later_lowers_the_cut() {
    let mut author = Author::new(&open_space(), 1);
    let trunk = vec![author.open_log()];
    let mut low = author.copy();
    let standing = run(&mut author, 3);
    let mut high = author.copy();
    let standing = [trunk, standing, run(&mut author, 1)].concat();
    let mut ledger = MemoryLedger::new(&open_space());
    singly(&mut ledger, &standing);
    ledger.offer(&run(&mut high, 1)).unwrap();
    assert_eq!(ledger.cuts().into_values().collect::<Vec<_>>(), [4]);
    ledger.offer(&run(&mut low, 1)).unwrap();
    assert_eq!(ledger.cuts().into_values().collect::<Vec<_>>(), [1]);
    assert_eq!(ledger.heads()[&author.log()].0, 0);
}

#[test]
fn an_honest_operation_that_depends_on_a_void_one_is_admitted() {
    let (trunk, left, right) = two_branches(1, (1, 1));
    let (mut honest, open) = opened(2);
    let after = honest.note_after("seen before the fork was known", &[&right[0]]);
    let mut ledger = ledger_of(&[&trunk[0], &left[0], &open]);
    assert!(matches!(ledger.offer_one(&after), Ok(Admission::Waiting(_))));
    forked(ledger.offer(&right).unwrap());
    ledger.accept(&[after]);
}

#[test]
fn two_openings_of_one_log_can_not_give_it_two_roles() {
    let space = closed_space(9);
    let mut founder = Author::new(&space, 9);
    let open = founder.open_log();
    let mut writer = founder.invite(3, Role::Writer);
    let reader = founder.invite(3, Role::Reader);
    let mut reads = writer.copy();
    reads.open = reader.open;
    reads.clock_ms += 5;
    // The same key opens the same epoch by two grants, and the branch of the reader writes.
    let (as_writer, writes) = (writer.open_log(), writer.note("by right"));
    let (as_reader, intrudes) = (reads.craft_open(), reads.note("without right"));
    let both: Vec<Vec<Operation>> = [[as_writer, writes], [as_reader, intrudes]].map(Vec::from).into();
    let mut ends = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let mut ledger = MemoryLedger::new(&space);
        ledger.accept(std::slice::from_ref(&open));
        for branch in order {
            both[branch].iter().for_each(|operation| ledger.receive(std::slice::from_ref(operation)));
        }
        ends.push(ledger.fingerprints());
    }
    assert_eq!(ends[0], ends[1], "the order of arrival decided what is admitted");
}

/// Changes one thing of a proof and gives it back, if that made another proof.
fn tampered(proof: &Proof, part: usize, at: usize, bit: u8) -> Option<Proof> {
    let mut changed = proof.clone();
    let flip = |bytes: &mut [u8]| {
        let at = at % bytes.len();
        bytes[at] ^= 1 << (bit % 8);
    };
    let branch = if part.is_multiple_of(2) { &mut changed.left } else { &mut changed.right };
    match part / 2 {
        0 => flip(&mut branch.signature.0),
        1 => {
            let header = at % branch.headers.len();
            let mut bytes = branch.headers[header].to_vec();
            flip(&mut bytes);
            branch.headers[header] = bytes.into();
        }
        2 => drop(branch.headers.pop()),
        3 => drop(branch.headers.remove(0)),
        4 => branch.headers.push(branch.headers[0].clone()),
        5 => std::mem::swap(&mut changed.left, &mut changed.right),
        6 => flip(&mut changed.space.0),
        7 => flip(&mut changed.replica.0),
        8 => flip(&mut changed.epoch.0),
        9 => changed.role = if bit.is_multiple_of(2) { Role::Reader } else { Role::Relay },
        _ => changed.left = changed.right.clone(),
    }
    (changed != *proof).then_some(changed)
}

proptest! {
    #[test]
    fn a_proof_with_anything_changed_never_verifies(
        lengths in (1usize..4, 1usize..4),
        part in 0usize..22,
        at in any::<usize>(),
        bit in any::<u8>(),
    ) {
        let (trunk, left, right) = two_branches(2, lengths);
        let mut ledger = MemoryLedger::new(&open_space());
        ledger.accept(&[trunk, left].concat());
        let proof = forked(ledger.offer(&right).unwrap()).0.unwrap();
        prop_assert!(proof.verify().is_ok());
        if let Some(changed) = tampered(&proof, part, at, bit) {
            prop_assert!(changed.verify().is_err(), "{changed:?}");
        }
    }

    /// Everything an accuser can do with an honest log: any two runs of its headers, with any signature it made.
    #[test]
    fn no_honest_author_is_ever_proven_guilty(
        left in (0usize..8, 1usize..5, 0usize..8),
        right in (0usize..8, 1usize..5, 0usize..8),
    ) {
        let (mut author, open) = opened(1);
        let log = [vec![open], run(&mut author, 7)].concat();
        let branch = |(from, length, signer): (usize, usize, usize)| Branch {
            headers: log.iter().skip(from).take(length).map(|o| o.header_bytes().into()).collect(),
            signature: log.get(signer).map_or(Signature([0; 64]), |o| *o.signature()),
        };
        let facts = &author.open;
        let proof = Proof {
            space: facts.space.id(),
            replica: facts.replica,
            epoch: facts.epoch,
            role: Role::Administrator,
            left: branch(left),
            right: branch(right),
        };
        prop_assert!(proof.verify().is_err());
        let swapped = Proof { left: proof.right.clone(), right: proof.left.clone(), ..proof };
        prop_assert!(swapped.verify().is_err());
    }

    /// An honest log in any segments, in any order, with repetitions and forged twins in between.
    #[test]
    fn an_honest_log_is_never_seen_as_forked(cuts in prop::collection::vec((0usize..12, 1usize..12), 1..12)) {
        let (mut author, open) = opened(1);
        let log = [vec![open], run(&mut author, 11)].concat();
        let (mut thief, _) = opened(2);
        let mut ledger = MemoryLedger::new(&open_space());
        for (from, length) in cuts {
            let segment: Vec<_> = log.iter().skip(from).take(length).cloned().collect();
            ledger.receive(&segment);
            let twin = segment[0].header().clone();
            let forged = thief.craft(&common::note("in another's name"), |header| {
                let own = header.clone();
                *header = twin;
                (header.payload_length, header.commitment) = (own.payload_length, own.commitment);
                if header.sequence == 0 {
                    header.lamport = 1;
                }
            });
            ledger.receive(&[forged]);
        }
        prop_assert!(ledger.proofs().is_empty());
        prop_assert!(ledger.fingerprints().iter().all(|f| log.iter().any(|o| o.fingerprint() == *f)));
    }
}
