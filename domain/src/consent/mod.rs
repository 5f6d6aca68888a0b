//! Claims: a subject asks to use a tag, and the tag's owner consents through a link that it alone is meant to get
//! (`idaas.md` 7).
//!
//! `PENDING -> ACTIVE` (approve), `PENDING -> DENIED` (deny), `PENDING|ACTIVE -> REVOKED` (revoke); the last two are
//! final. A pending claim whose token has lapsed stays pending, cannot be approved or denied, and is in nobody's way.
//! Invariant: a subject has at most one claim on a tag that is active or waits with a live token.

mod command;
mod decide;
mod error;
mod event;
mod state;
#[cfg(test)]
mod tests;

pub use command::{ApproveClaim, DenyClaim, RequestClaim, RevokeClaim};
pub use error::Refusal;
pub use event::{ClaimApproved, ClaimDenied, ClaimRequested, ClaimRevoked, ConsentEvent};
pub use state::{Claim, ClaimState, Consent};
