//! History that proves itself: reading the whole log and checking it, without the engine.
//!
//! * [`scan`] reads records in order, the next portion while the present one is worked on.
//! * [`merkle`] is the RFC 6962 tree over the leaf hashes; [`note`] the signed head over its root.
//! * [`verify`](mod@verify) checks everything that the log alone can show, with folds of its own: nothing that the
//!   engine decides with is used to judge what it wrote.
//! * [`show`] is one event as auditors see it.

pub mod as_of;
pub mod bisect;
pub mod diff;
pub mod explain;
pub mod frozen;
pub mod export;
pub mod head;
pub mod import;
pub mod merkle;
pub mod moment;
pub mod note;
pub mod postings;
pub mod reconcile;
pub mod scan;
pub mod show;
pub mod verify;

pub use head::{HeadDocument, SavedHead, SavedHeadError};
pub use verify::{Report, Verify, verify};
