//! Commands on deliveries.

use std::sync::Arc;

use crate::ids::{Reference, WebhookId};
use crate::payments::Direction;
use crate::time::Instant;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target answered with 2xx in time.
    Delivered,
    /// It did not. Holds the reason, for example `HTTP 503`.
    Failed(Arc<str>),
}

/// Reports an attempt to deliver a webhook. Given by whoever sent it. An attempt that is recorded already, or does
/// not follow the last one, changes nothing.
#[derive(Debug, Clone)]
pub struct RecordAttempt {
    /// Which record.
    pub webhook: WebhookId,
    /// The payment it tells of.
    pub transaction: Reference,
    /// Which of the payment's two records it is.
    pub direction: Direction,
    /// Which attempt; the first is 1.
    pub attempt: u8,
    /// When it began.
    pub at: Instant,
    /// How it ended.
    pub outcome: Outcome,
}
