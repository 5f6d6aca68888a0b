//! Merchants ask for money: payment requests of a merchant's tag to a payer's tag (`idaas.md` 19).
//!
//! `Pending -> Accepted` (the payer's application), `Pending -> Declined` (the same), `Pending -> Cancelled` (the
//! merchant), `Pending -> Expired` (its time). All ends are final, and exactly one of them happens. Accepting makes an
//! ordinary payment that is initiated and booked in the same step: the merchant's consent is the request itself.
//!
//! A merchant's references are unique for ever, so one small record of each request stays in the state; what is needed
//! to pay a request leaves it when the request is over.

mod command;
mod decide;
mod error;
mod event;
mod number;
mod state;
#[cfg(test)]
mod tests;

pub use command::{AcceptRequest, CancelRequest, CreateRequest, DeclineRequest, ExpireRequest, Paid, RegisterMerchant};
pub use error::Refusal;
pub use event::{
    MerchantEvent, MerchantRegistered, RequestAccepted, RequestCancelled, RequestCreated, RequestDeclined,
    RequestExpired,
};
pub use number::RequestNumber;
pub use state::{Merchant, Merchants, Request, RequestState};

/// The currency of points, in which merchants may ask beside `NGN`. It is the only one without three letters.
pub const POINTS: &str = "FP";
