//! Tags: make, list, resolve, search, switch off and on, transfer (`idaas.md` 6).

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, patch, post};
use flexledger_commands::{Answer, Done};
use flexledger_domain::Position;
use flexledger_domain::identity::{CreateTag, Handle, Local, SetTagActive, TransferTag};
use flexledger_domain::ids::{SubjectId, TagId};
use flexledger_projections::{Ambiguous, TagRow, Views};

use super::{claims, show};
use crate::app::App;
use crate::http::auth::Caller;
use crate::http::body::JsonBody;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::fields::Fields;
use crate::http::path::Segment;
use crate::http::query::Query;

/// Rows that a search answers at most.
const MOST_FOUND: usize = 50;
/// Display names that are opened at a time.
const CANDIDATES: u32 = 500;
/// Display names that one search opens at most; they are sealed, so each costs a decryption.
const MOST_OPENED: usize = 100_000;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/tags", get(list).post(create))
        .route("/api/v1/tags/search", get(search))
        .route("/api/v1/tags/{tag}", get(resolve))
        .route("/api/v1/tags/{tag}/disable", patch(disable))
        .route("/api/v1/tags/{tag}/enable", patch(enable))
        .route("/api/v1/tags/{tag}/transfer", post(transfer))
}

/// `POST /v1/tags`: makes a tag of one of the caller's users. 200.
async fn create(State(app): State<App>, caller: Caller, JsonBody(body): JsonBody) -> Result<Response, ApiError> {
    let mut fields = Fields::parse(&body)?;
    let local = read_name(&mut fields);
    let subject = fields.required_uuid("subjectId").map(SubjectId::from_uuid);
    fields.finish()?;
    let (Some(local), Some(subject)) = (local, subject) else {
        return Err(Code::Invalid.into());
    };
    // Read before the command, so that nothing but the log stands between the command and its answer.
    let owner = app.fresh_views().await?.subject(subject).await?;
    let done = app.engine().submit(CreateTag { caller: caller.id(), local: local.clone(), subject }).await?;
    let (Answer::Fresh(id), Some(owner)) = (done.answer, owner) else {
        return Err(Code::Unavailable.into());
    };
    let handle = &caller.app.handle;
    let row = TagRow {
        id,
        position: done.position,
        local: local.as_str().into(),
        address: format!("{local}@{handle}").into(),
        active: true,
        owner,
        owner_application: caller.id(),
        created_by: caller.id(),
        created_by_name: caller.app.name.clone(),
        created_at: done.recorded_at,
    };
    Ok(envelope::success(StatusCode::OK, "Tag created", done.recorded_at, |w| {
        show::tag(&app, w, &row, caller.id(), &[]);
    }))
}

/// The local name in `tag`, or in its alias `tagString`; both only if they are equal (`idaas.md` 17, C-02).
fn read_name(fields: &mut Fields<'_>) -> Option<Local> {
    let name = if fields.has("tagString") && !fields.has("tag") { "tagString" } else { "tag" };
    let text = fields.required_text(name, 255)?;
    if name == "tag" && fields.optional_text("tagString", 255).is_some_and(|alias| alias != text) {
        fields.problem("tagString", "must equal tag");
    }
    Local::for_new_tag(&text).map_err(|error| fields.problem(name, error)).ok()
}

/// `GET /v1/tags`: the tags that the caller made, newest first, disabled ones included.
async fn list(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let views = app.fresh_views().await?;
    let rows = views.tags_created_by(caller.id()).await?;
    let claims = claims::active(views, &rows, caller.id()).await?;
    Ok(envelope::success(StatusCode::OK, "Tags found", app.now(), |w| {
        w.array(&rows, |w, row| show::tag(&app, w, row, caller.id(), &claims));
    }))
}

/// `GET /v1/tags/{tag}`: who is behind a tag. Public, so it tells little.
async fn resolve(State(app): State<App>, path: Segment) -> Result<Response, ApiError> {
    let query = path.tag()?;
    let row = match app.fresh_views().await?.resolve_tag(&query).await? {
        Ok(row) => row.ok_or(Code::TagNotFound)?,
        Err(Ambiguous(addresses)) => return Err(ApiError { errors: addresses, ..ApiError::new(Code::Ambiguous) }),
    };
    Ok(envelope::success(StatusCode::OK, "Tag found", app.now(), |w| show::public_tag(&app, w, &row)))
}

/// `GET /v1/tags/search?keyword=&appHandle=`: active tags whose name, or whose owner's display name, has the keyword.
async fn search(State(app): State<App>, caller: Caller, query: Query) -> Result<Response, ApiError> {
    let keyword = query.first("keyword").unwrap_or_default().trim().to_lowercase();
    match keyword.chars().count() {
        0 => return Err(Code::KeywordMissing.into()),
        1 => return Err(Code::KeywordShort.into()),
        _ => {}
    }
    let views = app.fresh_views().await?;
    let rows = match query.first("appHandle").filter(|text| !text.is_empty()).map(Handle::new) {
        Some(Err(_)) => Vec::new(),
        Some(Ok(handle)) => find(&app, views, &keyword, Some(&handle)).await?,
        None => find(&app, views, &keyword, None).await?,
    };
    let claims = claims::active(views, &rows, caller.id()).await?;
    Ok(envelope::success(StatusCode::OK, "Tags found", app.now(), |w| {
        w.array(&rows, |w, row| match row.owner_application == caller.id() {
            true => show::tag(&app, w, row, caller.id(), &claims),
            false => show::public_tag(&app, w, row),
        });
    }))
}

/// Matches of the local name first, then of display names until there are enough; in order of address.
async fn find(app: &App, views: &Views, keyword: &str, handle: Option<&Handle>) -> Result<Vec<TagRow>, ApiError> {
    let mut found = views.search_tags(keyword, handle).await?;
    found.truncate(MOST_FOUND);
    let (mut after, mut opened) = (Position::START, 0);
    while found.len() < MOST_FOUND && opened < MOST_OPENED {
        let candidates = views.tag_candidates(after, handle, CANDIDATES).await?;
        let Some(last) = candidates.last() else { break };
        after = last.position;
        opened += candidates.len();
        for row in candidates {
            let name = app.open(row.owner.display_name.as_ref());
            let fits = name.is_some_and(|name| name.to_lowercase().contains(keyword));
            if fits && found.len() < MOST_FOUND && found.iter().all(|other| other.id != row.id) {
                found.push(row);
            }
        }
    }
    found.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(found)
}

/// `PATCH /v1/tags/{tag}/disable`: the tag can no longer be used for anything new. Only its owner may; again is fine.
async fn disable(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let done = switch(&app, &caller, &path, false).await?;
    Ok(envelope::done("Tag disabled", done.recorded_at))
}

/// `PATCH /v1/tags/{tag}/enable`: the way back, by the same rules.
async fn enable(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let done = switch(&app, &caller, &path, true).await?;
    Ok(envelope::done("Tag enabled", done.recorded_at))
}

async fn switch(app: &App, caller: &Caller, path: &Segment, active: bool) -> Result<Done<TagId>, ApiError> {
    let command = SetTagActive { caller: caller.id(), tag: path.tag()?, active };
    Ok(app.engine().submit(command).await?)
}

/// `POST /v1/tags/{tag}/transfer`: gives one of the caller's tags to a subject that holds an active claim on it. Again
/// is fine while the caller owns it.
async fn transfer(
    State(app): State<App>,
    caller: Caller,
    path: Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let tag = path.tag()?;
    let mut fields = Fields::parse(&body)?;
    let owner = fields.required_uuid("newOwnerSubjectId").map(SubjectId::from_uuid);
    fields.finish()?;
    let owner = owner.ok_or(Code::Invalid)?;
    let done = app.engine().submit(TransferTag { caller: caller.id(), tag, owner }).await?;
    let Answer::Fresh(id) = done.answer else {
        return Err(Code::Unavailable.into());
    };
    let views = app.views_at(done.position).await?;
    let rows: Vec<TagRow> = views.tag(id).await?.into_iter().collect();
    let claims = claims::active(views, &rows, caller.id()).await?;
    let row = rows.first().ok_or(Code::TagNotFound)?;
    Ok(envelope::success(StatusCode::OK, "Tag transferred", done.recorded_at, |w| {
        show::tag(&app, w, row, caller.id(), &claims);
    }))
}
