//! Reading operations, and values kept beside them, out of the pages of a database that SQLite can't read any more.
//!
//! Each leaf page is looked at by itself, whatever became of the pages above it. An operation counts only if its
//! signature holds, and a value only if it decodes, so that guessing wrong does no harm. Layout: the description of SQLite's
//! file format, sections 1.6 and 2.1.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use chrysalis_core::id::{Salt, Signature};
use chrysalis_core::limits;
use chrysalis_core::operation::{Body, Operation};

use crate::encryption::{self, Key};

/// The first byte of a leaf page of a table.
const TABLE_LEAF: u8 = 13;

/// The first byte of a leaf page of a table without row ids, as `meta` is one.
const INDEX_LEAF: u8 = 10;

const FILE_HEADER_BYTES: usize = 100;

/// Columns of the table of operations, and where header, signature, salt and payload stand among them.
const COLUMNS: usize = 13;
const HEADER: usize = 9;

/// The pages of a file.
struct Pages<'a> {
    file: File,
    page_bytes: usize,
    /// Of each page so many bytes are SQLite's; the rest is what encryption keeps for itself.
    usable_bytes: usize,
    count: u64,
    key: Option<&'a Key>,
}

/// What stands in the pages.
#[derive(Default)]
pub(super) struct Carved {
    /// Operations that are whole in themselves. Signatures are not checked.
    pub(super) operations: Vec<Operation>,
    /// Rows of a text and a value: those of `meta`, and whatever else has this shape.
    pub(super) values: Vec<(String, Vec<u8>)>,
}

/// Everything that stands in a leaf page of the file. `key` is that of an encrypted store.
pub(super) fn carve(path: &Path, key: Option<&Key>) -> io::Result<Carved> {
    let mut pages = Pages::open(path, key)?;
    let mut carved = Carved::default();
    for number in 1..=pages.count {
        let page = pages.read(number)?;
        let start = if number == 1 { FILE_HEADER_BYTES } else { 0 };
        let Some(kind @ (TABLE_LEAF | INDEX_LEAF)) = page.get(start).copied() else { continue };
        for cell in cells(&page, start) {
            let Some(record) = pages.record(&page, cell, kind)? else { continue };
            match kind {
                TABLE_LEAF => carved.operations.extend(operation_of(&record)),
                _ => carved.values.extend(value_of(&record)),
            }
        }
    }
    Ok(carved)
}

impl<'a> Pages<'a> {
    fn open(path: &Path, key: Option<&'a Key>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        file.by_ref().take(18).read_to_end(&mut head)?;
        let stated = head.get(16..18).map_or(0, |bytes| usize::from(bytes[0]) << 8 | usize::from(bytes[1]));
        // A damaged header may state anything, and an encrypted one says nothing; 4096 is what SQLite makes by itself.
        let page_bytes = match stated {
            _ if key.is_some() => encryption::PAGE_BYTES,
            1 => 65_536,
            512.. if stated.is_power_of_two() => stated,
            _ => 4_096,
        };
        let usable_bytes = if key.is_some() { page_bytes - encryption::RESERVED_BYTES } else { page_bytes };
        let count = file.metadata()?.len() / page_bytes as u64;
        Ok(Self { file, page_bytes, usable_bytes, count, key })
    }

    fn read(&mut self, number: u64) -> io::Result<Vec<u8>> {
        let mut page = vec![0; self.page_bytes];
        self.file.seek(SeekFrom::Start((number - 1) * self.page_bytes as u64))?;
        self.file.read_exact(&mut page)?;
        if let Some(key) = self.key {
            encryption::open_page(key, number, &mut page);
        }
        page.truncate(self.usable_bytes);
        Ok(page)
    }

    /// The whole record of a cell, its overflow pages included; none when it is not whole.
    fn record(&mut self, page: &[u8], cell: usize, kind: u8) -> io::Result<Option<Vec<u8>>> {
        let mut at = cell;
        let Some(length) = varint(page, &mut at) else { return Ok(None) };
        if kind == TABLE_LEAF && varint(page, &mut at).is_none() {
            return Ok(None);
        }
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= 2 * limits::OPERATION_BYTES_MAX)
        else {
            return Ok(None);
        };
        let local = local_bytes(length, self.usable_bytes, kind);
        let Some(bytes) = page.get(at..at + local) else { return Ok(None) };
        let mut record = bytes.to_vec();
        let mut next = four_bytes(page, at + local);
        while record.len() < length {
            let Some(number) = next.filter(|number| (1..=self.count).contains(number)) else { return Ok(None) };
            let overflow = self.read(number)?;
            next = four_bytes(&overflow, 0);
            let wanted = (length - record.len()).min(self.usable_bytes - 4);
            record.extend(&overflow[4..4 + wanted]);
        }
        Ok(Some(record))
    }
}

/// How many bytes of a record stand in the leaf page itself.
fn local_bytes(length: usize, usable: usize, kind: u8) -> usize {
    let most = if kind == TABLE_LEAF { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
    if length <= most {
        return length;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let fitting = least + (length - least) % (usable - 4);
    if fitting <= most { fitting } else { least }
}

fn cells(page: &[u8], start: usize) -> Vec<usize> {
    let two_bytes = |at: usize| Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])));
    let count = two_bytes(start + 3).unwrap_or(0);
    (0..count).filter_map(|cell| two_bytes(start + 8 + 2 * cell)).filter(|at| *at < page.len()).collect()
}

fn four_bytes(page: &[u8], at: usize) -> Option<u64> {
    let bytes = page.get(at..at + 4)?;
    Some(u64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
}

/// SQLite's integer of one to nine bytes.
fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for place in 0..9 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if place == 8 {
            return Some(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 127);
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

fn operation_of(record: &[u8]) -> Option<Operation> {
    let columns = columns(record).filter(|columns| columns.len() == COLUMNS)?;
    let column = |place: usize| columns.get(HEADER + place).copied().flatten();
    let signature = Signature::from_slice(column(1)?).ok()?;
    let body = match (column(2), column(3)) {
        (Some(salt), Some(payload)) => Salt::from_slice(salt).ok().map(|salt| Body { salt, payload: payload.into() }),
        _ => None,
    };
    let header = column(0)?;
    // Words that are not the ones signed are worth nothing, the header without them still is.
    Operation::from_parts(header, signature, body).or_else(|_| Operation::from_parts(header, signature, None)).ok()
}

fn value_of(record: &[u8]) -> Option<(String, Vec<u8>)> {
    let columns = columns(record)?;
    let [Some(key), Some(value)] = columns.as_slice() else { return None };
    Some((String::from_utf8(key.to_vec()).ok()?, value.to_vec()))
}

/// The bytes of each column that holds bytes or text, none for the others; nothing for what is no record.
fn columns(record: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let mut at = 0;
    let head_bytes = usize::try_from(varint(record, &mut at)?).ok()?;
    let mut value_at = head_bytes;
    let mut columns = Vec::with_capacity(COLUMNS);
    while at < head_bytes {
        let kind = varint(record, &mut at)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            _ => usize::try_from(kind.checked_sub(12)? / 2).ok()?,
        };
        let bytes = record.get(value_at..value_at.checked_add(length)?)?;
        columns.push((kind >= 12).then_some(bytes));
        value_at += length;
    }
    Some(columns)
}
