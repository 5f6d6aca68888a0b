//! Open batches: the sums of all entries whose settlement date is not completed yet.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Cut, SettlementEvent};
use crate::books::{Books, Journal, Posting, Side};
use crate::ids::{ApplicationId, Position};
use crate::money::Currency;
use crate::time::{Date, Instant};

/// Sums of one wallet in an open batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLine {
    /// The balance before the first entry, in smallest units.
    pub opening: i128,
    /// Sum of credits.
    pub credited: i128,
    /// Sum of debits.
    pub debited: i128,
    /// Payments that touched the wallet.
    pub transactions: u64,
}

/// An open batch of one date and currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// First and last booking.
    pub cut: Cut,
    /// Payments, each counted once.
    pub transactions: u64,
    /// The wallets.
    pub lines: BTreeMap<ApplicationId, BatchLine>,
}

/// Open batches and completed dates.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settlement {
    first: Option<Date>,
    closed: BTreeSet<Date>,
    batches: BTreeMap<(Date, Currency), Batch>,
}

impl Settlement {
    /// The settlement date of an entry booked at `now`: its UTC date, or the next one that is not completed.
    #[must_use]
    pub fn date_for(&self, now: Instant) -> Date {
        let mut date = now.date();
        while self.closed.contains(&date) && date.next() > date {
            date = date.next();
        }
        date
    }

    /// Whether a date is completed.
    #[must_use]
    pub fn is_closed(&self, date: Date) -> bool {
        self.closed.contains(&date)
    }

    /// The dates from the ledger's first day up to `today` that are not completed, oldest first.
    pub fn open_until(&self, today: Date) -> impl Iterator<Item = Date> {
        let first = self.first.unwrap_or(today).days();
        (first..=today.days()).map(Date::from_days).filter(|date| !self.closed.contains(date))
    }

    /// The open batches of one date, by currency.
    pub fn batches(&self, date: Date) -> impl Iterator<Item = (Currency, &Batch)> {
        self.batches.iter().filter(move |((on, _), _)| *on == date).map(|((_, currency), batch)| (*currency, batch))
    }

    /// Notes the day on which the ledger began.
    pub(crate) fn begin(&mut self, date: Date) {
        self.first.get_or_insert(date);
    }

    /// Adds a booked journal to its batch. `books` are the balances before it.
    pub(crate) fn book(&mut self, journal: &Journal, date: Date, position: Position, books: &Books) {
        for (at, posting) in journal.postings().iter().enumerate() {
            let Some(application) = posting.account.wallet() else { continue };
            let currency = posting.money.currency;
            let earlier = journal.postings().iter().take(at);
            let first_of_currency = !earlier.clone().any(|p| p.money.currency == currency);
            let first_of_wallet =
                !earlier.clone().any(|p| p.money.currency == currency && p.account == posting.account);
            let cut = Cut { from: position, to: position };
            let empty = || Batch { cut, transactions: 0, lines: BTreeMap::new() };
            let batch = self.batches.entry((date, currency)).or_insert_with(empty);
            batch.cut.to = position;
            batch.transactions += u64::from(first_of_currency);
            let line = batch.lines.entry(application).or_insert_with(|| {
                let opening = books.balance(&posting.account, currency).net().minor();
                BatchLine { opening, credited: 0, debited: 0, transactions: 0 }
            });
            line.transactions += u64::from(first_of_wallet);
            line.add(posting);
        }
    }

    pub(crate) fn evolve(&mut self, event: &SettlementEvent) {
        if let SettlementEvent::Completed(_, body) = event {
            self.closed.insert(body.date);
            self.batches.retain(|(date, currency), _| !(*date == body.date && currency.code() == body.currency));
        }
    }
}

impl BatchLine {
    fn add(&mut self, posting: &Posting) {
        let minor = posting.money.amount.minor();
        match posting.side {
            Side::Credit => self.credited = self.credited.saturating_add(minor),
            Side::Debit => self.debited = self.debited.saturating_add(minor),
        }
    }
}
