//! Payments: initiate, accept, reject, read (`idaas.md` 9).

use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use flexledger_commands::transfer::{self, Answered};
use flexledger_domain::Idempotency;
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::money::Money;
use flexledger_domain::payments::{Accept, InitiateTransfer, Reject};
use flexledger_projections::Which;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{DEFAULT_CURRENCY, read_currency, show};
use crate::app::App;
use crate::http::auth::Caller;
use crate::http::body::JsonBody;
use crate::http::envelope::{self, REPLAYED};
use crate::http::error::{ApiError, Code};
use crate::http::fields::Fields;
use crate::http::paging;
use crate::http::path::Segment;
use crate::http::query::Query;

const INITIATED: &str = "Transaction initiated – awaiting acceptance by receiving application";
/// Characters of a key in the header.
const LONGEST_HEADER_KEY: usize = 128;
/// Characters of a key in the body.
const LONGEST_BODY_KEY: usize = 64;
/// Characters of a narration, a reason or a callback URL.
const LONGEST_TEXT: usize = 500;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/transactions", post(initiate))
        .route("/api/v1/transactions/sent", get(sent))
        .route("/api/v1/transactions/received", get(received))
        .route("/api/v1/transactions/pending", get(pending))
        .route("/api/v1/transactions/{reference}", get(read))
        .route("/api/v1/transactions/{reference}/accept", post(accept))
        .route("/api/v1/transactions/{reference}/reject", post(reject))
}

/// The `Idempotency-Key` header, if there is one.
struct KeyHeader(Option<HeaderValue>);

impl FromRequestParts<App> for KeyHeader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Ok(KeyHeader(parts.headers.get("idempotency-key").cloned()))
    }
}

/// `POST /v1/transactions`: initiates a payment. 201, also when it repeats an earlier answer.
async fn initiate(
    State(app): State<App>,
    caller: Caller,
    key: KeyHeader,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let command = read_initiation(&app, caller.id(), &key, &body)?;
    let answered = transfer::initiate(app.engine(), command, app.settings().strict_idempotency).await?;
    let mut response = shown(&app, StatusCode::CREATED, INITIATED, &answered);
    if answered.replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn read_initiation(
    app: &App,
    caller: ApplicationId,
    header: &KeyHeader,
    body: &[u8],
) -> Result<InitiateTransfer, ApiError> {
    let mut fields = Fields::parse(body)?;
    let sender = fields.required_tag("senderTag");
    let receiver = fields.required_tag("receiverTag");
    let amount = fields.required_amount("amount");
    let currency = fields.optional_text("currency", 255);
    let currency = read_currency(currency.as_deref().unwrap_or(DEFAULT_CURRENCY));
    if currency.is_err() {
        fields.problem("currency", "must be three capital letters");
    }
    let narration = fields.optional_text("narration", LONGEST_TEXT).map(Into::into);
    let callback_url = fields.optional_url("callbackUrl", LONGEST_TEXT, app.settings().allow_insecure);
    let key = read_key(header, &mut fields);
    fields.finish()?;
    let (Some(sender), Some(receiver), Some(amount), Ok(currency)) = (sender, receiver, amount, currency) else {
        return Err(Code::Invalid.into());
    };
    let mut command = InitiateTransfer {
        caller,
        sender,
        receiver,
        money: Money { amount, currency },
        narration,
        callback_url,
        idempotency: None,
    };
    command.idempotency = key.map(|key| Idempotency { fingerprint: fingerprint(app, &command), key });
    Ok(command)
}

/// The key of the header, else of the body (`idaas.md` 17, C-04). A blank one is refused rather than shared by chance.
fn read_key(header: &KeyHeader, fields: &mut Fields<'_>) -> Option<String> {
    let in_body = fields.optional_text("idempotencyKey", LONGEST_BODY_KEY).map(std::borrow::Cow::into_owned);
    let (name, key) = match &header.0 {
        None => ("idempotencyKey", in_body?),
        Some(value) => match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => ("Idempotency-Key", text.to_owned()),
            Err(_) => {
                fields.problem("Idempotency-Key", "must be UTF-8");
                return None;
            }
        },
    };
    if key.trim().is_empty() {
        fields.problem(name, "must not be blank");
    }
    if key.chars().count() > LONGEST_HEADER_KEY {
        fields.problem(name, format_args!("must be at most {LONGEST_HEADER_KEY} characters"));
    }
    Some(key)
}

/// What a repeat is compared with in strict mode. Keyed, so that nobody can guess an erased narration from the log.
fn fingerprint(app: &App, command: &InitiateTransfer) -> Option<String> {
    if !app.settings().strict_idempotency {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(app.vault().token_key()).ok()?;
    mac.update(b"flexledger/fingerprint/v1");
    let money = command.money.to_string();
    let parts = [
        &format!("{:?}", command.sender),
        &format!("{:?}", command.receiver),
        money.as_str(),
        command.narration.as_deref().unwrap_or("\0"),
        command.callback_url.as_deref().unwrap_or("\0"),
    ];
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part.as_bytes());
    }
    let digest = mac.finalize().into_bytes();
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn shown(app: &App, status: StatusCode, message: &str, answered: &Answered) -> Response {
    envelope::success(status, message, answered.at, |w| show::payment(app, w, &answered.payment, true))
}

/// `POST /v1/transactions/{reference}/accept`: books a payment. Only its receiver may.
async fn accept(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let command = Accept { caller: caller.id(), reference: path.reference()? };
    let answered = transfer::accept(app.engine(), command).await?;
    Ok(shown(&app, StatusCode::OK, "Transaction accepted", &answered))
}

/// `POST /v1/transactions/{reference}/reject`: turns a payment down. Only its receiver may.
async fn reject(
    State(app): State<App>,
    caller: Caller,
    path: Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let mut fields = if body.is_empty() { Fields::default() } else { Fields::parse(&body)? };
    let reason = fields.optional_text("reason", LONGEST_TEXT).map(Into::into);
    fields.finish()?;
    let command = Reject { caller: caller.id(), reference: path.reference()?, reason };
    let answered = transfer::reject(app.engine(), command).await?;
    Ok(shown(&app, StatusCode::OK, "Transaction rejected", &answered))
}

/// `GET /v1/transactions/{reference}`: one payment, for its two applications.
async fn read(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let reference = path.reference()?;
    let payment = app.fresh_views().await?.payment(reference).await?.ok_or(Code::TransactionNotFound)?;
    if ![payment.sender.application, payment.receiver.application].contains(&caller.id()) {
        return Err(Code::TransactionNotFound.into());
    }
    let message = "Transaction found";
    Ok(envelope::success(StatusCode::OK, message, app.now(), |w| show::payment(&app, w, &payment, true)))
}

/// `GET /v1/transactions/sent`: a page of what the caller's tags sent.
async fn sent(State(app): State<App>, caller: Caller, query: Query) -> Result<Response, ApiError> {
    list(&app, Which::Sent(caller.id()), &query).await
}

/// `GET /v1/transactions/received`: a page of what was sent to the caller's tags, in every state.
async fn received(State(app): State<App>, caller: Caller, query: Query) -> Result<Response, ApiError> {
    list(&app, Which::Received(caller.id()), &query).await
}

/// `GET /v1/transactions/pending`: a page of what waits for the caller's acceptance and is not overdue.
async fn pending(State(app): State<App>, caller: Caller, query: Query) -> Result<Response, ApiError> {
    list(&app, Which::Pending(caller.id(), app.now()), &query).await
}

async fn list(app: &App, which: Which, query: &Query) -> Result<Response, ApiError> {
    let page = paging::read(query)?;
    let paged = app.fresh_views().await?.payments(which, &page).await?;
    Ok(envelope::success(StatusCode::OK, "Transactions found", app.now(), |w| {
        paging::write(w, &page, "createdAt", &paged, |w, payment| show::payment(app, w, payment, false));
    }))
}
