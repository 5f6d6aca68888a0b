//! The tag-payment API (`idaas.md`), under `/api`. One file per group of calls; what they show is in [`show`].

mod admin;
mod applications;
mod auth;
mod claims;
mod consent;
mod federation;
pub(crate) mod keys;
mod payment_requests;
mod settlement;
pub mod show;
mod subjects;
mod tags;
mod transactions;
mod wallet;
mod webhooks;

use axum::Router;
use flexledger_domain::money::Currency;
use flexledger_domain::payments::SCALE;
use rand::Rng;
use uuid::Uuid;

use crate::app::App;
use crate::http::error::ApiError;

/// The currency where none is named.
const DEFAULT_CURRENCY: &str = "NGN";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .merge(admin::routes())
        .merge(applications::routes())
        .merge(auth::routes())
        .merge(claims::routes())
        .merge(consent::routes())
        .merge(federation::routes())
        .merge(keys::routes())
        .merge(payment_requests::routes())
        .merge(settlement::routes())
        .merge(subjects::routes())
        .merge(tags::routes())
        .merge(transactions::routes())
        .merge(wallet::routes())
        .merge(webhooks::routes())
}

/// Three capital letters.
fn read_currency(text: &str) -> Result<Currency, ApiError> {
    let letters = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    let currency = if letters { Currency::new(text, SCALE).ok() } else { None };
    currency.ok_or_else(|| ApiError::invalid("currency must be three capital letters"))
}

/// A fresh identifier.
fn fresh_uuid() -> Uuid {
    uuid::Builder::from_random_bytes(rand::rng().random()).into_uuid()
}
