//! Taking in what one step of a node wants kept: one transaction, on disk when it returns.

use chrysalis_core::fork::Proof;
use chrysalis_core::sign::Checked;
use chrysalis_core::sync::replica::{Intake, Offer, Outcome};
use rusqlite::Connection;

use super::progress;
use crate::accept::Accepted;
use crate::error::StoreError;
use crate::store::Store;
use crate::turn::Turn;

impl Store {
    pub(super) fn take_intake(&self, intake: Intake) -> Result<Vec<Outcome>, StoreError> {
        if self.writer.in_batch() {
            return Err(StoreError::Invalid(
                "a batch takes in nothing from elsewhere until it is committed".to_owned(),
            ));
        }
        let checked = self.check_seals(&intake.offers)?;
        let outcomes = self.writer.run(move |connection, turn| take(connection, turn, intake, &checked))?;
        self.erase_derived()?;
        Ok(outcomes)
    }
}

fn take(
    connection: &Connection,
    turn: &mut Turn,
    intake: Intake,
    checked: &Checked,
) -> Result<Vec<Outcome>, StoreError> {
    turn.begin_losing();
    let mut outcomes = Vec::with_capacity(intake.offers.len());
    for (_, offer) in intake.offers {
        outcomes.push(match offer {
            Offer::Segment(segment) => outcome(turn.accept_checked(connection, segment, checked)?),
            Offer::Proof(proof) => take_proof(connection, turn, &proof)?,
        });
    }
    turn.say_lost(connection)?;
    let now_ms = (turn.shared().clock)() as i64;
    for (peer, log, count) in intake.acknowledged {
        progress::acknowledge(connection, turn, &peer, &log, count, now_ms)?;
    }
    for (peer, position) in intake.agreed {
        progress::agree(connection, &peer, position, now_ms)?;
    }
    progress::forget_oldest(connection)?;
    Ok(outcomes)
}

fn outcome(accepted: Accepted) -> Outcome {
    match accepted {
        Accepted::Stored(count) => Outcome::Stored(count),
        Accepted::Forked => Outcome::Forked,
        Accepted::Waiting(missing) => Outcome::Waiting(missing),
        Accepted::Refused(refusal) => Outcome::Refused(refusal),
    }
}

fn take_proof(connection: &Connection, turn: &mut Turn, proof: &Proof) -> Result<Outcome, StoreError> {
    Ok(match turn.prove(connection, proof)? {
        Ok(true) => Outcome::Stored(1),
        Ok(false) => Outcome::Stored(0),
        Err(refusal) => Outcome::Refused(refusal),
    })
}
