//! The decision of settlement (`idaas.md` 12.1).

use super::{Batch, Completed, Failed, Line, Lines, Refusal, RunSettlement, SettlementEvent};
use crate::decision::{Command, Context, Decision};
use crate::event::{Actor, Event};
use crate::ids::SettlementId;
use crate::ledger::Ledger;
use crate::money::{Amount, Currency, MoneyError};

/// Lines in one event at most, so that an event stays small however many wallets take part.
const LINES_PER_EVENT: usize = 500;

/// The currency whose record every settled date has.
const DEFAULT_CURRENCY: &str = "NGN";

impl Command for RunSettlement {
    type Outcome = ();
    const NAME: &'static str = "RunSettlement";

    fn actor(&self) -> Actor {
        self.actor
    }

    /// One record per currency that moved, and one in the default currency even if nothing did.
    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<()> {
        if self.date > context.now.date() {
            return Decision::refuse(Refusal::Future);
        }
        if ledger.settlement.is_closed(self.date) {
            return Decision::unchanged(());
        }
        let mut events = Vec::new();
        let mut default_seen = false;
        for (currency, batch) in ledger.settlement.batches(self.date) {
            default_seen |= currency.code() == DEFAULT_CURRENCY;
            let id = SettlementId::from_uuid(context.ids.uuid());
            match totals(batch) {
                Ok((credited, debited)) if credited == debited => {
                    self.complete(ledger, id, currency, batch, credited, &mut events);
                }
                _ => {
                    let error = Refusal::Unequal.to_string();
                    let failed = SettlementEvent::Failed(
                        id,
                        Failed { currency: currency.code().to_owned(), date: self.date, error },
                    );
                    return Decision { events: vec![failed.into()], outcome: Err(Refusal::Unequal.into()) };
                }
            }
        }
        if !default_seen {
            let id = SettlementId::from_uuid(context.ids.uuid());
            events.push(SettlementEvent::Completed(id, self.empty()).into());
        }
        Decision { events, outcome: Ok(()) }
    }
}

impl RunSettlement {
    fn empty(&self) -> Completed {
        Completed {
            application_count: 0,
            currency: DEFAULT_CURRENCY.to_owned(),
            cut: None,
            date: self.date,
            total_credited: Amount::ZERO,
            total_debited: Amount::ZERO,
            transaction_count: 0,
        }
    }

    fn complete(
        &self,
        ledger: &Ledger,
        id: SettlementId,
        currency: Currency,
        batch: &Batch,
        total: Amount,
        events: &mut Vec<Event>,
    ) {
        let lines: Vec<Line> = lines(ledger, currency, batch);
        for chunk in lines.chunks(LINES_PER_EVENT) {
            events.push(SettlementEvent::Lines(id, Lines { lines: chunk.to_vec() }).into());
        }
        let body = Completed {
            application_count: lines.len() as u64,
            currency: currency.code().to_owned(),
            cut: Some(batch.cut),
            total_credited: total,
            total_debited: total,
            transaction_count: batch.transactions,
            ..self.empty()
        };
        events.push(SettlementEvent::Completed(id, body).into());
    }
}

fn lines(ledger: &Ledger, currency: Currency, batch: &Batch) -> Vec<Line> {
    let line = |(application, sums): (&_, &super::BatchLine)| {
        let net = sums.credited.saturating_sub(sums.debited);
        Some(Line {
            application: *application,
            closing_balance: Amount::from_minor(sums.opening.saturating_add(net)),
            opening_balance: Amount::from_minor(sums.opening),
            total_credited: Amount::from_minor(sums.credited),
            total_debited: Amount::from_minor(sums.debited),
            transaction_count: sums.transactions,
            wallet: ledger.payments.wallet(*application, currency)?,
        })
    };
    batch.lines.iter().filter_map(line).collect()
}

/// Sums of credits and debits over all wallets.
fn totals(batch: &Batch) -> Result<(Amount, Amount), MoneyError> {
    batch.lines.values().try_fold((Amount::ZERO, Amount::ZERO), |(credited, debited), line| {
        Ok((credited.plus(Amount::from_minor(line.credited))?, debited.plus(Amount::from_minor(line.debited))?))
    })
}
