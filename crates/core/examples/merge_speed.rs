//! Prints the nanoseconds that one merge takes, as JSON: two small documents that were edited apart, and two sets of
//! 1,000 elements. Run it with `--release`.

use std::hint::black_box;
use std::time::Instant;

use chrysalis_core::error::Refusal;
use chrysalis_core::id::{Fingerprint, MemoryId, ReplicaKey, digest};
use chrysalis_core::merge::{Document, GSet, Stamp};
use chrysalis_core::payload::{Change, Collection, Field, Score, Value, Write};

const ROUNDS: usize = 21;

/// The median over the rounds of the mean time of one call, in nanoseconds.
fn nanoseconds<T>(calls: u32, mut call: impl FnMut() -> T) -> u128 {
    let mut round = || {
        let start = Instant::now();
        (0..calls).for_each(|_| drop(black_box(call())));
        start.elapsed().as_nanos() / u128::from(calls)
    };
    let mut rounds: Vec<u128> = (0..ROUNDS).map(|_| round()).collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

fn stamp(number: u64) -> Stamp {
    let bytes = digest("example", &[&number.to_be_bytes()]);
    let mut author = [0; 32];
    author.copy_from_slice(&bytes[..32]);
    Stamp { fingerprint: Fingerprint(bytes), lamport: number, hybrid_ms: number, author: ReplicaKey(author) }
}

fn register(document: &Document, field: Field, text: &str) -> Change {
    Change::Register { field, value: Value::Text(text.into()), replaces: document.replaces(field) }
}

fn edit(document: &mut Document, number: u64, changes: Vec<Change>) -> Result<(), Refusal> {
    let root = document.origin().map(|origin| origin.fingerprint);
    let memory = MemoryId::new("memory")?;
    document.apply(&stamp(number), &Write { memory, agent: "agent".into(), root, changes });
    Ok(())
}

fn edited(base: &Document, number: u64, words: &str) -> Result<Document, Refusal> {
    let mut document = base.clone();
    let content = register(base, Field::Content, words);
    let changes = vec![
        content,
        Change::AddTags(vec![words.into()]),
        Change::Rate { score: Score::Importance, value: number as u16 },
    ];
    edit(&mut document, number, changes)?;
    Ok(document)
}

fn base() -> Result<Document, Refusal> {
    let mut document = Document::default();
    let changes = vec![
        register(&document, Field::Content, &"The user prefers short answers. ".repeat(9)),
        register(&document, Field::MemoryType, "semantic"),
        register(&document, Field::Scope, "project/api"),
        Change::AddTags(vec!["language".into(), "preference".into()]),
        Change::Grow { collection: Collection::Evidence, elements: vec!["conversation 12".into()] },
        Change::Rate { score: Score::Importance, value: 40_000 },
        Change::Rate { score: Score::Confidence, value: 50_000 },
    ];
    edit(&mut document, 1, changes)?;
    Ok(document)
}

fn set(from: u32, step: usize) -> GSet {
    let mut set = GSet::default();
    (from..).step_by(step).take(1_000).for_each(|number| {
        set.add(&format!("element {:08}", number * 7_919 % 65_521));
    });
    set
}

fn main() -> Result<(), Refusal> {
    // A young process hands every large block back to the system at once and pays for it at the next; one that has
    // freed a larger block does not. Programs that hold a set of 1,000 texts are of the second kind.
    drop(black_box(vec![1_u8; 4 << 20]));
    let base = base()?;
    let (left, right) = (edited(&base, 2, "left")?, edited(&base, 3, "right")?);
    let both = left.merged(&right);
    let (evens, thirds) = (set(0, 2), set(0, 3));
    let apart = set(5_000, 2);
    println!("{{");
    println!("  \"document_merge_ns\": {},", nanoseconds(20_000, || left.merged(&right)));
    println!("  \"document_copy_ns\": {},", nanoseconds(20_000, || left.clone()));
    let mut settled = both.clone();
    println!("  \"document_merge_of_known_ns\": {},", nanoseconds(20_000, || settled.merge(&right)));
    println!("  \"set_merge_third_shared_ns\": {},", nanoseconds(500, || evens.merged(&thirds)));
    println!("  \"set_merge_nothing_shared_ns\": {},", nanoseconds(500, || evens.merged(&apart)));
    println!("  \"set_merge_all_shared_ns\": {}", nanoseconds(500, || evens.merged(&evens)));
    println!("}}");
    Ok(())
}
