//! The log: one gap-free, hash-chained sequence of events per ledger.
//!
//! [`EventStore`] is the port; [`record`] the format that every adapter stores; [`hash`] the chain. Adapters know
//! bytes and positions, nothing of what an event means.

pub mod hash;
pub mod port;
pub mod record;
pub mod tail;

pub use hash::Hash;
pub use port::{AppendError, Batch, EventStore, Head, Record, StoreError, SubjectKey};
pub use tail::{Committed, Tail};
