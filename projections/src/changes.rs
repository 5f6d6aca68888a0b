//! Row changes of one view, collected over many events: of each row, only the last state is kept.

use flexledger_domain::Position;
use hashbrown::HashMap;

use crate::seal;
use crate::table::Table;
use crate::value::{Key, Value};
use crate::view::Stop;

/// How a row reaches the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// It is new; one with its key must not exist.
    Insert,
    /// It takes the place of one with its key, if there is one.
    Put,
    /// Some cells of an existing row change: bit n stands for column n.
    Update(u64),
}

/// One changed row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowChange {
    pub op: Op,
    pub key: Key,
    /// The first event of this batch that touched it.
    pub touched: Position,
}

/// The changes of one table.
#[derive(Debug)]
pub(crate) struct TableChanges {
    pub table: &'static Table,
    pub rows: Vec<RowChange>,
    pub cells: Vec<Value>,
    index: HashMap<Key, usize>,
}

impl TableChanges {
    /// The cells of row `at`.
    pub fn row(&self, at: usize) -> &[Value] {
        let width = self.table.columns.len();
        self.cells.get(at * width..(at + 1) * width).unwrap_or_default()
    }

    fn row_mut(&mut self, at: usize) -> &mut [Value] {
        let width = self.table.columns.len();
        self.cells.get_mut(at * width..(at + 1) * width).unwrap_or_default()
    }

    fn insert<const N: usize>(&mut self, key: Key, touched: Position, row: [Value; N]) {
        // A second row under one key is pushed all the same: the database refuses it, and the view stops.
        self.index.entry(key).or_insert(self.rows.len());
        self.push(Op::Insert, key, touched, row);
    }

    fn put<const N: usize>(&mut self, key: Key, touched: Position, row: [Value; N]) {
        let Some(at) = self.index.get(&key).copied() else {
            self.index.insert(key, self.rows.len());
            return self.push(Op::Put, key, touched, row);
        };
        for (cell, value) in self.row_mut(at).iter_mut().zip(row) {
            *cell = value;
        }
        if let Some(RowChange { op: op @ Op::Update(_), .. }) = self.rows.get_mut(at) {
            *op = Op::Put;
        }
    }

    /// Seals the rows as they are now.
    fn seal(&mut self) -> Result<(), Stop> {
        let (table, width) = (self.table, self.table.columns.len());
        if table.seals.is_empty() {
            return Ok(());
        }
        let mut room = Vec::new();
        for (change, row) in self.rows.iter_mut().zip(self.cells.chunks_exact_mut(width.max(1))) {
            for seal in table.seals {
                if let Op::Update(mask) = &mut change.op {
                    if seal.over.iter().all(|at| *mask >> at & 1 == 0) {
                        continue;
                    }
                    *mask |= 1 << seal.column;
                }
                let number = seal::number(table, seal, row, &mut room);
                let number = number.ok_or_else(|| Stop::new("cells that are sealed together changed alone"))?;
                if let Some(cell) = row.get_mut(seal.column) {
                    *cell = Value::Int(number);
                }
            }
        }
        Ok(())
    }

    fn push<const N: usize>(&mut self, op: Op, key: Key, touched: Position, row: [Value; N]) {
        self.rows.push(RowChange { op, key, touched });
        let end = self.rows.len() * self.table.columns.len();
        self.cells.extend(row);
        self.cells.resize(end, Value::Null);
    }

    fn update(&mut self, key: Key, touched: Position, cells: impl IntoIterator<Item = (usize, Value)>) {
        let at = match self.index.get(&key).copied() {
            Some(at) => at,
            None => {
                self.index.insert(key, self.rows.len());
                self.rows.push(RowChange { op: Op::Update(0), key, touched });
                let end = self.rows.len() * self.table.columns.len();
                self.cells.push(key.into());
                self.cells.resize(end, Value::Keep);
                self.rows.len() - 1
            }
        };
        let mut mask = 0;
        for (column, value) in cells {
            mask |= 1 << column;
            if let Some(cell) = self.row_mut(at).get_mut(column) {
                *cell = value;
            }
        }
        if let Some(RowChange { op: Op::Update(set), .. }) = self.rows.get_mut(at) {
            *set |= mask;
        }
    }
}

/// The changes of one view.
#[derive(Debug)]
pub struct Changes {
    pub(crate) tables: Vec<TableChanges>,
    at: Position,
}

impl Changes {
    /// No changes yet, of these tables.
    #[must_use]
    pub fn new(tables: &'static [&'static Table]) -> Self {
        let empty =
            |table: &&'static Table| TableChanges { table, rows: Vec::new(), cells: Vec::new(), index: HashMap::new() };
        Changes { tables: tables.iter().map(empty).collect(), at: Position::START }
    }

    /// Names the event that the next changes come from.
    pub(crate) fn begin(&mut self, at: Position) {
        self.at = at;
    }

    /// Names the first event that the next changes come from, when they are of many events.
    pub fn since(&mut self, first: Position) {
        self.at = first;
    }

    /// Takes all changes away; the room that they took is kept for the next ones.
    pub(crate) fn clear(&mut self) {
        for table in &mut self.tables {
            table.rows.clear();
            table.cells.clear();
            table.index.clear();
        }
    }

    /// Fills the seals of all rows, before they are written.
    ///
    /// # Errors
    /// [`Stop`] when a view changed some of the cells that are sealed together, and not all.
    pub(crate) fn seal(&mut self) -> Result<(), Stop> {
        self.tables.iter_mut().try_for_each(TableChanges::seal)
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(|table| table.rows.is_empty())
    }

    /// Adds a row that does not exist yet. One cell per column but the seals, the key first.
    pub fn insert<const N: usize>(&mut self, table: usize, row: [Value; N]) {
        let at = self.at;
        if let (Some(changes), Some(key)) = (self.tables.get_mut(table), row.first().and_then(Value::key)) {
            changes.insert(key, at, row);
        }
    }

    /// Adds a row that does not exist yet and will never change: cheaper than [`Changes::insert`].
    pub fn append<const N: usize>(&mut self, table: usize, row: [Value; N]) {
        let at = self.at;
        if let (Some(changes), Some(key)) = (self.tables.get_mut(table), row.first().and_then(Value::key)) {
            changes.push(Op::Insert, key, at, row);
        }
    }

    /// Adds a row, or replaces the one with its key.
    pub fn put<const N: usize>(&mut self, table: usize, row: [Value; N]) {
        let at = self.at;
        if let (Some(changes), Some(key)) = (self.tables.get_mut(table), row.first().and_then(Value::key)) {
            changes.put(key, at, row);
        }
    }

    /// Changes some cells, given by the places of their columns, of a row that exists. The view stops if it does not.
    pub fn update(&mut self, table: usize, key: Key, cells: impl IntoIterator<Item = (usize, Value)>) {
        let at = self.at;
        if let Some(changes) = self.tables.get_mut(table) {
            changes.update(key, at, cells);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Kind, column};

    static TABLE: Table = Table {
        name: "t",
        columns: &[column("n", Kind::Int), column("a", Kind::Int), column("b", Kind::Int)],
        indexes: &[],
        seals: &[],
    };
    static TABLES: &[&Table] = &[&TABLE];

    fn row(cells: [i64; 3]) -> [Value; 3] {
        cells.map(Value::Int)
    }

    fn ops(changes: &Changes) -> Vec<(Op, Vec<Value>)> {
        let table = &changes.tables[0];
        table.rows.iter().enumerate().map(|(at, change)| (change.op, table.row(at).to_vec())).collect()
    }

    #[test]
    fn only_the_last_state_of_a_row_is_kept() {
        let mut changes = Changes::new(TABLES);
        changes.insert(0, row([1, 10, 20]));
        changes.update(0, Key::Int(1), [(2, Value::Int(21))]);
        changes.update(0, Key::Int(2), [(1, Value::Int(5))]);
        changes.update(0, Key::Int(2), [(1, Value::Int(6))]);
        changes.update(0, Key::Int(3), [(1, Value::Int(7))]);
        changes.put(0, row([3, 8, 9]));
        let updated = vec![Value::Int(2), Value::Int(6), Value::Keep];
        let expected =
            [(Op::Insert, row([1, 10, 21]).to_vec()), (Op::Update(0b10), updated), (Op::Put, row([3, 8, 9]).to_vec())];
        assert_eq!(ops(&changes), expected);
    }

    /// It must reach the database twice, to be refused there.
    #[test]
    fn a_row_inserted_twice_is_not_hidden() {
        let mut changes = Changes::new(TABLES);
        changes.insert(0, row([1, 1, 1]));
        changes.insert(0, row([1, 2, 2]));
        assert_eq!(ops(&changes).len(), 2);
    }
}
