//! How long a verification takes beside the bare signature checks that it contains.
//!
//! `cargo run --release -p chrysalis-store --example verify_speed -- 100000`

use std::path::Path;
use std::time::{Duration, Instant};

use chrysalis_core::id::{Fingerprint, Signature};
use chrysalis_core::operation::fingerprint;
use chrysalis_core::payload::{Field, Value};
use chrysalis_core::sign;
use chrysalis_store::{Durability, Edit, Remember, Store, StoreError, StoreOptions};

fn main() -> Result<(), StoreError> {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(20_000);
    let folder = std::env::temp_dir().join(format!("verify-speed-{}", std::process::id()));
    let measured = measure(&folder, count);
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

fn measure(folder: &Path, count: usize) -> Result<(), StoreError> {
    let store = filled(folder, count)?;
    store.catch_up_text()?;
    let checks = bare_checks(&store, folder)?;
    let began = Instant::now();
    let verification = store.verify(None, |_, _| {})?;
    let whole = began.elapsed();
    let per_operation = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    println!("{count} operations, {} problems", verification.problems.len());
    println!("bare strict checks on all cores: {:.1} us an operation", per_operation(checks));
    println!("verify:                          {:.1} us an operation", per_operation(whole));
    println!("ratio:                           {:.2}", whole.as_secs_f64() / checks.as_secs_f64());
    store.close()
}

fn filled(folder: &Path, count: usize) -> Result<Store, StoreError> {
    let mut options = StoreOptions::default();
    options.connection.durability = Durability::Off;
    let store = Store::open(folder, options)?;
    for start in (0..count).step_by(1_000) {
        let many = (start..count.min(start + 1_000)).map(|number| {
            let mut edit = Edit::default();
            let content =
                format!("memory number {number} of some three hundred bytes, {}", "as they are said ".repeat(14));
            edit.set(Field::Content, Value::Text(content));
            edit.add_tags.insert(format!("tag{}", number % 50));
            Remember { id: None, edit }
        });
        store.remember_many("bench", many.collect())?;
    }
    Ok(store)
}

/// The same checks with everything in memory, shared evenly.
fn bare_checks(store: &Store, folder: &Path) -> Result<Duration, StoreError> {
    let connection = rusqlite::Connection::open(folder.join("chrysalis.db"))?;
    let mut statement = connection.prepare("SELECT header, signature FROM operation")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let mut signed: Vec<(Fingerprint, Signature)> = Vec::new();
    for row in rows {
        let (header, signature) = row?;
        signed.push((fingerprint(&header), Signature::from_slice(&signature)?));
    }
    let key = store.replica();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for part in signed.chunks(signed.len().div_ceil(cores)) {
            scope.spawn(move || {
                let good =
                    part.iter().filter(|(print, signature)| sign::verify_operation(&key, print, signature).is_ok());
                assert_eq!(good.count(), part.len());
            });
        }
    });
    Ok(began.elapsed())
}
