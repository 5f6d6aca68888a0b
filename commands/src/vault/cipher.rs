//! AES-256-GCM with a random nonce in front: `nonce (12) ‖ ciphertext ‖ tag (16)`.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use rand::rngs::OsRng;
use rand::{RngCore, TryRngCore};
use zeroize::{Zeroize, Zeroizing};

use super::VaultError;

/// Bytes of a nonce.
const NONCE: usize = 12;

/// A key of 256 bits. Wiped from memory when dropped; has no `Debug`.
#[derive(Clone)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) const fn new(bytes: [u8; 32]) -> Self {
        Key(bytes)
    }

    pub(super) fn random() -> Result<Self, VaultError> {
        let mut key = Key([0; 32]);
        OsRng.try_fill_bytes(&mut key.0).map_err(|_| VaultError::Randomness)?;
        Ok(key)
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Key)
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals a text so that it opens with this key and this `label` only.
    pub(super) fn seal(&self, label: &[u8], text: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE];
        // The generator of the thread is a secure one, reseeded by the system, and needs no system call each time.
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload { msg: text, aad: label };
        let body = self.cipher().encrypt(&Nonce::from(nonce), payload).map_err(|_| VaultError::Cipher)?;
        let mut sealed = Vec::with_capacity(NONCE + body.len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// The text, if it was sealed with this key and label.
    pub(super) fn open(&self, label: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: body, aad: label };
        self.cipher().decrypt(&Nonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&self.0).into())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
