//! Reading values that stand as texts, and numbers.

use std::fmt::{self, Display};

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Reads a value from a text where it lies: no copy of it is made, but of one with escapes.
pub(crate) fn read<'de, D, T, E>(deserializer: D, read: impl FnOnce(&str) -> Result<T, E>) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: Display,
{
    struct Text<F>(F);

    impl<T, E: Display, F: FnOnce(&str) -> Result<T, E>> Visitor<'_> for Text<F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<X: Error>(self, text: &str) -> Result<T, X> {
            (self.0)(text).map_err(X::custom)
        }
    }

    deserializer.deserialize_str(Text(read))
}

/// Reads a whole number that every reader of JSON takes for the same: below 2^53 (`operations.md` 5.1).
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number < 1 << 53 {
        return Ok(number);
    }
    Err(D::Error::invalid_value(Unexpected::Unsigned(number), &"a number below 2^53"))
}
