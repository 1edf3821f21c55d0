//! An operation: header, signature and, where it is there, salt and payload.
//!
//! What is hashed and verified is the bytes received. A [`Header`] is decoded beside its bytes, never encoded again
//! to check them.

use std::sync::Arc;

use crate::codec::{Decoder, Encoder};
use crate::error::{Refusal, Result};
use crate::id::{Commitment, Fingerprint, LogId, Salt, Signature, digest};
use crate::limits;

const HEADER_ELEMENTS: usize = 11;

/// What an operation does. The numbers are the wire format's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Opens a log: binds space, replica key and epoch, and carries the grant. Always number 0 of its log.
    Open = 0,
    /// Creates or edits one memory.
    Write = 1,
    /// Forgets one memory.
    Forget = 2,
    /// Counts uses of memories.
    Touch = 3,
    /// A signed vote on a memory.
    Attest = 4,
    /// Ends a replica's membership at a position.
    Remove = 5,
    /// Sets a setting of the space.
    Configure = 6,
}

impl Kind {
    /// The kind with this number.
    pub fn from_number(number: u64) -> Result<Self> {
        Ok(match number {
            0 => Kind::Open,
            1 => Kind::Write,
            2 => Kind::Forget,
            3 => Kind::Touch,
            4 => Kind::Attest,
            5 => Kind::Remove,
            6 => Kind::Configure,
            _ => return Err(Refusal::Malformed("an unknown kind of operation")),
        })
    }

    /// The glossary's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Open => "open",
            Kind::Write => "write",
            Kind::Forget => "forget",
            Kind::Touch => "touch",
            Kind::Attest => "attest",
            Kind::Remove => "remove",
            Kind::Configure => "configure",
        }
    }
}

/// What is signed of an operation, by way of its fingerprint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The log it stands in.
    pub log: LogId,
    /// Its place there, from 0.
    pub sequence: u64,
    /// The operation before it in the log; none for the first.
    pub back: Option<Fingerprint>,
    /// The newest heads of other logs that its author had seen: sorted, unique, at most 16.
    pub dependencies: Vec<Fingerprint>,
    /// One more than the greatest Lamport time of back link and dependencies.
    pub lamport: u64,
    /// Hybrid time in ms since the Unix epoch: for display, expiry and recency, never for merging.
    pub hybrid_ms: u64,
    /// What it does.
    pub kind: Kind,
    /// Bytes of its payload.
    pub payload_length: u32,
    /// Digest of salt and payload.
    pub commitment: Commitment,
    /// When every replica drops its payload, in ms since the Unix epoch.
    pub expires_ms: Option<u64>,
}

impl Header {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::with_capacity(192 + self.dependencies.len() * 50);
        encoder.array(HEADER_ELEMENTS).uint(limits::FORMAT_VERSION).bytes(self.log.as_bytes()).uint(self.sequence);
        encoder.optional(self.back, |e, back| {
            e.bytes(back.as_bytes());
        });
        encoder.list(self.dependencies.iter(), |e, dependency| {
            e.bytes(dependency.as_bytes());
        });
        encoder.uint(self.lamport).uint(self.hybrid_ms).uint(self.kind as u64).uint(u64::from(self.payload_length));
        encoder.bytes(self.commitment.as_bytes()).optional(self.expires_ms, |e, at| {
            e.uint(at);
        });
        encoder.finish()
    }

    /// Reads canonical bytes; checks all that a header shows by itself.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > limits::HEADER_BYTES_MAX {
            return Err(Refusal::TooLarge { what: "header (bytes)", max: limits::HEADER_BYTES_MAX as u64 });
        }
        let mut decoder = Decoder::new(bytes);
        let elements = decoder.array_up_to(limits::HEADER_BYTES_MAX, "elements of a header")?;
        let version = decoder.uint(u64::MAX, "version")?;
        // The version is read first: a later one may have more elements, and is not malformed for that.
        if version != limits::FORMAT_VERSION {
            return Err(Refusal::UnknownVersion(version));
        }
        if elements != HEADER_ELEMENTS {
            return Err(Refusal::Malformed("a header has eleven elements"));
        }
        let header = Self::decode_fields(&mut decoder)?;
        decoder.finish()?;
        header.check()?;
        Ok(header)
    }

    fn decode_fields(decoder: &mut Decoder<'_>) -> Result<Self> {
        Ok(Self {
            log: LogId::from_slice(decoder.bytes(LogId::LENGTH, "log")?)?,
            sequence: decoder.uint(limits::INTEGER_MAX, "sequence number")?,
            back: decoder.optional(read_fingerprint)?,
            dependencies: decoder.list(limits::DEPENDENCIES_MAX, "dependencies", read_fingerprint)?,
            lamport: decoder.uint(limits::INTEGER_MAX, "Lamport time")?,
            hybrid_ms: decoder.uint(limits::INTEGER_MAX, "hybrid time")?,
            kind: Kind::from_number(decoder.uint(u64::from(u8::MAX), "kind")?)?,
            payload_length: decoder.uint(limits::PAYLOAD_BYTES_MAX as u64, "payload length")? as u32,
            commitment: Commitment::from_slice(decoder.bytes(Commitment::LENGTH, "commitment")?)?,
            expires_ms: decoder.optional(|d| d.uint(limits::INTEGER_MAX, "expiry"))?,
        })
    }

    fn check(&self) -> Result<()> {
        if self.back.is_some() != (self.sequence > 0) {
            return Err(Refusal::Malformed("the first operation of a log has no back link, every other has one"));
        }
        if (self.kind == Kind::Open) != (self.sequence == 0) {
            return Err(Refusal::Malformed("a log opens with its first operation and no other"));
        }
        if !strictly_ascending(&self.dependencies) {
            return Err(Refusal::Malformed("dependencies are not sorted and unique"));
        }
        if self.expires_ms.is_some() && matches!(self.kind, Kind::Open | Kind::Forget | Kind::Remove | Kind::Configure)
        {
            return Err(Refusal::Malformed("this kind of operation does not expire"));
        }
        Ok(())
    }
}

/// The id of the operation with this header: SHA-384 under a domain, without the signature.
pub fn fingerprint(header_bytes: &[u8]) -> Fingerprint {
    Fingerprint(digest("chrysalis/op/1", &[header_bytes]))
}

/// What a header says of this salt and payload.
pub fn commitment(salt: &Salt, payload: &[u8]) -> Commitment {
    Commitment(digest("chrysalis/payload/1", &[salt.as_bytes(), payload]))
}

pub(crate) fn read_fingerprint(decoder: &mut Decoder<'_>) -> Result<Fingerprint> {
    Fingerprint::from_slice(decoder.bytes(Fingerprint::LENGTH, "fingerprint")?)
}

pub(crate) fn strictly_ascending<T: Ord>(values: &[T]) -> bool {
    values.windows(2).all(|pair| pair[0] < pair[1])
}

/// Salt and payload: what forgetting erases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    /// Sixteen random bytes.
    pub salt: Salt,
    /// The payload's bytes, to be decoded by the header's kind.
    pub payload: Arc<[u8]>,
}

/// An operation as it came: well-formed and consistent in itself, not yet admitted.
///
/// Its fields are read-only, so that header, bytes, fingerprint and body stay those that were checked together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    pub(crate) header: Header,
    pub(crate) header_bytes: Arc<[u8]>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) signature: Signature,
    pub(crate) body: Option<Body>,
}

impl Operation {
    /// Joins parts that were kept apart; checks form and the payload's commitment, not the signature.
    pub fn from_parts(header_bytes: &[u8], signature: Signature, body: Option<Body>) -> Result<Self> {
        let header = Header::decode(header_bytes)?;
        if let Some(body) = &body {
            let fits = body.payload.len() == header.payload_length as usize;
            if !fits || commitment(&body.salt, &body.payload) != header.commitment {
                return Err(Refusal::BadPayload);
            }
        }
        Ok(Self { header, header_bytes: header_bytes.into(), fingerprint: fingerprint(header_bytes), signature, body })
    }

    /// Writes out a header that came in other words than its own bytes; checks what it shows by itself. The body is the
    /// one that its length and commitment were taken from.
    pub(crate) fn from_header(header: Header, signature: Signature, body: Option<Body>) -> Result<Self> {
        header.check()?;
        let header_bytes: Arc<[u8]> = header.encode().into();
        Ok(Self { fingerprint: fingerprint(&header_bytes), header, header_bytes, signature, body })
    }

    /// Reads the encoding that links and bundles carry.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > limits::OPERATION_BYTES_MAX {
            return Err(Refusal::TooLarge { what: "operation (bytes)", max: limits::OPERATION_BYTES_MAX as u64 });
        }
        let mut decoder = Decoder::new(bytes);
        decoder.array(3, "an operation has three elements")?;
        let header = decoder.bytes(limits::HEADER_BYTES_MAX, "header (bytes)")?;
        let signature = Signature::from_slice(decoder.bytes(Signature::LENGTH, "signature")?)?;
        let body = decoder.optional(|d| {
            d.array(2, "a body has two elements")?;
            let salt = Salt::from_slice(d.bytes(Salt::LENGTH, "salt")?)?;
            Ok(Body { salt, payload: d.bytes(limits::PAYLOAD_BYTES_MAX, "payload (bytes)")?.into() })
        })?;
        decoder.finish()?;
        Self::from_parts(header, signature, body)
    }

    /// The encoding that links and bundles carry.
    pub fn encode(&self) -> Vec<u8> {
        let payload = self.body.as_ref().map_or(0, |body| body.payload.len());
        let mut encoder = Encoder::with_capacity(self.header_bytes.len() + payload + 100);
        encoder.array(3).bytes(&self.header_bytes).bytes(self.signature.as_bytes());
        encoder.optional(self.body.as_ref(), |e, body| {
            e.array(2).bytes(body.salt.as_bytes()).bytes(&body.payload);
        });
        encoder.finish()
    }

    /// The decoded header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header's bytes, as received.
    pub fn header_bytes(&self) -> &[u8] {
        &self.header_bytes
    }

    /// The operation's id.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The author's signature; unchecked until admission or an audit.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Salt and payload, where they are there.
    pub fn body(&self) -> Option<&Body> {
        self.body.as_ref()
    }

    /// Bytes that it counts for in a segment: what it takes on a link or in a bundle, at most.
    pub fn size(&self) -> usize {
        let payload = self.body.as_ref().map_or(0, |body| body.payload.len());
        self.header_bytes.len() + payload + limits::OPERATION_EXTRA_BYTES
    }

    /// The same operation without its words, as forgetting leaves it.
    pub fn without_body(mut self) -> Self {
        self.body = None;
        self
    }
}
