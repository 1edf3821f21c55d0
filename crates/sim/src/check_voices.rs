//! Whose voice counts: of members who came or went, and in votes.

use chrysalis_core::id::ReplicaKey;
use chrysalis_store::Ballots;

use crate::deed::{Given, Promise};
use crate::failure::{Failure, Found};
use crate::machine::Owner;
use crate::run::{BALLOT, HONEST, Run};
use crate::stored::Stored;

/// What somebody said whose membership had ended is read nowhere, and all know whose membership has.
pub(crate) fn members(run: &Run) -> Found {
    let mut found = Vec::new();
    for (number, _, replica) in run.judged() {
        let Some(stored) = replica.stored() else { continue };
        let members = stored.store.members()?;
        let ended = |key: &ReplicaKey| members.iter().any(|member| member.replica == *key && member.is_removed);
        let readable = replica.tags()?;
        for (key, id) in run.unheard.iter().filter(|(key, _)| ended(key)) {
            if readable.contains_key(id) {
                found.push(format!("machine {number} reads {id}, which {key:?} said when it was a member no more"));
            }
        }
    }
    Ok(found)
}

/// All count the same votes, every honest vote among them, and liars move no figure out of the honest range.
pub(crate) fn votes(run: &Run) -> Found {
    let mut found = Vec::new();
    let stores: Vec<(usize, &Stored)> =
        run.judged().into_iter().filter_map(|(number, _, one)| Some((number, one.stored()?))).collect();
    let Some((first, reference)) = stores.first() else { return Ok(found) };
    for made in run.made.iter().map(|made| made.id.as_str()) {
        let Some(expected) = ballots(reference, made)? else { continue };
        for (number, stored) in &stores[1..] {
            if ballots(stored, made)?.as_ref() != Some(&expected) {
                found.push(format!("machines {first} and {number} count other votes on {made}"));
            }
        }
        found.extend(uncounted(run, made, &expected));
    }
    if run.plan.votes {
        found.extend(swayed(run, *first, reference)?);
    }
    Ok(found)
}

fn ballots(stored: &Stored, id: &str) -> Result<Option<Ballots>, Failure> {
    match stored.store.ballots(id) {
        Ok(ballots) => Ok(Some(ballots)),
        Err(error) if error.code() == "not_found" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Promised votes that do not count.
fn uncounted(run: &Run, id: &str, ballots: &Ballots) -> Vec<String> {
    let machines = &run.cluster.world.machines;
    // Whoever is removed votes no more, also where its words stay.
    let voted = |given: &&Given| {
        !machines[given.by].removed && matches!(&given.promise, Promise::Voted { id: voted } if voted == id)
    };
    let counted = |given: &Given| {
        let key = machines[given.by].identity.key();
        ballots.votes.iter().any(|ballot| ballot.voter == key)
    };
    let lost = run.promises.iter().filter(voted).filter(|given| !counted(given));
    lost.map(|given| format!("the vote of machine {} on {id} does not count", given.by)).collect()
}

/// What a robust space reads, where fewer than a third of its validators lie.
fn swayed(run: &Run, number: usize, stored: &Stored) -> Found {
    let Some(Ballots { votes, validators }) = ballots(stored, BALLOT)? else {
        return Ok(vec![format!("machine {number} lost what all voted on")]);
    };
    let trimmed = validators.len().saturating_sub(1) / 3;
    let hostile = run.cluster.world.machines.iter().filter(|one| one.owner == Owner::Hostile && !one.removed);
    let mut liars: Vec<ReplicaKey> = hostile.map(|machine| machine.identity.key()).collect();
    liars.sort_unstable();
    liars.dedup();
    let honest = votes.iter().filter(|vote| !liars.contains(&vote.voter)).count();
    if liars.len() > trimmed || honest <= 2 * trimmed {
        return Ok(Vec::new());
    }
    let mut voted: Vec<u16> = votes.iter().map(|vote| vote.confidence).collect();
    voted.sort_unstable();
    let middle = &voted[trimmed..voted.len() - trimmed];
    let read = stored.store.get(BALLOT)?.map_or(0, |row| row.confidence);
    let is_honest = |value: u16| (HONEST.0..=HONEST.1).contains(&value);
    let mut found = Vec::new();
    if !middle.iter().copied().all(is_honest) {
        found.push(format!("the trimmed votes are {middle:?}, and the honest ones lie in {HONEST:?}"));
    }
    if !is_honest(read) {
        found.push(format!("the robust confidence reads {read}, and the honest ones lie in {HONEST:?}"));
    }
    Ok(found)
}
