//! Reading the state from the newest snapshot and the log after it.
//!
//! Reading, decoding and folding run side by side: the next chunk is read and decoded while this one is folded.

use std::sync::Arc;

use flexledger_domain::{Instant, Ledger, Position, Recorded};
use flexledger_eventstore::{AppendError, EventStore, Head, StoreError, record};
use tokio::task::JoinError;

use super::Shared;
use super::core::Beginning;
use super::idempotency::{Index, Used};
use super::snapshot::Snapshots;
use crate::directory::Parties;
use crate::vault::VaultError;

/// Events read at once.
const CHUNK: usize = 8192;

/// Why the state cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The keys cannot be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A record is no event, or does not follow from the ones before it.
    #[error("the log is damaged at position {0}: {1}; run `flexledger verify`")]
    Damaged(Position, String),
    /// The first events of a term could not be made.
    #[error("the opening of an epoch could not be made")]
    Opening,
    /// A helper thread ended early.
    #[error("reading the log was interrupted")]
    Interrupted(#[from] JoinError),
}

/// The state at the end of the log.
pub struct Loaded {
    /// What the writer begins with.
    pub beginning: Beginning,
    /// How many events were read from the log.
    pub read: u64,
}

/// Reads the state. The directory in `shared` is brought up to the same position.
pub async fn load(shared: &Shared, snapshots: Option<&mut Snapshots>) -> Result<Loaded, LoadError> {
    let mut fold = Fold::begin(shared, snapshots).await?;
    let first = fold.head.position;
    let mut next = tokio::spawn(chunk(shared.store.clone(), fold.head.position));
    loop {
        let (events, head) = next.await??;
        let Some(last) = events.last() else { break };
        next = tokio::spawn(chunk(shared.store.clone(), last.position));
        fold.take(events)?;
        fold.head = head;
    }
    crate::erasure::complete(&fold.ledger, &shared.vault).await?;
    let read = fold.head.position.after(first);
    let Fold { ledger, parties, index, unsaved_keys, head, last } = fold;
    shared.directory.replace(parties.clone());
    Ok(Loaded { beginning: Beginning { ledger, parties, index, unsaved_keys, head, last }, read })
}

struct Fold {
    ledger: Ledger,
    parties: Parties,
    index: Index,
    unsaved_keys: Vec<Used>,
    head: Head,
    last: Instant,
}

impl Fold {
    async fn begin(shared: &Shared, snapshots: Option<&mut Snapshots>) -> Result<Fold, LoadError> {
        let index = Index::new(shared.window);
        let (head, last) = (Head::default(), Instant::MIN);
        let (ledger, parties, unsaved_keys) = (Ledger::default(), Parties::default(), Vec::new());
        let mut fold = Fold { ledger, parties, index, unsaved_keys, head, last };
        let Some(snapshots) = snapshots else { return Ok(fold) };
        let end = shared.store.head().await?.position;
        let hash_at = |position: Position| {
            let store = shared.store.clone();
            async move {
                let read = store.read(position.previous(), 1).await.ok()?;
                read.first().filter(|record| record.position == position).map(|record| record.hash)
            }
        };
        let loaded = snapshots.load(end, hash_at).await;
        snapshots.continue_from(loaded.as_ref().map(|(state, _)| state));
        if let Some((state, keys)) = loaded {
            let Ok(hash) = state.hash.parse() else { return Ok(fold) };
            keys.into_iter().for_each(|used| fold.index.insert(used));
            fold.head = Head { position: state.position, hash };
            fold.last = state.last;
            fold.ledger = state.ledger;
            fold.parties = state.directory.into();
        }
        Ok(fold)
    }

    fn take(&mut self, events: Vec<Recorded>) -> Result<(), LoadError> {
        for event in events {
            self.ledger.evolve(&event).map_err(|error| LoadError::Damaged(event.position, error.to_string()))?;
            self.unsaved_keys.extend(self.index.apply(&event));
            self.last = self.last.max(event.recorded_at);
            self.parties.apply(&event.event);
        }
        Ok(())
    }
}

/// The next events after `after` and the head they lead to.
async fn chunk(store: Arc<dyn EventStore>, after: Position) -> Result<(Vec<Recorded>, Head), LoadError> {
    let records = store.read(after, CHUNK).await?;
    tokio::task::spawn_blocking(move || {
        let mut events = Vec::with_capacity(records.len());
        let mut head = Head::default();
        for (stored, expected) in records.iter().zip(after.next().number()..) {
            let damaged = |why: String| LoadError::Damaged(Position::new(expected), why);
            let event = record::decode_trusted(&stored.bytes).map_err(|error| damaged(error.to_string()))?;
            if event.position.number() != expected || stored.position.number() != expected {
                return Err(damaged("another position stands there".to_owned()));
            }
            head = Head { position: event.position, hash: stored.hash };
            events.push(event);
        }
        Ok((events, head))
    })
    .await?
}
