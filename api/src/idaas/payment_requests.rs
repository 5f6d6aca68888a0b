//! What a payer's application is asked by merchants, and answers them (`idaas.md` 19). These calls are this server's own:
//! the merchant API publishes none.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use flexledger_commands::{Answer, Done};
use flexledger_domain::Instant;
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::merchants::{AcceptRequest, DeclineRequest, Request};
use flexledger_domain::payments::Payment;
use flexledger_projections::RequestRow;

use super::show;
use crate::app::App;
use crate::http::auth::Caller;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::paging;
use crate::http::path::Segment;
use crate::http::query::Query;
use crate::http::write::Writer;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/payment-requests", get(waiting))
        .route("/api/v1/payment-requests/{reference}/accept", post(accept))
        .route("/api/v1/payment-requests/{reference}/decline", post(decline))
}

fn fresh<T>(done: Done<T>) -> Result<(T, Instant), ApiError> {
    match done.answer {
        Answer::Fresh(outcome) => Ok((outcome, done.recorded_at)),
        Answer::Replayed(_) => Err(Code::Unavailable.into()),
    }
}

fn members(app: &App, w: &mut Writer, request: &Request) {
    w.count("id", request.number.number());
    w.text("reference", &request.reference);
    w.uuid("merchantId", request.merchant.uuid());
    w.uuid("payeeTagId", request.payee.uuid());
    w.uuid("payerTagId", request.payer.uuid());
    w.amount("amount", request.money.amount);
    w.text("currency", request.money.currency.code());
    w.text_if("description", app.open(request.comment.as_ref()).as_deref());
    w.text("status", request.state.name());
    w.instant("expiresAt", request.expires_at);
    w.instant("createdAt", request.created_at);
    w.instant("updatedAt", request.updated_at);
}

fn write(app: &App, w: &mut Writer, request: &Request, payment: Option<&Payment>) {
    w.object(|w| {
        members(app, w, request);
        if let Some(payment) = payment {
            show::payment(app, w.name("transaction"), payment, true);
        }
    });
}

/// A request with the names that a payer decides by.
fn write_waiting(app: &App, w: &mut Writer, row: &RequestRow) {
    w.object(|w| {
        members(app, w, &row.request);
        w.text("merchantName", &row.merchant_name);
        w.text("payeeTag", &row.payee_address);
        w.text("payerTag", &row.payer_address);
    });
}

/// `GET /v1/payment-requests`: a page of what merchants ask of the caller's tags and is not overdue; newest first.
async fn waiting(State(app): State<App>, caller: Caller, query: Query) -> Result<Response, ApiError> {
    let page = paging::read(&query)?;
    let now = app.now();
    let paged = app.fresh_views().await?.payment_requests_waiting(caller.id(), now, &page).await?;
    Ok(envelope::success(StatusCode::OK, "Payment requests found", now, |w| {
        paging::write(w, &page, "createdAt", &paged, |w, row| write_waiting(&app, w, row));
    }))
}

/// Whose request it is, and which.
fn named(caller: &Caller, path: &Segment) -> (ApplicationId, Arc<str>) {
    (caller.id(), path.0.as_str().into())
}

/// `POST /v1/payment-requests/{reference}/accept`: pays a merchant's request: an ordinary payment, booked at once. Only
/// the payer's application may.
async fn accept(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let (caller, reference) = named(&caller, &path);
    let (paid, at) = fresh(app.engine().submit(AcceptRequest { caller, reference }).await?)?;
    Ok(envelope::success(StatusCode::OK, "Payment request accepted", at, |w| {
        write(&app, w, &paid.request, Some(&paid.payment));
    }))
}

/// `POST /v1/payment-requests/{reference}/decline`: turns a merchant's request down. Only the payer's application may.
async fn decline(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let (caller, reference) = named(&caller, &path);
    let (request, at) = fresh(app.engine().submit(DeclineRequest { caller, reference }).await?)?;
    Ok(envelope::success(StatusCode::OK, "Payment request declined", at, |w| write(&app, w, &request, None)))
}
