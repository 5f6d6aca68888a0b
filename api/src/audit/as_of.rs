//! The views as they were.

use axum::extract::{RawPathParams, State};
use axum::response::Response;
use flexledger_replay::as_of::{Question, answer};

use super::past::position;
use super::{Reader, document};
use crate::app::App;
use crate::http::error::{ApiError, Code};
use crate::http::query::Query;

/// `GET /audit/v1/as-of/{T}/{view}`: a whole view, or a page of it.
pub(super) async fn list(
    State(app): State<App>,
    reader: Reader,
    path: RawPathParams,
    query: Query,
) -> Result<Response, ApiError> {
    ask(&app, reader, &path, &query).await
}

/// `GET /audit/v1/as-of/{T}/{view}/{key}`: one thing of a view, or a page of what belongs to it.
pub(super) async fn one(
    State(app): State<App>,
    reader: Reader,
    path: RawPathParams,
    query: Query,
) -> Result<Response, ApiError> {
    ask(&app, reader, &path, &query).await
}

async fn ask(app: &App, mut reader: Reader, path: &RawPathParams, query: &Query) -> Result<Response, ApiError> {
    let part = |name: &str| path.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    let (moment, view) = (part("moment").ok_or(Code::NotFound)?, part("view").ok_or(Code::NotFound)?);
    let question = Question::read(view, part("key"), |name| query.first(name))?;
    let at = position(app, &mut reader, moment).await?;
    let views = app.views_at(at).await?;
    document(&answer(views, at, &question).await?)
}
