//! An application's users (`idaas.md` 5). Another application's users do not exist for it.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use flexledger_domain::identity::{CreateSubject, PatchSubject, Profile};
use flexledger_domain::ids::{ApplicationId, SubjectId};
use flexledger_domain::personal::Personal;
use flexledger_projections::{SubjectRow, Views};

use super::{claims, fresh_uuid, show};
use crate::app::App;
use crate::http::auth::Caller;
use crate::http::body::JsonBody;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::fields::Fields;
use crate::http::path::Segment;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/subjects", get(list).post(create))
        .route("/api/v1/subjects/{id}", get(read).patch(change))
        .route("/api/v1/subjects/external/{external_id}", get(by_external))
        .route("/api/v1/subjects/{id}/tags", get(tags))
}

/// Display name, e-mail, picture and metadata with their limits.
fn read_profile(fields: &mut Fields<'_>) -> Profile {
    Profile {
        display_name: fields.optional_text("displayName", 150).map(Into::into),
        email: fields.optional_text("email", 200).map(Into::into),
        image_url: fields.optional_text("imageUrl", 1000).map(Into::into),
        metadata: fields.optional_object("metadata").map(Into::into),
    }
}

/// `POST /v1/subjects`: makes a user known. 201.
async fn create(State(app): State<App>, caller: Caller, JsonBody(body): JsonBody) -> Result<Response, ApiError> {
    let mut fields = Fields::parse(&body)?;
    let external_id: Option<Arc<str>> = fields.required_text("externalId", 255).map(Into::into);
    let profile = read_profile(&mut fields);
    fields.finish()?;
    let external_id = external_id.ok_or(Code::Invalid)?;
    let id = SubjectId::from_uuid(fresh_uuid());
    let text = |text: &Option<Arc<str>>| text.clone().map(|text| Personal::clear(id, text));
    let mut row = SubjectRow {
        id,
        application: caller.id(),
        application_name: caller.app.name.clone(),
        external_id: external_id.clone(),
        display_name: text(&profile.display_name),
        email: text(&profile.email),
        image_url: text(&profile.image_url),
        metadata: text(&profile.metadata),
        created_at: app.now(),
    };
    let done = app.engine().submit(CreateSubject { caller: caller.id(), id, external_id, profile }).await?;
    row.created_at = done.recorded_at;
    let message = "Subject created";
    Ok(envelope::success(StatusCode::CREATED, message, done.recorded_at, |w| show::subject(&app, w, &row)))
}

/// `GET /v1/subjects`: all users of the caller, newest first.
async fn list(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let rows = app.fresh_views().await?.subjects(caller.id()).await?;
    Ok(envelope::success(StatusCode::OK, "Subjects found", app.now(), |w| {
        w.array(&rows, |w, row| show::subject(&app, w, row));
    }))
}

async fn own(views: &Views, caller: ApplicationId, id: SubjectId) -> Result<SubjectRow, ApiError> {
    let row = views.subject(id).await?.filter(|row| row.application == caller);
    row.ok_or_else(|| Code::SubjectNotFound.into())
}

/// `GET /v1/subjects/{id}`: one user.
async fn read(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let id = SubjectId::from_uuid(path.uuid()?);
    let row = own(app.fresh_views().await?, caller.id(), id).await?;
    Ok(envelope::success(StatusCode::OK, "Subject found", app.now(), |w| show::subject(&app, w, &row)))
}

/// `GET /v1/subjects/external/{externalId}`: the user that the caller knows by this identifier.
async fn by_external(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let row = app.fresh_views().await?.subject_by_external(caller.id(), &path.0).await?;
    let row = row.ok_or(Code::ExternalIdNotFound)?;
    Ok(envelope::success(StatusCode::OK, "Subject found", app.now(), |w| show::subject(&app, w, &row)))
}

/// `PATCH /v1/subjects/{id}`: replaces some texts. Absent and null ones stay.
async fn change(
    State(app): State<App>,
    caller: Caller,
    path: Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let subject = SubjectId::from_uuid(path.uuid()?);
    let mut fields = Fields::parse(&body)?;
    let profile = read_profile(&mut fields);
    fields.finish()?;
    let done = app.engine().submit(PatchSubject { caller: caller.id(), subject, profile }).await?;
    let row = own(app.views_at(done.position).await?, caller.id(), subject).await?;
    let message = "Subject updated";
    Ok(envelope::success(StatusCode::OK, message, done.recorded_at, |w| show::subject(&app, w, &row)))
}

/// `GET /v1/subjects/{id}/tags`: the tags that a user owns, newest first.
async fn tags(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let id = SubjectId::from_uuid(path.uuid()?);
    let views = app.fresh_views().await?;
    own(views, caller.id(), id).await?;
    let rows = views.tags_of_subject(id).await?;
    let claims = claims::active(views, &rows, caller.id()).await?;
    Ok(envelope::success(StatusCode::OK, "Tags found", app.now(), |w| {
        w.array(&rows, |w, row| show::tag(&app, w, row, caller.id(), &claims));
    }))
}
