//! A log as it was: everything up to a position, and nothing can be added.

use std::sync::Arc;

use async_trait::async_trait;
use flexledger_domain::ids::SubjectId;
use flexledger_domain::{Instant, Position};
use flexledger_eventstore::{
    AppendError, Batch, Candidate, EventStore, Head, Lease, Record, StoreError, SubjectKey, Visitor, record,
};

use crate::moment::MomentError;

/// What others are told leads it.
const NOBODY: &str = "nobody: this log is served as it was";

/// The beginning of a log, for reading only.
pub struct Frozen {
    inner: Arc<dyn EventStore>,
    head: Head,
}

impl Frozen {
    /// The log up to `at`, and the instant of its newest event; no instant for an empty log.
    ///
    /// # Errors
    /// [`MomentError`] when the log cannot be read, or does not reach so far.
    pub async fn new(inner: Arc<dyn EventStore>, at: Position) -> Result<(Self, Option<Instant>), MomentError> {
        if at == Position::START {
            return Ok((Frozen { inner, head: Head::default() }, None));
        }
        let stored = inner.read(at.previous(), 1).await?;
        let stored = stored.first().filter(|stored| stored.position == at).ok_or(MomentError::Damaged(at))?;
        let recorded = record::decode(&stored.bytes).map_err(|_| MomentError::Damaged(at))?;
        let head = Head { position: at, hash: stored.hash };
        Ok((Frozen { inner, head }, Some(recorded.recorded_at)))
    }

    /// How many records of so many after `after` are to be seen at most.
    fn within(&self, after: Position, limit: usize) -> usize {
        usize::try_from(self.head.position.after(after)).unwrap_or(usize::MAX).min(limit)
    }
}

fn refused() -> StoreError {
    StoreError::Unusable("the log is served as it was; nothing can be written".to_owned())
}

#[async_trait]
impl EventStore for Frozen {
    async fn head(&self) -> Result<Head, StoreError> {
        Ok(self.head)
    }

    async fn append(&self, _: Position, _: Batch) -> Result<(), AppendError> {
        Err(AppendError::Unavailable(refused()))
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
        match self.within(after, limit) {
            0 => Ok(Vec::new()),
            limit => self.inner.read(after, limit).await,
        }
    }

    async fn visit(&self, after: Position, limit: usize, visitor: Visitor) -> Result<(), StoreError> {
        match self.within(after, limit) {
            0 => Ok(()),
            limit => self.inner.visit(after, limit, visitor).await,
        }
    }

    /// Keys that were destroyed since stay destroyed: what was erased is erased in the past as well.
    async fn subject_key(&self, subject: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
        self.inner.subject_key(subject).await
    }

    async fn subject_keys(&self) -> Result<Vec<SubjectKey>, StoreError> {
        self.inner.subject_keys().await
    }

    async fn destroy_subject_key(&self, _: SubjectId) -> Result<bool, StoreError> {
        Err(refused())
    }

    /// Nobody leads: the engine follows, and what it follows never grows.
    async fn lead(&self, _: &Candidate) -> Result<Lease, StoreError> {
        Ok(Lease::Theirs { leader: Candidate { node: NOBODY.to_owned(), address: None } })
    }

    async fn is_platform_key(&self, fingerprint: &[u8; 32]) -> Result<bool, StoreError> {
        self.inner.is_platform_key(fingerprint).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    fn durability(&self) -> String {
        self.inner.durability()
    }
}
