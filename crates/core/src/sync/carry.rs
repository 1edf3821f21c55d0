//! How much goes into one message: segments, operations, proofs by their bytes, everything else by its count.

use crate::limits;
use crate::operation::Operation;

use super::message::Carried;
use super::packed::PackedSegment;
use super::replica::Segment;

/// Bytes that an operation takes beside its payload in short form, and its dependencies: signature, salt or
/// commitment and length, kind, times and heads. An upper bound.
const PACKED_OPERATION_BYTES: usize = 64 + 48 + 3 * 9 + 3 + 2 * 5;

/// Bytes that a packed segment takes beside its operations: log, place, two marks and heads. An upper bound.
const PACKED_SEGMENT_BYTES: usize = 34 + 9 + 2 * 8 + 8;

/// Makes segments ready to travel, in order, as many as fit `bytes_max`, but one at least; returns what is left.
///
/// A segment that fits no frame whole is cut: no honest replica reads one from its disk, see
/// [`limits::SEGMENT_BYTES_MAX`], but an operation that is legal must always find its way.
pub fn carry(segments: Vec<Segment>, plain: bool, bytes_max: usize) -> (Vec<Carried>, Vec<Segment>) {
    let bytes_max = bytes_max.min(limits::CARRIED_BYTES_MAX);
    let mut carried = Vec::new();
    let mut left = segments.into_iter();
    let mut bytes = 0;
    for mut segment in left.by_ref() {
        bytes += segment_bytes(&segment, plain);
        if bytes > bytes_max && !carried.is_empty() {
            return (carried, [segment].into_iter().chain(left).collect());
        }
        let behind = cut(&mut segment, plain);
        carried.extend(form(segment, plain));
        if !behind.is_empty() {
            return (carried, [behind].into_iter().chain(left).collect());
        }
    }
    (carried, Vec::new())
}

/// Cuts off what would not fit a frame of its own.
fn cut(segment: &mut Segment, plain: bool) -> Segment {
    let mut bytes = PACKED_SEGMENT_BYTES;
    let fits = segment.iter().take_while(|operation| {
        bytes += operation_bytes(operation, plain);
        bytes <= limits::CARRIED_BYTES_MAX
    });
    let fitting = fits.count().clamp(1, limits::SEGMENT_OPERATIONS_MAX);
    segment.split_off(fitting.min(segment.len()))
}

fn form(segment: Segment, plain: bool) -> Option<Carried> {
    if segment.is_empty() {
        return None;
    }
    let packed = if plain { None } else { PackedSegment::pack(&segment) };
    Some(packed.map_or(Carried::Plain(segment), Carried::Packed))
}

fn segment_bytes(segment: &[Operation], plain: bool) -> usize {
    PACKED_SEGMENT_BYTES + segment.iter().map(|operation| operation_bytes(operation, plain)).sum::<usize>()
}

fn operation_bytes(operation: &Operation, plain: bool) -> usize {
    let payload = operation.body.as_ref().map_or(0, |body| body.payload.len());
    if plain {
        return payload + operation.header_bytes.len() + 64 + 16 + 32;
    }
    payload + PACKED_OPERATION_BYTES + operation.header.dependencies.len() * 8
}

/// The first items that fit `bytes_max` together, but one at least, and the others: for operations and proofs, which
/// differ much in length.
pub fn fill<T>(items: Vec<T>, count_max: usize, bytes_max: usize, length: impl Fn(&T) -> usize) -> (Vec<T>, Vec<T>) {
    let bytes_max = bytes_max.min(limits::CARRIED_BYTES_MAX);
    let mut items = items;
    let mut bytes = 0;
    let fits = items.iter().take(count_max).take_while(|item| {
        bytes += length(item) + 5;
        bytes <= bytes_max
    });
    let fitting = fits.count().max(1).min(items.len());
    let left = items.split_off(fitting);
    (items, left)
}
