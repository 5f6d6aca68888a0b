//! The one place that knows which database holds the views.

mod postgres;
mod sqlite;

use std::path::Path;
use std::sync::Arc;

use crate::ViewError;
use crate::frozen::{Portion, RowText};
use crate::table::{Dialect, Kind, Table};
use crate::value::Value;
use sqlite::index;
pub(crate) use sqlite::{Pages, bind_cell, insert, rows as rows_on};

/// The database of the views, for reading.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(sqlite::Database),
    Postgres(Box<postgres::Database>),
}

/// The connection that writes.
pub(crate) enum Writer {
    Sqlite(sqlite::Writer),
    Postgres(Box<postgres::Writer>),
}

/// Reads of one moment; they end when this is dropped.
pub(crate) enum Snapshot {
    Sqlite(sqlite::Snapshot),
    Postgres(postgres::Snapshot),
}

/// One row that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row(pub Vec<Value>);

impl Database {
    /// The same database, written without waiting for the disk. PostgreSQL keeps rows whole all the same.
    pub fn unsynced(self) -> Self {
        match self {
            Database::Sqlite(database) => Database::Sqlite(database.unsynced()),
            Database::Postgres(database) => Database::Postgres(database),
        }
    }

    /// Makes what is missing of the database, and connects to write.
    pub async fn open(self) -> Result<(Database, Writer), ViewError> {
        let database = self;
        if let Database::Postgres(postgres) = &database {
            postgres.make().await?;
        }
        let mut writer = database.writer().await?;
        if let Writer::Postgres(writer) = &mut writer {
            writer.hold().await?;
        }
        Ok((database, writer))
    }

    /// Names the database at `url`. It is opened at the first query.
    pub fn prepare(url: &str) -> Result<Database, ViewError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => sqlite::Database::prepare(url).map(Database::Sqlite),
            Some("postgres" | "postgresql") => postgres::Database::prepare(url).map(Box::new).map(Database::Postgres),
            // A URL may hold a password: only its scheme is repeated.
            scheme => Err(ViewError::Url(scheme.unwrap_or("no URL").to_owned())),
        }
    }

    /// A fresh writing connection, after the old one failed.
    pub async fn writer(&self) -> Result<Writer, ViewError> {
        match self {
            Database::Sqlite(database) => database.writer().await.map(Writer::Sqlite),
            Database::Postgres(database) => Ok(Writer::Postgres(Box::new(database.writer()))),
        }
    }

    /// A writing connection for one small job beside the program that keeps the views. What is missing of the database
    /// itself is made; the rows are guarded by the generation (see [`crate::marks`]).
    pub async fn visitor(&self) -> Result<Writer, ViewError> {
        match self {
            Database::Sqlite(database) => Ok(Writer::Sqlite(database.writer().await?)),
            Database::Postgres(database) => {
                database.make().await?;
                Ok(Writer::Postgres(Box::new(database.visitor())))
            }
        }
    }

    /// Takes the right to write, so that the whole database becomes what an SQLite file is. `None` where that cannot be.
    pub async fn hold_pages(&self, from: &Path) -> Result<Option<Pages>, ViewError> {
        match self {
            Database::Sqlite(database) => database.hold_pages(from).await,
            Database::Postgres(_) => Ok(None),
        }
    }

    /// The dialect that this database speaks.
    pub fn dialect(&self) -> Dialect {
        match self {
            Database::Sqlite(_) => Dialect::Sqlite,
            Database::Postgres(_) => Dialect::Postgres,
        }
    }

    /// All rows that a query, written with `?`, answers.
    pub async fn rows(&self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        match self {
            Database::Sqlite(database) => database.rows(sql, arguments).await,
            Database::Postgres(database) => database.rows(sql, arguments).await,
        }
    }

    /// The first row that a query answers.
    pub async fn row(&self, sql: &str, arguments: &[Value]) -> Result<Option<Row>, ViewError> {
        Ok(self.rows(sql, arguments).await?.into_iter().next())
    }

    /// A view of the rows as they are at one moment.
    pub async fn snapshot(&self) -> Result<Snapshot, ViewError> {
        match self {
            Database::Sqlite(database) => database.snapshot().await.map(Snapshot::Sqlite),
            Database::Postgres(database) => database.snapshot().await.map(Snapshot::Postgres),
        }
    }

    /// Closes the reading connections.
    pub async fn close(&self) {
        match self {
            Database::Sqlite(database) => database.close().await,
            Database::Postgres(database) => database.close().await,
        }
    }
}

impl Snapshot {
    /// Ends the reading, and waits for it.
    pub async fn close(self) {
        match self {
            Snapshot::Sqlite(snapshot) => snapshot.close().await,
            // Nothing but memory of the server is held.
            Snapshot::Postgres(snapshot) => drop(snapshot),
        }
    }

    /// All rows that a query, written with `?`, answers.
    pub async fn rows(&mut self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        match self {
            Snapshot::Sqlite(snapshot) => snapshot.rows(sql, arguments).await,
            Snapshot::Postgres(snapshot) => snapshot.rows(sql, arguments).await,
        }
    }

    /// Rows of a table in order of their keys, those that match `condition`, at most `limit`, as one text.
    pub async fn portion(&mut self, table: &Table, condition: &str, limit: u32) -> Result<Portion, ViewError> {
        match self {
            Snapshot::Sqlite(snapshot) => snapshot.portion(table.part(condition, limit)).await,
            Snapshot::Postgres(snapshot) => snapshot.portion(table, condition, limit).await,
        }
    }

    /// How a table is made, as the database tells it: each column with its type, and the names of its indexes and
    /// triggers. Nothing for a table that is missing.
    pub async fn shape(&mut self, table: &Table) -> Result<Vec<String>, ViewError> {
        let sql = match self {
            Snapshot::Sqlite(_) => sqlite::SHAPE,
            Snapshot::Postgres(_) => postgres::SHAPE,
        };
        let name = Value::from(table.name);
        let text = |row: Row| match row.0.as_slice() {
            [Value::Text(text)] => text.to_string(),
            _ => String::new(),
        };
        Ok(self.rows(sql, &[name.clone(), name]).await?.into_iter().map(text).collect())
    }

    /// The same rows, a literal per cell.
    pub async fn literals(&mut self, table: &Table, condition: &str, limit: u32) -> Result<Vec<RowText>, ViewError> {
        match self {
            Snapshot::Sqlite(snapshot) => snapshot.literals(table.part(condition, limit)).await,
            Snapshot::Postgres(snapshot) => snapshot.literals(table, condition, limit).await,
        }
    }

    /// Rows of a table in order of their keys, those behind `after`, at most `limit`.
    pub async fn page(&mut self, table: &Table, after: Option<&Value>, limit: u32) -> Result<Vec<Row>, ViewError> {
        let sql = table.page(None, after.is_some());
        let arguments: Vec<_> = after.cloned().into_iter().chain([Value::Int(i64::from(limit))]).collect();
        self.rows(&sql, &arguments).await
    }
}

impl Writer {
    /// The dialect of its database.
    pub fn dialect(&self) -> Dialect {
        match self {
            Writer::Sqlite(_) => Dialect::Sqlite,
            Writer::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs one statement, written with `?`, and tells how many rows it touched.
    pub async fn execute(&mut self, sql: &str, arguments: &[Value]) -> Result<u64, ViewError> {
        match self {
            Writer::Sqlite(writer) => writer.execute(sql, arguments).await,
            Writer::Postgres(writer) => Ok(writer.execute(sql, arguments).await?),
        }
    }

    /// Makes indexes over rows that are there.
    pub async fn index(&mut self, all: Vec<String>) -> Result<(), ViewError> {
        match self {
            Writer::Sqlite(writer) => writer.run(move |connection| index(connection, &all)).await,
            Writer::Postgres(writer) => {
                for sql in all {
                    writer.execute(&sql, &[]).await?;
                }
                Ok(())
            }
        }
    }

    /// Adds rows to a table: `cells` are the rows one after the other, each with a cell per column.
    pub async fn insert(&mut self, table: &'static Table, cells: Vec<Value>) -> Result<(), ViewError> {
        match self {
            Writer::Sqlite(writer) => writer.run(move |connection| insert(connection, table, false, &cells)).await,
            Writer::Postgres(_) => {
                let kinds: Vec<Kind> = table.columns.iter().map(|column| column.kind).collect();
                self.write(&table.insert(Dialect::Postgres, false).into(), &kinds, &cells).await.map(|_| ())
            }
        }
    }

    /// Runs a bulk statement of PostgreSQL: `cells` are the rows one after the other, each with a cell per kind. Tells how
    /// many rows it touched.
    pub async fn write(&mut self, sql: &Arc<str>, kinds: &[Kind], cells: &[Value]) -> Result<u64, ViewError> {
        match self {
            Writer::Sqlite(writer) => writer.execute(sql, cells).await,
            Writer::Postgres(writer) => Ok(writer.write(sql, kinds, cells).await?),
        }
    }

    /// All rows that a query, written with `?`, answers.
    pub async fn rows(&mut self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        match self {
            Writer::Sqlite(writer) => writer.rows(sql, arguments).await,
            Writer::Postgres(writer) => writer.rows(sql, arguments).await,
        }
    }

    /// Rows of a table in order of their keys, those behind `after`, at most `limit`.
    pub async fn page(
        &mut self,
        table: &Table,
        filter: Option<&str>,
        after: Option<&Value>,
        limit: usize,
    ) -> Result<Vec<Row>, ViewError> {
        let sql = table.page(filter, after.is_some());
        let limit = Value::Int(i64::try_from(limit).unwrap_or(i64::MAX));
        let arguments: Vec<_> = after.cloned().into_iter().chain([limit]).collect();
        self.rows(&sql, &arguments).await
    }

    /// Begins a transaction for writing.
    pub async fn begin(&mut self) -> Result<(), ViewError> {
        self.control(match self {
            Writer::Sqlite(_) => "BEGIN IMMEDIATE",
            Writer::Postgres(_) => "BEGIN",
        })
        .await
    }

    /// Commits the transaction or takes it back: `COMMIT`, `ROLLBACK`.
    pub async fn control(&mut self, sql: &'static str) -> Result<(), ViewError> {
        match self {
            Writer::Sqlite(writer) => writer.control(sql).await,
            Writer::Postgres(writer) => Ok(writer.control(sql).await?),
        }
    }

    /// Closes the connection; what is committed is in the database then.
    pub async fn close(self) {
        match self {
            Writer::Sqlite(writer) => writer.close().await,
            Writer::Postgres(writer) => writer.close().await,
        }
    }
}
