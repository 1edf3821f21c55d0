//! What must hold once the faults have stopped. Each finding is a sentence that says what does not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrysalis_core::id::{Fingerprint, LogId, ReplicaKey};
use chrysalis_core::sync::replica::{LogState, Replica as _};

use crate::check_voices::{members, votes};
use crate::deed::{Given, Promise};
use crate::difference::difference;
use crate::failure::{Failure, Found};
use crate::machine::Owner;
use crate::replica::SimReplica;
use crate::run::Run;

/// Bytes that a stranger may be told: hellos and partings, whatever it tries.
const STRANGER_FRAME_BYTES_MAX: usize = 512;

/// Findings of one kind that are listed: one is enough to look into.
const LISTED_MAX: usize = 5;

/// Everything that does not hold.
///
/// # Errors
/// Faults of a store.
pub fn check(run: &Run) -> Found {
    let mut found = Vec::new();
    for check in [
        convergence,
        surprises,
        same_memories,
        guilt,
        proofs,
        promises,
        members,
        votes,
        erasure,
        bounds,
        strangers,
        rebuilding,
    ] {
        let mut more = check(run)?;
        let listed = more.len().min(LISTED_MAX);
        if more.len() > listed {
            more[listed - 1] = format!("and {} more like this", more.len() - listed + 1);
        }
        found.extend(more.into_iter().take(LISTED_MAX));
    }
    Ok(found)
}

fn convergence(run: &Run) -> Found {
    if run.agreed_ms.is_some() {
        return Ok(Vec::new());
    }
    let mut found = vec!["the honest replicas have not come to agree".to_owned()];
    let mut all: BTreeMap<LogId, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for (number, _, replica) in run.judged() {
        for state in replica.true_states()? {
            all.entry(state.log).or_default().entry(shown(&state)).or_default().push(number);
        }
    }
    let count = run.judged().len();
    for (log, states) in all {
        let whole = states.len() == 1 && states.values().all(|machines| machines.len() == count);
        if !whole {
            found.push(format!("log {log:?} of {}: {states:?}", owner_of(run, &log)?));
        }
    }
    Ok(found)
}

fn shown(state: &LogState) -> String {
    format!("{} operations, tip {:02x}{:02x}, cut {:?}", state.count, state.tip.0[0], state.tip.0[1], state.cut)
}

fn owner_of(run: &Run, log: &LogId) -> Result<String, Failure> {
    for (number, machine) in run.cluster.world.machines.iter().enumerate() {
        let Some(running) = &machine.running else { continue };
        if running.replica.opening()?.is_some_and(|opening| opening.header().log == *log) {
            return Ok(format!("machine {number} ({:?})", machine.owner));
        }
    }
    Ok("an epoch that is over, or nobody".to_owned())
}

/// Nothing failed that was not made to fail.
fn surprises(run: &Run) -> Found {
    Ok(run.cluster.world.seen.surprises.iter().map(|what| format!("a fault that nobody planned: {what}")).collect())
}

/// The same operations read the same everywhere.
fn same_memories(run: &Run) -> Found {
    let mut found = Vec::new();
    let (mut digest, mut documents) = (None, None);
    for (number, _, replica) in run.judged() {
        if let Some(stored) = replica.stored() {
            let own = stored.store.logical_digest()?;
            match digest {
                None => digest = Some((number, own)),
                Some((_, first)) if first == own => {}
                Some((first, _)) => {
                    let folders = [first, number].map(|machine| &run.cluster.world.machines[machine].folder);
                    let told = difference(folders[0], folders[1])?.join("; ");
                    found.push(format!("the stores of machines {first} and {number} read differently: {told}"));
                }
            }
        } else if let Some(memory) = replica.memory() {
            let own = run.documents(memory, replica.planted);
            match &documents {
                None => documents = Some((number, own)),
                Some((_, first)) if *first == own => {}
                Some((first, _)) => found.push(format!("the memories of machines {first} and {number} differ")),
            }
        }
    }
    Ok(found)
}

/// No honest member is proven guilty, but by its own accident.
fn guilt(run: &Run) -> Found {
    let mut guilty: BTreeSet<ReplicaKey> = BTreeSet::new();
    for (_, _, replica) in run.judged() {
        let cut: Vec<LogId> =
            replica.true_states()?.iter().filter(|one| one.cut.is_some()).map(|one| one.log).collect();
        guilty.extend(replica.proofs(&cut)?.iter().map(|proof| proof.replica));
    }
    let machines = run.cluster.world.machines.iter().enumerate();
    let innocent = machines.filter(|(_, machine)| machine.owner == Owner::Honest && !machine.accident);
    let accused = innocent.filter(|(_, machine)| guilty.contains(&machine.identity.key()));
    Ok(accused.map(|(number, _)| format!("machine {number} is honest and was proven guilty")).collect())
}

/// Whatever two honest replicas saw differ is proven to all.
fn proofs(run: &Run) -> Found {
    let mut lowest: BTreeMap<LogId, u64> = BTreeMap::new();
    for ((log, place), signed) in run.signed.iter().filter(|(_, signed)| signed.len() > 1) {
        let wanted: Vec<Fingerprint> = signed.iter().copied().collect();
        let mut seen: BTreeSet<Fingerprint> = BTreeSet::new();
        for (_, _, replica) in run.judged() {
            seen.extend(replica.find(&wanted)?.iter().map(|operation| operation.fingerprint()));
        }
        if seen.len() > 1 {
            let least = lowest.entry(*log).or_insert(*place);
            *least = (*least).min(*place);
        }
    }
    let mut found = Vec::new();
    for (log, place) in lowest {
        for (number, _, replica) in run.judged() {
            let cut = replica.state(&log)?.and_then(|state| state.cut);
            if cut.is_none_or(|cut| cut > place) {
                found.push(format!(
                    "log {log:?} was forked at {place} before honest eyes; machine {number} has cut {cut:?}"
                ));
            }
        }
    }
    Ok(found)
}

/// Nothing that was acknowledged is lost, and what was forgotten is not read.
pub(crate) fn promises(run: &Run) -> Found {
    let mut found = Vec::new();
    for (number, _, replica) in run.judged() {
        let tags = replica.tags()?;
        for Given { by, promise, .. } in binding(run) {
            let gone = run.gone.contains_key(promise.id());
            let broken = match promise {
                Promise::Lives { id } => !gone && !tags.contains_key(id),
                Promise::Tagged { id, tag } => !gone && !tags.get(id).is_some_and(|tags| tags.contains(tag)),
                Promise::Gone { id } => replica.stored().is_some() && tags.contains_key(id),
                Promise::Voted { .. } => false,
            };
            if broken {
                found.push(format!("machine {number} breaks the promise that machine {by} made: {promise:?}"));
            }
        }
    }
    Ok(found)
}

/// What holds at the end: not what somebody promised whose membership had ended, or had never begun, because who let
/// him in was a member no more.
fn binding(run: &Run) -> impl Iterator<Item = &Given> {
    let machines = &run.cluster.world.machines;
    run.promises.iter().filter(|given| given.outlasts || !machines[given.by].removed)
}

/// What was forgotten, faded, or said in a void branch stands in no file.
fn erasure(run: &Run) -> Found {
    let mut found = Vec::new();
    let is_forgotten = |id: &String| binding(run).any(|given| given.promise == Promise::Gone { id: id.clone() });
    let ended = run.gone.iter().filter(|(id, forgotten)| forgotten.is_none() || is_forgotten(id));
    let wanted: Vec<String> = ended.map(|(id, _)| format!("zq{id}q")).collect();
    for (number, machine, replica) in run.judged() {
        if replica.stored().is_none() {
            continue;
        }
        let mut void = wanted.clone();
        void.extend(void_words(run, replica)?);
        for (file, word) in remains(&machine.folder, &void)? {
            found.push(format!("{file} of machine {number} still holds {word}"));
        }
    }
    Ok(found)
}

/// The words that hostile members said in what is void now. Words said twice, in two branches, are left out.
fn void_words(run: &Run, replica: &SimReplica) -> Result<Vec<String>, Failure> {
    let cuts: BTreeMap<LogId, u64> =
        replica.true_states()?.iter().filter_map(|state| Some((state.log, state.cut?))).collect();
    let void = run.hostile_words.iter().filter(|(log, place, _)| cuts.get(log).is_some_and(|cut| place >= cut));
    Ok(void.map(|(_, _, words)| words.clone()).collect())
}

/// Which of these words stand in which file of a folder.
fn remains(folder: &Path, words: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    if words.is_empty() {
        return Ok(found);
    }
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        let bytes = std::fs::read(file.path())?;
        let first: BTreeSet<u8> = words.iter().filter_map(|word| word.bytes().next()).collect();
        let starts: Vec<usize> = (0..bytes.len()).filter(|at| first.contains(&bytes[*at])).collect();
        for word in words {
            if starts.iter().any(|at| bytes[*at..].starts_with(word.as_bytes())) {
                found.push((file.file_name().to_string_lossy().into_owned(), word.clone()));
            }
        }
    }
    Ok(found)
}

/// Nobody made a node grow beyond its bounds.
fn bounds(run: &Run) -> Found {
    let (seen, config) = (&run.cluster.world.seen, &run.cluster.world.machines[0].config);
    let mut found = Vec::new();
    for (what, value, max) in [
        ("bytes in the inbox", seen.inbox_bytes_max, config.inbox_bytes_max),
        ("bytes of waiting offers", seen.waiting_bytes_max, config.waiting_bytes_max),
        ("links", seen.links_max, config.links_max),
        ("unfinished handshakes", seen.handshaking_max, config.handshakes_max),
    ] {
        if value > max {
            found.push(format!("a node had {value} {what}, and {max} is the most"));
        }
    }
    Ok(found)
}

/// Whoever is no member learns nothing.
fn strangers(run: &Run) -> Found {
    let mut found = Vec::new();
    let seen = &run.cluster.world.seen;
    if seen.strangers_ready > 0 {
        found.push(format!("{} handshakes with strangers succeeded", seen.strangers_ready));
    }
    let told = seen.told_strangers.iter().filter(|frame| frame.len() > STRANGER_FRAME_BYTES_MAX).count();
    if told > 0 {
        found.push(format!("strangers were sent {told} frames of more than {STRANGER_FRAME_BYTES_MAX} bytes"));
    }
    for (number, machine) in run.cluster.world.machines.iter().enumerate() {
        let Some(running) = machine.running.as_ref().filter(|_| machine.owner == Owner::Stranger) else { continue };
        for honest in run.cluster.world.machines.iter().filter(|machine| machine.owner == Owner::Honest) {
            if running.replica.role_of(&honest.identity.key())?.is_some() {
                found.push(format!("machine {number} is a stranger and holds operations of {}", honest.address));
            }
        }
    }
    Ok(found)
}

/// A store that makes its views again reads as before, and every byte of it holds.
fn rebuilding(run: &Run) -> Found {
    let stores: Vec<_> =
        run.judged().into_iter().filter_map(|(number, _, one)| Some((number, one.stored()?))).collect();
    let mut found = Vec::new();
    // One, by the seed: all of them hold the same.
    let Some((number, stored)) = stores.get(run.cluster.world.trace() as usize % stores.len().max(1)) else {
        return Ok(found);
    };
    let before = stored.store.logical_digest()?;
    // A signature inside a run that does not hold blames nobody: whoever carried it damaged it, and the seal stands.
    let problems = stored.store.verify(None, |_, _| ())?.problems;
    for problem in problems.into_iter().filter(|problem| problem.code != "bad_inner_signature") {
        found.push(format!("the store of machine {number} does not verify: {problem:?}"));
    }
    stored.store.rebuild()?;
    if stored.store.logical_digest()? != before {
        found.push(format!("the store of machine {number} reads differently when it is rebuilt"));
    }
    Ok(found)
}
