//! Writing to, and reading, a replica that keeps nothing but operations: memories are joined when they are asked for.

use std::collections::BTreeMap;

use chrysalis_core::Refusal;
use chrysalis_core::admit::Verified;
use chrysalis_core::id::{Epoch, Fingerprint, MemoryId, Salt, content_digest};
use chrysalis_core::merge::{Document, Stamp};
use chrysalis_core::payload::{Attest, Change, Field, Payload, Score, Value, Write};
use chrysalis_core::sync::memory::MemoryReplica;

use crate::deed::Deed;
use crate::planted::Planted;
use crate::random::{Draw, Random};

/// Every memory, joined from the operations that count.
pub fn documents(replica: &MemoryReplica, planted: Option<Planted>) -> BTreeMap<MemoryId, Document> {
    let mut documents: BTreeMap<MemoryId, Document> = BTreeMap::new();
    for (order, verified) in replica.valid().enumerate() {
        if let Some(memory) = memory_of(verified) {
            apply(documents.entry(memory.clone()).or_default(), verified, order as u64, planted);
        }
    }
    documents
}

/// One memory, joined from the operations that count.
pub fn document(replica: &MemoryReplica, id: &MemoryId) -> Document {
    let mut document = Document::default();
    for verified in replica.valid().filter(|verified| memory_of(verified) == Some(id)) {
        apply(&mut document, verified, 0, None);
    }
    document
}

fn memory_of(verified: &Verified) -> Option<&MemoryId> {
    match verified.payload()? {
        Payload::Write(write) => Some(&write.memory),
        Payload::Attest(attest) => Some(&attest.memory),
        _ => None,
    }
}

fn apply(document: &mut Document, verified: &Verified, order: u64, planted: Option<Planted>) {
    let (operation, header) = (verified.operation(), verified.operation().header());
    let mut stamp = Stamp {
        fingerprint: operation.fingerprint(),
        lamport: header.lamport,
        hybrid_ms: header.hybrid_ms,
        author: verified.facts().replica,
    };
    match verified.payload() {
        Some(Payload::Write(write)) => match planted {
            Some(Planted::NothingDominates) => document.apply(&stamp, &without_past(write)),
            Some(Planted::LastArrivalWins) => {
                stamp.lamport = order;
                document.apply(&stamp, &without_past(write));
            }
            _ => document.apply(&stamp, write),
        },
        Some(Payload::Attest(attest)) => document.apply_vote(&stamp, attest),
        _ => {}
    }
}

/// The planted mistake: a write that names nothing of what its author saw.
fn without_past(write: &Write) -> Write {
    let mut write = write.clone();
    for change in &mut write.changes {
        if let Change::Register { replaces, .. } = change {
            replaces.clear();
        }
    }
    write
}

/// Does what an agent wants; opens a new epoch first when the log was found forked.
///
/// # Errors
/// What the role does not allow.
pub fn perform(replica: &mut MemoryReplica, deed: &Deed, random: &mut Random, now_ms: u64) -> Result<(), Refusal> {
    if replica.is_forked() {
        replica.open(Epoch(random.bytes()), Salt(random.bytes()), now_ms)?;
    }
    let Some(payload) = payload(replica, deed)? else { return Ok(()) };
    replica.say(payload, Salt(random.bytes()), now_ms).map(drop)
}

fn payload(replica: &MemoryReplica, deed: &Deed) -> Result<Option<Payload>, Refusal> {
    Ok(match deed {
        Deed::Remember { id, words, .. } => Some(write(id, None, vec![content(words, Vec::new())])?),
        Deed::Update { id, words, tag } => {
            let document = document(replica, &MemoryId::new(id)?);
            let root = document.origin().map(|origin| origin.fingerprint);
            let changes = vec![content(words, document.replaces(Field::Content)), Change::AddTags(vec![tag.clone()])];
            Some(write(id, root, changes)?)
        }
        Deed::Untag { id, tag } => {
            let document = document(replica, &MemoryId::new(id)?);
            let root = document.origin().map(|origin| origin.fingerprint);
            let removal = Change::RemoveTag { tag: tag.clone(), adds: document.tag_adds(tag) };
            Some(write(id, root, vec![removal])?)
        }
        Deed::Touch { id } => Some(Payload::Touch(vec![(MemoryId::new(id)?, 1)])),
        Deed::Attest { id, confidence } => {
            let memory = MemoryId::new(id)?;
            let document = document(replica, &memory);
            let content = content_digest(document.content().unwrap_or(""));
            Some(Payload::Attest(Attest { memory, content, confidence: *confidence }))
        }
        Deed::Rate { id, confidence } => {
            let document = document(replica, &MemoryId::new(id)?);
            let root = document.origin().map(|origin| origin.fingerprint);
            Some(write(id, root, vec![Change::Rate { score: Score::Confidence, value: *confidence }])?)
        }
        // A replica that knows no memories forgets none: that is for stores.
        Deed::Forget { .. } => None,
    })
}

fn write(id: &str, root: Option<Fingerprint>, changes: Vec<Change>) -> Result<Payload, Refusal> {
    Ok(Payload::Write(Write { memory: MemoryId::new(id)?, agent: "agent".to_owned(), root, changes }))
}

fn content(words: &str, replaces: Vec<Fingerprint>) -> Change {
    Change::Register { field: Field::Content, value: Value::Text(words.to_owned()), replaces }
}
