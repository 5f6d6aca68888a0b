//! `/metrics`: the text format of Prometheus. What a scrape costs is paid by the scrape: the rest of the program only
//! counts.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::Response;
use axum::routing::get;

use crate::app::App;
use crate::http::metrics::{head, line};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(app): State<App>) -> Response {
    let mut out = String::with_capacity(32 << 10);
    engine(&app, &mut out);
    batches(&app, &mut out);
    views(&app, &mut out);
    app.metrics().write(&mut out);
    let mut response = Response::new(Body::from(out));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

fn engine(app: &App, out: &mut String) {
    let status = app.engine().status();
    let gauges = [
        ("flexledger_log_position", "Newest event of the log.", status.head.position.number()),
        (
            "flexledger_engine_queue",
            "Commands that wait to be decided.",
            u64::try_from(status.queue).unwrap_or(u64::MAX),
        ),
        ("flexledger_engine_epoch", "Term of the present writer.", status.epoch.0),
        ("flexledger_engine_writable", "1 while commands are taken.", u64::from(status.writable)),
        ("flexledger_engine_leads", "1 while this node writes.", u64::from(status.leads)),
        ("flexledger_ready", "1 once calls are answered.", u64::from(app.is_open())),
    ];
    for (name, about, value) in gauges {
        head(out, name, "gauge", about);
        line(out, name, "", value);
    }
}

/// Events per durable batch, and so per disk sync.
fn batches(app: &App, out: &mut String) {
    let name = "flexledger_batch_events";
    let sizes = app.engine().tail().sizes();
    head(out, name, "histogram", "Events per durable batch.");
    let mut count = 0;
    for (bound, batches) in sizes.buckets {
        count += batches;
        let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
        line(out, &format!("{name}_bucket"), &format!("le=\"{bound}\""), count);
    }
    line(out, &format!("{name}_sum"), "", sizes.events);
    line(out, &format!("{name}_count"), "", count);
}

fn views(app: &App, out: &mut String) {
    let end = app.engine().tail().head();
    let status = app.views().status();
    head(out, "flexledger_view_lag_events", "gauge", "Events that a view is behind the log.");
    for view in &status {
        line(out, "flexledger_view_lag_events", &format!("view=\"{}\"", view.name), end.after(view.position));
    }
    head(out, "flexledger_view_stopped", "gauge", "1 when a view met an event that it cannot apply.");
    for view in &status {
        line(out, "flexledger_view_stopped", &format!("view=\"{}\"", view.name), u64::from(view.stopped.is_some()));
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::world::World;

    #[tokio::test]
    async fn what_happens_is_measured() {
        let world = World::new().await;
        let (wallet, _) = world.pair().await;
        world.pay(&wallet, "1").await;
        let answer = world.get("/metrics", "").await;
        assert_eq!(answer.status, 200);
        for expected in [
            "flexledger_http_requests_total{method=\"POST\",route=\"/api/v1/transactions\",status=\"201\"} 1\n",
            "flexledger_engine_writable 1\n",
            "flexledger_view_lag_events{view=\"",
            "flexledger_batch_events_bucket{le=\"+Inf\"} ",
            "flexledger_webhook_attempts_total{outcome=\"failed\"} 0\n",
        ] {
            assert!(answer.text.contains(expected), "{expected} in {}", answer.text);
        }
        assert!(!answer.text.contains("walletapp"), "{}", answer.text);
    }
}
