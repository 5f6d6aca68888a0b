//! Journals: sets of postings that balance.

use serde::{Deserialize, Serialize};

use super::Account;
use crate::money::{Amount, Currency, Money, MoneyError};

/// Debit or credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Money out of a wallet.
    Debit,
    /// Money into a wallet.
    Credit,
}

/// One leg of a journal: a positive amount on one side of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Where it is booked.
    pub account: Account,
    /// How much; always above zero inside a journal.
    pub money: Money,
    /// On which side.
    pub side: Side,
}

#[derive(Serialize, Deserialize)]
struct PostingWire<'a> {
    account: Account,
    #[serde(borrow)]
    amount: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    currency: std::borrow::Cow<'a, str>,
    side: Side,
}

impl Serialize for Posting {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let amount = self.money.text();
        PostingWire {
            account: self.account.clone(),
            amount: amount.as_str().into(),
            currency: self.money.currency.code().into(),
            side: self.side,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Posting {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = PostingWire::deserialize(deserializer)?;
        let money = Money::from_texts(&wire.amount, &wire.currency).map_err(serde::de::Error::custom)?;
        Ok(Posting { account: wire.account, money, side: wire.side })
    }
}

/// Why postings are no journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A journal without a posting moves nothing.
    #[error("a journal needs postings")]
    Empty,
    /// An amount is zero or negative.
    #[error("a posting must be above zero")]
    NotPositive,
    /// Debits and credits of one currency differ.
    #[error("debits and credits differ in {0}")]
    Unbalanced(Currency),
    /// A sum does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Postings that balance per currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Posting>", into = "Vec<Posting>")]
pub struct Journal(Vec<Posting>);

impl Journal {
    /// A journal of these postings, in this order.
    ///
    /// # Errors
    /// [`JournalError`] when they are none, not positive, or do not balance.
    pub fn new(postings: Vec<Posting>) -> Result<Self, JournalError> {
        if postings.is_empty() {
            return Err(JournalError::Empty);
        }
        for (at, posting) in postings.iter().enumerate() {
            if !posting.money.amount.is_positive() {
                return Err(JournalError::NotPositive);
            }
            let currency = posting.money.currency;
            let seen = postings.iter().take(at).any(|earlier| earlier.money.currency == currency);
            if !seen {
                check_balance(&postings, currency)?;
            }
        }
        Ok(Journal(postings))
    }

    /// A transfer of `money` from one account to another: a debit, then a credit.
    ///
    /// # Errors
    /// [`JournalError::NotPositive`] for an amount of zero or below.
    pub fn transfer(from: Account, to: Account, money: Money) -> Result<Self, JournalError> {
        Journal::new(vec![
            Posting { account: from, money, side: Side::Debit },
            Posting { account: to, money, side: Side::Credit },
        ])
    }

    /// The postings, in order.
    #[must_use]
    pub fn postings(&self) -> &[Posting] {
        &self.0
    }
}

fn check_balance(postings: &[Posting], currency: Currency) -> Result<(), JournalError> {
    let mut sum = Amount::ZERO;
    for posting in postings.iter().filter(|p| p.money.currency == currency) {
        sum = match posting.side {
            Side::Credit => sum.plus(posting.money.amount)?,
            Side::Debit => sum.minus(posting.money.amount)?,
        };
    }
    if sum == Amount::ZERO { Ok(()) } else { Err(JournalError::Unbalanced(currency)) }
}

impl TryFrom<Vec<Posting>> for Journal {
    type Error = JournalError;

    fn try_from(postings: Vec<Posting>) -> Result<Self, JournalError> {
        Journal::new(postings)
    }
}

impl From<Journal> for Vec<Posting> {
    fn from(journal: Journal) -> Self {
        journal.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn posting(account: u8, side: Side, minor: i128, code: &str) -> Posting {
        let currency = Currency::new(code, 4).expect(code);
        let account = Account::Named(format!("a/{account}").into());
        Posting { account, money: Money { amount: Amount::from_minor(minor), currency }, side }
    }

    proptest! {
        /// A journal is accepted exactly when a naive sum per currency is zero and every leg is positive.
        #[test]
        fn accepted_if_and_only_if_balanced(
            legs in prop::collection::vec((0..3_u8, any::<bool>(), -2_i128..6, prop::sample::select(vec!["NGN", "USD"])), 0..6)
        ) {
            let postings: Vec<_> = legs.iter()
                .map(|(a, credit, minor, code)| posting(*a, if *credit { Side::Credit } else { Side::Debit }, *minor, code))
                .collect();
            let balanced = ["NGN", "USD"].iter().all(|code| {
                legs.iter().filter(|l| l.3 == *code).map(|l| if l.1 { l.2 } else { -l.2 }).sum::<i128>() == 0
            });
            let expected = !legs.is_empty() && balanced && legs.iter().all(|l| l.2 > 0);
            prop_assert_eq!(Journal::new(postings).is_ok(), expected);
        }
    }

    #[test]
    fn an_unbalanced_journal_cannot_be_read() {
        let good = r#"[{"account":"a","amount":"1.0000","currency":"NGN","side":"debit"},
                       {"account":"b","amount":"1.0000","currency":"NGN","side":"credit"}]"#;
        assert!(serde_json::from_str::<Journal>(good).is_ok());
        assert!(serde_json::from_str::<Journal>(&good.replacen("1.0000", "2.0000", 1)).is_err());
        assert!(serde_json::from_str::<Journal>("[]").is_err());
    }

    #[test]
    fn sums_that_do_not_fit_are_refused() {
        let huge = vec![posting(0, Side::Credit, i128::MAX, "NGN"), posting(1, Side::Credit, i128::MAX, "NGN")];
        assert_eq!(Journal::new(huge), Err(JournalError::Money(MoneyError::Overflow)));
    }
}
