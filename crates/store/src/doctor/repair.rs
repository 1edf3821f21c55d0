//! Mending a store.

use std::path::Path;

use super::examine::{diagnose, is_of_views};
use super::salvage;
use super::{Finding, Level};
use crate::encryption::{self, Passphrase};
use crate::error::StoreError;
use crate::folder::Folder;
use crate::store::{Store, StoreOptions};

/// What can't be mended from the files at hand: these findings are left to a human.
const BEYOND: [&str; 10] = [
    "no_store",
    "key_missing",
    "key_unusable",
    "key_foreign",
    "foreign_database",
    "store_too_new",
    "store_encrypted",
    "passphrase_wrong",
    "store_plain",
    "encryption_not_built",
];

/// Mends what can be mended, and says what was done and what was lost. A damaged database is kept beside the new one;
/// every operation in the new one passed admission. No other process may have the store open.
///
/// `passphrase` is that of an encrypted store.
pub fn repair(path: &Path, passphrase: Option<&Passphrase>) -> Vec<Finding> {
    let folder = Folder::at(path);
    let mut done = Vec::new();
    if let Err(error) = encryption::clear_up(&folder) {
        return vec![failure(path, &error)];
    }
    let folder = match encryption::unlock(&folder, passphrase) {
        Ok(key) => folder.with_key(key),
        Err(_) => return diagnose(path, passphrase),
    };
    if folder.root().join(salvage::FOLDER).exists() {
        match salvage::finish(&folder) {
            Ok(()) => done.push(Finding::ok("salvage_finished", salvage::FOLDER, "an interrupted repair was ended")),
            Err(error) => return vec![failure(path, &error)],
        }
    }
    let found = diagnose(path, passphrase);
    close_to_others(&folder, &found, &mut done);
    if let Some(beyond) = found.iter().find(|finding| BEYOND.contains(&finding.code)) {
        done.push(beyond.clone());
        return done;
    }
    let errors: Vec<&Finding> = found.iter().filter(|finding| finding.level == Level::Error).collect();
    if errors.iter().any(|finding| !is_of_views(finding.code)) {
        match salvage::salvage(&folder) {
            Ok(findings) => done.extend(findings),
            Err(error) => {
                done.push(failure(path, &error));
                return done;
            }
        }
    }
    done.push(rebuild(&folder, passphrase));
    // What is still wrong is said last.
    done.extend(diagnose(path, passphrase).into_iter().filter(|finding| finding.code != "damaged_file_kept"));
    done
}

/// The folder's own mode is its owner's choice; files that hold words and the key are not for others.
fn close_to_others(folder: &Folder, found: &[Finding], done: &mut Vec<Finding>) {
    for finding in found.iter().filter(|finding| ["key_readable", "file_readable"].contains(&finding.code)) {
        let path = folder.root().join(&finding.where_);
        done.push(match crate::folder::make_private(&path) {
            Ok(()) => Finding::ok("closed", finding.where_.clone(), "only its owner can read it now"),
            Err(error) => failure(&path, &error),
        });
    }
}

fn failure(path: &Path, error: &StoreError) -> Finding {
    Finding::error(error.code(), path.display().to_string(), error.to_string())
}

/// Opens the store and makes everything that is derived again.
fn rebuild(folder: &Folder, passphrase: Option<&Passphrase>) -> Finding {
    let options = StoreOptions { passphrase: passphrase.cloned(), ..StoreOptions::default() };
    let opened = Store::open(folder.root(), options);
    let rebuilt = opened.and_then(|store| {
        store.rebuild()?;
        store.sweep()?;
        store.catch_up_text()?;
        store.close()
    });
    match rebuilt {
        Ok(()) => Finding::ok("rebuilt", "chrysalis.db", "views and text index were made again from the log"),
        Err(error) => failure(folder.root(), &error),
    }
}
