//! What is kept beside the log, through a repair: invitations, addresses, and how far others have come.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::fs;
use std::path::{Path, PathBuf};

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::member::Role;
use chrysalis_core::sync::replica::{Intake, Replica as _};
use chrysalis_core::token::Token;
use chrysalis_store::doctor::{Finding, Level, repair};
use chrysalis_store::{OpenInvitation, Speaker, Store, StoreOptions, SyncState};
use keep_common::{assert_holds, open, remember, saying, tamper};
use rusqlite::Connection;
use tempfile::TempDir;

const PAGE: usize = 4096;

/// Somebody who has acknowledged all that the store had said by then.
const PEER: ReplicaKey = ReplicaKey([7; 32]);

/// What has to be there afterwards.
struct Known {
    path: PathBuf,
    token: String,
    open: Vec<OpenInvitation>,
    addresses: Vec<String>,
}

fn found(path: &Path) -> Store {
    let options = StoreOptions { space: Some("team".to_owned()), closed: true, ..StoreOptions::default() };
    Store::open(path, options).unwrap()
}

/// The founder of a space who has invited, knows addresses, and was heard by a peer.
fn furnished(folder: &TempDir) -> Known {
    let path = folder.path().join("store");
    let store = found(&path);
    let token = store.invite(Role::Writer, None, Vec::new()).unwrap().to_string();
    store.invite(Role::Reader, Some(u64::MAX >> 12), Vec::new()).unwrap();
    for address in ["wss://hub.example:4444", "wss://other.example:4444"] {
        store.add_peer(address).unwrap();
    }
    for number in 0..30 {
        remember(&store, &format!("m{number}"), saying(&format!("memory number {number}")));
    }
    let own = store.head().unwrap().log;
    let heard = Intake { acknowledged: vec![(PEER, own, 31)], ..Intake::default() };
    Speaker(&store).take(heard).unwrap();
    assert_eq!(store.sync_state("m0").unwrap().state, SyncState::Synced);
    let (open, addresses) = (store.invitations().unwrap(), store.peers().unwrap());
    store.close().unwrap();
    Known { path, token, open, addresses }
}

/// Where the first page of a table lies in the file.
fn page_of(path: &Path, table: &str) -> usize {
    let connection = Connection::open(path.join("chrysalis.db")).unwrap();
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = ?1";
    connection.query_row(sql, [table], |row| row.get::<_, u32>(0)).unwrap() as usize - 1
}

fn spoil(path: &Path, page: usize) {
    let mut bytes = fs::read(path.join("chrysalis.db")).unwrap();
    bytes[page * PAGE..(page + 1) * PAGE].fill(0x5a);
    fs::write(path.join("chrysalis.db"), bytes).unwrap();
}

fn told<'a>(done: &'a [Finding], code: &str) -> Vec<&'a str> {
    done.iter().filter(|one| one.code == code).map(|one| one.what.as_str()).collect()
}

fn assert_well(done: &[Finding]) {
    assert!(done.iter().all(|one| one.level != Level::Error), "{done:#?}");
}

#[test]
fn what_is_kept_beside_a_damaged_log_is_taken_over_and_said() {
    let folder = TempDir::new().unwrap();
    let known = furnished(&folder);
    tamper(&known.path, "UPDATE operation SET header = zeroblob(length(header)) WHERE position = 31");
    let done = repair(&known.path, None);
    assert_well(&done);
    let whole =
        "taken over from beside the log: 2 open invitations, 2 addresses of other replicas, 1 replica's progress";
    assert_eq!((told(&done, "beside_kept"), told(&done, "beside_lost")), (vec![whole], vec![]), "{done:#?}");
    let store = open(&known.path);
    assert_eq!((store.invitations().unwrap(), store.peers().unwrap()), (known.open.clone(), known.addresses));
    // The peer has more of the old log than could be saved: what it has acknowledged beyond that is known again when
    // it has brought it.
    assert_eq!(store.sync_counts().unwrap().local, 0);
    assert!(store.revoke(Token::decode(&known.token).unwrap().invitation.ephemeral).unwrap());
    assert_eq!(store.invitations().unwrap().len(), 1);
    assert_holds(&store);
}

#[test]
fn what_a_peer_has_acknowledged_is_known_after_a_repair_that_lost_nothing_of_the_log() {
    let folder = TempDir::new().unwrap();
    let known = furnished(&folder);
    let page = page_of(&known.path, "operation_mark");
    spoil(&known.path, page);
    let done = repair(&known.path, None);
    assert_well(&done);
    assert_eq!((told(&done, "lost"), told(&done, "beside_lost")), (vec![], vec![]), "{done:#?}");
    let store = open(&known.path);
    let sent = store.sync_state("m0").unwrap();
    assert_eq!((sent.state, sent.peers), (SyncState::Synced, 1));
    assert_eq!(store.unsent(Some(&PEER)).unwrap(), 1, "the opening of the new epoch, and nothing else");
}

#[test]
fn invitations_and_addresses_are_found_in_their_page_when_nothing_leads_to_it_any_more() {
    let folder = TempDir::new().unwrap();
    let known = furnished(&folder);
    spoil(&known.path, 0);
    let done = repair(&known.path, None);
    assert_well(&done);
    let store = open(&known.path);
    assert_eq!((store.invitations().unwrap(), store.peers().unwrap()), (known.open, known.addresses));
    // Nobody can say whether that was all.
    assert_eq!(told(&done, "beside_lost").len(), 3, "{done:#?}");
    assert_holds(&store);
}

#[test]
fn what_could_not_be_read_is_named_with_what_to_do_about_it() {
    let folder = TempDir::new().unwrap();
    let known = furnished(&folder);
    for table in ["meta", "peer"] {
        let page = page_of(&known.path, table);
        spoil(&known.path, page);
    }
    let done = repair(&known.path, None);
    assert_well(&done);
    let lost = told(&done, "beside_lost");
    assert_eq!(lost.len(), 3, "{done:#?}");
    for (what, hint) in lost.iter().zip(["by the token itself", "add those that are missing", "compared with once"]) {
        assert!(what.contains(hint), "{what}");
    }
    let store = open(&known.path);
    assert_eq!((store.invitations().unwrap(), store.peers().unwrap()), (vec![], vec![]));
    assert!(store.revoke_token(&Token::decode(&known.token).unwrap()).unwrap());
    assert_holds(&store);
}

#[test]
fn an_invitation_that_this_replica_did_not_sign_is_not_taken_over() {
    let folder = TempDir::new().unwrap();
    let (known, other) = (furnished(&folder), folder.path().join("other"));
    let foreign = Token::decode(&found(&other).invite(Role::Administrator, None, Vec::new()).unwrap()).unwrap();
    let connection = Connection::open(known.path.join("chrysalis.db")).unwrap();
    let key = format!("invitation:{}", foreign.invitation.ephemeral.to_hex());
    connection.execute("INSERT INTO meta VALUES(?1, ?2)", (key, foreign.invitation.encode())).unwrap();
    connection.execute("INSERT INTO meta VALUES('invitation:x', x'00ff')", []).unwrap();
    drop(connection);
    tamper(&known.path, "UPDATE operation SET header = zeroblob(length(header)) WHERE position = 31");
    assert_well(&repair(&known.path, None));
    assert_eq!(open(&known.path).invitations().unwrap(), known.open);
}
