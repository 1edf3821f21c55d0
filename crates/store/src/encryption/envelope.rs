//! The file `encryption`: how a passphrase opens the store's key. Whoever can write to the folder can write anything
//! here, so that all numbers in it are bounded before they are believed.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use chrysalis_core::codec::{Decoder, Encoder};
use chrysalis_core::error::Refusal;
use chrysalis_core::id::digest;

use crate::error::StoreError;
use crate::folder::{Folder, private_file, sync_folder};

/// What the file begins with, so that people see what it is.
const NAME: &str = "chrysalis-encryption";
const VERSION: u64 = 1;

/// No envelope is longer.
const BYTES_MAX: u64 = 1024;

/// How stretching a passphrase may be set: less would be guessed too fast, more would keep whoever opens the store
/// from it for minutes.
pub(super) const MEMORY_KIB_MAX: u64 = 256 << 10;
const MEMORY_KIB_MIN: u64 = 8 << 10;
const PASSES_MAX: u64 = 16;

/// Bytes of the encrypted key: 32, and the tag.
const WRAPPED_BYTES: usize = 48;
const CHECK_BYTES: usize = 16;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    /// Memory and passes of Argon2id.
    pub memory_kib: u32,
    pub passes: u32,
    pub salt: [u8; 16],
    pub nonce: [u8; 24],
    /// The store's key, encrypted.
    pub wrapped: Vec<u8>,
}

impl Envelope {
    /// What the encrypted key is bound to: everything before it.
    pub(super) fn bound(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        self.encode_bound(&mut encoder);
        encoder.finish()
    }

    fn encode_bound(&self, encoder: &mut Encoder) {
        encoder.text(NAME).uint(VERSION).uint(self.memory_kib.into()).uint(self.passes.into());
        encoder.bytes(&self.salt).bytes(&self.nonce);
    }

    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.array(8);
        self.encode_bound(&mut encoder);
        encoder.bytes(&self.wrapped).bytes(&self.check());
        encoder.finish()
    }

    /// Tells a damaged file from a wrong passphrase. Nothing is secret in it.
    fn check(&self) -> [u8; CHECK_BYTES] {
        let whole = digest("chrysalis/encryption/check/1", &[&self.bound(), &self.wrapped]);
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&whole[..CHECK_BYTES]);
        check
    }

    /// None when there is no such file.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, StoreError> {
        let mut bytes = Vec::new();
        match File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| StoreError::io(path, error))?,
        };
        if bytes.len() as u64 > BYTES_MAX {
            return Err(StoreError::corrupt(path, "it is longer than such a file can be"));
        }
        let version = version(&bytes).map_err(|refusal| StoreError::corrupt(path, refusal.to_string()))?;
        if version > VERSION {
            let found = i32::try_from(version).unwrap_or(i32::MAX);
            return Err(StoreError::TooNew { found, supported: VERSION as i32 });
        }
        decode(&bytes).map(Some).map_err(|refusal| StoreError::corrupt(path, refusal.to_string()))
    }

    /// Writes the file so that it is whole or as before. On disk when this returns.
    pub(super) fn write(&self, folder: &Folder) -> Result<(), StoreError> {
        let (path, draft) = (folder.encryption(), folder.root().join("encryption.new"));
        // Whoever writes holds the lock of the folder: a draft is left from a process that died.
        let _ = fs::remove_file(&draft);
        let written = private_file().open(&draft).and_then(|mut file| {
            file.write_all(&self.encode())?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&draft, &path)).map_err(|error| StoreError::io(&path, error))?;
        sync_folder(folder.root())
    }
}

/// What every version begins with.
fn version(bytes: &[u8]) -> Result<u64, Refusal> {
    let mut decoder = Decoder::new(bytes);
    decoder.array_up_to(64, "the file of the encryption")?;
    name(&mut decoder)?;
    decoder.uint(u64::MAX, "its version")
}

fn name(decoder: &mut Decoder<'_>) -> Result<(), Refusal> {
    let is_ours = decoder.text(NAME.len(), "its name")? == NAME;
    is_ours.then_some(()).ok_or(Refusal::Malformed("it does not begin like such a file"))
}

fn decode(bytes: &[u8]) -> Result<Envelope, Refusal> {
    let mut decoder = Decoder::new(bytes);
    decoder.array(8, "the file of the encryption")?;
    name(&mut decoder)?;
    if decoder.uint(VERSION, "its version")? != VERSION {
        return Err(Refusal::Malformed("it is of a version that never was"));
    }
    let memory_kib = decoder.uint(MEMORY_KIB_MAX, "the memory for stretching a passphrase")?;
    let passes = decoder.uint(PASSES_MAX, "the passes for stretching a passphrase")?;
    if memory_kib < MEMORY_KIB_MIN || passes == 0 {
        return Err(Refusal::Malformed("it would stretch a passphrase too little"));
    }
    let envelope = Envelope {
        memory_kib: memory_kib as u32,
        passes: passes as u32,
        salt: exactly(decoder.bytes(16, "the salt")?)?,
        nonce: exactly(decoder.bytes(24, "the nonce")?)?,
        wrapped: exactly::<WRAPPED_BYTES>(decoder.bytes(WRAPPED_BYTES, "the encrypted key")?)?.to_vec(),
    };
    let check = decoder.bytes(CHECK_BYTES, "the check value")?;
    if check != envelope.check() {
        return Err(Refusal::Malformed("its check value does not fit"));
    }
    decoder.finish()?;
    Ok(envelope)
}

fn exactly<const LENGTH: usize>(bytes: &[u8]) -> Result<[u8; LENGTH], Refusal> {
    bytes.try_into().map_err(|_| Refusal::Malformed("a part of it has the wrong length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope { memory_kib: 65_536, passes: 3, salt: [1; 16], nonce: [2; 24], wrapped: vec![3; 48] }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(decode(&envelope().encode()), Ok(envelope()));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let whole = envelope().encode();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert!(decode(&bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let whole = envelope().encode();
        assert!((0..whole.len()).all(|length| decode(&whole[..length]).is_err()));
    }

    #[test]
    fn a_file_can_t_ask_for_gigabytes_or_minutes_or_next_to_nothing() {
        for (memory_kib, passes) in [(MEMORY_KIB_MAX as u32 + 1, 1), (u32::MAX, 1), (65_536, 17), (65_536, 0), (8, 3)] {
            assert!(decode(&Envelope { memory_kib, passes, ..envelope() }.encode()).is_err(), "{memory_kib} {passes}");
        }
    }
}
