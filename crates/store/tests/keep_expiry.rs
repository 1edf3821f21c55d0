//! What fades, what is kept after all, and what is let go again: on every replica alike.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::collections::BTreeMap;
use std::path::Path;

use chrysalis_core::limits;
use chrysalis_core::operation::Kind;
use chrysalis_core::payload::{Change, Collection, Field, Payload, Score, Value};
use chrysalis_store::{Edit, MemoryRow, Remember, Store, StoreOptions, row};
use keep_common::{Hands, assert_holds, codes, found, remember, saying, verify};
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000_000;
const HOUR_MS: u64 = 3_600_000;
const END: i64 = (NOW + HOUR_MS) as i64;

fn until(at: Option<u64>) -> Edit {
    let mut edit = Edit::default();
    edit.set(Field::Expiry, at.map_or(Value::Null, |at| Value::Integer(at as i64)));
    edit
}

fn fading(words: &str, at: u64) -> Edit {
    saying(words).and(until(Some(at)))
}

fn noting(key: &str, json: String) -> Edit {
    Edit { metadata: [(key.to_owned(), Some(json))].into(), ..Edit::default() }
}

fn long(letter: char, bytes: usize) -> String {
    format!("\"{}\"", letter.to_string().repeat(bytes))
}

fn at(hands: &Hands, path: &Path) -> Store {
    Store::open(path, hands.options()).unwrap()
}

fn change(store: &Store, edit: Edit) -> MemoryRow {
    store.update("anna", "m", edit).unwrap()
}

fn metadata(row: &MemoryRow) -> BTreeMap<String, String> {
    let list = row::unpack(row.metadata.as_deref()).unwrap();
    list.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}

/// Brings everything of one store to another.
fn carry(from: &Store, to: &Store, folder: &Path) {
    let bundle = folder.join("bundle");
    from.export(&bundle).unwrap();
    let report = to.import_bundle(&bundle).unwrap();
    assert_eq!(report.refused, []);
}

/// Payload bytes of the writes that still have their words.
fn sizes(store: &Store) -> Vec<usize> {
    let history = store.history("m").unwrap_or_default();
    let writes = history.iter().filter(|one| one.stored.operation.header().kind == Kind::Write);
    writes.filter_map(|one| Some(one.stored.operation.body()?.payload.len())).collect()
}

/// Brings each store what the others hold, and compares them.
fn assert_equal(stores: &[&Store], folder: &Path) {
    for (from, to) in stores.iter().flat_map(|from| stores.iter().map(move |to| (from, to))) {
        carry(from, to, folder);
    }
    let digests: Vec<_> = stores.iter().map(|store| store.logical_digest().unwrap()).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
}

fn assert_gone(store: &Store) {
    store.sweep().unwrap();
    assert_eq!(store.get("m").unwrap(), None);
    assert_holds(store);
    store.rebuild().unwrap();
    assert_eq!(store.get("m").unwrap(), None);
}

#[test]
fn a_memory_of_many_large_parts_is_kept_whole_in_operations_below_the_bound() {
    let (folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hands = Hands::at(NOW);
    let (store, other) = (at(&hands, folder.path()), at(&hands, other_folder.path()));
    let mut first = fading("the plan of the bridge", NOW + HOUR_MS);
    first.add_tags.insert("plan".to_owned());
    first.grow.insert(Collection::Parents, ["elder".to_owned()].into());
    first.scores.insert(Score::Importance, 60_000);
    remember(&store, "m", first);
    for part in 0..5 {
        change(&store, noting(&format!("part{part}"), long('x', 60_000 + part)));
    }
    let before = store.get("m").unwrap().unwrap();
    let kept = change(&store, until(None));
    assert_eq!(kept.expires_at, None);
    assert!(sizes(&store).iter().all(|bytes| *bytes <= limits::PAYLOAD_BYTES_DEFAULT), "{:?}", sizes(&store));
    carry(&store, &other, folder.path());
    hands.set(NOW + 2 * HOUR_MS);
    for replica in [&store, &other] {
        assert!(replica.sweep().unwrap() >= 6, "the first words go");
        for _ in 0..2 {
            let row = replica.get("m").unwrap().unwrap();
            assert_eq!((&row.content, &row.tags, &row.parents), (&before.content, &before.tags, &before.parents));
            assert_eq!((metadata(&row), row.importance), (metadata(&before), 60_000));
            assert_eq!((row.created_at, row.author), (before.created_at, before.author));
            assert_holds(replica);
            replica.rebuild().unwrap();
        }
    }
    assert_equal(&[&store, &other], folder.path());
}

#[test]
fn words_that_fill_an_operation_to_the_brim_can_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let hands = Hands::at(NOW);
    let store = at(&hands, folder.path());
    let mut bytes = limits::PAYLOAD_BYTES_DEFAULT;
    // As long as will go in.
    while let Err(error) =
        store.remember("anna", Remember { id: Some("m".to_owned()), edit: fading(&"w".repeat(bytes), NOW + HOUR_MS) })
    {
        assert_eq!(error.code(), "too_large");
        bytes -= 1;
    }
    change(&store, until(None));
    hands.set(NOW + 2 * HOUR_MS);
    store.sweep().unwrap();
    assert_eq!(store.get("m").unwrap().unwrap().content.len(), bytes);
    assert_holds(&store);
}

#[test]
fn what_a_more_generous_replica_said_can_be_kept_here() {
    let (folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hands = Hands::at(NOW);
    let options = StoreOptions { payload_bytes_max: 400_000, ..hands.options() };
    let generous = Store::open(other_folder.path(), options).unwrap();
    remember(&generous, "m", fading(&"v".repeat(300_000), NOW + HOUR_MS));
    let store = at(&hands, folder.path());
    carry(&generous, &store, folder.path());
    change(&store, until(None));
    hands.set(NOW + 2 * HOUR_MS);
    store.sweep().unwrap();
    assert_eq!(store.get("m").unwrap().unwrap().content.len(), 300_000);
    let own = store.update("anna", "m", saying(&"u".repeat(100_000)).and(until(Some(NOW + 9 * HOUR_MS))));
    assert_eq!(own.unwrap_err().code(), "too_large", "what is said anew stays below the own bound");
    assert_eq!(store.get("m").unwrap().unwrap().expires_at, None, "and is said wholly or not at all");
}

#[test]
fn hundreds_of_tags_links_and_keys_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let hands = Hands::at(NOW);
    let store = at(&hands, folder.path());
    remember(&store, "m", fading("much to say", NOW + HOUR_MS));
    for hundred in 0..6 {
        let names = (0..200).map(|one| format!("{hundred}-{one}-{}", "n".repeat(100)));
        let metadata = names.clone().map(|name| (name, Some("1".to_owned()))).collect();
        change(&store, Edit { metadata, ..Edit::default() });
        let grow = [(Collection::Related, names.clone().collect())].into();
        change(&store, Edit { grow, add_tags: names.collect(), ..Edit::default() });
    }
    change(&store, until(None));
    hands.set(NOW + 2 * HOUR_MS);
    store.sweep().unwrap();
    let row = store.get("m").unwrap().unwrap();
    let count = |list: &Option<Vec<u8>>| row::unpack(list.as_deref()).unwrap().len();
    assert_eq!((count(&row.tags), count(&row.related), metadata(&row).len()), (1_200, 1_200, 1_200));
    assert_holds(&store);
}

#[test]
fn a_later_end_keeps_everything_until_then_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let hands = Hands::at(NOW);
    let store = at(&hands, folder.path());
    remember(&store, "m", fading("quagga", NOW + HOUR_MS));
    change(&store, noting("a", long('y', 50_000)));
    change(&store, noting("b", long('z', 50_000)));
    change(&store, until(Some(NOW + 3 * HOUR_MS)));
    hands.set(NOW + 2 * HOUR_MS);
    assert_eq!(store.sweep().unwrap(), 3, "the first words go");
    assert_eq!(metadata(&store.get("m").unwrap().unwrap()).len(), 2);
    hands.set(NOW + 4 * HOUR_MS);
    assert_gone(&store);
    assert_eq!(sizes(&store), [] as [usize; 0], "nothing of it is left");
}

#[test]
fn an_earlier_end_holds_and_the_words_follow_in_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let hands = Hands::at(NOW);
    let store = at(&hands, folder.path());
    remember(&store, "m", fading("quagga", NOW + 5 * HOUR_MS));
    change(&store, until(Some(NOW + HOUR_MS)));
    change(&store, saying("zebra"));
    hands.set(NOW + 2 * HOUR_MS);
    assert_gone(&store);
    assert_eq!(found(&store, "quagga"), [] as [&str; 0]);
    hands.set(NOW + 6 * HOUR_MS);
    assert_gone(&store);
    let left = store.history("m").unwrap();
    let said = left.into_iter().filter_map(|one| one.payload).collect::<Vec<_>>();
    let Ok([Payload::Write(write)]) = <[Payload; 1]>::try_from(said) else { panic!("more than the end is left") };
    assert!(matches!(&write.changes[..], [Change::Register { field: Field::Expiry, .. }]), "{write:?}");
    remember(&store, "m", saying("okapi").and(until(None)));
    assert_eq!(store.get("m").unwrap().unwrap().content, "okapi", "the id may be used again");
    assert_holds(&store);
}

#[test]
fn what_was_to_stay_and_is_given_an_end_fades() {
    let folder = tempfile::tempdir().unwrap();
    let hands = Hands::at(NOW);
    let store = at(&hands, folder.path());
    remember(&store, "m", saying("kept").and(noting("why", "1".to_owned())));
    change(&store, until(Some(END as u64)));
    assert_eq!(store.faded("episodic", "why", 10).unwrap(), []);
    hands.set(NOW + 2 * HOUR_MS);
    assert_gone(&store);
    assert_eq!(codes(&verify(&store)), [] as [&str; 0]);
    let faded = store.faded("episodic", "why", 10).unwrap();
    assert_eq!(faded.iter().map(|one| (one.id.as_str(), one.expires_at)).collect::<Vec<_>>(), [("m", END)]);
    assert_eq!(faded[0].noted.as_deref(), Some("1"));
    assert_eq!(store.faded("episodic", "elsewhere", 10).unwrap()[0].noted, None);
    assert_eq!(faded[0].bytes, sizes(&store).iter().sum::<usize>(), "its words wait to be forgotten");
    assert_eq!(store.faded("semantic", "why", 10).unwrap(), []);
    assert_eq!(store.faded("episodic", "why", 0).unwrap(), []);
    store.forget("m", "", false).unwrap();
    assert_eq!((store.faded("episodic", "why", 10).unwrap(), sizes(&store)), (Vec::new(), Vec::new()));
}

#[test]
fn what_was_kept_and_is_let_go_fades_on_every_replica() {
    let (folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let late_folder = tempfile::tempdir().unwrap();
    let hands = Hands::at(NOW);
    let (store, other) = (at(&hands, folder.path()), at(&hands, other_folder.path()));
    remember(&store, "m", fading("quagga", NOW + HOUR_MS));
    change(&store, until(None));
    carry(&store, &other, folder.path());
    change(&store, until(Some(NOW + 2 * HOUR_MS)));
    carry(&store, &other, folder.path());
    hands.set(NOW + 90 * 60_000);
    for replica in [&store, &other] {
        replica.sweep().unwrap();
        assert_eq!(replica.get("m").unwrap().unwrap().content, "quagga", "between the two ends it is there");
    }
    hands.set(NOW + 3 * HOUR_MS);
    assert_gone(&store);
    assert_gone(&other);
    let late = at(&hands, late_folder.path());
    carry(&other, &late, folder.path());
    assert_gone(&late);
    assert_equal(&[&store, &other, &late], folder.path());
}

#[test]
fn what_was_kept_and_is_let_go_may_end_later_than_its_first_words() {
    let folder = tempfile::tempdir().unwrap();
    let hands = Hands::at(NOW);
    let store = at(&hands, folder.path());
    remember(&store, "m", fading("quagga", NOW + HOUR_MS));
    change(&store, until(None));
    let end = NOW + 2 * HOUR_MS;
    assert_eq!(change(&store, until(Some(end))).expires_at, Some(end as i64));
    hands.set(end - 1);
    store.sweep().unwrap();
    assert_eq!(store.get("m").unwrap().unwrap().content, "quagga");
    hands.set(end);
    assert_gone(&store);
}

#[test]
fn who_keeps_a_memory_before_its_end_keeps_it_for_all_whose_time_has_come() {
    let (folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hands = Hands::at(NOW);
    let (store, other) = (at(&hands, folder.path()), at(&hands, other_folder.path()));
    remember(&store, "m", fading("quagga", NOW + HOUR_MS));
    carry(&store, &other, folder.path());
    change(&other, until(None));
    hands.set(NOW + 2 * HOUR_MS);
    assert_gone(&store);
    carry(&other, &store, folder.path());
    other.sweep().unwrap();
    assert_eq!(store.get("m").unwrap().unwrap().content, "quagga");
    assert_equal(&[&store, &other], folder.path());
}

#[test]
fn of_an_earlier_end_and_none_given_at_once_one_holds_for_good() {
    let (folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hands = Hands::at(NOW);
    let (store, other) = (at(&hands, folder.path()), at(&hands, other_folder.path()));
    remember(&store, "m", fading("quagga", NOW + 4 * HOUR_MS));
    carry(&store, &other, folder.path());
    change(&store, until(None));
    // Later by its place in the log, and without knowledge of the other.
    change(&other, noting("why", "1".to_owned()));
    change(&other, until(Some(NOW + HOUR_MS)));
    assert_equal(&[&store, &other], folder.path());
    for hours in [2, 5] {
        hands.set(NOW + hours * HOUR_MS);
        assert_gone(&store);
        assert_gone(&other);
    }
    assert_equal(&[&store, &other], folder.path());
}

#[test]
fn its_author_stays_its_author_once_the_first_words_are_gone() {
    let (folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hands = Hands::at(NOW);
    let (store, other) = (at(&hands, folder.path()), at(&hands, other_folder.path()));
    remember(&store, "m", fading("quagga", NOW + HOUR_MS));
    change(&store, until(None));
    carry(&store, &other, folder.path());
    hands.set(NOW + 2 * HOUR_MS);
    other.sweep().unwrap();
    let after = other.update("boris", "m", noting("seen", "true".to_owned())).unwrap();
    assert_eq!((after.author, after.created_at), (store.replica(), NOW as i64));
    assert_holds(&other);
}

#[test]
fn an_end_that_has_passed_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let hands = Hands::at(NOW);
    let store = at(&hands, folder.path());
    for edit in [saying("kept"), fading("fades", NOW + HOUR_MS)] {
        let before = store.remember("anna", Remember { id: Some("m".to_owned()), edit }).unwrap();
        let refused = store.update("anna", "m", saying("other").and(until(Some(NOW)))).unwrap_err();
        assert_eq!(refused.to_string(), "the memory would have faded already");
        assert_eq!(store.get("m").unwrap(), Some(before));
    }
}

/// What may happen to a memory on one of two replicas.
#[derive(Clone, Debug)]
enum Happening {
    Ends(u8),
    Stays,
    Says(u8),
    Notes(u8),
    Tags(u8),
    Carries,
    Passes(u8),
}

fn happenings() -> impl Strategy<Value = Vec<(bool, Happening)>> {
    let one = prop_oneof![
        3 => (1..9_u8).prop_map(Happening::Ends),
        2 => Just(Happening::Stays),
        2 => (0..4_u8).prop_map(Happening::Says),
        2 => (0..4_u8).prop_map(Happening::Notes),
        1 => (0..4_u8).prop_map(Happening::Tags),
        2 => Just(Happening::Carries),
        2 => (1..4_u8).prop_map(Happening::Passes),
    ];
    proptest::collection::vec((proptest::bool::ANY, one), 1..14)
}

fn edit_of(happening: &Happening, now_ms: u64) -> Option<Edit> {
    Some(match happening {
        Happening::Ends(hours) => until(Some(now_ms + u64::from(*hours) * HOUR_MS)),
        Happening::Stays => until(None),
        Happening::Says(word) => saying(&format!("words {word}")),
        Happening::Notes(key) => noting(&format!("key{key}"), long('n', 30_000)),
        Happening::Tags(tag) => Edit { add_tags: [format!("tag{tag}")].into(), ..Edit::default() },
        Happening::Carries | Happening::Passes(_) => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn whatever_ends_are_given_where_all_replicas_read_the_same_at_any_time(history in happenings()) {
        let (folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let hands = Hands::at(NOW);
        let stores = [at(&hands, folder.path()), at(&hands, other_folder.path())];
        remember(&stores[0], "m", fading("words", NOW + 4 * HOUR_MS));
        carry(&stores[0], &stores[1], folder.path());
        let mut now_ms = NOW;
        for (place, happening) in history {
            let store = &stores[usize::from(place)];
            match (&happening, edit_of(&happening, now_ms)) {
                (_, Some(edit)) => match store.update("anna", "m", edit) {
                    Ok(row) => prop_assert_eq!(Some(row), store.get("m").unwrap()),
                    Err(error) => prop_assert_eq!(error.code(), "not_found"),
                },
                (Happening::Carries, _) => carry(store, &stores[usize::from(!place)], folder.path()),
                (Happening::Passes(hours), _) => now_ms += u64::from(*hours) * HOUR_MS,
                _ => {}
            }
            hands.set(now_ms);
            store.sweep().unwrap();
        }
        let mut promised = None;
        for hours in [0, 1, 20] {
            hands.set(now_ms + hours * HOUR_MS);
            stores.iter().for_each(|store| assert!(store.sweep().is_ok()));
            assert_equal(&[&stores[0], &stores[1]], folder.path());
            // Once all is known to all: what is to stay stays, what has ended does not come back, and what is to end
            // ends, unless somebody had kept it unheard.
            let end = stores[0].get("m").unwrap().map(|row| row.expires_at);
            prop_assert!(end.is_none() || promised != Some(None), "it came back");
            prop_assert!(end.is_some() || promised != Some(Some(None)), "it did not stay");
            prop_assert!(!matches!(end, Some(Some(at)) if at <= (now_ms + hours * HOUR_MS) as i64), "it did not end");
            promised = Some(end);
            stores[1].rebuild().unwrap();
            assert_equal(&[&stores[0], &stores[1]], folder.path());
            stores.iter().for_each(assert_holds);
        }
    }
}
