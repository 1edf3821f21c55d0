//! Bytes of a file of cells: reading and writing at a place, checksums, and the row of a vector.

use std::fs::File;
use std::io;

use super::Row;

/// Checksum, number, passage and factor, before the values.
const ROW_HEAD_BYTES: usize = 20;

pub(super) fn row_bytes(dimensions: usize) -> usize {
    ROW_HEAD_BYTES + dimensions
}

/// Fills `row` with a vector.
pub(super) fn write_row(row: &mut [u8], vector: Row<'_>) {
    row[4..12].copy_from_slice(&vector.number.to_le_bytes());
    row[12..16].copy_from_slice(&(vector.passage as u32).to_le_bytes());
    row[16..20].copy_from_slice(&vector.scale.to_le_bytes());
    row[20..].copy_from_slice(vector.values);
    let check = short_checksum(&row[4..]);
    row[..4].copy_from_slice(&check.to_le_bytes());
}

/// The vector in a row, unchecked; none in one that was overwritten.
pub(super) fn read_row(row: &[u8]) -> Option<Row<'_>> {
    let (head, values) = row.split_first_chunk::<ROW_HEAD_BYTES>()?;
    let (_, rest) = head.split_first_chunk::<4>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (passage, rest) = rest.split_first_chunk::<4>()?;
    let (scale, _) = rest.split_first_chunk::<4>()?;
    let number = i64::from_le_bytes(*number);
    let passage = u32::from_le_bytes(*passage) as usize;
    (number != 0).then_some(Row { number, passage, scale: f32::from_le_bytes(*scale), values })
}

/// Tells whether a row is as it was written, or overwritten with zeros.
pub(super) fn row_holds(row: &[u8]) -> bool {
    let Some((check, rest)) = row.split_first_chunk::<4>() else { return false };
    short_checksum(rest) == u32::from_le_bytes(*check) || row.iter().all(|byte| *byte == 0)
}

fn short_checksum(bytes: &[u8]) -> u32 {
    (checksum(bytes) >> 32) as u32
}

/// A checksum against damage, not against an attacker: each step can be undone, so a change of one word is always
/// noticed. Four lanes let the processor multiply at once.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |sum: u64, word: u64| {
        let sum = (sum ^ word).wrapping_mul(ODD);
        sum ^ (sum >> 29)
    };
    let mut lanes = [1_u64, 2, 3, 4];
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }
    let sum = lanes.into_iter().fold(bytes.len() as u64, step);
    rest.chunks(8).fold(sum, |sum, tail| {
        let mut word = [0; 8];
        word[..tail.len()].copy_from_slice(tail);
        step(sum, u64::from_le_bytes(word))
    })
}

#[cfg(unix)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => (bytes, offset) = (&mut bytes[read..], offset + read as u64),
        }
    }
    Ok(())
}

#[cfg(windows)]
pub(super) fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => (bytes, offset) = (&bytes[written..], offset + written as u64),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_row_is_noticed() {
        let mut row = vec![0; row_bytes(37)];
        let values: Vec<u8> = (0..37).collect();
        let vector = Row { number: 5, passage: 2, scale: 0.25, values: &values };
        write_row(&mut row, vector);
        assert_eq!((row_holds(&row), read_row(&row)), (true, Some(vector)));
        for bit in 0..row.len() * 8 {
            row[bit / 8] ^= 1 << (bit % 8);
            assert!(!row_holds(&row), "bit {bit}");
            row[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_row_of_zeros_is_empty_and_one_that_is_nearly_so_is_damaged() {
        let mut row = vec![0; row_bytes(16)];
        assert_eq!((row_holds(&row), read_row(&row)), (true, None));
        row[33] = 1;
        assert!(!row_holds(&row));
    }

    #[test]
    fn bytes_of_another_length_have_another_checksum() {
        assert_ne!(checksum(&[0; 31]), checksum(&[0; 32]));
        assert_ne!(checksum(&[]), checksum(&[0]));
    }
}
