//! Opening the file: settings, schema, and what else may stand there.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Executor, Row};

use crate::port::StoreError;

/// How a log is opened.
#[derive(Debug, Clone)]
pub enum Mode {
    /// To append. There is one writer at a time.
    Writer {
        /// What a second writer is told: who holds the log. See [`super::this_process`].
        holder: String,
    },
    /// To read only, beside a writer or alone.
    Reader,
}

/// Marks the file as a Flexledger log (`FLXL`).
const APPLICATION_ID: i64 = 0x464c_584c;
/// The version of the tables.
const SCHEMA_VERSION: i64 = 1;
/// About twelve events: a batch of a few dozen touches few pages, and one event does not drag many bytes along.
pub(super) const PAGE_BYTES: u32 = 8192;
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS_MAX: u32 = 4;

const SCHEMA: &str = "
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS subject_keys (
    subject BLOB PRIMARY KEY,
    sealed BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS probe (
    id INTEGER PRIMARY KEY,
    filler BLOB NOT NULL
);
PRAGMA application_id = 0x464c584c;
PRAGMA user_version = 1;
COMMIT;
";

/// Opens the connection that writes, making the log when the file is new.
pub(super) async fn writer(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("secure_delete", "ON")
        // No commit waits for the WAL to be moved: see `checkpoint.rs`.
        .pragma("wal_autocheckpoint", "0")
        .statement_cache_capacity(super::append::STATEMENTS)
        .thread_name(|_| "log-writer".to_owned())
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| unusable(path, error))?;
    let state = state(&mut connection).await.map_err(|error| unusable(path, error))?;
    match state {
        State::Log => Ok(connection),
        State::Empty => {
            connection.execute(SCHEMA).await?;
            Ok(connection)
        }
        State::Foreign(why) => Err(foreign(path, &why)),
    }
}

/// Opens the connections that read.
pub(super) async fn readers(path: &Path) -> Result<SqlitePool, StoreError> {
    if !path.exists() {
        let text = format!("there is no log at {}; `flexledger serve` makes one", path.display());
        return Err(StoreError::Unusable(text));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .thread_name(|number| format!("log-reader-{number}"))
        .disable_statement_logging();
    check_log(path, &options).await?;
    let pool = SqlitePoolOptions::new().max_connections(READERS_MAX).min_connections(0);
    Ok(pool.connect_lazy_with(options))
}

async fn check_log(path: &Path, options: &SqliteConnectOptions) -> Result<(), StoreError> {
    let mut connection = options.connect().await.map_err(|error| unusable(path, error))?;
    let state = state(&mut connection).await.map_err(|error| unusable(path, error))?;
    connection.close().await?;
    match state {
        State::Log => Ok(()),
        State::Empty => Err(foreign(path, "it is empty")),
        State::Foreign(why) => Err(foreign(path, &why)),
    }
}

enum State {
    Log,
    Empty,
    Foreign(String),
}

async fn state(connection: &mut SqliteConnection) -> Result<State, sqlx::Error> {
    let application: i64 = connection.fetch_one("PRAGMA application_id").await?.try_get(0)?;
    let version: i64 = connection.fetch_one("PRAGMA user_version").await?.try_get(0)?;
    let tables: i64 = connection.fetch_one("SELECT count(*) FROM sqlite_schema").await?.try_get(0)?;
    Ok(match (application, version, tables) {
        (APPLICATION_ID, SCHEMA_VERSION, _) => State::Log,
        (0, 0, 0) => State::Empty,
        (APPLICATION_ID, other, _) => State::Foreign(format!("its tables have version {other}, not {SCHEMA_VERSION}")),
        _ => State::Foreign("it is a database of something else".to_owned()),
    })
}

fn foreign(path: &Path, why: &str) -> StoreError {
    StoreError::Unusable(format!("{} is no log that this program can use: {why}", path.display()))
}

/// An error of opening, with the place in it.
fn unusable(path: &Path, error: sqlx::Error) -> StoreError {
    StoreError::Unusable(format!("{} cannot be opened as a log: {error}", path.display()))
}
