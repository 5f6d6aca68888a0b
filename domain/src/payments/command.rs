//! Commands on payments and wallets.

use std::sync::Arc;

use crate::event::Idempotency;
use crate::identity::TagQuery;
use crate::ids::{ApplicationId, Reference};
use crate::money::{Currency, Money};

/// Initiates a payment (`idaas.md` 9.3).
#[derive(Clone)]
pub struct InitiateTransfer {
    /// Who asks.
    pub caller: ApplicationId,
    /// By whom.
    pub sender: TagQuery,
    /// To whom.
    pub receiver: TagQuery,
    /// How much; above zero.
    pub money: Money,
    /// What for, at most 500 characters.
    pub narration: Option<Arc<str>>,
    /// Where the sender wants to hear of the outcome.
    pub callback_url: Option<Arc<str>>,
    /// The key under which it may be repeated.
    pub idempotency: Option<Idempotency>,
}

/// Accepts an open payment (`idaas.md` 9.4).
#[derive(Debug, Clone)]
pub struct Accept {
    /// Who asks; must be the receiver.
    pub caller: ApplicationId,
    /// Which payment.
    pub reference: Reference,
}

/// Rejects an open payment (`idaas.md` 9.5).
#[derive(Clone)]
pub struct Reject {
    /// Who asks; must be the receiver.
    pub caller: ApplicationId,
    /// Which payment.
    pub reference: Reference,
    /// Why, at most 500 characters.
    pub reason: Option<Arc<str>>,
}

/// Ends a payment whose time is up (`idaas.md` 9.7). Given by the expiry clock.
#[derive(Debug, Clone)]
pub struct Expire {
    /// Which payment.
    pub reference: Reference,
}

/// Makes the caller's wallet if it is missing (`idaas.md` 11).
#[derive(Debug, Clone)]
pub struct ProvisionWallet {
    /// Who asks.
    pub caller: ApplicationId,
    /// In which currency.
    pub currency: Currency,
}
