//! What happens to the log itself.

use serde::{Deserialize, Serialize};

use crate::event::{events, plain_body};
use crate::ids::{Epoch, LedgerId};

/// The first event of every log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The format of the log; grows when canonical bytes change.
    pub format: u16,
}

/// A writer took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochOpened {
    /// The writer's term.
    pub epoch: Epoch,
    /// A name for the node that an operator would know.
    pub node: String,
}

plain_body! { Opened; EpochOpened; }

events! {
    /// Events of the log itself.
    SystemEvent {
        /// The log was made.
        Opened(Ledger LedgerId, Opened) = "ledger.opened";
        /// A writer opened its term.
        EpochOpened(Ledger LedgerId, EpochOpened) = "ledger.epoch_opened";
    }
}

/// What a writer knows of the log itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct System {
    /// The id of the ledger, once it is opened.
    pub ledger: Option<LedgerId>,
    /// The current term.
    pub epoch: Epoch,
}

impl System {
    pub(crate) fn evolve(&mut self, event: &SystemEvent) {
        match event {
            SystemEvent::Opened(ledger, _) => self.ledger = Some(*ledger),
            SystemEvent::EpochOpened(_, opened) => self.epoch = opened.epoch,
        }
    }
}
