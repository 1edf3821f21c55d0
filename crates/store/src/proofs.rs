//! What is proven here about others: logs that were forked.

use chrysalis_core::fork::{Branch, Proof};
use chrysalis_core::id::{Fingerprint, LogId, ReplicaKey};
use chrysalis_core::member::Role;
use chrysalis_core::operation::fingerprint;

use crate::error::StoreError;
use crate::ledger::damaged;
use crate::store::Store;

/// A log that was proven to fork.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proven {
    /// Whose log it is.
    pub replica: ReplicaKey,
    /// In which role it was written.
    pub role: Role,
    /// The log.
    pub log: LogId,
    /// The place of the fork: from here on nothing of the log counts.
    pub sequence: u64,
    /// The two operations that stand there, the smaller fingerprint first.
    pub operations: [Fingerprint; 2],
}

impl Store {
    /// Every proof of misbehaviour that is kept here, in the order in which the logs were met.
    ///
    /// # Errors
    /// Those of reading; [`StoreError::Corrupt`] for a proof that no longer holds.
    pub fn proven(&self) -> Result<Vec<Proven>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT proof FROM proof ORDER BY log")?;
            let proofs = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
            proofs.map(|bytes| proven_by(&bytes?)).collect()
        })
    }
}

fn proven_by(bytes: &[u8]) -> Result<Proven, StoreError> {
    let wrong = |refusal| damaged(format!("a proof: {refusal}"));
    let proof = Proof::decode(bytes).map_err(wrong)?;
    let cut = proof.verify().map_err(wrong)?;
    let operations = [first_of(&proof.left), first_of(&proof.right)];
    Ok(Proven { replica: proof.replica, role: proof.role, log: cut.log, sequence: cut.sequence, operations })
}

/// A branch that was verified has a first header.
fn first_of(branch: &Branch) -> Fingerprint {
    branch.headers.first().map_or(Fingerprint([0; Fingerprint::LENGTH]), |header| fingerprint(header))
}
