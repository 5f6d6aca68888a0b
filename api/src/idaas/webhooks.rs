//! Webhook records: what is owed, what was delivered, what was given up (`idaas.md` 10.6).

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use flexledger_domain::ids::{ApplicationId, WebhookId};
use flexledger_domain::payments::{Direction, Payment};
use flexledger_projections::{AttemptRow, WebhookRow};

use super::show;
use crate::app::App;
use crate::courier::payload;
use crate::http::auth::Caller;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::paging;
use crate::http::path::Segment;
use crate::http::query::Query;
use crate::http::write::Writer;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/transactions/{reference}/webhooks", get(of_payment))
        .route("/api/v1/transactions/{reference}/webhooks/receiver", get(of_receiver))
        .route("/api/v1/transactions/{reference}/webhooks/sender", get(of_sender))
        .route("/api/v1/webhooks/failed", get(failed))
        .route("/api/v1/webhooks/{id}", get(read))
}

/// Whether an application is one of the two parties of a payment.
fn is_party(payment: &Payment, application: ApplicationId) -> bool {
    [payment.sender.application, payment.receiver.application].contains(&application)
}

/// The payment of a path, for its two parties.
async fn payment(app: &App, caller: &Caller, path: &Segment) -> Result<Payment, ApiError> {
    let payment = app.fresh_views().await?.payment(path.reference()?).await?;
    payment.filter(|payment| is_party(payment, caller.id())).ok_or_else(|| Code::TransactionNotFound.into())
}

/// `GET /v1/transactions/{reference}/webhooks`: the records of a payment, oldest first.
async fn of_payment(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let payment = payment(&app, &caller, &path).await?;
    Ok(envelope::success(StatusCode::OK, "Webhooks found", app.now(), |w| w.array(&payment.webhooks, show::webhook)))
}

/// `GET /v1/transactions/{reference}/webhooks/receiver`: what the receiver is told of the initiation.
async fn of_receiver(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    one_of_payment(&app, &caller, &path, Direction::Receiver).await
}

/// `GET /v1/transactions/{reference}/webhooks/sender`: what the sender is told of the outcome, once there is one.
async fn of_sender(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    one_of_payment(&app, &caller, &path, Direction::Sender).await
}

async fn one_of_payment(
    app: &App,
    caller: &Caller,
    path: &Segment,
    direction: Direction,
) -> Result<Response, ApiError> {
    let payment = payment(app, caller, path).await?;
    let record = payment.webhooks.iter().find(|record| record.direction == direction).ok_or(Code::NotFound)?;
    Ok(envelope::success(StatusCode::OK, "Webhook found", app.now(), |w| show::webhook(w, record)))
}

/// `GET /v1/webhooks/failed`: a page of what was given up on the way to the caller, newest first.
async fn failed(State(app): State<App>, caller: Caller, query: Query) -> Result<Response, ApiError> {
    let page = paging::read(&query)?;
    let paged = app.fresh_views().await?.failed_webhooks(caller.id(), &page).await?;
    Ok(envelope::success(StatusCode::OK, "Failed webhooks found", app.now(), |w| {
        paging::write(w, &page, "createdAt", &paged, show::webhook);
    }))
}

/// `GET /v1/webhooks/{id}`: one record with what it says and its attempts, for the two parties of the payment.
async fn read(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let id = WebhookId::from_uuid(path.uuid()?);
    let row = app.fresh_views().await?.webhook(id).await?;
    let row = row.filter(|row| is_party(&row.payment, caller.id())).ok_or(Code::NotFound)?;
    Ok(envelope::success(StatusCode::OK, "Webhook found", app.now(), |w| whole(&app, w, &row)))
}

fn whole(app: &App, w: &mut Writer, row: &WebhookRow) {
    w.object(|w| {
        show::webhook_members(w, &row.record);
        w.name("payload");
        payload::write(w, &row.payment, row.record.told, |text| app.open(Some(text)));
        w.name("attemptHistory").array(&row.attempts, attempt);
    });
}

fn attempt(w: &mut Writer, row: &AttemptRow) {
    w.object(|w| {
        w.count("attempt", row.attempt);
        w.instant("at", row.at);
        w.text("status", if row.error.is_some() { "FAILED" } else { "DELIVERED" });
        w.text_if("error", row.error.as_deref());
    });
}
