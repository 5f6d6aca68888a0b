//! Putting rebuilt tables in the place of the live ones, in one transaction.
//!
//! 1. A connection of its own takes the right to write and begins the next generation. From here on nobody else writes
//!    the views; reading goes on, on the rows of before.
//! 2. The caller brings the rebuilt views to exactly where the live ones stand.
//! 3. The tables are copied, and the transaction is committed. A program that keeps the views notices the generation in
//!    its next write and reads back what it remembers.
//!
//! Until the commit the old rows are the rows, whatever breaks off. On SQLite the pages are copied as they are, about
//! as fast as the disk writes; its journal grows by the size of the tables and shrinks again afterwards.

use std::path::Path;

use flexledger_domain::Position;

use crate::database::{Database, Writer};
use crate::value::Value;
use crate::write::{CHECKPOINTS, stored_checkpoint};
use crate::{ViewError, Views, audit, marks};

/// Tries to get the right to write; each waits up to 5 s.
const TRIES: u32 = 6;
/// Rows copied with one statement where pages cannot be copied.
const CHUNK: u32 = 1024;

/// The views of one database, held so that their tables can be replaced.
pub struct Switch {
    writer: Writer,
    /// The rebuilt tables can be named in SQL.
    attached: bool,
}

impl Switch {
    /// Takes the right to write the views at `url`. `rebuilt` is the SQLite file with the rebuilt ones.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(url: &str, rebuilt: &Path) -> Result<Switch, ViewError> {
        let mut writer = Database::prepare(url)?.writer().await?;
        for sql in CHECKPOINTS.create(writer.dialect()) {
            writer.execute(&sql, &[]).await?;
        }
        marks::make(&mut writer).await?;
        let attached = matches!(writer, Writer::Sqlite(_));
        if attached {
            let file = rebuilt.display().to_string();
            writer.execute("ATTACH DATABASE ? AS rebuilt", &[file.as_str().into()]).await?;
        }
        // Not IMMEDIATE: that would lock the rebuilt views too, which still have to catch up.
        writer.control("BEGIN").await?;
        let mut tries = 1;
        while let Err(error) = marks::next_generation(&mut writer).await {
            if tries == TRIES {
                return Err(error);
            }
            tries += 1;
        }
        Ok(Switch { writer, attached })
    }

    /// Where the live views stand: names and positions.
    ///
    /// # Errors
    /// The database's.
    pub async fn stands(&mut self) -> Result<Vec<(std::sync::Arc<str>, Position)>, ViewError> {
        let rows = self.writer.rows("SELECT name, position FROM view_checkpoints", &[]).await?;
        rows.iter().map(stored_checkpoint).collect()
    }

    /// Replaces the tables and the checkpoint of one view.
    ///
    /// # Errors
    /// The database's.
    pub async fn replace(&mut self, view: &str, rebuilt: &Views) -> Result<(), ViewError> {
        let dialect = self.writer.dialect();
        for table in audit::tables(view) {
            // Dropped, not emptied: a table of another version has other columns.
            // By its full name on SQLite, where a table that is missing would be looked for among the rebuilt ones.
            let schema = if self.attached { "main." } else { "" };
            self.writer.execute(&format!("DROP TABLE IF EXISTS {schema}{}", table.name), &[]).await?;
            for sql in table.create(dialect) {
                self.writer.execute(&sql, &[]).await?;
            }
            if self.attached {
                let sql = format!("INSERT INTO main.{0} SELECT * FROM rebuilt.{0}", table.name);
                self.writer.execute(&sql, &[]).await?;
            } else {
                self.copy(table, rebuilt).await?;
            }
        }
        self.writer.execute("DELETE FROM view_checkpoints WHERE name = ?", &[view.into()]).await?;
        let sql = "SELECT name, version, position, event FROM view_checkpoints WHERE name = ?";
        let rows = rebuilt.database.rows(sql, &[view.into()]).await?;
        let cells: Vec<Value> = rows.into_iter().flat_map(|row| row.0).collect();
        if !cells.is_empty() {
            let kinds: Vec<_> = CHECKPOINTS.columns.iter().map(|column| column.kind).collect();
            let sql = CHECKPOINTS.insert(dialect, 1, false).into();
            self.writer.write(&sql, &kinds, &cells).await?;
        }
        Ok(())
    }

    async fn copy(&mut self, table: &crate::table::Table, rebuilt: &Views) -> Result<(), ViewError> {
        let dialect = self.writer.dialect();
        let kinds: Vec<_> = table.columns.iter().map(|column| column.kind).collect();
        let mut snapshot = rebuilt.database.snapshot().await?;
        let mut after: Option<Value> = None;
        loop {
            let rows = snapshot.page(table, after.as_ref(), CHUNK).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.0.first().cloned();
            let count = rows.len();
            let cells: Vec<Value> = rows.into_iter().flat_map(|row| row.0).collect();
            let sql = table.insert(dialect, count, false).into();
            self.writer.write(&sql, &kinds, &cells).await?;
        }
    }

    /// Makes the replaced tables the live ones.
    ///
    /// # Errors
    /// The database's; the old tables stay then.
    pub async fn commit(mut self) -> Result<(), ViewError> {
        self.writer.control("COMMIT").await?;
        self.writer.close().await;
        Ok(())
    }
}
