//! Writing the changes of many events at once.
//!
//! One transaction per batch holds the rows of all views and their checkpoints. Rows are written in the order of their
//! keys, which is the order of the pages that they lie on. On SQLite a batch is one visit to the thread of the connection
//! and a row is one run of a prepared statement; on PostgreSQL a table takes one statement per
//! [`ARRAY_ROWS`](postgres::ARRAY_ROWS) rows.

mod postgres;
mod sqlite;

use std::sync::Arc;

use flexledger_domain::Position;

use crate::ViewError;
use crate::changes::{Changes, Op, TableChanges};
use crate::database::{Row, Writer};
use crate::table::{Column, Dialect, Kind, Table, column, optional};
use crate::value::{Key, Value, position};

/// Where each view stands. `event` is the id of the event there, so that another log is noticed.
pub(crate) static CHECKPOINTS: Table =
    Table { name: "view_checkpoints", columns: CHECKPOINT_COLUMNS, indexes: &[], seals: &[] };

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
        [Value::Text(name), Value::Int(at)] if *at >= 0 => Ok((name.clone().into(), Position::new(at.unsigned_abs()))),
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
    Database(ViewError),
}

impl<E: Into<ViewError>> From<E> for WriteError {
    fn from(error: E) -> Self {
        WriteError::Database(error.into())
    }
}

/// Writes a batch: the rows of every part and its checkpoint, all or nothing.
pub(crate) async fn write(writer: &mut Writer, generation: i64, parts: &[Arc<Part>]) -> Result<(), WriteError> {
    match writer {
        Writer::Sqlite(writer) => {
            let parts = parts.to_vec();
            writer.run(move |connection| Ok(sqlite::write(connection, generation, &parts))).await?
        }
        Writer::Postgres(_) => postgres::write(writer, generation, parts).await,
    }
}

/// The statement that does `op` to rows of a table.
fn statement(table: &Table, dialect: Dialect, op: Op) -> String {
    match op {
        Op::Insert => table.insert(dialect, false),
        Op::Put => table.insert(dialect, true),
        Op::Update(mask) => table.update(dialect, mask),
    }
}

/// The checkpoints as rows of their table.
fn checkpoint_cells(parts: &[Arc<Part>]) -> Vec<Value> {
    let cells = |part: &Arc<Part>| {
        let Checkpoint { name, version, position: at, event } = &part.checkpoint;
        [Value::from(*name), Value::Int(i64::from(*version)), position(*at), event.clone()]
    };
    parts.iter().flat_map(cells).collect()
}

/// The cells that a statement takes for a row, the key first.
fn cells(changes: &TableChanges, op: Op, at: usize) -> impl Iterator<Item = &Value> {
    let mask = match op {
        Op::Insert | Op::Put => u64::MAX,
        Op::Update(mask) => mask | 1,
    };
    changes.row(at).iter().enumerate().filter(move |(column, _)| mask >> column & 1 == 1).map(|(_, value)| value)
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

fn contradiction(view: usize, changes: &TableChanges, chunk: &[usize], what: &str) -> WriteError {
    let touched = chunk.iter().filter_map(|at| changes.rows.get(*at)).map(|row| row.touched);
    let (first, last) = (touched.clone().min().unwrap_or_default(), touched.max().unwrap_or_default());
    let at = if first == last { format!("position {first}") } else { format!("positions {first} to {last}") };
    let reason = format!("{at}: the rows of table {} do not fit: {what}", changes.table.name);
    WriteError::Contradiction { view, reason }
}
