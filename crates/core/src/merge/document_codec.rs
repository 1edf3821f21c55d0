//! A document as canonical CBOR, for caches: derived state, which can be dropped and made again from the log.
//!
//! One state has one encoding, so two replicas can compare documents by their bytes.

use std::sync::Arc;

use crate::codec::{Decoder, Encoder};
use crate::error::{Refusal, Result};
use crate::id::{ContentDigest, Fingerprint, ReplicaKey};
use crate::limits;
use crate::operation::{read_fingerprint, strictly_ascending};
use crate::payload::{Collection, Field, Score, Value};

use super::document::{Document, Head, Origin, Vote, Written};
use super::latest::{Latest, Said};
use super::observed::{Observed, Standing};

/// Version of this encoding. A cache with another one is made again, not read.
const VERSION: u64 = 1;

const ELEMENTS: usize = 11;

impl Document {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::with_capacity(512);
        self.write(&mut encoder);
        encoder.finish()
    }

    pub(super) fn write(&self, e: &mut Encoder) {
        e.array(ELEMENTS).uint(VERSION);
        write_observed(e, &self.registers, write_field, write_register);
        write_observed(e, &self.metadata, write_name, write_metadata);
        write_observed(e, &self.tags, write_name, write_nothing);
        e.list(self.elements.iter(), |e, (collection, element)| {
            e.array(2).uint(*collection as u64).text(element);
        });
        write_latest(e, &self.scores, write_score_key, write_score);
        write_latest(e, &self.votes, write_replica, write_vote);
        write_latest(e, &self.vectors, write_vector_key, write_vector);
        e.optional(self.origin.as_ref(), write_origin).optional(self.head.as_ref(), write_head).uint(self.updated_ms);
    }

    /// Reads the canonical bytes; refuses whatever [`Document::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut decoder = Decoder::new(bytes);
        let document = Self::read(&mut decoder)?;
        decoder.finish()?;
        Ok(document)
    }

    pub(super) fn read(d: &mut Decoder<'_>) -> Result<Self> {
        d.array(ELEMENTS, "a document has eleven elements")?;
        let version = d.uint(u64::MAX, "version")?;
        if version != VERSION {
            return Err(Refusal::UnknownVersion(version));
        }
        Ok(Self {
            registers: read_observed(d, read_field, read_register)?,
            metadata: read_observed(d, read_name, read_metadata)?,
            tags: read_observed(d, read_name, read_nothing)?,
            elements: read_elements(d)?,
            scores: read_latest(d, read_score_key, read_score)?,
            votes: read_latest(d, read_replica, read_vote)?,
            vectors: read_latest(d, read_vector_key, read_vector)?,
            origin: d.optional(read_origin)?,
            head: d.optional(read_head)?,
            updated_ms: read_time(d)?,
        })
    }
}

fn write_observed<K, V>(
    e: &mut Encoder,
    observed: &Observed<K, Fingerprint, V>,
    write_key: impl Fn(&mut Encoder, &K),
    write_value: impl Fn(&mut Encoder, &V),
) where
    K: Ord + Clone,
    V: Clone,
{
    e.array(2);
    e.list(observed.standing().iter(), |e, one| {
        write_key(e.array(3), &one.key);
        e.bytes(one.name.as_bytes());
        write_value(e, &one.value);
    });
    e.list(observed.removed().iter(), |e, (key, name)| {
        write_key(e.array(2), key);
        e.bytes(name.as_bytes());
    });
}

fn read_observed<K: Ord + Clone, V: Clone>(
    d: &mut Decoder<'_>,
    read_key: impl Fn(&mut Decoder<'_>) -> Result<K>,
    read_value: impl Fn(&mut Decoder<'_>, &K) -> Result<V>,
) -> Result<Observed<K, Fingerprint, V>> {
    d.array(2, "values and marks")?;
    let standing = read_list(d, |d| {
        d.array(3, "a standing value has three elements")?;
        let (key, name) = (read_key(d)?, read_fingerprint(d)?);
        let value = read_value(d, &key)?;
        Ok(Standing { key, name, value })
    })?;
    let removed = read_list(d, |d| {
        d.array(2, "a mark has two elements")?;
        Ok((read_key(d)?, read_fingerprint(d)?))
    })?;
    Observed::from_parts(standing, removed).ok_or(Refusal::Malformed("values or marks are not sorted and unique"))
}

fn write_latest<K: Ord + Clone, V: Clone>(
    e: &mut Encoder,
    latest: &Latest<K, V>,
    write_key: impl Fn(&mut Encoder, &K),
    write_value: impl Fn(&mut Encoder, &V),
) {
    e.list(latest.all().iter(), |e, said| {
        write_key(e.array(4), &said.key);
        e.uint(said.lamport).bytes(said.fingerprint.as_bytes());
        write_value(e, &said.value);
    });
}

fn read_latest<K: Ord + Clone, V: Clone>(
    d: &mut Decoder<'_>,
    read_key: impl Fn(&mut Decoder<'_>) -> Result<K>,
    read_value: impl Fn(&mut Decoder<'_>) -> Result<V>,
) -> Result<Latest<K, V>> {
    let said = read_list(d, |d| {
        d.array(4, "what was said has four elements")?;
        let (key, lamport, fingerprint) = (read_key(d)?, read_time(d)?, read_fingerprint(d)?);
        Ok(Said { key, lamport, fingerprint, value: read_value(d)? })
    })?;
    Latest::from_parts(said).ok_or(Refusal::Malformed("what was said is not sorted and unique"))
}

/// A list without a bound of its own: a memory may have any number of operations. It grows as it is read, so that a
/// lying length reserves nothing.
fn read_list<T>(d: &mut Decoder<'_>, mut read: impl FnMut(&mut Decoder<'_>) -> Result<T>) -> Result<Vec<T>> {
    let length = d.array_up_to(usize::MAX, "list")?;
    let mut values = Vec::new();
    for _ in 0..length {
        values.push(read(d)?);
    }
    Ok(values)
}

fn write_register(e: &mut Encoder, written: &Written<Arc<Value>>) {
    e.array(2).uint(written.lamport);
    written.value.write(e);
}

fn read_register(d: &mut Decoder<'_>, field: &Field) -> Result<Written<Arc<Value>>> {
    d.array(2, "a register's value has two elements")?;
    Ok(Written { lamport: read_time(d)?, value: Arc::new(Value::read(d, *field)?) })
}

fn write_metadata(e: &mut Encoder, written: &Written<Option<Arc<str>>>) {
    e.array(2).uint(written.lamport).optional(written.value.as_deref(), |e, value| {
        e.text(value);
    });
}

fn read_metadata(d: &mut Decoder<'_>, _: &Arc<str>) -> Result<Written<Option<Arc<str>>>> {
    d.array(2, "a value of the metadata has two elements")?;
    let lamport = read_time(d)?;
    let value = d.optional(|d| d.text(limits::PAYLOAD_BYTES_MAX, "metadata (bytes)").map(Arc::from))?;
    Ok(Written { lamport, value })
}

fn write_score_key(e: &mut Encoder, (score, author): &(Score, ReplicaKey)) {
    e.array(2).uint(*score as u64).bytes(author.as_bytes());
}

fn read_score_key(d: &mut Decoder<'_>) -> Result<(Score, ReplicaKey)> {
    d.array(2, "a score's key has two elements")?;
    Ok((pick(d, Score::ALL)?, read_replica(d)?))
}

fn write_vote(e: &mut Encoder, vote: &Vote) {
    e.array(2).bytes(vote.content.as_bytes()).uint(u64::from(vote.confidence));
}

fn read_vote(d: &mut Decoder<'_>) -> Result<Vote> {
    d.array(2, "a vote has two elements")?;
    Ok(Vote { content: read_content(d)?, confidence: d.uint(u64::from(u16::MAX), "confidence")? as u16 })
}

fn write_vector_key(e: &mut Encoder, (content, model): &(ContentDigest, Arc<str>)) {
    e.array(2).bytes(content.as_bytes()).text(model);
}

fn read_vector_key(d: &mut Decoder<'_>) -> Result<(ContentDigest, Arc<str>)> {
    d.array(2, "a vector's key has two elements")?;
    Ok((read_content(d)?, read_name(d)?))
}

fn write_origin(e: &mut Encoder, origin: &Origin) {
    e.array(5).uint(origin.lamport).bytes(origin.fingerprint.as_bytes()).bytes(origin.author.as_bytes());
    e.text(&origin.agent).uint(origin.created_ms);
}

fn read_origin(d: &mut Decoder<'_>) -> Result<Origin> {
    d.array(5, "an origin has five elements")?;
    Ok(Origin {
        lamport: read_time(d)?,
        fingerprint: read_fingerprint(d)?,
        author: read_replica(d)?,
        agent: read_name(d)?,
        created_ms: read_time(d)?,
    })
}

fn write_head(e: &mut Encoder, head: &Head) {
    e.array(3).uint(head.lamport).bytes(head.fingerprint.as_bytes()).text(&head.agent);
}

fn read_head(d: &mut Decoder<'_>) -> Result<Head> {
    d.array(3, "a head has three elements")?;
    Ok(Head { lamport: read_time(d)?, fingerprint: read_fingerprint(d)?, agent: read_name(d)? })
}

fn read_elements(d: &mut Decoder<'_>) -> Result<Vec<(Collection, Arc<str>)>> {
    let elements = read_list(d, |d| {
        d.array(2, "an element has two elements")?;
        Ok((pick(d, Collection::ALL)?, read_name(d)?))
    })?;
    if !strictly_ascending(&elements) {
        return Err(Refusal::Malformed("elements are not sorted and unique"));
    }
    Ok(elements)
}

fn pick<T: Copy, const N: usize>(d: &mut Decoder<'_>, all: [T; N]) -> Result<T> {
    let number = d.uint(u64::from(u8::MAX), "number")?;
    all.get(number as usize).copied().ok_or(Refusal::Malformed("an unknown number"))
}

fn write_score(e: &mut Encoder, score: &u16) {
    e.uint(u64::from(*score));
}

fn read_score(d: &mut Decoder<'_>) -> Result<u16> {
    d.uint(u64::from(u16::MAX), "score").map(|score| score as u16)
}

fn write_vector(e: &mut Encoder, vector: &Arc<[u8]>) {
    e.bytes(vector);
}

fn read_vector(d: &mut Decoder<'_>) -> Result<Arc<[u8]>> {
    d.bytes(limits::VECTOR_BYTES_MAX, "vector (bytes)").map(Arc::from)
}

fn write_field(e: &mut Encoder, field: &Field) {
    e.uint(*field as u64);
}

fn read_field(d: &mut Decoder<'_>) -> Result<Field> {
    Field::from_number(d.uint(u64::from(u8::MAX), "field")?)
}

fn write_name(e: &mut Encoder, name: &Arc<str>) {
    e.text(name);
}

fn read_name(d: &mut Decoder<'_>) -> Result<Arc<str>> {
    d.text(limits::NAME_BYTES_MAX, "name (bytes)").map(Arc::from)
}

fn write_nothing(e: &mut Encoder, (): &()) {
    e.null();
}

fn read_nothing(d: &mut Decoder<'_>, _: &Arc<str>) -> Result<()> {
    match d.optional(|_| Ok(()))? {
        None => Ok(()),
        Some(()) => Err(Refusal::Malformed("a tag has no value")),
    }
}

fn read_time(d: &mut Decoder<'_>) -> Result<u64> {
    d.uint(limits::INTEGER_MAX, "time")
}

fn write_replica(e: &mut Encoder, replica: &ReplicaKey) {
    e.bytes(replica.as_bytes());
}

fn read_replica(d: &mut Decoder<'_>) -> Result<ReplicaKey> {
    ReplicaKey::from_slice(d.bytes(ReplicaKey::LENGTH, "replica key")?)
}

fn read_content(d: &mut Decoder<'_>) -> Result<ContentDigest> {
    ContentDigest::from_slice(d.bytes(ContentDigest::LENGTH, "content digest")?)
}
