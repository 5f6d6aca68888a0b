//! Two databases read side by side, row by row, in one thread: no row is copied, or carried anywhere.

use rusqlite::types::ValueRef;
use rusqlite::{Row, Statement};
use uuid::Uuid;

use crate::ViewError;
use crate::cells::{Cell, Cells, Take};
use crate::frozen::{Equal, RowKey, Then};
use crate::table::Table;
use crate::value::Key;

/// Passes over the rows of two statements, which read the columns of a table in order of their keys, as long as they are
/// equal. The rows of the second one are taken.
pub(super) fn lockstep(
    table: &'static Table,
    here: &mut Statement<'_>,
    there: &mut Statement<'_>,
    limit: u32,
    taker: &mut impl Take,
) -> Result<Equal, ViewError> {
    let (width, wanted) = (table.columns.len(), taker.wants(table));
    let (mut here, mut there) = (here.query([])?, there.query([])?);
    let (mut rows, mut last) = (0, None);
    let then = loop {
        match (here.next()?, there.next()?) {
            (None, None) if rows == u64::from(limit) => break Then::More,
            (None, None) => break Then::End,
            (Some(live), Some(rebuilt)) if equal(live, rebuilt, width)? => {
                if wanted {
                    taker.take(table, &Lying(rebuilt))?;
                }
                last = key(rebuilt.get_ref(0)?);
                rows += 1;
            }
            _ => break Then::Differs,
        }
    };
    Ok(Equal { rows, last: last.map(RowKey::of), then })
}

fn equal(live: &Row<'_>, rebuilt: &Row<'_>, width: usize) -> Result<bool, ViewError> {
    for at in 0..width {
        if live.get_ref(at)? != rebuilt.get_ref(at)? {
            return Ok(false);
        }
    }
    // A key that no view writes is for the slower way to show.
    Ok(key(rebuilt.get_ref(0)?).is_some())
}

fn key(cell: ValueRef<'_>) -> Option<Key> {
    match cell {
        ValueRef::Integer(number) => Some(Key::Int(number)),
        ValueRef::Blob(bytes) => bytes.try_into().ok().map(Key::Id),
        _ => None,
    }
}

/// A row where the database has it.
struct Lying<'a, 'row>(&'a Row<'row>);

impl Cells for Lying<'_, '_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        match self.0.get_ref(column) {
            Ok(ValueRef::Null) => Cell::Null,
            Ok(ValueRef::Integer(number)) => Cell::Int(number),
            Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).map_or(Cell::Other, |text| Cell::Text(text.into())),
            Ok(ValueRef::Blob(bytes)) => Uuid::from_slice(bytes).map_or(Cell::Other, Cell::Id),
            Ok(ValueRef::Real(_)) | Err(_) => Cell::Other,
        }
    }
}
