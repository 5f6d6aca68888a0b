//! What events say, folded naively from the records alone.

use std::collections::{BTreeMap, BTreeSet};

use flexledger_domain::access::AccessEvent;
use flexledger_domain::books::{Account, Journal, Posting, Side};
use flexledger_domain::identity::IdentityEvent;
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::merchants::MerchantEvent;
use flexledger_domain::money::{Currency, Money};
use flexledger_domain::payments::{Accepted, Initiated, PaymentEvent, SCALE};
use flexledger_domain::settlement::SettlementEvent;
use flexledger_domain::system::SystemEvent;
use flexledger_domain::{Date, Entity, Event, Instant, Position, Recorded, Reference};
use hashbrown::{HashMap, HashSet};

use super::Findings;
use crate::postings::Postings;

/// What was agreed on when a payment began.
#[derive(Clone, Copy)]
struct Open {
    money: Money,
    sender: ApplicationId,
    receiver: ApplicationId,
    expires_at: Instant,
}

/// The content up to the last event taken.
#[derive(Default)]
pub struct Content {
    last: Option<Instant>,
    open: HashMap<Reference, Open>,
    /// Who takes part: the ledger, applications, subjects, tags, merchants, auditors.
    begun: HashSet<Entity>,
    /// Dates that were settled.
    closed: BTreeSet<Date>,
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
        match &event.event {
            Event::Payment(payment) => self.payment(event, payment, findings),
            Event::Merchant(MerchantEvent::Created(number, body)) if !is_amount(body.money) => {
                findings.add(Some(at), "payments", format!("request {number} asks for no amount of the contract"));
            }
            Event::Settlement(SettlementEvent::Completed(_, body)) => {
                self.closed.insert(body.date);
            }
            _ => {}
        }
        self.begin(event, findings);
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

    fn payment(&mut self, event: &Recorded, payment: &PaymentEvent, findings: &mut Findings) {
        let at = event.position;
        let mut wrong = |what: String| findings.add(Some(at), "payments", what);
        match payment {
            PaymentEvent::Initiated(reference, Initiated { money, sender, receiver, expires_at, .. }) => {
                if reference.position() != at {
                    wrong(format!("{reference} does not belong to this position"));
                }
                if !is_amount(*money) {
                    wrong(format!("{reference} is made for no amount of the contract"));
                }
                let (sender, receiver) = (sender.application, receiver.application);
                let open = Open { money: *money, sender, receiver, expires_at: *expires_at };
                if self.open.insert(*reference, open).is_some() {
                    wrong(format!("{reference} begins twice"));
                }
            }
            PaymentEvent::Accepted(reference, body) => {
                let closed = &self.closed;
                match self.open.remove(reference) {
                    Some(open) => check_accepted(event, *reference, open, body, closed, &mut wrong),
                    None => wrong(not_open(*reference)),
                }
            }
            PaymentEvent::Rejected(reference, _) => match self.open.remove(reference) {
                Some(open) if open.expires_at <= event.recorded_at => wrong(late(*reference)),
                Some(_) => {}
                None => wrong(not_open(*reference)),
            },
            PaymentEvent::Expired(reference, _) => match self.open.remove(reference) {
                Some(open) if open.expires_at > event.recorded_at => wrong(format!("{reference} expires too early")),
                Some(_) => {}
                None => wrong(not_open(*reference)),
            },
            PaymentEvent::WalletProvisioned(..) => {}
        }
    }

    /// Each of those who take part begins once, and the ledger first of all.
    fn begin(&mut self, event: &Recorded, findings: &mut Findings) {
        let entity = match &event.event {
            Event::System(SystemEvent::Opened(id, _)) => Entity::Ledger(*id),
            Event::Identity(IdentityEvent::ApplicationRegistered(id, _)) => Entity::Application(*id),
            Event::Identity(IdentityEvent::SubjectCreated(id, _)) => Entity::Subject(*id),
            Event::Identity(IdentityEvent::TagCreated(id, _)) => Entity::Tag(*id),
            Event::Merchant(MerchantEvent::Registered(id, _)) => Entity::Merchant(*id),
            Event::Access(AccessEvent::AuditorAdded(id, _)) => Entity::Auditor(*id),
            _ => return,
        };
        let misplaced = matches!(entity, Entity::Ledger(_)) && event.position != Position::START.next();
        if !self.begun.insert(entity) || misplaced {
            findings.add(Some(event.position), "entities", format!("{entity} began before, or does not begin here"));
        }
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

/// Above zero, with the decimals of the contract.
fn is_amount(money: Money) -> bool {
    money.currency.scale() == SCALE && money.amount.is_positive()
}

fn not_open(reference: Reference) -> String {
    format!("{reference} is not open: it ended before or never began")
}

fn late(reference: Reference) -> String {
    format!("{reference} had expired")
}

/// A payment books its amount from the wallet of its sender to that of its receiver, in time, on the first date that is
/// open.
fn check_accepted(
    event: &Recorded,
    reference: Reference,
    open: Open,
    body: &Accepted,
    closed: &BTreeSet<Date>,
    wrong: &mut impl FnMut(String),
) {
    let Open { money, sender, receiver, expires_at } = open;
    let leg = |application, side| Posting { account: Account::Wallet(application), money, side };
    if body.journal.postings() != [leg(sender, Side::Debit), leg(receiver, Side::Credit)] {
        wrong(format!("{reference} books otherwise than it was made for"));
    }
    if expires_at <= event.recorded_at {
        wrong(late(reference));
    }
    let mut date = event.recorded_at.date();
    while closed.contains(&date) && date.next() > date {
        date = date.next();
    }
    if body.settlement_date != date {
        wrong(format!("{reference} is booked on another date than the first open one"));
    }
}
