//! Canonical CBOR: the intersection of DAG-CBOR and RFC 8949 section 4.2.1 that this format needs.
//!
//! Integers, byte strings, text, arrays, null and booleans; definite lengths; shortest heads; no maps, no tags, no
//! floats. The decoder refuses everything else, so that one value has one encoding. It never allocates more than the
//! input is long. Nesting is the caller's, who reads fixed positions; where a value is skipped, its depth is bounded.

use crate::error::{Refusal, Result};

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const SIMPLE: u8 = 7;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;

/// Writes canonical CBOR into a growing buffer.
#[derive(Default, Debug)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An empty encoder with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        match value {
            0..=23 => self.bytes.push(major | value as u8),
            24..=0xff => self.bytes.extend([major | 24, value as u8]),
            0x100..=0xffff => {
                self.bytes.push(major | 25);
                self.bytes.extend((value as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                self.bytes.push(major | 26);
                self.bytes.extend((value as u32).to_be_bytes());
            }
            _ => {
                self.bytes.push(major | 27);
                self.bytes.extend(value.to_be_bytes());
            }
        }
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(UNSIGNED, value);
        self
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        if value >= 0 {
            self.head(UNSIGNED, value as u64);
        } else {
            self.head(NEGATIVE, !(value as u64));
        }
        self
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.head(BYTES, value.len() as u64);
        self.bytes.extend(value);
        self
    }

    /// A text string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.head(TEXT, value.len() as u64);
        self.bytes.extend(value.as_bytes());
        self
    }

    /// The head of an array; its `length` elements follow.
    pub fn array(&mut self, length: usize) -> &mut Self {
        self.head(ARRAY, length as u64);
        self
    }

    /// Null.
    pub fn null(&mut self) -> &mut Self {
        self.bytes.push(NULL);
        self
    }

    /// The value, or null.
    pub fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) -> &mut Self {
        match value {
            Some(value) => write(self, value),
            None => {
                self.null();
            }
        }
        self
    }

    /// An array of values.
    pub fn list<T>(
        &mut self,
        values: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.array(values.len());
        for value in values {
            write(self, value);
        }
        self
    }
}

/// Reads canonical CBOR from a slice, refusing whatever is not.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// A decoder at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Refuses bytes after the value.
    pub fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Refusal::Malformed("bytes after the value")) }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        if length > self.rest.len() {
            return Err(Refusal::Malformed("cut short"));
        }
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(taken)
    }

    fn peek(&self) -> Result<u8> {
        self.rest.first().copied().ok_or(Refusal::Malformed("cut short"))
    }

    fn head(&mut self) -> Result<(u8, u64)> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 31);
        if major == SIMPLE {
            return Err(Refusal::Malformed("a simple value or float where none may stand"));
        }
        let value = match info {
            0..=23 => u64::from(info),
            24..=27 => {
                let width = 1usize << (info - 24);
                let value = self.take(width)?.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
                // The least value that needs this many bytes: 24, 2^8, 2^16, 2^32.
                let least = if width == 1 { 24 } else { 1u64 << (width * 4) };
                if value < least {
                    return Err(Refusal::Malformed("an integer is not in its shortest form"));
                }
                value
            }
            31 => return Err(Refusal::Malformed("an indefinite length")),
            _ => return Err(Refusal::Malformed("a reserved head")),
        };
        Ok((major, value))
    }

    fn expect(&mut self, major: u8, what: &'static str) -> Result<u64> {
        match self.head()? {
            (found, value) if found == major => Ok(value),
            _ => Err(Refusal::Malformed(what)),
        }
    }

    fn length(&mut self, major: u8, max: usize, what: &'static str) -> Result<usize> {
        let length = self.expect(major, what)?;
        if length > max as u64 {
            return Err(Refusal::TooLarge { what, max: max as u64 });
        }
        Ok(length as usize)
    }

    /// An unsigned integer of at most `max`.
    pub fn uint(&mut self, max: u64, what: &'static str) -> Result<u64> {
        let value = self.expect(UNSIGNED, what)?;
        if value > max { Err(Refusal::TooLarge { what, max }) } else { Ok(value) }
    }

    /// A signed integer.
    pub fn int(&mut self, what: &'static str) -> Result<i64> {
        let (major, value) = self.head()?;
        let value = i64::try_from(value).map_err(|_| Refusal::TooLarge { what, max: i64::MAX as u64 })?;
        match major {
            UNSIGNED => Ok(value),
            NEGATIVE => Ok(!value),
            _ => Err(Refusal::Malformed(what)),
        }
    }

    /// A byte string of at most `max` bytes.
    pub fn bytes(&mut self, max: usize, what: &'static str) -> Result<&'a [u8]> {
        let length = self.length(BYTES, max, what)?;
        self.take(length)
    }

    /// A text string of at most `max` bytes of UTF-8.
    pub fn text(&mut self, max: usize, what: &'static str) -> Result<&'a str> {
        let length = self.length(TEXT, max, what)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Refusal::Malformed("text is not UTF-8"))
    }

    /// The head of an array of exactly `length` elements.
    pub fn array(&mut self, length: usize, what: &'static str) -> Result<()> {
        if self.expect(ARRAY, what)? == length as u64 { Ok(()) } else { Err(Refusal::Malformed(what)) }
    }

    /// The head of an array of at most `max` elements: its length.
    pub fn array_up_to(&mut self, max: usize, what: &'static str) -> Result<usize> {
        self.length(ARRAY, max, what)
    }

    /// Whether the next value is an array.
    pub fn is_array(&self) -> Result<bool> {
        Ok(self.peek()? >> 5 == ARRAY)
    }

    /// Null, or a value.
    pub fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.peek()? == NULL {
            self.take(1)?;
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// An array of at most `max` values.
    pub fn list<T>(
        &mut self,
        max: usize,
        what: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let length = self.array_up_to(max, what)?;
        // Every element takes a byte at least, so a lying length can't reserve more than was sent.
        let mut values = Vec::with_capacity(length.min(self.rest.len()));
        for _ in 0..length {
            values.push(read(self)?);
        }
        Ok(values)
    }

    /// Skips one value of any kind the profile knows, at most `depth` arrays deep.
    pub fn skip(&mut self, depth: usize) -> Result<()> {
        if matches!(self.peek()?, FALSE | TRUE | NULL) {
            return self.take(1).map(drop);
        }
        match self.head()? {
            (UNSIGNED | NEGATIVE, _) => Ok(()),
            (BYTES, length) => self.take(usize::try_from(length).unwrap_or(usize::MAX)).map(drop),
            (TEXT, length) => {
                let text = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
                std::str::from_utf8(text).map(drop).map_err(|_| Refusal::Malformed("text is not UTF-8"))
            }
            (ARRAY, length) => {
                let depth = depth.checked_sub(1).ok_or(Refusal::Malformed("nested too deep"))?;
                (0..length).try_for_each(|_| self.skip(depth))
            }
            _ => Err(Refusal::Malformed("maps and tags have no place here")),
        }
    }
}

/// Whether `bytes` are one value of this profile, nothing before and nothing after.
pub fn check_canonical(bytes: &[u8]) -> Result<()> {
    let mut decoder = Decoder::new(bytes);
    decoder.skip(crate::limits::NESTING_MAX)?;
    decoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_of_integer_reads_back_and_its_longer_form_is_refused() {
        for value in [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX] {
            let mut encoder = Encoder::default();
            encoder.uint(value);
            let bytes = encoder.finish();
            assert_eq!(Decoder::new(&bytes).uint(u64::MAX, "value"), Ok(value));
        }
        for long in [&[0x18, 23][..], &[0x19, 0, 255], &[0x1a, 0, 0, 255, 255], &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255]]
        {
            assert!(Decoder::new(long).uint(u64::MAX, "value").is_err(), "{long:?}");
        }
    }

    #[test]
    fn signed_integers_read_back() {
        for value in [0, -1, -24, -25, -256, -257, i64::MIN, i64::MAX] {
            let mut encoder = Encoder::default();
            encoder.int(value);
            assert_eq!(Decoder::new(&encoder.finish()).int("value"), Ok(value));
        }
    }

    #[test]
    fn a_lying_length_reserves_nothing() {
        assert!(Decoder::new(&[0x9a, 0xff, 0xff, 0xff, 0xff]).list(usize::MAX, "list", |d| d.int("value")).is_err());
        assert!(
            Decoder::new(&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).bytes(usize::MAX, "bytes").is_err()
        );
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(check_canonical(&[0x81, 0x81, 0x80]).is_ok());
        assert!(check_canonical(&[0x81; 100]).is_err());
    }
}
