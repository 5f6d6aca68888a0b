//! Writing on SQLite: row by row, each a run of a prepared statement, all in one visit to the connection.

use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::{CHECKPOINTS, Part, WriteError, cells, checkpoint_cells, contradiction, groups, statement};
use crate::changes::TableChanges;
use crate::database::{bind_cell, insert};
use crate::marks;
use crate::table::Dialect;

/// Writes a batch.
pub(super) fn write(connection: &mut Connection, generation: i64, parts: &[Arc<Part>]) -> Result<(), WriteError> {
    // Dropped without a commit, it is taken back.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if marks::generation_on(&transaction)? != Some(generation) {
        return Err(WriteError::Switched);
    }
    for part in parts {
        for table in &part.changes.tables {
            write_table(&transaction, part.view, table)?;
        }
    }
    insert(&transaction, &CHECKPOINTS, true, &checkpoint_cells(parts))?;
    Ok(transaction.commit()?)
}

fn write_table(transaction: &Transaction<'_>, view: usize, changes: &TableChanges) -> Result<(), WriteError> {
    for (op, rows) in groups(changes) {
        let mut statement = transaction.prepare_cached(&statement(changes.table, Dialect::Sqlite, op))?;
        for at in rows {
            for (place, cell) in cells(changes, op, at).enumerate() {
                bind_cell(&mut statement, place + 1, cell)?;
            }
            match statement.raw_execute() {
                Ok(1) => {}
                Ok(touched) => {
                    let what = format!("1 row expected, {touched} found");
                    return Err(contradiction(view, changes, &[at], &what));
                }
                Err(error) if is_contradiction(&error) => {
                    return Err(contradiction(view, changes, &[at], &error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Whether rows that are there do not let a row in. A trigger is nothing of ours: whoever made it can take it away.
fn is_contradiction(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error();
    code.is_some_and(|code| {
        code.code == ErrorCode::ConstraintViolation && code.extended_code != rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER
    })
}
