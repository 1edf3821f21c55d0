//! The cryptography: stretching a passphrase, and encrypting the key, the seed and, read only, pages.

use aes::Aes256;
use aes::cipher::{Array, BlockModeDecrypt as _, KeyIvInit as _};
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::envelope::Envelope;
use super::{Key, PAGE_BYTES, Passphrase, RESERVED_BYTES, SEALED_SEED_BYTES};
use crate::error::{EncryptionFault, StoreError};
use crate::turn::random;

/// The second recommendation of RFC 9106, in one lane: about a tenth of a second, once for each opening.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;

/// What a seed is bound to, so that nothing else that is encrypted passes for one.
const SEED: &[u8] = b"chrysalis/encryption/seed/1";

/// The initialisation vector stands before the digest in what SQLCipher keeps of a page.
const VECTOR_BYTES: usize = 16;

/// In the first page the salt stands where SQLite has its name.
const SALT_BYTES: usize = 16;
const SQLITE_NAME: &[u8; SALT_BYTES] = b"SQLite format 3\0";

/// A new key, and how this passphrase opens it.
pub(super) fn make(passphrase: &Passphrase) -> Result<(Key, Envelope), StoreError> {
    let key = Key(Zeroizing::new(random()?));
    let envelope = seal(&key, passphrase)?;
    Ok((key, envelope))
}

pub(super) fn seal(key: &Key, passphrase: &Passphrase) -> Result<Envelope, StoreError> {
    let (salt, nonce) = (random()?, random()?);
    let mut envelope = Envelope { memory_kib: MEMORY_KIB, passes: PASSES, salt, nonce, wrapped: Vec::new() };
    let bound = envelope.bound();
    let stretched = stretch(&envelope, passphrase)?;
    let sealed = aead(&stretched).encrypt(&XNonce::from(nonce), Payload { msg: key.0.as_slice(), aad: &bound });
    envelope.wrapped = sealed.map_err(|_| failed())?;
    Ok(envelope)
}

/// The key, if this passphrase opens it.
pub(super) fn open(envelope: &Envelope, passphrase: &Passphrase) -> Result<Key, StoreError> {
    let stretched = stretch(envelope, passphrase)?;
    let payload = Payload { msg: &envelope.wrapped, aad: &envelope.bound() };
    let opened = aead(&stretched).decrypt(&XNonce::from(envelope.nonce), payload);
    let opened = Zeroizing::new(opened.map_err(|_| StoreError::Encryption(EncryptionFault::WrongPassphrase))?);
    let key = opened.as_slice().try_into().map_err(|_| failed())?;
    Ok(Key(Zeroizing::new(key)))
}

fn stretch(envelope: &Envelope, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let mut stretched = Zeroizing::new([0; 32]);
    let params = Params::new(envelope.memory_kib, envelope.passes, 1, Some(32)).map_err(|_| failed())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2
        .hash_password_into(passphrase.as_bytes(), &envelope.salt, stretched.as_mut_slice())
        .map_err(|_| StoreError::Internal("there is not enough memory to stretch the passphrase".to_owned()))?;
    Ok(stretched)
}

fn aead(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key).into())
}

fn failed() -> StoreError {
    StoreError::Internal("the encryption of a key failed".to_owned())
}

/// The bytes of the file `key` in an encrypted store.
pub(crate) fn seal_seed(key: &Key, seed: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
    let nonce: [u8; 24] = random()?;
    let sealer = aead(&key.part("chrysalis/encryption/seed/1"));
    let sealed = sealer.encrypt(&XNonce::from(nonce), Payload { msg: seed, aad: SEED }).map_err(|_| failed())?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// The seed in such a file; none when it was not encrypted with this key, or is damaged.
pub(crate) fn open_seed(key: &Key, bytes: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    if bytes.len() != SEALED_SEED_BYTES {
        return None;
    }
    let (nonce, sealed) = bytes.split_at(24);
    let nonce: [u8; 24] = nonce.try_into().ok()?;
    let opener = aead(&key.part("chrysalis/encryption/seed/1"));
    let seed = Zeroizing::new(opener.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: SEED }).ok()?);
    seed.as_slice().try_into().ok().map(Zeroizing::new)
}

/// Decrypts a page of a database in place, for carving: whether it is whole is not checked, since every operation in it
/// is. What SQLCipher keeps for itself stays as it is.
pub(crate) fn open_page(key: &Key, number: u64, page: &mut [u8]) {
    if page.len() != PAGE_BYTES {
        return;
    }
    let (content, reserved) = page.split_at_mut(PAGE_BYTES - RESERVED_BYTES);
    let start = if number == 1 { SALT_BYTES } else { 0 };
    let Ok(vector) = <[u8; VECTOR_BYTES]>::try_from(&reserved[..VECTOR_BYTES]) else { return };
    let mut decryptor = cbc::Decryptor::<Aes256>::new(&(*key.of_pages()).into(), &vector.into());
    let (blocks, _) = Array::slice_as_chunks_mut(&mut content[start..]);
    decryptor.decrypt_blocks(blocks);
    if number == 1 {
        content[..SALT_BYTES].copy_from_slice(SQLITE_NAME);
    }
}
