//! Prints what sync costs on the wire and in time, as JSON: one live operation, a thousand that are missing, and
//! stores of many logs that differ in few. The words are those of this project's documents. Run it with `--release`.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrysalis_core::error::Refusal;
use chrysalis_core::id::{Epoch, LogId, MemoryId, ReplicaKey, Salt, digest};
use chrysalis_core::limits;
use chrysalis_core::member::Space;
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::{Change, Field, Payload, Score, Value, Write};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::carry::carry;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::{Carried, Message};
use chrysalis_core::sync::packed::Unpacker;
use chrysalis_core::sync::reconcile::{initial, respond};
use chrysalis_core::sync::replica::{Intake, LogState, Offer, Outcome, Replica, Segment, Tip, Want};

const START_MS: u64 = 1_767_225_600_000;
const OPERATIONS: usize = 1_000;
const TEXT_BYTES: usize = 190;
const RECORD_BYTES: usize = 365;
const ROUNDS: usize = 21;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Texts of the length of a note, pieces of the documents: more than a frame takes, so that none is twice in one.
fn texts() -> Fallible<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in [root.clone(), root.join("docs")] {
        for entry in std::fs::read_dir(folder)? {
            paths.extend(Some(entry?.path()).filter(|path| path.extension().is_some_and(|kind| kind == "md")));
        }
    }
    paths.sort();
    let read = |path: &PathBuf| std::fs::read_to_string(path);
    let words = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?.join(" ");
    let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".,:;'-()".contains(&byte));
    let words = words.split_whitespace().filter(plain).collect::<Vec<_>>().join(" ");
    let texts: Vec<String> =
        words.as_bytes().chunks_exact(TEXT_BYTES).map(|t| String::from_utf8_lossy(t).into()).collect();
    Ok(texts)
}

fn id(number: usize) -> String {
    digest("example", &[&number.to_be_bytes()])[..13].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn salt(number: usize) -> Salt {
    let mut salt = [0; 16];
    salt.copy_from_slice(&digest("salt", &[&number.to_be_bytes()])[..16]);
    Salt(salt)
}

/// A record as agents write it, of seven fields.
fn record(number: usize, text: &str) -> Result<Payload, Refusal> {
    let register =
        |field, text: &str| Change::Register { field, value: Value::Text(text.to_owned()), replaces: Vec::new() };
    Ok(Payload::Write(Write {
        memory: MemoryId::new(&id(number))?,
        agent: "agent-7".to_owned(),
        root: None,
        changes: vec![
            register(Field::Content, text),
            register(Field::MemoryType, "semantic"),
            register(Field::Scope, "project/api"),
            Change::AddTags(vec!["decision".to_owned(), "interface".to_owned()]),
            Change::Rate { score: Score::Importance, value: 30_000 + (number % 20_000) as u16 },
        ],
    }))
}

/// The same record in JSON, as it is compared with other systems.
fn json(number: usize, text: &str) -> String {
    let id = id(number);
    format!(
        "{{\"id\":\"{id}\",\"agent\":\"agent-7\",\"content\":\"{text}\",\"memory_type\":\"semantic\",\"scope\":\"project/api\",\
         \"tags\":[\"decision\",\"interface\"],\"importance\":0.{:03}}}",
        457 + number % 300
    )
}

fn replica(seed: u8) -> MemoryReplica {
    MemoryReplica::new(Space::Open { name: "example".to_owned() }, SecretKey::from_seed(&[seed; 32]), None)
}

fn store(replica: &mut MemoryReplica, segments: Vec<Segment>) -> Fallible<()> {
    let from = ReplicaKey([0; 32]);
    let offers = segments.into_iter().map(|segment| (from, Offer::Segment(segment))).collect();
    let outcomes = replica.take(Intake { offers, ..Intake::default() })?;
    if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored(_))) { Ok(()) } else { Err("not stored".into()) }
}

/// Everything that is wanted of the writer's log, in frames.
fn frames(writer: &MemoryReplica, from: u64) -> Fallible<Vec<Vec<u8>>> {
    let wants = [Want { log: writer.own_log(), from }];
    let mut segments = writer.read(&wants, usize::MAX)?;
    let mut frames = Vec::new();
    while !segments.is_empty() {
        let (carried, left) = carry(segments, false, 256 * 1024);
        frames.push(Message::Segments { segments: carried, last: left.is_empty() }.encode_densely());
        segments = left;
    }
    Ok(frames)
}

fn unpack(reader: &MemoryReplica, frames: &[Vec<u8>]) -> Fallible<Vec<Segment>> {
    let mut unpacker = Unpacker::new(reader);
    let mut segments = Vec::new();
    for frame in frames {
        let Message::Segments { segments: carried, .. } = Message::decode(frame)? else {
            return Err("no segments".into());
        };
        for carried in carried {
            let Carried::Packed(packed) = carried else { return Err("not packed".into()) };
            segments.push(unpacker.unpack(&packed).map_err(|unresolved| format!("{unresolved:?}"))?);
        }
    }
    Ok(segments)
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1_000.0
}

/// A live operation that follows another and names one dependency.
fn live(texts: &[String]) -> Fallible<()> {
    let (mut writer, mut other) = (replica(1), replica(2));
    let opening = other.open(Epoch([2; 16]), salt(1), START_MS)?;
    writer.open(Epoch([1; 16]), salt(2), START_MS)?;
    store(&mut writer, vec![vec![opening]])?;
    let text = (0..).map(|cut| &texts[7][cut..]).find(|text| json(7, text).len() <= RECORD_BYTES).unwrap_or("");
    let padded = format!("{text}{}", &texts[8][..RECORD_BYTES - json(7, text).len()]);
    let operation: Operation = writer.say(record(7, &padded)?, salt(3), START_MS + 60_000)?;
    let frames = frames(&writer, operation.header().sequence)?;
    println!("  \"live_record_json_bytes\": {},", json(7, &padded).len());
    println!("  \"live_payload_bytes\": {},", operation.header().payload_length);
    println!("  \"live_plain_bytes\": {},", operation.encode().len());
    println!("  \"live_frame_bytes\": {},", frames.iter().map(Vec::len).sum::<usize>());
    Ok(())
}

fn thousand(texts: &[String]) -> Fallible<()> {
    let mut writer = replica(1);
    writer.open(Epoch([1; 16]), salt(0), START_MS)?;
    let opening = writer.read(&[Want { log: writer.own_log(), from: 0 }], usize::MAX)?;
    for number in 0..OPERATIONS {
        let now_ms = START_MS + number as u64 * 61_007;
        writer.say(record(number, &texts[number % texts.len()])?, salt(number), now_ms)?;
    }
    let (mut packing, mut unpacking, mut admitting) = (Vec::new(), Vec::new(), Vec::new());
    let mut sent = Vec::new();
    for _ in 0..ROUNDS {
        let mut reader = replica(2);
        store(&mut reader, opening.clone())?;
        let start = Instant::now();
        sent = frames(&writer, 1)?;
        packing.push(start.elapsed());
        let start = Instant::now();
        let segments = unpack(&reader, &sent)?;
        unpacking.push(start.elapsed());
        let start = Instant::now();
        store(&mut reader, segments)?;
        admitting.push(start.elapsed());
    }
    let json: usize = (0..OPERATIONS).map(|number| json(number, &texts[number % texts.len()]).len()).sum();
    println!("  \"thousand_json_bytes\": {json},");
    println!("  \"thousand_frame_bytes\": {},", sent.iter().map(Vec::len).sum::<usize>());
    println!("  \"thousand_frames\": {},", sent.len());
    println!("  \"thousand_read_pack_compress_ms\": {:.2},", median(packing));
    println!("  \"thousand_decompress_unpack_ms\": {:.2},", median(unpacking));
    println!("  \"thousand_admit_keep_ms\": {:.2},", median(admitting));
    Ok(())
}

fn states(logs: usize, changed: usize) -> Vec<LogState> {
    let mut states: Vec<_> = (0..logs)
        .map(|number| {
            let mut log = [0; 32];
            log.copy_from_slice(&digest("log", &[&number.to_be_bytes()])[..32]);
            let count = 300 + u64::from(number < changed);
            LogState { log: LogId(log), count, tip: Tip([count as u8; 16]), cut: None }
        })
        .collect();
    states.sort_unstable();
    states
}

fn reconcile(logs: usize, changed: usize) -> Fallible<()> {
    let sides = [states(logs, 0), states(logs, changed)];
    let mut learnt = BTreeSet::new();
    let (mut messages, mut bytes, mut turn) = (0, 0, 1);
    let start = Instant::now();
    let mut ranges = initial(&sides[0], b"salt");
    while !ranges.is_empty() {
        (messages, bytes) = (messages + 1, bytes + Message::Ranges(ranges.clone()).encode().len());
        let reconciled = respond(&sides[turn], b"salt", &ranges)?;
        learnt.extend(reconciled.theirs);
        (ranges, turn) = (reconciled.answer, 1 - turn);
    }
    let spent = median(vec![start.elapsed()]);
    if learnt.len() != 2 * changed {
        return Err("not all differences were found".into());
    }
    println!("  \"reconcile_{logs}_{changed}_messages\": {messages},");
    println!("  \"reconcile_{logs}_{changed}_bytes\": {bytes},");
    println!("  \"reconcile_{logs}_{changed}_both_sides_ms\": {spent:.2},");
    Ok(())
}

fn main() -> Fallible<()> {
    println!("{{");
    let texts = texts()?;
    live(&texts)?;
    thousand(&texts)?;
    reconcile(10_000, 10)?;
    reconcile(100_000, 100)?;
    println!("  \"frame_bytes_max\": {}", limits::FRAME_BYTES_MAX);
    println!("}}");
    Ok(())
}
