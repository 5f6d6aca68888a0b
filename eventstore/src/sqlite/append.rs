//! One batch in one transaction.
//!
//! Budget: one disk sync (the commit), whatever the size of the batch. A batch of up to [`ONE_SHOT_ROWS_MAX`] events
//! is one message to the connection's thread: begin, check of the head, rows, commit. A larger one, or one with keys,
//! takes a message for each of these steps and each group of rows. Every text is made once and stays prepared.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use flexledger_domain::Position;
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, Either, Executor, Row};

use super::signed;
use crate::port::{AppendError, Batch, Record, StoreError, SubjectKey};

/// Batches up to this size have a statement of their own size.
const ONE_SHOT_ROWS_MAX: usize = 128;
/// Rows per statement of a larger batch. SQLite allows 32,766 values in one statement.
const GROUP_ROWS: usize = 512;
/// How many texts a connection must keep prepared: both kinds for every small size, and a few more.
pub(super) const STATEMENTS: usize = 2 * ONE_SHOT_ROWS_MAX + 16;

/// The head is checked inside the transaction, where no other writer can move it before the commit. SQLite has no
/// assertion; reading a text that is no JSON is an error that ends the statements here.
const BEGIN: &str = "BEGIN IMMEDIATE; \
     SELECT CASE coalesce((SELECT max(position) FROM events), 0) WHEN ? THEN 1 ELSE json('conflict') END";
const HEAD: &str = "SELECT coalesce(max(position), 0) FROM events";
const INSERT_KEY: &str = "INSERT INTO subject_keys (subject, sealed) VALUES (?, ?)";
/// A write of more than one page that the database cannot leave out.
const PROBE: &str = "REPLACE INTO probe (id, filler) VALUES (1, randomblob(16384))";
/// Statements of a one-shot text before its commit.
const BEFORE_COMMIT: usize = 3;

type Texts = Vec<Arc<str>>;
static INSERTS: LazyLock<Texts> = LazyLock::new(|| (0..=ONE_SHOT_ROWS_MAX).map(|rows| insert(rows).into()).collect());
static ONE_SHOTS: LazyLock<Texts> =
    LazyLock::new(|| (0..=ONE_SHOT_ROWS_MAX).map(|rows| format!("{BEGIN}; {}; COMMIT", insert(rows)).into()).collect());
static INSERT_GROUP: LazyLock<Arc<str>> = LazyLock::new(|| insert(GROUP_ROWS).into());

fn insert(rows: usize) -> String {
    let mut text = "INSERT INTO events (position, body, hash) VALUES ".to_owned();
    for row in 0..rows {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}(?,?,?)", if row > 0 { "," } else { "" });
    }
    text
}

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
    let rows = batch.records.len();
    match ONE_SHOTS.get(rows) {
        Some(text) if rows > 0 && batch.keys.is_empty() => one_shot(conn, expected, batch.records, text).await,
        _ => step_by_step(conn, expected, batch).await,
    }
}

async fn one_shot(
    conn: &mut SqliteConnection,
    expected: Position,
    records: Vec<Record>,
    text: &Arc<str>,
) -> Result<(), Failure> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(1 + records.len() * 3, 0);
    arguments.add(signed(expected.number())).map_err(encoding)?;
    add_records(&mut arguments, records.into_iter())?;
    let (done, result) = run(conn, text, arguments).await;
    match result {
        Ok(()) => Ok(()),
        Err(error) if done >= BEFORE_COMMIT => Err(Failure::Commit(error)),
        Err(error) => Err(conflict_or(conn, expected, error).await),
    }
}

async fn step_by_step(conn: &mut SqliteConnection, expected: Position, batch: Batch) -> Result<(), Failure> {
    if let Err(error) = conn.fetch_one(sqlx::query(BEGIN).bind(signed(expected.number()))).await {
        return Err(conflict_or(conn, expected, error).await);
    }
    if batch.records.is_empty() && batch.keys.is_empty() {
        conn.execute(sqlx::query(PROBE)).await?;
    }
    insert_keys(conn, batch.keys).await?;
    insert_records(conn, batch.records).await?;
    conn.execute(sqlx::query("COMMIT")).await.map_err(Failure::Commit)?;
    Ok(())
}

/// Runs all statements of a text; tells how many were carried out.
async fn run(
    conn: &mut SqliteConnection,
    text: &Arc<str>,
    arguments: SqliteArguments,
) -> (usize, Result<(), sqlx::Error>) {
    let mut results = conn.fetch_many(sqlx::query_with(AssertSqlSafe(text.clone()), arguments));
    let mut done = 0;
    loop {
        match results.try_next().await {
            Ok(Some(Either::Left(_))) => done += 1,
            Ok(Some(Either::Right(_))) => {}
            Ok(None) => return (done, Ok(())),
            Err(error) => return (done, Err(error)),
        }
    }
}

/// What an error before the commit means: if the log does not end at `expected`, another writer was there.
async fn conflict_or(conn: &mut SqliteConnection, expected: Position, error: sqlx::Error) -> Failure {
    let head = conn.fetch_one(HEAD).await.and_then(|row| row.try_get::<i64, _>(0));
    let head = head.ok().and_then(|head| u64::try_from(head).ok()).map(Position::new);
    match head {
        Some(head) if head != expected => Failure::Before(AppendError::Conflict(head)),
        _ => error.into(),
    }
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
    while rest.len() > 0 {
        let (rows, text) = match INSERTS.get(rest.len()) {
            Some(text) => (rest.len(), text),
            None if rest.len() < GROUP_ROWS => (ONE_SHOT_ROWS_MAX, INSERTS.last().unwrap_or(&INSERT_GROUP)),
            None => (GROUP_ROWS, &*INSERT_GROUP),
        };
        let mut arguments = SqliteArguments::default();
        arguments.reserve(rows * 3, 0);
        add_records(&mut arguments, rest.by_ref().take(rows))?;
        run(conn, text, arguments).await.1?;
    }
    Ok(())
}

fn add_records(arguments: &mut SqliteArguments, records: impl Iterator<Item = Record>) -> Result<(), Failure> {
    for record in records {
        let body = String::from_utf8(record.bytes).map_err(|_| not_text(record.position))?;
        arguments.add(signed(record.position.number())).map_err(encoding)?;
        arguments.add(body).map_err(encoding)?;
        arguments.add(record.hash.0.to_vec()).map_err(encoding)?;
    }
    Ok(())
}

fn encoding(error: sqlx::error::BoxDynError) -> Failure {
    sqlx::Error::Encode(error).into()
}

fn not_text(position: Position) -> Failure {
    let text = format!("event {position} is no UTF-8 text");
    Failure::Before(AppendError::Unavailable(StoreError::Unusable(text)))
}
