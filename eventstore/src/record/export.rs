//! Lines of a `jsonl` export: the canonical members with `hash` and `leaf_hash` among them, RFC 8785 again.

use std::io::Write;

use flexledger_domain::Position;

use super::{RecordError, decode};
use crate::hash::{Hash, leaf_hash};
use crate::port::Record;

/// Where the two members belong in sorted order: `entity` < `hash` < `id`, and `kind` < `leaf_hash` < `payload`.
const BEFORE_ID: &[u8] = b",\"id\":\"";
const BEFORE_PAYLOAD: &[u8] = b",\"payload\":";

/// Why a line of an export cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The members `hash` or `leaf_hash` are missing or stand elsewhere.
    #[error("the line lacks `{0}` in its place")]
    Missing(&'static str),
    /// The rest of the line is no record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The leaf hash is not that of the event.
    #[error("the leaf hash of event {0} does not fit its bytes")]
    Leaf(Position),
}

/// Appends one line, without the line feed.
///
/// # Errors
/// [`ExportError::Missing`] when the record's bytes are not canonical.
pub fn write_line(record: &Record, out: &mut Vec<u8>) -> Result<(), ExportError> {
    let bytes = record.bytes.as_slice();
    let id = find(bytes, BEFORE_ID, 0).ok_or(ExportError::Missing("id"))?;
    let payload = payload_place(bytes, id)?;
    let (head, rest) = bytes.split_at_checked(id).ok_or(ExportError::Missing("id"))?;
    let (middle, tail) = rest.split_at_checked(payload - id).ok_or(ExportError::Missing("payload"))?;
    out.extend_from_slice(head);
    // Writing to a Vec cannot fail.
    let _ = write!(out, ",\"hash\":\"{}\"", record.hash);
    out.extend_from_slice(middle);
    let _ = write!(out, ",\"leaf_hash\":\"{}\"", leaf_hash(bytes));
    out.extend_from_slice(tail);
    Ok(())
}

/// Reads one line, without the line feed. The leaf hash is checked; the chain hash is for the caller to check.
///
/// # Errors
/// [`ExportError`] when the line is not exactly what [`write_line`] writes for some event.
pub fn parse_line(line: &[u8]) -> Result<Record, ExportError> {
    let mut bytes = line.to_vec();
    let at = find(&bytes, b",\"hash\":\"", 0).ok_or(ExportError::Missing("hash"))?;
    let hash = cut_hash(&mut bytes, at, b",\"hash\":\"").ok_or(ExportError::Missing("hash"))?;
    if find(&bytes, BEFORE_ID, 0) != Some(at) {
        return Err(ExportError::Missing("hash"));
    }
    // The leaf hash stands right before the payload, behind the kind.
    let leaf_at = leaf_place(&bytes, at)?;
    let leaf = cut_hash(&mut bytes, leaf_at, b",\"leaf_hash\":\"").ok_or(ExportError::Missing("leaf_hash"))?;
    let recorded = decode(&bytes)?;
    if leaf_hash(&bytes) != leaf {
        return Err(ExportError::Leaf(recorded.position));
    }
    Ok(Record { position: recorded.position, bytes, hash })
}

/// Behind the kind. The idempotency key before it is the only free text on the way; in it every quote is escaped, so
/// `,"kind":"` cannot occur there.
fn payload_place(bytes: &[u8], id: usize) -> Result<usize, ExportError> {
    let kind = find(bytes, b",\"kind\":\"", id).ok_or(ExportError::Missing("kind"))?;
    find(bytes, BEFORE_PAYLOAD, kind).ok_or(ExportError::Missing("payload"))
}

fn leaf_place(bytes: &[u8], id: usize) -> Result<usize, ExportError> {
    let kind = find(bytes, b",\"kind\":\"", id).ok_or(ExportError::Missing("kind"))?;
    find(bytes, b",\"leaf_hash\":\"", kind).ok_or(ExportError::Missing("leaf_hash"))
}

/// Takes `prefix`, 64 digits and a quote out of `bytes`.
fn cut_hash(bytes: &mut Vec<u8>, at: usize, prefix: &[u8]) -> Option<Hash> {
    let from = at + prefix.len();
    let digits = bytes.get(from..from + 64)?;
    let hash = std::str::from_utf8(digits).ok()?.parse().ok()?;
    if bytes.get(from + 64) != Some(&b'"') {
        return None;
    }
    bytes.drain(at..from + 65);
    Some(hash)
}

fn find(bytes: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(needle.len()).position(|window| window == needle).map(|at| at + from)
}
