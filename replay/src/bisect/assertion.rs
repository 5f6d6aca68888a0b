//! What can be asserted, and how it is written:
//!
//! ```text
//! wallet <application id> <currency> balance|total_debited|total_credited <op> <decimal>     from its first booking
//! wallets <currency> balance|total_debited|total_credited <op> <decimal>       each wallet that was booked on
//! transactions <reference> status =|!= <state>
//! trial-balance <currency> debit = credit
//! ```
//!
//! `<op>` is one of `<`, `<=`, `=`, `!=`, `>=`, `>`.

use std::fmt;
use std::str::FromStr;

use flexledger_domain::Reference;
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::money::Amount;
use flexledger_domain::payments::{SCALE, Status};

use crate::as_of::read_currency;

/// A text that is no assertion (2 on the command line).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; for example: wallet <application id> NGN balance >= 0")]
pub struct AssertionError(&'static str);

/// A figure of a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Credits less debits.
    Balance,
    /// Sum of debits.
    Debited,
    /// Sum of credits.
    Credited,
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `>=`
    AtLeast,
    /// `>`
    Greater,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A figure of one wallet, in a currency, once it was booked on.
    Wallet(ApplicationId, String, Figure),
    /// A figure of each wallet in a currency that was booked on.
    Wallets(String, Figure),
    /// The state of a payment, from when it was initiated.
    Transaction(Reference),
    /// Debits and credits of all wallets in a currency.
    TrialBalance(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Amount(Amount),
    Status(Status),
    Credit,
}

/// Something that should always hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    subject: Subject,
    operator: Operator,
    expected: Expected,
    text: String,
}

impl Assertion {
    /// What is looked at.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Whether a currency is the one looked at.
    #[must_use]
    pub fn is_in(&self, currency: &str) -> bool {
        match &self.subject {
            Subject::Wallet(_, code, _) | Subject::Wallets(code, _) | Subject::TrialBalance(code) => code == currency,
            Subject::Transaction(_) => false,
        }
    }

    /// Whether a figure is as it should be.
    #[must_use]
    pub fn judges(&self, figure: Amount) -> bool {
        match self.expected {
            Expected::Amount(expected) => self.operator.holds(figure, expected),
            Expected::Status(_) | Expected::Credit => true,
        }
    }

    /// Whether a state is as it should be.
    #[must_use]
    pub fn judges_status(&self, status: Status) -> bool {
        match self.expected {
            Expected::Status(expected) => (status == expected) == (self.operator == Operator::Equal),
            Expected::Amount(_) | Expected::Credit => true,
        }
    }

    /// The wallet and the sum, when this is an upper bound on a sum that never shrinks.
    #[must_use]
    pub fn fails_for_good(&self) -> Option<(ApplicationId, Figure)> {
        match (&self.subject, self.operator) {
            (Subject::Wallet(_, _, Figure::Balance), _) => None,
            (Subject::Wallet(application, _, figure), Operator::Less | Operator::AtMost) => {
                Some((*application, *figure))
            }
            _ => None,
        }
    }
}

impl Operator {
    fn holds(self, left: Amount, right: Amount) -> bool {
        match self {
            Operator::Less => left < right,
            Operator::AtMost => left <= right,
            Operator::Equal => left == right,
            Operator::Unequal => left != right,
            Operator::AtLeast => left >= right,
            Operator::Greater => left > right,
        }
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Assertion {
    type Err = AssertionError;

    fn from_str(text: &str) -> Result<Self, AssertionError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (subject, sign, value) = match words.as_slice() {
            ["wallet", id, code, name, sign, value] => {
                let id = id.parse().map_err(|_| AssertionError("the application id is malformed"))?;
                (Subject::Wallet(id, currency(code)?, figure(name)?), sign, value)
            }
            ["wallets", code, name, sign, value] => (Subject::Wallets(currency(code)?, figure(name)?), sign, value),
            ["transactions", reference, "status", sign, value] => {
                let reference = reference.parse().map_err(|_| AssertionError("the reference is malformed"))?;
                (Subject::Transaction(reference), sign, value)
            }
            ["trial-balance", code, "debit", sign, value] => (Subject::TrialBalance(currency(code)?), sign, value),
            _ => return Err(AssertionError("this is no assertion")),
        };
        let operator = operator(sign)?;
        let expected = expected(&subject, operator, value)?;
        Ok(Assertion { subject, operator, expected, text: words.join(" ") })
    }
}

fn expected(subject: &Subject, operator: Operator, value: &str) -> Result<Expected, AssertionError> {
    match subject {
        Subject::Wallet(..) | Subject::Wallets(..) => {
            Amount::parse(value, SCALE).map(Expected::Amount).map_err(|_| AssertionError("the amount is malformed"))
        }
        Subject::Transaction(_) if matches!(operator, Operator::Equal | Operator::Unequal) => {
            Status::from_name(value).map(Expected::Status).ok_or(AssertionError("there is no such state"))
        }
        Subject::TrialBalance(_) if operator == Operator::Equal && value == "credit" => Ok(Expected::Credit),
        Subject::Transaction(_) => Err(AssertionError("states are compared with = or !=")),
        Subject::TrialBalance(_) => Err(AssertionError("a trial balance is asserted as debit = credit")),
    }
}

fn currency(code: &str) -> Result<String, AssertionError> {
    read_currency(code).map(|currency| currency.code().to_owned()).map_err(|_| AssertionError("currency is malformed"))
}

fn figure(name: &str) -> Result<Figure, AssertionError> {
    match name {
        "balance" => Ok(Figure::Balance),
        "total_debited" => Ok(Figure::Debited),
        "total_credited" => Ok(Figure::Credited),
        _ => Err(AssertionError("a wallet has balance, total_debited and total_credited")),
    }
}

fn operator(sign: &str) -> Result<Operator, AssertionError> {
    match sign {
        "<" => Ok(Operator::Less),
        "<=" => Ok(Operator::AtMost),
        "=" | "==" => Ok(Operator::Equal),
        "!=" => Ok(Operator::Unequal),
        ">=" => Ok(Operator::AtLeast),
        ">" => Ok(Operator::Greater),
        _ => Err(AssertionError("compare with <, <=, =, !=, >= or >")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";

    #[test]
    fn texts() {
        let good = [
            format!("wallet {ID} NGN balance >= 0"),
            format!("wallet {ID} NGN  total_debited <= 12.5000"),
            "wallets USD balance > -100".to_owned(),
            "transactions TXN-00000007-0000ABCD status != REJECTED".to_owned(),
            "trial-balance NGN debit = credit".to_owned(),
        ];
        for text in &good {
            assert!(text.parse::<Assertion>().is_ok(), "{text}");
        }
        let wrong = [
            String::new(),
            "wallet".to_owned(),
            format!("wallet {ID} ngn balance >= 0"),
            format!("wallet {ID} NGN balance ~ 0"),
            format!("wallet {ID} NGN balance >= 0.00001"),
            "transactions TXN-00000007-0000ABCD status < REJECTED".to_owned(),
            "transactions TXN-00000007-0000ABCD status = LOST".to_owned(),
            "trial-balance NGN debit > credit".to_owned(),
        ];
        for text in &wrong {
            assert!(text.parse::<Assertion>().is_err(), "{text}");
        }
    }
}
