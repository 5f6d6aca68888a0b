//! The rules of Flexledger, free of clocks, randomness, input and output.
//!
//! A *command* and the state of the [`Ledger`] make a [`Decision`]: events, and an outcome or a refusal. The state is
//! nothing but the fold of all events by [`Ledger::evolve`]. Times and identifiers are handed in, so the same history
//! always gives the same state.
//!
//! Contexts, one folder each with the same file names: [`identity`] (who takes part), [`payments`] (tag-to-tag
//! payments), [`webhooks`] (their deliveries), [`settlement`] (end-of-day netting), [`consent`] (claims on tags),
//! [`federation`] (links between tags), [`merchants`] (payment requests), and under all of them [`books`] (double entry).

pub mod access;
pub mod books;
pub mod consent;
pub mod decision;
pub mod event;
pub mod exact;
pub mod federation;
pub mod identity;
pub mod ids;
pub mod ledger;
pub mod merchants;
pub mod money;
pub mod payments;
pub mod personal;
pub mod settlement;
pub mod system;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;
pub mod time;
pub mod token;
pub mod webhooks;

pub use decision::{Command, Context, Decision, Policy, Refusal};
pub use event::{Actor, Entity, Event, Idempotency, Recorded};
pub use ids::{Position, Reference};
pub use ledger::Ledger;
pub use time::{Date, Instant, Span};
pub use token::TokenHash;
