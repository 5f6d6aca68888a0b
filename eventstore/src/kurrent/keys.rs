//! Keys of subjects: one stream each, so that one can be deleted alone.
//!
//! A key is the only event of `ledger-<name>-key-<subject>`; `ledger-<name>-keys` names all subjects that have or had
//! one, and is written first, so that no key is ever left out of it.
//!
//! Destroying a key deletes its stream for good (a tombstone): from then on no server gives it out, and none takes
//! another key for that subject. The sealed bytes themselves stay in the servers' files until a scavenge has run on
//! each node, and in the backups made before. Whoever must show that a key is gone from the disks runs a scavenge.

use bytes::Bytes;
use flexledger_domain::Position;
use flexledger_domain::ids::SubjectId;
use futures::{StreamExt, TryStreamExt, stream};
use kurrentdb::{Error, EventData, StreamPosition, StreamState, TombstoneStreamOptions};
use serde::{Deserialize, Serialize};

use super::KurrentStore;
use super::append::Sent;
use super::connection::CallError;
use crate::port::{AppendError, StoreError, SubjectKey};

const KEY_KIND: &str = "subject_key";
const SUBJECT_KIND: &str = "subject_key_owner";
/// Calls at once.
const CALLS_MAX: usize = 32;
/// Names in one append, far below what the server takes.
const NAMES_MAX: usize = 1000;

/// An event of the stream of subjects.
#[derive(Serialize, Deserialize)]
struct Owner {
    subject: String,
}

impl KurrentStore {
    /// Stores the keys of a batch that belongs after `expected`; all of them, or those that were stored are destroyed.
    pub(super) async fn store_keys(&self, expected: Position, keys: &[SubjectKey]) -> Result<(), AppendError> {
        if keys.is_empty() {
            return Ok(());
        }
        // A writer that was deposed should not leave keys behind.
        let head = self.newest().await.map_err(AppendError::Unavailable)?.position;
        if head != expected {
            return Err(AppendError::Conflict(head));
        }
        self.name_owners(keys).await.map_err(AppendError::Unavailable)?;
        let attempts: Vec<_> = keys.iter().map(|key| async move { (key, self.store_key(key).await) }).collect();
        let attempts: Vec<_> = stream::iter(attempts).buffer_unordered(CALLS_MAX).collect().await;
        let (mut stored, mut failure) = (Vec::new(), None);
        for (key, result) in attempts {
            match result {
                Ok(()) => stored.push(key.clone()),
                Err(error) => failure = Some(error),
            }
        }
        let Some(error) = failure else { return Ok(()) };
        self.undo_keys(&stored).await;
        Err(AppendError::Unavailable(error))
    }

    /// Destroys keys that were just stored for events that are not. One that stays behind belongs to nobody.
    pub(super) async fn undo_keys(&self, keys: &[SubjectKey]) {
        let undone: Vec<_> = keys.iter().map(|key| self.destroy_key(key.subject)).collect();
        let undone: Vec<_> = stream::iter(undone).buffer_unordered(CALLS_MAX).collect().await;
        let left: Vec<StoreError> = undone.into_iter().filter_map(Result::err).collect();
        if let Some(error) = left.first() {
            tracing::warn!(name: "eventstore.kurrent.keys_left", count = left.len(), %error, "keys without events remain");
        }
    }

    /// The key of a subject.
    pub(super) async fn key(&self, subject: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
        let page = self.page(&self.address.key(subject), StreamPosition::Start, 1).await;
        match (page.records.into_iter().next(), page.broken) {
            _ if page.deleted => Ok(None),
            (Some(record), _) => Ok(Some(SubjectKey { subject, sealed: record.bytes })),
            (None, Some(error)) => Err(error),
            (None, None) if page.end == Some(Position::START) => Ok(None),
            (None, None) => Err(StoreError::Server("the server ended a read before its end".to_owned())),
        }
    }

    /// All keys, by subject.
    pub(super) async fn keys(&self) -> Result<Vec<SubjectKey>, StoreError> {
        let mut subjects = self.owners().await?;
        subjects.sort_unstable();
        // One is named twice when a batch with it failed and was tried again.
        subjects.dedup();
        let keys = subjects.into_iter().map(|subject| self.key(subject));
        let keys: Vec<_> = stream::iter(keys).buffered(CALLS_MAX).try_collect().await?;
        Ok(keys.into_iter().flatten().collect())
    }

    /// Deletes the stream of a key for good. Tells whether there was one.
    pub(super) async fn destroy_key(&self, subject: SubjectId) -> Result<bool, StoreError> {
        if self.key(subject).await?.is_none() {
            return Ok(false);
        }
        let stream = self.address.key(subject);
        let stream = stream.as_str();
        let options = TombstoneStreamOptions::default().stream_state(StreamState::StreamExists).requires_leader(true);
        let options = &options.deadline(self.connection.waits.answer);
        let deleting =
            self.connection.call(|lent| async move { lent.client().tombstone_stream(stream, options).await });
        match deleting.await {
            Ok(_) => Ok(true),
            // Somebody else did it at the same time.
            Err(CallError::Refused(Error::ResourceDeleted)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn store_key(&self, key: &SubjectKey) -> Result<(), StoreError> {
        let event = EventData::binary(KEY_KIND, Bytes::from(key.sealed.clone()));
        match self.send(&self.address.key(key.subject), StreamState::NoStream, vec![event]).await {
            Sent::Stored(_) => Ok(()),
            Sent::Conflict(_) => Err(StoreError::Unusable("a subject has a key already".to_owned())),
            // When it is stored nevertheless, it is a key without an event.
            Sent::Refused(error) | Sent::Doubtful(error) => Err(error),
        }
    }

    async fn name_owners(&self, keys: &[SubjectKey]) -> Result<(), StoreError> {
        for keys in keys.chunks(NAMES_MAX) {
            let owner = |key: &SubjectKey| Owner { subject: key.subject.to_string() };
            let events = keys.iter().map(|key| EventData::json(SUBJECT_KIND, &owner(key))).collect::<Result<_, _>>();
            let events = events.map_err(|error| StoreError::Unusable(error.to_string()))?;
            match self.send(&self.address.subjects(), StreamState::Any, events).await {
                Sent::Stored(_) => {}
                Sent::Conflict(_) => return Err(StoreError::Server("a conflict where none can be".to_owned())),
                Sent::Refused(error) | Sent::Doubtful(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn owners(&self) -> Result<Vec<SubjectId>, StoreError> {
        let (stream, mut after, mut subjects) = (self.address.subjects(), Position::START, Vec::new());
        loop {
            let records = self.read_all(&stream, after, usize::MAX).await?;
            let Some(last) = records.last() else { return Ok(subjects) };
            after = last.position;
            for record in &records {
                let owner = serde_json::from_slice::<Owner>(&record.bytes).ok();
                let subject = owner.and_then(|owner| owner.subject.parse().ok());
                subjects.push(subject.ok_or_else(|| damaged(record.position))?);
            }
        }
    }
}

fn damaged(position: Position) -> StoreError {
    StoreError::Unusable(format!("event {position} of the stream of keys names no subject"))
}
