//! What decisions need to know of payments: the open ones, and which wallets exist. A payment that is over leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Initiated, Party, PaymentEvent, Webhook};
use crate::ids::{ApplicationId, Position, Reference, TransactionId, WalletId};
use crate::money::{Currency, Money};
use crate::personal::Personal;
use crate::time::Instant;

/// The decimals of every IDaaS amount (`idaas.md` 1.1).
pub const SCALE: u8 = 4;

/// An open payment: what it takes to decide about it and to show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPayment {
    /// Its visible name.
    pub reference: Reference,
    /// Its id.
    pub id: TransactionId,
    /// By whom.
    pub sender: Party,
    /// To whom.
    pub receiver: Party,
    /// How much.
    pub money: Money,
    /// What for, sealed.
    pub narration: Option<Personal>,
    /// Where the sender wants to hear of the outcome.
    pub callback_url: Option<Arc<str>>,
    /// The webhook owed to the receiver.
    pub receiver_webhook: Option<Webhook>,
    /// Until when it can be accepted.
    pub expires_at: Instant,
    /// When it was initiated.
    pub created_at: Instant,
}

impl OpenPayment {
    fn new(reference: Reference, event: &Initiated, created_at: Instant) -> Self {
        OpenPayment {
            reference,
            id: event.id,
            sender: event.sender.clone(),
            receiver: event.receiver.clone(),
            money: event.money,
            narration: event.narration.clone(),
            callback_url: event.callback_url.clone(),
            receiver_webhook: event.receiver_webhook.clone(),
            expires_at: event.expires_at,
            created_at,
        }
    }

    /// The event that it began with.
    #[must_use]
    pub fn initiated(&self) -> Initiated {
        Initiated {
            callback_url: self.callback_url.clone(),
            expires_at: self.expires_at,
            id: self.id,
            money: self.money,
            narration: self.narration.clone(),
            receiver: self.receiver.clone(),
            receiver_webhook: self.receiver_webhook.clone(),
            sender: self.sender.clone(),
        }
    }
}

/// Open payments and existing wallets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Payments {
    open: BTreeMap<Position, OpenPayment>,
    deadlines: BTreeSet<(Instant, Position)>,
    wallets: BTreeMap<(ApplicationId, Currency), WalletId>,
}

impl Payments {
    /// An open payment by its reference.
    #[must_use]
    pub fn open(&self, reference: Reference) -> Option<&OpenPayment> {
        self.open.get(&reference.position()).filter(|payment| payment.reference == reference)
    }

    /// How many payments are open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Open payments whose time is up at `now`, the most overdue first.
    pub fn overdue(&self, now: Instant) -> impl Iterator<Item = Reference> {
        let past = self.deadlines.range(..=(now, Position::MAX));
        past.filter_map(|(_, position)| self.open.get(position)).map(|payment| payment.reference)
    }

    /// The wallet of an application in a currency.
    #[must_use]
    pub fn wallet(&self, application: ApplicationId, currency: Currency) -> Option<WalletId> {
        self.wallets.get(&(application, currency)).copied()
    }

    fn insert(&mut self, payment: OpenPayment) {
        let position = payment.reference.position();
        self.deadlines.insert((payment.expires_at, position));
        self.open.insert(position, payment);
    }

    fn remove(&mut self, reference: Reference) {
        if let Some(payment) = self.open.remove(&reference.position()) {
            self.deadlines.remove(&(payment.expires_at, reference.position()));
        }
    }

    pub(crate) fn evolve(&mut self, event: &PaymentEvent, at: Instant) {
        match event {
            PaymentEvent::Initiated(reference, body) => self.insert(OpenPayment::new(*reference, body, at)),
            PaymentEvent::Accepted(reference, _)
            | PaymentEvent::Rejected(reference, _)
            | PaymentEvent::Expired(reference, _) => self.remove(*reference),
            PaymentEvent::WalletProvisioned(id, body) => {
                if let Ok(currency) = Currency::new(&body.currency, SCALE) {
                    self.wallets.insert((body.application, currency), *id);
                }
            }
        }
    }
}
