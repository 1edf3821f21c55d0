//! Ids: each kind a type of its own, so that a log's id can never stand where a fingerprint belongs.

use std::fmt;

use sha2::{Digest as _, Sha384};

use crate::error::{Refusal, Result};
use crate::limits;

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $length:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }

            /// Reads exactly [`Self::LENGTH`] bytes.
            pub fn from_slice(bytes: &[u8]) -> Result<Self> {
                let bytes = bytes.try_into().map_err(|_| Refusal::Malformed(concat!(stringify!($name), " has the wrong length")))?;
                Ok(Self(bytes))
            }

            /// Lower-case hexadecimal, two characters a byte.
            pub fn to_hex(&self) -> String {
                to_hex(&self.0)
            }

            /// Reads lower-case or upper-case hexadecimal.
            pub fn from_hex(text: &str) -> Result<Self> {
                Self::from_slice(&from_hex(text)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({}…)", stringify!($name), &self.to_hex()[..12])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }
    };
}

bytes_id!(
    /// SHA-384 of an operation's header under its domain: the operation's id.
    Fingerprint, 48
);
bytes_id!(
    /// SHA-384 of salt and payload under their domain: what a header says of its payload.
    Commitment, 48
);
bytes_id!(
    /// SHA-384 of content under a domain: the same words have the same digest.
    ContentDigest, 48
);
bytes_id!(
    /// Keyed digest of withdrawn content.
    WithdrawalDigest, 48
);
bytes_id!(
    /// A space: SHA-384 of its descriptor.
    SpaceId, 48
);
bytes_id!(
    /// A log: digest of (space, replica key, epoch), cut to 32 bytes, since every header carries it.
    LogId, 32
);
bytes_id!(
    /// A replica's public Ed25519 key.
    ReplicaKey, 32
);
bytes_id!(
    /// One life of a replica's log: random, new after a restore, a copy or a fork.
    Epoch, 16
);
bytes_id!(
    /// Random bytes beside a payload, so that a short fact can't be guessed from its commitment.
    Salt, 16
);
bytes_id!(
    /// An Ed25519 signature.
    Signature, 64
);

/// A memory's id: text of 1 to 256 bytes, chosen by the user or made by the store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemoryId(Box<str>);

impl MemoryId {
    /// Accepts any text of 1 to [`limits::MEMORY_ID_BYTES_MAX`] bytes without NUL.
    pub fn new(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Refusal::Malformed("a memory's id is empty"));
        }
        if text.contains('\0') {
            return Err(Refusal::Malformed("a memory's id holds a NUL character"));
        }
        if text.len() > limits::MEMORY_ID_BYTES_MAX {
            return Err(Refusal::TooLarge { what: "memory id (bytes)", max: limits::MEMORY_ID_BYTES_MAX as u64 });
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MemoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-384 over a domain string and the parts after it. The domain ends in NUL, so none is a prefix of another.
pub fn digest(domain: &str, parts: &[&[u8]]) -> [u8; 48] {
    let mut hasher = Sha384::new();
    hasher.update(domain.as_bytes());
    hasher.update([0]);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Plain SHA-384, as published: for callers who check the core against public test vectors.
pub fn sha384(data: &[u8]) -> [u8; 48] {
    Sha384::digest(data).into()
}

/// The digest by which equal words are known as equal.
pub fn content_digest(content: &str) -> ContentDigest {
    ContentDigest(digest("chrysalis/content/1", &[content.as_bytes()]))
}

/// Lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]).map(char::from).collect()
}

/// Reads hexadecimal of either case.
pub fn from_hex(text: &str) -> Result<Vec<u8>> {
    let nibble = |character: u8| match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        b'A'..=b'F' => Ok(character - b'A' + 10),
        _ => Err(Refusal::Malformed("not hexadecimal")),
    };
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return Err(Refusal::Malformed("hexadecimal of odd length"));
    }
    bytes.chunks_exact(2).map(|pair| Ok(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_reads_back() {
        let id = Epoch([0x0f, 0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 255]);
        assert_eq!(Epoch::from_hex(&id.to_hex()), Ok(id));
        assert_eq!(Epoch::from_hex(&id.to_hex().to_uppercase()), Ok(id));
        assert!(Epoch::from_hex("zz").is_err());
        assert!(Epoch::from_hex("0").is_err());
    }

    #[test]
    fn a_memory_id_has_bounds() {
        assert!(MemoryId::new("").is_err());
        assert!(MemoryId::new("a\0b").is_err());
        assert!(MemoryId::new(&"x".repeat(256)).is_ok());
        assert_eq!(MemoryId::new(&"x".repeat(257)).unwrap_err().code(), "too_large");
    }
}
