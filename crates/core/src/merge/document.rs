//! The memory as the join of the operations that name it, and nothing else.

use std::sync::Arc;

use crate::id::{ContentDigest, Fingerprint, ReplicaKey};
use crate::payload::{Attest, Change, Collection, Field, Score, Value, Write};

use super::latest::{Latest, Said};
use super::observed::Observed;
use super::sorted;
use super::trimmed::trimmed_mean;

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

// Taking in.
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

// Reading.
impl Document {
    /// Whether it has content: a memory of which only edits have come, or nothing, is not there.
    pub fn is_live(&self) -> bool {
        self.content().is_some()
    }

    /// What a register reads as: the value with the greatest (Lamport time, fingerprint) that nothing replaced.
    pub fn value(&self, field: Field) -> Option<&Value> {
        let standing = self.registers.of(&field).iter();
        standing.max_by_key(|one| (one.value.lamport, one.name)).map(|one| &*one.value.value)
    }

    /// The concurrent losers of a register that say something else than the winner, latest first.
    pub fn conflicts(&self, field: Field) -> Vec<Loser<'_>> {
        let winner = self.value(field);
        let standing = self.registers.of(&field).iter().map(|one| Loser {
            fingerprint: one.name,
            lamport: one.value.lamport,
            value: &one.value.value,
        });
        let mut losers: Vec<_> = standing.filter(|loser| Some(loser.value) != winner).collect();
        losers.sort_unstable_by_key(|loser| std::cmp::Reverse((loser.lamport, loser.fingerprint)));
        losers
    }

    fn text(&self, field: Field) -> Option<&str> {
        match self.value(field)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn integer(&self, field: Field) -> Option<i64> {
        match self.value(field)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The words.
    pub fn content(&self) -> Option<&str> {
        self.text(Field::Content)
    }

    /// `working` or `long_term`; `long_term` when nobody said.
    pub fn tier(&self) -> &str {
        self.text(Field::Tier).unwrap_or("long_term")
    }

    /// The type; `episodic` when nobody said.
    pub fn memory_type(&self) -> &str {
        self.text(Field::MemoryType).unwrap_or("episodic")
    }

    /// The path inside the space; empty when nobody said.
    pub fn scope(&self) -> &str {
        self.text(Field::Scope).unwrap_or("")
    }

    /// The conversation it was said in.
    pub fn thread(&self) -> Option<&str> {
        self.text(Field::Thread)
    }

    /// Who said it.
    pub fn speaker(&self) -> Option<&str> {
        self.text(Field::Speaker)
    }

    /// When it happened, in ms since the Unix epoch.
    pub fn occurred_at(&self) -> Option<i64> {
        self.integer(Field::OccurredAt)
    }

    /// From when until when it holds, in ms since the Unix epoch; an open end is none.
    pub fn validity(&self) -> (Option<i64>, Option<i64>) {
        match self.value(Field::Validity) {
            Some(Value::Span(from, until)) => (*from, *until),
            _ => (None, None),
        }
    }

    /// When it fades, in ms since the Unix epoch.
    pub fn expires_at(&self) -> Option<i64> {
        self.integer(Field::Expiry)
    }

    /// The metadata as (key, JSON text), by key. A key that was cleared is not there.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        let keys = self.metadata.standing().chunk_by(|a, b| a.key == b.key);
        keys.filter_map(|of_key| {
            let winner = of_key.iter().max_by_key(|one| (one.value.lamport, one.name))?;
            Some((&*winner.key, winner.value.value.as_deref()?))
        })
    }

    /// The tags, sorted, each once.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.standing().chunk_by(|a, b| a.key == b.key).map(|adds| &*adds[0].key)
    }

    /// The elements of a collection, sorted, each once.
    pub fn elements(&self, collection: Collection) -> impl Iterator<Item = &str> {
        let start = self.elements.partition_point(|one| one.0 < collection);
        let of_collection = self.elements[start..].iter().take_while(move |one| one.0 == collection);
        of_collection.map(|one| &*one.1)
    }

    /// What each author holds, by author's key. Fixed point: 0 is 0.0, 65,535 is 1.0.
    pub fn opinions(&self, score: Score) -> impl Iterator<Item = (ReplicaKey, u16)> {
        let of_score = self.scores.all().iter().filter(move |said| said.key.0 == score);
        of_score.map(|said| (said.key.1, said.value))
    }

    /// The score of all authors together; none when nobody, or under trimming too few, said anything.
    pub fn score(&self, score: Score, reading: Reading) -> Option<u16> {
        let values = self.opinions(score).map(|(_, value)| value);
        match reading {
            Reading::Maximum => values.max(),
            Reading::TrimmedMean { members } => trimmed_mean(values.collect(), members),
        }
    }

    /// The vote of each voter, by voter's key.
    pub fn votes(&self) -> impl Iterator<Item = (ReplicaKey, Vote)> {
        self.votes.all().iter().map(|said| (said.key, said.value))
    }

    /// Attached vectors as (content, model, opaque little-endian numbers), by content and model.
    pub fn vectors(&self) -> impl Iterator<Item = (ContentDigest, &str, &[u8])> {
        self.vectors.all().iter().map(|said| (said.key.0, &*said.key.1, &*said.value))
    }

    /// The vector that `model` gave for `content`, if an author attached one.
    pub fn vector(&self, content: ContentDigest, model: &str) -> Option<&[u8]> {
        self.vectors().find(|vector| vector.0 == content && vector.1 == model).map(|vector| vector.2)
    }

    /// Who created it; none while only edits have come.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The latest write.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The greatest hybrid time of its writes, in ms since the Unix epoch; 0 when there are none.
    pub fn updated_ms(&self) -> u64 {
        self.updated_ms
    }
}

// What an edit must name.
impl Document {
    /// The operations whose values an edit of this register replaces: all visible ones, sorted.
    pub fn replaces(&self, field: Field) -> Vec<Fingerprint> {
        self.registers.names(&field)
    }

    /// The same for a key of the metadata.
    pub fn metadata_replaces(&self, key: &str) -> Vec<Fingerprint> {
        self.metadata.names(key)
    }

    /// The operations whose adds a removal of this tag removes: all visible ones, sorted.
    pub fn tag_adds(&self, tag: &str) -> Vec<Fingerprint> {
        self.tags.names(tag)
    }
}
