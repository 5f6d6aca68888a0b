//! Reading the rows of a view as they are, in order of their keys: for digests, and for comparing two databases.

use std::fmt;

use flexledger_domain::Position;
use flexledger_eventstore::Hash;
use sha2::{Digest as _, Sha256};

use crate::table::{Column, Table};
use crate::value::{Key, Value};
use crate::views::all;
use crate::{ViewError, Views};

/// Rows read at once.
const CHUNK: u32 = 4096;

/// All rows of a view in one hash: two databases with the same digest hold the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewDigest {
    /// The newest event in the rows.
    pub position: Position,
    /// How many rows there are, in all tables of the view.
    pub rows: u64,
    /// SHA-256 over the tables and their cells in order of their keys.
    pub hash: Hash,
}

/// One row: a cell per column of its table, the key first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow(pub Vec<Value>);

impl TableRow {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        self.0.first().and_then(Value::key)
    }
}

impl fmt::Display for Key {
    /// The number, or the UUID with hyphens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Int(number) => fmt::Display::fmt(number, f),
            Key::Id(id) => fmt::Display::fmt(&uuid::Uuid::from_bytes(*id), f),
        }
    }
}

/// The names of all views.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().iter().map(|(name, _)| *name)
}

/// The tables of a view; none for a name that is not one.
#[must_use]
pub fn tables(view: &str) -> &'static [&'static Table] {
    let found = all().iter().find(|(name, _)| *name == view);
    found.map(|(_, make)| make().tables()).unwrap_or_default()
}

impl Views {
    /// The digest of all rows of a view, of one moment even while the view goes on. Memory does not grow with the rows.
    ///
    /// # Errors
    /// [`ViewError::Unknown`], or the database's.
    pub async fn digest(&self, view: &str) -> Result<ViewDigest, ViewError> {
        if tables(view).is_empty() {
            return Err(ViewError::Unknown(view.to_owned()));
        }
        let mut snapshot = self.database.snapshot().await?;
        let sql = "SELECT position FROM view_checkpoints WHERE name = ?";
        let checkpoint = snapshot.rows(sql, &[view.into()]).await?;
        let position = match checkpoint.first().map(|row| row.0.as_slice()) {
            Some([Value::Int(at)]) => Position::new(u64::try_from(*at).unwrap_or_default()),
            _ => Position::START,
        };
        let mut digest = Sha256::new();
        let mut rows = 0;
        let mut bytes = Vec::new();
        for table in tables(view) {
            digest.update(header(table));
            let mut after: Option<Value> = None;
            loop {
                let page = snapshot.page(table, after.as_ref(), CHUNK).await?;
                bytes.clear();
                page.iter().flat_map(|row| &row.0).for_each(|cell| cell.digest_into(&mut bytes));
                digest.update(&bytes);
                rows += page.len() as u64;
                after = page.last().and_then(|row| row.0.first().cloned());
                if page.len() < CHUNK as usize {
                    break;
                }
            }
        }
        Ok(ViewDigest { position, rows, hash: Hash(digest.finalize().into()) })
    }

    /// Rows of a table in order of their keys, those behind `after`, at most `limit`.
    ///
    /// # Errors
    /// The database's.
    pub async fn rows_behind(&self, table: &Table, after: Option<Key>, limit: u32) -> Result<Vec<TableRow>, ViewError> {
        let after = after.map(Value::from);
        let sql = table.page(None, after.is_some());
        let arguments: Vec<_> = after.into_iter().chain([Value::Int(i64::from(limit))]).collect();
        let rows = self.database.rows(&sql, &arguments).await?;
        Ok(rows.into_iter().map(|row| TableRow(row.0)).collect())
    }
}

/// The name and the columns of a table, so that a cell cannot pass for one of another table.
fn header(table: &Table) -> Vec<u8> {
    let mut bytes = Vec::new();
    Value::from(table.name).digest_into(&mut bytes);
    for Column { name, .. } in table.columns {
        Value::from(*name).digest_into(&mut bytes);
    }
    bytes
}
