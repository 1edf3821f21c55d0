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

/// The memory that an edit is about, as it stands, and who speaks.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Its id.
    pub memory: &'a MemoryId,
    /// The name of the agent.
    pub agent: &'a str,
    /// What it says so far.
    pub document: &'a Document,
    /// The operation that created it; none for a memory that is created now.
    pub root: Option<Fingerprint>,
}

impl Edit {
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

    /// This and what another edit changes elsewhere; where both change something, the other one holds.
    pub fn and(mut self, other: Self) -> Self {
        self.registers.extend(other.registers);
        self.add_tags.extend(other.add_tags);
        self.remove_tags.extend(other.remove_tags);
        for (collection, elements) in other.grow {
            self.grow.entry(collection).or_default().extend(elements);
        }
        self.scores.extend(other.scores);
        self.metadata.extend(other.metadata);
        self
    }

    /// What this changes and the other edit does not.
    pub fn without(mut self, other: &Self) -> Self {
        self.registers.retain(|field, _| !other.registers.contains_key(field));
        self.add_tags.retain(|tag| !other.add_tags.contains(tag));
        self.remove_tags.retain(|tag| !other.remove_tags.contains(tag));
        for (collection, elements) in &mut self.grow {
            elements.retain(|element| other.grow.get(collection).is_none_or(|said| !said.contains(element)));
        }
        self.grow.retain(|_, elements| !elements.is_empty());
        self.scores.retain(|score, _| !other.scores.contains_key(score));
        self.metadata.retain(|key, _| !other.metadata.contains_key(key));
        self
    }

    /// The same as edits that take at most so many bytes each: one, if it has room. A single change that takes more
    /// stands alone. Registers come first, the content before all.
    pub fn pieces(&self, about: &About<'_>, bytes_max: usize) -> Vec<Self> {
        let base = Self::default().bytes(about);
        let mut pieces: Vec<(Self, usize, usize)> = Vec::new();
        for single in self.clone().singles() {
            let bytes = single.clone().bytes(about).saturating_sub(base) + LIST_BYTES;
            match pieces.last_mut() {
                Some((piece, taken, count)) if base + *taken + bytes <= bytes_max && *count < limits::CHANGES_MAX => {
                    *piece = std::mem::take(piece).and(single);
                    (*taken, *count) = (*taken + bytes, *count + 1);
                }
                _ => pieces.push((single, bytes, 1)),
            }
        }
        pieces.into_iter().map(|(piece, ..)| piece).collect()
    }

    /// The same as edits of one thing each.
    fn singles(self) -> Vec<Self> {
        let none = Self::default;
        let mut singles: Vec<Self> =
            self.registers.into_iter().map(|one| Self { registers: [one].into(), ..none() }).collect();
        singles.extend(self.scores.into_iter().map(|one| Self { scores: [one].into(), ..none() }));
        singles.extend(self.add_tags.into_iter().map(|one| Self { add_tags: [one].into(), ..none() }));
        singles.extend(self.remove_tags.into_iter().map(|one| Self { remove_tags: [one].into(), ..none() }));
        for (collection, elements) in self.grow {
            let elements = elements.into_iter();
            singles.extend(elements.map(|one| Self { grow: [(collection, [one].into())].into(), ..none() }));
        }
        singles.extend(self.metadata.into_iter().map(|one| Self { metadata: [one].into(), ..none() }));
        singles
    }

    /// Bytes that it takes at least, with as few names of what it replaces as it must have.
    fn bytes(self, about: &About<'_>) -> usize {
        let mut write = self.in_full(about);
        write.changes.iter_mut().filter_map(names).for_each(|names| names.truncate(NAMES_KEPT));
        Payload::Write(write).encode().len()
    }

    /// What says in at most so many bytes what this edit changes, in the order of their places, each naming what it
    /// replaces; and whether more may be contested than it could name.
    pub fn compose(self, about: &About<'_>, bytes_max: usize) -> (Write, bool) {
        let mut write = self.in_full(about);
        let left_out = fit(&mut write, bytes_max);
        (write, left_out)
    }

    fn in_full(self, about: &About<'_>) -> Write {
        let document = about.document;
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
        Write { memory: about.memory.clone(), agent: about.agent.to_owned(), root: about.root, changes }
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

/// Bytes by which the heads of lists may grow when several changes stand together.
const LIST_BYTES: usize = 8;

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
