//! Whether the process lives and whether it is ready (`operations.md` 2, `idaas.md` 2.3).

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::Response;
use axum::routing::get;

use crate::app::App;
use crate::http::envelope;
use crate::http::error::RETRY_AFTER_SECONDS;
use crate::http::write::Writer;

/// How long the readiness of the views is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/health", get(health)).route("/ready", get(ready))
}

/// The routes of the payment API that show the state of the server.
pub(crate) fn actuator() -> Router<App> {
    Router::new().route("/api/actuator/health", get(actuator_health)).route("/api/actuator/info", get(info))
}

/// The answer of `/health`: 200 as soon as the process serves.
#[must_use]
pub fn alive() -> Response {
    status(StatusCode::OK, "UP")
}

/// The answer of everything that is not ready yet: 503.
#[must_use]
pub fn down() -> Response {
    status(StatusCode::SERVICE_UNAVAILABLE, "DOWN")
}

async fn health() -> Response {
    alive()
}

async fn ready(State(app): State<App>) -> Response {
    if is_ready(&app).await { alive() } else { down() }
}

/// Open, writable, and with views that keep up.
async fn is_ready(app: &App) -> bool {
    app.is_open()
        && app.engine().status().writable
        && app.views().caught_up(app.engine().tail().head(), Some(PATIENCE)).await.is_ok()
}

/// `GET /api/actuator/health`: the log and the views, each `UP` or `DOWN`.
async fn actuator_health(State(app): State<App>) -> Response {
    let log = app.engine().status().writable;
    let views = app.views().caught_up(app.engine().tail().head(), Some(PATIENCE)).await.is_ok();
    let word = |up: bool| if up { "UP" } else { "DOWN" };
    let mut writer = Writer::with_capacity(128);
    writer.object(|w| {
        w.text("status", word(log && views));
        w.name("components").object(|w| {
            w.name("log").object(|w| w.text("status", word(log)));
            w.name("views").object(|w| w.text("status", word(views)));
        });
    });
    let code = if log && views { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    retry(envelope::json(code, writer))
}

/// `GET /api/actuator/info`: name and version of the program.
async fn info() -> Response {
    let mut writer = Writer::with_capacity(128);
    writer.object(|w| {
        w.name("app").object(|w| {
            w.text("name", "flexledger");
            w.text("version", env!("CARGO_PKG_VERSION"));
        });
    });
    envelope::json(StatusCode::OK, writer)
}

fn status(code: StatusCode, word: &str) -> Response {
    let mut writer = Writer::with_capacity(32);
    writer.object(|w| w.text("status", word));
    retry(envelope::json(code, writer))
}

fn retry(mut response: Response) -> Response {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    }
    response
}
