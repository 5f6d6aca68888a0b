//! Auditors, and the erasure of a subject's personal text.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flexledger_commands::{Answer, erasure};
use flexledger_domain::access::{AccessEvent, AddAuditor, RemoveAuditor};
use flexledger_domain::ids::{AuditorId, SubjectId};
use flexledger_domain::{Event, Idempotency};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::app::App;
use crate::http::auth::{Digest, Operator};
use crate::http::body::PublicBody;
use crate::http::envelope::{self, REPLAYED};
use crate::http::error::{ApiError, Code};
use crate::http::fields::Fields;
use crate::http::path::Segment;
use crate::http::write::Writer;

/// Characters of an auditor's name at most.
const LONGEST_NAME: usize = 150;
/// Characters of an idempotency key at most.
const LONGEST_KEY: usize = 255;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/auditors", post(add))
        .route("/auditors/{id}", delete(remove))
        .route("/subjects/{id}/erase", post(erase))
}

/// `POST /operator/v1/auditors`: 201 with a token that reads the audit surface and does nothing else.
async fn add(
    State(app): State<App>,
    _: Operator,
    headers: HeaderMap,
    PublicBody(body): PublicBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::parse(&body)?;
    let name = fields.required_text("name", LONGEST_NAME).map(std::borrow::Cow::into_owned);
    let idempotency = key(&headers, &mut fields);
    fields.finish()?;
    let name = name.ok_or(Code::Invalid)?;
    let id = AuditorId::from_uuid(uuid::Builder::from_random_bytes(rand::random()).into_uuid());
    let token_hash = Digest::of(token(&app, id)?.as_bytes()).hex();
    let done = app.engine().submit(AddAuditor { id, name, token_hash, idempotency }).await?;
    let (id, replayed) = match done.answer {
        Answer::Fresh(()) => (id, false),
        Answer::Replayed(events) => (first_added(&events).ok_or(Code::KeyConflict)?, true),
    };
    let token = token(&app, id)?;
    let mut writer = Writer::with_capacity(160);
    writer.object(|w| {
        w.uuid("id", id.uuid());
        w.text("token", &token);
    });
    let mut response = envelope::json(StatusCode::CREATED, writer);
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The token of an auditor follows from the platform's key and the auditor's id, so that a repeated call is answered
/// as the first was although the token is kept nowhere.
fn token(app: &App, id: AuditorId) -> Result<String, ApiError> {
    let mac = Hmac::<Sha256>::new_from_slice(app.vault().token_key());
    let mac = mac.map_err(|_| ApiError::new(Code::Internal))?;
    let digest = mac.chain_update(b"flexledger/auditor\0").chain_update(id.uuid().as_bytes()).finalize();
    Ok(URL_SAFE_NO_PAD.encode(digest.into_bytes()))
}

fn first_added(events: &[flexledger_domain::Recorded]) -> Option<AuditorId> {
    events.iter().find_map(|recorded| match &recorded.event {
        Event::Access(AccessEvent::AuditorAdded(id, _)) => Some(*id),
        _ => None,
    })
}

/// The `Idempotency-Key` of a call, if it has one.
pub(super) fn key(headers: &HeaderMap, fields: &mut Fields<'_>) -> Option<Idempotency> {
    let value = headers.get("idempotency-key")?;
    let text = std::str::from_utf8(value.as_bytes()).ok();
    let good = text.filter(|text| !text.trim().is_empty() && text.chars().count() <= LONGEST_KEY);
    if good.is_none() {
        fields.problem("Idempotency-Key", format_args!("must be 1 to {LONGEST_KEY} characters of UTF-8"));
    }
    good.map(|key| Idempotency { fingerprint: None, key: key.to_owned() })
}

/// `DELETE /operator/v1/auditors/{id}`: 204; the token no longer counts. Repeating it is fine.
async fn remove(State(app): State<App>, _: Operator, id: Segment) -> Result<Response, ApiError> {
    let id = id.0.parse().map_err(|_| ApiError::new(Code::NotFound))?;
    app.engine().submit(RemoveAuditor { id }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /operator/v1/subjects/{id}/erase`: destroys the key of the subject's personal text. Again 200 when repeated.
async fn erase(State(app): State<App>, _: Operator, id: Segment) -> Result<Response, ApiError> {
    let id: SubjectId = id.0.parse().map_err(|_| ApiError::new(Code::SubjectNotFound))?;
    let at = erasure::erase(app.engine(), id).await?;
    let mut writer = Writer::with_capacity(128);
    writer.object(|w| {
        w.uuid("id", id.uuid());
        w.display("erased_at", at);
    });
    Ok(envelope::json(StatusCode::OK, writer))
}
