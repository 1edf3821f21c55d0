//! Tokens: an invitation as one line of text, with all that a replica needs to join.
//!
//! A token is a secret: whoever has it may join until it expires. Its bytes are wiped from memory when it is dropped,
//! and it never shows them in `Debug`.

use std::fmt;

use zeroize::Zeroizing;

use crate::codec::{Decoder, Encoder};
use crate::error::{Refusal, Result};
use crate::id::{ReplicaKey, digest};
use crate::limits;
use crate::member::{Grant, Invitation, Space};
use crate::sign::SecretKey;

/// What every token begins with: the name of the program and the version of the form.
pub const TOKEN_PREFIX: &str = "chrysalis1";

const CHECKSUM_BYTES: usize = 4;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An invitation with the secret that makes it usable.
pub struct Token {
    /// The space that it leads into.
    pub space: Space,
    /// What the administrator signed.
    pub invitation: Invitation,
    /// Where replicas of the space listen; may be empty.
    pub addresses: Vec<String>,
    seed: Zeroizing<[u8; 32]>,
}

impl Token {
    /// Puts a token together. `seed` makes the key whose public half the invitation names.
    ///
    /// # Errors
    /// Too many addresses, or one that is too long or empty; a seed of another key.
    pub fn new(space: Space, invitation: Invitation, seed: [u8; 32], addresses: Vec<String>) -> Result<Self> {
        let seed = Zeroizing::new(seed);
        if SecretKey::from_seed(&seed).public() != invitation.ephemeral {
            return Err(Refusal::Malformed("the token's secret is not the one that its invitation names"));
        }
        if addresses.len() > limits::TOKEN_ADDRESSES_MAX {
            return Err(Refusal::TooLarge { what: "addresses of a token", max: limits::TOKEN_ADDRESSES_MAX as u64 });
        }
        addresses.iter().try_for_each(|address| check_address(address))?;
        Ok(Self { space, invitation, addresses, seed })
    }

    /// Uses the token for this replica. Any number of replicas may use one token.
    pub fn accept(&self, replica: &ReplicaKey) -> Grant {
        Grant::accept(self.invitation.clone(), &SecretKey::from_seed(&self.seed), &self.space.id(), replica)
    }

    /// One line of text, to be passed on in secret.
    pub fn encode(&self) -> Zeroizing<String> {
        let mut encoder = Encoder::with_capacity(512);
        encoder.array(4).bytes(&self.space.encode()).bytes(&self.invitation.encode()).bytes(self.seed.as_slice());
        encoder.list(self.addresses.iter(), |e, address| {
            e.text(address);
        });
        let mut bytes = Zeroizing::new(encoder.finish());
        let sum = checksum(&bytes);
        bytes.extend(sum);
        let mut text = Zeroizing::new(String::with_capacity(TOKEN_PREFIX.len() + bytes.len().div_ceil(3) * 4));
        text.push_str(TOKEN_PREFIX);
        write_base64(&bytes, &mut text);
        text
    }

    /// Reads a token. White space around it is no part of it.
    ///
    /// # Errors
    /// A refusal that says whether this is no token at all, or one that was cut or mistyped.
    pub fn decode(text: &str) -> Result<Self> {
        let text = text.trim();
        let coded = text.strip_prefix(TOKEN_PREFIX).ok_or(Refusal::Malformed("this is no invitation token"))?;
        if coded.len() > limits::TOKEN_BYTES_MAX {
            return Err(Refusal::TooLarge { what: "token (bytes)", max: limits::TOKEN_BYTES_MAX as u64 });
        }
        let bytes = read_base64(coded).ok_or(DAMAGED)?;
        let (whole, sum) = bytes.split_at_checked(bytes.len().saturating_sub(CHECKSUM_BYTES)).ok_or(DAMAGED)?;
        if sum != checksum(whole) {
            return Err(DAMAGED);
        }
        Self::read(whole)
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut d = Decoder::new(bytes);
        d.array(4, "a token has four elements")?;
        let space = Space::decode(d.bytes(limits::HEADER_BYTES_MAX, "space (bytes)")?)?;
        let invitation = Invitation::decode(d.bytes(limits::HEADER_BYTES_MAX, "invitation (bytes)")?)?;
        let seed = d.bytes(32, "seed")?.try_into().map_err(|_| Refusal::Malformed("a token's seed has 32 bytes"))?;
        let addresses = d.list(limits::TOKEN_ADDRESSES_MAX, "addresses", |d| {
            d.text(limits::ADDRESS_BYTES_MAX, "address (bytes)").map(str::to_owned)
        })?;
        d.finish()?;
        if matches!(space, Space::Open { .. }) {
            return Err(Refusal::Malformed("a token leads into a closed space"));
        }
        Self::new(space, invitation, seed, addresses)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (space, role) = (self.space.name(), self.invitation.role.name());
        write!(f, "Token(space {space:?}, role {role}, secret)")
    }
}

const DAMAGED: Refusal = Refusal::Malformed("the token was cut short or mistyped; copy the whole line");

/// Whether this may stand as the address of a replica.
///
/// # Errors
/// Empty, too long, or with characters that no address has.
pub fn check_address(address: &str) -> Result<()> {
    if address.len() > limits::ADDRESS_BYTES_MAX {
        return Err(Refusal::TooLarge { what: "address (bytes)", max: limits::ADDRESS_BYTES_MAX as u64 });
    }
    if address.is_empty() || address.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Refusal::Malformed("an address is not empty and holds no blanks"));
    }
    Ok(())
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let whole = digest("chrysalis/token/1", &[bytes]);
    [whole[0], whole[1], whole[2], whole[3]]
}

/// RFC 4648 section 5, without padding.
fn write_base64(bytes: &[u8], text: &mut String) {
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digits = (0..=chunk.len()).map(|digit| ALPHABET[(bits >> (18 - 6 * digit)) as usize & 63]);
        text.extend(digits.map(char::from));
    }
}

/// None for anything that [`write_base64`] would not have written.
fn read_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 4 * 3 + 3));
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for character in chunk {
            bits = bits << 6 | u32::try_from(ALPHABET.iter().position(|one| one == character)?).ok()?;
        }
        let bits = bits << (6 * (4 - chunk.len()));
        let length = chunk.len().checked_sub(1).filter(|length| *length > 0)?;
        let [_, whole @ ..] = bits.to_be_bytes();
        if whole[length..].iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(&whole[..length]);
    }
    Some(bytes)
}
