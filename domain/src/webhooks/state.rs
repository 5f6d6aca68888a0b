//! What is known of deliveries: the records that are pending, and those of open payments.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{ATTEMPTS, WebhookEvent};
use crate::event::Recorded;
use crate::ids::{ApplicationId, Position, Reference, WebhookId};
use crate::payments::{Delivery, DeliveryStatus, Direction, PaymentEvent, Payments, Webhook};
use crate::time::Instant;

/// A record that is owed, or that was while its payment is still open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// Its id.
    pub id: WebhookId,
    /// The payment it tells of.
    pub transaction: Reference,
    /// Which of the payment's two records it is.
    pub direction: Direction,
    /// The target.
    pub application: ApplicationId,
    /// Where it goes.
    pub url: Arc<str>,
    /// The event that it tells of.
    pub cause: Position,
    /// The event that the webhook to the same target before this one told of; 0 for the first.
    pub previous: Position,
    /// What has become of it so far.
    pub delivery: Delivery,
    /// When it last changed, or was made.
    pub updated_at: Instant,
    /// Whether its payment is still open.
    awaited: bool,
}

/// A payment has at most one record of each direction.
type Key = (Position, Direction);

/// All records that matter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Webhooks {
    records: HashMap<Key, Owed>,
    /// The pending ones by their cause: the order in which they became owed.
    pending: BTreeMap<Position, Key>,
    /// The cause of the newest webhook to each target.
    newest: HashMap<ApplicationId, Position>,
}

impl Webhooks {
    /// A record that is pending, or whose payment is open.
    #[must_use]
    pub fn record(&self, transaction: Reference, direction: Direction) -> Option<&Owed> {
        let record = self.records.get(&(transaction.position(), direction));
        record.filter(|record| record.transaction == transaction)
    }

    /// The pending records whose cause stands after `cause`, in order of their causes.
    pub fn owed_after(&self, cause: Position) -> impl Iterator<Item = &Owed> {
        let later = self.pending.range((Bound::Excluded(cause), Bound::Unbounded));
        later.filter_map(|(_, key)| self.records.get(key))
    }

    /// How many records are pending.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// How many records are held, the final ones of open payments included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// Takes in what a payment event owes. `payments` is the state before that event.
    pub(crate) fn follow(&mut self, event: &PaymentEvent, recorded: &Recorded, payments: &Payments) {
        let (reference, webhook) = match event {
            PaymentEvent::Initiated(reference, body) => {
                if let Some(webhook) = &body.receiver_webhook {
                    let to = (Direction::Receiver, body.receiver.application);
                    self.owe(*reference, webhook, to, recorded);
                }
                return;
            }
            PaymentEvent::Accepted(reference, body) => (*reference, body.sender_webhook.as_ref()),
            PaymentEvent::Rejected(reference, body) => (*reference, body.sender_webhook.as_ref()),
            PaymentEvent::Expired(reference, body) => (*reference, body.sender_webhook.as_ref()),
            PaymentEvent::WalletProvisioned(..) => return,
        };
        self.over(reference);
        if let (Some(webhook), Some(open)) = (webhook, payments.open(reference)) {
            self.owe(reference, webhook, (Direction::Sender, open.sender.application), recorded);
        }
    }

    fn owe(
        &mut self,
        transaction: Reference,
        webhook: &Webhook,
        (direction, application): (Direction, ApplicationId),
        recorded: &Recorded,
    ) {
        let key = (transaction.position(), direction);
        let cause = recorded.position;
        let owed = Owed {
            id: webhook.id,
            transaction,
            direction,
            application,
            url: webhook.url.clone(),
            cause,
            previous: self.newest.insert(application, cause).unwrap_or(Position::START),
            delivery: Delivery::default(),
            updated_at: recorded.recorded_at,
            awaited: direction == Direction::Receiver,
        };
        self.records.insert(key, owed);
        self.pending.insert(cause, key);
    }

    /// The payment is over: its first record is of interest only while it is pending.
    fn over(&mut self, transaction: Reference) {
        let key = (transaction.position(), Direction::Receiver);
        if let Some(record) = self.records.get_mut(&key) {
            record.awaited = false;
            if record.delivery.status != DeliveryStatus::Pending {
                self.records.remove(&key);
            }
        }
    }

    pub(crate) fn evolve(&mut self, event: &WebhookEvent, at: Instant) {
        match event {
            WebhookEvent::AttemptFailed(_, body) => {
                let change = Change { status: DeliveryStatus::Pending, error: Some(&body.error), began: body.at, at };
                self.change((body.transaction.position(), body.direction), body.attempt, &change);
            }
            WebhookEvent::Delivered(_, body) => {
                let change = Change { status: DeliveryStatus::Delivered, error: None, began: body.at, at };
                self.change((body.transaction.position(), body.direction), body.attempt, &change);
            }
            WebhookEvent::Failed(_, body) => {
                let change = Change { status: DeliveryStatus::Failed, error: Some(&body.error), began: body.at, at };
                self.change((body.transaction.position(), body.direction), body.attempt, &change);
            }
        }
    }

    fn change(&mut self, key: Key, attempt: u8, change: &Change<'_>) {
        let Some(record) = self.records.get_mut(&key) else { return };
        let delivery = &mut record.delivery;
        delivery.attempts = attempt.min(ATTEMPTS);
        delivery.status = change.status;
        delivery.last_attempt_at = Some(change.began);
        if let Some(error) = change.error {
            delivery.last_error = Some(error.clone());
        }
        if change.status == DeliveryStatus::Delivered {
            delivery.delivered_at = Some(change.at);
        }
        record.updated_at = change.at;
        if change.status != DeliveryStatus::Pending {
            self.pending.remove(&record.cause);
            if !record.awaited {
                self.records.remove(&key);
            }
        }
    }
}

/// What one event does to a record.
struct Change<'a> {
    status: DeliveryStatus,
    error: Option<&'a Arc<str>>,
    began: Instant,
    at: Instant,
}
