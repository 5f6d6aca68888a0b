//! One batch in one transaction.
//!
//! Budget, whatever the size of the batch: one disk sync (the commit), and three round trips to the connection's
//! thread plus one for each group of rows. Rows go in groups of a few fixed sizes, so that all statements stay prepared.

use std::sync::{Arc, LazyLock};

use flexledger_domain::Position;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, Executor, Row};

use crate::port::{AppendError, Batch, Record, StoreError, SubjectKey};

/// Rows per statement, largest first; the last must be 1. SQLite allows 32,766 values in one statement.
const GROUPS: [usize; 5] = [512, 128, 32, 8, 1];

struct Group {
    rows: usize,
    sql: Arc<str>,
}

static INSERTS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let group = |rows: usize| {
        let values = vec!["(?,?,?)"; rows].join(",");
        Group { rows, sql: format!("INSERT INTO events (position, body, hash) VALUES {values}").into() }
    };
    GROUPS.into_iter().map(group).collect()
});

/// The head is read inside the transaction: no other writer can move it before the commit.
const BEGIN: &str = "BEGIN IMMEDIATE; SELECT coalesce(max(position), 0) FROM events";
const INSERT_KEY: &str = "INSERT INTO subject_keys (subject, sealed) VALUES (?, ?)";
/// A write of more than one page that the database cannot leave out.
const PROBE: &str = "REPLACE INTO probe (id, filler) VALUES (1, randomblob(16384))";

/// Where a batch failed.
pub(super) enum Failure {
    /// Before the commit: closing or rolling back leaves nothing of it.
    Before(AppendError),
    /// In the commit.
    Commit(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Failure::Before(AppendError::Unavailable(error.into()))
    }
}

/// Stores `batch` after `expected`. After a failure the connection may stand inside the transaction.
pub(super) async fn write(conn: &mut SqliteConnection, expected: Position, batch: Batch) -> Result<(), Failure> {
    let head: i64 = conn.fetch_one(BEGIN).await?.try_get(0)?;
    let head = Position::new(u64::try_from(head).unwrap_or_default());
    if head != expected {
        return Err(Failure::Before(AppendError::Conflict(head)));
    }
    if batch.records.is_empty() && batch.keys.is_empty() {
        conn.execute(sqlx::query(PROBE)).await?;
    }
    insert_keys(conn, batch.keys).await?;
    insert_records(conn, batch.records).await?;
    conn.execute(sqlx::query("COMMIT")).await.map_err(Failure::Commit)?;
    Ok(())
}

async fn insert_keys(conn: &mut SqliteConnection, keys: Vec<SubjectKey>) -> Result<(), Failure> {
    for key in keys {
        let subject = key.subject.uuid().as_bytes().to_vec();
        conn.execute(sqlx::query(INSERT_KEY).bind(subject).bind(key.sealed)).await?;
    }
    Ok(())
}

async fn insert_records(conn: &mut SqliteConnection, records: Vec<Record>) -> Result<(), Failure> {
    let mut rest = records.into_iter();
    for group in INSERTS.iter() {
        while rest.len() >= group.rows {
            let arguments = arguments(rest.by_ref().take(group.rows), group.rows)?;
            conn.execute(sqlx::query_with(AssertSqlSafe(group.sql.clone()), arguments)).await?;
        }
    }
    Ok(())
}

fn arguments(records: impl Iterator<Item = Record>, rows: usize) -> Result<SqliteArguments, Failure> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(rows * 3, 0);
    for record in records {
        let position = i64::try_from(record.position.number()).map_err(|error| encoding(error.into()))?;
        let body = String::from_utf8(record.bytes).map_err(|_| not_text(record.position))?;
        arguments.add(position).map_err(encoding)?;
        arguments.add(body).map_err(encoding)?;
        arguments.add(record.hash.0.to_vec()).map_err(encoding)?;
    }
    Ok(arguments)
}

fn encoding(error: sqlx::error::BoxDynError) -> Failure {
    sqlx::Error::Encode(error).into()
}

fn not_text(position: Position) -> Failure {
    let text = format!("event {position} is no UTF-8 text");
    Failure::Before(AppendError::Unavailable(StoreError::Unusable(text)))
}
