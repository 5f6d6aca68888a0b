//! Views in one SQLite file.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteArguments, SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Connection as _, Decode, Row as _, Sqlite, TypeInfo, ValueRef};

use super::Row;
use crate::ViewError;
use crate::value::Value;

/// Connections that answer queries; one more writes.
const READERS: u32 = 4;

/// Statements that one connection keeps prepared.
const STATEMENTS: usize = 512;

/// The database of the views, for reading.
#[derive(Clone)]
pub(crate) struct Database {
    readers: SqlitePool,
    options: SqliteConnectOptions,
}

/// The connection that writes.
pub(crate) struct Writer {
    connection: SqliteConnection,
}

impl Database {
    /// Names the database at `url`. It is opened at the first query.
    pub fn prepare(url: &str) -> Result<Database, ViewError> {
        let wrong = |error: sqlx::Error| ViewError::Url(format!("{url}: {error}"));
        let options = SqliteConnectOptions::from_str(url)
            .map_err(wrong)?
            .create_if_missing(true)
            .disable_statement_logging()
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(STATEMENTS)
            .journal_mode(SqliteJournalMode::Wal)
            .auto_vacuum(SqliteAutoVacuum::None)
            // Views can be made again from the log, so a commit need not wait for the disk; WAL keeps them whole.
            .synchronous(SqliteSynchronous::Normal)
            .page_size(8192);
        let writing = options
            .clone()
            .pragma("wal_autocheckpoint", "8000")
            .pragma("journal_size_limit", "134217728")
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "memory");
        let reading = options.read_only(true).create_if_missing(false).pragma("cache_size", "-16384");
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(reading);
        Ok(Database { readers, options: writing })
    }

    /// A fresh writing connection, after the old one failed.
    pub async fn writer(&self) -> Result<Writer, sqlx::Error> {
        Ok(Writer { connection: self.options.connect().await? })
    }

    /// All rows that a query answers.
    pub async fn rows(&self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        let rows = sqlx::query_with(AssertSqlSafe(sql.to_owned()), bind(arguments)?).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// A view of the rows as they are at one moment.
    pub async fn snapshot(&self) -> Result<Snapshot, ViewError> {
        Ok(Snapshot { transaction: self.readers.begin().await? })
    }

    /// Closes the reading connections.
    pub async fn close(&self) {
        self.readers.close().await;
    }
}

/// Reads within one transaction, which ends when this is dropped.
pub(crate) struct Snapshot {
    transaction: sqlx::Transaction<'static, Sqlite>,
}

impl Snapshot {
    /// All rows that a query answers.
    pub async fn rows(&mut self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), bind(arguments)?);
        query.fetch_all(&mut *self.transaction).await?.iter().map(read).collect()
    }
}

impl Writer {
    /// Runs one statement and tells how many rows it touched.
    pub async fn execute(&mut self, sql: &Arc<str>, arguments: &[Value]) -> Result<u64, sqlx::Error> {
        let arguments = bind(arguments)?;
        let done = sqlx::query_with(AssertSqlSafe(sql.clone()), arguments).execute(&mut self.connection).await?;
        Ok(done.rows_affected())
    }

    /// All rows that a query answers.
    pub async fn rows(&mut self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), bind(arguments)?);
        query.fetch_all(&mut self.connection).await?.iter().map(read).collect()
    }

    /// Begins, commits or takes back a transaction.
    pub async fn control(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(sql).execute(&mut self.connection).await.map(|_| ())
    }

    /// Closes the connection; what is committed is in the database file then.
    pub async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(name: "views.close", %error, "the connection of the views did not close cleanly");
        }
    }
}

fn bind(values: &[Value]) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        let added = match value {
            Value::Null | Value::Keep => arguments.add(None::<i64>),
            Value::Int(number) => arguments.add(*number),
            Value::Text(text) => arguments.add(text.clone()),
            Value::Id(id) => arguments.add(id.to_vec()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn read(row: &SqliteRow) -> Result<Row, ViewError> {
    let cells = (0..row.len()).map(|at| read_cell(row, at));
    Ok(Row(cells.collect::<Result<_, _>>()?))
}

fn read_cell(row: &SqliteRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().into_owned();
    let value = match kind.name() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(raw).map(Value::Int),
        "TEXT" => <&str as Decode<Sqlite>>::decode(raw).map(Value::from),
        "BLOB" => <&[u8] as Decode<Sqlite>>::decode(raw).and_then(|bytes| Ok(Value::Id(bytes.try_into()?))),
        other => Err(format!("unexpected type {other}").into()),
    };
    value.map_err(sqlx::Error::Decode)
}
