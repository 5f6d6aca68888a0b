//! The log: one gap-free, hash-chained sequence of events per ledger.
//!
//! [`EventStore`] is the port; [`record`] the format that every adapter stores; [`hash`] the chain. Adapters know
//! bytes and positions, nothing of what an event means: [`sqlite`] is the default, [`postgres`] serves several
//! nodes, [`memory`] is for tests. All are held to the suite in `contract` (feature `contract`).

mod alone;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod hash;
#[cfg(feature = "kurrentdb")]
pub mod kurrent;
pub mod ladder;
pub mod lease;
pub mod leaves;
pub mod memory;
pub mod merkle;
pub mod note;
pub mod place;
pub mod port;
pub mod postgres;
pub mod record;
#[cfg(any(test, feature = "contract"))]
pub mod samples;
pub mod sqlite;
pub mod tail;
#[cfg(any(test, feature = "contract"))]
pub mod testing;
pub mod tls;
pub mod walk;

pub use alone::Alone;
pub use hash::Hash;
pub use lease::{Candidate, Lease};
pub use leaves::Leaves;
pub use memory::MemoryStore;
pub use place::{Place, PlaceError, open};
pub use port::{AppendError, Batch, EventStore, Head, Record, RecordRef, StoreError, SubjectKey, Visitor};
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
pub use tail::{Committed, Sizes, Tail};
pub use walk::Walk;
