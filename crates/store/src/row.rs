//! A memory as the views hold it: plain data, ready to be read.

use chrysalis_core::codec::{Decoder, Encoder};
use chrysalis_core::id::{Fingerprint, ReplicaKey, Signature};
use chrysalis_core::limits;
use chrysalis_core::operation::{Header, fingerprint};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql};

use crate::error::StoreError;
use crate::ledger::damaged;

/// One memory as it reads now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoryRow {
    /// The store's own number for it; derived files go by it.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// Position in the feed of changes: grows with every change of this row.
    pub changed: i64,
    /// How many writes it is the join of.
    pub version: i64,
    /// The replica that created it.
    pub author: ReplicaKey,
    /// The agent that spoke last.
    pub agent: String,
    /// When it was created, in ms since the Unix epoch.
    pub created_at: i64,
    /// When it was last written, in ms since the Unix epoch.
    pub updated_at: i64,
    /// Fixed point: 0 is 0.0, 65,535 is 1.0.
    pub importance: u16,
    /// Fixed point: 0 is 0.0, 65,535 is 1.0.
    pub confidence: u16,
    /// How often it was used.
    pub access_count: i64,
    /// Fields with concurrent values, a bit for each by its number; bit 9 is the metadata.
    pub conflicts: u16,
    /// `working` or `long_term`.
    pub tier: String,
    /// Episodic, semantic and so on.
    pub memory_type: String,
    /// Path inside the space.
    pub scope: String,
    /// The conversation it was said in.
    pub thread: Option<String>,
    /// Who said it.
    pub speaker: Option<String>,
    /// When it happened, in ms since the Unix epoch.
    pub occurred_at: Option<i64>,
    /// From when it holds, in ms since the Unix epoch.
    pub valid_from: Option<i64>,
    /// Until when it holds, in ms since the Unix epoch.
    pub valid_until: Option<i64>,
    /// When it fades, in ms since the Unix epoch.
    pub expires_at: Option<i64>,
    /// Packed texts: see [`unpack`].
    pub tags: Option<Vec<u8>>,
    /// Packed texts.
    pub evidence: Option<Vec<u8>>,
    /// Packed texts.
    pub related: Option<Vec<u8>>,
    /// Packed texts.
    pub parents: Option<Vec<u8>>,
    /// Packed texts: key, JSON, key, JSON, ...
    pub metadata: Option<Vec<u8>>,
    /// The words.
    pub content: String,
    /// The header of the operation that wrote last.
    pub header: Box<[u8]>,
    /// Its signature.
    pub signature: Signature,
    /// Its Lamport time.
    pub lamport: u64,
    /// Its log, by the store's number, and its place there.
    pub place: (u32, u64),
}

/// Texts as one canonical list; none for an empty one.
pub fn pack<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
    let texts: Vec<&str> = texts.collect();
    if texts.is_empty() {
        return None;
    }
    let mut encoder = Encoder::default();
    encoder.list(texts.iter(), |e, text| {
        e.text(text);
    });
    Some(encoder.finish())
}

/// The texts that [`pack`] packed.
pub fn unpack(packed: Option<&[u8]>) -> Result<Vec<&str>, StoreError> {
    let Some(packed) = packed else { return Ok(Vec::new()) };
    let mut decoder = Decoder::new(packed);
    let texts = decoder.list(usize::MAX, "list", |d| d.text(limits::PAYLOAD_BYTES_MAX, "text"));
    texts.map_err(|refusal| damaged(format!("a list of a memory: {refusal}")))
}

/// Columns of the view, in the order of [`MemoryRow::read`]: `m` is the memory, `o` its head operation, `l` the log of
/// its creator.
pub(crate) const COLUMNS: &str = "m.number, m.id, m.changed, m.version, m.agent, m.created_at, m.updated_at,
    m.importance, m.confidence, m.access_count, m.conflicts, m.tier, m.memory_type, m.scope, m.thread, m.speaker,
    m.occurred_at, m.valid_from, m.valid_until, m.expires_at, m.tags, m.evidence, m.related, m.parents, m.metadata,
    m.content, o.header, o.signature, o.log, l.replica";

/// Where those columns come from.
pub(crate) const TABLES: &str = "memory m CROSS JOIN operation o ON o.position = m.head
    CROSS JOIN log l ON l.number = m.author";

impl MemoryRow {
    /// Reads a row of [`COLUMNS`].
    pub(crate) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let bytes = |index| row.get_ref(index)?.as_blob().map_err(|_| damaged("a column of a memory is no blob"));
        let wrong = |refusal| damaged(format!("the head of a memory: {refusal}"));
        let header_bytes = bytes(26)?;
        let header = Header::decode(header_bytes).map_err(wrong)?;
        Ok(Self {
            number: row.get(0)?,
            id: row.get(1)?,
            changed: row.get(2)?,
            version: row.get(3)?,
            agent: row.get(4)?,
            created_at: row.get(5)?,
            updated_at: row.get(6)?,
            importance: row.get(7)?,
            confidence: row.get(8)?,
            access_count: row.get(9)?,
            conflicts: row.get(10)?,
            tier: row.get(11)?,
            memory_type: row.get(12)?,
            scope: row.get(13)?,
            thread: row.get(14)?,
            speaker: row.get(15)?,
            occurred_at: row.get(16)?,
            valid_from: row.get(17)?,
            valid_until: row.get(18)?,
            expires_at: row.get(19)?,
            tags: row.get(20)?,
            evidence: row.get(21)?,
            related: row.get(22)?,
            parents: row.get(23)?,
            metadata: row.get(24)?,
            content: row.get(25)?,
            header: header_bytes.into(),
            signature: Signature::from_slice(bytes(27)?).map_err(wrong)?,
            lamport: header.lamport,
            place: (row.get(28)?, header.sequence),
            author: ReplicaKey::from_slice(bytes(29)?).map_err(wrong)?,
        })
    }

    /// The operation that wrote last. Hashed when asked for: in a list of a thousand that would take a fifth of the time.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.header)
    }

    /// The names of the fields with concurrent values.
    pub fn conflict_names(&self) -> Vec<&'static str> {
        use chrysalis_core::payload::Field;
        let fields = Field::ALL.into_iter().filter(|field| self.conflicts >> *field as u16 & 1 == 1).map(Field::name);
        fields.chain((self.conflicts >> METADATA_CONFLICT & 1 == 1).then_some("metadata")).collect()
    }
}

/// The bit of `conflicts` that stands for the metadata.
pub(crate) const METADATA_CONFLICT: u16 = 9;

/// The memory with this id, unless it is past its time.
pub fn by_id(connection: &Connection, id: &str, now_ms: i64) -> Result<Option<MemoryRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE m.id = ?1 AND (m.expires_at IS NULL OR m.expires_at > ?2)");
    one(connection, &sql, &[&id, &now_ms])
}

/// The memory with this number, whatever its time.
pub fn by_number(connection: &Connection, number: i64) -> Result<Option<MemoryRow>, StoreError> {
    one(connection, &format!("SELECT {COLUMNS} FROM {TABLES} WHERE m.number = ?1"), &[&number])
}

fn one(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Option<MemoryRow>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row(values, |row| Ok(MemoryRow::read(row))).optional()?.transpose()
}
