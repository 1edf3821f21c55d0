//! Frames: what a link carries. One byte says how the message behind it is written.

use crate::error::{Refusal, Result};
use crate::limits;

use super::message::Message;

/// The message's bytes follow as they are.
const BARE: u8 = 0;

impl Message {
    /// The frame of this message. Its lists must be within their bounds (see [`limits`]), or no peer reads it.
    pub fn encode(&self) -> Vec<u8> {
        let bare = self.encode_bare();
        [&[BARE], &bare[..]].concat()
    }

    /// Reads a frame of anyone: at most [`limits::FRAME_BYTES_MAX`] bytes, and no allocation that they do not pay for.
    pub fn decode(frame: &[u8]) -> Result<Self> {
        if frame.len() > limits::FRAME_BYTES_MAX {
            return Err(Refusal::TooLarge { what: "frame (bytes)", max: limits::FRAME_BYTES_MAX as u64 });
        }
        match frame.split_first() {
            Some((&BARE, bare)) => Self::decode_bare(bare),
            Some(_) => Err(Refusal::Malformed("an unknown form of frame")),
            None => Err(Refusal::Malformed("an empty frame")),
        }
    }
}
