//! A payment as it is shown: the same type whether it comes from a command or from a view.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Initiated, Webhook};
use crate::event::Recorded;
use crate::identity::Address;
use crate::ids::{ApplicationId, Reference, TransactionId, WebhookId};
use crate::money::Money;
use crate::personal::Personal;
use crate::time::Instant;

/// Where a payment stands (`idaas.md` 9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Open.
    AwaitingAcceptance,
    /// Booked.
    Completed,
    /// Turned down.
    Rejected,
    /// Lapsed.
    Expired,
}

impl Status {
    /// All states.
    pub const ALL: [Status; 4] = [Status::AwaitingAcceptance, Status::Completed, Status::Rejected, Status::Expired];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Status::AwaitingAcceptance => "AWAITING_ACCEPTANCE",
            Status::Completed => "COMPLETED",
            Status::Rejected => "REJECTED",
            Status::Expired => "EXPIRED",
        }
    }

    /// Reads the name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// One side of a payment with the name of its application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedParty {
    /// The application.
    pub application: ApplicationId,
    /// Its name.
    pub name: Arc<str>,
    /// The tag's address.
    pub tag: Address,
}

/// Whom a webhook tells (`idaas.md` 10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The receiving application, of the initiation.
    Receiver,
    /// The sending application, of the outcome.
    Sender,
}

impl Direction {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Direction::Receiver => "RECEIVER",
            Direction::Sender => "SENDER",
        }
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum DeliveryStatus {
    /// Owed.
    #[default]
    Pending,
    /// Answered with 2xx.
    Delivered,
    /// Given up.
    Failed,
}

impl DeliveryStatus {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DeliveryStatus::Pending => "PENDING",
            DeliveryStatus::Delivered => "DELIVERED",
            DeliveryStatus::Failed => "FAILED",
        }
    }
}

/// What has become of a delivery so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Delivery {
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Attempts made, 0 to 3.
    pub attempts: u8,
    /// What went wrong last.
    pub last_error: Option<Arc<str>>,
    /// When it was last tried.
    pub last_attempt_at: Option<Instant>,
    /// When it was delivered.
    pub delivered_at: Option<Instant>,
}

/// A webhook record (`idaas.md` 10.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRecord {
    /// Its id.
    pub id: WebhookId,
    /// The payment it tells of.
    pub transaction: TransactionId,
    /// The payment's reference.
    pub reference: Reference,
    /// The target application.
    pub application: ApplicationId,
    /// Its name.
    pub application_name: Arc<str>,
    /// Whom it tells.
    pub direction: Direction,
    /// Where it goes.
    pub url: Arc<str>,
    /// Which state of the payment it tells of.
    pub told: Status,
    /// What has become of it.
    pub delivery: Delivery,
    /// When it was made.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

/// A payment as it is shown (`idaas.md` 9.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: TransactionId,
    /// Its visible name.
    pub reference: Reference,
    /// By whom.
    pub sender: NamedParty,
    /// To whom.
    pub receiver: NamedParty,
    /// How much.
    pub money: Money,
    /// Where it stands.
    pub status: Status,
    /// What for.
    pub narration: Option<Personal>,
    /// Until when it can be accepted.
    pub expires_at: Instant,
    /// Why it was turned down.
    pub rejection_reason: Option<Personal>,
    /// When it was initiated.
    pub created_at: Instant,
    /// When it reached its present state.
    pub updated_at: Instant,
    /// Its webhook records, oldest first.
    pub webhooks: Vec<WebhookRecord>,
}

impl Payment {
    /// A payment as it was just initiated. `sender` and `receiver` are the names of the applications.
    #[must_use]
    pub fn initiated(
        reference: Reference,
        event: &Initiated,
        at: Instant,
        sender: Arc<str>,
        receiver: Arc<str>,
    ) -> Self {
        let named =
            |party: &super::Party, name| NamedParty { application: party.application, name, tag: party.tag.clone() };
        let mut payment = Payment {
            id: event.id,
            reference,
            sender: named(&event.sender, sender),
            receiver: named(&event.receiver, receiver),
            money: event.money,
            status: Status::AwaitingAcceptance,
            narration: event.narration.clone(),
            expires_at: event.expires_at,
            rejection_reason: None,
            created_at: at,
            updated_at: at,
            webhooks: Vec::new(),
        };
        if let Some(webhook) = &event.receiver_webhook {
            payment.owe(webhook, Direction::Receiver, Status::AwaitingAcceptance, at);
        }
        payment
    }

    /// The payment as the answer to its initiation showed it, made again from the events of that command.
    /// `name_of` gives the name of an application. `None` when the events are not those of an initiation.
    #[must_use]
    pub fn replayed(events: &[Recorded], name_of: impl Fn(ApplicationId) -> Arc<str>) -> Option<Self> {
        events.iter().find_map(|recorded| match &recorded.event {
            crate::event::Event::Payment(super::PaymentEvent::Initiated(reference, event)) => {
                let names = (name_of(event.sender.application), name_of(event.receiver.application));
                Some(Payment::initiated(*reference, event, recorded.recorded_at, names.0, names.1))
            }
            _ => None,
        })
    }

    /// Adds the record of a webhook that is owed.
    pub fn owe(&mut self, webhook: &Webhook, direction: Direction, told: Status, at: Instant) {
        let target = match direction {
            Direction::Receiver => &self.receiver,
            Direction::Sender => &self.sender,
        };
        self.webhooks.push(WebhookRecord {
            id: webhook.id,
            transaction: self.id,
            reference: self.reference,
            application: target.application,
            application_name: target.name.clone(),
            direction,
            url: webhook.url.clone(),
            told,
            delivery: Delivery::default(),
            created_at: at,
            updated_at: at,
        });
    }

    /// When the payment was booked.
    #[must_use]
    pub fn accepted_at(&self) -> Option<Instant> {
        (self.status == Status::Completed).then_some(self.updated_at)
    }

    /// When the payment was turned down.
    #[must_use]
    pub fn rejected_at(&self) -> Option<Instant> {
        (self.status == Status::Rejected).then_some(self.updated_at)
    }
}
