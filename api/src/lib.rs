//! HTTP: thin handlers between clients and the ledger.
//!
//! A handler takes a request apart, authenticates, gives one command or asks one query, and writes the answer. It has no
//! rules of its own. [`http`] holds what all of them share, one folder per API the rest: [`idaas`] (tag payments),
//! [`operator`] (running it), [`audit`] (looking at its history). [`router`] joins them; [`serve`] puts them on a listener.

mod app;
pub mod audit;
pub mod courier;
mod forward;
mod health;
pub mod http;
pub mod idaas;
pub mod jose;
mod linger;
mod measure;
pub mod merchant;
mod openapi;
pub mod operator;
mod pages;
mod serve;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::Request;
use axum::http::Method;

pub use app::{App, Settings, VIEW_PATIENCE};
pub use serve::{Entrance, Limits, Peer, serve};

use http::edge::EdgeLayer;
use http::error::{ApiError, Code};

/// All routes of the server.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .merge(health::routes())
        .merge(measure::routes())
        .merge(pages::routes(&app))
        .merge(idaas::keys::well_known())
        .merge(idaas::routes())
        .merge(health::actuator())
        .nest("/v2", merchant::routes())
        .nest("/operator/v1", operator::routes())
        .nest("/audit/v1", audit::routes(&app));
    joined(app, routes)
}

/// Routes with everything around them that each request of the server passes.
pub fn joined(app: App, routes: Router<App>) -> Router {
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(EdgeLayer(app.clone()))
        .with_state(app)
}

pub(crate) async fn not_found(_: Request) -> ApiError {
    Code::NotFound.into()
}

pub(crate) async fn method_not_allowed(_: Method) -> ApiError {
    Code::MethodNotAllowed.into()
}
