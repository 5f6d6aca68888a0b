//! Numbers that concern all views: which making of the tables this is, and what was reconciled last.

use flexledger_domain::{Instant, Position};
use rusqlite::Connection;

use crate::database::{Row, Writer, rows_on};
use crate::table::{Column, Dialect, Kind, Table, column, optional};
use crate::value::Value;
use crate::{ViewError, Views};

pub(crate) static MARKS: Table = Table { name: "view_marks", columns: COLUMNS, indexes: &[], seals: &[] };

const COLUMNS: &[Column] = &[column("name", Kind::Text), column("number", Kind::Int), optional("at", Kind::Instant)];

/// Grows with each switch to rebuilt tables: what a program remembers of the old ones counts no longer.
const GENERATION: &str = "generation";
const RECONCILED: &str = "reconciled";

/// How many marks there are that nobody writes, on SQLite.
pub(crate) const STRANGE: &str = "SELECT count(*) FROM view_marks WHERE typeof(name) <> 'text' \
     OR typeof(number) <> 'integer' OR typeof(at) NOT IN ('integer', 'null')";

/// All other marks, on SQLite.
pub(crate) const SOUND: &str = "SELECT name, number, at FROM view_marks WHERE typeof(name) = 'text' \
     AND typeof(number) = 'integer' AND typeof(at) IN ('integer', 'null')";

/// Sets the generation beyond a number.
pub(crate) async fn generation_beyond(writer: &mut Writer, least: i64) -> Result<(), ViewError> {
    writer.execute("DELETE FROM view_marks WHERE name = ?", &[GENERATION.into()]).await?;
    writer.execute(SET, &[GENERATION.into(), Value::Int(least.saturating_add(1)), Value::Null]).await?;
    Ok(())
}

/// The generation among rows of the marks; none if it is not there.
pub(crate) fn generation_in(rows: &[Row]) -> Option<i64> {
    rows.iter().find_map(|row| match row.0.as_slice() {
        [Value::Text(name), Value::Int(number), ..] if name == GENERATION => Some(*number),
        _ => None,
    })
}

const SET: &str = "INSERT INTO view_marks (name, number, at) VALUES (?, ?, ?) \
                   ON CONFLICT (name) DO UPDATE SET number = excluded.number, at = excluded.at";
const GET: &str = "SELECT number, at FROM view_marks WHERE name = ?";

/// Makes the table where it is missing.
pub(crate) async fn make(writer: &mut Writer) -> Result<(), ViewError> {
    for sql in MARKS.create(writer.dialect()) {
        writer.execute(&sql, &[]).await?;
    }
    // The row must be there to be locked.
    let sql = "INSERT INTO view_marks (name, number) VALUES (?, 0) ON CONFLICT (name) DO NOTHING";
    writer.execute(sql, &[GENERATION.into()]).await?;
    Ok(())
}

/// The present generation. Within a transaction it stays the present one until that ends.
pub(crate) async fn generation(writer: &mut Writer) -> Result<i64, ViewError> {
    let sql = match writer.dialect() {
        Dialect::Sqlite => GET.to_owned(),
        Dialect::Postgres => format!("{GET} FOR SHARE"),
    };
    let rows = writer.rows(&sql, &[GENERATION.into()]).await?;
    stored(&rows).ok_or(ViewError::Damaged { table: MARKS.name, expected: "a number" })
}

/// The present generation, on a connection of SQLite; `None` for one that is no number.
pub(crate) fn generation_on(connection: &Connection) -> Result<Option<i64>, ViewError> {
    Ok(stored(&rows_on(connection, GET, vec![GENERATION.into()])?))
}

fn stored(rows: &[Row]) -> Option<i64> {
    match rows.first().map(|row| row.0.as_slice()) {
        None => Some(0),
        Some([Value::Int(generation), ..]) => Some(*generation),
        Some(_) => None,
    }
}

/// Begins the next generation.
pub(crate) async fn next_generation(writer: &mut Writer) -> Result<(), ViewError> {
    let sql = "INSERT INTO view_marks (name, number) VALUES (?, 1) \
               ON CONFLICT (name) DO UPDATE SET number = view_marks.number + 1, at = NULL";
    writer.execute(sql, &[GENERATION.into()]).await?;
    Ok(())
}

/// Notes that the views at `url` were reconciled up to `position`: one small write.
///
/// # Errors
/// The database's.
pub async fn set_reconciled(url: &str, position: Position, at: Instant) -> Result<(), ViewError> {
    let mut writer = crate::database::Database::prepare(url)?.visitor().await?;
    make(&mut writer).await?;
    let arguments = [RECONCILED.into(), crate::value::position(position), at.into()];
    writer.execute(SET, &arguments).await?;
    writer.close().await;
    Ok(())
}

impl Views {
    /// The position that was reconciled last, and when; none if it never was.
    ///
    /// # Errors
    /// The database's.
    pub async fn reconciled(&self) -> Result<Option<(Position, Instant)>, ViewError> {
        let row = self.database.row(GET, &[RECONCILED.into()]).await?;
        match row.as_ref().map(|row| row.0.as_slice()) {
            Some([Value::Int(position), Value::Int(at)]) => {
                Ok(Some((Position::new(position.unsigned_abs()), Instant::from_micros(*at))))
            }
            _ => Ok(None),
        }
    }
}
