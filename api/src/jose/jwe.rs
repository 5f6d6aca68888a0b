//! JWE in compact form: `ECDH-ES+A256KW` for the key, `A256GCM` for the content (RFC 7516, RFC 7518 4.6 and 5.3).

use std::borrow::Cow;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use aes_kw::KwAes256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flexledger_domain::identity;
use p256::elliptic_curve::Generate;
use p256::{PublicKey, SecretKey};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::jwk;
use super::kdf::{self, Purpose};

/// The algorithm that protects the content key.
pub const ALGORITHM: &str = "ECDH-ES+A256KW";
/// The algorithm that protects the content.
pub const ENCRYPTION: &str = "A256GCM";
/// A protected header is at most this long, in Base64url characters.
const LONGEST_HEADER: usize = 8192;
const KEY: usize = 32;
const WRAPPED_KEY: usize = KEY + 8;
const NONCE: usize = 12;
const TAG: usize = 16;

/// Why a body cannot be opened (`idaas.md` 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// Not a compact JWE of five parts, or of other algorithms (`SYS-9002`).
    #[error("JWE decryption error")]
    Malformed,
    /// Well formed, but it does not open with this key, or what is inside is not JSON (`VALID-2005`).
    #[error("Decryption failed")]
    Undecipherable,
    /// The system gives no random bytes; meets encryption only.
    #[error("the system gives no random bytes")]
    Randomness,
}

#[derive(Serialize)]
struct HeaderOut<'a> {
    alg: &'a str,
    enc: &'a str,
    cty: &'a str,
    epk: EpkOut,
}

#[derive(Serialize)]
struct EpkOut {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: String,
}

/// What is read of a protected header. Members that are not named here are ignored (RFC 7516 4).
#[derive(Deserialize)]
struct HeaderIn<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    enc: Cow<'a, str>,
    epk: EpkIn,
    apu: Option<String>,
    apv: Option<String>,
    zip: Option<serde::de::IgnoredAny>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct EpkIn {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

/// Encrypts `text` for the holder of `recipient`. `content_type` becomes the header `cty`.
///
/// # Errors
/// [`JweError::Randomness`]; [`JweError::Malformed`] when the text is beyond what the cipher takes (64 GiB).
pub fn encrypt(recipient: &PublicKey, content_type: &str, text: &[u8]) -> Result<String, JweError> {
    let ephemeral = SecretKey::try_generate().map_err(|_| JweError::Randomness)?;
    let mut content_key = Zeroizing::new([0_u8; KEY]);
    let mut nonce = [0_u8; NONCE];
    OsRng.try_fill_bytes(content_key.as_mut_slice()).map_err(|_| JweError::Randomness)?;
    OsRng.try_fill_bytes(&mut nonce).map_err(|_| JweError::Randomness)?;
    seal(recipient, content_type, text, &ephemeral, &content_key, nonce)
}

fn seal(
    recipient: &PublicKey,
    content_type: &str,
    text: &[u8],
    ephemeral: &SecretKey,
    content_key: &[u8; KEY],
    nonce: [u8; NONCE],
) -> Result<String, JweError> {
    let shared = ephemeral.diffie_hellman(recipient);
    let wrapping_key = wrapping_key(shared.raw_secret_bytes(), &[], &[]);
    let mut wrapped = [0_u8; WRAPPED_KEY];
    KwAes256::new((&*wrapping_key).into()).wrap_key(content_key, &mut wrapped).map_err(|_| JweError::Malformed)?;
    let mut compact = header(ephemeral, content_type)?;
    let mut body = text.to_vec();
    let cipher = Aes256Gcm::new(content_key.into());
    let tag = cipher
        .encrypt_inout_detached(&Nonce::from(nonce), compact.as_bytes(), body.as_mut_slice().into())
        .map_err(|_| JweError::Malformed)?;
    compact.reserve(body.len().saturating_mul(4) / 3 + 128);
    for part in [wrapped.as_slice(), nonce.as_slice(), body.as_slice(), tag.as_slice()] {
        compact.push('.');
        URL_SAFE_NO_PAD.encode_string(part, &mut compact);
    }
    Ok(compact)
}

fn header(ephemeral: &SecretKey, content_type: &str) -> Result<String, JweError> {
    let identity::PublicKey { x, y } = jwk::coordinates(&ephemeral.public_key());
    let epk = EpkOut { kty: "EC", crv: "P-256", x, y };
    let header = HeaderOut { alg: ALGORITHM, enc: ENCRYPTION, cty: content_type, epk };
    serde_json::to_vec(&header).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| JweError::Malformed)
}

fn wrapping_key(shared: &[u8], producer: &[u8], consumer: &[u8]) -> Zeroizing<[u8; KEY]> {
    kdf::derive(shared, &Purpose { algorithm: ALGORITHM, producer, consumer, bits: 256 })
}

/// The text of a compact JWE that was made for `key`.
///
/// # Errors
/// [`JweError::Malformed`] or [`JweError::Undecipherable`].
pub fn decrypt(key: &SecretKey, compact: &[u8]) -> Result<Vec<u8>, JweError> {
    let parts = Parts::split(compact)?;
    let header_json = part(parts.header)?;
    let header: HeaderIn<'_> = serde_json::from_slice(&header_json).map_err(|_| JweError::Malformed)?;
    let plain = header.zip.is_none() && header.crit.is_none();
    let curve = header.epk.kty == "EC" && header.epk.crv == "P-256";
    if header.alg != ALGORITHM || header.enc != ENCRYPTION || !plain || !curve {
        return Err(JweError::Malformed);
    }
    let content_key = unwrap(key, header, &part(parts.key)?)?;
    let nonce: [u8; NONCE] = part(parts.nonce)?.as_slice().try_into().map_err(|_| JweError::Undecipherable)?;
    let tag: [u8; TAG] = part(parts.tag)?.as_slice().try_into().map_err(|_| JweError::Undecipherable)?;
    let mut body = part(parts.body)?;
    Aes256Gcm::new((&*content_key).into())
        .decrypt_inout_detached(&Nonce::from(nonce), parts.header, body.as_mut_slice().into(), &Tag::from(tag))
        .map_err(|_| JweError::Undecipherable)?;
    Ok(body)
}

/// As [`decrypt`], for a body that must be one JSON text. Depth and size are the caller's to judge.
///
/// # Errors
/// As [`decrypt`]; [`JweError::Undecipherable`] too when the text is not JSON.
pub fn decrypt_json(key: &SecretKey, compact: &[u8]) -> Result<Vec<u8>, JweError> {
    let text = decrypt(key, compact)?;
    match serde_json::from_slice::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err(JweError::Undecipherable),
    }
}

fn unwrap(key: &SecretKey, header: HeaderIn<'_>, wrapped: &[u8]) -> Result<Zeroizing<[u8; KEY]>, JweError> {
    let party = |text: Option<String>| text.map_or_else(|| Ok(Vec::new()), |text| part(text.as_bytes()));
    let (producer, consumer) = (party(header.apu)?, party(header.apv)?);
    // A point off the curve is refused here, before any private number meets it.
    let sender = jwk::public_key(&identity::PublicKey { x: header.epk.x, y: header.epk.y });
    let sender = sender.map_err(|_| JweError::Undecipherable)?;
    let shared = key.diffie_hellman(&sender);
    let wrapping_key = wrapping_key(shared.raw_secret_bytes(), &producer, &consumer);
    if wrapped.len() != WRAPPED_KEY {
        return Err(JweError::Undecipherable);
    }
    let mut content_key = Zeroizing::new([0_u8; KEY]);
    KwAes256::new((&*wrapping_key).into())
        .unwrap_key(wrapped, content_key.as_mut_slice())
        .map_err(|_| JweError::Undecipherable)?;
    Ok(content_key)
}

/// The five parts, still in Base64url.
struct Parts<'a> {
    header: &'a [u8],
    key: &'a [u8],
    nonce: &'a [u8],
    body: &'a [u8],
    tag: &'a [u8],
}

impl<'a> Parts<'a> {
    fn split(compact: &'a [u8]) -> Result<Self, JweError> {
        let mut parts = compact.trim_ascii().split(|byte| *byte == b'.');
        let mut next = || parts.next().ok_or(JweError::Malformed);
        let split = Parts { header: next()?, key: next()?, nonce: next()?, body: next()?, tag: next()? };
        match parts.next() {
            None if split.header.len() <= LONGEST_HEADER => Ok(split),
            _ => Err(JweError::Malformed),
        }
    }
}

/// Reads one part. Bits that Base64 leaves over must be zero: a change there is a change of the message, not of its
/// form.
fn part(text: &[u8]) -> Result<Vec<u8>, JweError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| match error {
        base64::DecodeError::InvalidLastSymbol(..) => JweError::Undecipherable,
        _ => JweError::Malformed,
    })
}

#[cfg(test)]
mod tests;
