//! A thousand agents write one memory at once, each without having seen the others.

#![allow(clippy::unwrap_used, clippy::panic)]

mod sync_common;

use std::collections::BTreeSet;
use std::path::Path;

use chrysalis_core::id::{Epoch, Fingerprint, MemoryId, ReplicaKey, Salt};
use chrysalis_core::log::{Draft, Head};
use chrysalis_core::member::{LogFacts, Open, Space};
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::{Change, Collection, Field, Payload, Score, Value, Write};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::random::Random;
use chrysalis_core::sync::replica::{Intake, Offer, Outcome};
use chrysalis_store::{Edit, Remember, Store};
use sync_common::{assert_holds, content, open, pull, say, take};

const AGENTS: usize = 1_000;

/// 2026-01-01 in ms since the Unix epoch.
const START_MS: u64 = 1_767_225_600_000;

/// A log of its own that opens, and writes once about a memory of which it has seen nothing but the creation.
fn agent(number: usize, space: &Space, creation: &Operation) -> Vec<Operation> {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let key = SecretKey::from_seed(&seed);
    let open = Open { space: space.clone(), replica: key.public(), epoch: Epoch([1; 16]), grant: None };
    let facts = LogFacts { replica: open.replica, epoch: open.epoch, role: open.claimed_role() };
    let mut head = Head::unopened(open.log(), facts);
    let seen = (creation.fingerprint(), creation.header().lamport);
    let mut extend = |payload, dependencies| {
        let salt = Salt([number as u8; 16]);
        let draft =
            Draft { payload, salt, now_ms: START_MS, expires_ms: None, dependencies, payload_bytes_max: 1 << 16 };
        head.extend(&key, draft).unwrap().operation().clone()
    };
    let opening = extend(Payload::Open(Box::new(open)), Vec::new());
    vec![opening, extend(Payload::Write(change(number, creation.fingerprint())), vec![seen])]
}

fn change(number: usize, creation: Fingerprint) -> Write {
    let register = |field, text: String| Change::Register { field, value: Value::Text(text), replaces: vec![creation] };
    let changes = vec![
        register(Field::Content, format!("as agent {number} sees it")),
        register(Field::Scope, format!("agent/{number}")),
        Change::AddTags(vec!["storm".to_owned(), format!("tag {number}")]),
        Change::Grow { collection: Collection::Evidence, elements: vec![format!("evidence {number}")] },
        Change::Rate { score: Score::Confidence, value: number as u16 },
    ];
    let (memory, agent) = (MemoryId::new("plan").unwrap(), format!("agent {number}"));
    Write { memory, agent, root: Some(creation), changes }
}

/// Everything in an order of its own: whole segments and single operations, a quarter of them twice.
fn parcels(logs: &[Vec<Operation>], random: &mut Random) -> Vec<Offer> {
    let mut parcels = Vec::new();
    for log in logs {
        let whole = random.below(2) == 0;
        let parts: Vec<_> = if whole { vec![log.clone()] } else { log.iter().map(|one| vec![one.clone()]).collect() };
        let twice = if random.below(4) == 0 { parts.clone() } else { Vec::new() };
        parcels.extend(parts.into_iter().chain(twice));
    }
    for last in (1..parcels.len()).rev() {
        parcels.swap(last, random.index(last + 1));
    }
    parcels.into_iter().map(Offer::Segment).collect()
}

/// Hands over parcels, and those that waited again, until none does.
fn deliver(store: &Store, mut parcels: Vec<Offer>) {
    while !parcels.is_empty() {
        let before = parcels.len();
        let mut waiting = Vec::new();
        for some in parcels.chunks(256) {
            let offers = some.iter().map(|offer| (ReplicaKey([9; 32]), offer.clone())).collect();
            let outcomes = take(store, Intake { offers, ..Intake::default() });
            for (offer, outcome) in some.iter().zip(outcomes) {
                match outcome {
                    Outcome::Stored(_) => {}
                    Outcome::Waiting(_) => waiting.push(offer.clone()),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(waiting.len() < before, "what waits comes in once its beginning is there");
        parcels = waiting;
    }
}

/// So many stores that hold the memory, and what each agent then wrote without the others: each store got it in another
/// order.
fn storm(folder: &Path, orders: usize) -> (Vec<Store>, Vec<Vec<Operation>>) {
    let stores: Vec<Store> = (0..orders).map(|number| open(&folder.join(number.to_string()))).collect();
    say(&stores[0], "plan", "as it was first");
    for (one, other) in stores.iter().flat_map(|one| stores.iter().map(move |other| (one, other))) {
        pull(one, other);
    }
    let [revision] = &stores[0].history("plan").unwrap()[..] else { panic!("one write") };
    let space = stores[0].space().clone();
    let logs: Vec<_> = (0..AGENTS).map(|number| agent(number, &space, &revision.stored.operation)).collect();
    for (seed, store) in stores.iter().enumerate() {
        deliver(store, parcels(&logs, &mut Random::new(seed as u64)));
    }
    (stores, logs)
}

fn assert_equal(stores: &[Store]) {
    let digests: Vec<_> = stores.iter().map(|store| store.logical_digest().unwrap()).collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]));
    // Equal digests: what holds in one holds in all, but for what only a store of its own numbers can get wrong.
    [stores.first(), stores.last()].into_iter().flatten().for_each(assert_holds);
}

#[test]
fn a_thousand_agents_write_one_memory_at_once_and_nothing_is_lost_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let (stores, logs) = storm(folder.path(), 4);
    assert_equal(&stores);
    // All were written at one Lamport time: the greatest fingerprint is read.
    let winner = (0..AGENTS).max_by_key(|number| logs[*number][1].fingerprint()).unwrap();
    let authors: BTreeSet<ReplicaKey> = logs.iter().map(|log| key_of(log)).collect();
    for store in &stores {
        assert_eq!(content(store, "plan"), Some(format!("as agent {winner} sees it")));
        let document = store.document("plan").unwrap();
        assert_eq!(document.tags().count(), AGENTS + 1);
        assert_eq!(document.elements(Collection::Evidence).count(), AGENTS);
        assert_eq!(document.opinions(Score::Confidence).count(), AGENTS);
        assert_eq!(document.conflicts(Field::Content).len(), AGENTS - 1);
        assert_eq!(store.get("plan").unwrap().unwrap().confidence, AGENTS as u16 - 1);
        // What was merged is on record, with whose it was.
        let merged = store.history("plan").unwrap();
        let named: BTreeSet<_> = merged.iter().map(|revision| revision.facts.replica).collect();
        assert_eq!((merged.len(), authors.is_subset(&named)), (AGENTS + 1, true));
    }
}

fn key_of(log: &[Operation]) -> ReplicaKey {
    let payload = Payload::decode(log[0].header().kind, &log[0].body().unwrap().payload).unwrap();
    let Payload::Open(open) = payload else { panic!("a log begins with its opening") };
    open.replica
}

#[test]
fn one_edit_settles_what_a_thousand_agents_left_in_conflict_in_several_fields() {
    let folder = tempfile::tempdir().unwrap();
    // What any order comes to is another test's: here two have to agree on the edit.
    let (stores, _) = storm(folder.path(), 2);
    let mut edit = Edit::default();
    edit.set(Field::Content, Value::Text("as all see it now".repeat(100)));
    edit.set(Field::Scope, Value::Text("everyone".to_owned()));
    edit.remove_tags.insert("storm".to_owned());
    stores[0].remember("judge", Remember { id: Some("plan".to_owned()), edit }).unwrap();
    stores[1..].iter().for_each(|store| pull(&stores[0], store));
    assert_equal(&stores);
    for store in &stores {
        let row = store.get("plan").unwrap().unwrap();
        assert_eq!((row.content, row.scope), ("as all see it now".repeat(100), "everyone".to_owned()));
        assert_eq!(row.conflicts, 0);
        assert!(store.document("plan").unwrap().tags().all(|tag| tag != "storm"));
    }
}
