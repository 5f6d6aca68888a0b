//! One payment from end to end, and what changed between two moments.

use axum::extract::State;
use axum::response::Response;
use flexledger_replay::diff;
use flexledger_replay::explain;

use super::past::position;
use super::{Reader, document};
use crate::app::App;
use crate::http::error::{ApiError, Code};
use crate::http::path::Segment;
use crate::http::query::Query;

/// Events that one comparison may span; longer ones are the command line's.
const MOST_SPANNED: u64 = 200_000;

/// `GET /audit/v1/explain/{reference}`: everything about one payment.
pub(super) async fn explain(State(app): State<App>, reader: Reader, reference: Segment) -> Result<Response, ApiError> {
    let reference = reference.0.parse().map_err(|_| ApiError::new(Code::TransactionNotFound))?;
    let views = app.views_at(reader.end.position).await?;
    let store = app.engine().store().as_ref();
    document(&explain::explain(views, store, reference, reader.end.position).await?)
}

/// `GET /audit/v1/diff?from=T1&to=T2`: what changed after the one moment up to the other.
pub(super) async fn diff(State(app): State<App>, mut reader: Reader, query: Query) -> Result<Response, ApiError> {
    let moment = |name: &str| query.first(name).ok_or_else(|| ApiError::invalid(format!("{name} is required")));
    let from = position(&app, &mut reader, moment("from")?).await?;
    let to = position(&app, &mut reader, moment("to")?).await?;
    if from > to {
        return Err(ApiError::invalid("from must not be beyond to"));
    }
    if to.after(from) > MOST_SPANNED {
        return Err(ApiError::invalid(format!("from and to may span {MOST_SPANNED} events; use `flexledger diff`")));
    }
    let views = app.views_at(to).await?;
    document(&diff::diff(views, app.engine().store(), from, to).await?)
}
