//! Numbers of payment requests.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::IdError;

/// The number of a payment request: 1, 2, 3 … in the order of creation, over all merchants of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestNumber(u64);

impl RequestNumber {
    /// The last number.
    pub const MAX: RequestNumber = RequestNumber(u64::MAX);

    /// From a number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        RequestNumber(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        RequestNumber(self.0.saturating_add(1))
    }
}

impl fmt::Display for RequestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for RequestNumber {
    type Err = IdError;

    /// Reads exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let number = text.parse::<u64>().map_err(|_| IdError("payment request number"))?;
        if number.to_string() == text { Ok(RequestNumber(number)) } else { Err(IdError("payment request number")) }
    }
}
