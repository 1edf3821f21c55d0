//! The bytes of a message: canonical CBOR, version and kind first, then fixed positions; bounds on every list.
//!
//! What can't be compressed (salts, signatures, digests) of packed segments stands behind all that can: see
//! [`super::packed`]. How the bytes of a message become those of a frame: see [`super::frame`].

use crate::codec::{Decoder, Encoder};
use crate::error::{Refusal, Result};
use crate::fork::Proof;
use crate::id::{LogId, Signature, SpaceId};
use crate::limits;
use crate::operation::{Operation, read_fingerprint};

use super::fields::{read_array, read_flag, read_key, read_log, read_sequence};
use super::message::{Carried, Credentials, Hello, Message, Nonce, Peer, Range, RangeContent, Summary};
use super::packed::{Noise, PackedSegment};
use super::replica::{LogState, Segment, Tip, Want};

/// Every message begins with version and kind.
const HEAD_ELEMENTS: usize = 2;

impl Message {
    /// The number of this kind of message on the wire, and its elements after version and kind.
    fn kind(&self) -> (u64, usize) {
        match self {
            Message::Hello(_) => (0, 6),
            Message::Credentials(_) => (1, 2),
            Message::Summary(_) => (2, 4),
            Message::Ranges(_) => (3, 1),
            Message::Want { .. } => (4, 2),
            Message::Segments { .. } => (5, 3),
            Message::Stored { .. } => (6, 2),
            Message::Have(_) => (7, 1),
            Message::Probe { .. } => (8, 2),
            Message::Places { .. } => (9, 2),
            Message::WantProofs(_) => (10, 1),
            Message::Proofs(_) => (11, 1),
            Message::Find(_) => (12, 1),
            Message::Found(_) => (13, 1),
            Message::Peers(_) => (14, 1),
            Message::NotNow { .. } => (15, 2),
            Message::Ping(_) => (16, 1),
            Message::Pong(_) => (17, 1),
            Message::Bye { .. } => (18, 2),
        }
    }

    /// The canonical bytes, before they are compressed.
    pub(super) fn encode_bare(&self) -> Vec<u8> {
        let (kind, elements) = self.kind();
        let mut e = Encoder::with_capacity(256);
        e.array(HEAD_ELEMENTS + elements).uint(limits::PROTOCOL_VERSION).uint(kind);
        self.write_elements(&mut e);
        e.finish()
    }

    fn write_elements(&self, e: &mut Encoder) {
        match self {
            Message::Hello(hello) => write_hello(e, hello),
            Message::Credentials(credentials) => write_credentials(e, credentials),
            Message::Summary(summary) => write_summary(e, summary),
            Message::Ranges(ranges) => {
                e.list(ranges.iter(), write_range);
            }
            Message::Want { wants, plain } => {
                e.list(wants.iter(), write_want).uint(u64::from(*plain));
            }
            Message::Segments { segments, last } => write_segments(e, segments, *last),
            Message::Stored { states, bytes } => {
                e.list(states.iter(), write_state).uint(*bytes);
            }
            Message::Have(states) => {
                e.list(states.iter(), write_state);
            }
            Message::Probe { log, places } => {
                e.bytes(log.as_bytes()).list(places.iter(), |e, place| {
                    e.uint(*place);
                });
            }
            Message::Places { log, tips } => {
                e.bytes(log.as_bytes()).list(tips.iter(), write_place);
            }
            Message::WantProofs(logs) => {
                e.list(logs.iter(), |e, log| {
                    e.bytes(log.as_bytes());
                });
            }
            Message::Proofs(proofs) => {
                e.list(proofs.iter(), |e, proof| {
                    e.bytes(&proof.encode());
                });
            }
            Message::Find(wanted) => {
                e.list(wanted.iter(), |e, wanted| {
                    e.bytes(wanted.as_bytes());
                });
            }
            Message::Found(found) => {
                e.list(found.iter(), write_operation);
            }
            Message::Peers(peers) => {
                e.list(peers.iter(), write_peer);
            }
            Message::NotNow { retry_ms, code } => {
                e.uint(*retry_ms).text(code);
            }
            Message::Ping(number) | Message::Pong(number) => {
                e.uint(*number);
            }
            Message::Bye { code, why } => {
                e.text(code).text(why);
            }
        }
    }

    /// Reads canonical bytes that were decompressed.
    pub(super) fn decode_bare(bytes: &[u8]) -> Result<Self> {
        let mut d = Decoder::new(bytes);
        let elements = d.array_up_to(limits::FRAME_BYTES_MAX, "elements of a message")?;
        let version = d.uint(u64::MAX, "version")?;
        if version != limits::PROTOCOL_VERSION {
            return Err(Refusal::UnknownVersion(version));
        }
        let message = read_elements(&mut d)?;
        if elements != HEAD_ELEMENTS + message.kind().1 {
            return Err(Refusal::Malformed("a message of another length than its kind has"));
        }
        d.finish()?;
        Ok(message)
    }
}

fn read_elements(d: &mut Decoder<'_>) -> Result<Message> {
    Ok(match d.uint(u64::from(u8::MAX), "kind of message")? {
        0 => Message::Hello(read_hello(d)?),
        1 => Message::Credentials(read_credentials(d)?),
        2 => Message::Summary(read_summary(d)?),
        3 => Message::Ranges(read_ranges(d)?),
        4 => Message::Want { wants: d.list(limits::WANTS_MAX, "wants", read_want)?, plain: read_flag(d)? },
        5 => read_segments(d)?,
        6 => Message::Stored { states: read_states(d)?, bytes: d.uint(limits::INTEGER_MAX, "bytes")? },
        7 => Message::Have(read_states(d)?),
        8 => Message::Probe { log: read_log(d)?, places: d.list(limits::PROBES_MAX, "places", read_sequence)? },
        9 => Message::Places { log: read_log(d)?, tips: d.list(limits::PROBES_MAX, "tips", read_place)? },
        10 => Message::WantProofs(d.list(limits::WANTS_MAX, "logs", read_log)?),
        11 => Message::Proofs(d.list(limits::PROOFS_MAX, "proofs", read_proof)?),
        12 => Message::Find(d.list(limits::FINDS_MAX, "wanted operations", read_fingerprint)?),
        13 => Message::Found(d.list(limits::FINDS_MAX, "operations", read_operation)?),
        14 => Message::Peers(d.list(limits::PEERS_MAX, "peers", read_peer)?),
        15 => Message::NotNow { retry_ms: d.uint(limits::INTEGER_MAX, "retry")?, code: read_code(d)? },
        16 => Message::Ping(d.uint(u64::MAX, "number")?),
        17 => Message::Pong(d.uint(u64::MAX, "number")?),
        18 => Message::Bye { code: read_code(d)?, why: d.text(limits::WHY_BYTES_MAX, "reason")?.to_owned() },
        _ => return Err(Refusal::Malformed("an unknown kind of message")),
    })
}

fn write_hello(e: &mut Encoder, hello: &Hello) {
    e.array(2).uint(hello.versions.0).uint(hello.versions.1);
    e.bytes(hello.space.as_bytes()).bytes(hello.replica.as_bytes()).bytes(&hello.nonce.0).uint(hello.window_bytes);
    e.optional(hello.address.as_ref(), |e, address| {
        e.text(address);
    });
}

fn read_hello(d: &mut Decoder<'_>) -> Result<Hello> {
    d.array(2, "versions are two numbers")?;
    Ok(Hello {
        versions: (d.uint(u64::MAX, "version")?, d.uint(u64::MAX, "version")?),
        space: SpaceId::from_slice(d.bytes(SpaceId::LENGTH, "space")?)?,
        replica: read_key(d)?,
        nonce: Nonce(read_array(d, "nonce")?),
        window_bytes: d.uint(limits::INTEGER_MAX, "window")?,
        address: d.optional(read_address)?,
    })
}

fn write_credentials(e: &mut Encoder, credentials: &Credentials) {
    e.bytes(credentials.signature.as_bytes());
    e.optional(credentials.opening.as_deref(), write_operation);
}

fn read_credentials(d: &mut Decoder<'_>) -> Result<Credentials> {
    let signature = Signature::from_slice(d.bytes(Signature::LENGTH, "signature")?)?;
    Ok(Credentials { signature, opening: d.optional(read_operation)?.map(Box::new) })
}

fn write_summary(e: &mut Encoder, summary: &Summary) {
    e.bytes(&summary.root).uint(summary.logs);
    e.optional(summary.states.as_ref(), |e, states| {
        e.list(states.iter(), write_state);
    });
    e.uint(u64::from(summary.complete));
}

fn read_summary(d: &mut Decoder<'_>) -> Result<Summary> {
    Ok(Summary {
        root: read_array(d, "root")?,
        logs: d.uint(limits::INTEGER_MAX, "number of logs")?,
        states: d.optional(read_states_ascending)?,
        complete: read_flag(d)?,
    })
}

/// Kinds of content are told by the form of the value: digests by far the most, so they cost no head of their own.
fn write_range(e: &mut Encoder, range: &Range) {
    e.array(2).optional(range.until, |e, until| {
        let zeros = until.0.iter().rev().take_while(|byte| **byte == 0).count();
        e.bytes(&until.0[..LogId::LENGTH - zeros]);
    });
    match &range.content {
        RangeContent::Skip => e.null(),
        RangeContent::Digest(digest) => e.bytes(digest),
        RangeContent::States { states, answer } => e.array(2).uint(u64::from(*answer)).list(states.iter(), write_state),
    };
}

fn read_ranges(d: &mut Decoder<'_>) -> Result<Vec<Range>> {
    let mut room = limits::WANTS_MAX;
    d.list(limits::RANGES_MAX, "ranges", |d| {
        d.array(2, "a range has two elements")?;
        let until = d.optional(read_bound)?;
        let content = d.optional(|d| read_range_content(d, &mut room))?.unwrap_or(RangeContent::Skip);
        Ok(Range { until, content })
    })
}

/// A log, without the zeros at its end.
fn read_bound(d: &mut Decoder<'_>) -> Result<LogId> {
    let bytes = d.bytes(LogId::LENGTH, "end of a range")?;
    if bytes.last() == Some(&0) {
        return Err(Refusal::Malformed("the end of a range ends in zeros"));
    }
    let mut bound = [0; LogId::LENGTH];
    bound[..bytes.len()].copy_from_slice(bytes);
    Ok(LogId(bound))
}

/// `room` is how many states the ranges that follow may still hold, so that all together stay in their bound.
fn read_range_content(d: &mut Decoder<'_>, room: &mut usize) -> Result<RangeContent> {
    if !d.is_array()? {
        return Ok(RangeContent::Digest(read_array(d, "digest of a range")?));
    }
    d.array(2, "what is in a range has two elements")?;
    let answer = read_flag(d)?;
    let states = d.list(*room, "log states", read_state)?;
    *room -= states.len();
    Ok(RangeContent::States { states, answer })
}

fn write_segments(e: &mut Encoder, segments: &[Carried], last: bool) {
    let mut noise = Vec::new();
    e.uint(u64::from(last));
    e.list(segments.iter(), |e, segment| match segment {
        Carried::Plain(segment) => {
            e.array(2).uint(0).list(segment.iter(), write_operation);
        }
        Carried::Packed(packed) => {
            e.array(2).uint(1);
            packed.write(e, &mut noise);
        }
    });
    e.bytes(&noise);
}

/// The noise is the last element, but the segments before it are read by it: so they are skipped first.
fn read_segments(d: &mut Decoder<'_>) -> Result<Message> {
    let last = read_flag(d)?;
    let mut segments = d.clone();
    d.skip(limits::NESTING_MAX)?;
    let mut noise = Noise::new(d.bytes(limits::FRAME_BYTES_MAX, "noise")?);
    let segments = segments.list(limits::FRAME_BYTES_MAX, "segments", |d| {
        d.array(2, "a carried segment has two elements")?;
        match d.uint(1, "form of a segment")? {
            0 => read_plain(d).map(Carried::Plain),
            _ => PackedSegment::read(d, &mut noise).map(Carried::Packed),
        }
    })?;
    noise.finish()?;
    Ok(Message::Segments { segments, last })
}

fn read_plain(d: &mut Decoder<'_>) -> Result<Segment> {
    let segment = d.list(limits::SEGMENT_OPERATIONS_MAX, "segment (operations)", read_operation)?;
    if segment.is_empty() { Err(Refusal::Malformed("a segment without operations")) } else { Ok(segment) }
}

fn write_operation(e: &mut Encoder, operation: &Operation) {
    e.bytes(&operation.encode());
}

fn read_operation(d: &mut Decoder<'_>) -> Result<Operation> {
    Operation::decode(d.bytes(limits::OPERATION_BYTES_MAX, "operation (bytes)")?)
}

fn read_proof(d: &mut Decoder<'_>) -> Result<Proof> {
    Proof::decode(d.bytes(limits::FRAME_BYTES_MAX, "proof (bytes)")?)
}

pub(super) fn write_state(e: &mut Encoder, state: &LogState) {
    e.array(4).bytes(state.log.as_bytes()).uint(state.count).bytes(&state.tip.0);
    e.optional(state.cut, |e, cut| {
        e.uint(cut);
    });
}

fn read_state(d: &mut Decoder<'_>) -> Result<LogState> {
    d.array(4, "a log state has four elements")?;
    Ok(LogState {
        log: read_log(d)?,
        count: read_sequence(d)?,
        tip: Tip(read_array(d, "tip")?),
        cut: d.optional(read_sequence)?,
    })
}

fn read_states(d: &mut Decoder<'_>) -> Result<Vec<LogState>> {
    d.list(limits::WANTS_MAX, "log states", read_state)
}

fn read_states_ascending(d: &mut Decoder<'_>) -> Result<Vec<LogState>> {
    let states = read_states(d)?;
    if states.windows(2).all(|pair| pair[0].log < pair[1].log) {
        return Ok(states);
    }
    Err(Refusal::Malformed("log states are not sorted and unique"))
}

fn write_want(e: &mut Encoder, want: &Want) {
    e.array(2).bytes(want.log.as_bytes()).uint(want.from);
}

fn read_want(d: &mut Decoder<'_>) -> Result<Want> {
    d.array(2, "a want has two elements")?;
    Ok(Want { log: read_log(d)?, from: read_sequence(d)? })
}

fn write_place(e: &mut Encoder, (place, tip): &(u64, Option<Tip>)) {
    e.array(2).uint(*place).optional(tip.as_ref(), |e, tip| {
        e.bytes(&tip.0);
    });
}

fn read_place(d: &mut Decoder<'_>) -> Result<(u64, Option<Tip>)> {
    d.array(2, "a place has two elements")?;
    Ok((read_sequence(d)?, d.optional(|d| read_array(d, "tip").map(Tip))?))
}

fn write_peer(e: &mut Encoder, peer: &Peer) {
    e.array(2).text(&peer.address).optional(peer.replica, |e, key| {
        e.bytes(key.as_bytes());
    });
}

fn read_peer(d: &mut Decoder<'_>) -> Result<Peer> {
    d.array(2, "a peer has two elements")?;
    Ok(Peer { address: read_address(d)?, replica: d.optional(read_key)? })
}

fn read_address(d: &mut Decoder<'_>) -> Result<String> {
    d.text(limits::ADDRESS_BYTES_MAX, "address (bytes)").map(str::to_owned)
}

fn read_code(d: &mut Decoder<'_>) -> Result<String> {
    d.text(limits::CODE_BYTES_MAX, "code (bytes)").map(str::to_owned)
}
