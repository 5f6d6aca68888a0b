//! From a moment to a position that never changes again.
//!
//! The end of an instant is told by the node that leads: it makes what it has decided durable, and records nothing at or
//! before the instant any more (`Engine::close_past`). A node that follows passes such a request on to it, and answers by
//! itself only what later events, or [`CALM_SECONDS`], have settled. Who cannot tell answers 503.

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use flexledger_commands::Role;
use flexledger_domain::{Instant, Position, Span};
use flexledger_replay::moment::{Moment, MomentError};

use super::Reader;
use crate::app::App;
use crate::http::error::ApiError;
use crate::http::query::Query;

/// An append is given up long before: what was decided so long ago is durable, or never will be.
const CALM_SECONDS: u32 = 60;

/// Reads a moment and finds its position. For an instant the end of the log may be a newer one afterwards.
pub(super) async fn position(app: &App, reader: &mut Reader, text: &str) -> Result<Position, ApiError> {
    let (moment, now): (Moment, Instant) = (text.parse()?, app.now());
    if let Moment::Instant(instant) = moment {
        let newest = app.engine().status().recorded_at;
        if instant > now.max(newest) {
            return Err(MomentError::Future(instant).into());
        }
        if is_open(app, instant, now) {
            app.engine().close_past(instant).await?;
        }
        reader.renew(app.engine().status().head);
    }
    Ok(moment.position(app.engine().store().as_ref(), reader.end.position, now).await?)
}

/// Whether something recorded at or before an instant may still be on its way.
fn is_open(app: &App, instant: Instant, now: Instant) -> bool {
    if app.settings().frozen || instant < app.engine().status().recorded_at {
        return false;
    }
    app.engine().role() == Role::Leading || now.since(instant) < Span::from_seconds(CALM_SECONDS)
}

/// Whether only the leader can answer a request that came to a node that follows.
pub(super) async fn is_for_leader(app: &App, request: Request) -> (Request, bool) {
    if app.settings().frozen || app.engine().role() == Role::Leading {
        return (request, false);
    }
    let (mut parts, body) = request.into_parts();
    let now = app.now();
    let open = instants(&mut parts).await.into_iter().any(|instant| is_open(app, instant, now));
    (Request::from_parts(parts, body), open)
}

/// The instants that a request names. What cannot be read is for the handler to refuse.
async fn instants(parts: &mut Parts) -> Vec<Instant> {
    let path = RawPathParams::from_request_parts(parts, &()).await.ok();
    let query = Query::parse(parts.uri.query()).unwrap_or_default();
    let in_path = path.iter().flatten().filter(|(name, _)| *name == "moment").map(|(_, value)| value);
    let texts = in_path.chain(["from", "to"].into_iter().filter_map(|name| query.first(name)));
    let instant = |text: &str| match text.parse() {
        Ok(Moment::Instant(instant)) => Some(instant),
        _ => None,
    };
    texts.filter_map(instant).collect()
}
