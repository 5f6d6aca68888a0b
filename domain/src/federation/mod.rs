//! Federation: a tag is linked with other names of the same person, each link proven by a challenge (`idaas.md` 8).
//!
//! `PENDING -> VERIFIED` (verify), `PENDING|VERIFIED -> REVOKED` (revoke). A tag has at most one federated identity,
//! which comes to be with its first link and stays. A pending link whose challenge has lapsed is in nobody's way.
//! Invariant: a tag has at most one link to a target that is verified or pending with a live challenge.

mod command;
mod decide;
mod error;
mod event;
mod state;
#[cfg(test)]
mod tests;

pub use command::{InitiateLink, RevokeLink, VerifyLink};
pub use error::Refusal;
pub use event::{FederationEvent, LinkInitiated, LinkRevoked, LinkVerified};
pub use state::{Federation, Link, LinkStatus};
