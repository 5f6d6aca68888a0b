//! Replacing the tables of some views, in one transaction.
//!
//! On SQLite the rows are copied as they are stored; the journal grows by the size of the tables and shrinks again
//! afterwards. On PostgreSQL, where a table that is dropped can no longer be read by anybody, the copies are made in a
//! schema aside, which no one sees before the commit, and are moved in the last moment.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::attach;
use crate::database::{Database, Writer};
use crate::table::Table;
use crate::value::Value;
use crate::write::CHECKPOINTS;
use crate::{ViewError, Views, audit, marks};

/// Tries to get the right to write; each waits up to 5 s.
const TRIES: u32 = 6;
/// Rows copied with one statement where pages cannot be copied.
const CHUNK: u32 = 1024;

/// The schema aside, on PostgreSQL. Two ledgers in one database that switch at once wait for each other here.
const ASIDE: &str = "flexledger_switch";
/// How long PostgreSQL waits for readers of the old tables: less than it lets pass before it looks for deadlocks and
/// breaks off one of those who wait, which might be a reader.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '500ms'";
/// Tries to find a moment without readers, and the pause between them, in which they go on.
const MOVE_TRIES: u32 = 40;
const MOVE_PAUSE: Duration = Duration::from_millis(50);

/// The views of one database, held so that their tables can be replaced.
pub(super) struct Tables {
    pub writer: Writer,
    place: Place,
}

/// Where the new tables are put.
enum Place {
    /// Into the database itself. The rebuilt SQLite file is attached as `rebuilt`.
    Here,
    /// Into the schema aside, from where they are moved to this one.
    Aside { live: Arc<str>, tables: Vec<&'static Table> },
}

impl Tables {
    /// Takes the right to write.
    pub async fn begin(live: &Database, rebuilt: &Path) -> Result<Tables, ViewError> {
        let mut writer = live.visitor().await?;
        if matches!(writer, Writer::Sqlite(_)) {
            attach(&mut writer, rebuilt).await?;
            // Whoever writes or closes the views next moves the journal; the commit, which others wait for, does not.
            writer.rows("PRAGMA wal_autocheckpoint = 0", &[]).await?;
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
        let place = match writer {
            Writer::Sqlite(_) => Place::Here,
            Writer::Postgres(_) => Place::aside(&mut writer).await?,
        };
        Ok(Tables { writer, place })
    }

    /// Replaces the tables and the checkpoint of one view.
    pub async fn replace(&mut self, view: &str, rebuilt: &Views) -> Result<(), ViewError> {
        let dialect = self.writer.dialect();
        for table in audit::tables(view) {
            if matches!(self.place, Place::Here) {
                // Dropped, not emptied: a table of another version has other columns.
                // By its full name, for a table that is missing would be looked for among the rebuilt ones.
                self.writer.execute(&format!("DROP TABLE IF EXISTS main.{}", table.name), &[]).await?;
            }
            for sql in table.create(dialect) {
                self.writer.execute(&sql, &[]).await?;
            }
            match &mut self.place {
                Place::Here => {
                    let sql = format!("INSERT INTO main.{0} SELECT * FROM rebuilt.{0}", table.name);
                    self.writer.execute(&sql, &[]).await?;
                }
                Place::Aside { tables, .. } => {
                    tables.push(table);
                    self.copy(table, rebuilt).await?;
                }
            }
        }
        self.writer.execute("DELETE FROM view_checkpoints WHERE name = ?", &[view.into()]).await?;
        let sql = "SELECT name, version, position, event FROM view_checkpoints WHERE name = ?";
        let rows = rebuilt.database.rows(sql, &[view.into()]).await?;
        let cells: Vec<Value> = rows.into_iter().flat_map(|row| row.0).collect();
        if !cells.is_empty() {
            self.writer.insert(&CHECKPOINTS, cells).await?;
        }
        Ok(())
    }

    async fn copy(&mut self, table: &'static Table, rebuilt: &Views) -> Result<(), ViewError> {
        let mut snapshot = rebuilt.database.snapshot().await?;
        let mut after: Option<Value> = None;
        loop {
            let rows = snapshot.page(table, after.as_ref(), CHUNK).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.0.first().cloned();
            self.writer.insert(table, rows.into_iter().flat_map(|row| row.0).collect()).await?;
        }
    }

    /// Makes the replaced tables the live ones.
    pub async fn commit(mut self) -> Result<(), ViewError> {
        if let Place::Aside { live, tables } = &self.place {
            moved(&mut self.writer, live, tables).await?;
        }
        self.writer.control("COMMIT").await?;
        self.writer.close().await;
        Ok(())
    }
}

impl Place {
    /// Makes the schema aside; from here on tables are made there.
    async fn aside(writer: &mut Writer) -> Result<Place, ViewError> {
        let rows = writer.rows("SELECT current_schema()::TEXT", &[]).await?;
        let Some([Value::Text(live)]) = rows.first().map(|row| row.0.as_slice()) else {
            return Err(ViewError::Damaged { table: CHECKPOINTS.name, expected: "a schema that it stands in" });
        };
        writer.execute(&format!("CREATE SCHEMA {ASIDE}"), &[]).await?;
        writer.execute(&format!("SET LOCAL search_path = {ASIDE}, {live}"), &[]).await?;
        Ok(Place::Aside { live: live.clone().into(), tables: Vec::new() })
    }
}

/// Removes the old tables and puts those of the schema aside in their place.
async fn moved(writer: &mut Writer, live: &str, tables: &[&'static Table]) -> Result<(), ViewError> {
    writer.control(LOCK_WAIT).await?;
    let names: Vec<String> = tables.iter().map(|table| format!("{live}.{}", table.name)).collect();
    let drop = format!("DROP TABLE IF EXISTS {}", names.join(", "));
    let mut tries = 1;
    loop {
        writer.control("SAVEPOINT moving").await?;
        match writer.execute(&drop, &[]).await {
            Ok(_) => break,
            Err(error) if tries == MOVE_TRIES => return Err(error),
            // What was locked so far is free again, so that readers get on.
            Err(_) => writer.control("ROLLBACK TO SAVEPOINT moving").await?,
        }
        tries += 1;
        tokio::time::sleep(MOVE_PAUSE).await;
    }
    for table in tables {
        writer.execute(&format!("ALTER TABLE {ASIDE}.{} SET SCHEMA {live}", table.name), &[]).await?;
    }
    writer.execute(&format!("DROP SCHEMA {ASIDE}"), &[]).await?;
    Ok(())
}
