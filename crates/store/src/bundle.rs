//! Bundles: every operation of a space in one file, which any store of that space merges by admission.
//!
//! A bundle proves itself: each operation in it is checked as if it came over a link. The digest at its end tells a
//! file that was cut or altered from a whole one, and nothing hangs on it. `docs/format.md` has the layout.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use chrysalis_core::causality::LogNumber;
use chrysalis_core::codec::{Decoder, Encoder};
use chrysalis_core::fork::Proof;
use chrysalis_core::id::{Signature, digest, to_hex};
use chrysalis_core::limits;
use chrysalis_core::member::Space;
use chrysalis_core::operation::Operation;
use rusqlite::Connection;

use crate::accept::Accepted;
use crate::error::StoreError;
use crate::folder::sync_folder;
use crate::ledger::{Tables, damaged};
use crate::segments::Segments;
use crate::store::Store;
use crate::turn::random;

/// The first bytes of every bundle.
pub const MAGIC: &[u8; 16] = b"chrysalis-bundle";

const VERSION: u8 = 1;

/// What a record holds. The numbers are the file format's.
const SPACE: u8 = 1;
const PROOF: u8 = 2;
const SEGMENT: u8 = 3;
const END: u8 = 4;

/// Segments admitted in one transaction: keeps other writers' waits short.
const SEGMENTS_PER_TURN: usize = 16;

/// Bytes of segments that may wait for what they depend on; the rest of a larger heap is refused, and can be imported
/// once that has arrived.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// What an import did.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Imported {
    /// Operations read.
    pub read: usize,
    /// Operations that were new.
    pub added: usize,
    /// Operations that were known.
    pub known: usize,
    /// What was refused: the offset of its record in the file, a stable code, and why in words.
    pub refused: Vec<(u64, &'static str, String)>,
}

impl Store {
    /// Writes every operation of the space into one file, which appears whole or not at all. Returns how many.
    ///
    /// # Errors
    /// Those of reading the store and of writing the file.
    pub fn export(&self, path: &Path) -> Result<usize, StoreError> {
        if self.writer.in_batch() {
            return Err(StoreError::Invalid("a batch is exported once it is committed".to_owned()));
        }
        let fault = |source| StoreError::io(path, source);
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.part", to_hex(&random::<6>()?)));
        let temporary = Path::new(&temporary).to_owned();
        let file = File::create_new(&temporary).map_err(fault)?;
        let written = self.write_bundle(file, path);
        let renamed = written.and_then(|count| {
            fs::rename(&temporary, path).map_err(fault)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            sync_folder(folder.unwrap_or(Path::new(".")))?;
            Ok(count)
        });
        if renamed.is_err() {
            // The error that is returned says more than a failure to clean up after it.
            let _ = fs::remove_file(&temporary);
        }
        renamed
    }

    fn write_bundle(&self, file: File, path: &Path) -> Result<usize, StoreError> {
        let mut bundle = BundleWriter { file: BufWriter::new(file), hasher: Vec::new(), path };
        bundle.raw(MAGIC)?;
        bundle.raw(&[VERSION])?;
        bundle.record(SPACE, &self.space().encode())?;
        let count = self.read(|connection| {
            // One snapshot, so that nothing is named that is not written.
            let snapshot = connection.unchecked_transaction()?;
            write_proofs(&snapshot, &mut bundle)?;
            let tables = self.tables(&snapshot);
            let count = write_operations(&tables, &mut bundle)?;
            Ok(count + write_void(&snapshot, &mut bundle)?)
        })?;
        bundle.finish()?;
        Ok(count)
    }

    /// Takes in a bundle of [`Store::export`], by admission. Importing twice, or two bundles in either order, gives
    /// the same. What is refused is named, and the rest goes on.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a file that is no bundle, `wrong_space` for one of another space; faults of the
    /// disk. What was taken in before stays.
    pub fn import_bundle(&self, path: &Path) -> Result<Imported, StoreError> {
        if self.writer.in_batch() {
            return Err(StoreError::Invalid("a bundle cannot be imported inside a batch".to_owned()));
        }
        let file = File::open(path).map_err(|source| StoreError::io(path, source))?;
        let mut bundle = BundleReader { file: BufReader::new(file), hasher: Vec::new(), offset: 0, path };
        bundle.begin()?;
        let mut import = Import {
            store: self,
            report: Imported::default(),
            ready: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
        };
        loop {
            let offset = bundle.offset;
            match bundle.record() {
                Ok(Some((END, _))) => break,
                Ok(Some((tag, bytes))) => import.take(offset, tag, &bytes)?,
                Ok(None) => {
                    import.refuse(offset, "malformed", "the file is cut short".to_owned());
                    break;
                }
                Err(refused) => {
                    import.refuse(offset, "malformed", refused);
                    break;
                }
            }
        }
        let report = import.finish()?;
        self.erase_derived()?;
        Ok(report)
    }
}

fn write_proofs(connection: &Connection, bundle: &mut BundleWriter<'_>) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT proof FROM proof ORDER BY log")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        bundle.record(PROOF, row.get_ref(0)?.as_blob().map_err(|_| damaged("a proof is no blob"))?)?;
    }
    Ok(())
}

/// The operations of all logs, void ones too, in an order in which they can be admitted.
fn write_operations(tables: &Tables<'_>, bundle: &mut BundleWriter<'_>) -> Result<usize, StoreError> {
    let mut statement = tables.connection.prepare("SELECT number FROM log ORDER BY number")?;
    let logs = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<LogNumber>, _>>()?;
    let mut segments = Segments::of(tables, logs.into_iter().map(|log| (log, 0, u64::MAX)))?;
    let mut count = 0;
    while let Some(segment) = segments.next()? {
        count += segment.len();
        bundle.segment(&segment)?;
    }
    Ok(count)
}

fn write_void(connection: &Connection, bundle: &mut BundleWriter<'_>) -> Result<usize, StoreError> {
    let mut statement = connection.prepare("SELECT header, signature FROM void_header ORDER BY log, sequence")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let signature = Signature::from_slice(&row.get::<_, Vec<u8>>(1)?)?;
        let operation = Operation::from_parts(&row.get::<_, Vec<u8>>(0)?, signature, None)?;
        bundle.segment(&[operation])?;
        count += 1;
    }
    Ok(count)
}

/// Writes a bundle and digests it as it goes.
struct BundleWriter<'a> {
    file: BufWriter<File>,
    hasher: Vec<u8>,
    path: &'a Path,
}

impl BundleWriter<'_> {
    fn raw(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher = chain(&self.hasher, bytes);
        self.file.write_all(bytes).map_err(|source| StoreError::io(self.path, source))
    }

    fn record(&mut self, tag: u8, bytes: &[u8]) -> Result<(), StoreError> {
        let length = u32::try_from(bytes.len()).map_err(|_| damaged("a record is too long for a bundle"))?;
        let mut head = [tag, 0, 0, 0, 0];
        head[1..].copy_from_slice(&length.to_be_bytes());
        self.raw(&head)?;
        self.raw(bytes)
    }

    fn segment(&mut self, operations: &[Operation]) -> Result<(), StoreError> {
        if operations.is_empty() {
            return Ok(());
        }
        let mut encoder = Encoder::default();
        encoder.list(operations.iter(), |e, operation| {
            e.bytes(&operation.encode());
        });
        self.record(SEGMENT, &encoder.finish())
    }

    fn finish(mut self) -> Result<(), StoreError> {
        let sum = self.hasher.clone();
        self.record(END, &sum)?;
        let path = self.path;
        let file = self.file.into_inner().map_err(|error| StoreError::io(path, error.into_error()))?;
        file.sync_all().map_err(|source| StoreError::io(path, source))
    }
}

/// The digest of what was digested before and of the next bytes.
fn chain(before: &[u8], bytes: &[u8]) -> Vec<u8> {
    digest("chrysalis/bundle/1", &[before, bytes]).to_vec()
}

/// Reads a bundle with bounds on everything.
struct BundleReader<'a> {
    file: BufReader<File>,
    hasher: Vec<u8>,
    offset: u64,
    path: &'a Path,
}

impl BundleReader<'_> {
    fn begin(&mut self) -> Result<(), StoreError> {
        let head = self.take(MAGIC.len() + 1).map_err(StoreError::Invalid)?.unwrap_or_default();
        if head.get(..MAGIC.len()) != Some(MAGIC) {
            return Err(StoreError::Invalid(format!("{} is no bundle", self.path.display())));
        }
        self.hasher = chain(&chain(&[], MAGIC), &[VERSION]);
        match head.last() {
            Some(&VERSION) => Ok(()),
            found => Err(StoreError::TooNew {
                found: found.map_or(0, |version| i32::from(*version)),
                supported: i32::from(VERSION),
            }),
        }
    }

    /// Exactly so many bytes; none at the end of the file.
    fn take(&mut self, length: usize) -> Result<Option<Vec<u8>>, String> {
        let mut bytes = Vec::new();
        let taken = self.file.by_ref().take(length as u64).read_to_end(&mut bytes);
        taken.map_err(|error| format!("the file can't be read: {error}"))?;
        self.offset += bytes.len() as u64;
        Ok((bytes.len() == length).then_some(bytes))
    }

    /// The next record; none where the file ends before its end mark.
    fn record(&mut self) -> Result<Option<(u8, Vec<u8>)>, String> {
        let Some(head) = self.take(5)? else { return Ok(None) };
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > limits::FRAME_BYTES_MAX {
            return Err(format!("a record of {length} bytes; at most {} are allowed", limits::FRAME_BYTES_MAX));
        }
        let Some(bytes) = self.take(length)? else { return Ok(None) };
        if head[0] == END && bytes != self.hasher {
            return Err("the digest at its end does not match: the file was altered or damaged".to_owned());
        }
        self.hasher = chain(&chain(&self.hasher, &head), &bytes);
        Ok(Some((head[0], bytes)))
    }
}

type Offered = (u64, Vec<Operation>);

/// An import under way.
struct Import<'a> {
    store: &'a Store,
    report: Imported,
    ready: Vec<Offered>,
    waiting: Vec<Offered>,
    waiting_bytes: usize,
}

impl Import<'_> {
    fn refuse(&mut self, offset: u64, code: &'static str, why: String) {
        self.report.refused.push((offset, code, why));
    }

    fn take(&mut self, offset: u64, tag: u8, bytes: &[u8]) -> Result<(), StoreError> {
        match tag {
            SPACE => self.check_space(bytes),
            PROOF => self.take_proof(offset, bytes),
            SEGMENT => {
                match read_segment(bytes) {
                    Ok(segment) => {
                        self.report.read += segment.len();
                        self.ready.push((offset, segment));
                    }
                    Err(refusal) => self.refuse(offset, refusal.code(), refusal.to_string()),
                }
                if self.ready.len() >= SEGMENTS_PER_TURN { self.admit_ready() } else { Ok(()) }
            }
            _ => {
                self.refuse(offset, "malformed", format!("a record of unknown kind {tag}"));
                Ok(())
            }
        }
    }

    fn check_space(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let space = Space::decode(bytes)?;
        if space == *self.store.space() {
            return Ok(());
        }
        let what =
            format!("the bundle is of the space {:?}, this store of {:?}", space.name(), self.store.space().name());
        Err(StoreError::Refused("wrong_space", what))
    }

    fn take_proof(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let proof = match Proof::decode(bytes) {
            Ok(proof) => proof,
            Err(refusal) => {
                self.refuse(offset, refusal.code(), refusal.to_string());
                return Ok(());
            }
        };
        let taken = self.store.writer.run(move |connection, turn| turn.accept_proof(connection, &proof));
        if let Err(refusal) = taken? {
            self.refuse(offset, refusal.code(), refusal.to_string());
        }
        Ok(())
    }

    fn admit_ready(&mut self) -> Result<(), StoreError> {
        let offered = std::mem::take(&mut self.ready);
        if offered.is_empty() {
            return Ok(());
        }
        let outcomes = self.store.writer.run(move |connection, turn| {
            let mut outcomes = Vec::with_capacity(offered.len());
            for (offset, segment) in offered {
                let accepted = turn.accept(connection, segment.clone())?;
                outcomes.push((offset, segment, accepted));
            }
            Ok(outcomes)
        })?;
        for (offset, segment, accepted) in outcomes {
            match accepted {
                Accepted::Stored(added) => {
                    self.report.added += added;
                    self.report.known += segment.len() - added;
                }
                Accepted::Forked => self.report.known += segment.len(),
                Accepted::Refused(refusal) => self.refuse(offset, refusal.code(), refusal.to_string()),
                Accepted::Waiting(_) if self.waiting_bytes < WAITING_BYTES_MAX => {
                    self.waiting_bytes += segment.iter().map(Operation::size).sum::<usize>();
                    self.waiting.push((offset, segment));
                }
                Accepted::Waiting(_) => {
                    self.refuse(offset, "missing", "too much waits for operations that are not here".to_owned());
                }
            }
        }
        Ok(())
    }

    /// Offers what waits again, earliest Lamport time first: in that order nothing waits for what comes later. Segments
    /// that wait for each other's beginnings are offered operation by operation.
    fn finish(mut self) -> Result<Imported, StoreError> {
        self.admit_ready()?;
        let waiting = std::mem::take(&mut self.waiting);
        self.offer_again(waiting)?;
        let waiting = std::mem::take(&mut self.waiting);
        let single = |(offset, segment): Offered| segment.into_iter().map(move |one| (offset, vec![one]));
        self.offer_again(waiting.into_iter().flat_map(single).collect())?;
        let mut offsets: Vec<u64> = std::mem::take(&mut self.waiting).into_iter().map(|(offset, _)| offset).collect();
        offsets.dedup();
        for offset in offsets {
            let why = "it depends on an operation that is neither here nor in the file";
            self.refuse(offset, "missing", why.to_owned());
        }
        self.report.refused.sort();
        Ok(self.report)
    }

    fn offer_again(&mut self, mut waiting: Vec<Offered>) -> Result<(), StoreError> {
        waiting.sort_by_key(|(_, segment)| segment.first().map(|first| first.header().lamport));
        self.waiting_bytes = 0;
        let mut waiting = waiting.into_iter();
        loop {
            self.ready = waiting.by_ref().take(SEGMENTS_PER_TURN).collect();
            if self.ready.is_empty() {
                return Ok(());
            }
            self.admit_ready()?;
        }
    }
}

fn read_segment(bytes: &[u8]) -> chrysalis_core::Result<Vec<Operation>> {
    let mut decoder = Decoder::new(bytes);
    let segment = decoder.list(limits::SEGMENT_OPERATIONS_MAX, "segment (operations)", |d| {
        Operation::decode(d.bytes(limits::OPERATION_BYTES_MAX, "operation (bytes)")?)
    })?;
    decoder.finish()?;
    Ok(segment)
}
