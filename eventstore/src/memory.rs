//! The log in memory, for tests: it can be told to fail.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use flexledger_domain::Position;
use flexledger_domain::ids::SubjectId;

use crate::port::{AppendError, Batch, EventStore, Head, Record, StoreError, SubjectKey, check_batch};

/// What one coming append does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Stores nothing and says so.
    Unavailable,
    /// Stores nothing; the outcome is reported as unknown.
    UnknownLost,
    /// Stores the batch; the outcome is reported as unknown.
    UnknownStored,
    /// Stores nothing and reports another writer.
    Conflict,
    /// Works, after this time.
    Slow(Duration),
}

/// The log in memory. Clones share it, so a clone is a second writer, or the log opened again.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    records: Vec<Record>,
    keys: BTreeMap<SubjectId, SubjectKey>,
    faults: VecDeque<Fault>,
}

impl MemoryStore {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        MemoryStore::default()
    }

    /// The next append, after those that were told before, meets this fault.
    pub fn fail_next(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Changes the bytes of a stored record, as nobody should. Tells whether there is one at `position`.
    pub fn tamper(&self, position: Position, change: impl FnOnce(&mut Record)) -> bool {
        let mut shared = self.lock();
        let record = shared.records.iter_mut().find(|record| record.position == position);
        record.map(change).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn head(&self) -> Head {
        self.records.last().map_or_else(Head::default, |record| Head { position: record.position, hash: record.hash })
    }

    fn append(&mut self, expected: Position, batch: Batch) -> Result<(), AppendError> {
        let head = self.head().position;
        if head != expected {
            return Err(AppendError::Conflict(head));
        }
        check_batch(expected, &batch).map_err(AppendError::Unavailable)?;
        if batch.keys.iter().any(|key| self.keys.contains_key(&key.subject)) {
            return Err(AppendError::Unavailable(StoreError::Unusable("a subject has a key already".to_owned())));
        }
        self.keys.extend(batch.keys.into_iter().map(|key| (key.subject, key)));
        self.records.extend(batch.records);
        Ok(())
    }
}

fn injected() -> StoreError {
    StoreError::File(std::io::Error::other("injected fault"))
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn head(&self) -> Result<Head, StoreError> {
        Ok(self.lock().head())
    }

    async fn append(&self, expected: Position, batch: Batch) -> Result<(), AppendError> {
        let fault = self.lock().faults.pop_front();
        match fault {
            Some(Fault::Unavailable) => return Err(AppendError::Unavailable(injected())),
            Some(Fault::UnknownLost) => return Err(AppendError::Unknown(injected())),
            Some(Fault::Conflict) => return Err(AppendError::Conflict(self.lock().head().position.next())),
            Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
            Some(Fault::UnknownStored) | None => {}
        }
        self.lock().append(expected, batch)?;
        if fault == Some(Fault::UnknownStored) { Err(AppendError::Unknown(injected())) } else { Ok(()) }
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
        let shared = self.lock();
        let from = shared.records.partition_point(|record| record.position <= after);
        Ok(shared.records.iter().skip(from).take(limit).cloned().collect())
    }

    async fn subject_key(&self, subject: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
        Ok(self.lock().keys.get(&subject).cloned())
    }

    async fn subject_keys(&self) -> Result<Vec<SubjectKey>, StoreError> {
        Ok(self.lock().keys.values().cloned().collect())
    }

    async fn destroy_subject_key(&self, subject: SubjectId) -> Result<bool, StoreError> {
        Ok(self.lock().keys.remove(&subject).is_some())
    }

    fn durability(&self) -> String {
        "memory, not durable".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    struct Memory;

    #[async_trait]
    impl contract::Harness for Memory {
        async fn fresh(&self) -> Arc<dyn EventStore> {
            Arc::new(MemoryStore::new())
        }

        async fn reopen(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
            store
        }
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::run(&Memory).await;
    }

    #[tokio::test]
    async fn faults_do_what_they_say() {
        let store = MemoryStore::new();
        let batch = || Batch { records: contract::records(Position::START, 1), keys: Vec::new() };
        store.fail_next(Fault::Unavailable);
        store.fail_next(Fault::UnknownLost);
        store.fail_next(Fault::Conflict);
        store.fail_next(Fault::UnknownStored);
        assert!(matches!(store.append(Position::START, batch()).await, Err(AppendError::Unavailable(_))));
        assert!(matches!(store.append(Position::START, batch()).await, Err(AppendError::Unknown(_))));
        assert!(matches!(store.append(Position::START, batch()).await, Err(AppendError::Conflict(_))));
        assert_eq!(store.head().await.unwrap().position, Position::START);
        assert!(matches!(store.append(Position::START, batch()).await, Err(AppendError::Unknown(_))));
        assert_eq!(store.head().await.unwrap().position, Position::new(1));
    }
}
