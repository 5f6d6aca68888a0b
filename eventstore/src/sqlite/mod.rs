//! The log in one SQLite file: the default adapter.
//!
//! * Table `events` holds canonical bytes and chain hash under the position as row id. It has no other index, and
//!   nothing is updated per event.
//! * A batch is one transaction in WAL mode with `synchronous=FULL`: one disk sync.
//! * One process writes (`<file>.lock`); any number of others read meanwhile.
//! * After a failed batch the connection is thrown away. After a failed *commit* the next one first moves the whole
//!   WAL into the database and syncs it, so that nothing that was not on disk is ever built upon.

mod append;
mod checkpoint;
mod lock;
mod open;
mod read;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use flexledger_domain::Position;
use flexledger_domain::ids::SubjectId;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Connection, Executor, Row};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::hash::Hash;
use crate::port::{AppendError, Batch, EventStore, Head, Record, StoreError, SubjectKey, Visitor, check_batch};
use checkpoint::Checkpoints;
pub use lock::{WriterLock, this_process};
pub use open::Mode;

/// Records per read at most, whatever is asked for, so that no caller can fill the memory by accident.
const READ_RECORDS_MAX: usize = 1_000_000;

const HEAD: &str = "SELECT position, hash FROM events ORDER BY position DESC LIMIT 1";
const MISPLACED: &str = "SELECT position FROM events WHERE position < 1 ORDER BY position LIMIT ?";
const KEY: &str = "SELECT subject, sealed FROM subject_keys WHERE subject = ?";
const KEYS: &str = "SELECT subject, sealed FROM subject_keys ORDER BY subject";
const DESTROY_KEY: &str = "DELETE FROM subject_keys WHERE subject = ?";

/// The log in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    /// Answer small questions.
    readers: SqlitePool,
    /// Read records.
    records: read::Readers,
    writer: Option<Writer>,
}

struct Writer {
    connection: Mutex<Slot>,
    checkpoints: Arc<Checkpoints>,
    _lock: WriterLock,
}

/// The one connection that writes. It is taken out while it is used, so a caller that goes away in the middle leaves
/// an empty slot, never an open transaction.
enum Slot {
    Ready(SqliteConnection),
    /// There is none; `doubtful` when a commit failed or was left alone, so that the WAL may hold what is not on disk.
    Empty {
        doubtful: bool,
    },
}

impl SqliteStore {
    /// Opens the log at `path`; a writer makes it when there is none.
    ///
    /// # Errors
    /// [`StoreError::Held`] for a second writer, [`StoreError::Unusable`] when there is no log (for a reader) or
    /// something else stands there.
    pub async fn open(path: &Path, mode: Mode) -> Result<Self, StoreError> {
        let writer = match mode {
            Mode::Reader => None,
            Mode::Writer { holder } => {
                let lock = WriterLock::take(path, &holder)?;
                let connection = open::writer(path).await?;
                let checkpoints = Checkpoints::new(path.to_owned());
                Some(Writer { connection: Mutex::new(Slot::Ready(connection)), checkpoints, _lock: lock })
            }
        };
        let readers = open::readers(path).await?;
        Ok(SqliteStore { path: path.to_owned(), readers, records: read::Readers::new(path), writer })
    }

    /// Closes the log; a writer moves what is in the WAL into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.records.close();
        if let Some(writer) = &self.writer {
            writer.checkpoints.close().await;
            let slot = std::mem::replace(&mut *writer.connection.lock().await, Slot::Empty { doubtful: false });
            if let Slot::Ready(connection) = slot {
                close(connection).await;
            }
        }
    }

    fn writer(&self) -> Result<&Writer, StoreError> {
        self.writer.as_ref().ok_or_else(|| StoreError::Unusable("the log was opened for reading".to_owned()))
    }

    /// A connection to write with: the one that is there, or a new one.
    async fn connection(&self, slot: &mut Slot) -> Result<SqliteConnection, StoreError> {
        // Whatever happens before the connection is put back leaves the slot in doubt.
        match std::mem::replace(slot, Slot::Empty { doubtful: true }) {
            Slot::Ready(connection) => Ok(connection),
            Slot::Empty { doubtful } => {
                let mut connection = open::writer(&self.path).await?;
                if doubtful {
                    checkpoint::full(&mut connection).await?;
                }
                Ok(connection)
            }
        }
    }

    async fn append_with(
        connection: &mut SqliteConnection,
        expected: Position,
        batch: Batch,
    ) -> Result<(), append::Failure> {
        check_batch(expected, &batch).map_err(|error| append::Failure::Before(AppendError::Unavailable(error)))?;
        append::write(connection, expected, batch).await
    }
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn head(&self) -> Result<Head, StoreError> {
        let row = self.readers.fetch_optional(HEAD).await?;
        row.map_or(Ok(Head::default()), |row| Ok(Head { position: position(&row)?, hash: hash(&row, 1)? }))
    }

    async fn append(&self, expected: Position, batch: Batch) -> Result<(), AppendError> {
        let writer = self.writer().map_err(AppendError::Unavailable)?;
        let mut slot = writer.connection.lock().await;
        let mut connection = self.connection(&mut slot).await.map_err(AppendError::Unavailable)?;
        writer.checkpoints.finish(&mut connection).await;
        let bytes = batch.records.iter().map(|record| record.bytes.len() as u64).sum();
        match Self::append_with(&mut connection, expected, batch).await {
            Ok(()) => {
                writer.checkpoints.appended(bytes);
                *slot = Slot::Ready(connection);
                Ok(())
            }
            Err(append::Failure::Before(error)) => {
                close(connection).await;
                *slot = Slot::Empty { doubtful: false };
                Err(error)
            }
            Err(append::Failure::Commit(error)) => {
                close(connection).await;
                Err(AppendError::Unknown(error.into()))
            }
        }
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.records.read(after, limit.min(READ_RECORDS_MAX)).await
    }

    async fn visit(&self, after: Position, limit: usize, visitor: Visitor) -> Result<(), StoreError> {
        self.records.visit(after, limit, visitor).await
    }

    async fn misplaced(&self, limit: usize) -> Result<Vec<i64>, StoreError> {
        let rows = self.readers.fetch_all(sqlx::query(MISPLACED).bind(signed(limit as u64))).await?;
        rows.iter().map(|row| Ok(row.try_get_unchecked(0)?)).collect()
    }

    async fn subject_key(&self, subject: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
        let query = sqlx::query(KEY).bind(subject.uuid().as_bytes().to_vec());
        self.readers.fetch_optional(query).await?.as_ref().map(subject_key).transpose()
    }

    async fn subject_keys(&self) -> Result<Vec<SubjectKey>, StoreError> {
        self.readers.fetch_all(KEYS).await?.iter().map(subject_key).collect()
    }

    async fn destroy_subject_key(&self, subject: SubjectId) -> Result<bool, StoreError> {
        let mut slot = self.writer()?.connection.lock().await;
        let mut connection = self.connection(&mut slot).await?;
        let query = sqlx::query(DESTROY_KEY).bind(subject.uuid().as_bytes().to_vec());
        let deleted = connection.execute(query).await?.rows_affected() > 0;
        // The WAL still holds pages with the key in them.
        checkpoint::full(&mut connection).await?;
        *slot = Slot::Ready(connection);
        Ok(deleted)
    }

    async fn close(&self) {
        SqliteStore::close(self).await;
    }

    fn durability(&self) -> String {
        "sqlite wal synchronous=full".to_owned()
    }
}

async fn close(connection: SqliteConnection) {
    // Closing rolls back what is open. If even that fails there is nothing left to do with the connection.
    if let Err(error) = connection.close().await {
        tracing::debug!(name: "eventstore.sqlite.close_failed", %error, "a connection did not close cleanly");
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn position(row: &SqliteRow) -> Result<Position, StoreError> {
    Ok(Position::new(u64::try_from(row.try_get_unchecked::<i64, _>(0)?).unwrap_or_default()))
}

/// A hash of a wrong length can only come from tampering; it is read as zeros, which no event has.
fn hash(row: &SqliteRow, column: usize) -> Result<Hash, StoreError> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(column)?;
    Ok(Hash(bytes.unwrap_or_default().try_into().unwrap_or_default()))
}

fn subject_key(row: &SqliteRow) -> Result<SubjectKey, StoreError> {
    let subject: &[u8] = row.try_get_unchecked(0)?;
    let subject = Uuid::from_slice(subject)
        .map_err(|_| StoreError::Unusable("a subject's key stands under a damaged name".to_owned()))?;
    Ok(SubjectKey { subject: SubjectId::from_uuid(subject), sealed: row.try_get_unchecked(1)? })
}
