//! Other replicas' operations enter here, by way of admission alone.
//!
//! When they show that the own log has forked (a restored backup, a copied machine), what both branches said since is
//! said again in a new epoch, before the fork makes it void: an accident loses nothing.

use chrysalis_core::Refusal;
use chrysalis_core::admit::{Admission, AdmitError, LogFacts, Missing, Verified, admit_body, admit_checked};
use chrysalis_core::fork::{Cut, Proof};
use chrysalis_core::member::log_id;
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::Payload;
use chrysalis_core::sign::Checked;
use rusqlite::Connection;

use crate::again::Lost;
use crate::error::StoreError;
use crate::joining_again::OwnCuts;
use crate::turn::Turn;
use crate::view::may_move_cuts;
use crate::writer::TransactionState as _;

/// Headers kept of the void branches of one log: what honest operations depend on is far less.
const VOID_HEADERS_MAX: i64 = 4_096;

/// Proofs kept about logs of which nothing is here: a space has far fewer logs that forked before anyone met them.
const IDLE_PROOFS_MAX: i64 = 4_096;

/// What became of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// Stored: so many new operations.
    Stored(usize),
    /// Another branch of a log: its proof is kept, and nothing of it counts.
    Forked,
    /// To be offered again when these have arrived.
    Waiting(Vec<Missing>),
    /// Unacceptable.
    Refused(Refusal),
}

/// Whether a proof was new, or why it proves nothing.
pub type Proven = Result<bool, Refusal>;

impl Turn {
    /// Admits a run of operations of one log and stores what is new, with its effects. Its seal proves the origin of
    /// all of it; signatures before the seal are kept unchecked, until `verify` looks at them.
    ///
    /// # Errors
    /// Faults of the disk; what is wrong with the bytes is [`Accepted::Refused`].
    pub fn accept(&mut self, connection: &Connection, segment: Vec<Operation>) -> Result<Accepted, StoreError> {
        self.begin_losing();
        let accepted = self.accept_checked(connection, segment, &Checked::default())?;
        self.say_lost(connection)?;
        Ok(accepted)
    }

    /// As [`Turn::accept`], where the seal may have been checked before, and what was lost is said again by the caller.
    pub(crate) fn accept_checked(
        &mut self,
        connection: &Connection,
        segment: Vec<Operation>,
        checked: &Checked,
    ) -> Result<Accepted, StoreError> {
        let words = self.missing_words(connection, &segment)?;
        self.take_signature(connection, &segment)?;
        let admission = admit_checked(&self.views(connection).tables, segment, checked);
        match admission {
            Err(AdmitError::Refused(refusal)) => Ok(Accepted::Refused(refusal)),
            Err(AdmitError::Fault(fault)) => Err(fault),
            Ok(Admission::Waiting(missing)) => Ok(Accepted::Waiting(missing)),
            Ok(Admission::Admitted(verified)) => {
                let judges = verified.iter().any(may_move_cuts);
                let before = if judges { self.own_cuts(connection)? } else { OwnCuts::new() };
                self.views(connection).take_in_run(&verified)?;
                if judges {
                    self.lose_uninvited(connection, &before)?;
                }
                self.note_who_saw_void(connection, &verified)?;
                for operation in words {
                    self.take_words(connection, operation)?;
                }
                let own = self.shared().key.public();
                if verified.first().is_some_and(|one| one.facts().replica == own) {
                    // After a restored backup others may know more of the own log than this store does.
                    self.rollback_to_savepoint(connection)?;
                }
                Ok(Accepted::Stored(verified.len()))
            }
            Ok(Admission::Forked { proof, void }) => {
                let proof = match proof.as_deref() {
                    Some(proof) => Some((proof, proof.verify()?)),
                    None => None,
                };
                self.take_fork(connection, proof, &void)?;
                Ok(Accepted::Forked)
            }
        }
    }

    /// Operations that are known here without the words that came now.
    fn missing_words(&self, connection: &Connection, segment: &[Operation]) -> Result<Vec<Operation>, StoreError> {
        let tables = self.views(connection).tables;
        let mut missing = Vec::new();
        for operation in segment {
            // Only a prefix can be known: what follows an unknown operation links back to it.
            let Some((_, position)) = tables.place(&operation.fingerprint())? else { break };
            if operation.body().is_some() && tables.lacks_words(position)? {
                missing.push(operation.clone());
            }
        }
        Ok(missing)
    }

    fn take_words(&self, connection: &Connection, operation: Operation) -> Result<(), StoreError> {
        let views = self.views(connection);
        match admit_body(&views.tables, operation) {
            Ok(Some(verified)) => views.take_words(&verified),
            Ok(None) | Err(AdmitError::Refused(_)) => Ok(()),
            Err(AdmitError::Fault(fault)) => Err(fault),
        }
    }

    /// Takes a proof of misbehaviour: the log is void from the fork on, in every branch. Says whether it was new, or why
    /// it is none.
    ///
    /// # Errors
    /// Faults of the disk.
    pub fn accept_proof(&mut self, connection: &Connection, proof: &Proof) -> Result<Proven, StoreError> {
        self.begin_losing();
        let proven = self.prove(connection, proof)?;
        self.say_lost(connection)?;
        Ok(proven)
    }

    /// As [`Turn::accept_proof`], where what was lost is said again by the caller.
    pub(crate) fn prove(&mut self, connection: &Connection, proof: &Proof) -> Result<Proven, StoreError> {
        if self.is_proven(connection, proof)? {
            return Ok(Ok(false));
        }
        let cut = match proof.verify() {
            Ok(cut) => cut,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if proof.space != self.shared().space.id() {
            return Ok(Err(Refusal::WrongSpace));
        }
        if !self.may_keep_proof(connection, &cut)? {
            return Ok(Ok(false));
        }
        self.take_fork(connection, Some((proof, cut)), &[])?;
        Ok(Ok(true))
    }

    /// Whether what a proof says is known here, as far or farther down: then it is not even checked. Checking takes a
    /// hundred times as long as looking, and the same proof can be sent again without end.
    fn is_proven(&self, connection: &Connection, proof: &Proof) -> Result<bool, StoreError> {
        let Some(place) = proof.claimed_place() else { return Ok(false) };
        let log = log_id(&proof.space, &proof.replica, &proof.epoch, proof.role);
        let sql = "SELECT 1 FROM proof WHERE log = (SELECT number FROM log WHERE id = ?1) AND sequence <= ?2";
        Ok(connection.prepare_cached(sql)?.exists((log.as_bytes(), place as i64))?)
    }

    /// Whether a proof may take room: one about a log that is here always, others while they are few. Anyone can make keys
    /// without end, and prove something of each.
    fn may_keep_proof(&self, connection: &Connection, cut: &Cut) -> Result<bool, StoreError> {
        let tables = self.views(connection).tables;
        if let Some((number, _, _)) = tables.find_log(&cut.log)?
            && tables.last(number)?.is_some()
        {
            return Ok(true);
        }
        let sql = "SELECT count(*) FROM log_state WHERE count = 0 AND proven IS NOT NULL";
        let count: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(count < IDLE_PROOFS_MAX)
    }

    /// Voids a forked log from the fork on. If it is the own one, notes what both branches said, to be said again.
    fn take_fork(
        &mut self,
        connection: &Connection,
        proof: Option<(&Proof, Cut)>,
        void: &[Verified],
    ) -> Result<(), StoreError> {
        let own = self.shared().key.public();
        let mut lost = Vec::new();
        for one in void.iter().filter(|one| one.facts().replica == own) {
            lost.extend(one.payload().map(|payload| Lost::of(one.operation(), payload.clone(), false)));
        }
        if let Some((proof, cut)) = proof {
            if proof.replica == own {
                lost.extend(self.said_since(connection, &cut)?);
            }
            self.void_from(connection, proof, cut)?;
        }
        self.keep_void(connection, void)?;
        self.lose(lost);
        Ok(())
    }

    /// What the own branch of a log said from a place on.
    pub(crate) fn said_since(&self, connection: &Connection, cut: &Cut) -> Result<Vec<Lost>, StoreError> {
        let tables = self.views(connection).tables;
        let Some((number, _, _)) = tables.find_log(&cut.log)? else { return Ok(Vec::new()) };
        let sql = "SELECT position FROM operation WHERE log = ?1 AND sequence >= ?2 AND payload IS NOT NULL";
        let mut statement = connection.prepare_cached(sql)?;
        let positions = statement.query_map((number, cut.sequence as i64), |row| row.get(0))?;
        let mut said = Vec::new();
        for position in positions.collect::<Result<Vec<i64>, _>>()? {
            let Some(stored) = tables.at(position)? else { continue };
            let Some(body) = stored.operation.body() else { continue };
            let payload = Payload::decode(stored.operation.header().kind, &body.payload).ok();
            said.extend(payload.map(|payload| Lost::of(&stored.operation, payload, true)));
        }
        Ok(said)
    }

    fn void_from(&mut self, connection: &Connection, proof: &Proof, cut: Cut) -> Result<(), StoreError> {
        let views = self.views(connection);
        let facts = LogFacts { replica: proof.replica, epoch: proof.epoch, role: proof.role };
        let number = match views.tables.find_log(&cut.log)? {
            Some((number, _, _)) => number,
            None => {
                let id = log_id(&proof.space, &proof.replica, &proof.epoch, proof.role);
                views.tables.insert_log(&id, &facts, false)?
            }
        };
        connection.execute(
            "INSERT INTO proof VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE
                 SET sequence = excluded.sequence, proof = excluded.proof WHERE excluded.sequence < proof.sequence",
            (number, cut.sequence as i64, proof.encode()),
        )?;
        // Its own words a store says again at once; those of others it keeps for them.
        let keeping = proof.replica != self.shared().key.public();
        views.cut(&cut.log, cut.sequence, keeping)?;
        // A removal may have voided it from further down before.
        views.tables.note_cut(&cut.log)?;
        drop(views);
        // The own log may be the one: the next word opens a new epoch.
        self.rollback_to_savepoint(connection)
    }

    fn keep_void(&self, connection: &Connection, void: &[Verified]) -> Result<(), StoreError> {
        let tables = self.views(connection).tables;
        for one in void {
            let operation = one.operation();
            let header = operation.header();
            let Some((log, _, _)) = tables.find_log(&header.log)? else { continue };
            connection.execute(
                "INSERT OR IGNORE INTO void_header SELECT ?1, ?2, ?3, ?4, ?5, ?6
                     WHERE (SELECT count(*) FROM void_header WHERE log = ?2) < ?7",
                (
                    operation.fingerprint().as_bytes(),
                    log,
                    header.sequence as i64,
                    header.lamport as i64,
                    operation.header_bytes(),
                    operation.signature().as_bytes(),
                    VOID_HEADERS_MAX,
                ),
            )?;
        }
        Ok(())
    }
}
