//! The document for direct use: the laws hold for its edits too, and so do the bounds.

#![allow(clippy::unwrap_used)]

use chrysalis_core::error::Refusal;
use chrysalis_core::id::{MemoryId, Salt};
use chrysalis_core::limits;
use chrysalis_core::merge::{DirectDocument, Edit, Reading};
use chrysalis_core::payload::{Collection, Field, Score};
use proptest::prelude::*;

fn edit(writer: &str, now_us: u64, salt: u8) -> Edit<'_> {
    Edit { writer, now_us, salt: Salt([salt; 16]) }
}

fn document(content: &str, edit: &Edit<'_>) -> DirectDocument {
    DirectDocument::new(MemoryId::new("mem-1").unwrap(), content, None, edit).unwrap()
}

fn tags(document: &DirectDocument) -> Vec<&str> {
    document.document().tags().collect()
}

/// What a copy does next; the numbers choose what with.
#[derive(Clone, Debug)]
enum Step {
    Hear(usize),
    Tag(u8),
    Untag(u8),
    Content(u8),
    Describe(u8),
    Rate(u16),
    Link(u8),
    Use(u8),
}

fn histories() -> impl Strategy<Value = Vec<(usize, u64, Step)>> {
    let step = prop_oneof![
        (0..3usize).prop_map(Step::Hear),
        (0..3u8).prop_map(Step::Tag),
        (0..3u8).prop_map(Step::Untag),
        (0..3u8).prop_map(Step::Content),
        (0..3u8).prop_map(Step::Describe),
        any::<u16>().prop_map(Step::Rate),
        (0..3u8).prop_map(Step::Link),
        (1..9u8).prop_map(Step::Use),
    ];
    prop::collection::vec((0..3usize, 0..20u64, step), 0..30)
}

fn play(steps: &[(usize, u64, Step)]) -> [DirectDocument; 3] {
    let writers = ["one", "two", "three"];
    let mut copies = [0, 1, 2].map(|at| document("words", &edit(writers[at], at as u64, at as u8)));
    for (number, (at, now, step)) in steps.iter().enumerate() {
        if let Step::Hear(other) = step {
            let heard = copies[*other].clone();
            copies[*at].merge(&heard).unwrap();
            continue;
        }
        take(&mut copies[*at], step, &edit(writers[*at], *now, number as u8));
    }
    copies
}

fn take(copy: &mut DirectDocument, step: &Step, edit: &Edit<'_>) {
    let done = match step {
        Step::Hear(_) => Ok(()),
        Step::Tag(tag) => copy.add_tag(&tag.to_string(), edit),
        Step::Untag(tag) => copy.remove_tag(&tag.to_string(), edit).map(drop),
        Step::Content(content) => copy.set_content(&content.to_string(), edit),
        Step::Describe(value) => copy.set_metadata("key", (*value > 0).then_some("1"), edit),
        Step::Rate(value) => copy.set_importance(*value, edit).and(copy.set_confidence(*value / 2, edit)),
        Step::Link(memory) => copy.add_related(&memory.to_string(), edit),
        Step::Use(uses) => copy.record_access(edit.writer, u64::from(*uses)),
    };
    done.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn merging_is_commutative_associative_and_idempotent(steps in histories()) {
        let [a, b, c] = play(&steps);
        let merged = |a: &DirectDocument, b: &DirectDocument| a.merged(b).unwrap();
        prop_assert_eq!(merged(&a, &b).encode(), merged(&b, &a).encode());
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(&merged(&a, &a), &a);
        prop_assert_eq!(merged(&merged(&a, &b), &b), merged(&a, &b));
    }

    #[test]
    fn what_was_encoded_reads_back(steps in histories()) {
        for copy in play(&steps) {
            prop_assert_eq!(DirectDocument::decode(&copy.encode()), Ok(copy));
        }
    }

    #[test]
    fn an_edit_always_shows_in_the_copy_that_made_it(steps in histories(), now in 0..20u64) {
        let [mut a, b, c] = play(&steps);
        a.merge(&b).unwrap();
        a.merge(&c).unwrap();
        a.set_content("last", &edit("one", now, 255)).unwrap();
        prop_assert_eq!(a.document().content(), Some("last"));
        prop_assert!(a.document().conflicts(Field::Content).is_empty());
    }

    #[test]
    fn damaged_bytes_are_refused_or_canonical(
        steps in histories(), at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = play(&steps)[0].encode();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = with }
        if let Ok(document) = DirectDocument::decode(&bytes) {
            prop_assert_eq!(document.encode(), bytes);
        }
    }
}

#[test]
fn two_documents_made_under_one_id_become_one_with_both_tags_and_the_latest_content() {
    let id = MemoryId::new("mem-1").unwrap();
    let first = edit("agent-001", 1_000, 1);
    let mut memory = DirectDocument::new(id, "distributed systems", Some("semantic"), &first).unwrap();
    memory.add_tag("distributed", &first).unwrap();
    memory.set_importance(58_982, &first).unwrap();
    let mut other = document("merging", &edit("agent-002", 2_000, 2));
    other.add_tag("crdt", &edit("agent-002", 2_000, 3)).unwrap();
    let merged = memory.merged(&other).unwrap();
    let document = merged.document();
    assert_eq!((document.content(), document.memory_type()), (Some("merging"), "semantic"));
    assert_eq!(tags(&merged), ["crdt", "distributed"]);
    assert_eq!(document.score(Score::Importance, Reading::Maximum), Some(58_982));
    assert_eq!(merged.source_instance(), "agent-001");
    assert_eq!(document.conflicts(Field::Content).len(), 1);
}

#[test]
fn merging_with_a_copy_that_missed_a_removal_does_not_bring_the_tag_back() {
    let mut current = document("words", &edit("one", 1, 1));
    current.add_tag("old", &edit("one", 2, 2)).unwrap();
    let stale = current.clone();
    assert_eq!(current.remove_tag("old", &edit("one", 3, 3)), Ok(true));
    assert_eq!(current.remove_tag("old", &edit("one", 4, 4)), Ok(false));
    assert!(tags(&current.merged(&stale).unwrap()).is_empty());
    assert!(tags(&stale.merged(&current).unwrap()).is_empty());
}

#[test]
fn merging_again_changes_nothing_not_even_a_version() {
    let mine = document("words", &edit("one", 1, 1));
    let mut theirs = mine.clone();
    theirs.add_tag("tag", &edit("two", 2, 2)).unwrap();
    let once = mine.merged(&theirs).unwrap();
    let thrice = once.merged(&theirs).unwrap().merged(&mine).unwrap();
    assert_eq!(once.encode(), thrice.encode());
}

#[test]
fn an_equal_edit_of_two_copies_in_one_millisecond_is_two_edits() {
    let mut mine = document("words", &edit("one", 1, 1));
    let mut theirs = mine.clone();
    mine.add_tag("tag", &edit("one", 2, 2)).unwrap();
    theirs.add_tag("tag", &edit("one", 2, 3)).unwrap();
    mine.remove_tag("tag", &edit("one", 3, 4)).unwrap();
    assert_eq!(tags(&mine.merged(&theirs).unwrap()), ["tag"]);
}

#[test]
fn a_clock_that_lags_does_not_lose_an_edit() {
    let mut memory = document("first", &edit("ahead", 1_000, 1));
    memory.set_content("second", &edit("behind", 1, 2)).unwrap();
    assert_eq!(memory.document().content(), Some("second"));
    assert_eq!(memory.document().head().unwrap().lamport, 1_001);
}

#[test]
fn links_evidence_and_uses_accumulate() {
    let mut memory = document("words", &edit("one", 1, 1));
    let mut other = memory.clone();
    memory.add_evidence("seen", &edit("one", 2, 2)).unwrap();
    other.add_evidence("heard", &edit("two", 2, 3)).unwrap();
    other.add_parent("mem-0", &edit("two", 3, 4)).unwrap();
    memory.record_access("one", 2).unwrap();
    other.record_access("two", 3).unwrap();
    memory.merge(&other).unwrap();
    assert_eq!(memory.document().elements(Collection::Evidence).collect::<Vec<_>>(), ["heard", "seen"]);
    assert_eq!(memory.document().elements(Collection::Parents).collect::<Vec<_>>(), ["mem-0"]);
    assert_eq!(memory.access_count(), 5);
}

#[test]
fn more_concurrent_adds_than_one_removal_can_name_are_all_removed() {
    let mut memory = document("words", &edit("one", 1, 1));
    let base = memory.clone();
    for number in 0..=limits::REPLACES_MAX {
        let writer = format!("writer {number}");
        let mut copy = base.clone();
        copy.add_tag("tag", &edit(&writer, 2, 2)).unwrap();
        memory.merge(&copy).unwrap();
    }
    assert_eq!(memory.remove_tag("tag", &edit("one", 3, 3)), Ok(true));
    assert!(tags(&memory).is_empty());
}

#[test]
fn edits_are_held_to_the_bounds_of_operations_and_a_refused_one_changes_nothing() {
    let mut memory = document("words", &edit("one", 1, 1));
    let before = memory.clone();
    let long = "x".repeat(limits::NAME_BYTES_MAX + 1);
    assert_eq!(memory.add_tag(&long, &edit("one", 2, 2)).unwrap_err().code(), "too_large");
    assert_eq!(memory.add_tag("tag", &edit(&long, 2, 2)).unwrap_err().code(), "too_large");
    assert_eq!(memory.record_access(&long, 1).unwrap_err().code(), "too_large");
    assert_eq!(memory.add_tag("tag", &edit("one", u64::MAX, 2)).unwrap_err().code(), "too_large");
    assert_eq!(memory, before);
}

#[test]
fn documents_of_two_memories_do_not_merge() {
    let mut one = document("words", &edit("one", 1, 1));
    let other = DirectDocument::new(MemoryId::new("mem-2").unwrap(), "words", None, &edit("one", 1, 1)).unwrap();
    assert_eq!(one.merge(&other), Err(Refusal::Malformed("documents of two memories don't merge")));
}
