//! A build without encryption says so wherever an encrypted store is met or wanted.

#![cfg(not(feature = "encryption"))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::path::Path;

use chrysalis_store::doctor::diagnose;
use chrysalis_store::{Passphrase, Store, StoreOptions, convert};
use keep_common::{copy, open, remember, saying};
use tempfile::TempDir;

fn with_passphrase() -> StoreOptions {
    StoreOptions { passphrase: Some(Passphrase::new("open sesame").unwrap()), ..StoreOptions::default() }
}

#[test]
fn an_encrypted_store_is_neither_opened_nor_made_and_nothing_is_changed() {
    let folder = TempDir::new().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/encrypted1");
    let path = copy(&kept, &folder.path().join("store"));
    for options in [with_passphrase(), StoreOptions::default()] {
        let error = Store::open(&path, options).err().unwrap();
        assert_eq!(error.code(), "encryption_not_built");
        assert!(error.hint().contains("--features encryption"), "{}", error.hint());
    }
    assert!(diagnose(&path, None).iter().any(|finding| finding.code == "encryption_not_built"));
    let new = folder.path().join("new");
    assert_eq!(Store::open(&new, with_passphrase()).err().unwrap().code(), "encryption_not_built");
    assert!(!new.join("encryption").exists() && !new.join("key").exists());
}

#[test]
fn a_plain_store_is_not_encrypted_and_goes_on() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    remember(&store, "m", saying("still here"));
    store.close().unwrap();
    let passphrase = Passphrase::new("open sesame").unwrap();
    assert_eq!(convert(folder.path(), None, Some(&passphrase)).unwrap_err().code(), "encryption_not_built");
    assert_eq!(open(folder.path()).get("m").unwrap().unwrap().content, "still here");
    let error = Store::open(folder.path(), with_passphrase()).err().unwrap();
    assert_eq!(error.code(), "store_plain");
}
