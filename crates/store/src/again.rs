//! Saying again, in a new epoch, what this replica signed in a branch that became void.
//!
//! A change that is said again names its original among what it replaces. So everyone sees that it was said, it is not
//! said twice, not by a clone with the same key either, and those who kept the original may let it go. An edit that
//! saw the original had the last word, and keeps it, or gets it back when it comes later. One that did not see it and is newer stays the winner, and what is
//! said again is shown beside it as a conflict: whoever brings an old branch late changes nothing that is newer.

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::admit::{Ledger as _, Verified};
use chrysalis_core::id::{Fingerprint, MemoryId, ReplicaKey};
use chrysalis_core::limits;
use chrysalis_core::merge::Document;
use chrysalis_core::operation::{Kind, Operation};
use chrysalis_core::payload::{Attest, Change, Configure, Field, Forget, Payload, Remove, Score, Write};
use rusqlite::Connection;

use crate::error::StoreError;
use crate::ledger::State;
use crate::turn::Turn;

/// The order among concurrent operations: Lamport time, then fingerprint.
type Order = (u64, Fingerprint);

/// What this replica's key signed and what became void.
#[derive(Debug)]
pub(crate) struct Lost {
    order: Order,
    expires_ms: Option<u64>,
    payload: Payload,
    /// Whether it stood in the branch that was written here. Another's may be that of a clone, which says it itself.
    here: bool,
}

impl Lost {
    pub(crate) fn of(operation: &Operation, payload: Payload, here: bool) -> Self {
        let header = operation.header();
        let order = (header.lamport, operation.fingerprint());
        Self { order, expires_ms: header.expires_ms, payload, here }
    }
}

/// What holds one value of a memory that an edit can name and replace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    Register(Field),
    Metadata(String),
    Tag(String),
}

/// The place of a change, and what it names there.
fn names(change: &Change) -> Option<(Place, &[Fingerprint])> {
    match change {
        Change::Register { field, replaces, .. } => Some((Place::Register(*field), replaces)),
        Change::Metadata { key, replaces, .. } => Some((Place::Metadata(key.clone()), replaces)),
        Change::RemoveTag { tag, adds } => Some((Place::Tag(tag.clone()), adds)),
        _ => None,
    }
}

/// The same change, naming this.
fn with_names(mut change: Change, named: Vec<Fingerprint>) -> Change {
    match &mut change {
        Change::Register { replaces, .. } | Change::Metadata { replaces, .. } => *replaces = named,
        Change::RemoveTag { adds, .. } => *adds = named,
        _ => {}
    }
    change
}

fn same_value(one: &Change, other: &Change) -> bool {
    match (one, other) {
        (Change::Register { value, .. }, Change::Register { value: other, .. }) => value == other,
        (Change::Metadata { value, .. }, Change::Metadata { value: other, .. }) => value == other,
        _ => false,
    }
}

/// A memory as it was before anything was said again, and what was said of it since.
#[derive(Default, Debug)]
struct Before {
    /// What an edit that counts has replaced, or one that is lost too and that such an edit has replaced.
    replaced: BTreeSet<(Place, Fingerprint)>,
    /// By what an original was said again.
    again: BTreeMap<(Place, Fingerprint), Vec<Fingerprint>>,
    /// The part of it that others have replaced: they saw it.
    seen: BTreeSet<(Place, Fingerprint)>,
    /// The values that nothing has replaced.
    standing: BTreeMap<Place, Vec<Standing>>,
    /// The newest own scores, and the newest own vote.
    rates: BTreeMap<Score, Order>,
    vote: Option<(Order, Attest)>,
    /// The latest original that was said again, what it says, and all that was named with it.
    said: BTreeMap<Place, (Order, Change, BTreeSet<Fingerprint>)>,
}

/// A value that nothing has replaced.
#[derive(Debug)]
struct Standing {
    /// By which it is shown.
    shown: Order,
    /// The original, if it was said again.
    first: Order,
    change: Change,
    agent: String,
}

/// A write or a vote that counts.
struct Live {
    order: Order,
    author: ReplicaKey,
    payload: Payload,
}

impl Before {
    fn read(turn: &Turn, connection: &Connection, id: &MemoryId) -> Result<Self, StoreError> {
        let (mut before, own) = (Self::default(), turn.shared().key.public());
        let live = live_of(turn, connection, id)?;
        for one in &live {
            before.note_replaced(&one.payload, one.author != own);
        }
        for one in live {
            match one.payload {
                Payload::Attest(vote) if one.author == own => before.note_vote(one.order, vote),
                Payload::Write(write) => {
                    for change in write.changes {
                        let void = if one.author == own { void_named(turn, connection, &change)? } else { Vec::new() };
                        before.note_own(one.order, &change, &void, one.author == own);
                        before.note_standing(one.order, &void, change, &write.agent);
                    }
                }
                _ => {}
            }
        }
        Ok(before)
    }

    fn note_replaced(&mut self, payload: &Payload, by_others: bool) {
        let Payload::Write(write) = payload else { return };
        for (place, named) in write.changes.iter().filter_map(names) {
            self.replaced.extend(named.iter().map(|name| (place.clone(), *name)));
            if by_others {
                self.seen.extend(named.iter().map(|name| (place.clone(), *name)));
            }
        }
    }

    fn note_vote(&mut self, order: Order, vote: Attest) {
        if self.vote.as_ref().is_none_or(|(known, _)| *known < order) {
            self.vote = Some((order, vote));
        }
    }

    fn note_own(&mut self, order: Order, change: &Change, void: &[Order], own: bool) {
        if let (Change::Rate { score, .. }, true) = (change, own) {
            let newest = self.rates.entry(*score).or_insert(order);
            *newest = order.max(*newest);
        }
        if let Some((place, _)) = names(change) {
            for (_, name) in void {
                self.again.entry((place.clone(), *name)).or_default().push(order.1);
            }
        }
    }

    fn note_standing(&mut self, shown: Order, void: &[Order], change: Change, agent: &str) {
        let Some((place, _)) = names(&change) else { return };
        if !matches!(place, Place::Tag(_)) && !self.replaced.contains(&(place.clone(), shown.1)) {
            let first = void.iter().filter(|(lamport, _)| *lamport > 0).max().copied().unwrap_or(shown);
            let standing = Standing { shown, first, change, agent: agent.to_owned() };
            self.standing.entry(place).or_default().push(standing);
        }
    }

    /// Notes what an edit that is lost had replaced, where that edit itself was replaced.
    fn follow(&mut self, lost: Fingerprint, write: &Write) {
        for (place, named) in write.changes.iter().filter_map(names) {
            if self.replaced.contains(&(place.clone(), lost)) {
                self.replaced.extend(named.iter().map(|name| (place.clone(), *name)));
            }
        }
    }

    /// A change as it is to be said again; none when it has no say any more.
    fn change(&self, change: Change, order: Order, document: &Document) -> Option<Change> {
        let open = |place: Place| !self.replaced.contains(&(place, order.1));
        match &change {
            Change::Register { .. } | Change::Metadata { .. } | Change::RemoveTag { .. } => {
                let (place, named) = names(&change)?;
                let all = open(place.clone()).then(|| self.naming(&place, named, order.1))?;
                Some(with_names(change, all))
            }
            Change::AddTags(tags) => {
                let left = tags.iter().filter(|tag| open(Place::Tag((*tag).clone()))).cloned();
                let left: Vec<String> = left.collect();
                (!left.is_empty()).then_some(Change::AddTags(left))
            }
            Change::Grow { collection, elements } => {
                let new = |element: &&String| document.elements(*collection).all(|known| known != element.as_str());
                let left: Vec<String> = elements.iter().filter(new).cloned().collect();
                (!left.is_empty()).then_some(Change::Grow { collection: *collection, elements: left })
            }
            Change::Rate { score, .. } => self.rates.get(score).is_none_or(|newest| *newest < order).then_some(change),
            // A vector is derived, and follows the content by itself.
            Change::Embed { .. } => None,
        }
    }

    /// The original, what it named, and what these were said again by.
    fn naming(&self, place: &Place, named: &[Fingerprint], original: Fingerprint) -> Vec<Fingerprint> {
        let again = named.iter().filter_map(|name| self.again.get(&(place.clone(), *name))).flatten();
        let others = again.chain(named).filter(|name| **name != original).take(limits::REPLACES_MAX - 1);
        let all: BTreeSet<Fingerprint> = others.chain([&original]).copied().collect();
        all.into_iter().collect()
    }

    fn note_said(&mut self, write: &Write, original: Order, said: Fingerprint) {
        for change in &write.changes {
            let Some((place, named)) = names(change) else { continue };
            self.again.entry((place.clone(), original.1)).or_default().push(said);
            let known = self.said.remove(&place).map(|(_, _, known)| known).unwrap_or_default();
            let all = known.into_iter().chain(named.iter().copied()).collect();
            self.said.insert(place, (original, change.clone(), all));
        }
    }

    /// What was newer than all that was said again, and was not replaced by it: to be said once more, so that it stays
    /// what is read. By agent, each naming what it repeats.
    fn overtaken(self) -> BTreeMap<String, Vec<Change>> {
        let mut by_agent: BTreeMap<String, Vec<Change>> = BTreeMap::new();
        for (place, (order, change, named)) in self.said {
            let winner = self.standing.get(&place).and_then(|standing| standing.iter().max_by_key(|one| one.shown));
            let Some(winner) = winner else { continue };
            let stands = winner.first > order && !named.contains(&winner.shown.1);
            if stands && !same_value(&winner.change, &change) {
                let repeated = with_names(winner.change.clone(), vec![winner.shown.1]);
                by_agent.entry(winner.agent.clone()).or_default().push(repeated);
            }
        }
        by_agent
    }
}

impl Before {
    /// Values that were said again although somebody had replaced their original, of whom this replica had not heard
    /// then: what stands beside them is to be said once more, in their place.
    fn outdated(self) -> BTreeMap<String, Vec<Change>> {
        let mut by_agent: BTreeMap<String, Vec<Change>> = BTreeMap::new();
        for (place, standing) in self.standing {
            let outdated = |one: &Standing| one.first != one.shown && self.seen.contains(&(place.clone(), one.first.1));
            let (outdated, others): (Vec<Standing>, Vec<Standing>) = standing.into_iter().partition(outdated);
            let Some(winner) = others.into_iter().max_by_key(|one| one.shown) else { continue };
            if !outdated.is_empty() {
                let named = outdated.iter().take(limits::REPLACES_MAX - 1).map(|one| one.shown.1);
                let named: BTreeSet<Fingerprint> = named.chain([winner.shown.1]).collect();
                let repeated = with_names(winner.change, named.into_iter().collect());
                by_agent.entry(winner.agent).or_default().push(repeated);
            }
        }
        by_agent
    }
}

/// Every write of a memory, and every vote on it, that counts.
fn live_of(turn: &Turn, connection: &Connection, id: &MemoryId) -> Result<Vec<Live>, StoreError> {
    let views = turn.views(connection);
    let Some(number) = views.number_of(id.as_str())? else { return Ok(Vec::new()) };
    let mut live = Vec::new();
    for stored in views.tables.of_memory(number)? {
        let (State::Live | State::Embargoed, Some(body)) = (stored.state, stored.operation.body()) else { continue };
        let header = stored.operation.header();
        let Ok(payload) = Payload::decode(header.kind, &body.payload) else { continue };
        let author = views.tables.log_facts(stored.log)?.1.replica;
        live.push(Live { order: (header.lamport, stored.operation.fingerprint()), author, payload });
    }
    Ok(live)
}

/// What a change names and what does not count, with its Lamport time as far as that is known: originals that were
/// said again by it, and what these replaced.
fn void_named(turn: &Turn, connection: &Connection, change: &Change) -> Result<Vec<Order>, StoreError> {
    let tables = turn.views(connection).tables;
    let Some((_, named)) = names(change) else { return Ok(Vec::new()) };
    let mut void = Vec::new();
    for name in named {
        if tables.stored(name)?.is_none_or(|stored| stored.state == State::Void) {
            void.push((tables.known(name)?.map_or(0, |known| known.lamport), *name));
        }
    }
    Ok(void)
}

impl Turn {
    /// Forgets what a job noted that failed.
    pub(crate) fn begin_losing(&mut self) {
        self.lost.clear();
        self.saw_void.clear();
    }

    /// Notes what became void of what this replica's key signed, to be said again at the end of the job.
    pub(crate) fn lose(&mut self, lost: impl IntoIterator<Item = Lost>) {
        self.lost.extend(lost);
    }

    /// Says in the present epoch what became void, as far as it still has a say.
    pub(crate) fn say_lost(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let (mut lost, news) = (std::mem::take(&mut self.lost), std::mem::take(&mut self.saw_void));
        lost.sort_by_key(|one| one.order);
        lost.dedup_by_key(|one| one.order);
        let mut memories = BTreeMap::new();
        for id in lost.iter().filter_map(|one| memory_of(&one.payload)) {
            if !memories.contains_key(id) {
                memories.insert(id.clone(), Before::read(self, connection, id)?);
            }
        }
        // Latest first: what names an edit is later than it.
        for one in lost.iter().rev() {
            if let Payload::Write(write) = &one.payload
                && let Some(before) = memories.get_mut(&write.memory)
            {
                before.follow(one.order.1, write);
            }
        }
        for one in lost {
            let said = self.say_again(connection, one, &mut memories);
            unless_refused(said)?;
        }
        for (id, before) in memories {
            for (agent, changes) in before.overtaken() {
                let said = self.say_write(connection, &id, agent, None, changes, None);
                unless_refused(said.map(drop))?;
            }
        }
        for id in news {
            for (agent, changes) in Before::read(self, connection, &id)?.outdated() {
                let said = self.say_write(connection, &id, agent, None, changes, None);
                unless_refused(said.map(drop))?;
            }
        }
        Ok(())
    }

    /// Notes memories of which somebody, as turns out now, had edited what this replica's key signed and what is void.
    pub(crate) fn note_who_saw_void(&mut self, connection: &Connection, news: &[Verified]) -> Result<(), StoreError> {
        let own = self.shared().key.public();
        let sql = "SELECT 1 FROM proof p JOIN log l ON l.number = p.log WHERE l.replica = ?1";
        if !connection.prepare_cached(sql)?.exists([own.as_bytes()])? {
            return Ok(());
        }
        for one in news.iter().filter(|one| one.facts().replica != own) {
            let Some(Payload::Write(write)) = one.payload() else { continue };
            for change in &write.changes {
                if !void_named(self, connection, change)?.is_empty() {
                    self.saw_void.insert(write.memory.clone());
                }
            }
        }
        Ok(())
    }

    fn say_again(
        &mut self,
        connection: &Connection,
        lost: Lost,
        memories: &mut BTreeMap<MemoryId, Before>,
    ) -> Result<(), StoreError> {
        let now_ms = (self.shared().clock)();
        if lost.expires_ms.is_some_and(|at| at <= now_ms) {
            return Ok(());
        }
        let own = self.shared().key.public();
        if self.views(connection).is_dead(&lost.payload, own, &lost.order.1)? {
            return Ok(());
        }
        let has_say = match &lost.payload {
            Payload::Write(write) => {
                let Some(before) = memories.get_mut(&write.memory) else { return Ok(()) };
                return self.say_write_again(connection, &lost, write, before);
            }
            Payload::Attest(vote) => memories.get(&vote.memory).is_none_or(|before| before.may_vote(lost.order, vote)),
            Payload::Forget(forget) => !self.is_forgotten(connection, forget)?,
            // A clone would count its uses twice.
            Payload::Touch(_) => lost.here,
            Payload::Configure(setting) => return self.set_again(connection, lost.order, setting.clone()),
            Payload::Remove(remove) => !self.has_removed(connection, remove)?,
            Payload::Open(_) => false,
        };
        if has_say { self.say(connection, lost.payload, None).map(drop) } else { Ok(()) }
    }

    fn say_write_again(
        &mut self,
        connection: &Connection,
        lost: &Lost,
        write: &Write,
        before: &mut Before,
    ) -> Result<(), StoreError> {
        let document = self.document_of(connection, &write.memory)?;
        let changes = write.changes.iter().cloned();
        let changes: Vec<Change> = changes.filter_map(|change| before.change(change, lost.order, &document)).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let changes = marking_tags(changes, lost.order.1);
        let (agent, root) = (write.agent.clone(), write.root);
        let said = self.say_write(connection, &write.memory, agent, root, changes, Some(lost.expires_ms))?;
        if let Some((write, fingerprint)) = said {
            before.note_said(&write, lost.order, fingerprint);
        }
        Ok(())
    }

    /// Says a write, as large as any may be: what is said again names more than it did at first. It lasts as long as
    /// the memory does; one that gives the memory its end, or that comes before the rest of it, as long as its
    /// original.
    fn say_write(
        &mut self,
        connection: &Connection,
        id: &MemoryId,
        agent: String,
        root: Option<Fingerprint>,
        changes: Vec<Change>,
        original_ms: Option<Option<u64>>,
    ) -> Result<Option<(Write, Fingerprint)>, StoreError> {
        let document = self.document_of(connection, id)?;
        let root = document.origin().map(|origin| origin.fingerprint).or(root);
        let ends = |change: &Change| matches!(change, Change::Register { field: Field::Expiry, .. });
        let expires_ms = match original_ms {
            Some(original_ms) if !document.is_live() || changes.iter().any(ends) => original_ms,
            _ => document.expires_at().map(|at| u64::try_from(at).unwrap_or(0)),
        };
        let write = Write { memory: id.clone(), agent, root, changes };
        self.say_within(connection, Payload::Write(write.clone()), expires_ms, limits::PAYLOAD_BYTES_MAX)?;
        let said = self.head().and_then(|head| head.last).map(|last| last.fingerprint);
        Ok(said.map(|said| (write, said)))
    }

    fn document_of(&self, connection: &Connection, id: &MemoryId) -> Result<Document, StoreError> {
        let views = self.views(connection);
        views.number_of(id.as_str())?.map_or_else(|| Ok(Document::default()), |number| views.document(number))
    }

    /// Whether a forgetting of this replica's own, or one that binds all, stands already, and what it withdrew.
    fn is_forgotten(&self, connection: &Connection, forget: &Forget) -> Result<bool, StoreError> {
        let own = self.shared().key.public();
        let sql = "SELECT 1 FROM dead WHERE id = ?1 AND owner IN (x'', ?2)";
        let dead = connection.prepare_cached(sql)?.exists((forget.memory.as_str(), own.as_bytes()))?;
        let Some(digest) = &forget.withdrawal else { return Ok(dead) };
        let mut withdrawn = connection.prepare_cached("SELECT 1 FROM withdrawn WHERE digest = ?1")?;
        Ok(dead && withdrawn.exists([digest.as_bytes()])?)
    }

    /// Sets a setting again, unless somebody who saw it, or who spoke later, has set it since.
    fn set_again(&mut self, connection: &Connection, order: Order, setting: Configure) -> Result<(), StoreError> {
        for (later, standing) in self.live_payloads(connection, Kind::Configure)? {
            let Payload::Configure(standing) = standing else { continue };
            if standing.key == setting.key && (later > order || standing.replaces.contains(&order.1)) {
                return Ok(());
            }
        }
        let others = setting.replaces.iter().copied().filter(|name| *name != order.1).take(limits::REPLACES_MAX - 1);
        let replaces: BTreeSet<Fingerprint> = others.chain([order.1]).collect();
        let setting = Configure { replaces: replaces.into_iter().collect(), ..setting };
        self.say(connection, Payload::Configure(setting), None).map(drop)
    }

    /// Whether a removal that says just this stands already.
    fn has_removed(&self, connection: &Connection, remove: &Remove) -> Result<bool, StoreError> {
        let standing = self.live_payloads(connection, Kind::Remove)?;
        Ok(standing.iter().any(|(_, one)| matches!(one, Payload::Remove(one) if one == remove)))
    }

    fn live_payloads(&self, connection: &Connection, kind: Kind) -> Result<Vec<(Order, Payload)>, StoreError> {
        let tables = self.views(connection).tables;
        let mut statement =
            connection.prepare_cached("SELECT position FROM operation WHERE kind = ?1 AND state = 0")?;
        let positions = statement.query_map([kind as u8], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        let mut live = Vec::new();
        for position in positions {
            let Some(stored) = tables.at(position)? else { continue };
            let Some(body) = stored.operation.body() else { continue };
            let order = (stored.operation.header().lamport, stored.operation.fingerprint());
            live.extend(Payload::decode(kind, &body.payload).ok().map(|payload| (order, payload)));
        }
        Ok(live)
    }
}

impl Before {
    /// Whether a vote is newer than the last one, and another.
    fn may_vote(&self, order: Order, vote: &Attest) -> bool {
        self.vote.as_ref().is_none_or(|(newest, standing)| *newest < order && standing != vote)
    }
}

fn memory_of(payload: &Payload) -> Option<&MemoryId> {
    match payload {
        Payload::Write(write) => Some(&write.memory),
        Payload::Attest(vote) => Some(&vote.memory),
        _ => None,
    }
}

/// Adds to tags that are said again that the adds of the original are over. So a tag that is taken away later does not
/// come back when the original is brought once more.
fn marking_tags(changes: Vec<Change>, original: Fingerprint) -> Vec<Change> {
    let mut removed: BTreeMap<String, Change> = BTreeMap::new();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::RemoveTag { ref tag, .. } => drop(removed.insert(tag.clone(), change)),
            Change::Grow { .. } | Change::Rate { .. } | Change::Embed { .. } => after.push(change),
            _ => before.push(change),
        }
    }
    let added: Vec<String> = before.iter().flat_map(added_tags).cloned().collect();
    for tag in added {
        if before.len() + removed.len() + after.len() < limits::CHANGES_MAX {
            removed.entry(tag.clone()).or_insert(Change::RemoveTag { tag, adds: vec![original] });
        }
    }
    before.into_iter().chain(removed.into_values()).chain(after).collect()
}

fn added_tags(change: &Change) -> &[String] {
    match change {
        Change::AddTags(tags) => tags,
        _ => &[],
    }
}

/// Forgotten meanwhile, too large, or no longer allowed: it stays unsaid.
fn unless_refused(said: Result<(), StoreError>) -> Result<(), StoreError> {
    match said {
        Err(StoreError::Refused(..) | StoreError::NotFound(_) | StoreError::Invalid(_)) => Ok(()),
        other => other,
    }
}
