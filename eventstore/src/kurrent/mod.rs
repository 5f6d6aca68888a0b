//! The log on KurrentDB, through its gRPC client.
//!
//! * The events of a ledger are one stream, `ledger-<name>`; position `p` is revision `p - 1`. What an event looks like
//!   there, and why its id means nothing: `event`.
//! * A batch is one append at the expected revision, or a few when it is larger than a server takes: `append`. That
//!   revision is also the fence: of two writers, one is told of a conflict.
//! * A failure is reported as what it is: nothing stored, another writer, or not known. When in doubt, not known.
//! * Keys of subjects have a stream each. Destroying one is final at once for every reader, and for the disks with the
//!   next scavenge: `keys`.
//!
//! Everything is asked of the leading node.
//!
//! Which of several nodes of Flexledger writes is not settled here: the revision keeps two writers from ever both being
//! told that they own a place, but there is no lease, so two that want to write depose each other by turns, and one that
//! was deposed answers reads from its old state until it writes. One process writes to a ledger on KurrentDB.

mod address;
mod append;
mod connection;
mod event;
#[cfg(test)]
mod fake;
mod keys;
mod read;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use flexledger_domain::Position;
use flexledger_domain::ids::SubjectId;

pub use address::{Address, AddressError};
pub use connection::Waits;

use crate::lease::{Candidate, Lease};
use crate::port::{AppendError, Batch, EventStore, Head, Record, StoreError, SubjectKey};
use connection::Connection;

/// The log on KurrentDB.
pub struct KurrentStore {
    address: Address,
    connection: Connection,
    read_only: bool,
}

impl KurrentStore {
    /// Opens the log at an address. There is nothing to be made first: a stream begins with its first event.
    ///
    /// # Errors
    /// [`StoreError::Server`] when no server can be reached, or the log cannot be read there.
    pub async fn open(address: Address) -> Result<Self, StoreError> {
        KurrentStore::open_with(address, Waits::default()).await
    }

    /// [`KurrentStore::open`] with other waits.
    ///
    /// # Errors
    /// As there.
    pub async fn open_with(address: Address, waits: Waits) -> Result<Self, StoreError> {
        let connection = Connection::new(address.settings.clone(), waits);
        let store = KurrentStore { address, connection, read_only: false };
        store.newest().await?;
        Ok(store)
    }

    /// The same log, for reading only.
    #[must_use]
    pub fn read_only(self) -> Self {
        KurrentStore { read_only: true, ..self }
    }

    fn may_write(&self) -> Result<(), StoreError> {
        if self.read_only {
            return Err(StoreError::Unusable("the log was opened for reading".to_owned()));
        }
        Ok(())
    }

    /// Where it stands.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }
}

#[async_trait]
impl EventStore for KurrentStore {
    async fn head(&self) -> Result<Head, StoreError> {
        self.newest().await
    }

    async fn append(&self, expected: Position, batch: Batch) -> Result<(), AppendError> {
        self.may_write().map_err(AppendError::Unavailable)?;
        self.append_batch(expected, batch).await
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.read_all(&self.address.events(), after, limit).await
    }

    async fn subject_key(&self, subject: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
        self.key(subject).await
    }

    async fn subject_keys(&self) -> Result<Vec<SubjectKey>, StoreError> {
        self.keys().await
    }

    async fn destroy_subject_key(&self, subject: SubjectId) -> Result<bool, StoreError> {
        self.may_write()?;
        self.destroy_key(subject).await
    }

    /// Whoever may write leads: there is no lease, the revision alone keeps writers apart.
    async fn lead(&self, _: &Candidate) -> Result<Lease, StoreError> {
        self.may_write()?;
        Ok(Lease::Mine { term: 0, lasts: None })
    }

    fn durability(&self) -> String {
        "kurrentdb append acknowledged by a quorum".to_owned()
    }
}
