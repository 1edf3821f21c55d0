//! Frames: what a link carries. The first byte says how the message behind it is written.

use crate::codec::{Decoder, Encoder};
use crate::error::{Refusal, Result};
use crate::limits;

use super::block;
use super::message::Message;

/// The message's bytes follow as they are.
const BARE: u8 = 0;

/// The message's length follows, and its bytes as one LZ4 block.
const COMPRESSED: u8 = 1;

/// Messages below this are not worth the attempt.
const COMPRESSED_BYTES_MIN: usize = 256;

/// Answers below this have too few words for a longer look at what repeats.
const DENSE_BYTES_MIN: usize = 16 << 10;

/// An LZ4 block holds at most so many times its length: a length beyond that lies.
const RATIO_MAX: usize = 255;

impl Message {
    /// The frame of this message, compressed when that makes it shorter. Its lists must be within their bounds (see
    /// [`limits`]), or no peer reads it.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(lz4_flex::block::compress)
    }

    /// As [`Message::encode`], in fewer bytes and more time: for who asked for many operations and waits for them.
    pub fn encode_densely(&self) -> Vec<u8> {
        let dense = |bare: &[u8]| {
            if bare.len() < DENSE_BYTES_MIN { lz4_flex::block::compress(bare) } else { block::compress(bare) }
        };
        self.encode_with(dense)
    }

    fn encode_with(&self, compress: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let bare = self.encode_bare();
        compressed(&bare, compress).unwrap_or_else(|| [&[BARE], &bare[..]].concat())
    }

    /// Reads a frame of anyone: at most [`limits::FRAME_BYTES_MAX`] bytes, compressed or not, and no allocation that
    /// they do not pay for.
    pub fn decode(frame: &[u8]) -> Result<Self> {
        check_length(frame.len())?;
        match frame.split_first() {
            Some((&BARE, bare)) => Self::decode_bare(bare),
            Some((&COMPRESSED, rest)) => Self::decode_bare(&decompressed(rest)?),
            Some(_) => Err(Refusal::Malformed("an unknown form of frame")),
            None => Err(Refusal::Malformed("an empty frame")),
        }
    }
}

/// Bytes of the message that a frame holds, as far as it says; never less than its own.
pub(super) fn unfolded_bytes(frame: &[u8]) -> usize {
    let claimed = match frame.split_first() {
        Some((&COMPRESSED, rest)) => Decoder::new(rest).uint(limits::FRAME_BYTES_MAX as u64, "frame (bytes)").ok(),
        _ => None,
    };
    claimed.map_or(0, |bytes| bytes as usize).max(frame.len())
}

fn check_length(bytes: usize) -> Result<()> {
    if bytes > limits::FRAME_BYTES_MAX {
        return Err(Refusal::TooLarge { what: "frame (bytes)", max: limits::FRAME_BYTES_MAX as u64 });
    }
    Ok(())
}

fn compressed(bare: &[u8], compress: impl Fn(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
    if bare.len() < COMPRESSED_BYTES_MIN {
        return None;
    }
    let mut head = Encoder::with_capacity(5);
    head.uint(bare.len() as u64);
    let frame = [&[COMPRESSED], &head.finish()[..], &compress(bare)].concat();
    (frame.len() <= bare.len()).then_some(frame)
}

fn decompressed(rest: &[u8]) -> Result<Vec<u8>> {
    let mut d = Decoder::new(rest);
    let length = d.uint(limits::FRAME_BYTES_MAX as u64, "frame (bytes)")? as usize;
    let block = d.rest();
    if length > block.len().saturating_mul(RATIO_MAX) {
        return Err(Refusal::Malformed("a compressed frame claims more than it can hold"));
    }
    let mut bare = vec![0; length];
    match lz4_flex::block::decompress_into(block, &mut bare) {
        Ok(written) if written == length => Ok(bare),
        _ => Err(Refusal::Malformed("a frame that does not decompress to its length")),
    }
}
