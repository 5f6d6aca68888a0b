//! Views in one SQLite file.
//!
//! Queries go through a pool of the asynchronous driver. Whoever passes over many rows (the [writer](Writer) and
//! [reads of one moment](Snapshot)) has a thread of its own instead.

mod desk;
mod lockstep;
mod pages;
mod snapshot;
mod writer;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Decode, Row as _, Sqlite, TypeInfo, ValueRef};

use super::Row;
use crate::ViewError;
use crate::value::Value;
pub(crate) use pages::Pages;
pub(crate) use snapshot::Snapshot;
pub(super) use writer::index;
pub(crate) use writer::{Writer, bind as bind_cell, insert, rows};

/// Connections that answer queries; one more writes.
const READERS: u32 = 4;

/// Statements that one connection keeps prepared.
const STATEMENTS: usize = 512;

/// The columns of a table, and what hangs on it.
pub(super) const SHAPE: &str = "SELECT shape FROM (SELECT 0 AS part, cid AS place, name || ' ' || type AS shape \
     FROM pragma_table_info(?) UNION ALL SELECT 1, 0, type || ' ' || name || CASE type WHEN 'index' THEN \
     CASE WHEN sql LIKE 'CREATE UNIQUE %' THEN ' unique' ELSE '' END || substr(sql, instr(sql, ' ON ')) ELSE '' END \
     FROM sqlite_schema WHERE tbl_name = ? AND type <> 'table' AND sql IS NOT NULL) ORDER BY part, place, shape";

/// The database of the views, for reading.
#[derive(Clone)]
pub(crate) struct Database {
    readers: SqlitePool,
    path: PathBuf,
    /// Whether the writer waits for the disk at all.
    synced: bool,
}

impl Database {
    /// Names the database at `url`. It is opened at the first query.
    pub fn prepare(url: &str) -> Result<Database, ViewError> {
        let wrong = |error: sqlx::Error| ViewError::Url(format!("{url}: {error}"));
        let reading = SqliteConnectOptions::from_str(url)
            .map_err(wrong)?
            .read_only(true)
            .create_if_missing(false)
            .disable_statement_logging()
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(STATEMENTS)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("cache_size", "-16384");
        let path = reading.get_filename().to_owned();
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(reading);
        Ok(Database { readers, path, synced: true })
    }

    /// The same, written without waiting for the disk: it may be torn after the machine itself went down.
    pub fn unsynced(self) -> Self {
        Database { synced: false, ..self }
    }

    /// A fresh writing connection, after the old one failed.
    pub async fn writer(&self) -> Result<Writer, ViewError> {
        Writer::open(&self.path, self.synced).await
    }

    /// Takes the right to write, so that this database gets the pages of another file. `None` if it cannot.
    pub async fn hold_pages(&self, from: &Path) -> Result<Option<Pages>, ViewError> {
        Pages::hold(from, &self.path).await
    }

    /// All rows that a query answers.
    pub async fn rows(&self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        let rows = sqlx::query_with(AssertSqlSafe(sql.to_owned()), bind(arguments)?).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// A view of the rows as they are at one moment.
    pub async fn snapshot(&self) -> Result<Snapshot, ViewError> {
        Snapshot::open(&self.path).await
    }

    /// Closes the reading connections.
    pub async fn close(&self) {
        self.readers.close().await;
    }
}

fn bind(values: &[Value]) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        let added = match value {
            Value::Null | Value::Keep => arguments.add(None::<i64>),
            Value::Int(number) => arguments.add(*number),
            Value::Text(text) => arguments.add(text.to_string()),
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
