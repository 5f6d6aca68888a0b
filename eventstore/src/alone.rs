//! A log that one job has for itself, such as an import.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::lease::{Candidate, Lease};
use crate::place::{Place, open};
use crate::port::{EventStore, StoreError};
use crate::postgres::{Access, PostgresStore};
use crate::sqlite::Mode;

/// Renewals within the time that a lease lasts.
const TRIES: u32 = 5;

/// A log that nobody else leads while this is there.
pub struct Alone {
    store: Arc<dyn EventStore>,
    keeper: Option<JoinHandle<()>>,
}

impl Alone {
    /// Opens the log at `place`, and keeps the right to lead it until the end of the job, however long that takes.
    ///
    /// # Errors
    /// [`StoreError::Held`] when a server leads there.
    pub async fn open(place: &Place, holder: &str) -> Result<Alone, StoreError> {
        let store: Arc<dyn EventStore> = match place {
            Place::Postgres(url) => Arc::new(PostgresStore::open(url, Access::Import).await?),
            other => open(other, Mode::Writer { holder: holder.to_owned() }).await?,
        };
        let candidate = Candidate { node: holder.to_owned(), address: None };
        match store.lead(&candidate).await? {
            Lease::Theirs { leader } => Err(StoreError::Held(leader.node)),
            Lease::Mine { lasts: None, .. } => Ok(Alone { store, keeper: None }),
            Lease::Mine { term, lasts: Some(lasts) } => {
                let keeper = tokio::spawn(keep(store.clone(), candidate, term, lasts / TRIES));
                Ok(Alone { store, keeper: Some(keeper) })
            }
        }
    }

    /// The log.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// Gives the log back and closes it.
    ///
    /// # Errors
    /// [`StoreError`] when others must wait until the right is over.
    pub async fn finish(mut self) -> Result<(), StoreError> {
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
            // Ended by the line above: a renewal under way would take the right anew.
            let _aborted = keeper.await;
        }
        let resigned = self.store.resign().await;
        self.store.close().await;
        resigned
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(keeper) = &self.keeper {
            keeper.abort();
        }
    }
}

/// Renews the right. Once it is lost it stays lost: appends are refused then.
async fn keep(store: Arc<dyn EventStore>, candidate: Candidate, term: u64, pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        match store.lead(&candidate).await {
            Ok(Lease::Mine { term: now, .. }) if now == term => {}
            Ok(_) => return tracing::warn!("eventstore.lease_lost: another process may write to the log"),
            Err(error) => tracing::warn!(%error, "eventstore.lease_not_renewed"),
        }
    }
}
