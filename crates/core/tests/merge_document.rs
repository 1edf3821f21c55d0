//! The laws of the document, over random histories of several authors, with duplicates and in any order.

#![allow(clippy::unwrap_used)]

mod merge_history;

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::id::{ContentDigest, Fingerprint, MemoryId, ReplicaKey};
use chrysalis_core::merge::{Document, Reading, Stamp};
use chrysalis_core::payload::{Change, Collection, Field, Score, Value, Write};
use merge_history::{Event, apply_all, histories, orders, parts};
use proptest::prelude::*;

/// Everything that can be read of a document.
fn reads(document: &Document) -> Vec<String> {
    let mut reads = Vec::new();
    for field in Field::ALL {
        let (value, losers) = (document.value(field), document.conflicts(field));
        reads.push(format!("{} {value:?} {losers:?} {:?}", field.name(), document.replaces(field)));
    }
    for (key, value) in document.metadata() {
        reads.push(format!("metadata {key} {value} {:?}", document.metadata_replaces(key)));
    }
    for tag in document.tags() {
        reads.push(format!("tag {tag} {:?}", document.tag_adds(tag)));
    }
    for collection in Collection::ALL {
        reads.push(format!("{} {:?}", collection.name(), document.elements(collection).collect::<Vec<_>>()));
    }
    for score in Score::ALL {
        let trimmed = document.score(score, Reading::TrimmedMean { members: 4 });
        let opinions: Vec<_> = document.opinions(score).collect();
        reads.push(format!("{opinions:?} {:?} {trimmed:?}", document.score(score, Reading::Maximum)));
    }
    reads.extend(document.votes().map(|vote| format!("{vote:?}")));
    reads.extend(document.vectors().map(|vector| format!("{vector:?}")));
    reads.push(format!("{:?} {:?} {}", document.origin(), document.head(), document.updated_ms()));
    reads
}

fn changes(events: &[Event]) -> impl Iterator<Item = (&Stamp, &Change)> {
    let writes = events.iter().filter_map(|event| match event {
        Event::Write(stamp, write) => Some((stamp, write)),
        Event::Vote(..) => None,
    });
    writes.flat_map(|(stamp, write)| write.changes.iter().map(move |change| (stamp, change)))
}

/// By the definition, slowly: of the values that no operation replaces the one with the greatest time.
fn expected_winner(events: &[Event], wanted: Field) -> Option<Value> {
    let (mut written, mut replaced) = (BTreeMap::new(), BTreeSet::<Fingerprint>::new());
    for (stamp, change) in changes(events) {
        if let Change::Register { field, value, replaces } = change
            && *field == wanted
        {
            written.insert((stamp.lamport, stamp.fingerprint), value.clone());
            replaced.extend(replaces);
        }
    }
    written.into_iter().rfind(|((_, fingerprint), _)| !replaced.contains(fingerprint)).map(|(_, value)| value)
}

/// By the definition, slowly: the tags of which an add is removed by no operation.
fn expected_tags(events: &[Event]) -> Vec<&str> {
    let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for (stamp, change) in changes(events) {
        match change {
            Change::AddTags(tags) => added.extend(tags.iter().map(|tag| (tag.as_str(), stamp.fingerprint))),
            Change::RemoveTag { tag, adds } => removed.extend(adds.iter().map(|add| (tag.as_str(), *add))),
            _ => {}
        }
    }
    let standing: BTreeSet<_> = added.difference(&removed).map(|(tag, _)| *tag).collect();
    standing.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_order_and_any_duplication_give_the_same_bytes((events, order) in orders()) {
        let straight = apply_all(&events);
        let shuffled = apply_all(order.iter().map(|at| &events[*at]));
        prop_assert_eq!(&straight, &shuffled);
        prop_assert_eq!(straight.encode(), shuffled.encode());
    }

    #[test]
    fn merging_is_commutative_associative_and_idempotent((events, [a, b, c]) in parts()) {
        let [a, b, c] = [a, b, c].map(|part| apply_all(part.iter().map(|at| &events[*at])));
        prop_assert_eq!(a.merged(&b), b.merged(&a));
        prop_assert_eq!(a.merged(&b).merged(&c), a.merged(&b.merged(&c)));
        prop_assert_eq!(a.merged(&a), a.clone());
        prop_assert_eq!(a.merged(&b).merged(&b), a.merged(&b));
        prop_assert_eq!(a.merged(&Document::default()), a);
    }

    #[test]
    fn merging_documents_is_taking_in_both_sets_of_operations((events, [a, b, _]) in parts()) {
        let [left, right] = [&a, &b].map(|part| apply_all(part.iter().map(|at| &events[*at])));
        let both: BTreeSet<usize> = a.union(&b).copied().collect();
        let together = apply_all(both.iter().map(|at| &events[*at]));
        prop_assert_eq!(left.merged(&right).encode(), together.encode());
    }

    #[test]
    fn a_settled_document_reads_as_one_rebuilt_from_the_log((events, order) in orders()) {
        let (mut incremental, mut rebuilt) = (Document::default(), Document::default());
        let mut seen = BTreeSet::new();
        for event in order.iter().map(|at| &events[*at]) {
            rebuilt = apply_all([event]).merged(&rebuilt);
            if seen.insert(event.fingerprint()) {
                event.apply(&mut incremental);
                incremental.settle(|fingerprint| seen.contains(fingerprint));
            }
            prop_assert_eq!(reads(&incremental), reads(&rebuilt));
        }
        let mut settled_late = rebuilt;
        settled_late.settle(|fingerprint| seen.contains(fingerprint));
        prop_assert_eq!(incremental.encode(), settled_late.encode());
    }

    #[test]
    fn what_stands_is_what_no_operation_names((events, order) in orders()) {
        let document = apply_all(order.iter().map(|at| &events[*at]));
        for field in Field::ALL {
            let expected = expected_winner(&events, field);
            prop_assert_eq!(document.value(field), expected.as_ref());
        }
        prop_assert_eq!(document.tags().collect::<Vec<_>>(), expected_tags(&events));
    }

    #[test]
    fn what_was_encoded_reads_back(events in histories()) {
        let document = apply_all(&events);
        let bytes = document.encode();
        let again = Document::decode(&bytes).unwrap();
        prop_assert_eq!(&again, &document);
        prop_assert_eq!(again.encode(), bytes);
    }

    #[test]
    fn damaged_bytes_are_refused_or_canonical(
        events in histories(), at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = apply_all(&events).encode();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = with }
        if let Ok(document) = Document::decode(&bytes) {
            prop_assert_eq!(document.encode(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut framed = vec![0x8b, 0x01];
        framed.extend(&bytes);
        prop_assert!(Document::decode(&framed).is_err() || Document::decode(&framed).unwrap().encode() == framed);
        let _ = Document::decode(&bytes);
    }
}

fn stamp(number: u8, lamport: u64) -> Stamp {
    let fingerprint = Fingerprint([number; 48]);
    Stamp { fingerprint, lamport, hybrid_ms: 1_000 + lamport, author: ReplicaKey([number; 32]) }
}

fn write(root: Option<u8>, changes: Vec<Change>) -> Write {
    let root = root.map(|number| Fingerprint([number; 48]));
    Write { memory: MemoryId::new("m").unwrap(), agent: "agent".into(), root, changes }
}

fn content(text: &str, replaces: Vec<Fingerprint>) -> Change {
    Change::Register { field: Field::Content, value: Value::Text(text.into()), replaces }
}

fn apply(document: &mut Document, stamp: &Stamp, change: Change) {
    document.apply(stamp, &write(Some(1), vec![change]));
}

#[test]
fn an_empty_document_reads_as_the_defaults() {
    let document = Document::default();
    assert!(!document.is_live());
    assert_eq!((document.tier(), document.memory_type(), document.scope()), ("long_term", "episodic", ""));
    assert_eq!((document.thread(), document.speaker(), document.occurred_at()), (None, None, None));
    assert_eq!((document.validity(), document.expires_at()), ((None, None), None));
    assert_eq!((document.origin(), document.head(), document.updated_ms()), (None, None, 0));
}

#[test]
fn an_edit_that_saw_a_value_beats_it_whatever_the_times_say() {
    let mut document = Document::default();
    document.apply(&stamp(9, 50), &write(None, vec![content("first", vec![])]));
    let seen = document.replaces(Field::Content);
    apply(&mut document, &stamp(2, 3), content("second", seen));
    assert_eq!(document.content(), Some("second"));
    assert!(document.conflicts(Field::Content).is_empty());
}

#[test]
fn concurrent_losers_stay_visible_until_an_edit_that_saw_them() {
    let mut document = Document::default();
    document.apply(&stamp(1, 1), &write(None, vec![content("base", vec![])]));
    let base = document.replaces(Field::Content);
    for (number, words) in [(2, "left"), (3, "right"), (4, "right")] {
        apply(&mut document, &stamp(number, 2), content(words, base.clone()));
    }
    assert_eq!(document.content(), Some("right"));
    let losers: Vec<_> = document.conflicts(Field::Content).iter().map(|loser| loser.value.clone()).collect();
    assert_eq!(losers, [Value::Text("left".into())]);
    let seen = document.replaces(Field::Content);
    apply(&mut document, &stamp(5, 3), content("both", seen));
    assert_eq!(document.content(), Some("both"));
    assert!(document.conflicts(Field::Content).is_empty());
}

#[test]
fn a_cleared_key_of_the_metadata_is_hidden_and_can_be_set_again() {
    let mut document = Document::default();
    let set = |value: Option<&str>, replaces| Change::Metadata {
        key: "color".into(),
        value: value.map(str::to_owned),
        replaces,
    };
    apply(&mut document, &stamp(1, 1), set(Some("1"), vec![]));
    let seen = document.metadata_replaces("color");
    apply(&mut document, &stamp(2, 2), set(None, seen));
    assert_eq!(document.metadata().count(), 0);
    let seen = document.metadata_replaces("color");
    apply(&mut document, &stamp(3, 3), set(Some("2"), seen));
    assert_eq!(document.metadata().collect::<Vec<_>>(), [("color", "2")]);
}

#[test]
fn merging_with_a_replica_that_missed_a_removal_does_not_undo_it() {
    let mut stale = Document::default();
    apply(&mut stale, &stamp(1, 1), Change::AddTags(vec!["old".into()]));
    let mut current = stale.clone();
    let adds = current.tag_adds("old");
    apply(&mut current, &stamp(2, 2), Change::RemoveTag { tag: "old".into(), adds });
    assert_eq!(current.merged(&stale).tags().count(), 0);
    assert_eq!(stale.merged(&current).tags().count(), 0);
}

#[test]
fn a_concurrent_add_of_a_tag_wins_over_its_removal() {
    let mut mine = Document::default();
    apply(&mut mine, &stamp(1, 1), Change::AddTags(vec!["tag".into()]));
    let mut theirs = mine.clone();
    let adds = mine.tag_adds("tag");
    apply(&mut mine, &stamp(2, 2), Change::RemoveTag { tag: "tag".into(), adds });
    apply(&mut theirs, &stamp(3, 2), Change::AddTags(vec!["tag".into()]));
    assert_eq!(mine.merged(&theirs).tags().collect::<Vec<_>>(), ["tag"]);
}

#[test]
fn merging_again_changes_nothing_not_even_a_version() {
    let mut mine = Document::default();
    mine.apply(&stamp(1, 1), &write(None, vec![content("words", vec![])]));
    let mut theirs = mine.clone();
    apply(&mut theirs, &stamp(2, 2), Change::AddTags(vec!["tag".into()]));
    let once = mine.merged(&theirs);
    let thrice = once.merged(&theirs).merged(&mine);
    assert_eq!(once.encode(), thrice.encode());
    assert_eq!(once.head(), thrice.head());
}

#[test]
fn an_author_may_lower_his_own_score_and_not_anothers() {
    let mut document = Document::default();
    let rate = |value| Change::Rate { score: Score::Importance, value };
    let by = |author, number, lamport| Stamp { author: ReplicaKey([author; 32]), ..stamp(number, lamport) };
    apply(&mut document, &by(1, 1, 1), rate(50_000));
    apply(&mut document, &by(2, 2, 1), rate(40_000));
    apply(&mut document, &by(1, 3, 2), rate(10_000));
    assert_eq!(document.score(Score::Importance, Reading::Maximum), Some(40_000));
    assert_eq!(document.score(Score::Importance, Reading::TrimmedMean { members: 2 }), Some(25_000));
    assert_eq!(document.score(Score::Confidence, Reading::Maximum), None);
}

#[test]
fn the_earliest_creating_operation_is_the_origin_and_the_latest_write_the_head() {
    let mut document = Document::default();
    for (number, lamport, root) in [(5, 7, None), (6, 4, None), (7, 2, Some(6)), (8, 9, Some(6))] {
        document.apply(&stamp(number, lamport), &write(root, vec![]));
    }
    let origin = document.origin().unwrap();
    assert_eq!((origin.fingerprint, origin.created_ms), (Fingerprint([6; 48]), 1_004));
    assert_eq!(document.head().unwrap().fingerprint, Fingerprint([8; 48]));
    assert_eq!(document.updated_ms(), 1_009);
}

#[test]
fn the_later_vector_of_one_content_and_model_holds() {
    let mut document = Document::default();
    let content = ContentDigest([1; 48]);
    let embed = |byte| Change::Embed { model: "model".into(), content, vector: vec![byte] };
    apply(&mut document, &stamp(2, 5), embed(5));
    apply(&mut document, &stamp(3, 4), embed(4));
    assert_eq!(document.vector(content, "model"), Some(&[5][..]));
    assert_eq!(document.vector(content, "other"), None);
}

#[test]
fn another_version_of_the_encoding_is_named_as_such() {
    let mut bytes = Document::default().encode();
    bytes[1] = 2;
    assert_eq!(Document::decode(&bytes).unwrap_err().code(), "unknown_version");
}
