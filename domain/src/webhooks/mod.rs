//! Deliveries of webhooks: what became of each record that a payment owes (`idaas.md` 10).
//!
//! The record itself is part of the event that caused it (see [`crate::payments::Webhook`]), so it is never missing
//! and never made twice. Here stands what happened to it since: `PENDING -> DELIVERED` (answered with 2xx),
//! `PENDING -> FAILED` (after [`ATTEMPTS`] failures); both are final. Sending is no part of it: whoever sent reports
//! the attempt with [`RecordAttempt`].
//!
//! Invariants: attempts are recorded in order, each once; a final record never changes. Memory: one entry of about 200
//! bytes per record that is pending, or whose payment is still open; what is sent is made again from the log.

mod command;
mod decide;
mod event;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Outcome, RecordAttempt};
pub use event::{AttemptFailed, Delivered, Failed, WebhookEvent};
pub use state::{Owed, Webhooks};

/// Attempts in all (`idaas.md` 10.5).
pub const ATTEMPTS: u8 = 3;

/// Characters of the reason of a failure that are kept.
pub const LONGEST_ERROR: usize = 200;
