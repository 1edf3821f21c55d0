//! The store: one replica of one space, in one folder.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrysalis_core::id::{MemoryId, ReplicaKey};
use chrysalis_core::limits;
use chrysalis_core::log::Head;
use chrysalis_core::member::Space;
use chrysalis_core::sign::SecretKey;
use chrysalis_core::token::Token;
use rusqlite::Connection;

use crate::belonging::{self, Belonging};
use crate::connection::ConnectionOptions;
use crate::edit::Edit;
use crate::encryption::{self, Passphrase};
use crate::error::StoreError;
use crate::folder::Folder;
use crate::readers::{ReadConnection, Readers};
use crate::row::{self, MemoryRow};
use crate::saying::{edit_one, forget_one, remember_one};
use crate::schema::{self, FORMAT};
use crate::turn::{Clock, Randomness, Shared, Turn, UsedGrant, random, system_randomness};
use crate::view::is_any_kept;
use crate::writer::Writer;

/// How a store is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// Name of the space, which an existing store must keep. None: whatever the folder keeps; a new one keeps the open
    /// space `default`.
    pub space: Option<String>,
    /// Whether a store that keeps no closed space yet founds one.
    pub closed: bool,
    /// The token by which a store that is no member yet joins a closed space.
    pub invite: Option<Arc<Token>>,
    /// What opens a store that is encrypted, and encrypts a new one; none for a plain one.
    pub passphrase: Option<Passphrase>,
    /// How connections are set up. Its key is found by the passphrase.
    pub connection: ConnectionOptions,
    /// Bytes of payload that this replica allows itself.
    pub payload_bytes_max: usize,
    /// The present.
    pub clock: Clock,
    /// Where salts and epochs come from. They must not be guessed: anything but the default is for simulations.
    pub randomness: Randomness,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            space: None,
            closed: false,
            invite: None,
            passphrase: None,
            connection: ConnectionOptions::default(),
            payload_bytes_max: limits::PAYLOAD_BYTES_DEFAULT,
            clock: Arc::new(system_clock),
            randomness: Arc::new(system_randomness),
        }
    }
}

fn system_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    now.as_millis() as u64
}

/// What is said of a memory, new or known.
#[derive(Clone, Default, Debug)]
pub struct Remember {
    /// Its id; a new one is made when there is none.
    pub id: Option<String>,
    /// What it says.
    pub edit: Edit,
}

/// What forgetting did here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forgotten {
    /// The store's number of the memory.
    pub number: i64,
    /// How many operations lost their words.
    pub operations: usize,
}

/// One replica of one space, in one folder. Shared by threads; other processes may open the same folder.
pub struct Store {
    pub(crate) folder: Folder,
    pub(crate) writer: Writer<Turn>,
    pub(crate) readers: Readers,
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: StoreOptions,
    pub(crate) indexes: crate::indexes::Indexes,
    pub(crate) searchers: crate::recall::Searchers,
    pub(crate) uses: crate::uses::Uses,
    brought: usize,
}

/// Processes that open one new folder at once may each want it to keep another space: who comes second looks again.
const OPENING_TRIES: usize = 3;
const MOVED: &str = "wrong_space_meanwhile";

impl Store {
    /// Opens the store in this folder, making it when it is new; founds or joins a space if the options say so.
    ///
    /// # Errors
    /// Those of [`Folder::load_or_create_seed`] and of opening the database; [`StoreError::Invalid`] when the store
    /// keeps another space than the one named; [`StoreError::Refused`] with `wrong_space` when it is a member of
    /// another closed space than the token's, with `invitation_expired`, or with `role_lacking` when memories would
    /// have to come along that the role may not say.
    pub fn open(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let folder = Folder::at(path);
        folder.create()?;
        encryption::finish_conversion(&folder)?;
        let folder = folder.with_key(encryption::unlock_or_create(&folder, options.passphrase.as_ref())?);
        for _ in 1..OPENING_TRIES {
            match Self::try_open(&folder, &options, None) {
                Err(StoreError::Refused(MOVED, _)) => {}
                done => return done,
            }
        }
        Self::try_open(&folder, &options, None)
    }

    /// Makes a new store of this space with a grant that was accepted before: for salvage.
    pub(crate) fn restore(folder: &Folder, space: Space, used: Option<UsedGrant>) -> Result<Self, StoreError> {
        let belonging = Belonging { kept: None, space, used };
        Self::try_open(folder, &StoreOptions::default(), Some(belonging))
    }

    fn try_open(folder: &Folder, options: &StoreOptions, given: Option<Belonging>) -> Result<Self, StoreError> {
        folder.check_not_emptied()?;
        let key = SecretKey::from_seed(folder.load_or_create_seed()?.as_bytes());
        let _unconverted = folder.lock_unconverted()?;
        let connection = ConnectionOptions { key: folder.unlocking().cloned(), ..options.connection.clone() };
        let options = StoreOptions { connection, passphrase: None, ..options.clone() };
        let path = folder.database();
        let belonging = match given {
            Some(belonging) => belonging,
            None => Belonging::settle(&path, &options, key.public())?,
        };
        let shared = Shared {
            key,
            space: belonging.space.clone(),
            clock: Arc::clone(&options.clock),
            randomness: Arc::clone(&options.randomness),
            payload_bytes_max: options.payload_bytes_max,
            entered: AtomicBool::new(false),
            found_log: Default::default(),
        };
        let writer = Writer::open(&path, FORMAT, &options.connection, shared, |connection, found| {
            schema::bring_up(connection, found)
        })?;
        let shared = Arc::clone(writer.shared());
        let readers = Readers::new(&path, FORMAT, options.connection.clone());
        // A look first: opening a store that needs nothing must not wait for those who write to it.
        let settled = match belonging.joins_again() {
            Some(_) => None,
            None => settled_mark(&*readers.get()?, &shared, &path)?,
        };
        let (mark, brought) = match settled {
            Some(mark) => (mark, 0),
            None => writer.run_here(|connection, turn| {
                let brought = enter(connection, turn, &belonging)?;
                if let Some(token) = &options.invite {
                    crate::peers::keep_peers(connection, &token.addresses)?;
                }
                settle_own_log(connection, turn, &path, &belonging)?;
                Ok((mark_of(connection)?, brought))
            })?,
        };
        shared.entered.store(true, Ordering::Release);
        let indexes = crate::indexes::Indexes::new(folder, mark);
        let store = Self {
            folder: folder.clone(),
            writer,
            readers,
            shared,
            options,
            indexes,
            searchers: Default::default(),
            uses: Default::default(),
            brought,
        };
        let found = store.read(|connection| store.tables(connection).own_head())?.map(|(_, head)| head.log);
        *store.shared.found_log.lock().unwrap_or_else(PoisonError::into_inner) = found;
        store.sweep()?;
        Ok(store)
    }

    /// The replica's public key.
    pub fn replica(&self) -> ReplicaKey {
        self.shared.key.public()
    }

    /// The space kept here.
    pub fn space(&self) -> &Space {
        &self.shared.space
    }

    /// How many memories came along when this opening founded or joined the space.
    pub fn brought(&self) -> usize {
        self.brought
    }

    /// Tells whether its files are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.folder.unlocking().is_some()
    }

    /// The folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn now_ms(&self) -> i64 {
        (self.shared.clock)() as i64
    }

    /// The head of the own log.
    pub fn head(&self) -> Result<Head, StoreError> {
        self.read(|connection| {
            let tables = crate::ledger::Tables { connection, space: self.shared.space.id() };
            let own = tables.own_head()?;
            own.map(|(_, head)| head).ok_or_else(|| crate::ledger::damaged("the store has no log of its own"))
        })
    }

    /// Reads, inside this thread's batch if it has one open.
    pub(crate) fn read<T>(&self, job: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let located = |error: StoreError| error.in_file(&self.folder.database());
        if self.writer.in_batch() {
            return self.writer.run_here(|connection, _| job(connection)).map_err(located);
        }
        let reader: ReadConnection = self.readers.get()?;
        job(&reader).map_err(located)
    }

    /// Remembers one memory, as durably as the options say. One with a known id is edited; when nothing would
    /// change, nothing is written.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with `not_allowed` when the id was forgotten or the content withdrawn, or with
    /// `too_large`; and those of [`Writer::run`].
    pub fn remember(&self, agent: &str, wanted: Remember) -> Result<MemoryRow, StoreError> {
        let agent = agent.to_owned();
        self.writer.run(move |connection, turn| remember_one(connection, turn, &agent, wanted))
    }

    /// Remembers many, all of them or none; says of each whether anything had to be written.
    ///
    /// # Errors
    /// As [`Store::remember`].
    pub fn remember_many(&self, agent: &str, wanted: Vec<Remember>) -> Result<Vec<(MemoryRow, bool)>, StoreError> {
        let agent = agent.to_owned();
        self.writer.run(move |connection, turn| {
            let mut remembered = Vec::with_capacity(wanted.len());
            for wanted in wanted {
                let before = turn.head().and_then(|head| head.last);
                let row = remember_one(connection, turn, &agent, wanted)?;
                remembered.push((row, turn.head().and_then(|head| head.last) != before));
            }
            Ok(remembered)
        })
    }

    /// Changes a memory.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; and as [`Store::remember`].
    pub fn update(&self, agent: &str, id: &str, edit: Edit) -> Result<MemoryRow, StoreError> {
        let (agent, id) = (agent.to_owned(), MemoryId::new(id)?);
        self.writer.run(move |connection, turn| {
            let now_ms = (turn.shared().clock)() as i64;
            let row = row::by_id(connection, id.as_str(), now_ms)?;
            let row = row.ok_or_else(|| StoreError::NotFound(format!("memory {id:?}", id = id.as_str())))?;
            edit_one(connection, turn, &agent, &id, row.number, edit)
        })
    }

    /// Forgets a memory everywhere: its words leave every file of the store before this returns.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; and those of [`Writer::run`].
    pub fn forget(&self, id: &str, reason: &str, withdraw: bool) -> Result<Forgotten, StoreError> {
        let (id, reason) = (MemoryId::new(id)?, reason.to_owned());
        if reason.len() > limits::NAME_BYTES_MAX {
            return Err(StoreError::Invalid("a reason has at most 1024 bytes".to_owned()));
        }
        let forgotten = self.writer.run(move |connection, turn| forget_one(connection, turn, id, reason, withdraw))?;
        if !self.writer.in_batch() {
            self.erase_derived()?;
        }
        Ok(forgotten)
    }

    /// Opens a transaction that this thread keeps until [`Store::commit_batch`].
    ///
    /// # Errors
    /// Those of [`Writer::begin_batch`].
    pub fn begin_batch(&self) -> Result<(), StoreError> {
        self.writer.begin_batch()
    }

    /// Ends the batch of this thread: on disk when this returns.
    ///
    /// # Errors
    /// Those of [`Writer::commit_batch`].
    pub fn commit_batch(&self) -> Result<(), StoreError> {
        self.writer.commit_batch()?;
        self.erase_derived()
    }

    /// Takes the batch of this thread back.
    ///
    /// # Errors
    /// Those of [`Writer::rollback_batch`].
    pub fn rollback_batch(&self) -> Result<(), StoreError> {
        self.writer.rollback_batch()
    }

    /// Ends what is past its time, lets waiting effects happen, and erases what still has to leave derived files.
    /// Returns how many operations lost their words.
    ///
    /// # Errors
    /// Those of [`Writer::run`].
    pub fn sweep(&self) -> Result<usize, StoreError> {
        let now_ms = self.now_ms();
        let due = self.read(|connection| {
            let sql = "SELECT EXISTS(SELECT 1 FROM operation WHERE expires_at <= ?1 AND payload IS NOT NULL)
                           OR EXISTS(SELECT 1 FROM memory WHERE expires_at <= ?1)
                           OR EXISTS(SELECT 1 FROM operation WHERE state = 5)";
            Ok(connection.prepare_cached(sql)?.query_row([now_ms], |row| row.get::<_, bool>(0))?)
        })?;
        let mut expired = 0;
        if due || self.read(is_any_kept)? {
            expired = self.writer.run(|connection, turn| {
                let views = turn.views(connection);
                views.release()?;
                views.drop_kept()?;
                views.expire()
            })?;
        }
        self.erase_derived()?;
        Ok(expired)
    }

    /// Makes every view again from the log, and the derived files from the views.
    ///
    /// # Errors
    /// Those of [`Writer::run`]; [`StoreError::Corrupt`] when the log itself is damaged.
    pub fn rebuild(&self) -> Result<(), StoreError> {
        self.writer.run(|connection, turn| turn.views(connection).rebuild())?;
        self.indexes.reset_text()?;
        self.erase_derived()
    }

    /// Closes the store. Closing twice is no error.
    ///
    /// # Errors
    /// Those of [`Writer::close`].
    pub fn close(&self) -> Result<(), StoreError> {
        let flushed = self.flush_uses();
        self.searchers.clear();
        self.indexes.close();
        self.readers.close();
        self.writer.close()?;
        match flushed {
            Err(StoreError::Closed) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The mark of a store in which nothing has to be written to open it: its space, its own log and this file are those
/// of before.
fn settled_mark(connection: &Connection, shared: &Shared, path: &Path) -> Result<Option<[u8; 16]>, StoreError> {
    let tables = crate::ledger::Tables { connection, space: shared.space.id() };
    let settled = schema::meta(connection, "space")?.as_ref() == Some(&shared.space.encode())
        && schema::meta(connection, "binding")?.as_ref() == Some(&binding(path)?)
        && tables.own_head()?.is_some_and(|(_, head)| head.facts.replica == shared.key.public());
    let mark = schema::meta(connection, "mark")?.filter(|_| settled);
    Ok(mark.and_then(|mark| mark.try_into().ok()))
}

/// Makes the store keep its space. Returns how many memories came along from another one.
fn enter(connection: &Connection, turn: &mut Turn, belonging: &Belonging) -> Result<usize, StoreError> {
    let kept = belonging::kept_by(connection)?;
    if kept.as_ref() == Some(&belonging.space) {
        return Ok(0);
    }
    if kept != belonging.kept {
        // Another process was first. What it made of the folder decides, so this opening begins anew.
        return Err(StoreError::Refused(MOVED, "another process made this store keep another space".to_owned()));
    }
    match kept {
        None => schema::set_meta(connection, "space", &belonging.space.encode()).map(|()| 0),
        Some(old) => belonging::move_into(connection, turn, &old, belonging.used.clone()),
    }
}

/// Random bytes that tell this store's derived files from another's.
fn mark_of(connection: &Connection) -> Result<[u8; 16], StoreError> {
    if let Some(mark) = schema::meta(connection, "mark")? {
        return mark.try_into().map_err(|_| crate::ledger::damaged("the store's mark has the wrong length"));
    }
    let mark = random()?;
    schema::set_meta(connection, "mark", &mark)?;
    Ok(mark)
}

/// Opens the own log, or a new epoch of it when this file is a copy: two stores that continue one log would fork it.
fn settle_own_log(
    connection: &Connection,
    turn: &mut Turn,
    path: &Path,
    belonging: &Belonging,
) -> Result<(), StoreError> {
    let bound = binding(path)?;
    let key = turn.shared().key.public();
    let continues = match turn.head() {
        None => false,
        Some(head) if head.facts.replica != key => {
            return Err(StoreError::Key("the key file belongs to another store".to_owned()));
        }
        Some(_) if belonging.joins_again().is_some() => true,
        // A log that forked is continued by nobody; see `Turn::say`.
        Some(_) => schema::meta(connection, "binding")?.as_ref() == Some(&bound),
    };
    if let Some(used) = belonging.joins_again().filter(|_| continues) {
        turn.join_again(connection, used)?;
        return schema::set_meta(connection, "binding", &bound);
    }
    if continues {
        return Ok(());
    }
    let accepted = match turn.head() {
        Some(_) => belonging::kept_grant(connection)?,
        None => belonging.used.clone(),
    };
    turn.open_epoch(connection, accepted)?;
    schema::set_meta(connection, "binding", &bound)
}

/// What tells this very file from a copy of it, as far as one machine can know.
fn binding(path: &Path) -> Result<Vec<u8>, StoreError> {
    let metadata = std::fs::metadata(path).map_err(|error| StoreError::io(path, error))?;
    #[cfg(unix)]
    let file = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let file =
        metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |at| at.as_nanos() as u64);
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    Ok(chrysalis_core::id::digest("chrysalis/binding/1", &[&machine, &file.to_be_bytes()])[..16].to_vec())
}
