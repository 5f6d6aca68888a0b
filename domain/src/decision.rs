//! The shape of a decision: a command, the state and a few facts go in; events and an outcome, or a refusal, come out.

use crate::event::{Actor, Event, Idempotency};
use crate::ids::{Ids, Position};
use crate::ledger::Ledger;
use crate::time::{Instant, Span};
use crate::{access, consent, federation, identity, merchants, payments, settlement};

/// What a decision may know besides the state.
pub struct Context<'a> {
    /// The instant that the events will carry.
    pub now: Instant,
    /// Where the first event will stand.
    pub position: Position,
    /// Fresh identifiers.
    pub ids: &'a mut dyn Ids,
    /// What the operator configured.
    pub policy: &'a Policy,
}

/// The settings that decisions follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long a payment waits for acceptance (`transactions.acceptance_window`).
    pub acceptance_window: Span,
    /// How long a consent token and a federation challenge live (`consent.ttl`).
    pub consent_ttl: Span,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { acceptance_window: Span::from_seconds(24 * 3600), consent_ttl: Span::from_seconds(48 * 3600) }
    }
}

/// A request to change the ledger. Plain data; everything it needs was checked for form before.
pub trait Command: Send + 'static {
    /// What the caller is told when it is carried out.
    type Outcome: Send + 'static;

    /// Its name, as the audit shows it.
    const NAME: &'static str;

    /// Who gives it.
    fn actor(&self) -> Actor;

    /// The key under which it may be repeated.
    fn idempotency(&self) -> Option<&Idempotency> {
        None
    }

    /// Decides. Pure: the same arguments give the same decision.
    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Self::Outcome>;
}

/// The result of deciding one command.
#[derive(Debug)]
pub struct Decision<T> {
    /// What happened. A refusal may have events too: an overdue payment expires when it is touched.
    pub events: Vec<Event>,
    /// What the caller is told.
    pub outcome: Result<T, Refusal>,
}

impl<T> Decision<T> {
    /// The command is carried out with these events.
    pub fn accept<E: Into<Event>>(outcome: T, events: impl IntoIterator<Item = E>) -> Self {
        Decision { events: events.into_iter().map(Into::into).collect(), outcome: Ok(outcome) }
    }

    /// The command is carried out already; nothing happens.
    pub fn unchanged(outcome: T) -> Self {
        Decision { events: Vec::new(), outcome: Ok(outcome) }
    }

    /// The command is refused; nothing happens.
    pub fn refuse(refusal: impl Into<Refusal>) -> Self {
        Decision { events: Vec::new(), outcome: Err(refusal.into()) }
    }
}

/// Why a command is refused: the caller's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Applications, subjects, tags.
    #[error(transparent)]
    Identity(#[from] identity::Refusal),
    /// Payments and wallets.
    #[error(transparent)]
    Payment(#[from] payments::Refusal),
    /// Settlement.
    #[error(transparent)]
    Settlement(#[from] settlement::Refusal),
    /// Claims and consent.
    #[error(transparent)]
    Consent(#[from] consent::Refusal),
    /// Federation.
    #[error(transparent)]
    Federation(#[from] federation::Refusal),
    /// Merchants and their payment requests.
    #[error(transparent)]
    Merchant(#[from] merchants::Refusal),
    /// Auditors.
    #[error(transparent)]
    Access(#[from] access::Refusal),
}
