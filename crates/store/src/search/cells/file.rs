//! A file of cells: what stands where in it, and searching it in place.
//!
//! Reading goes through the operating system's cache, which all processes share, and not through a memory map: a map
//! of a file that is damaged or cut short would end the process.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::best::{Best, VectorHit};
use super::super::packed::{DIMENSIONS_MAX, Query, packed_bytes};
use super::super::{Number, StoreMark};
use super::bytes::{checksum, read_at, read_row, row_bytes, row_holds};
use super::centres::by_nearness;
use crate::error::StoreError;

const MAGIC: &[u8; 8] = b"CHRYCELL";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 96;
const CHECKSUM_BYTES: usize = 8;
/// A number and its row, in the directory.
const ENTRY_BYTES: usize = 12;
const CELLS_MAX: usize = 1 << 16;
const NAME_BYTES_MAX: usize = 1 << 16;

/// Another process may be overwriting a row in the moment that we read it.
const READS_MAX: usize = 4;

/// Of which vectors a file is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Head {
    pub mark: StoreMark,
    /// The generation of `vectors.db`: another one after it was emptied.
    pub generation: [u8; 16],
    /// The model, as `vectors.db` numbers and names it.
    pub model: i64,
    pub name: String,
    pub dimensions: usize,
    /// The last position of `vectors.db` that is in the file.
    pub position: i64,
    pub rows: usize,
    pub cells: usize,
    /// How many vectors there were when the centres were found.
    pub trained: usize,
}

impl Head {
    /// Bytes before the centres.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.name.len());
        bytes.extend(MAGIC);
        for number in [VERSION, self.dimensions as u32, self.cells as u32, self.name.len() as u32] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [self.rows as i64, self.position, self.model, self.trained as i64] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.mark.0);
        bytes.extend(self.generation);
        bytes.resize(HEAD_BYTES, 0);
        bytes.extend(self.name.as_bytes());
        bytes
    }

    /// Reads the beginning of a file; none when it is not one of ours, or what it says cannot be.
    pub(super) fn read(file: &File) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEAD_BYTES];
        read_at(file, &mut bytes, 0)?;
        let Some((mut head, name_bytes)) = Self::parse(&bytes) else { return Ok(None) };
        let mut name = vec![0; name_bytes];
        read_at(file, &mut name, HEAD_BYTES as u64)?;
        let Ok(name) = String::from_utf8(name) else { return Ok(None) };
        head.name = name;
        let whole = head.places().end == file.metadata()?.len();
        Ok(whole.then_some(head))
    }

    /// Everything but the name, and how long that is.
    fn parse(bytes: &[u8; HEAD_BYTES]) -> Option<(Self, usize)> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (small, rest) = rest.split_first_chunk::<16>()?;
        let (large, rest) = rest.split_first_chunk::<32>()?;
        let (mark, rest) = rest.split_first_chunk::<16>()?;
        let (generation, _) = rest.split_first_chunk::<16>()?;
        let mut small = small.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four) as usize);
        let mut large = large.as_chunks::<8>().0.iter().map(|eight| i64::from_le_bytes(*eight));
        let version = small.next()?;
        let (dimensions, cells, name_bytes) = (small.next()?, small.next()?, small.next()?);
        let (rows, position, model, trained) = (large.next()?, large.next()?, large.next()?, large.next()?);
        let rows = usize::try_from(u32::try_from(rows).ok()?).ok()?;
        let trained = usize::try_from(trained).ok()?;
        let sound = version == VERSION as usize
            && (1..=DIMENSIONS_MAX).contains(&dimensions)
            && (1..=CELLS_MAX).contains(&cells)
            && name_bytes <= NAME_BYTES_MAX;
        let (mark, generation) = (StoreMark(*mark), *generation);
        let head = Self { mark, generation, model, name: String::new(), dimensions, position, rows, cells, trained };
        sound.then_some((head, name_bytes))
    }

    pub(super) fn places(&self) -> Places {
        let centres = (HEAD_BYTES + self.name.len()) as u64;
        let counts = centres + (self.cells * packed_bytes(self.dimensions)) as u64;
        let front_end = counts + (self.cells * size_of::<u32>() + CHECKSUM_BYTES) as u64;
        let row_bytes = row_bytes(self.dimensions);
        let directory = front_end + self.rows as u64 * row_bytes as u64;
        let end = directory + (self.rows * ENTRY_BYTES + CHECKSUM_BYTES) as u64;
        Places { centres, counts, rows: front_end, row_bytes, directory, end }
    }
}

/// Where the parts of a file begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub centres: u64,
    pub counts: u64,
    pub rows: u64,
    pub row_bytes: usize,
    pub directory: u64,
    pub end: u64,
}

impl Places {
    pub(super) fn row(&self, row: usize) -> u64 {
        self.rows + row as u64 * self.row_bytes as u64
    }
}

/// All before the rows: head, centres, how many rows each cell has, and the checksum.
pub(super) fn front(head: &Head, centres: &[u8], counts: &[u32]) -> Vec<u8> {
    let mut bytes = head.bytes();
    bytes.extend_from_slice(centres);
    bytes.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
    let sum = checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// The memories of a file and the rows of each, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Directory(Vec<(Number, u32)>);

impl Directory {
    /// Rows that are empty have the number 0.
    pub(super) fn new(mut entries: Vec<(Number, u32)>) -> Self {
        entries.sort_unstable();
        Self(entries)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * ENTRY_BYTES + CHECKSUM_BYTES);
        for (number, row) in &self.0 {
            bytes.extend(number.to_le_bytes());
            bytes.extend(row.to_le_bytes());
        }
        let sum = checksum(&bytes);
        bytes.extend(sum.to_le_bytes());
        bytes
    }

    pub(super) fn read(file: &File, head: &Head) -> io::Result<Option<Self>> {
        let mut bytes = vec![0; head.rows * ENTRY_BYTES + CHECKSUM_BYTES];
        read_at(file, &mut bytes, head.places().directory)?;
        let Some((entries, sum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else { return Ok(None) };
        if checksum(entries) != u64::from_le_bytes(*sum) {
            return Ok(None);
        }
        let entry = |bytes: &[u8; ENTRY_BYTES]| {
            let (number, row) = bytes.split_first_chunk::<8>()?;
            let row = u32::from_le_bytes(*row.first_chunk::<4>()?);
            ((row as usize) < head.rows).then_some((i64::from_le_bytes(*number), row))
        };
        Ok(entries.as_chunks::<ENTRY_BYTES>().0.iter().map(entry).collect::<Option<_>>().map(Self))
    }

    /// The rows of a memory.
    pub(super) fn rows_of(&self, number: Number) -> impl Iterator<Item = usize> {
        let first = self.0.partition_point(|(known, _)| *known < number);
        let entries = self.0[first..].iter().take_while(move |(known, _)| *known == number);
        entries.map(|(_, row)| *row as usize)
    }
}

/// Which memories may be hits, as bits, for when they are many.
pub(in super::super) struct Scope {
    first: Number,
    bits: Vec<u64>,
}

impl Scope {
    /// Of numbers in ascending order; takes a bit for each number between the first and the last.
    pub(in super::super) fn new(numbers: &[Number]) -> Self {
        let (first, last) = (numbers.first().copied().unwrap_or(0), numbers.last().copied().unwrap_or(-1));
        let mut bits = vec![0_u64; (last - first + 1) as usize / 64 + 1];
        for number in numbers {
            let at = (number - first) as usize;
            bits[at / 64] |= 1 << (at % 64);
        }
        Self { first, bits }
    }

    fn holds(&self, number: Number) -> bool {
        let Ok(at) = usize::try_from(number.wrapping_sub(self.first)) else { return false };
        self.bits.get(at / 64).is_some_and(|bits| bits >> (at % 64) & 1 == 1)
    }
}

/// A complete file, open for reading.
#[derive(Debug)]
pub(in super::super) struct CellFile {
    path: PathBuf,
    file: File,
    pub(in super::super) head: Head,
    pub(super) centres: Vec<u8>,
    /// The first row of each cell, and the end.
    starts: Vec<usize>,
    /// Cells whose rows have all been checked since the file was opened.
    checked: Vec<AtomicBool>,
    directory: OnceLock<Directory>,
}

impl CellFile {
    /// Opens a file and reads what stands before its rows, some hundred kB for 100,000 vectors.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a file that is damaged or not ours; [`StoreError::Io`].
    pub(in super::super) fn open(path: &Path) -> Result<Self, StoreError> {
        let wrong = |source| StoreError::io(path, source);
        let file = File::open(path).map_err(wrong)?;
        let head = match Head::read(&file) {
            Ok(head) => head.ok_or_else(|| corrupt(path, "its head is damaged"))?,
            Err(error) => return Err(fault(path, error)),
        };
        let places = head.places();
        let mut bytes = vec![0; places.rows as usize];
        read_at(&file, &mut bytes, 0).map_err(|error| fault(path, error))?;
        let (centres, starts) = split_front(&bytes, &head).ok_or_else(|| corrupt(path, "its centres are damaged"))?;
        let checked = starts.iter().map(|_| AtomicBool::new(false)).collect();
        let path = path.to_owned();
        Ok(Self { path, file, head, centres, starts, checked, directory: OnceLock::new() })
    }

    /// Offers the vectors of the cells nearest to the query, until at least `compared` vectors of memories that may
    /// be hits have been compared and `best` is full.
    pub(in super::super) fn search(
        &self,
        query: &Query,
        scope: Option<&Scope>,
        compared: usize,
        gone: &dyn Fn(Number) -> bool,
        best: &mut Best,
    ) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        let mut left = compared;
        for cell in by_nearness(query, &self.centres, self.head.dimensions) {
            if left == 0 && best.is_full() {
                break;
            }
            self.read_cell(cell, &mut rows)?;
            for (at, row) in rows.chunks_exact(self.head.places().row_bytes).enumerate() {
                let Some(found) = read_row(row) else { continue };
                if scope.is_some_and(|scope| !scope.holds(found.number)) {
                    continue;
                }
                left = left.saturating_sub(1);
                let cosine = query.cosine(found.scale, found.values);
                let hit = VectorHit { number: found.number, cosine, passage: found.passage };
                if best.takes(&hit) && !gone(found.number) && self.holds_still(row, self.starts[cell] + at)? {
                    best.offer(hit);
                }
            }
        }
        Ok(())
    }

    /// The nearest passage of a memory; none when the file does not have it. `row` is room to read into.
    pub(in super::super) fn nearest_of(
        &self,
        query: &Query,
        number: Number,
        row: &mut Vec<u8>,
    ) -> Result<Option<VectorHit>, StoreError> {
        row.resize(self.head.places().row_bytes, 0);
        let mut best = Best::new(1);
        for at in self.directory()?.rows_of(number) {
            self.read_rows(at, row, true)?;
            if let Some(vector) = read_row(row).filter(|vector| vector.number == number) {
                let cosine = query.cosine(vector.scale, vector.values);
                best.offer(VectorHit { number, cosine, passage: vector.passage });
            }
        }
        Ok(best.sorted().pop())
    }

    /// The cell of each vector, by memory and passage, for as long as its row is not overwritten.
    pub(super) fn cells(&self) -> Result<Vec<(Number, usize, u32)>, StoreError> {
        let mut known = Vec::with_capacity(self.head.rows);
        let mut rows = Vec::new();
        for cell in 0..self.head.cells {
            self.read_cell(cell, &mut rows)?;
            let vectors = rows.chunks_exact(self.head.places().row_bytes).filter_map(read_row);
            known.extend(vectors.map(|vector| (vector.number, vector.passage, cell as u32)));
        }
        known.sort_unstable();
        Ok(known)
    }

    fn read_cell(&self, cell: usize, rows: &mut Vec<u8>) -> Result<(), StoreError> {
        let (first, end) = (self.starts[cell], self.starts[cell + 1]);
        rows.resize((end - first) * self.head.places().row_bytes, 0);
        let checked = self.checked[cell].load(Ordering::Relaxed);
        self.read_rows(first, rows, !checked)?;
        self.checked[cell].store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Reads rows from `first` on; when they are to be checked, each must be as it was written.
    fn read_rows(&self, first: usize, rows: &mut [u8], check: bool) -> Result<(), StoreError> {
        let places = self.head.places();
        for _ in 0..READS_MAX {
            let read = read_at(&self.file, rows, places.row(first));
            read.map_err(|error| fault(&self.path, error))?;
            if !check || rows.chunks_exact(places.row_bytes).all(row_holds) {
                return Ok(());
            }
            std::thread::yield_now();
        }
        Err(corrupt(&self.path, "a row is damaged"))
    }

    /// Tells whether a row that was read is a hit: checked again, since its cell may have been checked long ago. One
    /// that is being overwritten is none.
    fn holds_still(&self, row: &[u8], at: usize) -> Result<bool, StoreError> {
        if row_holds(row) {
            return Ok(true);
        }
        let mut again = vec![0; row.len()];
        self.read_rows(at, &mut again, true)?;
        Ok(false)
    }

    fn directory(&self) -> Result<&Directory, StoreError> {
        if let Some(directory) = self.directory.get() {
            return Ok(directory);
        }
        let read = Directory::read(&self.file, &self.head).map_err(|error| fault(&self.path, error))?;
        let read = read.ok_or_else(|| corrupt(&self.path, "its directory is damaged"))?;
        Ok(self.directory.get_or_init(|| read))
    }
}

/// Centres and the first row of each cell, from all that stands before the rows.
fn split_front(bytes: &[u8], head: &Head) -> Option<(Vec<u8>, Vec<usize>)> {
    let (body, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    let places = head.places();
    let centres = body.get(places.centres as usize..places.counts as usize)?;
    let counts = body.get(places.counts as usize..)?.as_chunks::<4>().0;
    let mut starts = vec![0];
    let mut end = 0_usize;
    for count in counts {
        end = end.checked_add(u32::from_le_bytes(*count) as usize)?;
        starts.push(end);
    }
    let sound = checksum(body) == u64::from_le_bytes(*sum) && end == head.rows && counts.len() == head.cells;
    sound.then(|| (centres.to_vec(), starts))
}

fn corrupt(path: &Path, what: &str) -> StoreError {
    StoreError::corrupt(path, what)
}

/// A file that ends too early is damaged; anything else is the disk's fault.
fn fault(path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => corrupt(path, "it was cut short"),
        _ => StoreError::io(path, error),
    }
}
