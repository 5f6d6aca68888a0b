//! Typed reading of the cells of one row, from left to right.

use std::sync::Arc;

use flexledger_domain::identity::{Address, TagQuery};
use flexledger_domain::ids::SubjectId;
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::SCALE;
use flexledger_domain::personal::{Personal, PersonalText};
use flexledger_domain::{Instant, Position};
use uuid::Uuid;

use crate::ViewError;
use crate::database::Row;
use crate::value::Value;

/// Hex digits of a subject's id at the start of a personal text.
const SUBJECT_DIGITS: usize = 32;

/// The cells of a row that are not read yet.
pub(crate) struct Cells<'a> {
    table: &'static str,
    cells: std::slice::Iter<'a, Value>,
}

impl<'a> Cells<'a> {
    /// The cells of `row`, which is of `table`.
    pub fn of(table: &'static str, row: &'a Row) -> Self {
        Cells { table, cells: row.0.iter() }
    }

    fn damaged(&self, expected: &'static str) -> ViewError {
        ViewError::Damaged { table: self.table, expected }
    }

    pub fn int(&mut self) -> Result<i64, ViewError> {
        match self.cells.next() {
            Some(Value::Int(number)) => Ok(*number),
            _ => Err(self.damaged("a number")),
        }
    }

    pub fn optional_int(&mut self) -> Result<Option<i64>, ViewError> {
        match self.cells.next() {
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.damaged("a number or nothing")),
        }
    }

    pub fn count(&mut self) -> Result<u64, ViewError> {
        let number = self.int()?;
        u64::try_from(number).map_err(|_| self.damaged("a count"))
    }

    pub fn bool(&mut self) -> Result<bool, ViewError> {
        match self.int()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.damaged("0 or 1")),
        }
    }

    pub fn position(&mut self) -> Result<Position, ViewError> {
        self.count().map(Position::new)
    }

    pub fn instant(&mut self) -> Result<Instant, ViewError> {
        self.int().map(Instant::from_micros)
    }

    pub fn text(&mut self) -> Result<Arc<str>, ViewError> {
        match self.cells.next() {
            Some(Value::Text(text)) => Ok(text.clone().into()),
            _ => Err(self.damaged("a text")),
        }
    }

    pub fn optional_text(&mut self) -> Result<Option<Arc<str>>, ViewError> {
        match self.cells.next() {
            Some(Value::Text(text)) => Ok(Some(text.clone().into())),
            Some(Value::Null) => Ok(None),
            _ => Err(self.damaged("a text or nothing")),
        }
    }

    pub fn uuid(&mut self) -> Result<Uuid, ViewError> {
        match self.cells.next() {
            Some(Value::Id(id)) => Ok(Uuid::from_bytes(*id)),
            _ => Err(self.damaged("a UUID")),
        }
    }

    pub fn optional_uuid(&mut self) -> Result<Option<Uuid>, ViewError> {
        match self.cells.next() {
            Some(Value::Id(id)) => Ok(Some(Uuid::from_bytes(*id))),
            Some(Value::Null) => Ok(None),
            _ => Err(self.damaged("a UUID or nothing")),
        }
    }

    pub fn amount(&mut self) -> Result<Amount, ViewError> {
        let text = self.text()?;
        Amount::parse(&text, SCALE).map_err(|_| self.damaged("an amount"))
    }

    pub fn currency(&mut self) -> Result<Currency, ViewError> {
        let text = self.text()?;
        Currency::new(&text, SCALE).map_err(|_| self.damaged("a currency code"))
    }

    pub fn address(&mut self) -> Result<Address, ViewError> {
        match TagQuery::parse(&self.text()?) {
            Ok(TagQuery::Qualified(local, handle)) => Ok(Address::new(&local, &handle)),
            _ => Err(self.damaged("a tag's address")),
        }
    }

    pub fn personal(&mut self) -> Result<Option<Personal>, ViewError> {
        let Some(text) = self.optional_text()? else { return Ok(None) };
        let parts = text.split_at_checked(SUBJECT_DIGITS);
        let read = parts.and_then(|(id, sealed)| Some((Uuid::try_parse(id).ok()?, sealed)));
        let (subject, sealed) = read.ok_or_else(|| self.damaged("a sealed text"))?;
        let text = PersonalText::Sealed(sealed.into());
        Ok(Some(Personal { subject: SubjectId::from_uuid(subject), text }))
    }
}
