//! Writing the changes of many events at once.
//!
//! One transaction per batch holds the rows of all views and their checkpoints. Each table takes one statement per
//! [`CHUNKS`] rows; the sizes are few and fixed, so that every statement stays prepared. Rows are written in the order of
//! their keys, which is the order of the pages that they lie on.

use std::sync::Arc;

use flexledger_domain::Position;
use hashbrown::HashMap;

use crate::changes::{Changes, Op, TableChanges};
use crate::database::Writer;
use crate::table::{Column, Dialect, Kind, Table, column, optional};
use crate::value::{Value, position};

/// Rows per statement. A row has at most 64 cells, so no statement passes SQLite's 32,766 parameters.
const CHUNKS: [usize; 4] = [128, 32, 8, 1];

/// Where each view stands. `event` is the id of the event there, so that another log is noticed.
pub(crate) static CHECKPOINTS: Table = Table { name: "view_checkpoints", columns: CHECKPOINT_COLUMNS, indexes: &[] };

const CHECKPOINT_COLUMNS: &[Column] = &[
    column("name", Kind::Text),
    column("version", Kind::Int),
    column("position", Kind::Int),
    optional("event", Kind::Id),
];

/// The new checkpoint of one view.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    pub name: &'static str,
    pub version: u32,
    pub position: Position,
    /// The id of the event at `position`.
    pub event: Value,
}

/// What one view made of a batch.
#[derive(Debug)]
pub(crate) struct Part {
    /// Which view, by its place among the open ones.
    pub view: usize,
    pub changes: Changes,
    pub checkpoint: Checkpoint,
}

/// Why a batch was not written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The rows of one view contradict those that are there. Trying again does not help.
    Contradiction { view: usize, reason: String },
    /// The database failed; it may work later.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        WriteError::Database(error)
    }
}

/// The texts of the statements, made once.
pub(crate) struct Statements {
    dialect: Dialect,
    texts: HashMap<(&'static str, Op, usize), Arc<str>>,
}

impl Statements {
    pub fn new(dialect: Dialect) -> Self {
        Statements { dialect, texts: HashMap::new() }
    }

    fn get(&mut self, table: &Table, op: Op, rows: usize) -> Arc<str> {
        let dialect = self.dialect;
        let text = self.texts.entry((table.name, op, rows)).or_insert_with(|| match op {
            Op::Insert => table.insert(dialect, rows, false).into(),
            Op::Put => table.insert(dialect, rows, true).into(),
            Op::Update(mask) => table.update(dialect, rows, mask).into(),
        });
        text.clone()
    }
}

/// Writes a batch: the rows of every part and its checkpoint, all or nothing.
pub(crate) async fn write(writer: &mut Writer, statements: &mut Statements, parts: &[Part]) -> Result<(), WriteError> {
    writer.control("BEGIN IMMEDIATE").await?;
    let written = write_parts(writer, statements, parts).await;
    match written {
        Ok(()) => Ok(writer.control("COMMIT").await?),
        Err(error) => {
            writer.control("ROLLBACK").await?;
            Err(error)
        }
    }
}

async fn write_parts(writer: &mut Writer, statements: &mut Statements, parts: &[Part]) -> Result<(), WriteError> {
    for part in parts {
        for table in &part.changes.tables {
            write_table(writer, statements, part.view, table).await?;
        }
    }
    let mut cells = Vec::with_capacity(parts.len() * CHECKPOINT_COLUMNS.len());
    for Part { checkpoint, .. } in parts {
        cells.extend([
            Value::from(checkpoint.name),
            Value::Int(i64::from(checkpoint.version)),
            position(checkpoint.position),
            checkpoint.event.clone(),
        ]);
    }
    if !parts.is_empty() {
        let sql = statements.get(&CHECKPOINTS, Op::Put, parts.len());
        writer.execute(&sql, &cells).await?;
    }
    Ok(())
}

async fn write_table(
    writer: &mut Writer,
    statements: &mut Statements,
    view: usize,
    changes: &TableChanges,
) -> Result<(), WriteError> {
    let mut order: Vec<(Op, usize)> = changes.rows.iter().enumerate().map(|(at, row)| (row.op, at)).collect();
    let rank = |op: Op| match op {
        Op::Insert => (0, 0),
        Op::Put => (1, 0),
        Op::Update(mask) => (2, mask),
    };
    order.sort_unstable_by_key(|(op, at)| (rank(*op), changes.rows.get(*at).map(|row| row.key)));
    for group in order.chunk_by(|(a, _), (b, _)| a == b) {
        let mut rest = group;
        while let Some((op, _)) = rest.first().copied() {
            let size = CHUNKS.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
            let (chunk, after) = rest.split_at(size);
            write_chunk(writer, statements, view, changes, op, chunk).await?;
            rest = after;
        }
    }
    Ok(())
}

async fn write_chunk(
    writer: &mut Writer,
    statements: &mut Statements,
    view: usize,
    changes: &TableChanges,
    op: Op,
    chunk: &[(Op, usize)],
) -> Result<(), WriteError> {
    let sql = statements.get(changes.table, op, chunk.len());
    let mut cells = Vec::with_capacity(chunk.len() * changes.table.columns.len());
    for (_, at) in chunk {
        match op {
            Op::Insert | Op::Put => cells.extend_from_slice(changes.row(*at)),
            Op::Update(mask) => {
                cells.extend(changes.rows.get(*at).map(|row| Value::from(row.key)));
                let set = changes.row(*at).iter().enumerate().skip(1).filter(|(column, _)| mask >> column & 1 == 1);
                cells.extend(set.map(|(_, value)| value.clone()));
            }
        }
    }
    match writer.execute(&sql, &cells).await {
        Ok(touched) if touched == chunk.len() as u64 => Ok(()),
        Ok(touched) => {
            let what = format!("{} rows expected, {touched} found", chunk.len());
            Err(contradiction(view, changes, chunk, &what))
        }
        Err(sqlx::Error::Database(error)) if is_contradiction(error.as_ref()) => {
            Err(contradiction(view, changes, chunk, error.message()))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_contradiction(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.is_unique_violation() || error.is_check_violation() || !matches!(error.kind(), sqlx::error::ErrorKind::Other)
}

fn contradiction(view: usize, changes: &TableChanges, chunk: &[(Op, usize)], what: &str) -> WriteError {
    let touched = chunk.iter().filter_map(|(_, at)| changes.rows.get(*at)).map(|row| row.touched);
    let (first, last) = (touched.clone().min().unwrap_or_default(), touched.max().unwrap_or_default());
    let at = if first == last { format!("position {first}") } else { format!("positions {first} to {last}") };
    let reason = format!("{at}: the rows of table {} do not fit: {what}", changes.table.name);
    WriteError::Contradiction { view, reason }
}
