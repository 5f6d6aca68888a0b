//! The Concat KDF of NIST SP 800-56A as RFC 7518 4.6.2 uses it.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What the derived key is for.
pub(super) struct Purpose<'a> {
    /// The algorithm it is used with.
    pub(super) algorithm: &'a str,
    /// Who made the message.
    pub(super) producer: &'a [u8],
    /// Who reads it.
    pub(super) consumer: &'a [u8],
    /// Its length; at most 256, the one round of SHA-256 that is run here.
    pub(super) bits: u16,
}

/// Derives a key from the shared secret of a key agreement. The key is the front of what is returned.
pub(super) fn derive(shared: &[u8], purpose: &Purpose<'_>) -> Zeroizing<[u8; 32]> {
    let mut hash = Sha256::new();
    hash.update(1_u32.to_be_bytes());
    hash.update(shared);
    for part in [purpose.algorithm.as_bytes(), purpose.producer, purpose.consumer] {
        // A header is far below 4 GiB: bodies are bounded.
        hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.update(u32::from(purpose.bits).to_be_bytes());
    Zeroizing::new(hash.finalize().into())
}
