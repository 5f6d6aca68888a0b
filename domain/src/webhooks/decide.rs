//! Decisions on deliveries.

use std::sync::Arc;

use super::{ATTEMPTS, AttemptFailed, Delivered, Failed, LONGEST_ERROR, Outcome, Owed, RecordAttempt, WebhookEvent};
use crate::decision::{Command, Context, Decision};
use crate::event::Actor;
use crate::ledger::Ledger;
use crate::payments::DeliveryStatus;
use crate::time::Instant;

impl Command for RecordAttempt {
    /// Where the record stands afterwards; `None` when it is long final.
    type Outcome = Option<DeliveryStatus>;
    const NAME: &'static str = "RecordAttempt";

    fn actor(&self) -> Actor {
        Actor::System
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Self::Outcome> {
        let found = ledger.webhooks.record(self.transaction, self.direction).filter(|owed| owed.id == self.webhook);
        let Some(owed) = found else { return Decision::unchanged(None) };
        let next = owed.delivery.attempts.checked_add(1);
        if owed.delivery.status != DeliveryStatus::Pending || next != Some(self.attempt) {
            return Decision::unchanged(Some(owed.delivery.status));
        }
        let (status, event) = self.happened(owed, self.at.min(context.now));
        Decision::accept(Some(status), [event])
    }
}

impl RecordAttempt {
    fn happened(&self, owed: &Owed, at: Instant) -> (DeliveryStatus, WebhookEvent) {
        let &RecordAttempt { webhook, transaction, direction, attempt, .. } = self;
        match &self.outcome {
            Outcome::Delivered => {
                let body = Delivered { at, attempt, direction, transaction };
                (DeliveryStatus::Delivered, WebhookEvent::Delivered(webhook, body))
            }
            Outcome::Failed(error) if attempt < ATTEMPTS => {
                let body = AttemptFailed { at, attempt, direction, error: bounded(error), transaction };
                (DeliveryStatus::Pending, WebhookEvent::AttemptFailed(webhook, body))
            }
            Outcome::Failed(error) => {
                let (application, error) = (owed.application, bounded(error));
                let body = Failed { application, at, attempt, direction, error, transaction };
                (DeliveryStatus::Failed, WebhookEvent::Failed(webhook, body))
            }
        }
    }
}

/// The reason, cut to what is kept.
fn bounded(error: &Arc<str>) -> Arc<str> {
    match error.char_indices().nth(LONGEST_ERROR) {
        Some((end, _)) => error.get(..end).unwrap_or_default().into(),
        None => error.clone(),
    }
}
