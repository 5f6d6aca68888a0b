//! Putting rebuilt tables in the place of the live ones, in one transaction.
//!
//! 1. A connection of its own takes the right to write and begins the next generation. From here on nobody else writes
//!    the views; reading goes on, on the rows of before.
//! 2. The caller brings the rebuilt views to exactly where the live ones stand.
//! 3. The rebuilt file is completed, the tables are copied, and the transaction is committed. A program that keeps the
//!    views notices the generation in its next write and reads back what it remembers.
//!
//! Until the commit the old rows are the rows, whatever breaks off. There are two ways to copy. All views of an SQLite
//! file are replaced by taking over the pages of the rebuilt file, several times as fast as its rows: unless it holds
//! something that is not of the views, which would be lost. Everything else goes table by table.

mod tables;

use std::path::Path;
use std::sync::Arc;

use flexledger_domain::Position;

use crate::database::{Database, Pages, Writer};
use crate::value::Value;
use crate::write::{CHECKPOINTS, stored_checkpoint};
use crate::{ViewError, Views, audit, marks};
use tables::Tables;

/// What the live file holds that the rebuilt one does not.
const FOREIGN: &str = "SELECT count(*) FROM main.sqlite_schema AS live WHERE sql IS NOT NULL \
                       AND NOT EXISTS (SELECT 1 FROM rebuilt.sqlite_schema AS made WHERE made.name = live.name)";

/// Names and positions of the views; on SQLite, without rows that no view writes.
const ALL_STANDS: &str = "SELECT name, position FROM view_checkpoints";
const STANDS: &str = "SELECT name, position FROM view_checkpoints \
                      WHERE typeof(name) = 'text' AND typeof(position) = 'integer' AND position >= 0";

/// The views of one database, held so that their tables can be replaced.
pub struct Switch {
    way: Way,
}

/// What [`Switch::complete`] did, without which nothing is committed.
#[derive(Debug)]
pub struct Complete {
    whole_file: bool,
}

impl Complete {
    /// Whether the rebuilt file alone is all of the rebuilt views from now on, without a journal beside it, and stays as
    /// it is.
    #[must_use]
    pub fn whole_file(&self) -> bool {
        self.whole_file
    }
}

enum Way {
    /// The whole file at once.
    Pages { live: Database, pages: Pages },
    /// Table by table.
    Tables(Box<Tables>),
}

/// Makes what a rebuild needs at `url`: the tables that tell where the views stand, if they are missing.
///
/// # Errors
/// The database's.
pub async fn prepare(url: &str) -> Result<(), ViewError> {
    let mut writer = Database::prepare(url)?.visitor().await?;
    for sql in CHECKPOINTS.create(writer.dialect()) {
        writer.execute(&sql, &[]).await?;
    }
    marks::make(&mut writer).await?;
    writer.close().await;
    Ok(())
}

impl Switch {
    /// Takes the right to write the views at `url`, which are [prepared](prepare), so that those named are replaced.
    /// `rebuilt` is the SQLite file with the rebuilt ones.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(url: &str, rebuilt: &Path, names: &[&str]) -> Result<Switch, ViewError> {
        let live = Database::prepare(url)?;
        let all = audit::names().all(|known| names.contains(&known));
        let held = if all { live.hold_pages(rebuilt).await? } else { None };
        if let Some(pages) = held {
            // Looked at now, when nobody can put anything there any more.
            if !foreign(&live, rebuilt).await? {
                return Ok(Switch { way: Way::Pages { live, pages } });
            }
            pages.release().await;
        }
        Ok(Switch { way: Way::Tables(Box::new(Tables::begin(&live, rebuilt).await?)) })
    }

    /// Where the live views stand: names and positions.
    ///
    /// # Errors
    /// The database's.
    pub async fn stands(&mut self) -> Result<Vec<(Arc<str>, Position)>, ViewError> {
        let rows = match &mut self.way {
            Way::Pages { live, .. } => live.rows(STANDS, &[]).await?,
            Way::Tables(tables) => {
                let sql = if matches!(tables.writer, Writer::Sqlite(_)) { STANDS } else { ALL_STANDS };
                tables.writer.rows(sql, &[]).await?
            }
        };
        rows.iter().map(stored_checkpoint).collect()
    }

    /// Replaces the tables and the checkpoint of one view, one of those that were named.
    ///
    /// # Errors
    /// The database's.
    pub async fn replace(&mut self, view: &str, rebuilt: &Views) -> Result<(), ViewError> {
        match &mut self.way {
            // They come with all others.
            Way::Pages { .. } => Ok(()),
            Way::Tables(tables) => tables.replace(view, rebuilt).await,
        }
    }

    /// Gives the right to write back and changes nothing; both files are let go of afterwards. A switch that is dropped
    /// does the same, some time later.
    pub async fn give_up(self) {
        match self.way {
            Way::Pages { live, pages } => {
                live.close().await;
                pages.release().await;
            }
            // What was begun is taken back when the connection is closed.
            Way::Tables(tables) => tables.writer.close().await,
        }
    }

    /// Gives the rebuilt views what they lack.
    ///
    /// # Errors
    /// The database's.
    pub async fn complete(&mut self, rebuilt: &Views) -> Result<Complete, ViewError> {
        let whole_file = match &self.way {
            Way::Pages { live, .. } => hand_over_marks(live, rebuilt).await?,
            Way::Tables(_) => false,
        };
        Ok(Complete { whole_file })
    }

    /// Makes the replaced tables the live ones.
    ///
    /// # Errors
    /// The database's; the old tables stay then.
    pub async fn commit(self, _: Complete) -> Result<(), ViewError> {
        match self.way {
            Way::Pages { live, pages } => {
                live.close().await;
                pages.commit().await
            }
            Way::Tables(tables) => tables.commit().await,
        }
    }
}

async fn foreign(live: &Database, rebuilt: &Path) -> Result<bool, ViewError> {
    let mut visitor = live.visitor().await?;
    attach(&mut visitor, rebuilt).await?;
    let rows = visitor.rows(FOREIGN, &[]).await?;
    visitor.close().await;
    Ok(!matches!(rows.first().map(|row| row.0.as_slice()), Some([Value::Int(0)])))
}

/// Attaches an SQLite file as `rebuilt`.
async fn attach(writer: &mut Writer, file: &Path) -> Result<(), ViewError> {
    writer.execute("ATTACH DATABASE ? AS rebuilt", &[file.display().to_string().as_str().into()]).await?;
    Ok(())
}

/// Gives the rebuilt file the marks of the live one, of the next generation. Tells whether its journal is empty then.
async fn hand_over_marks(live: &Database, rebuilt: &Views) -> Result<bool, ViewError> {
    let rows = live.rows(marks::SOUND, &[]).await?;
    // One that cannot be read is followed by one that no program can remember: no two rebuilds after different events
    // have the same, and those after the same give the same rows.
    let generation = marks::generation_in(&rows);
    let furthest = rebuilt.status().iter().map(|view| view.position.number()).max().unwrap_or(0);
    let unknown = i64::try_from(furthest).unwrap_or(i64::MAX).saturating_add(1 << 40);
    let mut writer = rebuilt.database.visitor().await?;
    writer.begin().await?;
    writer.execute("DELETE FROM view_marks", &[]).await?;
    writer.insert(&marks::MARKS, rows.into_iter().flat_map(|row| row.0).collect()).await?;
    marks::generation_beyond(&mut writer, generation.unwrap_or(unknown)).await?;
    writer.control("COMMIT").await?;
    let moved = writer.rows("PRAGMA wal_checkpoint(TRUNCATE)", &[]).await;
    writer.close().await;
    // Where it fails, the journal is read as well.
    Ok(moved.is_ok_and(|rows| matches!(rows.first().map(|row| row.0.as_slice()), Some([Value::Int(0), ..]))))
}
