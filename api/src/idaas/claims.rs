//! Claims on tags: request, list, revoke (`idaas.md` 7). Its requester is told the consent token for as long as a claim
//! is pending; the ledger keeps no more of it than its number.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use flexledger_commands::Answer;
use flexledger_domain::consent::{ClaimState, RequestClaim, RevokeClaim};
use flexledger_domain::ids::{ApplicationId, ClaimId, SubjectId};
use flexledger_projections::{Ambiguous, ClaimRow, TagRow, Views};

use super::show::{self, Token};
use crate::app::App;
use crate::http::auth::Caller;
use crate::http::body::JsonBody;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::fields::Fields;
use crate::http::path::Segment;
use crate::http::secret;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/tags/{tag}/claims", get(list).post(request))
        .route("/api/v1/claims/{claim_id}/revoke", post(revoke))
}

/// The one tag that a path means.
pub(super) async fn tag(views: &Views, path: &Segment) -> Result<TagRow, ApiError> {
    match views.resolve_tag(&path.tag()?).await? {
        Ok(row) => row.ok_or_else(|| Code::TagNotFound.into()),
        Err(Ambiguous(addresses)) => Err(ApiError { errors: addresses, ..ApiError::new(Code::Ambiguous) }),
    }
}

/// The token of a claim, for the one who asked, while there is something to decide.
fn token(app: &App, row: &ClaimRow, reader: &Caller) -> Option<Token> {
    let mine = row.claim.application == reader.id() && row.claim.state == ClaimState::Pending;
    let token = mine.then(|| secret::consent_token(app.vault().platform().consent_key(), &row.token)).flatten()?;
    Some(Token { url: format!("{}/api/v1/consent/{token}", app.settings().public_url), token })
}

/// `POST /v1/tags/{tag}/claims`: asks for consent to use a tag for one of the caller's users. 200, with the token.
async fn request(
    State(app): State<App>,
    caller: Caller,
    path: Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let query = path.tag()?;
    let mut fields = Fields::parse(&body)?;
    let subject = fields.required_uuid("subjectId").map(SubjectId::from_uuid);
    fields.finish()?;
    let subject = subject.ok_or(Code::Invalid)?;
    // Read before the command, so that nothing but the log stands between the command and its answer. What is missing
    // here makes the command refuse.
    let views = app.fresh_views().await?;
    let tag = views.resolve_tag(&query).await?.unwrap_or_default();
    let row = views.subject(subject).await?;
    let number = secret::consent_number();
    let command = RequestClaim { caller: caller.id(), tag: query, subject, token: number };
    let done = app.engine().submit(command).await?;
    let (Answer::Fresh(claim), Some(tag), Some(subject)) = (done.answer, tag, row) else {
        return Err(Code::Unavailable.into());
    };
    let row = ClaimRow {
        claim,
        token: number,
        tag_local: tag.local,
        tag_address: tag.address,
        tag_application: tag.owner_application,
        owner_name: tag.owner.display_name,
        external_id: subject.external_id,
        subject_name: subject.display_name,
        application_name: caller.app.name.clone(),
    };
    let token = token(&app, &row, &caller);
    Ok(envelope::success(StatusCode::OK, "Claim requested", done.recorded_at, |w| {
        show::claim(w, &row, Some(caller.id()), token.as_ref());
    }))
}

/// `GET /v1/tags/{tag}/claims`: all claims for the tag's owner, the caller's own for everybody else; newest first.
async fn list(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let views = app.fresh_views().await?;
    let tag = tag(views, &path).await?;
    let only = (tag.owner_application != caller.id()).then_some(caller.id());
    let rows = views.claims_on(tag.id, only).await?;
    Ok(envelope::success(StatusCode::OK, "Claims found", app.now(), |w| {
        w.array(&rows, |w, row| {
            show::claim(w, row, Some(caller.id()), token(&app, row, &caller).as_ref());
        });
    }))
}

/// `POST /v1/claims/{claimId}/revoke`: ends a claim. The requester may, and the tag's owner.
async fn revoke(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let id = ClaimId::from_uuid(path.uuid()?);
    let done = app.engine().submit(RevokeClaim { caller: caller.id(), claim: id }).await?;
    let row = app.views_at(done.position).await?.claim(id).await?.ok_or(Code::ClaimNotFound)?;
    Ok(envelope::success(StatusCode::OK, "Claim revoked", done.recorded_at, |w| {
        show::claim(w, &row, Some(caller.id()), None);
    }))
}

/// The active claims on some tags that a reader may see: all of them on its own tags, else those that it made.
pub(super) async fn active(views: &Views, tags: &[TagRow], reader: ApplicationId) -> Result<Vec<ClaimRow>, ApiError> {
    let ids: Vec<_> = tags.iter().map(|tag| tag.id).collect();
    let mut rows = views.active_claims(&ids).await?;
    rows.retain(|row| row.tag_application == reader || row.claim.application == reader);
    Ok(rows)
}
