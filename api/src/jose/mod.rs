//! Encryption and signatures on the wire (`idaas.md` 3, 4, 7, 10.4, 13): JWE `ECDH-ES+A256KW` with `A256GCM` in
//! compact form, P-256 keys as JWK and SubjectPublicKeyInfo, ES256 tokens, and webhook signatures.
//!
//! Everything here is a pure function of its arguments and the system's randomness; keys are handed in. What comes
//! from outside is never trusted: each failure is one of two kinds ([`JweError`]), and no answer tells which step of
//! opening failed. An encryption costs one key generation and one key agreement, an opening one key agreement.

mod jwe;
mod jwk;
mod jwt;
mod kdf;
mod webhook;

pub use jwe::{ALGORITHM, ENCRYPTION, JweError, decrypt, decrypt_json, encrypt};
pub use jwk::{EncryptionKey, Jwk, KeyError, coordinates, generate, public_jwk, public_key, public_key_base64};
pub use jwt::{Attestation, AttestationError, attestation_jwk, key_id, sign_attestation, verify_attestation};
pub use webhook::{signature, verify_signature};

#[cfg(test)]
pub(crate) mod peer;
