//! End-of-day settlement (`idaas.md` 12). Every application may read and run it.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use flexledger_domain::Actor;
use flexledger_domain::ids::SettlementId;
use flexledger_domain::settlement::RunSettlement;
use flexledger_projections::SettlementRow;

use super::show;
use crate::app::App;
use crate::http::auth::Caller;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::paging;
use crate::http::path::{Segment, read_date};
use crate::http::query::Query;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/settlement", get(list))
        .route("/api/v1/settlement/run", post(run))
        .route("/api/v1/settlement/{id}", get(read))
        .route("/api/v1/settlement/date/{date}", get(by_date))
}

/// `GET /v1/settlement`: a page of records without entries, newest date first.
async fn list(State(app): State<App>, _: Caller, query: Query) -> Result<Response, ApiError> {
    let page = paging::read(&query)?;
    let paged = app.fresh_views().await?.settlements(&page).await?;
    Ok(envelope::success(StatusCode::OK, "Settlements found", app.now(), |w| {
        paging::write(w, &page, "settlementDate", &paged, |w, row| show::settlement(w, row, false));
    }))
}

fn found(app: &App, row: Option<SettlementRow>) -> Result<Response, ApiError> {
    let row = row.ok_or(Code::NotFound)?;
    Ok(envelope::success(StatusCode::OK, "Settlement found", app.now(), |w| show::settlement(w, &row, true)))
}

/// `GET /v1/settlement/{id}`: one record with its entries.
async fn read(State(app): State<App>, _: Caller, path: Segment) -> Result<Response, ApiError> {
    let id = SettlementId::from_uuid(path.uuid()?);
    let row = app.fresh_views().await?.settlement(id).await?;
    found(&app, row)
}

/// `GET /v1/settlement/date/{date}`: the `NGN` record of a date with its entries.
async fn by_date(State(app): State<App>, _: Caller, path: Segment) -> Result<Response, ApiError> {
    let date = path.date()?;
    let row = app.fresh_views().await?.settlement_by_date(date).await?;
    found(&app, row)
}

/// `POST /v1/settlement/run?date=`: settles a date, by default yesterday. A completed one stays as it is.
async fn run(State(app): State<App>, caller: Caller, query: Query) -> Result<Response, ApiError> {
    let date = match query.first("date") {
        Some(text) => read_date(text)?,
        None => app.now().date().previous(),
    };
    let done = app.engine().submit(RunSettlement { actor: Actor::Application(caller.id()), date }).await?;
    let row = app.views_at(done.position).await?.settlement_by_date(date).await?.ok_or(Code::NotFound)?;
    let message = "Settlement completed";
    Ok(envelope::success(StatusCode::OK, message, done.recorded_at, |w| show::settlement(w, &row, true)))
}
