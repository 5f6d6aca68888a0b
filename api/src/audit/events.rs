//! The events themselves.

use axum::extract::State;
use axum::response::Response;
use flexledger_domain::{Entity, Position};
use flexledger_eventstore::{Record, record};
use flexledger_replay::show;
use serde_json::{Map, Value, json};

use super::{Reader, beyond, document, number, unreadable};
use crate::app::App;
use crate::http::error::{ApiError, Code};
use crate::http::query::Query;

/// Events of a page that names no limit, and the most that one may name.
const USUAL_LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 1000;

/// Events that one request looks at in search of those that match; `next` goes on from there.
const LOOKED_AT: u64 = 16_384;
/// Events read at once.
const PORTION: usize = 1024;
/// Bytes of events in one answer, about; at least one event is given.
const MOST_BYTES: usize = 8 << 20;

/// What is asked for.
struct Wanted {
    from: Position,
    to: Position,
    limit: usize,
    entity: Option<Entity>,
    kind: Option<String>,
}

fn read(query: &Query, end: Position) -> Result<Wanted, ApiError> {
    let place = |name: &str| query.first(name).map(|text| number(name, text)).transpose();
    let from = Position::new(place("from")?.unwrap_or(1));
    let to = place("to")?.map_or(end, Position::new);
    let limit = match place("limit")?.map(usize::try_from) {
        None => USUAL_LIMIT,
        Some(Ok(limit)) if (1..=LARGEST_LIMIT).contains(&limit) => limit,
        Some(_) => return Err(ApiError::invalid(format!("limit must be 1 to {LARGEST_LIMIT}"))),
    };
    let entity = query.first("entity").map(|text| text.parse().map_err(|_| ApiError::invalid("entity is malformed")));
    let kind = query.first("kind");
    let good =
        |kind: &str| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'_'));
    if kind.is_some_and(|kind| !good(kind)) {
        return Err(ApiError::invalid("kind is malformed"));
    }
    if from == Position::START {
        return Err(ApiError::invalid("from must be 1 or more"));
    }
    if from > end || to > end {
        return Err(beyond(format_args!("the log ends at {end}")));
    }
    if from > to {
        return Err(ApiError::invalid("from must not be beyond to"));
    }
    Ok(Wanted { from, to, limit, entity: entity.transpose()?, kind: kind.map(str::to_owned) })
}

/// `GET /audit/v1/events`: events in order. A filter looks at a bounded number of events per request: a page may hold
/// fewer than its limit, or none, and still name a `next`.
pub(super) async fn list(State(app): State<App>, reader: Reader, query: Query) -> Result<Response, ApiError> {
    let wanted = read(&query, reader.end.position)?;
    let mut events: Vec<Map<String, Value>> = Vec::new();
    let mut bytes = 0;
    let mut seen = wanted.from.previous();
    let last = wanted.to.min(seen.plus(LOOKED_AT));
    let filtered = wanted.entity.is_some() || wanted.kind.is_some();
    'reading: while seen < last {
        let portion = if filtered { PORTION } else { wanted.limit.min(PORTION) };
        let missing = usize::try_from(last.after(seen)).unwrap_or(portion).min(portion);
        let records = app.engine().store().read(seen, missing).await.map_err(|error| unreadable(&error))?;
        if records.is_empty() {
            tracing::error!(position = seen.number(), "api.event_missing");
            return Err(Code::Internal.into());
        }
        for stored in &records {
            if events.len() == wanted.limit || (bytes > MOST_BYTES && !events.is_empty()) {
                break 'reading;
            }
            if matches(stored, &wanted)? {
                bytes += stored.bytes.len();
                events.push(show::event(stored).map_err(|_| damaged(stored))?);
            }
            seen = stored.position;
        }
    }
    let next = (seen < wanted.to).then(|| seen.next().number());
    document(&json!({ "events": events, "next": next }))
}

fn matches(stored: &Record, wanted: &Wanted) -> Result<bool, ApiError> {
    if wanted.entity.is_none() && wanted.kind.is_none() {
        return Ok(true);
    }
    let event = record::decode(&stored.bytes).map_err(|_| damaged(stored))?.event;
    let of_entity = wanted.entity.is_none_or(|entity| entity == event.entity());
    Ok(of_entity && wanted.kind.as_deref().is_none_or(|kind| kind == event.kind()))
}

fn damaged(stored: &Record) -> ApiError {
    tracing::error!(position = stored.position.number(), "api.event_damaged");
    Code::Internal.into()
}
