//! Other replicas' operations enter here, by way of admission alone.

use chrysalis_core::Refusal;
use chrysalis_core::admit::{Admission, AdmitError, LogFacts, Missing, Verified, admit_body, admit_segment};
use chrysalis_core::fork::Proof;
use chrysalis_core::member::log_id;
use chrysalis_core::operation::Operation;
use rusqlite::Connection;

use crate::error::StoreError;
use crate::ledger::State;
use crate::turn::Turn;

/// Headers kept of the void branches of one log: what honest operations depend on is far less.
const VOID_HEADERS_MAX: i64 = 4_096;

/// What became of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// Stored: so many new operations.
    Stored(usize),
    /// To be offered again when these have arrived.
    Waiting(Vec<Missing>),
    /// Unacceptable.
    Refused(Refusal),
}

impl Turn {
    /// Admits a run of operations of one log and stores what is new, with its effects.
    ///
    /// # Errors
    /// Faults of the disk; what is wrong with the bytes is [`Accepted::Refused`].
    pub fn accept(&self, connection: &Connection, segment: Vec<Operation>) -> Result<Accepted, StoreError> {
        let views = self.views(connection);
        let words = self.missing_words(connection, &segment)?;
        match admit_segment(&views.tables, segment) {
            Err(AdmitError::Refused(refusal)) => Ok(Accepted::Refused(refusal)),
            Err(AdmitError::Fault(fault)) => Err(fault),
            Ok(Admission::Waiting(missing)) => Ok(Accepted::Waiting(missing)),
            Ok(Admission::Admitted(verified)) => {
                for one in &verified {
                    views.take_in(one, false)?;
                }
                for operation in words {
                    self.take_words(connection, operation)?;
                }
                Ok(Accepted::Stored(verified.len()))
            }
            Ok(Admission::Forked { proof, void }) => {
                if let Some(proof) = proof {
                    self.accept_proof(connection, &proof)?;
                }
                self.keep_void(connection, &void)?;
                Ok(Accepted::Stored(0))
            }
        }
    }

    /// Operations that are known here without the words that came now.
    fn missing_words(&self, connection: &Connection, segment: &[Operation]) -> Result<Vec<Operation>, StoreError> {
        let tables = self.views(connection).tables;
        let mut missing = Vec::new();
        for operation in segment.iter().filter(|operation| operation.body().is_some()) {
            let stored = tables.stored(&operation.fingerprint())?;
            if stored.is_some_and(|stored| stored.state == State::Absent) {
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

    /// Takes a proof of misbehaviour: the log is void from the fork on, in every branch.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the proof does not hold or is about another space; faults of the disk.
    pub fn accept_proof(&self, connection: &Connection, proof: &Proof) -> Result<(), StoreError> {
        let cut = proof.verify()?;
        let views = self.views(connection);
        if proof.space != views.tables.space {
            return Err(Refusal::WrongSpace.into());
        }
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
        views.cut(&cut.log, cut.sequence)
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
