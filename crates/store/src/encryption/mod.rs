//! Stores that are kept encrypted: a passphrase opens the file `encryption`, which holds the store's key.
//!
//! The key is random and made once. It encrypts every database of the folder, by SQLCipher, and the replica's seed. The
//! passphrase encrypts only the key, so that it can be changed at once, and so that it is stretched once for each
//! opening of a store and not for each connection. `docs/format.md` has the layout.
//!
//! Without the feature `encryption` no key can be made or unlocked, and [`Key`] has no values that matter.

#[cfg(feature = "encryption")]
mod cipher;
#[cfg(not(feature = "encryption"))]
#[path = "no_cipher.rs"]
mod cipher;
mod convert;
mod envelope;

use std::fmt;
use std::path::Path;

use chrysalis_core::id::to_hex;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

pub(crate) use cipher::{open_page, open_seed, seal_seed};
pub use convert::convert;
pub(crate) use convert::{FOLDERS as CONVERSION_FOLDERS, clear_up, finish as finish_conversion};
use envelope::Envelope;

use crate::error::{EncryptionFault, StoreError};
use crate::folder::Folder;

/// Bytes of a seed that is kept encrypted: nonce, seed and tag.
pub(crate) const SEALED_SEED_BYTES: usize = 24 + 32 + 16;

/// Bytes of a page of an encrypted database, and how many at its end SQLCipher keeps for itself: an initialisation
/// vector of 16, and a digest of 64.
pub(crate) const PAGE_BYTES: usize = 4096;
pub(crate) const RESERVED_BYTES: usize = 80;

/// Longer ones are a file that was given by mistake.
const PASSPHRASE_BYTES_MAX: usize = 1024;

/// What a person knows, or keeps in a file: it opens an encrypted store. Never printed, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// A passphrase of 1 to 1,024 bytes. Keyboards that make one letter in several ways make the same passphrase: it
    /// is brought to Unicode's form C.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], which does not repeat it.
    pub fn new(text: &str) -> Result<Self, StoreError> {
        let text = Zeroizing::new(text.nfc().collect::<String>());
        if text.is_empty() || text.len() > PASSPHRASE_BYTES_MAX {
            return Err(StoreError::Invalid(format!("a passphrase has 1 to {PASSPHRASE_BYTES_MAX} bytes")));
        }
        Ok(Self(text))
    }

    #[cfg_attr(not(feature = "encryption"), allow(dead_code))]
    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Passphrase(secret)")
    }
}

/// The key of one encrypted store. Never printed, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; Self::LENGTH]>);

impl Key {
    const LENGTH: usize = 32;

    /// A key for one purpose alone.
    fn part(&self, domain: &str) -> Zeroizing<[u8; 32]> {
        let digest = Zeroizing::new(chrysalis_core::id::digest(domain, &[self.0.as_slice()]));
        let mut part = Zeroizing::new([0; 32]);
        part.copy_from_slice(&digest[..32]);
        part
    }

    /// What encrypts the pages of databases.
    fn of_pages(&self) -> Zeroizing<[u8; 32]> {
        self.part("chrysalis/encryption/pages/1")
    }

    /// What SQLCipher takes as a key that needs no stretching: 32 bytes of key and 16 of salt. With a salt that all
    /// connections know, two processes can make one file at once.
    pub(crate) fn in_sql(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(to_hex(self.of_pages().as_slice()));
        let salt = to_hex(&self.part("chrysalis/encryption/salt/1")[..16]);
        Zeroizing::new(format!("x'{}{salt}'", key.as_str()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(secret)")
    }
}

/// Finds the key of a store that exists; none for one that is not encrypted.
///
/// # Errors
/// [`StoreError::Encryption`] when passphrase and store do not fit, [`StoreError::Corrupt`] when the file `encryption`
/// is damaged or gone, [`StoreError::TooNew`].
pub(crate) fn unlock(folder: &Folder, passphrase: Option<&Passphrase>) -> Result<Option<Key>, StoreError> {
    let path = folder.encryption();
    match (Envelope::read(&path)?, passphrase) {
        (Some(envelope), Some(passphrase)) => cipher::open(&envelope, passphrase).map(Some),
        (Some(_), None) if cfg!(not(feature = "encryption")) => Err(StoreError::Encryption(EncryptionFault::NotBuilt)),
        (Some(_), None) => Err(StoreError::Encryption(EncryptionFault::Locked)),
        (None, _) if folder.has_sealed_seed() => {
            Err(StoreError::corrupt(&path, "it is missing, and the store beside it is encrypted"))
        }
        (None, Some(_)) => Err(StoreError::Encryption(EncryptionFault::Plain)),
        (None, None) => Ok(None),
    }
}

/// As [`unlock`]; where there is no store yet and a passphrase is given, a key is made. On disk when this returns.
///
/// # Errors
/// As [`unlock`], and those of writing.
pub(crate) fn unlock_or_create(folder: &Folder, passphrase: Option<&Passphrase>) -> Result<Option<Key>, StoreError> {
    let Some(passphrase) = passphrase else { return unlock(folder, None) };
    if folder.encryption().exists() || folder.has_store() {
        return unlock(folder, Some(passphrase));
    }
    // Stretching takes long, and is done before others are kept waiting.
    let (key, envelope) = cipher::make(passphrase)?;
    let _alone = folder.lock()?;
    if folder.encryption().exists() || folder.has_store() {
        return unlock(folder, Some(passphrase));
    }
    envelope.write(folder)?;
    Ok(Some(key))
}

/// Has another passphrase open the store in this folder, from the next opening on: the key stays the same. Processes
/// that have it open are not disturbed.
///
/// Whoever kept a copy of the file `encryption` can still open that copy, and the store, with the passphrase before.
///
/// # Errors
/// As for opening it; those of writing.
pub fn change_passphrase(path: &Path, before: &Passphrase, after: &Passphrase) -> Result<(), StoreError> {
    let folder = Folder::at(path);
    let _alone = folder.lock()?;
    match unlock(&folder, Some(before))? {
        Some(key) => cipher::seal(&key, after)?.write(&folder),
        None => Err(StoreError::Encryption(EncryptionFault::Plain)),
    }
}

#[cfg(all(test, feature = "encryption"))]
mod tests {
    use std::fs;

    use chrysalis_core::payload::{Field, Value};

    use super::*;
    use crate::edit::Edit;
    use crate::store::{Remember, Store, StoreOptions};

    /// The bytes of a database as SQLite sees them, page by page.
    fn opened(path: &Path, key: &Key) -> Vec<u8> {
        let mut bytes = fs::read(path).unwrap_or_default();
        for (at, page) in bytes.chunks_mut(PAGE_BYTES).enumerate() {
            open_page(key, at as u64 + 1, page);
            page[PAGE_BYTES - RESERVED_BYTES..].fill(0);
        }
        bytes
    }

    fn holds(bytes: &[u8], word: &str) -> bool {
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    }

    #[test]
    fn what_was_forgotten_can_t_be_read_with_the_key_either() -> Result<(), StoreError> {
        let folder = tempfile::tempdir().map_err(|error| StoreError::io(Path::new(""), error))?;
        let options = || -> Result<StoreOptions, StoreError> {
            Ok(StoreOptions { passphrase: Some(Passphrase::new("open sesame")?), ..StoreOptions::default() })
        };
        let store = Store::open(folder.path(), options()?)?;
        for number in 0..60 {
            let mut edit = Edit::default();
            let word = if number == 30 { "quicksilverfish" } else { "bluewhale" };
            edit.set(Field::Content, Value::Text(format!("{word} number {number} {}", "swims ".repeat(number * 3))));
            store.remember("anna", Remember { id: Some(format!("m{number}")), edit })?;
        }
        store.catch_up_text()?;
        store.writer.checkpoint_now(true)?;
        let key = store.folder().unlocking().cloned().ok_or(StoreError::Closed)?;
        let files = [store.folder().database(), store.folder().text()];
        assert!(holds(&opened(&files[0], &key), "quicksilverfish"), "pages are decrypted as SQLCipher encrypts them");
        store.forget("m30", "", false)?;
        store.close()?;
        for file in &files {
            let bytes = opened(file, &key);
            assert!(bytes.starts_with(b"SQLite format 3\0") && holds(&bytes, "bluewhal"), "{}", file.display());
            assert!(!holds(&bytes, "quicksilver"), "{}", file.display());
            assert!(file.with_extension("db-wal").metadata().map_or(0, |file| file.len()) == 0);
        }
        Ok(())
    }
}
