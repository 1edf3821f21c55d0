//! In the place of the cryptography where this library was built without it: it says so.

use zeroize::Zeroizing;

use super::envelope::Envelope;
use super::{Key, Passphrase};
use crate::error::{EncryptionFault, StoreError};

fn not_built<T>() -> Result<T, StoreError> {
    Err(StoreError::Encryption(EncryptionFault::NotBuilt))
}

pub(super) fn make(_passphrase: &Passphrase) -> Result<(Key, Envelope), StoreError> {
    not_built()
}

pub(super) fn seal(_key: &Key, _passphrase: &Passphrase) -> Result<Envelope, StoreError> {
    not_built()
}

pub(super) fn open(_envelope: &Envelope, _passphrase: &Passphrase) -> Result<Key, StoreError> {
    not_built()
}

pub(crate) fn seal_seed(_key: &Key, _seed: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
    not_built()
}

pub(crate) fn open_seed(_key: &Key, _bytes: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    None
}

pub(crate) fn open_page(_key: &Key, _number: u64, _page: &mut [u8]) {}
