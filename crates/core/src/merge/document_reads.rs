//! Reading a document: the winners, what lost against them, and what an edit must name.

use crate::id::{ContentDigest, Fingerprint, ReplicaKey};
use crate::limits;
use crate::payload::{Collection, Field, Score, Value};

use super::document::{Document, Head, Loser, Origin, Reading, Vote};
use super::trimmed::trimmed_mean;

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

    /// The concurrent losers of the metadata that say something else than the winner of their key, as (key, operation,
    /// JSON text or none), by key and latest first.
    pub fn metadata_conflicts(&self) -> Vec<(&str, Fingerprint, Option<&str>)> {
        let mut losers = Vec::new();
        for of_key in self.metadata.standing().chunk_by(|a, b| a.key == b.key) {
            let mut written: Vec<_> = of_key.iter().collect();
            written.sort_unstable_by_key(|one| std::cmp::Reverse((one.value.lamport, one.name)));
            let Some((winner, others)) = written.split_first() else { continue };
            let differing = others.iter().filter(|one| one.value.value != winner.value.value);
            losers.extend(differing.map(|one| (&*one.key, one.name, one.value.value.as_deref())));
        }
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

// What an edit must name. One edit names a bounded number; what it leaves out stays visible until the next.
impl Document {
    /// The operations whose values an edit of this register replaces: all visible ones, sorted, at most
    /// [`limits::REPLACES_MAX`].
    pub fn replaces(&self, field: Field) -> Vec<Fingerprint> {
        bounded(self.registers.names(&field))
    }

    /// The same for a key of the metadata.
    pub fn metadata_replaces(&self, key: &str) -> Vec<Fingerprint> {
        bounded(self.metadata.names(key))
    }

    /// The operations whose adds a removal of this tag removes: all visible ones, sorted, at most
    /// [`limits::REPLACES_MAX`].
    pub fn tag_adds(&self, tag: &str) -> Vec<Fingerprint> {
        bounded(self.tags.names(tag))
    }
}

fn bounded(mut names: Vec<Fingerprint>) -> Vec<Fingerprint> {
    names.truncate(limits::REPLACES_MAX);
    names
}
