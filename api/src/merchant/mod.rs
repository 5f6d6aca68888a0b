//! The merchant's side of payment requests (`idaas.md` 19), under `/v2/merchant`: key headers instead of tokens, names
//! in Pascal case, no envelope.

mod auth;
mod show;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use flexledger_commands::Answer;
use flexledger_domain::Span;
use flexledger_domain::identity::TagQuery;
use flexledger_domain::ids::MerchantId;
use flexledger_domain::merchants::{CancelRequest, CreateRequest, POINTS, RequestState};
use flexledger_domain::money::{Amount, Currency, Money};
use flexledger_domain::payments::SCALE;
use flexledger_projections::{Ambiguous, RequestRow, Views};

use crate::app::App;
use crate::http::body::PublicBody;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::fields::Fields;
use crate::http::path::Segment;
use crate::http::query::Query;
use crate::http::write::Writer;

use auth::{Located, Merchant};

/// The largest amount of a request, in smallest units: 999,999,999 whole ones.
const MOST: Amount = Amount::from_minor(999_999_999 * 10_000);
/// Minutes that a request can be paid within, unless said otherwise.
const USUAL_MINUTES: u64 = 30;
/// Minutes at least and at most.
const MINUTES: std::ops::RangeInclusive<u64> = 2..=525_600;
/// Requests on one page, unless said otherwise.
const USUAL_LIMIT: u32 = 20;
/// Larger limits are cut down to it.
const LARGEST_LIMIT: u32 = 100;
/// A reference that would hide a route.
const RESERVED: &str = "resolve-paytag";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/merchant/payment-request", get(list).post(create))
        .route("/merchant/payment-request/resolve-paytag", get(resolve))
        .route("/merchant/payment-request/{reference}", get(read))
        .route("/merchant/payment-request/{reference}/cancel", post(cancel))
}

fn shown(app: &App, row: &RequestRow) -> Response {
    let mut writer = Writer::with_capacity(1024);
    show::request(app, &mut writer, row);
    envelope::json(StatusCode::OK, writer)
}

/// `POST /v2/merchant/payment-request`: asks a payer for money. 200.
async fn create(State(app): State<App>, caller: Located, PublicBody(body): PublicBody) -> Result<Response, ApiError> {
    let merchant = caller.0;
    let command = read_request(merchant.id, &body)?;
    // Read before the command, so that nothing but the log stands between the command and its answer.
    let views = app.fresh_views().await?;
    let payer = views.resolve_tag(&command.payer).await?.unwrap_or_default();
    let payee = views.tag(merchant.tag).await?;
    let done = app.engine().submit(command).await?;
    let (Answer::Fresh(request), Some(payer), Some(payee)) = (done.answer, payer, payee) else {
        return Err(Code::Unavailable.into());
    };
    let row = RequestRow {
        request,
        payee_address: payee.address,
        merchant_name: merchant.name.clone(),
        payer_address: payer.address,
        payer_name: payer.owner.display_name,
    };
    Ok(shown(&app, &row))
}

fn read_request(merchant: MerchantId, body: &[u8]) -> Result<CreateRequest, ApiError> {
    let mut fields = Fields::parse(body)?;
    let payer = fields.required_tag("payer");
    let amount = fields.required_amount("amount");
    if amount.is_some_and(|amount| amount > MOST) {
        fields.problem("amount", "must be at most 999999999");
    }
    let reference: Option<Arc<str>> = fields.optional_text("reference", 100).map(|text| text.trim().into());
    if reference.as_ref().is_some_and(|text| text.is_empty() || **text == *RESERVED) {
        fields.problem("reference", "must not be blank or a reserved word");
    }
    let comment = fields.optional_text("comment", 250).map(Into::into);
    let currency = fields.optional_text("currency", 255).unwrap_or("NGN".into());
    let currency = ["NGN", POINTS].contains(&&*currency).then(|| Currency::new(&currency, SCALE).ok()).flatten();
    if currency.is_none() {
        fields.problem("currency", "must be NGN or FP");
    }
    let minutes = fields.optional_count("duration", &MINUTES).unwrap_or(USUAL_MINUTES);
    let metadata = fields.optional_object("metadata").map(Into::into);
    fields.finish()?;
    let (Some(payer), Some(amount), Some(currency)) = (payer, amount, currency) else {
        return Err(Code::Invalid.into());
    };
    let duration = Span::from_micros(i64::try_from(minutes.saturating_mul(60_000_000)).unwrap_or(i64::MAX));
    Ok(CreateRequest { merchant, payer, money: Money { amount, currency }, reference, comment, metadata, duration })
}

/// A number in the query.
fn number(query: &Query, name: &str, usual: u32, good: std::ops::RangeInclusive<u32>) -> Result<u32, ApiError> {
    let Some(text) = query.first(name) else { return Ok(usual) };
    let digits = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    digits
        .filter(|number| good.contains(number))
        .ok_or_else(|| ApiError::invalid(format!("{name} must be a number from {} to {}", good.start(), good.end())))
}

/// `GET /v2/merchant/payment-request?limit=&offset=&status=`: the caller's requests, newest first. `count` is how many
/// there are in all.
async fn list(State(app): State<App>, caller: Located, query: Query) -> Result<Response, ApiError> {
    let limit = number(&query, "limit", USUAL_LIMIT, 1..=u32::MAX)?.min(LARGEST_LIMIT);
    let offset = number(&query, "offset", 0, 0..=u32::MAX)?;
    let state = match query.first("status").filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(RequestState::from_name(text).ok_or_else(|| ApiError::invalid("status is unknown"))?),
    };
    let views = app.fresh_views().await?;
    let paged = views.payment_requests(caller.0.id, state, limit, offset.into()).await?;
    let mut writer = Writer::with_capacity(4096);
    writer.object(|w| {
        w.name("items").array(&paged.items, |w, row| show::request(&app, w, row));
        w.count("count", paged.total);
        w.count("limit", limit);
        w.count("offset", offset);
    });
    Ok(envelope::json(StatusCode::OK, writer))
}

async fn own(views: &Views, merchant: MerchantId, reference: &str) -> Result<RequestRow, ApiError> {
    views.payment_request_of(merchant, reference).await?.ok_or_else(|| not_found("Payment request not found"))
}

fn not_found(what: &str) -> ApiError {
    ApiError { errors: vec![what.to_owned()], ..Code::NotFound.into() }
}

/// `GET /v2/merchant/payment-request/{reference}`: one of the caller's requests.
async fn read(State(app): State<App>, caller: Located, path: Segment) -> Result<Response, ApiError> {
    let row = own(app.fresh_views().await?, caller.0.id, &path.0).await?;
    Ok(shown(&app, &row))
}

/// `POST /v2/merchant/payment-request/{reference}/cancel`: takes a request back, while it is pending.
async fn cancel(State(app): State<App>, caller: Located, path: Segment) -> Result<Response, ApiError> {
    let command = CancelRequest { merchant: caller.0.id, reference: path.0.as_str().into() };
    let done = app.engine().submit(command).await?;
    let row = own(app.views_at(done.position).await?, caller.0.id, &path.0).await?;
    Ok(shown(&app, &row))
}

/// `GET /v2/merchant/payment-request/resolve-paytag?tag=`: who would be asked. Needs no location.
async fn resolve(State(app): State<App>, _: Merchant, query: Query) -> Result<Response, ApiError> {
    let text = query.first("tag").filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| ApiError::invalid("tag is required"))?;
    let tag = TagQuery::parse(text).map_err(|_| Code::TagNotFound)?;
    let row = match app.fresh_views().await?.resolve_tag(&tag).await? {
        Ok(row) => row.filter(|row| row.active).ok_or(Code::TagNotFound)?,
        Err(Ambiguous(addresses)) => return Err(ApiError { errors: addresses, ..ApiError::new(Code::Ambiguous) }),
    };
    let name = app.open(row.owner.display_name.as_ref()).unwrap_or_else(|| row.address.clone());
    let mut writer = Writer::with_capacity(128);
    writer.object(|w| {
        w.text("Name", &name);
        w.text("Tag", &row.address);
    });
    Ok(envelope::json(StatusCode::OK, writer))
}
