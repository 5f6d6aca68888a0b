//! The rows of the views at one moment, as text, for comparing two databases.
//!
//! Cells are read as SQL literals (`NULL`, `17`, `'text'`, `X'0A'`), the same on every database, whatever a damaged cell
//! holds. The literals of many rows are joined to one text where the rows are read, so that a row costs no round trip
//! and no object.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use flexledger_domain::Position;
use uuid::Uuid;

use crate::database::Snapshot;
use crate::table::{Dialect, Table};
use crate::value::{Key, Value};
use crate::{ViewError, Views};

/// The rows of all views at one moment. While this lives, the database keeps what was replaced since.
pub struct Frozen {
    snapshot: Snapshot,
    dialect: Dialect,
}

/// Where a view stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// The version of its tables.
    pub version: i64,
    /// The newest event in its rows.
    pub position: Position,
    /// The id of that event; none at position 0.
    pub event: Option<Uuid>,
}

/// The key of a row as a literal. Ordered as the databases order keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowKey(Arc<str>);

/// Some rows of a table, one after the other in order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// How many.
    pub rows: u64,
    /// The key of the last one.
    pub last: Option<RowKey>,
    /// The literals of all their cells.
    pub text: Arc<str>,
}

/// One row: a literal per column, the key first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowText(pub Vec<Arc<str>>);

impl RowText {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> RowKey {
        RowKey(self.0.first().cloned().unwrap_or_else(|| "NULL".into()))
    }
}

impl RowKey {
    /// From its literal.
    pub(crate) fn new(literal: &str) -> Self {
        RowKey(literal.into())
    }

    /// The key, when it is one that a view can write.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        if let Ok(number) = self.0.parse() {
            return Some(Key::Int(number));
        }
        let digits = self.0.strip_prefix("X'")?.strip_suffix('\'')?;
        Uuid::try_parse(digits).ok().map(|id| Key::Id(id.into_bytes()))
    }

    /// Numbers first, then texts, then bytes.
    fn class(&self) -> u8 {
        match self.0.bytes().next() {
            Some(b'\'') => 1,
            Some(b'X') => 2,
            _ => 0,
        }
    }

    fn literal(&self, dialect: Dialect) -> String {
        match (dialect, self.0.strip_prefix("X'").and_then(|rest| rest.strip_suffix('\''))) {
            (Dialect::Postgres, Some(digits)) => format!("'\\x{digits}'::BYTEA"),
            _ => self.0.to_string(),
        }
    }
}

impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_class = self.class().cmp(&other.class());
        by_class.then_with(|| match (self.0.parse::<i64>(), other.0.parse::<i64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => self.0.trim_end_matches('\'').cmp(other.0.trim_end_matches('\'')),
        })
    }
}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RowKey {
    /// The number, or the UUID with hyphens; any other literal as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key() {
            Some(key) => fmt::Display::fmt(&key, f),
            None => f.write_str(&self.0),
        }
    }
}

impl Views {
    /// Holds the rows as they are now.
    ///
    /// # Errors
    /// The database's.
    pub async fn freeze(&self) -> Result<Frozen, ViewError> {
        Ok(Frozen { snapshot: self.database.snapshot().await?, dialect: self.database.dialect() })
    }
}

impl Frozen {
    /// Lets go of the rows; a file of the database is closed afterwards.
    pub async fn close(self) {
        self.snapshot.close().await;
    }

    /// Where a view stands; none if it was never filled.
    ///
    /// # Errors
    /// The database's.
    pub async fn stand(&mut self, view: &str) -> Result<Option<Stand>, ViewError> {
        let sql = "SELECT version, position, event FROM view_checkpoints WHERE name = ?";
        let rows = self.snapshot.rows(sql, &[view.into()]).await?;
        let damaged = ViewError::Damaged { table: "view_checkpoints", expected: "a version, a position and an event" };
        match rows.first().map(|row| row.0.as_slice()) {
            None => Ok(None),
            Some([Value::Int(version), Value::Int(at), event]) if *at >= 0 => {
                let event = match event {
                    Value::Id(id) => Some(Uuid::from_bytes(*id)),
                    _ => None,
                };
                Ok(Some(Stand { version: *version, position: Position::new(at.unsigned_abs()), event }))
            }
            Some(_) => Err(damaged),
        }
    }

    /// How a table is made and how it should be (see [`Table::shape`]), if that is not the same.
    ///
    /// # Errors
    /// The database's.
    pub async fn misshapen(&mut self, table: &Table) -> Result<Option<(Vec<String>, Vec<String>)>, ViewError> {
        let (found, wanted) = (self.snapshot.shape(table).await?, table.shape(self.dialect));
        Ok((found != wanted).then_some((found, wanted)))
    }

    /// Rows behind `after`, at most `limit`, as one text.
    ///
    /// # Errors
    /// The database's.
    pub async fn portion(&mut self, table: &Table, after: Option<&RowKey>, limit: u32) -> Result<Portion, ViewError> {
        let condition = condition(table, self.dialect, after, None);
        self.snapshot.portion(table, &condition, limit).await
    }

    /// Rows behind `after` up to and with `to` (to the end if none), at most `limit`.
    ///
    /// # Errors
    /// The database's.
    pub async fn rows(
        &mut self,
        table: &Table,
        after: Option<&RowKey>,
        to: Option<&RowKey>,
        limit: u32,
    ) -> Result<Vec<RowText>, ViewError> {
        let condition = condition(table, self.dialect, after, to);
        self.snapshot.literals(table, &condition, limit).await
    }
}

fn condition(table: &Table, dialect: Dialect, after: Option<&RowKey>, to: Option<&RowKey>) -> String {
    let behind = after.map(|key| format!("{} > {}", table.key(), key.literal(dialect)));
    let until = to.map(|key| format!("{} <= {}", table.key(), key.literal(dialect)));
    let all: Vec<_> = behind.into_iter().chain(until).collect();
    if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> RowKey {
        RowKey(text.into())
    }

    #[test]
    fn keys_are_ordered_as_in_the_database() {
        let ordered = ["-3", "2", "10", "'a'", "'a b'", "X''", "X'00'", "X'00FF'", "X'01'"];
        for pair in ordered.windows(2) {
            assert!(key(pair[0]) < key(pair[1]), "{pair:?}");
        }
        assert_eq!(key("17").key(), Some(Key::Int(17)));
        assert_eq!(key("X'00'").key(), None);
        assert_eq!(key("X'000102030405060708090A0B0C0D0E0F'").to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
