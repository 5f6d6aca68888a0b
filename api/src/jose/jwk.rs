//! P-256 keys as they are printed and read.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flexledger_domain::identity;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::EncodePublicKey;
use p256::{PublicKey, SecretKey};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// Why a key cannot be made or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The coordinates are no point of the curve.
    #[error("not a P-256 public key")]
    Point,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
    /// The key cannot be written as SubjectPublicKeyInfo.
    #[error("the key cannot be encoded")]
    Encoding,
}

/// A P-256 key as RFC 7517 writes it. `d` stands in private keys only, and is never printed by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// Always `EC`.
    pub kty: String,
    /// Always `P-256`.
    pub crv: String,
    /// The x coordinate, 32 bytes in Base64url.
    pub x: String,
    /// The y coordinate, 32 bytes in Base64url.
    pub y: String,
    /// The private scalar, 32 bytes in Base64url.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "private")]
    pub d: Option<Zeroizing<String>>,
    /// `enc` or `sig`.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// The algorithm it is used with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Its RFC 7638 thumbprint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
}

fn private<S: Serializer>(d: &Option<Zeroizing<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    d.as_ref().map(|d| d.as_str()).serialize(serializer)
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk").field("x", &self.x).field("y", &self.y).finish_non_exhaustive()
    }
}

/// A fresh key of an application: its public half for the log, and the private JWK that is shown once.
#[derive(Debug)]
pub struct EncryptionKey {
    /// The public half.
    pub public: identity::PublicKey,
    /// The whole key. Stands in one answer and nowhere else.
    pub private: Jwk,
}

/// Makes a key pair for an application.
///
/// # Errors
/// [`KeyError::Randomness`] when the system gives no random bytes.
pub fn generate() -> Result<EncryptionKey, KeyError> {
    let key = SecretKey::try_generate().map_err(|_| KeyError::Randomness)?;
    let public = coordinates(&key.public_key());
    let d = Zeroizing::new(URL_SAFE_NO_PAD.encode(Zeroizing::new(key.to_bytes()).as_slice()));
    let private = Jwk { d: Some(d), ..public_jwk(&public) };
    Ok(EncryptionKey { public, private })
}

/// The public JWK of an application or of the platform, for encryption.
#[must_use]
pub fn public_jwk(key: &identity::PublicKey) -> Jwk {
    Jwk {
        kty: "EC".to_owned(),
        crv: "P-256".to_owned(),
        x: key.x.clone(),
        y: key.y.clone(),
        d: None,
        usage: Some("enc".to_owned()),
        alg: Some(super::jwe::ALGORITHM.to_owned()),
        kid: None,
    }
}

/// The coordinates of a key.
#[must_use]
pub fn coordinates(key: &PublicKey) -> identity::PublicKey {
    let point = key.to_sec1_point(false);
    // Uncompressed: 0x04, then both coordinates. A public key is never the point at infinity.
    let (x, y) = point.as_bytes().get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
    identity::PublicKey { x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) }
}

/// The key that two coordinates name.
///
/// # Errors
/// [`KeyError::Point`] when they are not two 32-byte numbers in Base64url, or no point of the curve.
pub fn public_key(key: &identity::PublicKey) -> Result<PublicKey, KeyError> {
    let mut sec1 = [4_u8; 65];
    let (_, both) = sec1.split_at_mut(1);
    let (x, y) = both.split_at_mut(32);
    for (to, from) in [(x, &key.x), (y, &key.y)] {
        let bytes = URL_SAFE_NO_PAD.decode(from).map_err(|_| KeyError::Point)?;
        if bytes.len() != to.len() {
            return Err(KeyError::Point);
        }
        to.copy_from_slice(&bytes);
    }
    PublicKey::from_sec1_bytes(&sec1).map_err(|_| KeyError::Point)
}

/// The X.509 SubjectPublicKeyInfo of a key, DER in Base64 (`appPublicKey`, `publicKeyBase64`).
///
/// # Errors
/// [`KeyError`] when the coordinates are no key.
pub fn public_key_base64(key: &identity::PublicKey) -> Result<String, KeyError> {
    let der = public_key(key)?.to_public_key_der().map_err(|_| KeyError::Encoding)?;
    Ok(STANDARD.encode(der.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_key_is_whole_and_reads_back() {
        let key = generate().unwrap();
        let d = URL_SAFE_NO_PAD.decode(key.private.d.as_ref().unwrap().as_bytes()).unwrap();
        let secret = SecretKey::from_slice(&d).unwrap();
        assert_eq!(public_key(&key.public).unwrap(), secret.public_key());
        assert_eq!(coordinates(&secret.public_key()), key.public);
        assert!(!format!("{key:?}").contains(key.private.d.as_ref().unwrap().as_str()));
        let der = STANDARD.decode(public_key_base64(&key.public).unwrap()).unwrap();
        assert_eq!(der.len(), 91);
        assert_eq!(public_key_base64(&key.public).unwrap().get(..12), Some("MFkwEwYHKoZI"));
    }

    #[test]
    fn only_points_of_the_curve_are_keys() {
        let good = generate().unwrap().public;
        let zero = URL_SAFE_NO_PAD.encode([0; 32]);
        for (x, y) in [("", ""), (zero.as_str(), zero.as_str()), (good.x.as_str(), "AA"), ("=", good.y.as_str())] {
            let key = identity::PublicKey { x: x.to_owned(), y: y.to_owned() };
            assert_eq!(public_key(&key), Err(KeyError::Point));
        }
        let padded = identity::PublicKey { x: format!("{}=", good.x), y: good.y };
        assert_eq!(public_key(&padded), Err(KeyError::Point));
    }
}
