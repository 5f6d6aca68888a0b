//! What the owner of a tag is asked, and its answer (`idaas.md` 7). Public: whoever holds the token may.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use flexledger_commands::{Answer, Done};
use flexledger_domain::consent::{ApproveClaim, Claim, DenyClaim};
use flexledger_domain::{Instant, TokenHash};
use flexledger_projections::ClaimRow;

use super::{fresh_uuid, show};
use crate::app::App;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::path::Segment;
use crate::http::secret;
use crate::jose::{self, Attestation};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/consent/{consent_token}", get(read))
        .route("/api/v1/consent/{consent_token}/approve", post(approve))
        .route("/api/v1/consent/{consent_token}/deny", post(deny))
}

/// The number of the token in a path, under which the ledger knows the claim.
fn number(app: &App, path: &Segment) -> Result<TokenHash, ApiError> {
    let key = app.vault().platform().consent_key();
    secret::consent_number_of(key, &path.0).ok_or_else(|| Code::ConsentNotFound.into())
}

async fn find(app: &App, token: &TokenHash) -> Result<ClaimRow, ApiError> {
    app.fresh_views().await?.claim_by_token(token).await?.ok_or_else(|| Code::ConsentNotFound.into())
}

/// `GET /v1/consent/{consentToken}`: who asks for what. A lapsed token still tells so.
async fn read(State(app): State<App>, path: Segment) -> Result<Response, ApiError> {
    let row = find(&app, &number(&app, &path)?).await?;
    let now = app.now();
    let name = |text, otherwise: &std::sync::Arc<str>| app.open(text).unwrap_or_else(|| otherwise.clone());
    let requester = name(row.subject_name.as_ref(), &row.application_name);
    let owner = name(row.owner_name.as_ref(), &row.tag_address);
    Ok(envelope::success(StatusCode::OK, "Consent found", now, |w| {
        w.object(|w| {
            w.text("consentToken", &path.0);
            w.text("tagString", &row.tag_local);
            w.text("requestingAppName", &row.application_name);
            w.text("requestingSubjectDisplay", &requester);
            w.text("ownerDisplay", &owner);
            w.instant("tokenExpiresAt", row.claim.expires_at);
            w.flag("expired", row.claim.expires_at <= now);
            w.text("claimState", row.claim.state.name());
        });
    }))
}

/// What a decision left of a claim, with the row that it is shown with.
fn decided(done: Done<Claim>, row: ClaimRow) -> Result<(ClaimRow, Instant), ApiError> {
    match done.answer {
        Answer::Fresh(claim) => Ok((ClaimRow { claim, ..row }, done.recorded_at)),
        Answer::Replayed(_) => Err(Code::Unavailable.into()),
    }
}

/// `POST /v1/consent/{consentToken}/approve`: gives consent. 200, with an attestation.
async fn approve(State(app): State<App>, path: Segment) -> Result<Response, ApiError> {
    let token = number(&app, &path)?;
    // Read before the command, so that nothing but the log stands between the command and its answer.
    let row = find(&app, &token).await?;
    let (row, at) = decided(app.engine().submit(ApproveClaim { token }).await?, row)?;
    let claim = &row.claim;
    // It holds for as long as the owner had time to consent.
    let exp = at.plus(claim.expires_at.since(claim.requested_at)).seconds();
    let attestation = Attestation {
        iss: app.settings().public_url.to_string(),
        sub: claim.subject,
        aud: claim.application,
        tag: row.tag_address.to_string(),
        consent: claim.id.uuid(),
        iat: at.seconds(),
        exp,
        jti: fresh_uuid(),
    };
    let key = app.vault().platform().attestation_key();
    let token = jose::sign_attestation(key, &attestation).map_err(|error| {
        tracing::error!(%error, "api.attestation_not_signed");
        ApiError::new(Code::Internal)
    })?;
    Ok(envelope::success(StatusCode::OK, "Consent approved", at, |w| {
        w.object(|w| {
            w.text("token", &token);
            w.count("expiresAt", exp);
            w.text("tag", &row.tag_local);
            w.uuid("subjectId", claim.subject.uuid());
            w.uuid("consentId", claim.id.uuid());
        });
    }))
}

/// `POST /v1/consent/{consentToken}/deny`: refuses consent.
async fn deny(State(app): State<App>, path: Segment) -> Result<Response, ApiError> {
    let token = number(&app, &path)?;
    let row = find(&app, &token).await?;
    let (row, at) = decided(app.engine().submit(DenyClaim { token }).await?, row)?;
    Ok(envelope::success(StatusCode::OK, "Consent denied", at, |w| show::claim(w, &row, None, None)))
}
