//! Reading the rows of a view as they are, in order of their keys: for digests, and for comparing two databases.

use std::fmt;

use flexledger_domain::Position;
use flexledger_eventstore::Hash;
use sha2::{Digest as _, Sha256};

use crate::table::{Column, Table};
use crate::value::Key;
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
    /// SHA-256 over the tables and the literals of their cells in order of their keys.
    pub hash: Hash,
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
        let mut frozen = self.freeze().await?;
        let position = frozen.stand(view).await?.map_or(Position::START, |stand| stand.position);
        let mut digest = Sha256::new();
        let mut rows = 0;
        for table in tables(view) {
            digest.update(header(table));
            let mut after = None;
            loop {
                let portion = frozen.portion(table, after.as_ref(), CHUNK).await?;
                digest.update(portion.text.as_bytes());
                digest.update(b"\n");
                rows += portion.rows;
                after = portion.last;
                if portion.rows < u64::from(CHUNK) {
                    break;
                }
            }
        }
        Ok(ViewDigest { position, rows, hash: Hash(digest.finalize().into()) })
    }
}

/// The name and the columns of a table, so that a cell cannot pass for one of another table.
fn header(table: &Table) -> String {
    let columns: Vec<_> = table.columns.iter().map(|Column { name, .. }| *name).collect();
    format!("{}({})\n", table.name, columns.join(","))
}
