//! What more than one message holds, read with its bounds.

use crate::codec::Decoder;
use crate::error::{Refusal, Result};
use crate::id::{LogId, ReplicaKey};
use crate::limits;

pub(super) fn read_key(d: &mut Decoder<'_>) -> Result<ReplicaKey> {
    ReplicaKey::from_slice(d.bytes(ReplicaKey::LENGTH, "replica key")?)
}

pub(super) fn read_log(d: &mut Decoder<'_>) -> Result<LogId> {
    LogId::from_slice(d.bytes(LogId::LENGTH, "log")?)
}

pub(super) fn read_sequence(d: &mut Decoder<'_>) -> Result<u64> {
    d.uint(limits::INTEGER_MAX, "place in a log")
}

pub(super) fn read_flag(d: &mut Decoder<'_>) -> Result<bool> {
    Ok(d.uint(1, "flag")? == 1)
}

pub(super) fn read_array<const LENGTH: usize>(d: &mut Decoder<'_>, what: &'static str) -> Result<[u8; LENGTH]> {
    d.bytes(LENGTH, what)?.try_into().map_err(|_| Refusal::Malformed(what))
}
