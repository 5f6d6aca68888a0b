//! Check numbers over the cells of a row (see [`Seal`](crate::table::Seal)).
//!
//! A view fills its cells; the numbers are added when its rows are handed over to be written, and are compared where the
//! past is answered for. They find what was damaged since: a cell that was changed by hand, a row that was put in. They
//! hold no secret, so they prove nothing against somebody who writes a number that fits: `reconcile` does.

use sha2::{Digest, Sha256};

use crate::ViewError;
use crate::table::{Kind, Seal, Table};
use crate::value::Value;

/// The number over the key of a row and the cells of a seal; `None` when one of them is not there. `room` is overwritten.
pub(crate) fn number(table: &Table, seal: &Seal, row: &[Value], room: &mut Vec<u8>) -> Option<i64> {
    room.clear();
    room.extend_from_slice(table.name.as_bytes());
    room.extend([0, u8::try_from(seal.column).ok()?]);
    add(room, row.first()?)?;
    if seal.over.is_empty() {
        let cells = row.iter().zip(table.columns).skip(1).filter(|(_, column)| column.kind != Kind::Seal);
        cells.map(|(cell, _)| cell).try_for_each(|cell| add(room, cell))?;
    } else {
        seal.over.iter().try_for_each(|at| add(room, row.get(*at)?))?;
    }
    Sha256::digest(room).first_chunk().map(|bytes| i64::from_be_bytes(*bytes))
}

fn add(room: &mut Vec<u8>, cell: &Value) -> Option<()> {
    match cell {
        Value::Null => room.push(0),
        Value::Int(number) => {
            room.push(1);
            room.extend(number.to_be_bytes());
        }
        Value::Text(text) => {
            room.push(2);
            room.extend((text.len() as u64).to_be_bytes());
            room.extend_from_slice(text.as_bytes());
        }
        Value::Id(id) => {
            room.push(3);
            room.extend_from_slice(id);
        }
        Value::Keep => return None,
    }
    Some(())
}

/// Refuses a row, read with all its columns, one of whose seals is not over its cells.
pub(crate) fn check(table: &Table, row: &[Value]) -> Result<(), ViewError> {
    let mut room = Vec::new();
    let mut fits = |seal: &Seal| row.get(seal.column) == number(table, seal, row, &mut room).map(Value::Int).as_ref();
    if table.seals.iter().all(&mut fits) {
        return Ok(());
    }
    Err(ViewError::Damaged { table: table.name, expected: "a row as its view wrote it" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{column, optional, seal};

    static TABLE: Table = Table {
        name: "t",
        columns: &[
            column("key", Kind::Int),
            column("a", Kind::Text),
            optional("b", Kind::Id),
            seal("seal"),
            seal("b_seal"),
        ],
        indexes: &[],
        seals: &[Seal { column: 3, over: &[] }, Seal { column: 4, over: &[2] }],
    };

    #[test]
    fn every_change_of_a_sealed_cell_is_found() {
        let mut row = vec![Value::Int(1), "text".into(), Value::Null, Value::Null, Value::Null];
        for seal in TABLE.seals {
            row[seal.column] = Value::Int(number(&TABLE, seal, &row, &mut Vec::new()).unwrap());
        }
        check(&TABLE, &row).unwrap();
        let others = [Value::Int(2), "".into(), Value::Id([0; 16]), Value::Int(0), Value::Int(0)];
        for (at, other) in others.into_iter().enumerate() {
            let mut damaged = row.clone();
            damaged[at] = other;
            assert!(check(&TABLE, &damaged).is_err(), "column {at}");
        }
        assert!(check(&TABLE, &row[..3]).is_err());
        row[1] = Value::Keep;
        assert_eq!(number(&TABLE, &TABLE.seals[0], &row, &mut Vec::new()), None);
    }
}
