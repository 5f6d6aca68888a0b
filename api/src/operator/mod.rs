//! The operator's calls (`operations.md` 3), under `/operator/v1`.

mod auditors;
mod merchants;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use flexledger_commands::Role;

use crate::app::App;
use crate::http::auth::Operator;
use crate::http::envelope;
use crate::http::write::Writer;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/status", get(status)).merge(auditors::routes()).merge(merchants::routes())
}

/// `GET /operator/v1/status`: where the log, the views and the writer stand.
async fn status(State(app): State<App>, _: Operator) -> Response {
    let engine = app.engine().status();
    // Views that cannot be read have confirmed nothing.
    let reconciled = app.views().reconciled().await.ok().flatten();
    let mut writer = Writer::with_capacity(1024);
    writer.object(|w| {
        w.name("ledger").object(|w| {
            w.count("position", engine.head.position.number());
            w.display("hash", engine.head.hash);
            w.display("recorded_at", engine.recorded_at);
        });
        w.name("views").array(app.views().status(), |w, view| {
            w.object(|w| {
                w.text("name", view.name);
                w.count("position", view.position.number());
                w.count("lag", engine.head.position.after(view.position));
                w.text_if("stopped", view.stopped.as_deref());
            });
        });
        w.name("writer").object(|w| {
            w.count("epoch", engine.epoch.0);
            w.count("queue", u64::try_from(engine.queue).unwrap_or(u64::MAX));
            w.flag("writable", engine.writable && !app.settings().frozen);
            w.flag("leads", engine.leads);
            if let Role::Following(Some(leader)) = app.engine().role() {
                w.text("leader", leader.address.as_deref().unwrap_or(&leader.node));
            }
        });
        w.name("reconciled").object(|w| {
            w.count("position", reconciled.map_or(0, |(position, _)| position.number()));
            match reconciled {
                Some((_, at)) => w.display("at", at),
                None => w.name("at").raw("null"),
            };
        });
    });
    envelope::json(StatusCode::OK, writer)
}
