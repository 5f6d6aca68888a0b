//! Links between tags: initiate, read, verify, end (`idaas.md` 8). The challenge is answered once; only its digest is
//! kept.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, post};
use flexledger_commands::Answer;
use flexledger_domain::federation::{InitiateLink, LinkStatus, RevokeLink, VerifyLink};
use flexledger_domain::ids::{ApplicationId, LinkId};
use flexledger_projections::{FederationRow, LinkRow};

use super::claims::tag;
use super::show::{self, Challenge};
use crate::app::App;
use crate::http::auth::Caller;
use crate::http::body::JsonBody;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::fields::Fields;
use crate::http::path::Segment;
use crate::http::secret;

/// Characters of the other name.
const LONGEST_NAME: usize = 255;
/// Characters of the way of proof.
const LONGEST_METHOD: usize = 100;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/tags/{tag}/federation", get(read).post(initiate))
        .route("/api/v1/federation/verify/{challenge_token}", post(verify))
        .route("/api/v1/federation/links/{link_id}", delete(revoke))
}

/// The name that a member goes by: its own, or the older alias when only that is given (`idaas.md` 17, C-20).
fn either<'n>(fields: &Fields<'_>, name: &'n str, alias: &'n str) -> &'n str {
    if fields.has(alias) && !fields.has(name) { alias } else { name }
}

/// `POST /v1/tags/{tag}/federation`: begins a link of one of the caller's tags. 200, with the challenge.
async fn initiate(
    State(app): State<App>,
    caller: Caller,
    path: Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let query = path.tag()?;
    let mut fields = Fields::parse(&body)?;
    let secondary = fields.required_text(either(&fields, "secondaryTag", "externalIdentifier"), LONGEST_NAME);
    let method = fields.required_text(either(&fields, "verificationMethod", "provider"), LONGEST_METHOD);
    fields.finish()?;
    let (Some(secondary), Some(method)) = (secondary, method) else {
        return Err(Code::Invalid.into());
    };
    // Read before the command, so that nothing but the log stands between the command and its answer.
    let views = app.fresh_views().await?;
    let tag = views.resolve_tag(&query).await?.unwrap_or_default();
    let before = match &tag {
        Some(tag) => views.federation(tag.id).await?,
        None => None,
    };
    let challenge = secret::fresh();
    let command = InitiateLink {
        caller: caller.id(),
        tag: query,
        secondary: secondary.trim().into(),
        method: method.trim().into(),
        challenge: secret::digest(&challenge),
    };
    let done = app.engine().submit(command).await?;
    let (Answer::Fresh(link), Some(tag)) = (done.answer, tag) else {
        return Err(Code::Unavailable.into());
    };
    let mut identity = before.unwrap_or_else(|| FederationRow {
        id: link.identity,
        tag: tag.id,
        tag_address: tag.address,
        tag_application: tag.owner_application,
        links: Vec::new(),
        created_at: done.recorded_at,
    });
    identity.links.push(LinkRow {
        id: link.id,
        linked: link.linked,
        linked_application: None,
        application: caller.id(),
        status: link.status,
        verified_by: None,
        created_at: done.recorded_at,
    });
    let challenge = Challenge { link: link.id, token: &challenge };
    Ok(envelope::success(StatusCode::OK, "Federation initiated", done.recorded_at, |w| {
        show::federation(w, &identity, Some(&challenge));
    }))
}

/// Keeps the links that a reader may see: all of them for the tag's owner, its own for a party, and for everybody else
/// those that are proven.
fn only_visible(identity: &mut FederationRow, reader: ApplicationId) {
    if identity.tag_application != reader {
        identity.links.retain(|link| {
            let party = link.application == reader || link.linked_application == Some(reader);
            party || link.status == LinkStatus::Verified
        });
    }
}

/// `GET /v1/tags/{tag}/federation`: the links of a tag.
async fn read(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let views = app.fresh_views().await?;
    let tag = tag(views, &path).await?;
    let mut identity = views.federation(tag.id).await?.ok_or(Code::FederationNotFound)?;
    only_visible(&mut identity, caller.id());
    if identity.links.is_empty() {
        return Err(Code::FederationNotFound.into());
    }
    Ok(envelope::success(StatusCode::OK, "Federation found", app.now(), |w| show::federation(w, &identity, None)))
}

/// `POST /v1/federation/verify/{challengeToken}`: proves a link. The owner of the other tag may; where the other name is
/// none of this ledger's, who began the link.
async fn verify(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let command = VerifyLink { caller: caller.id(), challenge: secret::digest(&path.0) };
    let done = app.engine().submit(command).await?;
    let Answer::Fresh(link) = done.answer else {
        return Err(Code::Unavailable.into());
    };
    let identity = app.views_at(done.position).await?.federation(link.tag).await?;
    let mut identity = identity.ok_or(Code::FederationNotFound)?;
    only_visible(&mut identity, caller.id());
    let message = "Federation verified";
    Ok(envelope::success(StatusCode::OK, message, done.recorded_at, |w| show::federation(w, &identity, None)))
}

/// `DELETE /v1/federation/links/{linkId}`: ends a link. Each of its parties may; again is fine.
async fn revoke(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let link = LinkId::from_uuid(path.uuid()?);
    let done = app.engine().submit(RevokeLink { caller: caller.id(), link }).await?;
    Ok(envelope::done("Federation link revoked", done.recorded_at))
}
