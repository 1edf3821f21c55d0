//! What the store answers a node, and what it keeps of what a node brings.

#![allow(clippy::unwrap_used, clippy::panic)]

mod sync_common;

use std::collections::BTreeMap;

use chrysalis_core::admit::Missing;
use chrysalis_core::id::{Fingerprint, LogId, Signature};
use chrysalis_core::member::Role;
use chrysalis_core::operation::Operation;
use chrysalis_core::sync::replica::{Intake, LogState, Mark, Outcome, Replica, Segment, Tip, Want};
use chrysalis_core::{Refusal, limits};
use chrysalis_store::{Speaker, Store, SyncState};
use sync_common::{assert_holds, content, lacking, offers, open, pull, say, take};
use tempfile::TempDir;

fn pair() -> (TempDir, Store, Store) {
    let folder = TempDir::new().unwrap();
    let (one, other) = (open(&folder.path().join("one")), open(&folder.path().join("other")));
    (folder, one, other)
}

fn everything(store: &Store) -> Vec<Segment> {
    let wants: Vec<Want> =
        Speaker(store).states().unwrap().into_iter().map(|state| Want { log: state.log, from: 0 }).collect();
    Speaker(store).read(&wants, usize::MAX).unwrap()
}

fn own(store: &Store) -> LogId {
    store.head().unwrap().log
}

/// Many memories in one transaction, so that they are many operations and few waits.
fn say_many(store: &Store, prefix: &str, count: usize) {
    store.begin_batch().unwrap();
    say_many_in_batch(store, prefix, count);
    store.commit_batch().unwrap();
}

fn say_many_in_batch(store: &Store, prefix: &str, count: usize) {
    (0..count).for_each(|number| say(store, &format!("{prefix}{number}"), &format!("{prefix} number {number}")));
}

#[test]
fn a_state_counts_what_stands_and_names_the_last_of_it() {
    let (_folder, one, _) = pair();
    say(&one, "a", "first");
    say(&one, "a", "second");
    let last = one.head().unwrap().last.unwrap().fingerprint;
    let state = LogState { log: own(&one), count: 3, tip: Tip::of(&last), cut: None };
    assert_eq!(Speaker(&one).states().unwrap(), [state]);
    assert_eq!(Speaker(&one).state(&own(&one)).unwrap(), Some(state));
    assert_eq!(Speaker(&one).state(&LogId([1; 32])).unwrap(), None);
    assert_eq!(Speaker(&one).standing_at(&own(&one), 2).unwrap(), Some(last));
    assert_eq!(Speaker(&one).tips(&own(&one), &[2, 3, u64::MAX]).unwrap(), [Some(Tip::of(&last)), None, None]);
}

#[test]
fn the_position_moves_with_every_word_and_tells_which_logs_changed() {
    let (_folder, one, other) = pair();
    let before = Speaker(&one).position().unwrap();
    say(&one, "a", "said here");
    let between = Speaker(&one).position().unwrap();
    assert!(between > before);
    assert_eq!(Speaker(&one).states_since(before).unwrap().len(), 1);
    assert_eq!(Speaker(&one).states_since(between).unwrap(), []);
    say(&other, "b", "said there");
    pull(&other, &one);
    let news = Speaker(&one).states_since(between).unwrap();
    assert_eq!(news.iter().map(|state| state.log).collect::<Vec<_>>(), [own(&other)]);
    assert!(Speaker(&one).position().unwrap() > between);
}

#[test]
fn two_stores_that_exchanged_everything_are_equal_and_hold() {
    let (_folder, one, other) = pair();
    say_many(&one, "left", 200);
    say_many(&other, "right", 150);
    pull(&one, &other);
    say(&other, "left3", "changed over there");
    pull(&other, &one);
    assert_eq!(Speaker(&one).states().unwrap(), Speaker(&other).states().unwrap());
    assert_eq!(one.logical_digest().unwrap(), other.logical_digest().unwrap());
    assert_eq!(content(&one, "left3").unwrap(), "changed over there");
    [&one, &other].into_iter().for_each(assert_holds);
}

#[test]
fn what_is_read_comes_in_runs_that_end_in_a_seal_and_stay_within_the_bounds() {
    let (_folder, one, other) = pair();
    say_many(&one, "a", 300);
    let segments = everything(&one);
    assert!(segments.iter().all(|segment| segment.len() <= limits::SEGMENT_OPERATIONS_MAX));
    assert_eq!(segments.len(), 301_usize.div_ceil(limits::SEGMENT_OPERATIONS_MAX));
    let long = "x".repeat(60_000);
    (0..20).for_each(|number| say(&other, &format!("b{number}"), &long));
    for segment in everything(&other) {
        let bytes: usize = segment.iter().map(|operation| operation.encode().len()).sum();
        assert!(bytes <= limits::SEGMENT_BYTES_MAX, "{bytes}");
    }
    let some = Speaker(&other).read(&[Want { log: own(&other), from: 0 }], 100_000).unwrap();
    assert!(some.iter().map(Vec::len).sum::<usize>() < 10, "a bound that is reached ends the answer");
    assert_eq!(Speaker(&other).read(&[Want { log: own(&other), from: 21 }], 1).unwrap(), Vec::<Segment>::new());
    assert_eq!(Speaker(&other).read(&[Want { log: LogId([7; 32]), from: 0 }], 1).unwrap(), Vec::<Segment>::new());
}

#[test]
fn logs_that_answer_each_other_are_read_so_that_nothing_waits() {
    let (folder, one, other) = pair();
    for turn in 0..20 {
        say(&one, &format!("question {turn}"), "what is it?");
        pull(&one, &other);
        say(&other, &format!("answer {turn}"), "this is it");
        pull(&other, &one);
    }
    let third = open(&folder.path().join("third"));
    let outcomes = take(&third, offers(&one, everything(&one)));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored(1..))), "{outcomes:?}");
    assert_eq!(content(&third, "answer 19").unwrap(), "this is it");
    assert_eq!(Speaker(&third).states().unwrap().len(), 3);
    assert_holds(&third);
}

#[test]
fn logs_that_knew_nothing_of_each_other_are_read_in_long_runs_although_they_came_by_turns() {
    let (folder, one, other) = pair();
    let hub = open(&folder.path().join("hub"));
    for turn in 0..60 {
        say(&one, &format!("left {turn}"), "said here");
        say(&other, &format!("right {turn}"), "said there");
        pull(&one, &hub);
        pull(&other, &hub);
    }
    let runs: Vec<usize> = everything(&hub).iter().map(Vec::len).filter(|length| *length > 1).collect();
    assert_eq!(runs, [61, 61]);
}

#[test]
fn what_came_after_a_position_is_read_in_parts_and_nothing_twice() {
    let (_folder, one, other) = pair();
    say_many(&other, "b", 100);
    pull(&other, &one);
    say_many(&one, "a", 100);
    let (mut position, mut count, mut calls) = (0, 0, 0);
    loop {
        let (segments, reached) = Speaker(&one).read_after(position, 5_000).unwrap();
        if segments.is_empty() {
            assert_eq!(reached, position);
            break;
        }
        count += segments.iter().map(Vec::len).sum::<usize>();
        (position, calls) = (reached, calls + 1);
    }
    assert_eq!((count, position), (202, Speaker(&one).position().unwrap()));
    assert!(calls > 5);
}

#[test]
fn what_everyone_was_told_of_is_not_read_again_unless_a_log_opened() {
    let (_folder, one, other) = pair();
    say_many(&other, "b", 100);
    pull(&other, &one);
    let opened = Speaker(&one).position().unwrap();
    say_many(&other, "c", 100);
    pull(&other, &one);
    let told = |log: &LogId, count: u64| *log == own(&other) && count <= 201;
    let after = |position| Speaker(&one).read_after(position, usize::MAX).unwrap();
    let news = |position| Speaker(&one).read_news(position, usize::MAX, &told).unwrap();
    assert_eq!(news(0), after(0), "it opened since");
    assert_eq!(news(opened), (vec![], Speaker(&one).position().unwrap()));
    let less = |_: &LogId, count: u64| count < 201;
    assert_eq!(Speaker(&one).read_news(opened, usize::MAX, &less).unwrap(), after(opened));
    say(&one, "a", "said here");
    assert_eq!(news(opened), after(opened));
    let here = Speaker(&one).position().unwrap();
    assert_eq!(news(here), (vec![], here));
}

#[test]
fn what_is_said_after_a_run_was_taken_comes_behind_it_in_the_feed() {
    let (_folder, one, other) = pair();
    say_many(&one, "a", 100);
    say(&one, "a7", "said once more");
    say_many(&one, "b", 20);
    pull(&one, &other);
    say(&other, "c", "said there");
    let changed = |id: &str| other.get(id).unwrap().unwrap().changed;
    let order = ["a0", "a6", "a8", "a99", "a7", "b0", "b19", "c"].map(changed);
    assert!(order.is_sorted_by(|one, next| one < next), "{order:?}");
    assert_holds(&other);
}

#[test]
fn a_segment_whose_past_is_missing_waits_for_it() {
    let (_folder, one, other) = pair();
    say_many(&one, "a", 100);
    let segments = everything(&one);
    let outcomes = take(&other, offers(&one, [segments[1].clone()]));
    let missing = Missing::Log(own(&one));
    assert_eq!(outcomes, [Outcome::Waiting(vec![missing])]);
    assert_eq!(take(&other, offers(&one, segments.clone())), [Outcome::Stored(64), Outcome::Stored(37)]);
    assert_eq!(take(&other, offers(&one, segments)), [Outcome::Stored(0), Outcome::Stored(0)]);
}

fn with_signature_of(operation: &Operation, other: &Operation) -> Operation {
    Operation::from_parts(operation.header_bytes(), *other.signature(), operation.body().cloned()).unwrap()
}

#[test]
fn a_segment_is_taken_by_its_seal_and_a_bad_signature_inside_is_found_and_fetched_again() {
    let (folder, one, other) = pair();
    say_many(&one, "a", 10);
    let mut segment = everything(&one).remove(0);
    segment[4] = with_signature_of(&segment[4], &segment[5]);
    assert_eq!(take(&other, offers(&one, [segment.clone()])), [Outcome::Stored(11)]);
    let problems = other.verify(None, |_, _| {}).unwrap().problems;
    assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["bad_inner_signature"]);
    // It is asked for again, until somebody has it whole.
    let sought = vec![segment[4].fingerprint()];
    assert_eq!(Speaker(&other).without_words(None, 10).unwrap(), sought);
    take(&other, offers(&one, [vec![segment[4].clone()]]));
    assert_eq!(Speaker(&other).without_words(None, 10).unwrap(), sought);
    take(&other, offers(&one, Speaker(&one).find(&sought).unwrap().into_iter().map(|found| vec![found])));
    assert_eq!(Speaker(&other).without_words(None, 10).unwrap(), []);
    assert_holds(&other);
    let end = segment.len() - 1;
    segment[end] = with_signature_of(&segment[end], &segment[0]);
    let third = open(&folder.path().join("third"));
    assert_eq!(take(&third, offers(&one, [segment])), [Outcome::Refused(Refusal::BadSignature)]);
}

#[test]
fn what_was_taken_by_a_seal_is_passed_on_up_to_a_seal() {
    let (folder, one, other) = pair();
    say_many(&one, "a", 100);
    pull(&one, &other);
    let third = open(&folder.path().join("third"));
    // From the middle of a run on: the answer ends where the run ended.
    let half = Speaker(&other).read(&[Want { log: own(&one), from: 30 }], 1).unwrap();
    assert_eq!(half.iter().map(Vec::len).collect::<Vec<_>>(), [34]);
    assert_eq!(half[0].last().unwrap().header().sequence, 63);
    pull(&other, &third);
    assert_eq!(content(&third, "a99").unwrap(), "a number 99");
    assert_holds(&third);
}

#[test]
fn operations_are_found_by_fingerprint_and_by_mark() {
    let (_folder, one, _) = pair();
    say(&one, "a", "words");
    let last = one.head().unwrap().last.unwrap().fingerprint;
    let found = Speaker(&one).find(&[last, Fingerprint([3; 48])]).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].fingerprint(), last);
    assert!(found[0].body().is_some());
    assert_eq!(Speaker(&one).resolve(&Mark::of(&last)).unwrap(), Some(last));
    assert_eq!(Speaker(&one).resolve(&Mark([3; 8])).unwrap(), None);
}

#[test]
fn words_that_did_not_come_are_asked_for_and_taken_when_they_do() {
    let (_folder, one, other) = pair();
    say(&one, "a", "words");
    say(&one, "b", "more words");
    let whole = everything(&one).remove(0);
    let mut bare: Segment = whole.clone();
    bare[1] = bare[1].clone().without_body();
    bare[2] = bare[2].clone().without_body();
    assert_eq!(take(&other, offers(&one, [bare])), [Outcome::Stored(3)]);
    assert_eq!(content(&other, "a"), None);
    let first = Speaker(&other).without_words(None, 1).unwrap();
    let second = Speaker(&other).without_words(first.last(), 1).unwrap();
    assert_eq!([&first, &second], [&[whole[1].fingerprint()], &[whole[2].fingerprint()]]);
    assert_eq!(Speaker(&other).without_words(second.last(), 10).unwrap(), []);
    let found = Speaker(&one).find(&Speaker(&other).without_words(None, 10).unwrap()).unwrap();
    take(&other, offers(&one, found.into_iter().map(|operation| vec![operation])));
    assert_eq!(content(&other, "a").unwrap(), "words");
    assert_eq!(Speaker(&other).without_words(None, 10).unwrap(), []);
    assert_holds(&other);
}

#[test]
fn a_role_comes_from_an_opened_log_alone() {
    let (_folder, one, other) = pair();
    assert_eq!(Speaker(&one).role_of(&one.replica()).unwrap(), Some(Role::Administrator));
    assert_eq!(Speaker(&one).role_of(&other.replica()).unwrap(), None);
    pull(&other, &one);
    assert_eq!(Speaker(&one).role_of(&other.replica()).unwrap(), Some(Role::Administrator));
    let opening = Speaker(&one).opening().unwrap().unwrap();
    assert_eq!((opening.header().log, opening.header().sequence), (own(&one), 0));
    assert!(opening.body().is_some());
}

#[test]
fn a_memory_is_local_then_pending_then_synced() {
    let (_folder, one, other) = pair();
    say(&one, "a", "words");
    let state = |id: &str| {
        let sent = one.sync_state(id).unwrap();
        (sent.state, sent.peers)
    };
    assert_eq!(state("a"), (SyncState::Local, 0));
    assert_eq!(one.unsent(None).unwrap(), 2);
    let said = |count| Intake { acknowledged: vec![(other.replica(), own(&one), count)], ..Intake::default() };
    take(&one, said(1));
    assert_eq!(state("a"), (SyncState::Pending, 0));
    take(&one, said(2));
    assert_eq!(state("a"), (SyncState::Synced, 1));
    assert_eq!((one.unsent(None).unwrap(), one.unsent(Some(&one.replica())).unwrap()), (0, 2));
    assert_eq!(one.unsent_by_peer().unwrap(), (2, BTreeMap::from([(other.replica(), 0)])));
    say(&one, "a", "other words");
    assert_eq!(state("a"), (SyncState::Pending, 0));
    assert_eq!(one.unsent_by_peer().unwrap(), (3, BTreeMap::from([(other.replica(), 1)])));
    // Nobody takes back what he has, and nobody has more than there is.
    take(&one, said(1));
    take(&one, said(3));
    assert_eq!(state("a"), (SyncState::Synced, 1));
    assert_eq!(one.sync_state("nothing").unwrap_err().code(), "not_found");
}

#[test]
fn what_was_agreed_is_kept_and_never_goes_back() {
    let (_folder, one, other) = pair();
    let agree = |position| Intake { agreed: vec![(other.replica(), position)], ..Intake::default() };
    assert_eq!(Speaker(&one).agreed(&other.replica()).unwrap(), None);
    let now = Speaker(&one).position().unwrap();
    take(&one, agree(now));
    take(&one, agree(now - 1));
    assert_eq!(Speaker(&one).agreed(&other.replica()).unwrap(), Some(now));
    // Nobody agrees with what is not there yet.
    take(&one, agree(u64::MAX));
    assert_eq!(Speaker(&one).agreed(&other.replica()).unwrap(), Some(now));
}

#[test]
fn a_forgetting_says_who_has_acknowledged_it() {
    let (_folder, one, other) = pair();
    say(&one, "secret", "the code is 7734");
    pull(&one, &other);
    say(&other, "hello", "I am here");
    pull(&other, &one);
    one.forget("secret", "", false).unwrap();
    let receipt = one.forgetting("secret").unwrap();
    assert_eq!(receipt.acknowledged.into_iter().collect::<Vec<_>>(), [one.replica()]);
    assert_eq!(receipt.missing.into_iter().collect::<Vec<_>>(), [other.replica()]);
    // Who speaks after it has it, even if nobody said so.
    pull(&one, &other);
    say(&other, "hello", "I am still here");
    pull(&other, &one);
    let receipt = one.forgetting("secret").unwrap();
    assert_eq!((receipt.acknowledged.len(), receipt.missing.len()), (2, 0));
    assert_eq!(content(&other, "secret"), None);
    assert_eq!(one.forgetting("hello").unwrap_err().code(), "not_found");
}

#[test]
fn nothing_is_taken_inside_a_batch() {
    let (_folder, one, other) = pair();
    one.begin_batch().unwrap();
    let refused = Speaker(&one).take(offers(&other, everything(&other))).unwrap_err();
    assert_eq!(refused.code(), "invalid");
    one.rollback_batch().unwrap();
}

#[test]
fn a_summary_of_lacking_places_ends_when_both_are_equal() {
    let (_folder, one, other) = pair();
    say_many(&one, "a", 70);
    assert_eq!(lacking(&one, &other), [Want { log: own(&one), from: 0 }]);
    pull(&one, &other);
    assert_eq!(lacking(&one, &other), []);
}

/// A store, a friend that has all of it, and the store's file as it was before its last word.
fn restored(folder: &TempDir) -> (Store, Store) {
    let (path, friend) = (folder.path().join("mine"), open(&folder.path().join("friend")));
    let store = open(&path);
    say(&store, "early", "in the backup");
    store.close().unwrap();
    let backup = std::fs::read(path.join("chrysalis.db")).unwrap();
    let store = open(&path);
    say(&store, "late", "after the backup");
    pull(&store, &friend);
    store.close().unwrap();
    // Written over in place, as a restore does: the file stays the same file.
    std::fs::write(path.join("chrysalis.db"), backup).unwrap();
    (open(&path), friend)
}

#[test]
fn a_restored_store_that_hears_of_its_own_later_words_never_forks() {
    let folder = TempDir::new().unwrap();
    let (store, friend) = restored(&folder);
    let log = own(&store);
    take(&store, Intake { acknowledged: vec![(friend.replica(), log, 3)], ..Intake::default() });
    // What they are has not come yet, and writing goes on: in a new epoch.
    say(&store, "meanwhile", "said before the rest came");
    assert_ne!(own(&store), log);
    pull(&friend, &store);
    pull(&store, &friend);
    assert!(Speaker(&friend).states().unwrap().iter().all(|state| state.cut.is_none()));
    assert_eq!(store.logical_digest().unwrap(), friend.logical_digest().unwrap());
    assert_eq!(content(&store, "late").unwrap(), "after the backup");
    let epoch = own(&store);
    // A second time nobody is believed: what this process said is here.
    take(&store, Intake { acknowledged: vec![(friend.replica(), epoch, 99)], ..Intake::default() });
    say(&store, "later", "said in the same epoch");
    assert_eq!(own(&store), epoch);
    [&store, &friend].into_iter().for_each(assert_holds);
}

#[test]
fn a_restored_store_that_wrote_before_it_heard_says_both_branches_again() {
    let folder = TempDir::new().unwrap();
    let (store, friend) = restored(&folder);
    let log = own(&store);
    say(&store, "offline", "said before anybody was heard");
    let outcomes = take(&store, offers(&friend, everything(&friend)));
    assert!(outcomes.contains(&Outcome::Forked), "{outcomes:?}");
    assert_ne!(own(&store), log);
    pull(&store, &friend);
    pull(&friend, &store);
    for id in ["early", "late", "offline"] {
        assert!(content(&store, id).is_some() && content(&friend, id).is_some(), "{id}");
    }
    let cut = Speaker(&friend).state(&log).unwrap().unwrap();
    assert_eq!((cut.count, cut.cut), (2, Some(2)));
    assert_eq!(Speaker(&store).state(&log).unwrap().unwrap(), cut);
    assert_eq!(store.logical_digest().unwrap(), friend.logical_digest().unwrap());
    [&store, &friend].into_iter().for_each(assert_holds);
}

#[test]
fn words_that_come_after_their_headers_leave_runs_that_others_admit() {
    let (folder, one, other) = pair();
    let long = "x".repeat(60_000);
    one.begin_batch().unwrap();
    (0..20).for_each(|number| say(&one, &format!("a{number}"), &long));
    one.commit_batch().unwrap();
    let whole = everything(&one);
    let bare = |operation: &Operation| match operation.header().sequence {
        0 => operation.clone(),
        _ => operation.clone().without_body(),
    };
    let headers: Segment = whole.iter().flatten().map(bare).collect();
    assert_eq!(take(&other, offers(&one, [headers])), [Outcome::Stored(21)]);
    take(&other, offers(&one, whole));
    assert_eq!(content(&other, "a19").unwrap().len(), long.len());
    let third = open(&folder.path().join("third"));
    let segments = everything(&other);
    assert!(segments.iter().all(|run| run.iter().map(Operation::size).sum::<usize>() <= limits::SEGMENT_BYTES_MAX));
    let outcomes = take(&third, offers(&other, segments));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored(1..))), "{outcomes:?}");
    pull(&third, &one);
    assert_eq!(one.logical_digest().unwrap(), third.logical_digest().unwrap());
    assert_holds(&third);
}

#[test]
fn single_operations_are_checked_alike_whether_few_or_many_come_at_once() {
    let (folder, one, other) = pair();
    say_many(&one, "a", 40);
    let singles: Vec<Segment> = everything(&one).into_iter().flatten().map(|operation| vec![operation]).collect();
    let mut forged = singles.clone();
    let last = forged.last_mut().unwrap();
    let body = last[0].body().cloned();
    last[0] = Operation::from_parts(last[0].header_bytes(), Signature([7; 64]), body).unwrap();
    let outcomes = take(&other, offers(&one, forged));
    let (refused, stored) = outcomes.split_last().unwrap();
    assert_eq!(stored, vec![Outcome::Stored(1); 40]);
    assert_eq!(*refused, Outcome::Refused(Refusal::BadSignature));
    let third = open(&folder.path().join("third"));
    singles.into_iter().for_each(|single| assert_eq!(take(&third, offers(&one, [single])), [Outcome::Stored(1)]));
    pull(&third, &one);
    assert_eq!(third.logical_digest().unwrap(), one.logical_digest().unwrap());
    [&other, &third].into_iter().for_each(assert_holds);
}

#[test]
fn a_run_that_forgets_withdraws_and_edits_among_new_memories_says_the_same_as_its_author() {
    let (_folder, one, other) = pair();
    one.begin_batch().unwrap();
    say_many_in_batch(&one, "a", 5);
    one.forget("a1", "", false).unwrap();
    say(&one, "b", "new again");
    one.forget("a2", "", true).unwrap();
    say(&one, "c", "a2 number 2");
    say(&one, "a3", "edited");
    say_many_in_batch(&one, "d", 5);
    one.commit_batch().unwrap();
    assert_eq!(take(&other, offers(&one, everything(&one))).len(), 1, "all of it is one run");
    pull(&other, &one);
    assert_eq!(one.logical_digest().unwrap(), other.logical_digest().unwrap());
    assert_eq!((content(&other, "a1"), content(&other, "c")), (None, content(&one, "c")));
    assert_eq!(content(&other, "a3").unwrap(), "edited");
    assert_holds(&other);
}
