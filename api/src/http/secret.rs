//! Bearer secrets that are shown once: made here, kept as digests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flexledger_domain::TokenHash;
use rand::Rng;
use sha2::{Digest, Sha256};

/// 256 random bits as text.
#[must_use]
pub fn fresh() -> String {
    URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>())
}

/// The digest under which a secret is known to the ledger.
#[must_use]
pub fn digest(secret: &str) -> TokenHash {
    TokenHash::new(Sha256::digest(secret.as_bytes()).into())
}
