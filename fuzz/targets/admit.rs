//! Admission, driven deep: the bytes are a script for a few authors with true keys, honest and not, whose operations
//! reach a ledger whole, cut, swapped, damaged and late.
//!
//! After every script: nothing is in the ledger that its author did not sign, every log stands without gaps and with
//! the Lamport times that follow, every proof holds and accuses a replica that did fork, and a second ledger that got
//! the same in another order holds the same.

#![no_main]

#[path = "../../crates/core/tests/common/mod.rs"]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrysalis_core::id::{Fingerprint, LogId};
use chrysalis_core::member::Role;
use chrysalis_core::operation::{Kind, Operation};
use common::{Author, MemoryLedger, closed_space, note};
use libfuzzer_sys::fuzz_target;

/// Steps of one script: keeps a run short.
const STEPS_MAX: usize = 24;

/// Replicas of one script, clones included.
const AUTHORS_MAX: usize = 8;

struct Script<'a> {
    bytes: &'a [u8],
}

impl Script<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn below(&mut self, bound: usize) -> Option<usize> {
        Some(usize::from(self.byte()?) % bound.max(1))
    }
}

struct World {
    authors: Vec<Author>,
    /// What each author wrote, its whole log as it sees it.
    branches: Vec<Vec<Operation>>,
    signed: BTreeSet<Fingerprint>,
    /// Logs whose owner signed two operations at one place.
    guilty: BTreeSet<LogId>,
    ledger: MemoryLedger,
    delivered: Vec<Vec<Operation>>,
}

/// Founder, a second administrator, a writer and a reader, each with the operation that opens its log. Made once:
/// signing is the slowest thing here.
static MEMBERS: LazyLock<(Vec<Author>, Vec<Vec<Operation>>)> = LazyLock::new(|| {
    let space = closed_space(1);
    let mut founder = Author::new(&space, 1);
    let mut branches = vec![vec![founder.open_log()]];
    let mut authors = vec![founder];
    for (seed, role) in [(2, Role::Administrator), (3, Role::Writer), (4, Role::Reader)] {
        let mut member = authors[0].invite(seed, role);
        branches.push(vec![member.open_log()]);
        authors.push(member);
    }
    (authors, branches)
});

impl World {
    fn new() -> Self {
        let (authors, branches) = &*MEMBERS;
        Self {
            authors: authors.iter().map(Author::copy).collect(),
            branches: branches.clone(),
            signed: branches.iter().flatten().map(Operation::fingerprint).collect(),
            guilty: BTreeSet::new(),
            ledger: MemoryLedger::new(&closed_space(1)),
            delivered: Vec::new(),
        }
    }

    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        let how = script.byte()?;
        let author = script.below(self.authors.len())?;
        match how % 8 {
            0 | 1 => self.write(author, script),
            2 => self.clone_machine(author),
            3 => self.craft(author, script),
            4 => self.deliver_damaged(author, script),
            5 => self.deliver_bare(author, script),
            _ => self.deliver(author, script),
        }
    }

    fn write(&mut self, author: usize, script: &mut Script<'_>) -> Option<()> {
        let log = self.authors[author].log();
        let mut seen = BTreeMap::new();
        for _ in 0..script.below(4)? {
            let branch = &self.branches[script.below(self.branches.len())?];
            let operation = &branch[script.below(branch.len())?];
            if operation.header().log != log {
                seen.insert(operation.fingerprint(), operation.clone());
            }
        }
        if !self.authors[author].head.facts.role.may(Kind::Write) {
            return Some(());
        }
        let seen: Vec<&Operation> = seen.values().collect();
        let operation = self.authors[author].note_after("words", &seen);
        self.signed.insert(operation.fingerprint());
        self.branches[author].push(operation);
        Some(())
    }

    fn clone_machine(&mut self, author: usize) -> Option<()> {
        if self.authors.len() < AUTHORS_MAX {
            self.guilty.insert(self.authors[author].log());
            self.authors.push(self.authors[author].copy());
            self.branches.push(self.branches[author].clone());
        }
        Some(())
    }

    /// A header of the author's own making, signed by its true key.
    fn craft(&mut self, author: usize, script: &mut Script<'_>) -> Option<()> {
        let (what, value) = (script.byte()?, script.byte()?);
        let other = &self.branches[script.below(self.branches.len())?];
        let foreign = other[script.below(other.len())?].fingerprint();
        let operation = self.authors[author].craft(&note("crafted"), |header| match what % 8 {
            0 => header.lamport = header.lamport.wrapping_add(u64::from(value)),
            1 => header.dependencies = vec![foreign],
            2 => header.back = Some(foreign),
            3 => header.sequence += u64::from(value % 4),
            4 => header.hybrid_ms = u64::from(value) << 54,
            5 => (header.dependencies, header.lamport) = (vec![foreign], u64::from(value)),
            6 => header.dependencies = vec![Fingerprint([value; 48])],
            _ => header.expires_ms = Some(u64::from(value)),
        });
        self.guilty.insert(operation.header().log);
        self.signed.insert(operation.fingerprint());
        self.receive(vec![operation]);
        Some(())
    }

    fn some_run(&self, author: usize, script: &mut Script<'_>) -> Option<Vec<Operation>> {
        let branch = &self.branches[author];
        let from = script.below(branch.len())?;
        let length = 1 + script.below(branch.len() - from)?;
        Some(branch[from..from + length].to_vec())
    }

    fn deliver(&mut self, author: usize, script: &mut Script<'_>) -> Option<()> {
        let segment = self.some_run(author, script)?;
        self.receive(segment);
        Some(())
    }

    fn deliver_bare(&mut self, author: usize, script: &mut Script<'_>) -> Option<()> {
        let segment = self.some_run(author, script)?;
        self.receive(segment.into_iter().map(Operation::without_body).collect());
        Some(())
    }

    fn deliver_damaged(&mut self, author: usize, script: &mut Script<'_>) -> Option<()> {
        let mut segment = self.some_run(author, script)?;
        let place = script.below(segment.len())?;
        let mut bytes = segment[place].encode();
        for _ in 0..=script.below(3)? {
            let at = (script.below(256)? << 8 | script.below(256)?) % bytes.len();
            bytes[at] ^= script.byte()?;
        }
        if let Ok(damaged) = Operation::decode(&bytes) {
            segment[place] = damaged;
            self.receive(segment);
        }
        Some(())
    }

    fn receive(&mut self, segment: Vec<Operation>) {
        self.ledger.receive(&segment);
        self.delivered.push(segment);
    }

    fn check(&self) {
        let held = self.ledger.fingerprints();
        assert!(held.is_subset(&self.signed), "something was admitted that nobody signed");
        for fingerprint in &held {
            self.check_lamport(fingerprint);
        }
        for cut in self.ledger.cuts().keys() {
            assert!(self.guilty.contains(cut), "an honest replica was proven guilty");
        }
        for (log, (sequence, _)) in self.ledger.heads() {
            let stands = |place| chrysalis_core::admit::Ledger::standing_at(&self.ledger, &log, place);
            assert!((0..=sequence).all(|place| stands(place).unwrap().is_some()), "a log stands with a gap");
        }
    }

    fn check_lamport(&self, fingerprint: &Fingerprint) {
        let header = self.ledger.get(fingerprint).unwrap().operation().header();
        let named = header.dependencies.iter().chain(&header.back);
        let before = named.map(|named| self.ledger.get(named).expect("its past is there").operation().header().lamport);
        assert_eq!(header.lamport, before.max().unwrap_or(0) + 1);
    }

    /// A second ledger gets the branches whole and last first, and then all that was delivered. Everything is offered
    /// singly too: of a segment with a bad seal nothing is taken.
    fn check_other_order(&mut self) {
        let everything: Vec<Vec<Operation>> = self.branches.iter().flatten().map(|one| vec![one.clone()]).collect();
        let mut other = MemoryLedger::new(&closed_space(1));
        self.branches.iter().rev().for_each(|branch| other.receive(branch));
        for segment in everything.iter().chain(&self.delivered) {
            other.receive(segment);
        }
        everything.iter().for_each(|segment| self.ledger.receive(segment));
        assert_eq!(other.fingerprints(), self.ledger.fingerprints(), "the order of arrival decided");
        assert_eq!(other.cuts(), self.ledger.cuts());
        assert_eq!(other.heads(), self.ledger.heads());
    }
}

fuzz_target!(|data: &[u8]| {
    let mut script = Script { bytes: data };
    let mut world = World::new();
    for _ in 0..STEPS_MAX {
        if world.step(&mut script).is_none() {
            break;
        }
    }
    world.check();
    world.check_other_order();
    world.check();
});
