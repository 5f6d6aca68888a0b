//! Reading records.
//!
//! The asynchronous driver hands rows over one by one, from thread to thread, at a cost above that of reading them. So a
//! read is one visit of a blocking thread to a connection of its own, and takes the bytes from where they lie.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use flexledger_domain::Position;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::open::BUSY_TIMEOUT;
use super::signed;
use crate::hash::Hash;
use crate::port::{Record, RecordRef, StoreError, Visitor};

/// Records of one read for which room is made at once.
const ROOM: usize = 4096;
/// Connections that are kept for the next reads.
const IDLE_MAX: usize = 4;

const ROWS: &str = "SELECT position, body, hash FROM events WHERE position > ? ORDER BY position LIMIT ?";

/// The connections that read records.
#[derive(Clone)]
pub(super) struct Readers {
    path: Arc<PathBuf>,
    /// `None` once they are closed.
    idle: Arc<Mutex<Option<Vec<Connection>>>>,
}

impl Readers {
    /// Connections to the log at `path`, made when they are needed.
    pub fn new(path: &Path) -> Self {
        Readers { path: Arc::new(path.to_owned()), idle: Arc::new(Mutex::new(Some(Vec::new()))) }
    }

    /// Up to `limit` records after `after`.
    pub async fn read(&self, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.with_connection(move |connection| {
            let mut records = Vec::with_capacity(limit.min(ROOM));
            visit(connection, after, limit, &mut |record| records.push(record.to_owned()))?;
            Ok(records)
        })
        .await
    }

    /// Shows up to `limit` records after `after` to a visitor.
    pub async fn visit(&self, after: Position, limit: usize, mut visitor: Visitor) -> Result<(), StoreError> {
        self.with_connection(move |connection| visit(connection, after, limit, &mut visitor)).await
    }

    async fn with_connection<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.clone();
        let working = tokio::task::spawn_blocking(move || {
            let connection = readers.take()?;
            // One that failed is not used again.
            let done = work(&connection)?;
            readers.put_back(connection);
            Ok(done)
        });
        working.await.unwrap_or_else(|_| Err(StoreError::Unusable("reading the log was broken off".to_owned())))
    }

    /// Closes the connections; those in use are closed when they are done.
    pub fn close(&self) {
        self.lock().take();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = match &mut *self.lock() {
            Some(idle) => idle.pop(),
            None => return Err(StoreError::Unusable("the log is closed".to_owned())),
        };
        match idle {
            Some(connection) => Ok(connection),
            None => self.open(),
        }
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.path.as_ref(), flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    }

    fn put_back(&self, connection: Connection) {
        if let Some(idle) = self.lock().as_mut().filter(|idle| idle.len() < IDLE_MAX) {
            idle.push(connection);
        }
    }
}

fn visit(
    connection: &Connection,
    after: Position,
    limit: usize,
    visitor: &mut (dyn FnMut(RecordRef<'_>) + Send),
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(ROWS)?;
    let mut rows = statement.query([signed(after.number()), signed(limit as u64)])?;
    while let Some(row) = rows.next()? {
        let position = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
        visitor(RecordRef {
            position: Position::new(position),
            bytes: bytes(row.get_ref(1)?),
            hash: hash(row.get_ref(2)?),
        });
    }
    Ok(())
}

/// Whatever stands in the row is handed on; it is for the reader to see that it is no record.
fn bytes(cell: ValueRef<'_>) -> &[u8] {
    match cell {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => &[],
    }
}

/// A hash of a wrong length can only come from tampering; it is read as zeros, which no event has.
fn hash(cell: ValueRef<'_>) -> Hash {
    match cell {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Hash(bytes.try_into().unwrap_or_default()),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Hash::default(),
    }
}
