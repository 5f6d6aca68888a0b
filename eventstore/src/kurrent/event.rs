//! Records as events of KurrentDB, and back.
//!
//! The data of an event are the canonical bytes, unchanged; its type is the kind; position `p` is revision `p - 1`.
//! Its metadata hold the chain hash, and two members by which KurrentDB's own tools follow a payment:
//! `$correlationId` is the entity and `$causationId` the command.
//!
//! The id of an event is made up for each attempt to write it, and by no rule. KurrentDB answers "stored" to an append
//! whose ids and revision are those of an earlier one, without a look at the bytes: with ids that mean something, a
//! writer that was deposed could be told that its event stands where another's does.

use bytes::Bytes;
use flexledger_domain::Position;
use kurrentdb::{EventData, RecordedEvent};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::port::{Record, StoreError};

/// The type of an event whose bytes name no kind.
const KIND_UNKNOWN: &str = "event";
/// What an event may cost on the wire and in the server's index beyond what is counted.
const OVERHEAD_BYTES: usize = 64;

/// What the adapter reads of canonical bytes.
#[derive(Deserialize)]
struct Envelope<'a> {
    command_id: &'a str,
    entity: &'a str,
    kind: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Metadata<'a> {
    #[serde(rename = "$correlationId", skip_serializing_if = "Option::is_none", borrow)]
    correlation: Option<&'a str>,
    #[serde(rename = "$causationId", skip_serializing_if = "Option::is_none", borrow)]
    causation: Option<&'a str>,
    #[serde(borrow)]
    hash: &'a str,
}

/// A record ready to be sent.
pub(super) struct Outgoing {
    /// The event.
    pub event: EventData,
    /// What it counts against the limit of an append.
    pub bytes: usize,
    /// The command that it comes from. None: from one of its own.
    pub command: Option<String>,
}

/// A record as an event.
pub(super) fn outgoing(record: &Record) -> Result<Outgoing, StoreError> {
    // Bytes that are no JSON text are stored as they are: the store does not judge.
    let json = serde_json::from_slice::<&RawValue>(&record.bytes).ok();
    let json = json.filter(|value| value.get().len() == record.bytes.len());
    let envelope = json.and_then(|value| serde_json::from_str::<Envelope>(value.get()).ok());
    let hash = record.hash.to_string();
    let metadata = Metadata {
        correlation: envelope.as_ref().map(|envelope| envelope.entity),
        causation: envelope.as_ref().map(|envelope| envelope.command_id),
        hash: &hash,
    };
    let metadata = serde_json::to_vec(&metadata).map_err(unwritable)?;
    let kind = envelope.as_ref().map_or(KIND_UNKNOWN, |envelope| envelope.kind);
    let bytes = record.bytes.len() + metadata.len() + 2 * kind.len() + OVERHEAD_BYTES;
    let event = match json {
        Some(value) => EventData::json(kind, &value).map_err(unwritable)?,
        None => EventData::binary(kind, Bytes::from(record.bytes.clone())),
    };
    let command = envelope.map(|envelope| envelope.command_id.to_owned());
    Ok(Outgoing { event: event.metadata(Bytes::from(metadata)), bytes, command })
}

/// An event of the stream as a record. A hash that is none is read as zeros, which no event has.
pub(super) fn record(event: &RecordedEvent) -> Record {
    let metadata = serde_json::from_slice::<Metadata>(&event.custom_metadata).ok();
    let hash = metadata.and_then(|metadata| metadata.hash.parse().ok()).unwrap_or_default();
    Record { position: position(event.revision), bytes: event.data.to_vec(), hash }
}

/// The position of the event at a revision.
pub(super) fn position(revision: u64) -> Position {
    Position::new(revision).next()
}

fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Unusable(format!("an event cannot be written: {error}"))
}
