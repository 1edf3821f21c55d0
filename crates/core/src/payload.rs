//! Payloads: what each kind of operation says. Fixed positions, sorted and unique lists, bounds on everything.

use crate::codec::{Decoder, Encoder};
use crate::error::{Refusal, Result};
use crate::id::{ContentDigest, Fingerprint, LogId, MemoryId, ReplicaKey, WithdrawalDigest};
use crate::limits;
use crate::member::Open;
use crate::operation::{Kind, read_fingerprint, strictly_ascending};

/// A register of a memory. The numbers are the wire format's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Field {
    /// The words: text.
    Content = 0,
    /// `working` or `long_term`: text.
    Tier = 1,
    /// Episodic, semantic and so on: text.
    MemoryType = 2,
    /// Path inside the space: text.
    Scope = 3,
    /// The conversation it was said in: text or null.
    Thread = 4,
    /// Who said it: text or null.
    Speaker = 5,
    /// When it happened, in ms since the Unix epoch: integer or null.
    OccurredAt = 6,
    /// From when until when it holds, in ms since the Unix epoch: a span.
    Validity = 7,
    /// When it fades, in ms since the Unix epoch: integer or null.
    Expiry = 8,
}

impl Field {
    /// Every field, in the order of its number.
    pub const ALL: [Field; 9] = [
        Field::Content,
        Field::Tier,
        Field::MemoryType,
        Field::Scope,
        Field::Thread,
        Field::Speaker,
        Field::OccurredAt,
        Field::Validity,
        Field::Expiry,
    ];

    /// The field with this number.
    pub fn from_number(number: u64) -> Result<Self> {
        let known = usize::try_from(number).ok().and_then(|number| Self::ALL.get(number));
        known.copied().ok_or(Refusal::Malformed("an unknown field"))
    }

    /// The name users see.
    pub fn name(self) -> &'static str {
        match self {
            Field::Content => "content",
            Field::Tier => "tier",
            Field::MemoryType => "memory_type",
            Field::Scope => "scope",
            Field::Thread => "thread",
            Field::Speaker => "speaker",
            Field::OccurredAt => "occurred_at",
            Field::Validity => "validity",
            Field::Expiry => "expires_at",
        }
    }

    fn accepts(self, value: &Value) -> bool {
        match self {
            Field::Content | Field::Tier | Field::MemoryType | Field::Scope => matches!(value, Value::Text(_)),
            Field::Thread | Field::Speaker => matches!(value, Value::Text(_) | Value::Null),
            Field::OccurredAt | Field::Expiry => matches!(value, Value::Integer(_) | Value::Null),
            Field::Validity => matches!(value, Value::Span(..)),
        }
    }

    fn text_bytes_max(self) -> usize {
        if self == Field::Content { limits::PAYLOAD_BYTES_MAX } else { limits::NAME_BYTES_MAX }
    }
}

/// What a register holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Value {
    /// Nothing.
    Null,
    /// A time or a number.
    Integer(i64),
    /// Words.
    Text(String),
    /// A half-open interval of times; an open end is `None`.
    Span(Option<i64>, Option<i64>),
}

impl Value {
    pub(crate) fn write(&self, encoder: &mut Encoder) {
        match self {
            Value::Null => encoder.null(),
            Value::Integer(number) => encoder.int(*number),
            Value::Text(text) => encoder.text(text),
            Value::Span(from, until) => {
                encoder.array(2);
                encoder.optional(*from, |e, at| {
                    e.int(at);
                });
                encoder.optional(*until, |e, at| {
                    e.int(at);
                })
            }
        };
    }

    pub(crate) fn read(decoder: &mut Decoder<'_>, field: Field) -> Result<Self> {
        let value = match field {
            Field::Validity => {
                decoder.array(2, "a span has two ends")?;
                let from = decoder.optional(|d| d.int("time"))?;
                Value::Span(from, decoder.optional(|d| d.int("time"))?)
            }
            Field::OccurredAt | Field::Expiry => {
                decoder.optional(|d| d.int("time"))?.map_or(Value::Null, Value::Integer)
            }
            _ => {
                let text = decoder.optional(|d| d.text(field.text_bytes_max(), "text (bytes)"))?;
                text.map_or(Value::Null, |text| Value::Text(text.to_owned()))
            }
        };
        if field.accepts(&value) { Ok(value) } else { Err(Refusal::Malformed("a value does not fit its field")) }
    }
}

/// A grow-only set of a memory. The numbers are the wire format's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Collection {
    /// What supports it.
    Evidence = 0,
    /// Memories that have to do with it.
    Related = 1,
    /// Memories that it came from.
    Parents = 2,
}

impl Collection {
    /// Every collection, in the order of its number.
    pub const ALL: [Collection; 3] = [Collection::Evidence, Collection::Related, Collection::Parents];

    fn from_number(number: u64) -> Result<Self> {
        let known = usize::try_from(number).ok().and_then(|number| Self::ALL.get(number));
        known.copied().ok_or(Refusal::Malformed("an unknown collection"))
    }

    /// The name users see.
    pub fn name(self) -> &'static str {
        match self {
            Collection::Evidence => "evidence",
            Collection::Related => "related",
            Collection::Parents => "parents",
        }
    }
}

/// A score that each author keeps for himself. The numbers are the wire format's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Score {
    /// How much it matters.
    Importance = 0,
    /// How sure its author is.
    Confidence = 1,
}

impl Score {
    /// Every score, in the order of its number.
    pub const ALL: [Score; 2] = [Score::Importance, Score::Confidence];

    fn from_number(number: u64) -> Result<Self> {
        let known = usize::try_from(number).ok().and_then(|number| Self::ALL.get(number));
        known.copied().ok_or(Refusal::Malformed("an unknown score"))
    }

    /// The name users see.
    pub fn name(self) -> &'static str {
        match self {
            Score::Importance => "importance",
            Score::Confidence => "confidence",
        }
    }
}

/// One change to one memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Sets a register, replacing the values that these operations wrote.
    Register {
        /// Which register.
        field: Field,
        /// Its new value.
        value: Value,
        /// The operations whose values its author saw and replaced.
        replaces: Vec<Fingerprint>,
    },
    /// Sets or, with `None`, clears a key of the metadata.
    Metadata {
        /// The key.
        key: String,
        /// JSON text.
        value: Option<String>,
        /// The operations whose values its author saw and replaced.
        replaces: Vec<Fingerprint>,
    },
    /// Adds tags: each add is named by this operation's fingerprint.
    AddTags(Vec<String>),
    /// Removes a tag, as far as these operations added it.
    RemoveTag {
        /// The tag.
        tag: String,
        /// The operations whose adds its author saw.
        adds: Vec<Fingerprint>,
    },
    /// Adds to a grow-only set.
    Grow {
        /// Which set.
        collection: Collection,
        /// What is added.
        elements: Vec<String>,
    },
    /// Sets the author's own score.
    Rate {
        /// Which score.
        score: Score,
        /// Fixed point: 0 is 0.0, 65,535 is 1.0.
        value: u16,
    },
    /// Attaches a vector.
    Embed {
        /// The model that made it.
        model: String,
        /// The content it was made from.
        content: ContentDigest,
        /// Opaque little-endian numbers.
        vector: Vec<u8>,
    },
}

impl Change {
    /// What makes two changes the same place of a memory; a write holds each place once, in this order.
    fn place(&self) -> (u8, u8, &str) {
        match self {
            Change::Register { field, .. } => (0, *field as u8, ""),
            Change::Metadata { key, .. } => (1, 0, key),
            Change::AddTags(_) => (2, 0, ""),
            Change::RemoveTag { tag, .. } => (3, 0, tag),
            Change::Grow { collection, .. } => (4, *collection as u8, ""),
            Change::Rate { score, .. } => (5, *score as u8, ""),
            Change::Embed { model, .. } => (6, 0, model),
        }
    }

    fn write(&self, e: &mut Encoder) {
        match self {
            Change::Register { field, value, replaces } => {
                e.array(4).uint(0).uint(*field as u64);
                value.write(e);
                write_fingerprints(e, replaces);
            }
            Change::Metadata { key, value, replaces } => {
                e.array(4).uint(1).text(key).optional(value.as_deref(), |e, value| {
                    e.text(value);
                });
                write_fingerprints(e, replaces);
            }
            Change::AddTags(tags) => write_texts(e.array(2).uint(2), tags),
            Change::RemoveTag { tag, adds } => write_fingerprints(e.array(3).uint(3).text(tag), adds),
            Change::Grow { collection, elements } => write_texts(e.array(3).uint(4).uint(*collection as u64), elements),
            Change::Rate { score, value } => {
                e.array(3).uint(5).uint(*score as u64).uint(u64::from(*value));
            }
            Change::Embed { model, content, vector } => {
                e.array(4).uint(6).text(model).bytes(content.as_bytes()).bytes(vector);
            }
        }
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self> {
        let length = d.array_up_to(4, "change")?;
        let code = d.uint(u64::from(u8::MAX), "change")?;
        match (code, length) {
            (0, 4) => {
                let field = Field::from_number(d.uint(u64::from(u8::MAX), "field")?)?;
                Ok(Change::Register { field, value: Value::read(d, field)?, replaces: read_fingerprints(d)? })
            }
            (1, 4) => {
                let key = read_name(d)?;
                let value = d.optional(|d| d.text(limits::PAYLOAD_BYTES_MAX, "metadata (bytes)").map(str::to_owned))?;
                Ok(Change::Metadata { key, value, replaces: read_fingerprints(d)? })
            }
            (2, 2) => Ok(Change::AddTags(read_texts(d)?)),
            (3, 3) => Ok(Change::RemoveTag { tag: read_name(d)?, adds: read_fingerprints(d)? }),
            (4, 3) => {
                let collection = Collection::from_number(d.uint(u64::from(u8::MAX), "collection")?)?;
                Ok(Change::Grow { collection, elements: read_texts(d)? })
            }
            (5, 3) => {
                let score = Score::from_number(d.uint(u64::from(u8::MAX), "score")?)?;
                Ok(Change::Rate { score, value: d.uint(u64::from(u16::MAX), "score")? as u16 })
            }
            (6, 4) => {
                let model = read_name(d)?;
                let content = ContentDigest::from_slice(d.bytes(ContentDigest::LENGTH, "content digest")?)?;
                Ok(Change::Embed {
                    model,
                    content,
                    vector: d.bytes(limits::VECTOR_BYTES_MAX, "vector (bytes)")?.to_vec(),
                })
            }
            _ => Err(Refusal::Malformed("an unknown change")),
        }
    }
}

/// Creates or edits one memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// The memory.
    pub memory: MemoryId,
    /// The name of the agent that spoke.
    pub agent: String,
    /// The operation that created the memory, as its author saw it; none when this one does. Forgetting goes by it.
    pub root: Option<Fingerprint>,
    /// The changes, each place once, in the order of their places.
    pub changes: Vec<Change>,
}

/// Forgets one memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forget {
    /// The memory.
    pub memory: MemoryId,
    /// The operation that created it: its log shows, by the header alone, whether the signer is its author.
    pub root: Option<Fingerprint>,
    /// Why, in words; may be empty.
    pub reason: String,
    /// When the content is withdrawn: it is refused under any id.
    pub withdrawal: Option<WithdrawalDigest>,
}

/// A vote on a memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attest {
    /// The memory.
    pub memory: MemoryId,
    /// The content that the voter saw.
    pub content: ContentDigest,
    /// Fixed point: 0 is 0.0, 65,535 is 1.0.
    pub confidence: u16,
}

/// A place in a log: everything up to and with it counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// The log.
    pub log: LogId,
    /// The sequence number there.
    pub sequence: u64,
    /// The operation there.
    pub fingerprint: Fingerprint,
}

/// Ends a replica's membership: what stands after these positions is void, and so is every log not named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remove {
    /// Whose membership ends.
    pub replica: ReplicaKey,
    /// The last operation of each of its logs that still counts, sorted.
    pub last: Vec<Position>,
}

/// Sets a setting of the space: a register by key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Configure {
    /// The setting.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The operations whose values its author saw and replaced.
    pub replaces: Vec<Fingerprint>,
}

/// What an operation says, by kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payload {
    /// See [`Open`].
    Open(Box<Open>),
    /// See [`Write`].
    Write(Write),
    /// See [`Forget`].
    Forget(Forget),
    /// Uses of memories, each 1 to 100, sorted by memory.
    Touch(Vec<(MemoryId, u64)>),
    /// See [`Attest`].
    Attest(Attest),
    /// See [`Remove`].
    Remove(Remove),
    /// See [`Configure`].
    Configure(Configure),
}

impl Payload {
    /// The kind of operation that carries it.
    pub fn kind(&self) -> Kind {
        match self {
            Payload::Open(_) => Kind::Open,
            Payload::Write(_) => Kind::Write,
            Payload::Forget(_) => Kind::Forget,
            Payload::Touch(_) => Kind::Touch,
            Payload::Attest(_) => Kind::Attest,
            Payload::Remove(_) => Kind::Remove,
            Payload::Configure(_) => Kind::Configure,
        }
    }

    /// The canonical bytes. The caller has sorted what must be sorted; [`Payload::decode`] refuses it otherwise.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::with_capacity(256);
        let e = &mut encoder;
        match self {
            Payload::Open(open) => open.write(e),
            Payload::Write(write) => {
                e.array(4).text(write.memory.as_str()).text(&write.agent);
                e.optional(write.root, |e, root| {
                    e.bytes(root.as_bytes());
                });
                e.list(write.changes.iter(), |e, change| change.write(e));
            }
            Payload::Forget(forget) => {
                e.array(4).text(forget.memory.as_str());
                e.optional(forget.root, |e, root| {
                    e.bytes(root.as_bytes());
                });
                e.text(&forget.reason).optional(forget.withdrawal, |e, digest| {
                    e.bytes(digest.as_bytes());
                });
            }
            Payload::Touch(uses) => {
                e.list(uses.iter(), |e, (memory, delta)| {
                    e.array(2).text(memory.as_str()).uint(*delta);
                });
            }
            Payload::Attest(vote) => {
                e.array(3).text(vote.memory.as_str()).bytes(vote.content.as_bytes()).uint(u64::from(vote.confidence));
            }
            Payload::Remove(removal) => {
                e.array(2).bytes(removal.replica.as_bytes());
                e.list(removal.last.iter(), |e, last| {
                    e.array(3).bytes(last.log.as_bytes()).uint(last.sequence).bytes(last.fingerprint.as_bytes());
                });
            }
            Payload::Configure(setting) => {
                e.array(3).text(&setting.key).text(&setting.value);
                write_fingerprints(e, &setting.replaces);
            }
        }
        encoder.finish()
    }

    /// Reads the canonical bytes of a payload of this kind.
    pub fn decode(kind: Kind, bytes: &[u8]) -> Result<Self> {
        let mut decoder = Decoder::new(bytes);
        let d = &mut decoder;
        let payload = match kind {
            Kind::Open => Payload::Open(Box::new(Open::read(d)?)),
            Kind::Write => Payload::Write(read_write(d)?),
            Kind::Forget => Payload::Forget(read_forget(d)?),
            Kind::Touch => Payload::Touch(read_touch(d)?),
            Kind::Attest => Payload::Attest(read_attest(d)?),
            Kind::Remove => Payload::Remove(read_remove(d)?),
            Kind::Configure => {
                d.array(3, "a setting has three elements")?;
                let (key, value) = (read_name(d)?, read_name(d)?);
                Payload::Configure(Configure { key, value, replaces: read_fingerprints(d)? })
            }
        };
        decoder.finish()?;
        Ok(payload)
    }
}

fn read_write(d: &mut Decoder<'_>) -> Result<Write> {
    d.array(4, "a write has four elements")?;
    let memory = read_memory(d)?;
    let agent = read_name(d)?;
    let root = d.optional(read_fingerprint)?;
    let changes = d.list(limits::CHANGES_MAX, "changes", Change::read)?;
    if changes.windows(2).any(|pair| pair[0].place() >= pair[1].place()) {
        return Err(Refusal::Malformed("changes are not sorted, or one place changes twice"));
    }
    Ok(Write { memory, agent, root, changes })
}

fn read_forget(d: &mut Decoder<'_>) -> Result<Forget> {
    d.array(4, "a forget has four elements")?;
    let memory = read_memory(d)?;
    let root = d.optional(read_fingerprint)?;
    let reason = d.text(limits::NAME_BYTES_MAX, "reason (bytes)")?.to_owned();
    let withdrawal = d.optional(|d| WithdrawalDigest::from_slice(d.bytes(WithdrawalDigest::LENGTH, "digest")?))?;
    Ok(Forget { memory, root, reason, withdrawal })
}

fn read_touch(d: &mut Decoder<'_>) -> Result<Vec<(MemoryId, u64)>> {
    let uses = d.list(limits::ELEMENTS_MAX, "uses", |d| {
        d.array(2, "a use has two elements")?;
        let memory = read_memory(d)?;
        match d.uint(limits::TOUCH_DELTA_MAX, "uses of one memory")? {
            0 => Err(Refusal::Malformed("a use of nothing")),
            delta => Ok((memory, delta)),
        }
    })?;
    if uses.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(Refusal::Malformed("uses are not sorted and unique"));
    }
    Ok(uses)
}

fn read_attest(d: &mut Decoder<'_>) -> Result<Attest> {
    d.array(3, "a vote has three elements")?;
    let memory = read_memory(d)?;
    let content = ContentDigest::from_slice(d.bytes(ContentDigest::LENGTH, "content digest")?)?;
    Ok(Attest { memory, content, confidence: d.uint(u64::from(u16::MAX), "confidence")? as u16 })
}

fn read_remove(d: &mut Decoder<'_>) -> Result<Remove> {
    d.array(2, "a removal has two elements")?;
    let replica = ReplicaKey::from_slice(d.bytes(ReplicaKey::LENGTH, "replica key")?)?;
    let last = d.list(limits::ELEMENTS_MAX, "positions", |d| {
        d.array(3, "a position has three elements")?;
        let log = LogId::from_slice(d.bytes(LogId::LENGTH, "log")?)?;
        let sequence = d.uint(limits::INTEGER_MAX, "sequence number")?;
        Ok(Position { log, sequence, fingerprint: read_fingerprint(d)? })
    })?;
    if last.windows(2).any(|pair| pair[0].log >= pair[1].log) {
        return Err(Refusal::Malformed("positions are not sorted and unique"));
    }
    Ok(Remove { replica, last })
}

fn read_memory(d: &mut Decoder<'_>) -> Result<MemoryId> {
    MemoryId::new(d.text(limits::MEMORY_ID_BYTES_MAX, "memory id (bytes)")?)
}

fn read_name(d: &mut Decoder<'_>) -> Result<String> {
    d.text(limits::NAME_BYTES_MAX, "name (bytes)").map(str::to_owned)
}

fn read_texts(d: &mut Decoder<'_>) -> Result<Vec<String>> {
    let texts = d.list(limits::ELEMENTS_MAX, "elements", read_name)?;
    if texts.is_empty() || !strictly_ascending(&texts) {
        return Err(Refusal::Malformed("a list is empty, unsorted or holds one element twice"));
    }
    Ok(texts)
}

fn read_fingerprints(d: &mut Decoder<'_>) -> Result<Vec<Fingerprint>> {
    let fingerprints = d.list(limits::REPLACES_MAX, "fingerprints", read_fingerprint)?;
    if !strictly_ascending(&fingerprints) {
        return Err(Refusal::Malformed("fingerprints are not sorted and unique"));
    }
    Ok(fingerprints)
}

fn write_texts(e: &mut Encoder, texts: &[String]) {
    e.list(texts.iter(), |e, text| {
        e.text(text);
    });
}

fn write_fingerprints(e: &mut Encoder, fingerprints: &[Fingerprint]) {
    e.list(fingerprints.iter(), |e, fingerprint| {
        e.bytes(fingerprint.as_bytes());
    });
}
