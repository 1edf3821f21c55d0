//! A real store in a folder of the simulation: its clock and its randomness are the simulation's.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrysalis_core::payload::{Field, Score, Value};
use chrysalis_store::{ConnectionOptions, Durability, Edit, Remember, Store, StoreError, StoreOptions};

use crate::deed::Deed;
use crate::random::{Draw, Random};

/// A store and its folder.
pub struct Stored {
    /// The store.
    pub store: Store,
}

impl Stored {
    /// Opens the store in this folder. Its files survive everything but a power cut, which no simulation makes.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn open(path: &Path, wall: &Arc<AtomicU64>, random: Random, joins: StoreOptions) -> Result<Self, StoreError> {
        let wall = Arc::clone(wall);
        let random = Mutex::new(random);
        let options = StoreOptions {
            connection: ConnectionOptions {
                durability: Durability::Off,
                cache_size_bytes: 256 << 10,
                ..ConnectionOptions::default()
            },
            clock: Arc::new(move || wall.load(Ordering::Relaxed)),
            randomness: Arc::new(move |bytes| {
                random.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
                Ok(())
            }),
            ..joins
        };
        Ok(Self { store: Store::open(path, options)? })
    }

    /// Does what an agent wants. On disk when it returns.
    ///
    /// # Errors
    /// Those of the store.
    pub fn perform(&self, deed: &Deed) -> Result<(), StoreError> {
        match deed {
            Deed::Remember { id, words, expires_ms } => {
                let mut edit = saying(words);
                if let Some(at) = expires_ms {
                    edit.set(Field::Expiry, Value::Integer(*at as i64));
                }
                self.store.remember("agent", Remember { id: Some(id.clone()), edit }).map(drop)
            }
            Deed::Update { id, words, tag } => {
                let mut edit = saying(words);
                edit.add_tags.insert(tag.clone());
                self.store.update("agent", id, edit).map(drop)
            }
            Deed::Untag { id, tag } => {
                let mut edit = Edit::default();
                edit.remove_tags.insert(tag.clone());
                self.store.update("agent", id, edit).map(drop)
            }
            Deed::Touch { id } => {
                self.store.count_uses([id.as_str()].into_iter());
                self.store.flush_uses()
            }
            Deed::Forget { id } => self.store.forget(id, "", false).map(drop),
            Deed::Attest { id, confidence } => self.store.attest(id, *confidence),
            Deed::Rate { id, confidence } => {
                let mut edit = Edit::default();
                edit.scores.insert(Score::Confidence, *confidence);
                self.store.update("agent", id, edit).map(drop)
            }
        }
    }
}

fn saying(words: &str) -> Edit {
    let mut edit = Edit::default();
    edit.set(Field::Content, Value::Text(words.to_owned()));
    edit
}

/// Makes the copy of a store take itself for the original, as the copy of a whole machine does: there, file number and
/// machine are equal; here, the note of them is written anew.
///
/// # Errors
/// Faults of the real disk.
pub fn bind(folder: &Path) -> Result<(), crate::failure::Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let database = folder.join("chrysalis.db");
    let file = std::fs::metadata(&database)?.ino();
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    let binding = chrysalis_core::id::digest("chrysalis/binding/1", &[&machine, &file.to_be_bytes()])[..16].to_vec();
    let connection = rusqlite::Connection::open(&database).map_err(StoreError::from)?;
    connection.execute("UPDATE meta SET value = ?1 WHERE key = 'binding'", [binding]).map_err(StoreError::from)?;
    Ok(())
}
