//! The signed head, and proofs over the Merkle tree (RFC 6962) of the log.

use axum::extract::State;
use axum::response::Response;
use flexledger_domain::Position;
use flexledger_eventstore::hash::leaf_hash;
use flexledger_eventstore::note::HeadSigner;
use flexledger_eventstore::{Hash, Record, record};
use serde_json::json;

use super::{Reader, beyond, document, number, unreadable};
use crate::app::App;
use crate::http::error::{ApiError, Code};
use crate::http::path::Segment;
use crate::http::query::Query;

/// `GET /audit/v1/head`: the end of the log, signed.
pub(super) async fn head(State(app): State<App>, reader: Reader) -> Result<Response, ApiError> {
    let end = reader.end;
    let store = app.engine().store();
    let root = app.trees().at(&app, end.position).await?.root(store.as_ref(), end.position.number()).await?;
    let ledger = app.ledger().await.map_err(|error| unreadable(&error))?;
    let seed = app.vault().platform().head_seed();
    let note = ledger.map(|ledger| HeadSigner::new(ledger, seed).sign(end.position, root));
    let newest = match end.position {
        Position::START => None,
        position => Some(stored(&app, position).await?),
    };
    let newest = newest.map(|newest| record::decode(&newest.bytes)).transpose().map_err(|_| damaged(end.position))?;
    document(&json!({
        "position": end.position.number(),
        "hash": end.hash.to_string(),
        "root": root.to_string(),
        "recorded_at": newest.map(|event| event.recorded_at.to_string()),
        "note": note,
    }))
}

/// `GET /audit/v1/proofs/events/{position}?at=`: that an event stands in the tree of the first `at` events.
pub(super) async fn inclusion(
    State(app): State<App>,
    reader: Reader,
    position: Segment,
    query: Query,
) -> Result<Response, ApiError> {
    let position = Position::new(number("position", &position.0)?);
    let at = place(&query, "at")?.unwrap_or(reader.end.position);
    if position == Position::START {
        return Err(ApiError::invalid("position must be 1 or more"));
    }
    if at > reader.end.position || position > at {
        return Err(beyond(format_args!("the log ends at {}, the tree at {at}", reader.end.position)));
    }
    let store = app.engine().store();
    let tree = app.trees().at(&app, at).await?;
    let path = tree.inclusion(store.as_ref(), position, at.number()).await?;
    let root = tree.root(store.as_ref(), at.number()).await?;
    let leaf = leaf_hash(&stored(&app, position).await?.bytes);
    document(&json!({
        "position": position.number(),
        "at": at.number(),
        "leaf_hash": leaf.to_string(),
        "root": root.to_string(),
        "path": texts(&path),
    }))
}

/// `GET /audit/v1/proofs/consistency?from=&to=`: that the log at `from` is the beginning of the log at `to`.
pub(super) async fn consistency(State(app): State<App>, reader: Reader, query: Query) -> Result<Response, ApiError> {
    let from = place(&query, "from")?.ok_or_else(|| ApiError::invalid("from is required"))?;
    let to = place(&query, "to")?.unwrap_or(reader.end.position);
    let end = reader.end.position;
    if from > end || to > end {
        return Err(beyond(format_args!("the log ends at {end}")));
    }
    if from > to {
        return Err(ApiError::invalid("from must not be beyond to"));
    }
    let store = app.engine().store().as_ref();
    let tree = app.trees().at(&app, to).await?;
    let path = tree.consistency(store, from.number(), to.number()).await?;
    let (from_root, to_root) = (tree.root(store, from.number()).await?, tree.root(store, to.number()).await?);
    document(&json!({
        "from": from.number(),
        "to": to.number(),
        "from_root": from_root.to_string(),
        "to_root": to_root.to_string(),
        "path": texts(&path),
    }))
}

fn place(query: &Query, name: &str) -> Result<Option<Position>, ApiError> {
    Ok(query.first(name).map(|text| number(name, text)).transpose()?.map(Position::new))
}

fn texts(path: &[Hash]) -> Vec<String> {
    path.iter().map(Hash::to_string).collect()
}

async fn stored(app: &App, position: Position) -> Result<Record, ApiError> {
    let read = app.engine().store().read(position.previous(), 1).await.map_err(|error| unreadable(&error))?;
    read.into_iter().find(|record| record.position == position).ok_or_else(|| damaged(position))
}

fn damaged(position: Position) -> ApiError {
    tracing::error!(position = position.number(), "api.event_damaged");
    Code::Internal.into()
}
