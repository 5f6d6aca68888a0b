//! Rows handed on where they are read, without a copy.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use uuid::Uuid;

use crate::ViewError;
use crate::table::Table;

/// A cell as it lies in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A number.
    Int(i64),
    /// A text.
    Text(Cow<'a, str>),
    /// A UUID.
    Id(Uuid),
    /// What no view writes.
    Other,
}

/// The cells of one row.
pub trait Cells {
    /// The cell in a column, by its place.
    fn cell(&self, column: usize) -> Cell<'_>;
}

/// Who takes rows as they pass. While rows are read elsewhere, it is there, and its default stands in for it.
pub trait Take: Default + Send + 'static {
    /// Whether rows of this table are to be shown.
    fn wants(&self, table: &'static Table) -> bool;

    /// Takes the next row, in order of the keys.
    ///
    /// # Errors
    /// [`ViewError::Damaged`] for a row that its view does not write.
    fn take(&mut self, table: &'static Table, row: &dyn Cells) -> Result<(), ViewError>;
}

/// A row of literals (see [`crate::frozen`]).
pub(crate) struct Literals<'a>(Vec<&'a str>);

impl<'a> Literals<'a> {
    /// From the literals of its cells.
    pub fn new(cells: impl IntoIterator<Item = &'a str>) -> Self {
        Literals(cells.into_iter().collect())
    }
}

impl Cells for Literals<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        self.0.get(column).map_or(Cell::Other, |literal| read(literal))
    }
}

fn read(literal: &str) -> Cell<'_> {
    if let Ok(number) = literal.parse() {
        return Cell::Int(number);
    }
    if let Some(digits) = literal.strip_prefix("X'").and_then(|rest| rest.strip_suffix('\'')) {
        return Uuid::try_parse(digits).map_or(Cell::Other, Cell::Id);
    }
    match literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(text) if memchr(b'\'', text.as_bytes()).is_some() => Cell::Text(text.replace("''", "'").into()),
        Some(text) => Cell::Text(text.into()),
        None if literal == "NULL" => Cell::Null,
        None => Cell::Other,
    }
}

/// The rows of a portion, one after the other.
pub(crate) struct Rows<'a> {
    rest: Split<'a>,
    width: usize,
}

impl<'a> Rows<'a> {
    /// The rows in a text, each of `width` literals.
    pub fn new(text: &'a str, width: usize) -> Self {
        Rows { rest: Split { rest: text }, width }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Literals<'a>;

    fn next(&mut self) -> Option<Literals<'a>> {
        let row = Literals::new(self.rest.by_ref().take(self.width));
        (!row.0.is_empty()).then_some(row)
    }
}

/// Takes a portion apart: literals with `,` or `;` between them.
struct Split<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let bytes = self.rest.as_bytes();
        // A quoted text may hold the separators. A doubled quote ends it and begins it again.
        let mut end = 0;
        if bytes.first() == Some(&b'\'') {
            while bytes.get(end) == Some(&b'\'') {
                end += 1;
                end += memchr(b'\'', bytes.get(end..)?).map_or(bytes.len(), |at| at + 1);
            }
        }
        let rest = bytes.get(end..).unwrap_or_default();
        end = memchr2(b',', b';', rest).map_or(bytes.len(), |at| end + at);
        let cell = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_taken_apart() {
        let cells = |text| Split { rest: text }.collect::<Vec<_>>();
        let text = "1,'a,b','it''s; so',NULL;2,X'00','',NULL,''''";
        assert_eq!(cells(text), ["1", "'a,b'", "'it''s; so'", "NULL", "2", "X'00'", "''", "NULL", "''''"]);
        assert_eq!(cells("'never ends"), ["'never ends"]);
        assert!(cells("").is_empty());
        assert_eq!(Rows::new(text, 4).count(), 3);
    }

    #[test]
    fn literals_are_read() {
        let id = "X'000102030405060708090A0B0C0D0E0F'";
        let row = Literals::new(["-17", "NULL", "'it''s'", "''", id, "X'00'", "1.5", "CAST(X'FF' AS TEXT)"]);
        let read: Vec<Cell<'_>> = (0..9).map(|at| row.cell(at)).collect();
        let text = |text: &'static str| Cell::Text(text.into());
        let id = Cell::Id(Uuid::from_u128(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f));
        let other = Cell::Other;
        let expected = [
            Cell::Int(-17),
            Cell::Null,
            text("it's"),
            text(""),
            id,
            other.clone(),
            other.clone(),
            other.clone(),
            other,
        ];
        assert_eq!(read, expected);
    }
}
