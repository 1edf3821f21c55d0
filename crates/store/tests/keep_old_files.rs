//! Files of every released version open, hold, and read as they did when they were written.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::fs;
use std::path::{Path, PathBuf};

use chrysalis_core::payload::{Collection, Field, Value};
use chrysalis_core::sync::replica::{Intake, Offer, Replica as _, Want};
use chrysalis_store::doctor::{Level, diagnose};
use chrysalis_store::row::unpack;
use chrysalis_store::{Edit, Speaker, Store};
use keep_common::{Hands, assert_holds, found, remember, saying, tagged, verify};
use tempfile::TempDir;

/// When the store of version 1 was written: 1 January 2026, by its own clock.
const WRITTEN_MS: u64 = 1_767_225_600_000;

/// When its fading memory fades: ten years later.
const FADES_MS: i64 = 2_082_758_400_000;

fn files(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(version)
}

/// Writes the store whose files are kept. Run it for a new version of the format, never for an old one:
/// `cargo test -p chrysalis-store --test keep_old_files -- --ignored writes_this_version`, with the folder to write to in
/// `CHRYSALIS_FIXTURE`.
#[test]
#[ignore = "made the files once"]
fn writes_this_version() {
    let path = PathBuf::from(std::env::var_os("CHRYSALIS_FIXTURE").unwrap());
    let hands = Hands::at(WRITTEN_MS);
    let store = Store::open(&path, hands.options()).unwrap();
    remember(&store, "harbour", tagged("The harbour crane is serviced on Thursdays", &["harbour", "work"]));
    remember(&store, "lighthouse", tagged("The lighthouse keeper is called Ines", &["harbour"]));
    hands.set(WRITTEN_MS + 60_000);
    let mut edit = tagged("The harbour crane is serviced on Fridays", &["changed"]);
    edit.remove_tags.insert("work".to_owned());
    edit.metadata.insert("source".to_owned(), Some("\"notice board\"".to_owned()));
    edit.set(Field::Speaker, Value::Text("Tomas".to_owned()));
    store.update("boris", "harbour", edit).unwrap();
    let mut links = Edit::default();
    links.grow.insert(Collection::Parents, ["harbour".to_owned()].into());
    links.grow.insert(Collection::Related, ["somewhere else".to_owned()].into());
    store.update("boris", "lighthouse", links).unwrap();
    remember(&store, "secret", saying("the code of the gate is 7734"));
    store.forget("secret", "asked for", true).unwrap();
    let mut fading = saying("The ferry is cancelled until further notice");
    fading.set(Field::Expiry, Value::Integer(FADES_MS));
    fading.set(Field::Tier, Value::Text("working".to_owned()));
    remember(&store, "ferry", fading);
    for turn in 0..17 {
        store.update("anna", "tide", saying(&format!("High tide number {turn}"))).map(drop).unwrap_or_else(|_| {
            remember(&store, "tide", saying("High tide"));
        });
    }
    store.count_uses(["harbour", "harbour", "tide"].into_iter());
    store.flush_uses().unwrap();
    let _ = found(&store, "harbour");
    store.close().unwrap();
}

const VERSIONS: [&str; 2] = ["v1", "v2"];

/// A copy of the old files, opened in the year after they were written.
fn opened(folder: &TempDir, version: &str) -> (PathBuf, Store) {
    let path = folder.path().join("store");
    fs::create_dir(&path).unwrap();
    for file in ["chrysalis.db", "text.db", "key"] {
        fs::copy(files(version).join(file), path.join(file)).unwrap();
    }
    let store = Store::open(&path, Hands::at(WRITTEN_MS + 31_536_000_000).options()).unwrap();
    (path, store)
}

fn tags(store: &Store, id: &str) -> Vec<String> {
    let row = store.get(id).unwrap().unwrap();
    unpack(row.tags.as_deref()).unwrap().into_iter().map(str::to_owned).collect()
}

fn assert_reads_as_written(store: &Store) {
    let harbour = store.get("harbour").unwrap().unwrap();
    assert_eq!(harbour.content, "The harbour crane is serviced on Fridays");
    assert_eq!((harbour.version, harbour.access_count, harbour.agent.as_str()), (2, 2, "boris"));
    assert_eq!((harbour.created_at, harbour.updated_at), (WRITTEN_MS as i64, WRITTEN_MS as i64 + 60_000));
    assert_eq!(harbour.speaker.as_deref(), Some("Tomas"));
    assert_eq!(tags(store, "harbour"), ["changed", "harbour"]);
    let document = store.document("harbour").unwrap();
    assert_eq!(document.metadata().collect::<Vec<_>>(), [("source", "\"notice board\"")]);
    let lighthouse = store.document("lighthouse").unwrap();
    assert_eq!(lighthouse.elements(Collection::Parents).collect::<Vec<_>>(), ["harbour"]);
    assert_eq!(lighthouse.elements(Collection::Related).collect::<Vec<_>>(), ["somewhere else"]);
    assert_eq!(store.get("secret").unwrap(), None);
    assert_eq!(store.history("secret").unwrap().len(), 1);
    let ferry = store.get("ferry").unwrap().unwrap();
    assert_eq!((ferry.expires_at, ferry.tier.as_str()), (Some(FADES_MS), "working"));
    let tide = store.get("tide").unwrap().unwrap();
    assert_eq!((tide.content.as_str(), tide.version), ("High tide number 16", 17));
    assert_eq!(found(store, "ferry"), ["ferry"]);
    assert!(found(store, "gate code").is_empty());
}

#[test]
fn every_version_opens_holds_and_reads_as_written() {
    VERSIONS.into_iter().for_each(opens_holds_and_reads_as_written);
}

fn opens_holds_and_reads_as_written(version: &str) {
    let folder = TempDir::new().unwrap();
    let (path, store) = opened(&folder, version);
    assert_reads_as_written(&store);
    assert_holds(&store);
    let digest = store.logical_digest().unwrap();
    store.rebuild().unwrap();
    assert_eq!(store.logical_digest().unwrap(), digest);
    assert_reads_as_written(&store);
    assert_holds(&store);
    remember(&store, "today", saying("written by a later version"));
    let again = chrysalis_store::Remember { id: Some("secret".to_owned()), edit: saying("not again") };
    assert_eq!(store.remember("anna", again).unwrap_err().code(), "not_allowed");
    store.close().unwrap();
    let errors: Vec<_> = diagnose(&path, None).into_iter().filter(|finding| finding.level == Level::Error).collect();
    assert_eq!(errors, []);
}

#[test]
fn a_file_of_an_earlier_version_says_how_far_its_logs_stand_and_can_be_exchanged() {
    let folder = TempDir::new().unwrap();
    let (_, store) = opened(&folder, "v1");
    let states = Speaker(&store).states().unwrap();
    assert_eq!(
        states.iter().map(|state| state.count).sum::<u64>(),
        store.stats().unwrap().numbers["operations"] as u64
    );
    let hands = Hands::at(WRITTEN_MS + 31_536_000_000);
    let other = Store::open(&folder.path().join("other"), hands.options()).unwrap();
    let wants: Vec<_> = states.iter().map(|state| Want { log: state.log, from: 0 }).collect();
    let segments = Speaker(&store).read(&wants, usize::MAX).unwrap();
    let offers = segments.into_iter().map(|segment| (store.replica(), Offer::Segment(segment))).collect();
    Speaker(&other).take(Intake { offers, ..Intake::default() }).unwrap();
    assert_reads_as_written(&other);
    assert_holds(&other);
}

#[test]
fn every_version_fades_and_merges() {
    VERSIONS.into_iter().for_each(fades_and_merges);
}

fn fades_and_merges(version: &str) {
    let folder = TempDir::new().unwrap();
    let (path, store) = opened(&folder, version);
    let bundle = folder.path().join("bundle");
    store.export(&bundle).unwrap();
    let hands = Hands::at(WRITTEN_MS + 31_536_000_000);
    let other = Store::open(&folder.path().join("other"), hands.options()).unwrap();
    assert_eq!(other.import_bundle(&bundle).unwrap().refused, []);
    assert_reads_as_written(&other);
    assert_holds(&other);
    store.close().unwrap();
    let store = Store::open(&path, Hands::at(FADES_MS as u64 + 1).options()).unwrap();
    assert_eq!(store.get("ferry").unwrap(), None);
    assert!(verify(&store).holds());
}
