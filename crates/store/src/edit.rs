//! From what a caller wants to what an operation says: writes are composed here, against the document as it stands.

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::id::{Fingerprint, MemoryId, ReplicaKey};
use chrysalis_core::limits;
use chrysalis_core::merge::{Document, Reading};
use chrysalis_core::payload::{Change, Collection, Field, Payload, Score, Value, Write};

/// What to change of a memory. What is `None` or empty stays as it is.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Edit {
    /// Registers to set.
    pub registers: BTreeMap<Field, Value>,
    /// Tags to add.
    pub add_tags: BTreeSet<String>,
    /// Tags to remove, as far as they are seen.
    pub remove_tags: BTreeSet<String>,
    /// Elements to add to the grow-only sets.
    pub grow: BTreeMap<Collection, BTreeSet<String>>,
    /// The author's own scores.
    pub scores: BTreeMap<Score, u16>,
    /// Keys of the metadata to set to JSON text, or to clear.
    pub metadata: BTreeMap<String, Option<String>>,
}

impl Edit {
    /// What a write changed, to be said again.
    pub fn of(write: &Write) -> Self {
        let mut edit = Self::default();
        for change in &write.changes {
            match change.clone() {
                Change::Register { field, value, .. } => drop(edit.registers.insert(field, value)),
                Change::Metadata { key, value, .. } => drop(edit.metadata.insert(key, value)),
                Change::AddTags(tags) => edit.add_tags.extend(tags),
                Change::RemoveTag { tag, .. } => drop(edit.remove_tags.insert(tag)),
                Change::Grow { collection, elements } => edit.grow.entry(collection).or_default().extend(elements),
                Change::Rate { score, value } => drop(edit.scores.insert(score, value)),
                // A vector is derived, and follows the content by itself.
                Change::Embed { .. } => {}
            }
        }
        edit
    }

    /// Sets a register.
    pub fn set(&mut self, field: Field, value: Value) -> &mut Self {
        self.registers.insert(field, value);
        self
    }

    /// Takes out what would change nothing, so that saying the same thing twice writes once. Scores are each author's
    /// own: `author` is who speaks.
    pub fn without_what_stands(mut self, document: &Document, author: &ReplicaKey) -> Self {
        self.registers.retain(|field, value| {
            !document.conflicts(*field).is_empty() || document.value(*field).unwrap_or(&default_value(*field)) != value
        });
        self.add_tags.retain(|tag| document.tags().all(|standing| standing != tag));
        self.remove_tags.retain(|tag| document.tags().any(|standing| standing == tag));
        for (collection, elements) in &mut self.grow {
            elements.retain(|element| document.elements(*collection).all(|standing| standing != element));
        }
        self.grow.retain(|_, elements| !elements.is_empty());
        self.scores.retain(|score, value| {
            let own = document.opinions(*score).find(|(one, _)| one == author).map(|(_, value)| value);
            let unspoken = document.opinions(*score).next().is_none().then_some(crate::view::SCORE_DEFAULT);
            own.or(unspoken) != Some(*value)
        });
        self.metadata.retain(|key, value| {
            let standing = document.metadata().find(|(name, _)| name == key).map(|(_, json)| json);
            document.metadata_replaces(key).len() > 1 || standing != value.as_deref()
        });
        self
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Everything that a document says, to be said again: so a memory outlives the expiry of its first words.
    pub fn restating(mut self, document: &Document) -> Self {
        for field in Field::ALL {
            if let Some(value) = document.value(field) {
                self.registers.entry(field).or_insert_with(|| value.clone());
            }
        }
        self.add_tags.extend(document.tags().filter(|tag| !self.remove_tags.contains(*tag)).map(str::to_owned));
        for collection in Collection::ALL {
            let elements: BTreeSet<String> = document.elements(collection).map(str::to_owned).collect();
            if !elements.is_empty() {
                self.grow.entry(collection).or_default().extend(elements);
            }
        }
        for score in Score::ALL {
            if let Some(value) = document.score(score, Reading::Maximum) {
                self.scores.entry(score).or_insert(value);
            }
        }
        for (key, json) in document.metadata() {
            self.metadata.entry(key.to_owned()).or_insert_with(|| Some(json.to_owned()));
        }
        self
    }

    /// What says in at most so many bytes what this edit changes, in the order of their places, each naming what it
    /// replaces; and whether more may be contested than it could name.
    pub fn compose(self, memory: &MemoryId, agent: &str, document: &Document, bytes_max: usize) -> (Write, bool) {
        let mut write = self.in_full(memory, agent, document);
        let left_out = fit(&mut write, bytes_max);
        (write, left_out)
    }

    fn in_full(self, memory: &MemoryId, agent: &str, document: &Document) -> Write {
        let root = document.origin().map(|origin| origin.fingerprint);
        let mut changes = Vec::new();
        for (field, value) in self.registers {
            changes.push(Change::Register { field, value, replaces: document.replaces(field) });
        }
        for (key, value) in self.metadata {
            let replaces = document.metadata_replaces(&key);
            changes.push(Change::Metadata { key, value, replaces });
        }
        if !self.add_tags.is_empty() {
            changes.push(Change::AddTags(self.add_tags.into_iter().collect()));
        }
        for tag in self.remove_tags {
            let adds = document.tag_adds(&tag);
            changes.push(Change::RemoveTag { tag, adds });
        }
        for (collection, elements) in self.grow {
            changes.push(Change::Grow { collection, elements: elements.into_iter().collect() });
        }
        for (score, value) in self.scores {
            changes.push(Change::Rate { score, value });
        }
        Write { memory: memory.clone(), agent: agent.to_owned(), root, changes }
    }
}

/// What a register reads while nobody has set it.
pub fn default_value(field: Field) -> Value {
    match field {
        Field::Tier => Value::Text("long_term".to_owned()),
        Field::MemoryType => Value::Text("episodic".to_owned()),
        Field::Content | Field::Scope => Value::Text(String::new()),
        Field::Validity => Value::Span(None, None),
        Field::Thread | Field::Speaker | Field::OccurredAt | Field::Expiry => Value::Null,
    }
}

/// Bytes that one name takes in a payload.
const NAME_BYTES: usize = Fingerprint::LENGTH + 2;

/// Names that each change keeps, however large the rest of its write is.
const NAMES_KEPT: usize = 16;

/// Leaves out names of replaced values until the write fits. Says whether any may have been left out: here, or because
/// one change names so many and no more.
fn fit(write: &mut Write, bytes_max: usize) -> bool {
    let counts: Vec<usize> = write.changes.iter_mut().filter_map(names).map(|names| names.len()).collect();
    let (lists, total) = (counts.len(), counts.iter().sum::<usize>());
    if total <= lists * NAMES_KEPT {
        return false;
    }
    let over = Payload::Write(write.clone()).encode().len().saturating_sub(bytes_max);
    if over > 0 {
        let each = total.saturating_sub(over.div_ceil(NAME_BYTES)) / lists;
        write.changes.iter_mut().filter_map(names).for_each(|names| names.truncate(each.max(NAMES_KEPT)));
    }
    over > 0 || counts.contains(&limits::REPLACES_MAX)
}

/// The names of what a change replaces.
fn names(change: &mut Change) -> Option<&mut Vec<Fingerprint>> {
    match change {
        Change::Register { replaces, .. } | Change::Metadata { replaces, .. } => Some(replaces),
        Change::RemoveTag { adds, .. } => Some(adds),
        _ => None,
    }
}
