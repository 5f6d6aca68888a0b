//! The caller's wallet and its statement (`idaas.md` 11). Without `?currency=` they are those of `NGN`.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use flexledger_domain::merchants::POINTS;
use flexledger_domain::money::Currency;
use flexledger_domain::payments::{ProvisionWallet, SCALE};

use super::{DEFAULT_CURRENCY, read_currency, show};
use crate::app::App;
use crate::http::auth::Caller;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::paging;
use crate::http::query::Query;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/api/v1/wallet", get(read).post(provision)).route("/api/v1/wallet/statement", get(statement))
}

/// Which of the caller's wallets is meant. Merchants' requests may have been paid in points.
fn currency(query: &Query) -> Result<Currency, ApiError> {
    match query.first("currency").unwrap_or(DEFAULT_CURRENCY) {
        POINTS => Currency::new(POINTS, SCALE).map_err(|_| Code::Invalid.into()),
        text => read_currency(text),
    }
}

/// `POST /v1/wallet`: the wallet, made if it is missing. Safe to repeat.
async fn provision(State(app): State<App>, caller: Caller, query: Query) -> Result<Response, ApiError> {
    let currency = currency(&query)?;
    let done = app.engine().submit(ProvisionWallet { caller: caller.id(), currency }).await?;
    let row = app.views_at(done.position).await?.wallet(caller.id(), currency).await?.ok_or(Code::WalletNotFound)?;
    Ok(envelope::success(StatusCode::OK, "Wallet ready", done.recorded_at, |w| show::wallet(w, &row)))
}

/// `GET /v1/wallet`: the wallet, once it was provisioned.
async fn read(State(app): State<App>, caller: Caller, query: Query) -> Result<Response, ApiError> {
    let currency = currency(&query)?;
    let row = app.fresh_views().await?.wallet(caller.id(), currency).await?.ok_or(Code::WalletNotFound)?;
    Ok(envelope::success(StatusCode::OK, "Wallet found", app.now(), |w| show::wallet(w, &row)))
}

/// `GET /v1/wallet/statement`: a page of entries, newest first.
async fn statement(State(app): State<App>, caller: Caller, query: Query) -> Result<Response, ApiError> {
    let (currency, page) = (currency(&query)?, paging::read(&query)?);
    let views = app.fresh_views().await?;
    if views.wallet(caller.id(), currency).await?.is_none() {
        return Err(Code::WalletNotFound.into());
    }
    let paged = views.statement(caller.id(), currency, &page).await?;
    Ok(envelope::success(StatusCode::OK, "Statement found", app.now(), |w| {
        paging::write(w, &page, "createdAt", &paged, show::entry);
    }))
}
