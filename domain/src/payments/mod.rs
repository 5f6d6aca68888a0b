//! Tag-to-tag payments in two steps, and the wallets that they move (`idaas.md` 9, 11).
//!
//! Nothing is booked before acceptance, nothing is held, and no funds are checked: a wallet may go below zero.

mod command;
mod decide;
mod draft;
mod error;
mod event;
mod payment;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Accept, Expire, InitiateTransfer, ProvisionWallet, Reject};
pub use draft::Draft;
pub use error::Refusal;
pub use event::{Accepted, Expired, Initiated, Party, PaymentEvent, Rejected, WalletProvisioned, Webhook};
pub use payment::{Delivery, DeliveryStatus, Direction, NamedParty, Payment, Status, WebhookRecord};
pub use state::{OpenPayment, Payments, SCALE};
