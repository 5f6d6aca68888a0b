//! Writing the changes of many events at once.
//!
//! One transaction per batch holds the rows of all views and their checkpoints. Each table takes one statement per
//! [`CHUNKS`] rows; the sizes are few and fixed, so that every statement stays prepared. Rows are written in the order of
//! their keys, which is the order of the pages that they lie on.

use std::sync::Arc;

use flexledger_domain::Position;
use hashbrown::HashMap;

use crate::changes::{Changes, Op, TableChanges};
use crate::database::{Row, Writer};
use crate::table::{Column, Dialect, Kind, Table, column, optional};
use crate::value::{Key, Value, position};
use crate::{ViewError, marks};

/// Rows per statement on SQLite: each statement is a trip to the thread of its connection, so the more the better. A row
/// has at most 63 cells, so no statement passes its 32,766 parameters.
const CHUNKS: [usize; 5] = [512, 128, 32, 8, 1];
/// Rows per statement on PostgreSQL at most: its statements take arrays of any length.
const ARRAY_ROWS: usize = 4096;

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

/// The checkpoints as they stand in the database.
pub(crate) async fn checkpoints(writer: &mut Writer) -> Result<Vec<(Arc<str>, Position)>, ViewError> {
    let rows = writer.rows("SELECT name, position FROM view_checkpoints", &[]).await?;
    rows.iter().map(stored_checkpoint).collect()
}

/// Reads the name and the position of a checkpoint.
pub(crate) fn stored_checkpoint(row: &Row) -> Result<(Arc<str>, Position), ViewError> {
    match row.0.as_slice() {
        [Value::Text(name), Value::Int(at)] if *at >= 0 => Ok((name.clone(), Position::new(at.unsigned_abs()))),
        _ => Err(ViewError::Damaged { table: CHECKPOINTS.name, expected: "a name and a position" }),
    }
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
    /// The tables are others than those that the changes belong to: they were switched.
    Switched,
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

    /// How many of `rows` rows the next statement takes.
    fn chunk(&self, rows: usize) -> usize {
        match self.dialect {
            Dialect::Sqlite => CHUNKS.into_iter().find(|size| *size <= rows).unwrap_or(1),
            Dialect::Postgres => rows.min(ARRAY_ROWS),
        }
    }

    fn get(&mut self, table: &Table, op: Op, rows: usize) -> Arc<str> {
        let dialect = self.dialect;
        // On PostgreSQL one text takes any number of rows.
        let rows = if dialect == Dialect::Postgres { 0 } else { rows };
        let text = self.texts.entry((table.name, op, rows)).or_insert_with(|| match op {
            Op::Insert => table.insert(dialect, rows, false).into(),
            Op::Put => table.insert(dialect, rows, true).into(),
            Op::Update(mask) => table.update(dialect, rows, mask).into(),
        });
        text.clone()
    }
}

/// Writes a batch: the rows of every part and its checkpoint, all or nothing.
pub(crate) async fn write(
    writer: &mut Writer,
    statements: &mut Statements,
    generation: i64,
    parts: &[Part],
) -> Result<(), WriteError> {
    writer.begin().await?;
    let written = match marks::generation(writer).await {
        Ok(present) if present != generation => Err(WriteError::Switched),
        Ok(_) => write_parts(writer, statements, parts).await,
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
        writer.write(&sql, &kinds(&CHECKPOINTS, Op::Put), &cells).await?;
    }
    Ok(())
}

async fn write_table(
    writer: &mut Writer,
    statements: &mut Statements,
    view: usize,
    changes: &TableChanges,
) -> Result<(), WriteError> {
    for (op, rows) in groups(changes) {
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let size = statements.chunk(rest.len());
            let (chunk, after) = rest.split_at(size);
            write_chunk(writer, statements, view, changes, op, chunk).await?;
            rest = after;
        }
    }
    Ok(())
}

/// The rows by what happens to them, each group in order of the keys.
fn groups(changes: &TableChanges) -> Vec<(Op, Vec<usize>)> {
    let mut groups: Vec<(Op, Vec<(Key, usize)>)> = Vec::new();
    for (at, row) in changes.rows.iter().enumerate() {
        match groups.iter_mut().find(|(op, _)| *op == row.op) {
            Some((_, rows)) => rows.push((row.key, at)),
            None => groups.push((row.op, vec![(row.key, at)])),
        }
    }
    let rank = |op: Op| match op {
        Op::Insert => (0, 0),
        Op::Put => (1, 0),
        Op::Update(mask) => (2, mask),
    };
    groups.sort_unstable_by_key(|(op, _)| rank(*op));
    let places = |(op, mut rows): (Op, Vec<(Key, usize)>)| {
        rows.sort_unstable();
        (op, rows.into_iter().map(|(_, at)| at).collect())
    };
    groups.into_iter().map(places).collect()
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

async fn write_chunk(
    writer: &mut Writer,
    statements: &mut Statements,
    view: usize,
    changes: &TableChanges,
    op: Op,
    chunk: &[usize],
) -> Result<(), WriteError> {
    let sql = statements.get(changes.table, op, chunk.len());
    let mut cells = Vec::with_capacity(chunk.len() * changes.table.columns.len());
    for at in chunk {
        match op {
            Op::Insert | Op::Put => cells.extend_from_slice(changes.row(*at)),
            Op::Update(mask) => {
                cells.extend(changes.rows.get(*at).map(|row| Value::from(row.key)));
                let set = changes.row(*at).iter().enumerate().skip(1).filter(|(column, _)| mask >> column & 1 == 1);
                cells.extend(set.map(|(_, value)| value.clone()));
            }
        }
    }
    match writer.write(&sql, &kinds(changes.table, op), &cells).await {
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

fn contradiction(view: usize, changes: &TableChanges, chunk: &[usize], what: &str) -> WriteError {
    let touched = chunk.iter().filter_map(|at| changes.rows.get(*at)).map(|row| row.touched);
    let (first, last) = (touched.clone().min().unwrap_or_default(), touched.max().unwrap_or_default());
    let at = if first == last { format!("position {first}") } else { format!("positions {first} to {last}") };
    let reason = format!("{at}: the rows of table {} do not fit: {what}", changes.table.name);
    WriteError::Contradiction { view, reason }
}
