//! Taking over what can still be read of a damaged database into a new one, by admission.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use chrysalis_core::fork::Proof;
use chrysalis_core::id::{Fingerprint, ReplicaKey};
use chrysalis_core::member::Space;
use chrysalis_core::operation::{Kind, Operation};
use chrysalis_core::payload::Payload;
use chrysalis_core::sign::{self, SecretKey};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::Finding;
use super::beside::Beside;
use super::carve::carve;
use crate::accept::Accepted;
use crate::again::Lost;
use crate::belonging::opened_by;
use crate::connection::open_file;
use crate::error::StoreError;
use crate::folder::{Folder, sync_folder};
use crate::ledger::{RawOperation, STORED};
use crate::store::Store;
use crate::turn::UsedGrant;

/// Where the new database is made, inside the folder of the store.
pub(super) const FOLDER: &str = "salvage";

/// Operations in one transaction.
const OPERATIONS_PER_TURN: usize = 500;

/// The files of the database, by what is added to its name.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// What could be read of a damaged database.
#[derive(Default)]
struct Remains {
    beside: Beside,
    proofs: Vec<Proof>,
    operations: BTreeMap<Fingerprint, Operation>,
    /// The greatest position that was met: so many operations there were at least.
    positions: i64,
}

/// What became of it.
#[derive(Default)]
struct Counts {
    kept: usize,
    said_again: usize,
    lost: usize,
}

/// Makes a new database out of what can be read of the damaged one, which is kept beside it.
pub(super) fn salvage(folder: &Folder) -> Result<Vec<Finding>, StoreError> {
    let remains = Remains::read(folder);
    let Some(space) = remains.space() else {
        let what = "nothing in the file says which space it kept: no operation that opens a log can be read";
        return Err(StoreError::corrupt(&folder.database(), what));
    };
    let place = folder.root().join(FOLDER);
    let _ = fs::remove_dir_all(&place);
    let fresh = Folder::at(&place).with_key(folder.unlocking().cloned());
    fresh.create()?;
    fs::copy(folder.key(), fresh.key()).map_err(|error| StoreError::io(&folder.key(), error))?;
    let key = SecretKey::from_seed(fresh.load_or_create_seed()?.as_bytes()).public();
    let used = remains.grant_of(&key);
    let is_member = match &space {
        Space::Open { .. } => true,
        Space::Closed { founder, .. } => *founder == key || used.is_some(),
    };
    if !is_member {
        let what = "nothing in the file shows this replica's invitation any more: join again, with a new token";
        return Err(StoreError::corrupt(&folder.database(), what));
    }
    let store = Store::restore(&fresh, space, used)?;
    let there_were = remains.positions.max(remains.operations.len() as i64);
    let (mut counts, beside) = remains.take_over(&store)?;
    counts.lost += usize::try_from(there_were).unwrap_or(0).saturating_sub(counts.kept + counts.said_again);
    store.close()?;
    let kept_as = put_in_place(folder)?;
    Ok(report(&counts, beside, &kept_as))
}

/// Puts a finished database in the place of one that is gone.
pub(super) fn finish(folder: &Folder) -> Result<(), StoreError> {
    let fresh = Folder::at(folder.root().join(FOLDER));
    if !folder.database().exists() && fresh.database().exists() {
        move_file(&fresh.database(), &folder.database())?;
        sync_folder(folder.root())?;
    }
    fs::remove_dir_all(fresh.root()).map_err(|error| StoreError::io(fresh.root(), error))
}

fn report(counts: &Counts, beside: Vec<Finding>, kept_as: &Path) -> Vec<Finding> {
    let file = "chrysalis.db";
    let what = format!("{} operations were taken over, each checked by its signature", counts.kept);
    let mut findings = vec![Finding::ok("salvaged", file, what)];
    if counts.said_again > 0 {
        let what = format!("{} own operations after a gap were said again in a new epoch", counts.said_again);
        findings.push(Finding::warning("said_again", file, what));
    }
    if counts.lost > 0 {
        let what = format!("about {} operations could not be read or have lost what they follow", counts.lost);
        findings.push(Finding::warning("lost", file, what));
    }
    findings.extend(beside);
    let what = "the damaged file is kept; delete it when nothing is missed";
    findings.push(Finding::warning("damaged_file_kept", kept_as.display().to_string(), what));
    findings
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn move_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|error| StoreError::io(from, error))
}

/// The damaged files get another name, and the new one theirs.
fn put_in_place(folder: &Folder) -> Result<PathBuf, StoreError> {
    let database = folder.database();
    let free = (1..).map(|number| with_suffix(&database, &format!(".damaged-{number}"))).find(|path| !path.exists());
    let kept_as = free.unwrap_or_else(|| with_suffix(&database, ".damaged"));
    for suffix in SUFFIXES {
        let file = with_suffix(&database, suffix);
        if file.exists() {
            move_file(&file, &with_suffix(&kept_as, suffix))?;
        }
    }
    finish(folder)?;
    Ok(kept_as)
}

impl Remains {
    fn read(folder: &Folder) -> Self {
        let mut remains = Self::default();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let open = || open_file(&folder.database(), flags, folder.unlocking());
        let _ = remains.ask(open);
        remains.beside = Beside::read(open);
        // Both ways: SQLite knows the write-ahead log, and carving needs no tree.
        let carved = carve(&folder.database(), folder.unlocking()).unwrap_or_default();
        carved.operations.into_iter().for_each(|operation| remains.take(operation));
        remains.beside.add(carved.values);
        remains
    }

    /// Of two readings of one operation the one with its words.
    fn take(&mut self, operation: Operation) {
        let known = self.operations.get(&operation.fingerprint());
        if known.is_none_or(|known| known.body().is_none()) {
            self.operations.insert(operation.fingerprint(), operation);
        }
    }

    /// Reads through SQLite, around what it can't read. A fault ends a way of reading, never the work; and since an
    /// encrypted database gives nothing more to a connection that has met a damaged page, each way has its own.
    fn ask(&mut self, open: impl Fn() -> Result<Connection, StoreError>) -> Result<(), StoreError> {
        let connection = open()?;
        let _ = self.ask_for_proofs(&connection);
        let first = self.scan(&open()?, "ASC").unwrap_or(0);
        let last = self.scan(&open()?, "DESC").unwrap_or(0);
        self.positions = self.positions.max(first).max(last);
        self.ask_one_by_one(first..=last, open)
    }

    /// Between two faults row by row: a lookup fails only where it meets damage.
    fn ask_one_by_one(
        &mut self,
        positions: RangeInclusive<i64>,
        open: impl Fn() -> Result<Connection, StoreError>,
    ) -> Result<(), StoreError> {
        let mut connection = open()?;
        let sql = format!("SELECT {STORED} FROM operation WHERE position = ?1");
        for position in positions {
            match connection.query_row(&sql, [position], RawOperation::read).optional() {
                Ok(read) => read.and_then(read_whole).into_iter().for_each(|operation| self.take(operation)),
                Err(_) => connection = open()?,
            }
        }
        Ok(())
    }

    fn ask_for_proofs(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut statement = connection.prepare("SELECT proof FROM proof")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.proofs.extend(Proof::decode(&row.get::<_, Vec<u8>>(0)?).ok());
        }
        let mut statement = connection.prepare("SELECT header, signature FROM void_header")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let signature = chrysalis_core::id::Signature::from_slice(&row.get::<_, Vec<u8>>(1)?)?;
            Operation::from_parts(&row.get::<_, Vec<u8>>(0)?, signature, None)
                .into_iter()
                .for_each(|one| self.take(one));
        }
        Ok(())
    }

    /// Reads from one end until the end or a fault; the last position read.
    fn scan(&mut self, connection: &Connection, direction: &str) -> Option<i64> {
        let sql = format!("SELECT {STORED} FROM operation ORDER BY position {direction}");
        let mut statement = connection.prepare(&sql).ok()?;
        let mut rows = statement.query([]).ok()?;
        let mut last = None;
        while let Ok(Some(row)) = rows.next() {
            last = row.get::<_, i64>(0).ok().or(last);
            self.positions = self.positions.max(last.unwrap_or(0));
            RawOperation::read(row).ok().and_then(read_whole).into_iter().for_each(|operation| self.take(operation));
        }
        last
    }

    /// From the file, or from what opens a log.
    fn space(&self) -> Option<Space> {
        let opened = || {
            self.operations.values().filter(|operation| operation.header().kind == Kind::Open).find_map(|operation| {
                match Payload::decode(Kind::Open, &operation.body()?.payload) {
                    Ok(Payload::Open(open)) => Some(open.space),
                    _ => None,
                }
            })
        };
        self.beside.space().or_else(opened)
    }

    /// The grant by which this replica became a member, from what opened one of its logs.
    fn grant_of(&self, key: &ReplicaKey) -> Option<UsedGrant> {
        let openings = self.operations.values().filter(|operation| operation.header().kind == Kind::Open);
        let mut own = openings.filter_map(opened_by).filter(|(open, _)| open.replica == *key);
        own.find_map(|(_, used)| used)
    }

    /// Offers everything to the new store, proofs first, then operations by Lamport time, then what was kept beside.
    fn take_over(self, store: &Store) -> Result<(Counts, Vec<Finding>), StoreError> {
        let mut counts = Counts::default();
        for proof in self.proofs {
            // One that does not hold proves nothing, and is left behind.
            let _ = store.writer.run(move |connection, turn| turn.accept_proof(connection, &proof))?;
        }
        let mut operations: Vec<Operation> = self.operations.into_values().collect();
        operations.sort_by_key(|operation| (operation.header().lamport, operation.fingerprint()));
        let mut left = Vec::new();
        for chunk in operations.chunks(OPERATIONS_PER_TURN) {
            let (kept, waiting) = offer(store, chunk.to_vec())?;
            counts.kept += kept;
            left.extend(waiting);
        }
        counts.said_again = say_again(store, left)?;
        Ok((counts, self.beside.take_over(store)?))
    }
}

fn read_whole(raw: RawOperation) -> Option<Operation> {
    let signature = chrysalis_core::id::Signature::from_slice(&raw.signature).ok()?;
    let body = raw.body().ok().flatten();
    let whole = Operation::from_parts(&raw.header, signature, body);
    whole.or_else(|_| Operation::from_parts(&raw.header, signature, None)).ok()
}

/// How many were stored, and those that wait for what is gone.
fn offer(store: &Store, operations: Vec<Operation>) -> Result<(usize, Vec<Operation>), StoreError> {
    store.writer.run(move |connection, turn| {
        let (mut kept, mut left) = (0, Vec::new());
        for operation in operations {
            match turn.accept(connection, vec![operation.clone()])? {
                Accepted::Stored(_) | Accepted::Forked => kept += 1,
                Accepted::Waiting(_) => left.push(operation),
                Accepted::Refused(_) => {}
            }
        }
        Ok((kept, left))
    })
}

/// Says again what this replica said after a gap in its log. Others may still have the gap's operations, and then both
/// are there: the same words twice are the same words.
fn say_again(store: &Store, left: Vec<Operation>) -> Result<usize, StoreError> {
    let seed = store.folder().load_or_create_seed()?;
    let own = SecretKey::from_seed(seed.as_bytes()).public();
    let mut seen = BTreeSet::new();
    let mine: Vec<Lost> = left
        .into_iter()
        .filter(|operation| seen.insert(operation.fingerprint()))
        .filter(|operation| sign::verify_operation(&own, &operation.fingerprint(), operation.signature()).is_ok())
        .filter_map(|operation| {
            let payload = Payload::decode(operation.header().kind, &operation.body()?.payload).ok()?;
            Some(Lost::of(&operation, payload, true))
        })
        .collect();
    let count = mine.len();
    store.writer.run(move |connection, turn| {
        turn.lose(mine);
        turn.say_lost(connection)
    })?;
    Ok(count)
}
