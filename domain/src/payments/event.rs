//! Events of payments and wallets. Field names stand in sorted order: it is the order in the log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::books::Journal;
use crate::event::{Body, EventError, events, plain_body};
use crate::identity::Address;
use crate::ids::{ApplicationId, Reference, TransactionId, WalletId, WebhookId};
use crate::money::Money;
use crate::personal::Personal;
use crate::time::{Date, Instant};

/// One side of a payment, fixed at initiation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The application that acts for the tag.
    pub application: ApplicationId,
    /// The tag's address.
    pub tag: Address,
}

/// A webhook that is owed: its record is part of the event that caused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// The record's id.
    pub id: WebhookId,
    /// Where it goes, fixed now.
    pub url: Arc<str>,
}

/// A payment was initiated (`idaas.md` 9.3). Nothing is booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initiated {
    /// Where the sender wants to hear of the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<Arc<str>>,
    /// Until when it can be accepted.
    pub expires_at: Instant,
    /// Its id.
    pub id: TransactionId,
    /// How much.
    pub money: Money,
    /// What for. Belongs to the subject of the sender's tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narration: Option<Personal>,
    /// To whom.
    pub receiver: Party,
    /// What the receiver is told, if it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_webhook: Option<Webhook>,
    /// By whom.
    pub sender: Party,
}

/// A payment was accepted and booked: the sender's wallet debited, the receiver's credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The postings: a debit, then a credit.
    pub journal: Journal,
    /// What the sender is told, if it can be.
    pub sender_webhook: Option<Webhook>,
    /// The settlement date of both entries.
    pub settlement_date: Date,
}

#[derive(Serialize, Deserialize)]
struct AcceptedWire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender_webhook: Option<Webhook>,
    settlement_date: Date,
}

impl Body for Accepted {
    fn journal(&self) -> Option<&Journal> {
        Some(&self.journal)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let wire = AcceptedWire { sender_webhook: self.sender_webhook.clone(), settlement_date: self.settlement_date };
        serde_json::to_writer(out, &wire)
    }

    fn read(kind: &'static str, payload: &str, journal: Option<Journal>) -> Result<Self, EventError> {
        let journal = journal.ok_or(EventError::Postings(kind))?;
        let wire: AcceptedWire = serde_json::from_str(payload).map_err(|error| EventError::Payload(kind, error))?;
        Ok(Accepted { journal, sender_webhook: wire.sender_webhook, settlement_date: wire.settlement_date })
    }
}

/// A payment was rejected. Nothing is booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Why. Belongs to the subject of the receiver's tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal>,
    /// What the sender is told, if it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_webhook: Option<Webhook>,
}

/// A payment was not accepted in time. Nothing is booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// What the sender is told, if it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_webhook: Option<Webhook>,
}

/// An application got an account in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletProvisioned {
    /// Whose.
    pub application: ApplicationId,
    /// The currency code.
    pub currency: String,
}

plain_body! {
    Initiated personal narration;
    Rejected personal reason;
    Expired;
    WalletProvisioned;
}

events! {
    /// What happens to payments and wallets.
    PaymentEvent {
        /// A payment waits for acceptance.
        Initiated(Transaction Reference, Initiated) = "transaction.initiated";
        /// A payment is booked.
        Accepted(Transaction Reference, Accepted) = "transaction.accepted";
        /// A payment was turned down.
        Rejected(Transaction Reference, Rejected) = "transaction.rejected";
        /// A payment lapsed.
        Expired(Transaction Reference, Expired) = "transaction.expired";
        /// A wallet was made.
        WalletProvisioned(Wallet WalletId, WalletProvisioned) = "wallet.provisioned";
    }
}
