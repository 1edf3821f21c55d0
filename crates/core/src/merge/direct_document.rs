//! A memory document for direct use: edits without a key, a log or a store, under the same laws.
//!
//! Each edit is an operation whose fingerprint is a digest of what it says, when, after what and with which salt. The
//! names of writers are believed: whoever needs proof of who said what uses a store.

use std::sync::Arc;

use crate::codec::{Decoder, Encoder};
use crate::error::{Refusal, Result};
use crate::id::{Fingerprint, MemoryId, ReplicaKey, Salt, digest};
use crate::limits;
use crate::operation::Kind;
use crate::payload::{Change, Collection, Field, Payload, Score, Value, Write};

use super::document::{Document, Stamp};
use super::g_counter::GCounter;

/// Version of the encoding.
const VERSION: u64 = 1;

/// Who edits, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edit<'a> {
    /// The name of the instance that edits: at most [`limits::NAME_BYTES_MAX`] bytes.
    pub writer: &'a str,
    /// The caller's clock, in µs since the Unix epoch. Of concurrent edits the later wins, so clocks should agree.
    pub now_us: u64,
    /// Random bytes: equal edits of two copies in one microsecond are still two edits.
    pub salt: Salt,
}

/// A memory that is edited in place and merged with other copies of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectDocument {
    id: MemoryId,
    document: Document,
    uses: GCounter,
}

impl DirectDocument {
    /// Creates a memory; the default type when none is given. Two that are created under one id are one memory once
    /// they are merged, and the later content wins.
    pub fn new(id: MemoryId, content: &str, memory_type: Option<&str>, edit: &Edit<'_>) -> Result<Self> {
        let mut created = Self { id, document: Document::default(), uses: GCounter::default() };
        let mut changes = vec![created.register(Field::Content, Value::Text(content.into()))];
        changes.extend(memory_type.map(|name| created.register(Field::MemoryType, Value::Text(name.into()))));
        created.edit(edit, changes)?;
        Ok(created)
    }

    /// The id.
    pub fn id(&self) -> &MemoryId {
        &self.id
    }

    /// What it says, for reading.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The name of the instance that created it; of several, the first by their clocks.
    pub fn source_instance(&self) -> &str {
        self.document.origin().map_or("", |origin| &origin.agent)
    }

    /// How often it was used, over all instances.
    pub fn access_count(&self) -> u64 {
        self.uses.value()
    }

    /// The uses, by the name of the instance that counted them.
    pub fn uses(&self) -> &GCounter {
        &self.uses
    }

    /// Sets a register.
    pub fn set(&mut self, field: Field, value: Value, edit: &Edit<'_>) -> Result<()> {
        let change = self.register(field, value);
        self.edit(edit, vec![change])
    }

    /// Sets the words.
    pub fn set_content(&mut self, content: &str, edit: &Edit<'_>) -> Result<()> {
        self.set(Field::Content, Value::Text(content.into()), edit)
    }

    /// Sets a key of the metadata to JSON text, or clears it.
    pub fn set_metadata(&mut self, key: &str, value: Option<&str>, edit: &Edit<'_>) -> Result<()> {
        let replaces = self.document.metadata_replaces(key);
        self.edit(edit, vec![Change::Metadata { key: key.into(), value: value.map(str::to_owned), replaces }])
    }

    /// Adds a tag.
    pub fn add_tag(&mut self, tag: &str, edit: &Edit<'_>) -> Result<()> {
        self.edit(edit, vec![Change::AddTags(vec![tag.into()])])
    }

    /// Removes a tag, as far as it was seen here; false when it was not there.
    pub fn remove_tag(&mut self, tag: &str, edit: &Edit<'_>) -> Result<bool> {
        let mut adds = self.document.tag_adds(tag);
        let was_there = !adds.is_empty();
        // One removal names a bounded number of adds; a tag that more had added takes several.
        while !adds.is_empty() {
            self.edit(edit, vec![Change::RemoveTag { tag: tag.into(), adds }])?;
            adds = self.document.tag_adds(tag);
        }
        Ok(was_there)
    }

    /// Sets the writer's own importance. Fixed point: 0 is 0.0, 65,535 is 1.0.
    pub fn set_importance(&mut self, value: u16, edit: &Edit<'_>) -> Result<()> {
        self.edit(edit, vec![Change::Rate { score: Score::Importance, value }])
    }

    /// Sets the writer's own confidence. Fixed point: 0 is 0.0, 65,535 is 1.0.
    pub fn set_confidence(&mut self, value: u16, edit: &Edit<'_>) -> Result<()> {
        self.edit(edit, vec![Change::Rate { score: Score::Confidence, value }])
    }

    /// Adds what supports it.
    pub fn add_evidence(&mut self, evidence: &str, edit: &Edit<'_>) -> Result<()> {
        self.grow(Collection::Evidence, evidence, edit)
    }

    /// Adds the id of a memory that has to do with it.
    pub fn add_related(&mut self, memory: &str, edit: &Edit<'_>) -> Result<()> {
        self.grow(Collection::Related, memory, edit)
    }

    /// Adds the id of a memory that it came from.
    pub fn add_parent(&mut self, memory: &str, edit: &Edit<'_>) -> Result<()> {
        self.grow(Collection::Parents, memory, edit)
    }

    /// Counts uses by one instance. Copies that count under one name at the same time count once.
    pub fn record_access(&mut self, writer: &str, uses: u64) -> Result<()> {
        if writer.len() > limits::NAME_BYTES_MAX {
            return Err(Refusal::TooLarge { what: "name (bytes)", max: limits::NAME_BYTES_MAX as u64 });
        }
        self.uses.increment(writer, uses);
        Ok(())
    }

    /// Joins with another copy; refuses a document of another memory.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.id != other.id {
            return Err(Refusal::Malformed("documents of two memories don't merge"));
        }
        self.document.merge(&other.document);
        self.uses.merge(&other.uses);
        Ok(())
    }

    /// The join of both, as a new document.
    pub fn merged(&self, other: &Self) -> Result<Self> {
        let mut joined = self.clone();
        joined.merge(other)?;
        Ok(joined)
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(512);
        e.array(4).uint(VERSION).text(self.id.as_str());
        self.document.write(&mut e);
        e.list(self.uses.counts(), |e, (writer, count)| {
            e.array(2).text(writer).uint(count);
        });
        e.finish()
    }

    /// Reads the canonical bytes; refuses whatever [`DirectDocument::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut decoder = Decoder::new(bytes);
        let d = &mut decoder;
        d.array(4, "a document for direct use has four elements")?;
        match d.uint(u64::MAX, "version")? {
            VERSION => {}
            other => return Err(Refusal::UnknownVersion(other)),
        }
        let id = MemoryId::new(d.text(limits::MEMORY_ID_BYTES_MAX, "memory id (bytes)")?)?;
        let (document, uses) = (Document::read(d)?, read_uses(d)?);
        decoder.finish()?;
        Ok(Self { id, document, uses })
    }

    fn register(&self, field: Field, value: Value) -> Change {
        Change::Register { field, value, replaces: self.document.replaces(field) }
    }

    fn grow(&mut self, collection: Collection, element: &str, edit: &Edit<'_>) -> Result<()> {
        self.edit(edit, vec![Change::Grow { collection, elements: vec![element.into()] }])
    }

    fn edit(&mut self, edit: &Edit<'_>, changes: Vec<Change>) -> Result<()> {
        let root = self.document.origin().map(|origin| origin.fingerprint);
        let write = Write { memory: self.id.clone(), agent: edit.writer.into(), root, changes };
        let bytes = Payload::Write(write).encode();
        // Reading the bytes back holds direct use to the bounds that operations have.
        let Payload::Write(write) = Payload::decode(Kind::Write, &bytes)? else {
            return Err(Refusal::Malformed("not a write"));
        };
        let stamp = self.stamp(edit, &bytes)?;
        self.document.apply(&stamp, &write);
        Ok(())
    }

    /// The logical time is the clock's, unless an edit that was seen has a later one.
    fn stamp(&self, edit: &Edit<'_>, payload: &[u8]) -> Result<Stamp> {
        let (after, previous) = match self.document.head() {
            Some(head) => (head.lamport.saturating_add(1), head.fingerprint.0),
            None => (0, [0; Fingerprint::LENGTH]),
        };
        let lamport = edit.now_us.max(after);
        if lamport > limits::INTEGER_MAX {
            return Err(Refusal::TooLarge { what: "time (µs)", max: limits::INTEGER_MAX });
        }
        let (time, clock) = (lamport.to_be_bytes(), edit.now_us.to_be_bytes());
        let parts = [&previous[..], &time, &clock, edit.salt.as_bytes(), payload];
        let fingerprint = Fingerprint(digest("chrysalis/direct/1", &parts));
        Ok(Stamp { fingerprint, lamport, hybrid_ms: edit.now_us / 1000, author: author(edit.writer) })
    }
}

/// Stands where an author's key would: a digest of the writer's name.
fn author(writer: &str) -> ReplicaKey {
    let digest = digest("chrysalis/direct-author/1", &[writer.as_bytes()]);
    let mut key = [0; ReplicaKey::LENGTH];
    key.copy_from_slice(&digest[..ReplicaKey::LENGTH]);
    ReplicaKey(key)
}

fn read_uses(d: &mut Decoder<'_>) -> Result<GCounter> {
    let length = d.array_up_to(usize::MAX, "uses")?;
    let mut counts: Vec<(Arc<str>, u64)> = Vec::new();
    for _ in 0..length {
        d.array(2, "a count has two elements")?;
        let writer = d.text(limits::NAME_BYTES_MAX, "name (bytes)")?.into();
        counts.push((writer, d.uint(u64::MAX, "count")?));
    }
    GCounter::from_counts(counts).ok_or(Refusal::Malformed("counts are zero, or not sorted and unique"))
}
