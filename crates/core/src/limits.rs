//! Every bound of the format and the protocol, each with its unit and its reason.
//!
//! A number that two places must agree on stands here and nowhere else. The bounds of the wire format can be
//! raised by a later version, never lowered: an operation that was admitted once must stay admissible.

/// Version of the operation format: the first element of every header.
pub const FORMAT_VERSION: u64 = 1;

/// Version of the protocol that nodes speak: the first element of every message.
pub const PROTOCOL_VERSION: u64 = 1;

/// Bytes of one header. The largest legal header (16 dependencies) takes about 1.1 KiB; the rest is room.
pub const HEADER_BYTES_MAX: usize = 2 * 1024;

/// Bytes of one payload that a replica writes unless it is configured otherwise: 64 KiB of words is a long memory.
pub const PAYLOAD_BYTES_DEFAULT: usize = 64 * 1024;

/// Bytes of one payload that admission accepts at all: larger things are files, not memories.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024 - 16 * 1024;

/// Bytes of one encoded operation: header, signature, salt, payload and their framing.
pub const OPERATION_BYTES_MAX: usize = HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX + 256;

/// Bytes that an operation counts for beside its header and payload: signature, salt and their framing, rounded up.
pub const OPERATION_EXTRA_BYTES: usize = 100;

/// Dependencies of one operation: the newest heads seen, not all of them.
pub const DEPENDENCIES_MAX: usize = 16;

/// Operations of one segment: bounds what is buffered before its seal is checked.
pub const SEGMENT_OPERATIONS_MAX: usize = 64;

/// Bytes of one segment; a segment that holds a single large operation may exceed it up to the frame.
pub const SEGMENT_BYTES_MAX: usize = 256 * 1024;

/// Bytes of one frame. Larger than the largest legal operation, or that operation could never be sent.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

const _: () = assert!(OPERATION_BYTES_MAX < FRAME_BYTES_MAX);

/// Wishes in one message, and log states in one list: a full list of them fits a frame.
pub const WANTS_MAX: usize = 8 * 1024;

/// Places that one probe asks about.
pub const PROBES_MAX: usize = 64;

/// Single operations that one message asks for.
pub const FINDS_MAX: usize = 256;

/// Bytes of segments in one frame: what heads and lists around them take stays below the rest.
pub const CARRIED_BYTES_MAX: usize = FRAME_BYTES_MAX - 2 * 1024;

const _: () = assert!(OPERATION_BYTES_MAX + 64 < CARRIED_BYTES_MAX);

/// Proofs in one message; one of two full branches takes up to 260 KiB, and most are of two headers.
pub const PROOFS_MAX: usize = 256;

/// Peers in one message: more than anyone dials.
pub const PEERS_MAX: usize = 1024;

/// Ranges in one message; with [`WANTS_MAX`] log states among them they fit a frame.
pub const RANGES_MAX: usize = 4 * 1024;

/// Bytes of a stable code that one node tells another.
pub const CODE_BYTES_MAX: usize = 64;

/// Bytes of the words in which a node says why it closes a link.
pub const WHY_BYTES_MAX: usize = 512;

/// Bytes of a replica's address.
pub const ADDRESS_BYTES_MAX: usize = 256;

/// Addresses in one token: a joiner needs one that answers, and a token should fit a chat message.
pub const TOKEN_ADDRESSES_MAX: usize = 8;

/// Characters of one token: the addresses take most of it.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Bytes of a memory's id.
pub const MEMORY_ID_BYTES_MAX: usize = 256;

/// Bytes of a name: agent, tag, type, tier, speaker, thread, scope, metadata key.
pub const NAME_BYTES_MAX: usize = 1024;

/// Changes in one write.
pub const CHANGES_MAX: usize = 256;

/// Elements of one list inside a payload: tags added at once, links added at once, counted memories.
pub const ELEMENTS_MAX: usize = 1024;

/// Values that one edit of a register may replace, and adds that one removal of a tag may name.
pub const REPLACES_MAX: usize = 1024;

/// Bytes of a vector attached by its author: 16,384 dimensions of 4 bytes.
pub const VECTOR_BYTES_MAX: usize = 64 * 1024;

/// Largest number of uses of one memory that one operation may count.
pub const TOUCH_DELTA_MAX: u64 = 100;

/// How far ahead of the reader's clock an operation may be before its effect waits, in milliseconds.
pub const EMBARGO_MS: u64 = 10 * 60 * 1000;

/// Nesting of CBOR arrays in a payload; the format itself needs five.
pub const NESTING_MAX: usize = 8;

/// Greatest time, sequence number and Lamport time: leaves room to add without overflow and fits SQLite's integers.
pub const INTEGER_MAX: u64 = i64::MAX as u64 - 1;
