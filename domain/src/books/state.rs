//! Running balances of all accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Account, Journal, Posting, Side};
use crate::money::{Amount, Currency, MoneyError};

/// What was booked on one account in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    debited: i128,
    credited: i128,
}

impl Balance {
    /// Sum of all debits.
    #[must_use]
    pub fn debited(self) -> Amount {
        Amount::from_minor(self.debited)
    }

    /// Sum of all credits.
    #[must_use]
    pub fn credited(self) -> Amount {
        Amount::from_minor(self.credited)
    }

    /// Credits less debits.
    #[must_use]
    pub fn net(self) -> Amount {
        Amount::from_minor(self.credited.saturating_sub(self.debited))
    }

    /// This balance with one more posting.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] when a sum or the net does not fit.
    pub fn with(self, side: Side, amount: Amount) -> Result<Balance, MoneyError> {
        let mut next = self;
        match side {
            Side::Debit => next.debited = self.debited().plus(amount)?.minor(),
            Side::Credit => next.credited = self.credited().plus(amount)?.minor(),
        }
        next.credited().minus(next.debited())?;
        Ok(next)
    }
}

/// The balances of all accounts: the fold of all journals.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Books {
    balances: BTreeMap<(Account, Currency), Balance>,
}

impl Books {
    /// The balance of one account in one currency; zero if nothing was booked on it.
    #[must_use]
    pub fn balance(&self, account: &Account, currency: Currency) -> Balance {
        self.balances.get(&(account.clone(), currency)).copied().unwrap_or_default()
    }

    /// Whether every posting of `journal` can be booked.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] when a balance would not fit.
    pub fn check(&self, journal: &Journal) -> Result<(), MoneyError> {
        let mut trial = BTreeMap::new();
        for Posting { account, money, side } in journal.postings() {
            let balance =
                trial.entry((account, money.currency)).or_insert_with(|| self.balance(account, money.currency));
            *balance = balance.with(*side, money.amount)?;
        }
        Ok(())
    }

    /// Books a journal.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] when a balance would not fit; nothing past the posting at fault is booked.
    pub fn book(&mut self, journal: &Journal) -> Result<(), MoneyError> {
        for Posting { account, money, side } in journal.postings() {
            let balance = self.balances.entry((account.clone(), money.currency)).or_default();
            *balance = balance.with(*side, money.amount)?;
        }
        Ok(())
    }

    /// All accounts in order of name and currency.
    pub fn iter(&self) -> impl Iterator<Item = (&Account, Currency, Balance)> {
        self.balances.iter().map(|((account, currency), balance)| (account, *currency, *balance))
    }

    /// Sum of debits and sum of credits per currency: the trial balance.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] when a sum does not fit.
    pub fn trial_balance(&self) -> Result<BTreeMap<Currency, (Amount, Amount)>, MoneyError> {
        let mut sums = BTreeMap::new();
        for (_, currency, balance) in self.iter() {
            let sum = sums.entry(currency).or_insert((Amount::ZERO, Amount::ZERO));
            *sum = (sum.0.plus(balance.debited())?, sum.1.plus(balance.credited())?);
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Money;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_books_sum_to_zero_per_currency(
            moves in prop::collection::vec((0..4_u8, 0..4_u8, 1..1_000_000_i128, prop::sample::select(vec!["NGN", "USD"])), 0..60)
        ) {
            let mut books = Books::default();
            for (from, to, minor, code) in moves {
                let currency = Currency::new(code, 4).expect(code);
                let name = |n: u8| Account::Named(format!("a/{n}").into());
                let money = Money { amount: Amount::from_minor(minor), currency };
                let journal = Journal::transfer(name(from), name(to), money).expect("positive");
                books.check(&journal).expect("fits");
                books.book(&journal).expect("fits");
            }
            for (debit, credit) in books.trial_balance().expect("fits").values() {
                prop_assert_eq!(debit, credit);
            }
        }
    }
}
