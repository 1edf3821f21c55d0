//! One write transaction's view of the own log: its head is read when the transaction begins and extended inside it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrysalis_core::admit::{Ledger as _, LogFacts};
use chrysalis_core::causality::LogNumber;
use chrysalis_core::id::{Epoch, LogId, MemoryId, Salt, SpaceId};
use chrysalis_core::limits;
use chrysalis_core::log::{Draft, Head};
use chrysalis_core::member::{Grant, Open, Role, Space};
use chrysalis_core::operation::Kind;
use chrysalis_core::payload::Payload;
use chrysalis_core::sign::SecretKey;
use rusqlite::Connection;

use crate::again::Lost;
use crate::error::StoreError;
use crate::ledger::Tables;
use crate::schema;
use crate::view::Views;
use crate::writer::TransactionState;

/// Where the present comes from, in ms since the Unix epoch: the system's clock, or a test's.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Where salts and epochs come from: the system's randomness, or a simulation's seed.
pub type Randomness = Arc<dyn Fn(&mut [u8]) -> Result<(), StoreError> + Send + Sync>;

/// What all transactions of a store share.
pub struct Shared {
    /// The replica's key.
    pub key: SecretKey,
    /// The space that is kept here.
    pub space: Space,
    /// The present.
    pub clock: Clock,
    /// Bytes that nobody can guess.
    pub randomness: Randomness,
    /// Bytes of payload that this replica allows itself.
    pub payload_bytes_max: usize,
    /// Whether the store has come to keep its space: until then a transaction may find another one.
    pub(crate) entered: AtomicBool,
    /// The own log as it was found when the store was opened, before this process said anything.
    pub found_log: Mutex<Option<LogId>>,
}

/// A grant, and when it was used, in ms since the Unix epoch.
#[derive(Clone, Debug)]
pub struct UsedGrant {
    /// What an administrator signed, countersigned for this replica.
    pub grant: Grant,
    /// The hybrid time of the opening that showed it first.
    pub at_ms: u64,
}

impl Shared {
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], StoreError> {
        let mut bytes = [0; N];
        (self.randomness)(&mut bytes)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Shared").field("space", &self.space).finish_non_exhaustive()
    }
}

/// The state of one write transaction.
#[derive(Debug)]
pub struct Turn {
    shared: Arc<Shared>,
    own: Option<(LogNumber, Head)>,
    /// Whether the own log has forked: what is said there has no effect any more.
    void: bool,
    /// How many operations of the own log others are said to have: more than there are here when this store is an old
    /// copy.
    ahead: u64,
    /// The space's id, which takes a digest to make.
    space: SpaceId,
    /// What became void of what this replica signed, and is to be said again.
    pub(crate) lost: Vec<Lost>,
    /// Memories that others have edited having seen what is void of this replica's own.
    pub(crate) saw_void: BTreeSet<MemoryId>,
}

/// Where `meta` keeps that others have more of a log of ours than we do: its id and their count.
const AHEAD: &str = "ahead";

impl TransactionState for Turn {
    type Shared = Shared;

    fn begin(shared: &Arc<Shared>, connection: &Connection) -> Result<Self, StoreError> {
        let kept = || crate::belonging::kept_by(connection);
        if shared.entered.load(Ordering::Acquire) && kept()?.is_some_and(|kept| kept != shared.space) {
            let what = "this store has joined another space meanwhile: open it again".to_owned();
            return Err(StoreError::Refused("wrong_space", what));
        }
        let mut turn = Self {
            shared: Arc::clone(shared),
            own: None,
            void: false,
            ahead: 0,
            space: shared.space.id(),
            lost: Vec::new(),
            saw_void: BTreeSet::new(),
        };
        turn.rollback_to_savepoint(connection)?;
        Ok(turn)
    }

    fn rollback_to_savepoint(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let tables = self.tables(connection);
        let own = tables.own_head()?;
        self.void = match &own {
            Some((_, head)) => tables.find_log(&head.log)?.is_some_and(|(_, _, cut)| cut.is_some()),
            None => false,
        };
        self.ahead = match &own {
            Some((_, head)) => ahead(connection, &head.log)?,
            None => 0,
        };
        self.own = own;
        Ok(())
    }

    fn committed(self) {}
}

impl Turn {
    /// What all transactions share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn tables<'a>(&self, connection: &'a Connection) -> Tables<'a> {
        Tables { connection, space: self.space }
    }

    /// The views at this moment.
    pub fn views<'a>(&'a self, connection: &'a Connection) -> Views<'a> {
        Views {
            tables: self.tables(connection),
            space: &self.shared.space,
            now_ms: (self.shared.clock)(),
            memo: Default::default(),
        }
    }

    /// Whether the own log has forked or its membership has ended.
    pub(crate) fn is_void(&self) -> bool {
        self.void
    }

    /// Reads the own log's head anew, after something may have changed what counts of it.
    pub(crate) fn read_head(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.rollback_to_savepoint(connection)
    }

    /// The own log's head.
    pub fn head(&self) -> Option<&Head> {
        self.own.as_ref().map(|(_, head)| head)
    }

    /// Makes an operation of the own log, stores it and lets it have its effect. Returns its position.
    pub fn say(
        &mut self,
        connection: &Connection,
        payload: Payload,
        expires_ms: Option<u64>,
    ) -> Result<i64, StoreError> {
        self.say_within(connection, payload, expires_ms, self.shared.payload_bytes_max)
    }

    /// As [`Turn::say`], within another bound than the one that this replica sets itself.
    pub(crate) fn say_within(
        &mut self,
        connection: &Connection,
        payload: Payload,
        expires_ms: Option<u64>,
        payload_bytes_max: usize,
    ) -> Result<i64, StoreError> {
        self.continue_log(connection)?;
        self.check_role(payload.kind())?;
        let draft = Draft { payload_bytes_max, ..self.draft(connection, payload, expires_ms)? };
        let shared = Arc::clone(&self.shared);
        let Some((_, head)) = &mut self.own else {
            return Err(StoreError::Internal("the own log is not open".to_owned()));
        };
        let verified = head.extend(&shared.key, draft)?;
        self.views(connection).take_in(&verified, true)
    }

    /// Whether the next word would stand where others have one of ours already: a fork. Once theirs has come it would
    /// not.
    fn is_behind(&self) -> bool {
        let next = self.head().and_then(|head| head.last).map_or(0, |last| last.sequence + 1);
        next < self.ahead
    }

    /// Notes that others have more of a log of ours than we do. Believed of a log that an earlier process wrote, since
    /// what this one says is here: a liar makes us open one epoch for each time that the store is opened.
    pub(crate) fn note_ahead(&mut self, connection: &Connection, log: &LogId, count: u64) -> Result<(), StoreError> {
        let found = *self.shared.found_log.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = self.head().is_some_and(|head| head.log == *log);
        if found != Some(*log) || !is_own || count <= self.ahead {
            return Ok(());
        }
        schema::set_meta(connection, AHEAD, &[log.as_bytes(), &count.to_be_bytes()].concat())?;
        self.ahead = count;
        Ok(())
    }

    fn draft(&self, connection: &Connection, payload: Payload, expires_ms: Option<u64>) -> Result<Draft, StoreError> {
        Ok(Draft {
            payload,
            salt: Salt(self.shared.random()?),
            now_ms: (self.shared.clock)(),
            expires_ms,
            dependencies: self.tables(connection).unseen_heads()?,
            payload_bytes_max: self.shared.payload_bytes_max,
        })
    }

    /// Sees to it that the own log can be continued: one that forked, or that others hold more of, is
    /// followed by a new epoch.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with `removed` when this replica's membership has ended, with `invitation_revoked` when
    /// the invitation by which it came does not hold.
    pub(crate) fn continue_log(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let removed = self.void && self.is_removed(connection)?;
        if !removed && (self.void || self.is_behind()) {
            let used = crate::belonging::kept_grant(connection)?;
            self.open_epoch(connection, used)?;
        }
        if removed {
            let what = "this replica was removed from the space: what it says counts nowhere any more".to_owned();
            return Err(StoreError::Refused("removed", what));
        }
        if self.void {
            let what = "the invitation by which this replica joined was taken back, and what it says counts nowhere: \
                        join again with a new one";
            return Err(StoreError::Refused("invitation_revoked", what.to_owned()));
        }
        Ok(())
    }

    fn is_removed(&self, connection: &Connection) -> Result<bool, StoreError> {
        self.views(connection).is_removed(&self.shared.key.public())
    }

    fn check_role(&self, kind: Kind) -> Result<(), StoreError> {
        let Some(role) = self.head().map(|head| head.facts.role) else { return Ok(()) };
        if role.may(kind) {
            return Ok(());
        }
        let what = format!("this replica is a {} of the space, and may not {}", role.name(), deed(kind));
        Err(StoreError::Refused("role_lacking", what))
    }

    /// Opens a new epoch of the own log; the one before stays, and is continued by nobody.
    ///
    /// An opening is dated when its grant was used. A later epoch shows the same grant and the same time: the
    /// invitation was used before it expired, and that has not changed. It depends on nothing: a newcomer, who has nothing
    /// yet, must be able to admit it at the door of a replica that was moved or restored. What comes next depends on all
    /// that came before.
    pub fn open_epoch(&mut self, connection: &Connection, used: Option<UsedGrant>) -> Result<(), StoreError> {
        connection.execute("DELETE FROM unseen", [])?;
        self.open(connection, used)?;
        note_all_unseen(connection)?;
        connection.execute("DELETE FROM unseen WHERE log = (SELECT number FROM log WHERE own = 1)", [])?;
        Ok(())
    }

    fn open(&mut self, connection: &Connection, used: Option<UsedGrant>) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let (replica, epoch) = (shared.key.public(), Epoch(shared.random()?));
        let at_ms = used.as_ref().map_or_else(|| (shared.clock)(), |used| used.at_ms);
        let grant = used.map(|used| used.grant);
        let open = Open { space: shared.space.clone(), replica, epoch, grant };
        let role = self.granted_role(connection, &open, at_ms)?;
        connection.execute("UPDATE log SET own = 0 WHERE own = 1", [])?;
        let id = open.log();
        let mut head = Head::unopened(id, LogFacts { replica, epoch, role });
        let draft = self.draft(connection, Payload::Open(Box::new(open)), None)?;
        let draft = Draft { payload_bytes_max: limits::PAYLOAD_BYTES_DEFAULT, now_ms: at_ms, ..draft };
        let verified = head.extend(&shared.key, draft)?;
        self.views(connection).take_in(&verified, true)?;
        // The head, and whether it is void, are read anew.
        self.rollback_to_savepoint(connection)
    }

    /// The role of a new log of one's own. Who joins by the invitation of an administrator who is not known here yet
    /// takes it at its word: every other replica judges it when the two meet.
    fn granted_role(&self, connection: &Connection, open: &Open, at_ms: u64) -> Result<Role, StoreError> {
        let issuer = open.grant.as_ref().and_then(|grant| grant.invitation.issuer);
        let Some(issuer) = issuer else { return Ok(open.role(at_ms, None)?) };
        let tables = self.tables(connection);
        let Some(known) = tables.known(&issuer)? else { return Ok(open.claimed_role()) };
        let facts = tables.log(&known.log)?.map(|facts| (facts.replica, facts.role));
        Ok(open.role(at_ms, facts)?)
    }
}

/// A new log has named nothing yet.
fn note_all_unseen(connection: &Connection) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO unseen SELECT log, max(sequence), position FROM operation GROUP BY log";
    Ok(connection.execute_batch(sql)?)
}

/// What an operation of this kind does, as a verb.
fn deed(kind: Kind) -> &'static str {
    match kind {
        Kind::Open => "open a log",
        Kind::Write => "write",
        Kind::Forget => "forget",
        Kind::Touch => "count uses",
        Kind::Attest => "vote",
        Kind::Remove => "remove members",
        Kind::Configure => "set its settings",
    }
}

/// How many operations of this log others are said to have.
fn ahead(connection: &Connection, log: &LogId) -> Result<u64, StoreError> {
    let noted = schema::meta(connection, AHEAD)?.unwrap_or_default();
    let count = noted.strip_prefix(log.as_bytes()).and_then(|count| count.try_into().ok());
    Ok(count.map_or(0, u64::from_be_bytes))
}

/// Bytes that nobody can guess.
///
/// # Errors
/// [`StoreError::Internal`] when the system has no randomness to give.
pub fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    system_randomness(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn system_randomness(bytes: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(bytes).map_err(|error| StoreError::Internal(format!("no randomness: {error}")))
}

impl From<chrysalis_core::Refusal> for StoreError {
    fn from(refusal: chrysalis_core::Refusal) -> Self {
        Self::Refused(refusal.code(), refusal.to_string())
    }
}
