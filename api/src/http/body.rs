//! Takes request bodies in: declared as JSON, of bounded size, within a bounded time (`operations.md` 2).

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};

use super::error::{ApiError, Code};
use crate::app::App;
use crate::jose::{self, JweError};

/// The largest body, in bytes.
pub const MAX_BODY: usize = 1 << 20;

/// How long a body may take to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a body is declared to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// JSON.
    Json,
    /// A form.
    Form,
    /// Something else, or nothing said.
    Other,
}

impl Media {
    /// From the headers. Parameters such as a character set are ignored: JSON is always UTF-8.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
            return Media::Other;
        };
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Media::Json,
            "application/x-www-form-urlencoded" => Media::Form,
            other if other.starts_with("application/") && other.ends_with("+json") => Media::Json,
            _ => Media::Other,
        }
    }
}

/// Reads a whole body. An empty one is empty, whatever it is declared as.
///
/// # Errors
/// 413, 408, 415 for an encoding that is not understood, 400 when the connection breaks.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY) {
        return Err(Code::TooLarge.into());
    }
    if axum::body::HttpBody::is_end_stream(&body) {
        return Ok(Bytes::new());
    }
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if !plain {
        return Err(Code::UnsupportedMedia.into());
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Code::TooLarge.into()),
        Ok(Err(_)) => Err(ApiError::invalid("request body could not be read")),
        Err(_) => Err(Code::TooSlow.into()),
    }
}

/// The JSON body of a call with a known caller, opened if it was encrypted. Empty if there is none.
pub struct JsonBody(pub Bytes);

impl FromRequest<App> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let strict = app.settings().require_encrypted_requests;
        json(app, &parts.headers, body, strict).await.map(JsonBody)
    }
}

/// The JSON body of a public call, opened if it was encrypted. Empty if there is none.
pub struct PublicBody(pub Bytes);

impl FromRequest<App> for PublicBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        json(app, &parts.headers, body, false).await.map(PublicBody)
    }
}

async fn json(app: &App, headers: &HeaderMap, body: Body, encrypted_only: bool) -> Result<Bytes, ApiError> {
    let media = Media::of(headers);
    let announced = headers.get(CONTENT_LENGTH).is_some_and(|value| value.as_bytes() != b"0");
    if announced && media != Media::Json {
        return Err(Code::UnsupportedMedia.into());
    }
    let bytes = read(headers, body).await?;
    if bytes.is_empty() {
        return Ok(bytes);
    }
    if media != Media::Json {
        return Err(Code::UnsupportedMedia.into());
    }
    open(app, headers, bytes, encrypted_only)
}

/// Opens a body that is marked as encrypted (`idaas.md` 13).
///
/// # Errors
/// `VALID-2004` for another marker, or for a plain body where only encrypted ones are taken; `SYS-9002` or
/// `VALID-2005` when it cannot be opened.
pub fn open(app: &App, headers: &HeaderMap, bytes: Bytes, encrypted_only: bool) -> Result<Bytes, ApiError> {
    match headers.get("content-encryption") {
        None if encrypted_only => Err(Code::UnsupportedMedia.into()),
        None => Ok(bytes),
        Some(marker) if marker.as_bytes().eq_ignore_ascii_case(b"JWE") => decrypt(app, &bytes),
        Some(_) => Err(Code::UnsupportedMedia.into()),
    }
}

fn decrypt(app: &App, compact: &[u8]) -> Result<Bytes, ApiError> {
    let key = app.vault().platform().encryption_key();
    jose::decrypt_json(key, compact).map(Bytes::from).map_err(|error| match error {
        JweError::Malformed => Code::BadJwe.into(),
        JweError::Undecipherable => Code::NotDecrypted.into(),
        other => {
            tracing::error!(error = %other, "api.jwe_failed");
            Code::Internal.into()
        }
    })
}
