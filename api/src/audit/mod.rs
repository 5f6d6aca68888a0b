//! The audit surface (`operations.md` 4), under `/audit/v1`: for the operator and for auditors, who can read it and
//! nothing else.
//!
//! The documents are those of the room `replay`, which the command line prints as well. Every answer names the end of
//! the log that it was made from.

mod as_of;
mod events;
mod explain;
mod past;
mod proofs;
mod trees;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flexledger_eventstore::{Head, StoreError};
use flexledger_replay::as_of::{AsOfError, QuestionError};
use flexledger_replay::moment::MomentError;
use serde::Serialize;

pub use trees::{Trees, follow};

use crate::app::App;
use crate::forward;
use crate::http::auth::{Digest, bearer};
use crate::http::error::{ApiError, Code};

/// The header that holds the position of the log's end.
pub const LEDGER_POSITION: HeaderName = HeaderName::from_static("ledger-position");
/// The header that holds the chain hash there.
pub const LEDGER_HEAD: HeaderName = HeaderName::from_static("ledger-head");

pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/events", get(events::list))
        .route("/head", get(proofs::head))
        .route("/proofs/events/{position}", get(proofs::inclusion))
        .route("/proofs/consistency", get(proofs::consistency))
        .route("/as-of/{moment}/{view}", get(as_of::list))
        .route("/as-of/{moment}/{view}/{key}", get(as_of::one))
        .route("/explain/{reference}", get(explain::explain))
        .route("/diff", get(explain::diff))
        // Inside the layer: what is not there is answered from a log as well.
        .fallback(crate::not_found)
        .method_not_allowed_fallback(crate::method_not_allowed)
        .layer(from_fn_with_state(app.clone(), mark))
}

/// The durable end of the log that an answer is made from: as it was when the work on it began, or later where that
/// had to wait.
#[derive(Debug, Clone)]
struct End(Arc<Mutex<Head>>);

impl End {
    fn get(&self) -> Head {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes the end of the log, for the handler and for the headers.
async fn mark(State(app): State<App>, request: Request, next: Next) -> Response {
    if let Err(failure) = app.engine().settle().await {
        return ApiError::from(failure).into_response();
    }
    let (mut request, for_leader) = past::is_for_leader(&app, request).await;
    if for_leader {
        return forward::to_leader(&app, request).await.into_response();
    }
    let end = End(Arc::new(Mutex::new(app.engine().status().head)));
    request.extensions_mut().insert(end.clone());
    let mut response = next.run(request).await;
    let head = end.get();
    let headers = response.headers_mut();
    headers.insert(LEDGER_POSITION, HeaderValue::from(head.position.number()));
    if let Ok(hash) = HeaderValue::from_str(&head.hash.to_string()) {
        headers.insert(LEDGER_HEAD, hash);
    }
    response
}

/// The operator or an auditor, authenticated, and the end of the log.
struct Reader {
    end: Head,
    told: End,
}

impl Reader {
    /// The answer is made from a newer end.
    fn renew(&mut self, end: Head) {
        self.end = end;
        *self.told.0.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }
}

impl FromRequestParts<App> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers).ok_or(Code::Unauthenticated)?;
        let given = Digest::of(token.as_bytes());
        let operator = app.settings().operator_token.as_ref().is_some_and(|expected| expected.matches(&given));
        if !operator && app.engine().directory().auditor(&given.hex()).is_none() {
            return Err(ApiError::not_token("the token is neither the operator's nor an auditor's"));
        }
        let told = parts.extensions.get::<End>().ok_or(Code::Internal)?.clone();
        Ok(Reader { end: told.get(), told })
    }
}

/// A document as it is.
fn document<T: Serialize>(document: &T) -> Result<Response, ApiError> {
    let bytes = serde_json::to_vec(document).map_err(|error| {
        tracing::error!(%error, "api.document_not_written");
        ApiError::new(Code::Internal)
    })?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response())
}

/// A problem of 422 with its reason.
fn beyond(reason: impl std::fmt::Display) -> ApiError {
    ApiError { errors: vec![reason.to_string()], ..ApiError::new(Code::BeyondLog) }
}

/// The log cannot be read now.
fn unreadable(error: &StoreError) -> ApiError {
    tracing::error!(%error, "api.log_not_read");
    Code::Unavailable.into()
}

/// A number of digits, from a path or a query.
fn number(name: &str, text: &str) -> Result<u64, ApiError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.ok_or_else(|| ApiError::invalid(format!("{name} must be a number")))
}

impl From<MomentError> for ApiError {
    fn from(error: MomentError) -> Self {
        match error {
            MomentError::Malformed(_) => {
                ApiError::invalid("the moment is neither a log position nor an RFC 3339 instant")
            }
            MomentError::BeyondHead { .. } | MomentError::Future(_) => beyond(error),
            MomentError::Store(error) => unreadable(&error),
            MomentError::Damaged(position) => {
                tracing::error!(position = position.number(), "api.event_damaged");
                Code::Internal.into()
            }
        }
    }
}

impl From<QuestionError> for ApiError {
    fn from(error: QuestionError) -> Self {
        match error {
            QuestionError::View(_) | QuestionError::Key(_) | QuestionError::Malformed(_) => {
                ApiError { errors: vec![error.to_string()], ..ApiError::new(Code::NotFound) }
            }
            QuestionError::Currency | QuestionError::Limit | QuestionError::From => {
                ApiError::invalid(error.to_string())
            }
        }
    }
}

impl From<AsOfError> for ApiError {
    fn from(error: AsOfError) -> Self {
        match error {
            AsOfError::Unknown(_) => ApiError { errors: vec![error.to_string()], ..ApiError::new(Code::NotFound) },
            AsOfError::Moment(error) => error.into(),
            AsOfError::Views(error) => error.into(),
            AsOfError::Overflow | AsOfError::Unbalanced(_) => {
                tracing::error!(%error, "api.no_sums");
                Code::Internal.into()
            }
        }
    }
}
