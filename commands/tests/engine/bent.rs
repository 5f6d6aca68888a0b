//! A store that does not all that another one does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use flexledger_domain::Position;
use flexledger_domain::ids::SubjectId;
use flexledger_eventstore::{AppendError, Batch, Candidate, EventStore, Head, Lease, Record, StoreError, SubjectKey};

/// Hands everything on but this: it never hears that the log has grown, and may lose an answer.
pub struct Bent {
    inner: Arc<dyn EventStore>,
    loses_answer: AtomicBool,
}

impl Bent {
    pub fn new(inner: Arc<dyn EventStore>) -> Arc<Bent> {
        Arc::new(Bent { inner, loses_answer: AtomicBool::new(false) })
    }

    /// The next key is destroyed, and whoever asked for it is told of an error.
    pub fn lose_next_answer(&self) {
        self.loses_answer.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl EventStore for Bent {
    async fn head(&self) -> Result<Head, StoreError> {
        self.inner.head().await
    }

    async fn append(&self, expected: Position, batch: Batch) -> Result<(), AppendError> {
        self.inner.append(expected, batch).await
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.inner.read(after, limit).await
    }

    async fn subject_key(&self, subject: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
        self.inner.subject_key(subject).await
    }

    async fn subject_keys(&self) -> Result<Vec<SubjectKey>, StoreError> {
        self.inner.subject_keys().await
    }

    async fn destroy_subject_key(&self, subject: SubjectId) -> Result<bool, StoreError> {
        let done = self.inner.destroy_subject_key(subject).await?;
        if self.loses_answer.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Server("the answer was lost".to_owned()));
        }
        Ok(done)
    }

    async fn lead(&self, candidate: &Candidate) -> Result<Lease, StoreError> {
        self.inner.lead(candidate).await
    }

    async fn resign(&self) -> Result<(), StoreError> {
        self.inner.resign().await
    }

    fn durability(&self) -> String {
        self.inner.durability()
    }
}
