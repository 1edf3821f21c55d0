//! One write transaction's view of the own log: its head is read when the transaction begins and extended inside it.

use std::fmt;
use std::sync::Arc;

use chrysalis_core::admit::LogFacts;
use chrysalis_core::causality::LogNumber;
use chrysalis_core::id::{Epoch, Salt};
use chrysalis_core::limits;
use chrysalis_core::log::{Draft, Head};
use chrysalis_core::member::{Grant, Open, Space};
use chrysalis_core::payload::Payload;
use chrysalis_core::sign::SecretKey;
use rusqlite::Connection;

use crate::error::StoreError;
use crate::ledger::Tables;
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
}

impl Shared {
    fn random<const N: usize>(&self) -> Result<[u8; N], StoreError> {
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
}

impl TransactionState for Turn {
    type Shared = Shared;

    fn begin(shared: &Arc<Shared>, connection: &Connection) -> Result<Self, StoreError> {
        let mut turn = Self { shared: Arc::clone(shared), own: None, void: false };
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
        Tables { connection, space: self.shared.space.id() }
    }

    /// The views at this moment.
    pub fn views<'a>(&'a self, connection: &'a Connection) -> Views<'a> {
        Views {
            tables: self.tables(connection),
            space: &self.shared.space,
            now_ms: (self.shared.clock)(),
            fresh: Default::default(),
        }
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
        if self.void {
            self.open_epoch(connection, None)?;
        }
        let draft = self.draft(connection, payload, expires_ms)?;
        let shared = Arc::clone(&self.shared);
        let Some((_, head)) = &mut self.own else {
            return Err(StoreError::Internal("the own log is not open".to_owned()));
        };
        let verified = head.extend(&shared.key, draft)?;
        self.views(connection).take_in(&verified, true)
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

    /// Opens a new epoch of the own log; the one before stays, and is continued by nobody.
    pub fn open_epoch(&mut self, connection: &Connection, grant: Option<Grant>) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let (replica, epoch) = (shared.key.public(), Epoch(shared.random()?));
        let open = Open { space: shared.space.clone(), replica, epoch, grant };
        let now_ms = (shared.clock)();
        let role = open.role(now_ms, None)?;
        connection.execute("UPDATE log SET own = 0 WHERE own = 1", [])?;
        connection.execute_batch(
            "INSERT OR REPLACE INTO unseen
                 SELECT log, max(sequence), position FROM operation GROUP BY log",
        )?;
        let id = open.log();
        let mut head = Head::unopened(id, LogFacts { replica, epoch, role });
        let draft = self.draft(connection, Payload::Open(Box::new(open)), None)?;
        let draft = Draft { payload_bytes_max: limits::PAYLOAD_BYTES_DEFAULT, ..draft };
        let verified = head.extend(&shared.key, draft)?;
        self.views(connection).take_in(&verified, true)?;
        // The head, and whether it is void, are read anew.
        self.rollback_to_savepoint(connection)
    }
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
