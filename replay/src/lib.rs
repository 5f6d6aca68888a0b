//! History that proves itself: reading the whole log and checking it, without the engine.
//!
//! * [`head`] is the signed head of the log, and heads that were saved.
//! * [`as_of`] answers from the views as they were at a [`moment`]; [`explain`], [`diff`] and [`bisect`] ask further.
//! * [`verify`](mod@verify) checks everything that the log alone can show, with folds of its own: nothing that the
//!   engine decides with is used to judge what it wrote.
//! * [`reconcile`] makes the views again and compares; [`kept`] are copies of them for servers of the past, which see
//!   the log as it was ([`frozen`]).
//! * [`show`] is one event as auditors see it.

pub mod as_of;
pub mod bisect;
pub mod diff;
mod events;
pub mod explain;
pub mod export;
pub mod frozen;
pub mod head;
pub mod import;
pub mod kept;
pub mod moment;
pub mod postings;
pub mod reconcile;
pub mod show;
pub mod verify;

pub use head::{HeadDocument, SavedHead, SavedHeadError};
pub use verify::{Report, Verify, verify};
