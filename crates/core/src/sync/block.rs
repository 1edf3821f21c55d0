//! LZ4 blocks written with more care: what repeats is looked for longer than a fast compressor does.
//!
//! The form is that of any LZ4 block, and whatever reads one reads these. A fast compressor remembers one place of each
//! repetition, and few of them; here all places of the last 64 KiB are linked, and the longest of some is taken. That
//! saves a seventh of an answer's words and takes its sender some five milliseconds for a thousand operations; who reads
//! them takes no longer.

/// A repetition that is worth its three bytes.
const MATCH_BYTES_MIN: usize = 4;

/// A repetition further back can't be named.
const DISTANCE_MAX: usize = 65_535;

/// The last bytes of a block stand for themselves,
const LITERALS_LAST: usize = 5;

/// and none of the last begins a repetition.
const START_BYTES_LEFT: usize = 12;

/// Places that are looked at for one repetition.
const TRIES_MAX: usize = 4;

/// After so many places in vain, one more is passed over each time: salts and signatures don't repeat.
const VAIN_SHIFT: usize = 5;

const HASH_BITS: u32 = 15;

/// The form gives lengths four bits; greater ones go on in bytes of their own.
const LENGTH_IN_TOKEN: usize = 15;

/// A repetition of what stands so far back.
#[derive(Clone, Copy)]
struct Match {
    distance: usize,
    length: usize,
}

/// The block of these bytes.
pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(bytes.len() / 2);
    let mut places = Places::new(bytes);
    let last_start = bytes.len().saturating_sub(START_BYTES_LEFT);
    let (mut at, mut written, mut vain) = (0, 0, 0);
    while at < last_start {
        let Some((start, found)) = places.best_near(at, last_start) else {
            vain += 1;
            at += 1 + (vain >> VAIN_SHIFT);
            continue;
        };
        write_sequence(&mut block, &bytes[written..start], found);
        (at, vain) = (start + found.length, 0);
        written = at;
        places.link_until(at);
    }
    write_literals(&mut block, &bytes[written..], 0);
    block
}

/// Where bytes stood that may be repeated.
struct Places<'b> {
    bytes: &'b [u8],
    /// The last place of four bytes, by their hash, counted from 1.
    last: Vec<u32>,
    /// How far back the place before it is, by the place within the window; 0 for none.
    before: Vec<u16>,
    /// The next place to be linked.
    next: usize,
}

impl<'b> Places<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, last: vec![0; 1 << HASH_BITS], before: vec![0; DISTANCE_MAX + 1], next: 0 }
    }

    /// The longest repetition that begins here, or right behind when that is longer; and where it begins.
    fn best_near(&mut self, at: usize, last_start: usize) -> Option<(usize, Match)> {
        let mut best = (at, self.longest(at)?);
        while best.0 + 1 < last_start {
            let start = best.0 + 1;
            match self.longest(start).filter(|found| found.length > best.1.length) {
                Some(longer) => best = (start, longer),
                None => break,
            }
        }
        Some(best)
    }

    fn longest(&mut self, at: usize) -> Option<Match> {
        self.link_until(at);
        let bytes = self.bytes;
        let most = bytes.len() - LITERALS_LAST - at;
        let mut best: Option<Match> = None;
        let mut place = (self.last[self.hash(at)] as usize).checked_sub(1)?;
        for _ in 0..TRIES_MAX {
            let distance = at - place;
            if distance > DISTANCE_MAX {
                break;
            }
            let length = best.map_or(0, |best| best.length);
            // What differs where the best one ends is no longer than it.
            if bytes[place + length] == bytes[at + length] {
                let longer = common(&bytes[place..], &bytes[at..at + most]);
                if longer > length.max(MATCH_BYTES_MIN - 1) {
                    best = Some(Match { distance, length: longer });
                }
            }
            let back = self.before[place & DISTANCE_MAX] as usize;
            if back == 0 || back > place || best.is_some_and(|best| best.length == most) {
                break;
            }
            place -= back;
        }
        best
    }

    /// Links all places before this one.
    fn link_until(&mut self, end: usize) {
        let end = end.min(self.bytes.len().saturating_sub(MATCH_BYTES_MIN));
        while self.next < end {
            let (place, hash) = (self.next, self.hash(self.next));
            let before = std::mem::replace(&mut self.last[hash], place as u32 + 1) as usize;
            let back = if before == 0 { 0 } else { place + 1 - before };
            self.before[place & DISTANCE_MAX] = u16::try_from(back).unwrap_or(0);
            self.next += 1;
        }
    }

    fn hash(&self, at: usize) -> usize {
        let four = self.bytes[at..].first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
        (four.wrapping_mul(2_654_435_761) >> (32 - HASH_BITS)) as usize
    }
}

/// How many bytes both begin with.
fn common(one: &[u8], other: &[u8]) -> usize {
    let eight = |bytes: &[u8]| bytes.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
    let mut equal = 0;
    for (one, other) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        let differs = eight(one) ^ eight(other);
        if differs != 0 {
            return equal + differs.trailing_zeros() as usize / 8;
        }
        equal += 8;
    }
    equal + one[equal..].iter().zip(&other[equal..]).take_while(|(one, other)| one == other).count()
}

/// Bytes for themselves, and a repetition behind them.
fn write_sequence(block: &mut Vec<u8>, literals: &[u8], found: Match) {
    let length = found.length - MATCH_BYTES_MIN;
    write_literals(block, literals, length.min(LENGTH_IN_TOKEN));
    block.extend((found.distance as u16).to_le_bytes());
    write_rest(block, length);
}

fn write_literals(block: &mut Vec<u8>, literals: &[u8], match_in_token: usize) {
    let in_token = literals.len().min(LENGTH_IN_TOKEN);
    block.push((in_token << 4 | match_in_token) as u8);
    write_rest(block, literals.len());
    block.extend(literals);
}

/// What of a length the token has no room for: bytes of 255 and one less.
fn write_rest(block: &mut Vec<u8>, length: usize) {
    let Some(rest) = length.checked_sub(LENGTH_IN_TOKEN) else { return };
    block.extend(std::iter::repeat_n(255, rest / 255));
    block.push((rest % 255) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads_back(bytes: &[u8]) -> usize {
        let block = compress(bytes);
        let mut read = vec![0; bytes.len()];
        assert_eq!(lz4_flex::block::decompress_into(&block, &mut read).unwrap(), bytes.len());
        assert!(read == bytes);
        block.len()
    }

    /// Bytes that don't repeat.
    fn noise(count: usize) -> Vec<u8> {
        let step = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Some((*state >> 56) as u8)
        };
        std::iter::repeat(()).scan(7_u64, |state, ()| step(state)).take(count).collect()
    }

    #[test]
    fn every_length_reads_back() {
        for count in 0..600 {
            reads_back(&vec![7; count]);
            reads_back(&noise(count));
            reads_back(&b"abcd".iter().copied().cycle().take(count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_repeats_within_the_window_and_beyond_it_reads_back() {
        for gap in [1, 4, 255, 65_235, 65_236, 70_000, 140_000] {
            let (words, between) = (noise(300), noise(gap + 300).split_off(300));
            let size = reads_back(&[&words[..], &between, &words, &between, &words].concat());
            assert!(gap + words.len() > DISTANCE_MAX || size < gap + 1_000, "{gap}: {size}");
        }
    }

    #[test]
    fn noise_grows_by_little_and_one_byte_many_times_shrinks_to_nothing() {
        assert!(reads_back(&noise(100_000)) < 100_500);
        assert!(reads_back(&vec![0; 1 << 20]) < 4_200);
    }

    #[test]
    fn words_take_less_than_a_fast_compressor_makes_of_them() {
        let word = |two: &[u8]| format!("{:x} ", (u32::from(two[0]) * u32::from(two[1])).wrapping_mul(2_654_435_761));
        let words: Vec<u8> = noise(60_000).chunks_exact(2).flat_map(|two| word(two).into_bytes()).collect();
        assert!(reads_back(&words) < lz4_flex::block::compress(&words).len());
    }
}
