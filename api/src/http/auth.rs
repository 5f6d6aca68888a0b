//! Who calls: access tokens of applications and the operator's token (`idaas.md` 2, `operations.md` 3).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use flexledger_commands::AppInfo;
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::{Instant, Span};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::error::{ApiError, Code};
use crate::app::App;

/// The role of every application.
pub const ROLE_APP: &str = "ROLE_APP";
/// The role of those that the operator named.
pub const ROLE_ADMIN: &str = "ROLE_ADMIN";

/// The SHA-256 digest of a secret of high entropy.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a secret.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Digest(Sha256::digest(secret).into())
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Digest) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The digest as lower-case hex.
    #[must_use]
    pub fn hex(&self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _infallible = write!(text, "{byte:02x}");
            text
        })
    }

    /// Compares with a digest in hex, in constant time.
    #[must_use]
    pub fn matches_hex(&self, hex: &str) -> bool {
        self.hex().as_bytes().ct_eq(hex.as_bytes()).into()
    }
}

/// Issues and checks HS256 access tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    ttl: Span,
}

/// A fresh token.
pub struct Issued {
    /// The compact JWT.
    pub token: String,
    /// When it ends, in Unix seconds.
    pub expires_at: i64,
}

#[derive(Serialize)]
struct NewClaims<'a> {
    sub: Uuid,
    iat: i64,
    exp: i64,
    jti: Uuid,
    roles: &'a [&'a str],
}

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    exp: i64,
}

impl Tokens {
    /// With the platform's key. `ttl` is how long a token is good.
    #[must_use]
    pub fn new(key: &[u8], ttl: Span) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The end of a token is compared with the engine's clock below, not with the machine's.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Tokens { encoding: EncodingKey::from_secret(key), decoding: DecodingKey::from_secret(key), validation, ttl }
    }

    /// A token for an application.
    ///
    /// # Errors
    /// `SYS-9001` when it cannot be signed.
    pub fn issue(&self, application: ApplicationId, admin: bool, now: Instant) -> Result<Issued, ApiError> {
        let roles: &[&str] = if admin { &[ROLE_APP, ROLE_ADMIN] } else { &[ROLE_APP] };
        let expires_at = now.plus(self.ttl).seconds();
        let claims = NewClaims {
            sub: application.uuid(),
            iat: now.seconds(),
            exp: expires_at,
            jti: uuid::Builder::from_random_bytes(rand::random()).into_uuid(),
            roles,
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(|error| {
            tracing::error!(%error, "api.token_not_signed");
            ApiError::new(Code::Internal)
        })?;
        Ok(Issued { token, expires_at })
    }

    /// The application that a token names.
    ///
    /// # Errors
    /// `AUTH-1002` when the token is malformed, forged, of another algorithm, or expired.
    pub fn check(&self, token: &str, now: Instant) -> Result<ApplicationId, ApiError> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| ApiError::new(Code::InvalidToken))?
            .claims;
        if claims.exp <= now.seconds() {
            return Err(Code::InvalidToken.into());
        }
        Ok(ApplicationId::from_uuid(claims.sub))
    }
}

/// The text after `Bearer` in the Authorization header.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The application that a token of this request names, checked already. Travels as an extension.
#[derive(Debug, Clone, Copy)]
pub struct Verified(pub ApplicationId);

/// The application that calls, authenticated.
pub struct Caller {
    /// Who.
    pub app: Arc<AppInfo>,
    /// Whether it has `ROLE_ADMIN`.
    pub admin: bool,
}

impl Caller {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> ApplicationId {
        self.app.id
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    /// Reads no database: applications are held in memory.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let id = match parts.extensions.get::<Verified>() {
            Some(Verified(id)) => *id,
            None => app.tokens().check(bearer(&parts.headers).ok_or(Code::Unauthenticated)?, app.now())?,
        };
        let info = app.engine().directory().by_id(id).ok_or(Code::UnknownCaller)?;
        if !info.active {
            return Err(Code::RevokedToken.into());
        }
        Ok(Caller { admin: app.settings().admin_applications.contains(&id), app: info })
    }
}

/// The operator, authenticated by the token of the data directory.
pub struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers).ok_or(Code::Unauthenticated)?;
        let given = Digest::of(token.as_bytes());
        match &app.settings().operator_token {
            Some(expected) if expected.matches(&given) => Ok(Operator),
            _ => Err(ApiError::not_token("the token is not the operator's")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_741_082_580_000_000;

    fn tokens() -> Tokens {
        Tokens::new(b"0123456789abcdef0123456789abcdef", Span::from_seconds(3600))
    }

    #[test]
    fn a_token_is_good_for_its_time_only() {
        let app = ApplicationId::from_uuid(Uuid::from_u128(7));
        let now = Instant::from_micros(NOW);
        let issued = tokens().issue(app, false, now).unwrap();
        assert_eq!(issued.expires_at, 1_741_082_580 + 3600);
        assert_eq!(tokens().check(&issued.token, now), Ok(app));
        let end = now.plus(Span::from_seconds(3600));
        assert_eq!(tokens().check(&issued.token, end).unwrap_err().code, Code::InvalidToken);
        let other = Tokens::new(b"another key", Span::from_seconds(1));
        assert_eq!(other.check(&issued.token, now).unwrap_err().code, Code::InvalidToken);
    }

    #[test]
    fn other_algorithms_are_refused() {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let claims = serde_json::json!({"sub": Uuid::from_u128(7), "exp": 9_999_999_999_i64});
        let key = EncodingKey::from_secret(b"0123456789abcdef0123456789abcdef");
        let hs512 = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &key).unwrap();
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let none = format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims.to_string()));
        for token in [hs512.as_str(), none.as_str(), "", ".", "a.b.c", "💥"] {
            let refused = tokens().check(token, Instant::from_micros(NOW));
            assert_eq!(refused.unwrap_err().code, Code::InvalidToken, "{token}");
        }
    }

    #[test]
    fn digests() {
        let digest = Digest::of(b"s3cr3t");
        assert!(digest.matches(&Digest::of(b"s3cr3t")) && !digest.matches(&Digest::of(b"s3cr3T")));
        assert!(digest.matches_hex(&digest.hex()) && !digest.matches_hex("") && !digest.matches_hex(&"0".repeat(64)));
    }
}
