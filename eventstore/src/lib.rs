//! The log: one gap-free, hash-chained sequence of events per ledger.
//!
//! [`EventStore`] is the port; [`record`] the format that every adapter stores; [`hash`] the chain. Adapters know
//! bytes and positions, nothing of what an event means: [`sqlite`] is the default, [`memory`] is for tests. All are
//! held to the suite in `contract` (feature `contract`).

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod hash;
pub mod memory;
pub mod merkle;
pub mod note;
pub mod port;
pub mod record;
#[cfg(any(test, feature = "contract"))]
pub mod samples;
pub mod sqlite;
pub mod tail;
pub mod verify;

pub use hash::Hash;
pub use memory::MemoryStore;
pub use port::{AppendError, Batch, EventStore, Head, Record, StoreError, SubjectKey};
pub use sqlite::SqliteStore;
pub use tail::{Committed, Tail};
