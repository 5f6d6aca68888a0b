//! ES256 attestations of consent (`idaas.md` 7, C-24). `/.well-known/jwks.json` holds the key that verifies them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flexledger_domain::Instant;
use flexledger_domain::identity;
use flexledger_domain::ids::{ApplicationId, SubjectId};
use p256::PublicKey;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::jwk::{self, Jwk};

/// What an attestation says: the owner of a tag consented to a claim on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The ledger that says so: its public URL.
    pub iss: String,
    /// The subject that may use the tag.
    pub sub: SubjectId,
    /// The application of that subject.
    pub aud: ApplicationId,
    /// The qualified address of the tag.
    pub tag: String,
    /// The claim, which is the consent's id as well.
    #[serde(rename = "consentId")]
    pub consent: Uuid,
    /// When it was approved, Unix seconds.
    pub iat: i64,
    /// Until when it holds, Unix seconds.
    pub exp: i64,
    /// Unique per attestation.
    pub jti: Uuid,
}

/// Why an attestation is not signed or not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// It cannot be written as JSON, or the key cannot sign.
    #[error("the attestation cannot be signed")]
    Unsignable,
    /// Not three parts, or not an ES256 token.
    #[error("not an attestation")]
    Malformed,
    /// Signed by another key, or changed.
    #[error("the signature does not verify")]
    Signature,
    /// Its time is up.
    #[error("the attestation has expired")]
    Expired,
}

#[derive(Serialize)]
struct HeaderOut<'a> {
    alg: &'static str,
    kid: &'a str,
    typ: &'static str,
}

#[derive(Deserialize)]
struct HeaderIn {
    alg: String,
}

/// Signs an attestation as a compact ES256 JWT. The same attestation and key give the same text (RFC 6979), so a
/// replayed command gives the same answer.
///
/// # Errors
/// [`AttestationError::Unsignable`], which no key of this program meets.
pub fn sign_attestation(key: &SigningKey, attestation: &Attestation) -> Result<String, AttestationError> {
    let kid = key_id(&PublicKey::from(key.verifying_key()));
    let header = HeaderOut { alg: "ES256", kid: &kid, typ: "JWT" };
    let header = serde_json::to_vec(&header).map_err(|_| AttestationError::Unsignable)?;
    let claims = serde_json::to_vec(attestation).map_err(|_| AttestationError::Unsignable)?;
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature: Signature = key.try_sign(token.as_bytes()).map_err(|_| AttestationError::Unsignable)?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut token);
    Ok(token)
}

/// Reads an attestation back, as a relying party does.
///
/// # Errors
/// [`AttestationError`] naming what is wrong with it.
pub fn verify_attestation(key: &VerifyingKey, token: &str, now: Instant) -> Result<Attestation, AttestationError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(AttestationError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(AttestationError::Malformed)?;
    let read = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| AttestationError::Malformed);
    let header: HeaderIn = serde_json::from_slice(&read(header)?).map_err(|_| AttestationError::Malformed)?;
    if header.alg != "ES256" {
        return Err(AttestationError::Malformed);
    }
    let signature = Signature::from_slice(&read(signature)?).map_err(|_| AttestationError::Signature)?;
    key.verify(signed.as_bytes(), &signature).map_err(|_| AttestationError::Signature)?;
    let claims: Attestation = serde_json::from_slice(&read(claims)?).map_err(|_| AttestationError::Malformed)?;
    if claims.exp <= now.seconds() { Err(AttestationError::Expired) } else { Ok(claims) }
}

/// The RFC 7638 thumbprint of a key, which names it.
#[must_use]
pub fn key_id(key: &PublicKey) -> String {
    let identity::PublicKey { x, y } = jwk::coordinates(key);
    // The members in the order and form that the thumbprint is defined on.
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
}

/// The JWK that verifies attestations.
#[must_use]
pub fn attestation_jwk(key: &VerifyingKey) -> Jwk {
    let public = PublicKey::from(key);
    let (usage, alg, kid) = (Some("sig".to_owned()), Some("ES256".to_owned()), Some(key_id(&public)));
    Jwk { usage, alg, kid, ..jwk::public_jwk(&jwk::coordinates(&public)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    fn attestation() -> Attestation {
        Attestation {
            iss: "http://127.0.0.1:8080".to_owned(),
            sub: SubjectId::from_uuid(Uuid::from_u128(1)),
            aud: ApplicationId::from_uuid(Uuid::from_u128(2)),
            tag: "bob@shopapp".to_owned(),
            consent: Uuid::from_u128(3),
            iat: 1_741_082_580,
            exp: 4_000_000_000,
            jti: Uuid::from_u128(4),
        }
    }

    fn key() -> SigningKey {
        SigningKey::from_slice(&[7; 32]).unwrap()
    }

    #[test]
    fn another_library_verifies_it_from_the_published_key() {
        let token = sign_attestation(&key(), &attestation()).unwrap();
        let jwk = attestation_jwk(key().verifying_key());
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&[attestation().aud.to_string()]);
        let decoding = DecodingKey::from_ec_components(&jwk.x, &jwk.y).unwrap();
        let read = jsonwebtoken::decode::<Attestation>(&token, &decoding, &rules).unwrap();
        assert_eq!(read.claims, attestation());
        assert_eq!(read.header.kid, jwk.kid);
        assert_eq!(token, sign_attestation(&key(), &attestation()).unwrap());
    }

    #[test]
    fn what_is_changed_or_late_is_not_believed() {
        let token = sign_attestation(&key(), &attestation()).unwrap();
        let verify = |token: &str, seconds: i64| {
            verify_attestation(key().verifying_key(), token, Instant::from_micros(seconds * 1_000_000))
        };
        assert_eq!(verify(&token, 0), Ok(attestation()));
        assert_eq!(verify(&token, 4_000_000_000), Err(AttestationError::Expired));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let none = URL_SAFE_NO_PAD.encode(br#"{"alg":"none"}"#);
        assert_eq!(verify(&format!("{none}.{claims}.{signature}"), 0), Err(AttestationError::Malformed));
        let later = Attestation { exp: 5_000_000_000, ..attestation() };
        let forged = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&later).unwrap());
        assert_eq!(verify(&format!("{header}.{forged}.{signature}"), 0), Err(AttestationError::Signature));
        let other = SigningKey::from_slice(&[8; 32]).unwrap();
        let foreign = sign_attestation(&other, &attestation()).unwrap();
        assert_eq!(verify(&foreign, 0), Err(AttestationError::Signature));
    }

    #[test]
    fn a_thumbprint_is_that_of_rfc_7638() {
        // Computed by jwcrypto.
        assert_eq!(key_id(&PublicKey::from(key().verifying_key())), "gWjt7nmB1udyFpLYVp0SxJnI8lJEvl7q8AFYZRqnGV8");
    }
}
