//! The record format: the canonical bytes of an event (`operations.md` 5.1).
//!
//! Canonical bytes are the RFC 8785 JSON of one flat object whose members stand in sorted order:
//! `actor, command_id, entity, id, idempotency?, kind, payload, position, postings?, recorded_at, version`.
//! There is exactly one spelling of an event. [`encode`] writes it, and [`decode`] refuses every other, so unknown
//! members, other orders, spaces and escapes are all errors: the envelope and the frequent payloads are read by methods
//! that know one spelling only, and any other payload is written again and compared.
//!
//! Writing a record is the hottest code of the engine, so the envelope is written by hand into the caller's buffer.

mod decode;
mod encode;
mod export;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod tests;

pub use decode::{decode, decode_trusted};
pub use encode::encode;
pub use export::{ExportError, parse_line, write_line};

use flexledger_domain::books::JournalError;
use flexledger_domain::event::EventError;

/// Why an event cannot be written, or bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The payload cannot be written; a personal text is not sealed.
    #[error("the payload cannot be written")]
    Payload(#[source] serde_json::Error),
    /// The bytes are no UTF-8.
    #[error("the record is not UTF-8")]
    Utf8,
    /// The envelope breaks the format. Names the member that was expected.
    #[error("the record is malformed at `{member}`, byte {at}")]
    Malformed {
        /// The member that was expected or is wrong.
        member: &'static str,
        /// Where in the bytes.
        at: usize,
    },
    /// The postings make no journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Kind, version, entity, payload and postings make no event. The text leaves the reason to the source, which may
    /// quote the payload.
    #[error("the record is no event that this program knows")]
    Event(#[from] EventError),
    /// The bytes can be read but are not the one canonical spelling of what they say.
    #[error("the record is not in canonical form")]
    NotCanonical,
}
