//! The whole state that decisions are made on: the fold of the log.

use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::books::Books;
use crate::consent::Consent;
use crate::event::{Event, Recorded};
use crate::federation::Federation;
use crate::identity::Identity;
use crate::merchants::Merchants;
use crate::money::MoneyError;
use crate::payments::{PaymentEvent, Payments};
use crate::settlement::Settlement;
use crate::system::{System, SystemEvent};
use crate::webhooks::Webhooks;

/// The state of one ledger. Its size follows what exists and what is open, not the length of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// The log itself.
    pub system: System,
    /// Applications, subjects, tags.
    pub identity: Identity,
    /// Open payments, wallets.
    pub payments: Payments,
    /// Open settlement batches.
    pub settlement: Settlement,
    /// Pending deliveries.
    pub webhooks: Webhooks,
    /// Claims on tags.
    pub consent: Consent,
    /// Links between tags.
    pub federation: Federation,
    /// Merchants and their payment requests.
    pub merchants: Merchants,
    /// Auditors.
    pub access: Access,
    /// Balances.
    pub books: Books,
}

impl Ledger {
    /// Takes one event in. The only place where state changes, for fresh events and for replayed ones.
    ///
    /// # Errors
    /// [`MoneyError`] when a balance would leave its range: the log is damaged, for no decision makes such an event.
    pub fn evolve(&mut self, recorded: &Recorded) -> Result<(), MoneyError> {
        match &recorded.event {
            Event::System(event) => {
                if matches!(event, SystemEvent::Opened(..)) {
                    self.settlement.begin(recorded.recorded_at.date());
                }
                self.system.evolve(event);
            }
            Event::Access(event) => self.access.evolve(event),
            Event::Identity(event) => self.identity.evolve(event, recorded.recorded_at),
            Event::Settlement(event) => self.settlement.evolve(event),
            Event::Webhook(event) => self.webhooks.evolve(event, recorded.recorded_at),
            Event::Consent(event) => self.consent.evolve(event, recorded.recorded_at),
            Event::Federation(event) => self.federation.evolve(event),
            Event::Merchant(event) => self.merchants.evolve(event, recorded.recorded_at),
            Event::Payment(event) => {
                if let PaymentEvent::Accepted(_, body) = event {
                    self.settlement.book(&body.journal, body.settlement_date, recorded.position, &self.books);
                }
                // Before the payment leaves: its record names the sender.
                self.webhooks.follow(event, recorded, &self.payments);
                self.payments.evolve(event, recorded.recorded_at);
            }
        }
        match recorded.event.journal() {
            Some(journal) => self.books.book(journal),
            None => Ok(()),
        }
    }
}
