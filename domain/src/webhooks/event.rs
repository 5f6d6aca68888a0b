//! Events of deliveries. Field names stand in sorted order: it is the order in the log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{events, plain_body};
use crate::ids::{ApplicationId, Reference, WebhookId};
use crate::payments::Direction;
use crate::time::Instant;

/// An attempt failed; there will be another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailed {
    /// When the attempt began.
    pub at: Instant,
    /// Which attempt; the first is 1.
    pub attempt: u8,
    /// Which of the payment's two records it is.
    pub direction: Direction,
    /// What went wrong.
    pub error: Arc<str>,
    /// The payment it tells of.
    pub transaction: Reference,
}

/// The target answered with 2xx in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// When the attempt began.
    pub at: Instant,
    /// Which attempt; the first is 1.
    pub attempt: u8,
    /// Which of the payment's two records it is.
    pub direction: Direction,
    /// The payment it tells of.
    pub transaction: Reference,
}

/// The last attempt failed: the webhook is given up and kept for the target to find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The target.
    pub application: ApplicationId,
    /// When the attempt began.
    pub at: Instant,
    /// Which attempt; the first is 1.
    pub attempt: u8,
    /// Which of the payment's two records it is.
    pub direction: Direction,
    /// What went wrong.
    pub error: Arc<str>,
    /// The payment it tells of.
    pub transaction: Reference,
}

plain_body! {
    AttemptFailed;
    Delivered;
    Failed;
}

events! {
    /// What happens to webhook records after they were made.
    WebhookEvent {
        /// An attempt failed, and there will be another.
        AttemptFailed(Webhook WebhookId, AttemptFailed) = "webhook.attempt_failed";
        /// It was delivered.
        Delivered(Webhook WebhookId, Delivered) = "webhook.delivered";
        /// It was given up.
        Failed(Webhook WebhookId, Failed) = "webhook.failed";
    }
}
