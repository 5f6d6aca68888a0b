//! One event as auditors and operators see it (`operations.md` 4, E).

use flexledger_eventstore::hash::leaf_hash;
use flexledger_eventstore::record::RecordError;
use flexledger_eventstore::{Record, record};
use serde_json::{Map, Value};

/// The document of one event. The idempotency key of the client is not part of it.
///
/// # Errors
/// [`RecordError`] when the bytes are no record.
pub fn event(stored: &Record) -> Result<Map<String, Value>, RecordError> {
    record::decode(&stored.bytes)?;
    let mut document: Map<String, Value> = serde_json::from_slice(&stored.bytes).map_err(RecordError::Payload)?;
    document.remove("idempotency");
    document.entry("postings").or_insert_with(|| Value::Array(Vec::new()));
    document.insert("leaf_hash".to_owned(), leaf_hash(&stored.bytes).to_string().into());
    document.insert("hash".to_owned(), stored.hash.to_string().into());
    Ok(document)
}
