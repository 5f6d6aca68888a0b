//! Cells of rows, the same for every database.

use std::sync::Arc;

use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::SCALE;
use flexledger_domain::personal::{Personal, PersonalText};
use flexledger_domain::{Instant, Position};
use smol_str::SmolStr;
use uuid::Uuid;

use crate::view::Stop;

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number: a position, a count, microseconds, days, a small code.
    Int(i64),
    /// A text: a name, or an amount as exact decimal. Most are short, and lie in the cell itself.
    Text(SmolStr),
    /// A UUID.
    Id([u8; 16]),
    /// In a change of some cells of a row: this cell stays as it is. Never stored.
    Keep,
}

/// The key of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A number.
    Int(i64),
    /// A UUID.
    Id([u8; 16]),
}

impl Value {
    /// This cell as the key of its row, if it can be one.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        match self {
            Value::Int(number) => Some(Key::Int(*number)),
            Value::Id(id) => Some(Key::Id(*id)),
            _ => None,
        }
    }
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Int(number) => Value::Int(number),
            Key::Id(id) => Value::Id(id),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<&Arc<str>> for Value {
    fn from(text: &Arc<str>) -> Self {
        Value::Text(text.clone().into())
    }
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Value::Id(id.into_bytes())
    }
}

impl From<Instant> for Value {
    fn from(instant: Instant) -> Self {
        Value::Int(instant.micros())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Int(i64::from(flag))
    }
}

impl<T> From<Option<T>> for Value
where
    Value: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Value::from)
    }
}

/// A position as a cell. Positions have at most 13 digits, so nothing is lost.
pub(crate) fn position(position: Position) -> Value {
    count(position.number())
}

/// A count as a cell. A count above 2^63 cannot come to be; it would be held at the end.
pub(crate) fn count(count: u64) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

/// An IDaaS amount as a cell.
pub(crate) fn amount(amount: Amount) -> Value {
    Value::from(amount.text(SCALE).as_str())
}

/// A currency with the scale of IDaaS amounts.
pub(crate) fn currency(code: &str) -> Result<Currency, Stop> {
    Currency::new(code, SCALE).map_err(|_| Stop::new("not a currency code"))
}

/// A sealed personal text as a cell: the subject's id, then the sealed text.
pub(crate) fn personal(text: Option<&Personal>) -> Result<Value, Stop> {
    let Some(text) = text else { return Ok(Value::Null) };
    match &text.text {
        PersonalText::Sealed(sealed) => {
            let mut cell = String::with_capacity(32 + sealed.len());
            cell.push_str(text.subject.uuid().simple().encode_lower(&mut Uuid::encode_buffer()));
            cell.push_str(sealed);
            Ok(Value::Text(cell.into()))
        }
        PersonalText::Clear(_) => Err(Stop::new("personal text is not sealed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches are many of them.
    #[test]
    fn a_cell_is_three_words() {
        assert_eq!(size_of::<Value>(), 24);
    }
}
