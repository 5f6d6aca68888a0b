//! The log in PostgreSQL, for several nodes.
//!
//! One row says where the log ends and which term may write; every append begins with moving it (see `append`). So of
//! two writers one wins each place, and a leader that was replaced while it was away cannot add to the log any more.
//! Readers see whole batches only, because a batch is one transaction.
//!
//! Budget: one round trip and one sync per batch, one connection that writes, one for the right to lead, one that tells
//! of growth while leading or hears of it while following (`hints`), and at most eight that read; each is made anew
//! after the server was away. Nothing waits for ever: an append is given up after [`APPEND_TIMEOUT`] as of unknown
//! outcome, which the fence makes safe.

mod append;
mod connect;
mod hints;
mod lease;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use flexledger_domain::Position;
use flexledger_domain::ids::SubjectId;
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{Executor, Row};
use tokio::sync::Mutex;
use uuid::Uuid;

use self::connect::Target;
use self::hints::Hints;
use crate::hash::Hash;
use crate::lease::{Candidate, Lease};
use crate::port::{AppendError, Batch, EventStore, Head, Record, StoreError, SubjectKey, check_batch};
pub use lease::LASTS as LEASE_LASTS;

/// After this time an append is given up. The server gives up a bit earlier.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(10);
/// After this time a question of leadership is given up; less than a lease lasts.
const LEASE_TIMEOUT: Duration = Duration::from_secs(2);
/// After this time a read is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Records per read at most, whatever is asked for, so that no caller can fill the memory by accident.
const READ_RECORDS_MAX: usize = 1_000_000;

const HEAD: &str = "SELECT position, hash FROM flexledger_log.events ORDER BY position DESC LIMIT 1";
const READ: &str =
    "SELECT position, body, hash FROM flexledger_log.events WHERE position > $1 ORDER BY position LIMIT $2";
const MISPLACED: &str = "SELECT position FROM flexledger_log.events WHERE position < 1 ORDER BY position LIMIT $1";
const KEY: &str = "SELECT subject, sealed FROM flexledger_log.subject_keys WHERE subject = $1";
const KEYS: &str = "SELECT subject, sealed FROM flexledger_log.subject_keys ORDER BY subject";
const DESTROY_KEY: &str = "DELETE FROM flexledger_log.subject_keys WHERE subject = $1";
/// A deleted row stays in its page; the table is written anew without it. Old write-ahead segments and backups hold
/// the key, sealed by the platform key, until they are recycled.
const FORGET: &str = "VACUUM (FULL) flexledger_log.subject_keys";
const FINGERPRINT: &str = "SELECT platform_key FROM flexledger_log.ledger WHERE id = 1";
const CLAIM: &str = "UPDATE flexledger_log.ledger SET platform_key = $1 WHERE id = 1 AND platform_key IS NULL";
const END: &str = "SELECT ledger.position, coalesce((SELECT max(position) FROM flexledger_log.events), 0) \
     FROM flexledger_log.ledger WHERE id = 1";

/// Whether `url` is one of PostgreSQL.
///
/// # Errors
/// Why not. The text holds nothing of the URL.
pub fn check_url(url: &str) -> Result<(), StoreError> {
    url.parse::<Target>().map(|_| ())
}

/// How a log is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To append; the tables are made when there are none. Who may append is settled by [`EventStore::lead`].
    Write,
    /// The same for an importer: it may lead over an import that was broken off.
    Import,
    /// To read only.
    Read,
}

/// The log in a PostgreSQL database.
pub struct PostgresStore {
    target: Target,
    readers: PgPool,
    access: Access,
    writer: Mutex<Option<PgConnection>>,
    leading: Mutex<Option<PgConnection>>,
    hints: Hints,
    /// The term that appends are made in; 0 when the right to lead was not asked for.
    term: AtomicI64,
    durability: String,
}

impl PostgresStore {
    /// Opens the log in the database at `url` (`postgres://user:password@host:port/database?sslmode=…`).
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a URL that is none, a database without a log (for a reader), a log of another
    /// version, a damaged one or a part of an import; [`StoreError::Database`] when the server cannot be reached.
    pub async fn open(url: &str, access: Access) -> Result<Self, StoreError> {
        crate::tls::choose();
        let target: Target = url.parse()?;
        let mut connection = target.plain().await?;
        let durability = match access {
            Access::Read => {
                schema::check(&mut connection).await?;
                "postgresql, read only".to_owned()
            }
            Access::Write | Access::Import => {
                let durability = connect::durability(&mut connection).await?;
                schema::migrate(&mut connection).await?;
                check_end(&mut connection).await?;
                durability
            }
        };
        if access != Access::Import {
            lease::whole(&mut connection).await?;
        }
        connect::close(connection).await;
        let readers = target.readers();
        let (writer, leading) = (Mutex::new(None), Mutex::new(None));
        let (hints, term) = (Hints::new(target.clone()), AtomicI64::new(0));
        Ok(PostgresStore { target, readers, access, writer, leading, hints, term, durability })
    }

    /// Where it is, without any secret: `host:port/database`.
    #[must_use]
    pub fn place(&self) -> String {
        self.target.name()
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.hints.close();
        for slot in [&self.writer, &self.leading] {
            if let Some(connection) = slot.lock().await.take() {
                connect::close(connection).await;
            }
        }
        self.readers.close().await;
    }

    fn may_write(&self) -> Result<(), StoreError> {
        match self.access {
            Access::Write | Access::Import => Ok(()),
            Access::Read => Err(StoreError::Unusable("the log was opened for reading".to_owned())),
        }
    }

    async fn rows(
        &self,
        query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let read = tokio::time::timeout(READ_TIMEOUT, self.readers.fetch_all(query)).await;
        Ok(read.map_err(|_| connect::timed_out("reading"))??)
    }

    /// The fingerprint of the ledger's platform key, once a node has told it.
    async fn fingerprint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.rows(sqlx::query(FINGERPRINT)).await?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?.flatten())
    }
}

/// The row that appends are checked against must tell where the events end.
async fn check_end(connection: &mut PgConnection) -> Result<(), StoreError> {
    let row = connection.fetch_one(END).await?;
    let (told, stored): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if told == stored {
        return Ok(());
    }
    let text = format!("the log should end at {told} but ends at {stored}: something else has changed its tables");
    Err(StoreError::Unusable(text))
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn head(&self) -> Result<Head, StoreError> {
        let rows = self.rows(sqlx::query(HEAD)).await?;
        rows.first().map_or(Ok(Head::default()), |row| Ok(Head { position: position(row)?, hash: hash(row, 1)? }))
    }

    async fn append(&self, expected: Position, batch: Batch) -> Result<(), AppendError> {
        self.may_write().and_then(|()| check_batch(expected, &batch)).map_err(AppendError::Unavailable)?;
        let mut slot = self.writer.lock().await;
        // It is put back only after a success: a caller that goes away in the middle leaves no connection behind.
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.target.writer().await.map_err(AppendError::Unavailable)?,
        };
        let term = self.term.load(Ordering::SeqCst);
        let writing = append::write(&mut connection, term, expected, &batch);
        let result = tokio::time::timeout(APPEND_TIMEOUT, writing)
            .await
            .unwrap_or_else(|_| Err(AppendError::Unknown(connect::timed_out("an append"))));
        if matches!(result, Ok(()) | Err(AppendError::Conflict(_))) {
            *slot = Some(connection);
        }
        if result.is_ok() && !batch.records.is_empty() {
            self.hints.tell();
        }
        result
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
        let limit = limit.min(READ_RECORDS_MAX);
        let query = sqlx::query(READ).bind(signed(after.number())).bind(signed(limit as u64));
        self.rows(query).await?.iter().map(record).collect()
    }

    async fn misplaced(&self, limit: usize) -> Result<Vec<i64>, StoreError> {
        let rows = self.rows(sqlx::query(MISPLACED).bind(signed(limit as u64))).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn subject_key(&self, subject: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
        let query = sqlx::query(KEY).bind(subject.uuid().as_bytes().to_vec());
        self.rows(query).await?.first().map(subject_key).transpose()
    }

    async fn subject_keys(&self) -> Result<Vec<SubjectKey>, StoreError> {
        self.rows(sqlx::query(KEYS)).await?.iter().map(subject_key).collect()
    }

    async fn destroy_subject_key(&self, subject: SubjectId) -> Result<bool, StoreError> {
        self.may_write()?;
        let mut connection = self.target.plain().await?;
        let query = sqlx::query(DESTROY_KEY).bind(subject.uuid().as_bytes().to_vec());
        let deleted = connection.execute(query).await?.rows_affected() > 0;
        connection.execute(FORGET).await?;
        connect::close(connection).await;
        Ok(deleted)
    }

    async fn lead(&self, candidate: &Candidate) -> Result<Lease, StoreError> {
        self.may_write()?;
        let asking = async {
            let mut slot = self.leading.lock().await;
            let mut connection = match slot.take() {
                Some(connection) => connection,
                None => self.target.writer().await?,
            };
            let term = self.term.load(Ordering::SeqCst);
            let (lease, term) = lease::lead(&mut connection, term, candidate, self.access == Access::Import).await?;
            // A term that is over is kept, so that an append of it is still refused.
            if term > 0 {
                self.term.store(term, Ordering::SeqCst);
            }
            *slot = Some(connection);
            Ok(lease)
        };
        tokio::time::timeout(LEASE_TIMEOUT, asking).await.unwrap_or_else(|_| Err(connect::timed_out("a lease")))
    }

    async fn mark_unfinished(&self, unfinished: bool) -> Result<(), StoreError> {
        self.may_write()?;
        let marking = async {
            let mut connection = self.target.plain().await?;
            let marked = lease::mark(&mut connection, self.term.load(Ordering::SeqCst), unfinished).await?;
            connect::close(connection).await;
            Ok(marked)
        };
        let marked = tokio::time::timeout(APPEND_TIMEOUT, marking).await;
        match marked.unwrap_or_else(|_| Err(connect::timed_out("marking an import")))? {
            true => Ok(()),
            false => Err(StoreError::Held("another writer, which has taken it over".to_owned())),
        }
    }

    async fn is_platform_key(&self, fingerprint: &[u8; 32]) -> Result<bool, StoreError> {
        if let Some(known) = self.fingerprint().await? {
            return Ok(known == fingerprint);
        }
        if self.access != Access::Read {
            let claiming = async {
                let mut connection = self.target.plain().await?;
                connection.execute(sqlx::query(CLAIM).bind(&fingerprint[..])).await?;
                connect::close(connection).await;
                Ok(())
            };
            // It waits for the append in flight, which may wait for a standby.
            let claimed = tokio::time::timeout(APPEND_TIMEOUT, claiming).await;
            claimed.unwrap_or_else(|_| Err(connect::timed_out("telling the platform key")))?;
        }
        // Of two nodes that start at once with different keys, one was first.
        Ok(self.fingerprint().await?.is_none_or(|known| known == fingerprint))
    }

    async fn resign(&self) -> Result<(), StoreError> {
        let term = self.term.load(Ordering::SeqCst);
        if term == 0 {
            return Ok(());
        }
        let resigning = async {
            let mut connection = self.target.plain().await?;
            lease::resign(&mut connection, term).await?;
            connect::close(connection).await;
            Ok(())
        };
        tokio::time::timeout(LEASE_TIMEOUT, resigning).await.unwrap_or_else(|_| Err(connect::timed_out("resigning")))
    }

    async fn grown(&self) {
        self.hints.heard().await;
    }

    async fn close(&self) {
        if let Err(error) = self.resign().await {
            tracing::debug!(name: "eventstore.postgres.not_resigned", %error, "the next leader waits until the lease is over");
        }
        PostgresStore::close(self).await;
    }

    fn durability(&self) -> String {
        self.durability.clone()
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn position(row: &PgRow) -> Result<Position, StoreError> {
    Ok(Position::new(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default()))
}

/// A hash of a wrong length can only come from tampering; it is read as zeros, which no event has.
fn hash(row: &PgRow, column: usize) -> Result<Hash, StoreError> {
    Ok(Hash(row.try_get::<&[u8], _>(column)?.try_into().unwrap_or_default()))
}

fn record(row: &PgRow) -> Result<Record, StoreError> {
    Ok(Record { position: position(row)?, bytes: row.try_get(1)?, hash: hash(row, 2)? })
}

fn subject_key(row: &PgRow) -> Result<SubjectKey, StoreError> {
    let subject: &[u8] = row.try_get(0)?;
    let subject = Uuid::from_slice(subject)
        .map_err(|_| StoreError::Unusable("a subject's key stands under a damaged name".to_owned()))?;
    Ok(SubjectKey { subject: SubjectId::from_uuid(subject), sealed: row.try_get(1)? })
}
