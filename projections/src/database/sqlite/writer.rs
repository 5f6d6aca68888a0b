//! The connection that writes.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, ToSql, params_from_iter};

use super::super::Row;
use super::desk::Desk;
use crate::ViewError;
use crate::table::{Dialect, Table};
use crate::value::Value;

/// Statements that are kept prepared.
const STATEMENTS: usize = 512;

/// Views can be made again from the log, so a commit need not wait for the disk; WAL keeps them whole.
const SETTINGS: &str = "
    PRAGMA page_size = 8192;
    PRAGMA auto_vacuum = NONE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 8000;
    PRAGMA journal_size_limit = 134217728;
    PRAGMA cache_size = -65536;
    PRAGMA temp_store = MEMORY;
";

/// The connection that writes.
pub(crate) struct Writer {
    desk: Desk<Connection>,
}

impl Writer {
    /// Opens the database at `path`, which is made if it is missing.
    pub async fn open(path: &Path, synced: bool) -> Result<Writer, ViewError> {
        let path = path.to_owned();
        let open = move || connect(&path, synced);
        Ok(Writer { desk: Desk::open("views-writer", open).await? })
    }

    /// Does `work` on the connection, in one visit.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        self.desk.run(work).await
    }

    /// Runs one statement and tells how many rows it touched.
    pub async fn execute(&self, sql: &str, arguments: &[Value]) -> Result<u64, ViewError> {
        let (sql, arguments) = (sql.to_owned(), arguments.to_vec());
        self.run(move |connection| {
            let touched = connection.prepare_cached(&sql)?.execute(params_from_iter(arguments))?;
            Ok(touched as u64)
        })
        .await
    }

    /// All rows that a query answers.
    pub async fn rows(&self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        let (sql, arguments) = (sql.to_owned(), arguments.to_vec());
        self.run(move |connection| rows(connection, &sql, arguments)).await
    }

    /// Begins, commits or takes back a transaction.
    pub async fn control(&self, sql: &'static str) -> Result<(), ViewError> {
        self.run(move |connection| Ok(connection.execute_batch(sql)?)).await
    }

    /// Closes the connection; what is committed is in the database file then.
    pub async fn close(self) {
        self.desk.close().await;
    }
}

/// A connection that writes.
pub(super) fn connect(path: &Path, synced: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch(SETTINGS)?;
    if !synced {
        connection.execute_batch("PRAGMA synchronous = OFF")?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// All rows that a query answers.
pub(crate) fn rows(connection: &Connection, sql: &str, arguments: Vec<Value>) -> Result<Vec<Row>, ViewError> {
    let mut statement = connection.prepare_cached(sql)?;
    let width = statement.column_count();
    let mut found = statement.query(params_from_iter(arguments))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let cells = (0..width).map(|at| cell(row.get_ref(at)?));
        rows.push(Row(cells.collect::<Result<_, ViewError>>()?));
    }
    Ok(rows)
}

fn cell(value: ValueRef<'_>) -> Result<Value, ViewError> {
    let wrong = |text: String| ViewError::Database(sqlx::Error::Decode(text.into()));
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(number) => Ok(Value::Int(number)),
        ValueRef::Real(_) => Err(wrong("unexpected type REAL".to_owned())),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map(Value::from).map_err(|error| wrong(error.to_string())),
        ValueRef::Blob(bytes) => bytes.try_into().map(Value::Id).map_err(|_| wrong("not an identifier".to_owned())),
    }
}

/// Adds rows to a table, each with a cell per column; with `replace`, rows with the same key are replaced.
pub(crate) fn insert(connection: &Connection, table: &Table, replace: bool, cells: &[Value]) -> Result<(), ViewError> {
    let mut statement = connection.prepare_cached(&table.insert(Dialect::Sqlite, replace))?;
    for row in cells.chunks(table.columns.len().max(1)) {
        for (place, cell) in row.iter().enumerate() {
            bind(&mut statement, place + 1, cell)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

/// Makes indexes over rows that are there.
pub(crate) fn index(connection: &Connection, all: &[String]) -> Result<(), ViewError> {
    let make = |settings: &str| {
        connection.execute_batch(settings)?;
        all.iter().try_for_each(|sql| connection.execute_batch(sql))
    };
    // Sorted in portions that the processor's own memory holds, which are merged from files, this takes a quarter of the
    // time of one large sort. Where no temporary file can be made, that has to do.
    let made =
        make("PRAGMA temp_store = FILE; PRAGMA cache_size = -2048").or_else(|_| make("PRAGMA temp_store = MEMORY"));
    connection.execute_batch(SETTINGS)?;
    Ok(made?)
}

/// Sets the parameter at a place; the first is 1.
pub(crate) fn bind(statement: &mut CachedStatement<'_>, at: usize, value: &Value) -> Result<(), ViewError> {
    Ok(statement.raw_bind_parameter(at, value)?)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null | Value::Keep => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Id(id) => ValueRef::Blob(id),
        }))
    }
}
