//! Random histories: several authors who edit one memory, each from what he has seen, and hear of each other by chance.

use std::collections::BTreeSet;

use chrysalis_core::id::{ContentDigest, Fingerprint, MemoryId, ReplicaKey};
use chrysalis_core::merge::{Document, Stamp};
use chrysalis_core::payload::{Attest, Change, Collection, Field, Score, Value, Write};
use proptest::prelude::*;

const AUTHORS: usize = 4;

/// An operation, as far as merging is concerned.
#[derive(Clone, Debug)]
pub enum Event {
    Write(Stamp, Write),
    Vote(Stamp, Attest),
}

impl Event {
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            Event::Write(stamp, _) | Event::Vote(stamp, _) => stamp.fingerprint,
        }
    }

    pub fn apply(&self, document: &mut Document) {
        match self {
            Event::Write(stamp, write) => document.apply(stamp, write),
            Event::Vote(stamp, vote) => document.apply_vote(stamp, vote),
        }
    }
}

pub fn apply_all<'a>(events: impl IntoIterator<Item = &'a Event>) -> Document {
    let mut document = Document::default();
    events.into_iter().for_each(|event| event.apply(&mut document));
    document
}

/// What an author does next.
#[derive(Clone, Debug)]
enum Step {
    Hear(usize),
    Set(Field, u8),
    Describe(u8, Option<u8>),
    Tag(BTreeSet<u8>),
    Untag(u8),
    Grow(Collection, u8),
    Rate(Score, u16),
    Embed(u8, u8),
    Vote(u8),
    /// Names what its author can't have seen: legal bytes, so merging must hold.
    Overreach(Vec<u8>),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..AUTHORS).prop_map(Step::Hear),
        4 => (prop::sample::select(&Field::ALL[..]), 0..4u8).prop_map(|(field, value)| Step::Set(field, value)),
        2 => (0..3u8, prop::option::of(0..3u8)).prop_map(|(key, value)| Step::Describe(key, value)),
        2 => prop::collection::btree_set(0..4u8, 1..3).prop_map(Step::Tag),
        2 => (0..4u8).prop_map(Step::Untag),
        1 => (prop::sample::select(&Collection::ALL[..]), 0..4u8).prop_map(|(kind, one)| Step::Grow(kind, one)),
        2 => (prop::sample::select(&Score::ALL[..]), any::<u16>()).prop_map(|(score, value)| Step::Rate(score, value)),
        1 => (0..2u8, any::<u8>()).prop_map(|(content, byte)| Step::Embed(content, byte)),
        1 => any::<u8>().prop_map(Step::Vote),
        1 => prop::collection::vec(0..40u8, 1..4).prop_map(Step::Overreach),
    ]
}

/// Operations of several authors, in the order in which they came about.
pub fn histories() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((0..AUTHORS, steps()), 1..40).prop_map(|steps| play(&steps))
}

/// A history, and an order of hearing it in which some operations come twice and none is missing.
pub fn orders() -> impl Strategy<Value = (Vec<Event>, Vec<usize>)> {
    let twice = |events: Vec<Event>| {
        let count = events.len();
        let repeats = prop::collection::vec(0..count.max(1), 0..count + 1);
        let order = repeats.prop_map(move |repeats| (0..count).chain(repeats.into_iter().take(count)).collect());
        (Just(events), order.prop_flat_map(|order: Vec<usize>| Just(order).prop_shuffle()))
    };
    histories().prop_flat_map(twice)
}

/// A history, and three parts of it that three replicas may have heard.
pub fn parts() -> impl Strategy<Value = (Vec<Event>, [BTreeSet<usize>; 3])> {
    histories().prop_flat_map(|events| {
        let masks = prop::collection::vec(0..8u8, events.len());
        let heard = |masks: &[u8], part: u8| (0..masks.len()).filter(|at| masks[*at] >> part & 1 == 1).collect();
        (Just(events), masks.prop_map(move |masks| [0, 1, 2].map(|part| heard(&masks, part))))
    })
}

fn play(steps: &[(usize, Step)]) -> Vec<Event> {
    let mut views: Vec<(Document, u64)> = vec![(Document::default(), 0); AUTHORS];
    let mut events = Vec::new();
    for (number, (author, step)) in steps.iter().enumerate() {
        if let Step::Hear(other) = step {
            let (heard, lamport) = views[*other].clone();
            views[*author].0.merge(&heard);
            views[*author].1 = views[*author].1.max(lamport);
            continue;
        }
        views[*author].1 += 1;
        let event = event_of(number, *author, step, &views[*author]);
        event.apply(&mut views[*author].0);
        events.push(event);
    }
    events
}

fn event_of(number: usize, author: usize, step: &Step, (document, lamport): &(Document, u64)) -> Event {
    let (author, hybrid_ms) = (ReplicaKey([author as u8; 32]), 1_000 + (number as u64 * 7) % 11);
    let stamp = Stamp { fingerprint: fingerprint_of(number), lamport: *lamport, hybrid_ms, author };
    let memory = MemoryId::new("memory").unwrap();
    if let Step::Vote(confidence) = step {
        let content = ContentDigest([confidence & 1; 48]);
        return Event::Vote(stamp, Attest { memory, content, confidence: u16::from(*confidence) });
    }
    let root = document.origin().map(|origin| origin.fingerprint);
    let agent = format!("agent {}", number % 3);
    Event::Write(stamp, Write { memory, agent, root, changes: changes_of(step, document) })
}

fn changes_of(step: &Step, document: &Document) -> Vec<Change> {
    match step {
        Step::Set(field, number) => {
            let value = value_of(*field, *number);
            vec![Change::Register { field: *field, value, replaces: document.replaces(*field) }]
        }
        Step::Describe(key, value) => {
            let (key, value) = (format!("key {key}"), value.map(|value| value.to_string()));
            let replaces = document.metadata_replaces(&key);
            vec![Change::Metadata { key, value, replaces }]
        }
        Step::Tag(tags) => vec![Change::AddTags(tags.iter().map(|tag| format!("tag {tag}")).collect())],
        Step::Untag(tag) => {
            let tag = format!("tag {tag}");
            let adds = document.tag_adds(&tag);
            vec![Change::RemoveTag { tag, adds }]
        }
        Step::Grow(collection, element) => {
            vec![Change::Grow { collection: *collection, elements: vec![element.to_string()] }]
        }
        Step::Rate(score, value) => vec![Change::Rate { score: *score, value: *value }],
        Step::Embed(content, byte) => {
            let content = ContentDigest([*content; 48]);
            vec![Change::Embed { model: "model".into(), content, vector: vec![*byte; 4] }]
        }
        Step::Overreach(numbers) => overreach(numbers),
        Step::Hear(_) | Step::Vote(_) => vec![],
    }
}

fn overreach(numbers: &[u8]) -> Vec<Change> {
    let named: BTreeSet<_> = numbers.iter().map(|number| fingerprint_of(usize::from(*number))).collect();
    let named: Vec<_> = named.into_iter().collect();
    vec![
        Change::Register { field: Field::Content, value: Value::Text("mine".into()), replaces: named.clone() },
        Change::Metadata { key: "key 0".into(), value: None, replaces: named.clone() },
        Change::RemoveTag { tag: "tag 0".into(), adds: named },
    ]
}

/// Scattered, so that the order of fingerprints is not the order of making.
fn fingerprint_of(number: usize) -> Fingerprint {
    Fingerprint([(number as u8).wrapping_mul(157).wrapping_add(31); 48])
}

fn value_of(field: Field, number: u8) -> Value {
    match field {
        Field::OccurredAt | Field::Expiry if number == 0 => Value::Null,
        Field::OccurredAt | Field::Expiry => Value::Integer(i64::from(number) - 2),
        Field::Validity => Value::Span((number > 0).then_some(1), (number > 1).then_some(2)),
        Field::Thread | Field::Speaker if number == 0 => Value::Null,
        _ => Value::Text(format!("value {number}")),
    }
}
