//! Writing on PostgreSQL: one array per column, so that a statement takes many rows.

use std::sync::Arc;

use super::{CHECKPOINTS, Part, WriteError, cells, checkpoint_cells, contradiction, groups, statement};
use crate::changes::{Op, TableChanges};
use crate::database::Writer;
use crate::table::{Dialect, Kind, Table};
use crate::value::Value;
use crate::{ViewError, marks};

/// Rows per statement at most.
pub(super) const ARRAY_ROWS: usize = 4096;

/// Writes a batch.
pub(super) async fn write(writer: &mut Writer, generation: i64, parts: &[Arc<Part>]) -> Result<(), WriteError> {
    writer.begin().await?;
    let written = match marks::generation(writer).await {
        Ok(present) if present != generation => Err(WriteError::Switched),
        Ok(_) => write_parts(writer, parts).await,
        Err(ViewError::Database(error)) => Err(error.into()),
        // A generation that is none is not the one that the changes belong to.
        Err(_) => Err(WriteError::Switched),
    };
    match written {
        Ok(()) => Ok(writer.control("COMMIT").await?),
        Err(error) => {
            writer.control("ROLLBACK").await?;
            Err(error)
        }
    }
}

async fn write_parts(writer: &mut Writer, parts: &[Arc<Part>]) -> Result<(), WriteError> {
    for part in parts {
        for table in &part.changes.tables {
            write_table(writer, part.view, table).await?;
        }
    }
    if !parts.is_empty() {
        let sql = statement(&CHECKPOINTS, Dialect::Postgres, Op::Put);
        writer.write(&sql.into(), &kinds(&CHECKPOINTS, Op::Put), &checkpoint_cells(parts)).await?;
    }
    Ok(())
}

async fn write_table(writer: &mut Writer, view: usize, changes: &TableChanges) -> Result<(), WriteError> {
    for (op, rows) in groups(changes) {
        let sql: Arc<str> = statement(changes.table, Dialect::Postgres, op).into();
        for chunk in rows.chunks(ARRAY_ROWS) {
            let cells: Vec<Value> = chunk.iter().flat_map(|at| cells(changes, op, *at)).cloned().collect();
            match writer.write(&sql, &kinds(changes.table, op), &cells).await {
                Ok(touched) if touched == chunk.len() as u64 => {}
                Ok(touched) => {
                    let what = format!("{} rows expected, {touched} found", chunk.len());
                    return Err(contradiction(view, changes, chunk, &what));
                }
                Err(ViewError::Database(sqlx::Error::Database(error))) if is_contradiction(error.as_ref()) => {
                    return Err(contradiction(view, changes, chunk, error.message()));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// What the cells of one row of a statement mean.
fn kinds(table: &Table, op: Op) -> Vec<Kind> {
    let mask = match op {
        Op::Insert | Op::Put => u64::MAX,
        Op::Update(mask) => mask | 1,
    };
    let columns = table.columns.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
    columns.map(|(_, column)| column.kind).collect()
}

fn is_contradiction(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.is_unique_violation() || error.is_check_violation() || !matches!(error.kind(), sqlx::error::ErrorKind::Other)
}
