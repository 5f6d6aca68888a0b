//! What events say, folded naively from the records alone.

use std::collections::BTreeMap;

use flexledger_domain::books::{Account, Journal, Side};
use flexledger_domain::money::{Currency, Money};
use flexledger_domain::payments::{Initiated, PaymentEvent};
use flexledger_domain::{Event, Instant, Position, Recorded, Reference};
use hashbrown::HashMap;

use super::Findings;
use crate::postings::Postings;

/// The content up to the last event taken.
#[derive(Default)]
pub struct Content {
    last: Option<Instant>,
    open: HashMap<Reference, Money>,
    balances: HashMap<(Account, Currency), i128>,
    postings: Postings,
}

impl Content {
    /// Takes the next event.
    pub fn take(&mut self, event: &Recorded, findings: &mut Findings) {
        let at = event.position;
        if self.last.is_some_and(|last| event.recorded_at < last) {
            findings.add(Some(at), "time", "recorded before the event at the position before");
        }
        self.last = Some(event.recorded_at);
        if let Event::Payment(payment) = &event.event {
            self.payment(at, payment, findings);
        }
        self.postings.take(event, &mut |check, message| findings.add(Some(at), check, message));
        if let Some(journal) = event.event.journal() {
            self.book(at, journal, findings);
        }
    }

    /// What only shows at the end.
    pub fn finish(&self, findings: &mut Findings) {
        let mut sums: BTreeMap<Currency, Option<i128>> = BTreeMap::new();
        for ((_, currency), balance) in &self.balances {
            let sum = sums.entry(*currency).or_insert(Some(0));
            *sum = sum.and_then(|sum| sum.checked_add(*balance));
        }
        for (currency, sum) in sums {
            if sum != Some(0) {
                findings.add(None, "books", format!("the balances in {currency} do not sum to zero"));
            }
        }
        self.postings.finish(&mut |check, message| findings.add(None, check, message));
    }

    fn payment(&mut self, at: Position, event: &PaymentEvent, findings: &mut Findings) {
        match event {
            PaymentEvent::Initiated(reference, Initiated { money, .. }) => {
                if reference.position() != at {
                    findings.add(Some(at), "payments", format!("{reference} does not belong to this position"));
                }
                if self.open.insert(*reference, *money).is_some() {
                    findings.add(Some(at), "payments", format!("{reference} begins twice"));
                }
            }
            PaymentEvent::Accepted(reference, body) => {
                if let Some(money) = self.end(at, *reference, findings) {
                    check_amount(at, *reference, money, &body.journal, findings);
                }
            }
            PaymentEvent::Rejected(reference, _) | PaymentEvent::Expired(reference, _) => {
                self.end(at, *reference, findings);
            }
            PaymentEvent::WalletProvisioned(..) => {}
        }
    }

    fn end(&mut self, at: Position, reference: Reference, findings: &mut Findings) -> Option<Money> {
        let money = self.open.remove(&reference);
        if money.is_none() {
            findings.add(Some(at), "payments", format!("{reference} is not open: it ended before or never began"));
        }
        money
    }

    fn book(&mut self, at: Position, journal: &Journal, findings: &mut Findings) {
        for posting in journal.postings() {
            let minor = posting.money.amount.minor();
            let change = if posting.side == Side::Credit { minor } else { -minor };
            let key = (posting.account.clone(), posting.money.currency);
            let balance = self.balances.entry(key).or_default();
            match balance.checked_add(change) {
                Some(sum) => *balance = sum,
                None => findings.add(Some(at), "books", "a balance leaves its range"),
            }
        }
    }
}

fn check_amount(at: Position, reference: Reference, money: Money, journal: &Journal, findings: &mut Findings) {
    let debits: i128 = journal
        .postings()
        .iter()
        .filter(|posting| posting.side == Side::Debit && posting.money.currency == money.currency)
        .fold(0, |sum, posting| posting.money.amount.minor().saturating_add(sum));
    if debits != money.amount.minor() {
        findings.add(Some(at), "payments", format!("{reference} books another amount than it was made for"));
    }
}
