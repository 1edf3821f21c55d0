//! The memory as the join of the operations that name it, and nothing else.

use std::sync::Arc;

use crate::id::{ContentDigest, Fingerprint, ReplicaKey};
use crate::payload::{Attest, Change, Collection, Field, Score, Value, Write};

use super::latest::{Latest, Said};
use super::observed::Observed;
use super::sorted;

/// What merging needs of an operation's header and log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The operation.
    pub fingerprint: Fingerprint,
    /// Its Lamport time: with the fingerprint, the order among concurrent operations.
    pub lamport: u64,
    /// Its hybrid time in ms since the Unix epoch: for display alone.
    pub hybrid_ms: u64,
    /// The key of its log.
    pub author: ReplicaKey,
}

/// A register's value, and the place of its operation in time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Written<V> {
    pub lamport: u64,
    pub value: V,
}

/// Who created a memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Lamport time of the creating operation.
    pub lamport: u64,
    /// The creating operation.
    pub fingerprint: Fingerprint,
    /// The key of its log.
    pub author: ReplicaKey,
    /// The name of the agent that spoke.
    pub agent: Arc<str>,
    /// Its hybrid time in ms since the Unix epoch.
    pub created_ms: u64,
}

/// The latest write, by (Lamport time, fingerprint).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its Lamport time.
    pub lamport: u64,
    /// The write.
    pub fingerprint: Fingerprint,
    /// The name of the agent that spoke.
    pub agent: Arc<str>,
}

/// A member's vote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vote {
    /// The content that the voter saw.
    pub content: ContentDigest,
    /// Fixed point: 0 is 0.0, 65,535 is 1.0.
    pub confidence: u16,
}

/// A value that lost against a concurrent one and stays visible until an edit that saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loser<'a> {
    /// The operation that wrote it.
    pub fingerprint: Fingerprint,
    /// Its Lamport time.
    pub lamport: u64,
    /// The value.
    pub value: &'a Value,
}

/// How the scores of several authors become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reading {
    /// The greatest.
    #[default]
    Maximum,
    /// The mean after floor((members - 1) / 3) were cut from each end, for spaces that don't trust every member.
    TrimmedMean {
        /// How many could have an opinion, not how many gave one.
        members: usize,
    },
}

/// A memory: what its operations, taken together, say.
///
/// Taking in an operation twice, or two operations in another order, gives the same document. So does merging two
/// documents. See [`Document::settle`] for the one exception.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Document {
    pub(super) registers: Observed<Field, Fingerprint, Written<Arc<Value>>>,
    pub(super) metadata: Observed<Arc<str>, Fingerprint, Written<Option<Arc<str>>>>,
    pub(super) tags: Observed<Arc<str>, Fingerprint, ()>,
    pub(super) elements: Vec<(Collection, Arc<str>)>,
    pub(super) scores: Latest<(Score, ReplicaKey), u16>,
    pub(super) votes: Latest<ReplicaKey, Vote>,
    pub(super) vectors: Latest<(ContentDigest, Arc<str>), Arc<[u8]>>,
    pub(super) origin: Option<Origin>,
    pub(super) head: Option<Head>,
    pub(super) updated_ms: u64,
}

impl Document {
    /// Takes in a write.
    pub fn apply(&mut self, stamp: &Stamp, write: &Write) {
        self.updated_ms = self.updated_ms.max(stamp.hybrid_ms);
        let agent: Arc<str> = write.agent.as_str().into();
        let head = Head { lamport: stamp.lamport, fingerprint: stamp.fingerprint, agent: agent.clone() };
        join_head(&mut self.head, &head);
        if write.root.is_none() {
            let (lamport, fingerprint) = (stamp.lamport, stamp.fingerprint);
            let origin = Origin { lamport, fingerprint, author: stamp.author, agent, created_ms: stamp.hybrid_ms };
            join_origin(&mut self.origin, &origin);
        }
        write.changes.iter().for_each(|change| self.change(stamp, change));
    }

    fn change(&mut self, stamp: &Stamp, change: &Change) {
        let Stamp { fingerprint, lamport, .. } = *stamp;
        match change {
            Change::Register { field, value, replaces } => {
                replaces.iter().for_each(|seen| self.registers.remove(*field, *seen));
                self.registers.add(*field, fingerprint, Written { lamport, value: Arc::new(value.clone()) });
            }
            Change::Metadata { key, value, replaces } => {
                let key: Arc<str> = key.as_str().into();
                replaces.iter().for_each(|seen| self.metadata.remove(key.clone(), *seen));
                self.metadata.add(key, fingerprint, Written { lamport, value: value.as_deref().map(Arc::from) });
            }
            Change::AddTags(tags) => {
                tags.iter().for_each(|tag| self.tags.add(tag.as_str().into(), fingerprint, ()));
            }
            Change::RemoveTag { tag, adds } => {
                let tag: Arc<str> = tag.as_str().into();
                adds.iter().for_each(|add| self.tags.remove(tag.clone(), *add));
            }
            Change::Grow { collection, elements } => {
                for element in elements {
                    sorted::insert(&mut self.elements, (*collection, element.as_str().into()));
                }
            }
            Change::Rate { score, value } => {
                let key = (*score, stamp.author);
                self.scores.say(Said { key, lamport, fingerprint, value: *value });
            }
            Change::Embed { model, content, vector } => {
                let key = (*content, model.as_str().into());
                self.vectors.say(Said { key, lamport, fingerprint, value: vector.as_slice().into() });
            }
        }
    }

    /// Takes in a vote. Of two by one voter the later holds, by (Lamport time, fingerprint).
    pub fn apply_vote(&mut self, stamp: &Stamp, vote: &Attest) {
        let value = Vote { content: vote.content, confidence: vote.confidence };
        let Stamp { fingerprint, lamport, author, .. } = *stamp;
        self.votes.say(Said { key: author, lamport, fingerprint, value });
    }

    /// Joins with another document of the same memory. Neither may have been settled.
    pub fn merge(&mut self, other: &Document) {
        self.registers.merge(&other.registers);
        self.metadata.merge(&other.metadata);
        self.tags.merge(&other.tags);
        sorted::unite(&mut self.elements, &other.elements);
        self.scores.merge(&other.scores);
        self.votes.merge(&other.votes);
        self.vectors.merge(&other.vectors);
        other.origin.iter().for_each(|origin| join_origin(&mut self.origin, origin));
        other.head.iter().for_each(|head| join_head(&mut self.head, head));
        self.updated_ms = self.updated_ms.max(other.updated_ms);
    }

    /// The join of both, as a new document.
    pub fn merged(&self, other: &Document) -> Document {
        let mut joined = self.clone();
        joined.merge(other);
        joined
    }

    /// Drops the marks of replaced values whose operations have been taken in already, so that the state stays small.
    ///
    /// Precondition: whoever feeds this document delivers no operation twice, as a log does not, and `seen` is true
    /// only of operations that were delivered to it, not of those that wait. No read changes. A settled document takes
    /// in further operations; it must not be merged with another document, which may hold what was replaced.
    pub fn settle(&mut self, seen: impl Fn(&Fingerprint) -> bool) {
        self.registers.settle(&seen);
        self.metadata.settle(&seen);
        self.tags.settle(&seen);
    }
}

fn join_origin(ours: &mut Option<Origin>, theirs: &Origin) {
    let earlier = |own: &Origin| (theirs.lamport, theirs.fingerprint) < (own.lamport, own.fingerprint);
    if ours.as_ref().is_none_or(earlier) {
        *ours = Some(theirs.clone());
    }
}

fn join_head(ours: &mut Option<Head>, theirs: &Head) {
    let later = |own: &Head| (theirs.lamport, theirs.fingerprint) > (own.lamport, own.fingerprint);
    if ours.as_ref().is_none_or(later) {
        *ours = Some(theirs.clone());
    }
}
