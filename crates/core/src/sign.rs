//! Keys and signatures: Ed25519 (RFC 8032), one strict verifier for all replicas.
//!
//! Strict means: small-order keys and non-canonical points are refused, and there is no batch verification, since
//! libraries disagree on such edge cases and two replicas that disagree never converge again.

use std::collections::BTreeSet;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

use crate::error::{Refusal, Result};
use crate::id::{Fingerprint, ReplicaKey, Signature};
use crate::operation::Operation;

const OPERATION_DOMAIN: &[u8] = b"chrysalis/sig/op/1\0";

/// A replica's secret key. Wiped from memory when dropped; its `Debug` shows the public half alone.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key that these 32 secret bytes make.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> ReplicaKey {
        ReplicaKey(self.0.verifying_key().to_bytes())
    }

    /// Signs an operation.
    pub fn sign_operation(&self, fingerprint: &Fingerprint) -> Signature {
        self.sign(&operation_message(fingerprint))
    }

    /// Signs a message. The caller puts a domain in front, so that no signature serves for two purposes.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(public {:?})", self.public())
    }
}

fn operation_message(fingerprint: &Fingerprint) -> [u8; OPERATION_DOMAIN.len() + Fingerprint::LENGTH] {
    let mut message = [0; OPERATION_DOMAIN.len() + Fingerprint::LENGTH];
    message[..OPERATION_DOMAIN.len()].copy_from_slice(OPERATION_DOMAIN);
    message[OPERATION_DOMAIN.len()..].copy_from_slice(fingerprint.as_bytes());
    message
}

/// Whether `signature` over `message` was made with the secret half of `key`, strictly.
pub fn verify(key: &ReplicaKey, message: &[u8], signature: &Signature) -> Result<()> {
    let key = VerifyingKey::from_bytes(&key.0).map_err(|_| Refusal::BadSignature)?;
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    key.verify_strict(message, &signature).map_err(|_| Refusal::BadSignature)
}

/// A replica's public key, unpacked: for checking many signatures of one log, where unpacking is a tenth of the work.
#[derive(Clone, Copy, Debug)]
pub struct Verifier(VerifyingKey);

impl Verifier {
    /// Unpacks a key.
    pub fn new(key: &ReplicaKey) -> Result<Self> {
        VerifyingKey::from_bytes(&key.0).map(Self).map_err(|_| Refusal::BadSignature)
    }

    /// As [`verify_operation`].
    pub fn verify_operation(&self, fingerprint: &Fingerprint, signature: &Signature) -> Result<()> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(&operation_message(fingerprint), &signature).map_err(|_| Refusal::BadSignature)
    }
}

/// Whether the author of an operation signed it.
pub fn verify_operation(key: &ReplicaKey, fingerprint: &Fingerprint, signature: &Signature) -> Result<()> {
    verify(key, &operation_message(fingerprint), signature)
}

/// Signatures that were checked and hold. Checking needs nothing but the bytes, so several threads can do it before
/// admission, which has an order to keep, begins.
#[derive(Clone, Default, Debug)]
pub struct Checked(BTreeSet<(ReplicaKey, Fingerprint, [u8; Signature::LENGTH])>);

impl Checked {
    /// Checks whether these keys signed these operations, and keeps what holds.
    pub fn check<'o>(claimed: impl IntoIterator<Item = (ReplicaKey, &'o Operation)>) -> Self {
        let holds = |(key, operation): &(ReplicaKey, &Operation)| {
            verify_operation(key, &operation.fingerprint, &operation.signature).is_ok()
        };
        let held = claimed.into_iter().filter(holds);
        Self(held.map(|(key, operation)| (key, operation.fingerprint, operation.signature.0)).collect())
    }

    /// What either found.
    pub fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// As [`verify_operation`], without the work where it was done already.
    pub fn verify_operation(&self, key: &ReplicaKey, operation: &Operation) -> Result<()> {
        if self.0.contains(&(*key, operation.fingerprint, operation.signature.0)) {
            return Ok(());
        }
        verify_operation(key, &operation.fingerprint, &operation.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_and_key_alone() {
        let (mine, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let signature = mine.sign(b"words");
        assert_eq!(verify(&mine.public(), b"words", &signature), Ok(()));
        assert_eq!(verify(&mine.public(), b"other", &signature), Err(Refusal::BadSignature));
        assert_eq!(verify(&other.public(), b"words", &signature), Err(Refusal::BadSignature));
    }

    #[test]
    fn an_unpacked_key_judges_like_a_packed_one() {
        let (mine, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let print = Fingerprint([7; 48]);
        let verifier = Verifier::new(&mine.public()).unwrap();
        assert_eq!(verifier.verify_operation(&print, &mine.sign_operation(&print)), Ok(()));
        let foreign = other.sign_operation(&print);
        assert_eq!(verifier.verify_operation(&print, &foreign), Err(Refusal::BadSignature));
        // Of small order: no signature holds, by either way.
        let weak = ReplicaKey([0; 32]);
        let forged = Signature([0; 64]);
        assert_eq!(verify_operation(&weak, &print, &forged), Err(Refusal::BadSignature));
        let judged = Verifier::new(&weak).and_then(|verifier| verifier.verify_operation(&print, &forged));
        assert_eq!(judged, Err(Refusal::BadSignature));
    }

    #[test]
    fn the_secret_stays_out_of_debug_output() {
        let key = SecretKey::from_seed(&[0xab; 32]);
        assert!(!format!("{key:?}").contains("abab"));
    }
}
