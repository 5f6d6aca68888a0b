//! The log as the rest of the program sees it.

use async_trait::async_trait;
use flexledger_domain::ids::{Position, SubjectId};

use crate::hash::Hash;
use crate::lease::{Candidate, Lease};

/// The end of the log: the position of the newest event and the chain hash there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// Position of the newest event; 0 for an empty log.
    pub position: Position,
    /// Chain hash at that position; 32 zero bytes for an empty log.
    pub hash: Hash,
}

/// One event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub position: Position,
    /// Its canonical bytes (`operations.md` 5.1).
    pub bytes: Vec<u8>,
    /// The chain hash at its place.
    pub hash: Hash,
}

/// One event where it lies in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Its place.
    pub position: Position,
    /// Its canonical bytes.
    pub bytes: &'a [u8],
    /// The chain hash at its place.
    pub hash: Hash,
}

impl RecordRef<'_> {
    /// A copy.
    #[must_use]
    pub fn to_owned(self) -> Record {
        Record { position: self.position, bytes: self.bytes.to_vec(), hash: self.hash }
    }
}

impl<'a> From<&'a Record> for RecordRef<'a> {
    fn from(Record { position, bytes, hash }: &'a Record) -> Self {
        RecordRef { position: *position, bytes, hash: *hash }
    }
}

/// Takes records one after the other.
pub type Visitor = Box<dyn FnMut(RecordRef<'_>) + Send>;

/// The key of one subject's personal text, sealed with the platform key.
#[derive(Clone, PartialEq, Eq)]
pub struct SubjectKey {
    /// Whose key.
    pub subject: SubjectId,
    /// The key, sealed.
    pub sealed: Vec<u8>,
}

/// What is made durable at once: events, and the keys that their personal texts are sealed with.
#[derive(Clone, Default)]
pub struct Batch {
    /// The events, without gaps, the first one right after the expected head.
    pub records: Vec<Record>,
    /// Keys of subjects that first appear in these events.
    pub keys: Vec<SubjectKey>,
}

/// Why a batch is not (known to be) stored.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The log does not end where the writer believes. Another writer was there: step down.
    #[error("the log ends at {0}, not where this writer expected")]
    Conflict(Position),
    /// Nothing was stored.
    #[error("the log cannot be written")]
    Unavailable(#[source] StoreError),
    /// It is not known whether the batch was stored; the log must be read again.
    #[error("the outcome of writing to the log is unknown")]
    Unknown(#[source] StoreError),
}

/// Why the store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer holds the log. The text names it.
    #[error("the log is held by {0}")]
    Held(String),
    /// The place or its content is not a log that this program can use.
    #[error("{0}")]
    Unusable(String),
    /// The log lacks an event.
    #[error("event {0} is missing in the log; run `flexledger verify`")]
    Missing(Position),
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The SQLite file failed.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file could not be used.
    #[error("file: {0}")]
    File(#[from] std::io::Error),
    /// The database server could not be reached, or answered with an error.
    #[error("database server: {0}")]
    Server(String),
}

/// An append-only log of events without gaps.
///
/// Every adapter is held to the suite in `contract` (feature `contract`).
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Where the log ends.
    async fn head(&self) -> Result<Head, StoreError>;

    /// Stores a batch right after `expected`, all of it or nothing, and returns once it is on stable storage.
    /// An empty batch only checks that the log can be written and ends at `expected`.
    async fn append(&self, expected: Position, batch: Batch) -> Result<(), AppendError>;

    /// Up to `limit` records after `after`, ascending.
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// Shows up to `limit` records after `after` to a visitor, ascending, on a thread that may be busy for long. On an
    /// error it may have seen some of them.
    async fn visit(&self, after: Position, limit: usize, mut visitor: Visitor) -> Result<(), StoreError> {
        let records = self.read(after, limit).await?;
        let showing = tokio::task::spawn_blocking(move || records.iter().for_each(|record| visitor(record.into())));
        showing.await.map_err(|_| StoreError::Unusable("reading the log was broken off".to_owned()))
    }

    /// Places of rows that stand before the first event, where no read looks and nothing may stand: up to `limit`,
    /// ascending. Nothing but damage puts one there; a store that can hold none has none.
    async fn misplaced(&self, _limit: usize) -> Result<Vec<i64>, StoreError> {
        Ok(Vec::new())
    }

    /// The key of a subject; `None` when there was none or it was destroyed.
    async fn subject_key(&self, subject: SubjectId) -> Result<Option<SubjectKey>, StoreError>;

    /// All subject keys that exist.
    async fn subject_keys(&self) -> Result<Vec<SubjectKey>, StoreError>;

    /// Destroys a subject's key so that nothing of it remains in any file. Tells whether there was one.
    async fn destroy_subject_key(&self, subject: SubjectId) -> Result<bool, StoreError>;

    /// Asks for the right to lead, or renews it. Appends are then made in the term that was granted, and refused with
    /// [`AppendError::Conflict`] once another node has led since. A store that one process holds grants it at once.
    async fn lead(&self, _: &Candidate) -> Result<Lease, StoreError> {
        Ok(Lease::Mine { term: 0, lasts: None })
    }

    /// Gives the right to lead back, so that another node need not wait.
    async fn resign(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Notes, in a store that several nodes share, that the log holds a part only of what is to be stored, so that no
    /// node leads it; or that it is whole again.
    async fn mark_unfinished(&self, _unfinished: bool) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether the platform key of this log is the one with this fingerprint. A store that several nodes share keeps
    /// the first one that it is told, and opens nothing with it; others hold it to be the one.
    async fn is_platform_key(&self, _fingerprint: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Waits until the log may have grown, if the store hears of that from outside. A hint: it may come for nothing, or
    /// not at all, so callers look by themselves now and then.
    async fn grown(&self) {
        std::future::pending().await
    }

    /// Ends all work and closes what is open. Nothing works afterwards.
    async fn close(&self) {}

    /// What is durable how, in one line, for people: `sqlite wal synchronous=full`.
    fn durability(&self) -> String;
}

/// What an adapter checks of a batch before it touches its database: places without gaps, right after `expected`.
///
/// # Errors
/// [`StoreError::Unusable`]: the writer is at fault, nothing may be stored.
pub(crate) fn check_batch(expected: Position, batch: &Batch) -> Result<(), StoreError> {
    let mut place = expected;
    for record in &batch.records {
        place = place.next();
        if record.position != place || place > Position::MAX {
            return Err(StoreError::Unusable(format!("a batch with event {} where {place} belongs", record.position)));
        }
    }
    Ok(())
}
