//! Views in a schema of a PostgreSQL database.
//!
//! `postgres://…/database?schema=name` names the schema; `flexledger_views` if none is named. One process keeps the
//! views of a schema, held by a lock of its writing session; every node has a schema (or a file) of its own. Rows are
//! written as one array per column, so a statement is prepared once whatever the number of rows.
//!
//! PostgreSQL keeps no text with a NUL in it. Such a text is stored with the rarest of all characters as an escape.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{
    Arguments, AssertSqlSafe, ConnectOptions, Connection as _, Decode, Executor, Postgres, Row as _, TypeInfo, ValueRef,
};

use super::Row;
use crate::ViewError;
use crate::frozen::{Portion, RowKey, RowText};
use crate::table::{Column, Dialect, Kind, Table};
use crate::value::Value;

const SCHEMA: &str = "flexledger_views";
const SCHEMA_LENGTH_MAX: usize = 63;

/// Connections that answer queries; one more writes.
const READERS: u32 = 8;
const READER_WAIT: Duration = Duration::from_secs(5);
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Statements that one connection keeps prepared.
const STATEMENTS: usize = 512;

/// Rows are found by their keys, however many: without statistics the planner would read whole tables. Views can be
/// made again from the log, so a commit need not wait for the disk; PostgreSQL keeps them whole.
const WRITING: [(&str, &str); 6] = [
    ("synchronous_commit", "off"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("client_min_messages", "error"),
];
const READING: [(&str, &str); 3] =
    [("default_transaction_read_only", "on"), ("statement_timeout", "30s"), ("random_page_cost", "1.1")];

const HOLD: &str = "SELECT pg_try_advisory_lock(1179403094, hashtext(current_schema()))";
/// A killed process may hold the views a moment longer.
const HOLD_TRIES: u32 = 30;
const HOLD_PAUSE: Duration = Duration::from_millis(100);

/// The columns of a table, and what hangs on it.
pub(super) const SHAPE: &str = "SELECT shape FROM (SELECT 0 AS part, ordinal_position::INT AS place, \
     column_name || ' ' || upper(data_type) AS shape FROM information_schema.columns \
     WHERE table_schema = current_schema() AND table_name = ? UNION ALL SELECT 1, 0, 'index ' || indexname \
     FROM pg_indexes WHERE schemaname = current_schema() AND tablename = ? AND indexname NOT LIKE '%_pkey') AS shapes \
     ORDER BY part, place, shape COLLATE \"C\"";

/// Marks an escaped character: the last one of Unicode, which means nothing.
const ESCAPE: char = '\u{10ffff}';

const ONE_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The database, for reading.
#[derive(Clone)]
pub(crate) struct Database {
    readers: PgPool,
    options: PgConnectOptions,
    schema: Arc<str>,
}

/// The connection that writes, made at the first use.
pub(crate) struct Writer {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// Whether it keeps the views, alone.
    keeps: bool,
}

/// Reads within one transaction, which ends when this is dropped.
pub(crate) struct Snapshot {
    transaction: sqlx::Transaction<'static, Postgres>,
}

impl Database {
    /// Names the database at `url`.
    pub fn prepare(url: &str) -> Result<Database, ViewError> {
        flexledger_eventstore::tls::choose();
        let (url, schema) = schema_of(url)?;
        // An error of the URL names what is wrong, not what stands there: it may be a password.
        let wrong = |error: sqlx::Error| ViewError::Url(format!("postgres: {error}"));
        let options = PgConnectOptions::from_str(&url)
            .map_err(wrong)?
            .application_name("flexledger-views")
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging()
            .options([("search_path", schema.as_str())]);
        let readers = PgPoolOptions::new().max_connections(READERS).acquire_timeout(READER_WAIT);
        let readers = readers.connect_lazy_with(options.clone().options(READING));
        Ok(Database { readers, options: options.options(WRITING), schema: schema.into() })
    }

    /// Makes the schema if it is missing.
    pub async fn make(&self) -> Result<(), ViewError> {
        let mut connection = connect(&self.options).await?;
        let there = sqlx::query("SELECT 1 FROM pg_namespace WHERE nspname = $1").bind(&*self.schema);
        if connection.fetch_optional(there).await?.is_none() {
            // The name holds letters, digits and underscores only.
            let sql = format!("CREATE SCHEMA IF NOT EXISTS {}", self.schema);
            connection.execute(AssertSqlSafe(sql)).await?;
        }
        connection.close().await?;
        Ok(())
    }

    /// A writing connection, to be made.
    pub fn writer(&self) -> Writer {
        Writer { options: self.options.clone(), connection: None, keeps: true }
    }

    /// A writing connection beside the one that keeps the views.
    pub fn visitor(&self) -> Writer {
        Writer { keeps: false, ..self.writer() }
    }

    pub async fn rows(&self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        let sql = Dialect::Postgres.query(sql);
        let rows = sqlx::query_with(AssertSqlSafe(sql), bind(arguments)?).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    pub async fn snapshot(&self) -> Result<Snapshot, ViewError> {
        Ok(Snapshot { transaction: self.readers.begin_with(ONE_MOMENT).await? })
    }

    pub async fn close(&self) {
        self.readers.close().await;
    }
}

impl Snapshot {
    pub async fn rows(&mut self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        let sql = Dialect::Postgres.query(sql);
        let query = sqlx::query_with(AssertSqlSafe(sql), bind(arguments)?);
        query.fetch_all(&mut *self.transaction).await?.iter().map(read).collect()
    }

    /// Rows in order of their keys as one text, which the server joins.
    pub async fn portion(&mut self, table: &Table, condition: &str, limit: u32) -> Result<Portion, ViewError> {
        let rows = self.rows(&portion_sql(table, condition, limit), &[]).await?;
        match rows.first().map(|row| row.0.as_slice()) {
            Some([Value::Int(rows), Value::Text(last), Value::Text(text)]) => {
                Ok(Portion { rows: rows.unsigned_abs(), last: Some(RowKey::new(last)), text: text.clone().into() })
            }
            _ => Ok(Portion { rows: 0, last: None, text: "".into() }),
        }
    }

    /// Rows in order of their keys, a literal per cell.
    pub async fn literals(&mut self, table: &Table, condition: &str, limit: u32) -> Result<Vec<RowText>, ViewError> {
        let cells: Vec<_> = table.columns.iter().map(quoted).collect();
        let (cells, key) = (cells.join(", "), table.key());
        let sql = format!("SELECT {cells} FROM {}{condition} ORDER BY {key} LIMIT {limit}", table.name);
        let text = |cell: Value| match cell {
            Value::Text(text) => text.into(),
            _ => "NULL".into(),
        };
        Ok(self.rows(&sql, &[]).await?.into_iter().map(|row| RowText(row.0.into_iter().map(text).collect())).collect())
    }
}

fn portion_sql(table: &Table, condition: &str, limit: u32) -> String {
    let mut row = String::new();
    for (at, column) in table.columns.iter().enumerate() {
        let comma = if at > 0 { " || ',' || " } else { "" };
        // Writing into a text cannot fail.
        let _ = write!(row, "{comma}{}", quoted(column));
    }
    let (name, key) = (table.name, table.key());
    let key_text = table.columns.first().map(quoted).unwrap_or_default();
    format!(
        "SELECT count(*), (array_agg(l ORDER BY k DESC))[1], string_agg(r, ';' ORDER BY k) FROM \
         (SELECT {key} AS k, {key_text} AS l, {row} AS r FROM {name}{condition} ORDER BY {key} LIMIT {limit}) AS rows"
    )
}

/// A cell as a literal, spelled as SQLite's are.
fn quoted(column: &Column) -> String {
    let name = column.name;
    let text = match column.kind {
        Kind::Id => format!("'X''' || upper(encode({name}, 'hex')) || ''''"),
        Kind::Int | Kind::Instant | Kind::Date | Kind::Bool | Kind::Seal => format!("{name}::TEXT"),
        Kind::Text | Kind::Amount | Kind::Personal => {
            format!("'''' || replace({name}, '''', '''''') || ''''")
        }
    };
    format!("coalesce({text}, 'NULL')")
}

impl Writer {
    /// Connects, waiting a little for a process that is just going away.
    ///
    /// # Errors
    /// When another process keeps these views.
    pub async fn hold(&mut self) -> Result<(), sqlx::Error> {
        let mut tries = 0;
        loop {
            match self.connection().await {
                Ok(_) => return Ok(()),
                Err(error @ sqlx::Error::Configuration(_)) if tries >= HOLD_TRIES => return Err(error),
                Err(sqlx::Error::Configuration(_)) => {
                    tries += 1;
                    tokio::time::sleep(HOLD_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let mut connection = connect(&self.options).await?;
                if self.keeps && !connection.fetch_one(HOLD).await?.try_get::<bool, _>(0)? {
                    let text =
                        "another process keeps these views: give every node its own, with ?schema=<name> or a file";
                    return Err(sqlx::Error::Configuration(text.into()));
                }
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    pub async fn execute(&mut self, sql: &str, arguments: &[Value]) -> Result<u64, sqlx::Error> {
        let sql = Dialect::Postgres.query(sql);
        let query = sqlx::query_with(AssertSqlSafe(sql), bind(arguments)?);
        Ok(self.connection().await?.execute(query).await?.rows_affected())
    }

    /// Runs a bulk statement with an array per kind.
    pub async fn write(&mut self, sql: &Arc<str>, kinds: &[Kind], cells: &[Value]) -> Result<u64, sqlx::Error> {
        let mut arguments = PgArguments::default();
        for (at, kind) in kinds.iter().enumerate() {
            let column = cells.iter().skip(at).step_by(kinds.len().max(1));
            add_column(&mut arguments, *kind, column).map_err(sqlx::Error::Encode)?;
        }
        let query = sqlx::query_with(AssertSqlSafe(sql.clone()), arguments);
        Ok(self.connection().await?.execute(query).await?.rows_affected())
    }

    pub async fn rows(&mut self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        let sql = Dialect::Postgres.query(sql);
        let query = sqlx::query_with(AssertSqlSafe(sql), bind(arguments)?);
        self.connection().await?.fetch_all(query).await?.iter().map(read).collect()
    }

    pub async fn control(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.connection().await?.execute(sql).await.map(|_| ())
    }

    pub async fn close(self) {
        let Some(connection) = self.connection else { return };
        // A connection that is in the middle of something is cut off by the server in time; it is not waited for.
        let closed = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::debug!(name: "views.close", "the connection of the views did not close cleanly");
        }
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connected = tokio::time::timeout(CONNECT_WAIT, options.connect()).await;
    connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Takes the schema out of a URL.
fn schema_of(url: &str) -> Result<(String, String), ViewError> {
    let Some((place, parameters)) = url.split_once('?') else { return Ok((url.to_owned(), SCHEMA.to_owned())) };
    let (named, rest): (Vec<&str>, Vec<&str>) = parameters.split('&').partition(|part| part.starts_with("schema="));
    let schema = named.last().and_then(|part| part.strip_prefix("schema=")).unwrap_or(SCHEMA);
    let letters = schema.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let begins = schema.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if !letters || !begins || schema.len() > SCHEMA_LENGTH_MAX {
        return Err(ViewError::Url("postgres: a schema's name holds a to z, 0 to 9 and _".to_owned()));
    }
    let rest = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    Ok((format!("{place}{rest}"), schema.to_owned()))
}

fn bind(values: &[Value]) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        let added = match value {
            Value::Null | Value::Keep => arguments.add(None::<i64>),
            Value::Int(number) => arguments.add(*number),
            Value::Text(text) => arguments.add(escaped(text).as_ref()),
            Value::Id(id) => arguments.add(id.as_slice()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn add_column<'a>(
    arguments: &mut PgArguments,
    kind: Kind,
    cells: impl Iterator<Item = &'a Value>,
) -> Result<(), sqlx::error::BoxDynError> {
    match kind {
        Kind::Int | Kind::Instant | Kind::Date | Kind::Bool | Kind::Seal => {
            arguments.add(cells.map(int).collect::<Result<Vec<Option<i64>>, _>>()?)
        }
        Kind::Id => arguments.add(cells.map(id).collect::<Result<Vec<Option<&[u8]>>, _>>()?),
        Kind::Text | Kind::Amount | Kind::Personal => {
            arguments.add(cells.map(text).collect::<Result<Vec<Option<Cow<'_, str>>>, _>>()?)
        }
    }
}

fn int(value: &Value) -> Result<Option<i64>, sqlx::error::BoxDynError> {
    match value {
        Value::Null => Ok(None),
        Value::Int(number) => Ok(Some(*number)),
        other => Err(format!("a number was expected, not {other:?}").into()),
    }
}

fn id(value: &Value) -> Result<Option<&[u8]>, sqlx::error::BoxDynError> {
    match value {
        Value::Null => Ok(None),
        Value::Id(id) => Ok(Some(id)),
        other => Err(format!("a UUID was expected, not {other:?}").into()),
    }
}

fn text(value: &Value) -> Result<Option<Cow<'_, str>>, sqlx::error::BoxDynError> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(escaped(text))),
        Value::Int(_) | Value::Id(_) | Value::Keep => Err("a text was expected".into()),
    }
}

/// A text as PostgreSQL can keep it.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => out.extend([ESCAPE, '0']),
            ESCAPE => out.extend([ESCAPE, '1']),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// The text that was escaped.
fn unescaped(text: &str) -> Arc<str> {
    if !text.contains(ESCAPE) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let meant = if character == ESCAPE {
            characters.next().map(|code| if code == '0' { '\0' } else { ESCAPE })
        } else {
            Some(character)
        };
        out.extend(meant);
    }
    out.into()
}

fn read(row: &PgRow) -> Result<Row, ViewError> {
    let cells = (0..row.len()).map(|at| read_cell(row, at));
    Ok(Row(cells.collect::<Result<_, _>>()?))
}

fn read_cell(row: &PgRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().into_owned();
    let value = match kind.name() {
        "INT8" => <i64 as Decode<Postgres>>::decode(raw).map(Value::Int),
        "INT4" => <i32 as Decode<Postgres>>::decode(raw).map(|number| Value::Int(number.into())),
        "BOOL" => <bool as Decode<Postgres>>::decode(raw).map(Value::from),
        "TEXT" | "VARCHAR" => <&str as Decode<Postgres>>::decode(raw).map(|text| Value::Text(unescaped(text).into())),
        "BYTEA" => <&[u8] as Decode<Postgres>>::decode(raw).and_then(|bytes| Ok(Value::Id(bytes.try_into()?))),
        other => Err(format!("unexpected type {other}").into()),
    };
    value.map_err(sqlx::Error::Decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were() {
        for text in ["", "plain", "a\0b", "\u{10ffff}", "\0\u{10ffff}0\u{10ffff}1\0"] {
            assert!(!escaped(text).contains('\0'));
            assert_eq!(&*unescaped(&escaped(text)), text);
        }
    }

    #[test]
    fn the_schema_is_taken_out_of_the_url() {
        let read = |url: &str| schema_of(url).ok();
        let pair = |url: &str, schema: &str| Some((url.to_owned(), schema.to_owned()));
        assert_eq!(read("postgres://h/d"), pair("postgres://h/d", SCHEMA));
        assert_eq!(read("postgres://h/d?schema=n1"), pair("postgres://h/d", "n1"));
        assert_eq!(read("postgres://h/d?sslmode=disable&schema=a_b"), pair("postgres://h/d?sslmode=disable", "a_b"));
        for wrong in ["a-b", "", "1a", "A", "a;drop"] {
            assert_eq!(read(&format!("postgres://h/d?schema={wrong}")), None);
        }
    }
}
