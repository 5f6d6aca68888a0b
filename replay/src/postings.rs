//! Balances, statements and settlement batches, folded from postings alone.
//!
//! Written apart from the state that decides and from the views, and as plainly as can be, so that a mistake in one of
//! them cannot hide: what the three say must agree.

use std::collections::BTreeMap;

use flexledger_domain::books::{Posting, Side};
use flexledger_domain::ids::{ApplicationId, SettlementId, WalletId};
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::{PaymentEvent, SCALE};
use flexledger_domain::settlement::{Completed, Cut, Line, SettlementEvent};
use flexledger_domain::{Date, Event, Position, Recorded};
use hashbrown::HashMap;
use sha2::{Digest, Sha256};

/// One wallet: an application in one currency.
pub type Owner = (ApplicationId, Currency);

/// What was booked on one wallet.
#[derive(Clone, Default)]
pub struct Sums {
    /// Sum of debits, in smallest units.
    pub debited: i128,
    /// Sum of credits, in smallest units.
    pub credited: i128,
    /// How many entries.
    pub entries: u64,
    trail: Sha256,
}

impl Sums {
    /// Credits less debits.
    #[must_use]
    pub fn balance(&self) -> i128 {
        self.credited.saturating_sub(self.debited)
    }

    /// One hash over all entries so far, in order.
    #[must_use]
    pub fn trail(&self) -> [u8; 32] {
        self.trail.clone().finalize().into()
    }
}

/// Adds one entry to the hash over a statement. Amounts hold no line feed, so no two entries look alike.
pub fn trail(hash: &mut Sha256, position: u64, credit: bool, amount: &str, closing: &str) {
    let mut head = [0; 9];
    let (at, side) = head.split_at_mut(8);
    at.copy_from_slice(&position.to_be_bytes());
    side.fill(u8::from(credit));
    hash.update(head);
    hash.update(amount);
    hash.update(b"\n");
    hash.update(closing);
    hash.update(b"\n");
}

/// One wallet's part of a batch, in smallest units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Part {
    opening: i128,
    debited: i128,
    credited: i128,
    payments: u64,
}

/// The entries of one settlement date and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Batch {
    cut: Cut,
    payments: u64,
    parts: BTreeMap<ApplicationId, Part>,
}

/// The fold. Memory: one entry per wallet, and per settlement date and currency.
#[derive(Default)]
pub struct Postings {
    /// Whether statements are hashed too.
    trails: bool,
    wallets: HashMap<Owner, Sums>,
    ids: HashMap<Owner, WalletId>,
    open: BTreeMap<(Date, Currency), Batch>,
    settled: BTreeMap<(Date, Currency), SettlementId>,
    /// The cuts of each currency, by their first position.
    cuts: BTreeMap<Currency, BTreeMap<Position, Position>>,
    /// Lines of a record that is not completed yet.
    lines: HashMap<SettlementId, Vec<Line>>,
    records: BTreeMap<SettlementId, [u8; 32]>,
}

impl Postings {
    /// With a hash over each statement and each settlement record.
    #[must_use]
    pub fn with_trails() -> Self {
        Postings { trails: true, ..Postings::default() }
    }

    /// All wallets that were booked on.
    pub fn wallets(&self) -> impl Iterator<Item = (&Owner, &Sums)> {
        self.wallets.iter()
    }

    /// One wallet; nothing when it was never booked on.
    #[must_use]
    pub fn wallet(&self, owner: &Owner) -> Option<&Sums> {
        self.wallets.get(owner)
    }

    /// The settlement records that the postings ask for, each with a hash over what must stand in it.
    pub fn records(&self) -> impl Iterator<Item = (&SettlementId, &[u8; 32])> {
        self.records.iter()
    }

    /// Takes the next event; tells what is wrong with it.
    pub fn take(&mut self, event: &Recorded, wrong: &mut impl FnMut(&'static str, &'static str)) {
        match &event.event {
            Event::Payment(PaymentEvent::WalletProvisioned(id, body)) => {
                let Ok(currency) = Currency::new(&body.currency, SCALE) else {
                    return wrong("books", "a wallet in no currency");
                };
                if self.ids.insert((body.application, currency), *id).is_some() {
                    wrong("books", "a second wallet of the same application and currency");
                }
            }
            Event::Settlement(settlement) => self.settle(settlement, wrong),
            _ => {}
        }
        if let Some(journal) = event.event.journal() {
            self.book(event, journal.postings(), wrong);
        }
    }

    /// What only shows at the end.
    pub fn finish(&self, wrong: &mut impl FnMut(&'static str, &'static str)) {
        if !self.lines.is_empty() {
            wrong("settlement", "lines of a record that was never completed");
        }
    }

    fn book(&mut self, event: &Recorded, postings: &[Posting], wrong: &mut impl FnMut(&'static str, &'static str)) {
        let date = match &event.event {
            Event::Payment(PaymentEvent::Accepted(_, body)) => Some(body.settlement_date),
            _ => None,
        };
        let mut seen: Vec<(ApplicationId, Currency)> = Vec::new();
        for posting in postings {
            let Some(application) = posting.account.wallet() else { continue };
            let owner = (application, posting.money.currency);
            if !self.ids.contains_key(&owner) {
                wrong("books", "an entry on a wallet that was never made");
            }
            let before = self.wallets.get(&owner).map_or(0, Sums::balance);
            if !self.add(owner, event.position, posting) {
                wrong("books", "a sum leaves its range");
            }
            let Some(date) = date else {
                wrong("settlement", "an entry without a settlement date");
                continue;
            };
            let currency = owner.1;
            if self.settled.contains_key(&(date, currency)) {
                wrong("settlement", "an entry on a date that was settled before");
            }
            let first_of_currency = !seen.iter().any(|(_, known)| *known == currency);
            let first_of_wallet = !seen.contains(&owner);
            seen.push(owner);
            let cut = Cut { from: event.position, to: event.position };
            let new = || Batch { cut, payments: 0, parts: BTreeMap::new() };
            let batch = self.open.entry((date, currency)).or_insert_with(new);
            batch.cut.to = event.position;
            batch.payments += u64::from(first_of_currency);
            let part = batch.parts.entry(application).or_insert_with(|| Part { opening: before, ..Part::default() });
            part.payments += u64::from(first_of_wallet);
            let side = if posting.side == Side::Credit { &mut part.credited } else { &mut part.debited };
            *side = side.saturating_add(posting.money.amount.minor());
        }
    }

    fn add(&mut self, owner: Owner, position: Position, posting: &Posting) -> bool {
        let sums = self.wallets.entry(owner).or_default();
        let side = if posting.side == Side::Credit { &mut sums.credited } else { &mut sums.debited };
        let Some(sum) = side.checked_add(posting.money.amount.minor()) else { return false };
        *side = sum;
        sums.entries += 1;
        if self.trails {
            let closing = Amount::from_minor(sums.balance()).text(SCALE);
            let amount = posting.money.amount.text(SCALE);
            let credit = posting.side == Side::Credit;
            trail(&mut sums.trail, position.number(), credit, amount.as_str(), closing.as_str());
        }
        true
    }

    fn settle(&mut self, event: &SettlementEvent, wrong: &mut impl FnMut(&'static str, &'static str)) {
        match event {
            SettlementEvent::Lines(id, body) => self.lines.entry(*id).or_default().extend(body.lines.iter().cloned()),
            SettlementEvent::Completed(id, body) => self.complete(*id, body, wrong),
            SettlementEvent::Failed(..) => {}
        }
    }

    /// The record must be, field by field, what running the settlement again gives.
    fn complete(&mut self, id: SettlementId, body: &Completed, wrong: &mut impl FnMut(&'static str, &'static str)) {
        let lines = self.lines.remove(&id).unwrap_or_default();
        let Ok(currency) = Currency::new(&body.currency, SCALE) else {
            return wrong("settlement", "a record in no currency");
        };
        if self.settled.insert((body.date, currency), id).is_some() {
            wrong("settlement", "a second record of the same date and currency");
        }
        let batch = self.open.remove(&(body.date, currency));
        let again = self.lines_of(currency, batch.as_ref());
        if lines != again {
            wrong("settlement", "the lines are not those that the postings give");
        }
        let expected = record(body, batch.as_ref(), &again);
        if *body != expected {
            wrong("settlement", "the record is not the one that the postings give");
        }
        if expected.total_credited != expected.total_debited {
            wrong("settlement", "the nets do not sum to zero");
        }
        if let Some(cut) = body.cut {
            let cuts = self.cuts.entry(currency).or_default();
            let before = cuts.range(..=cut.to).next_back();
            if before.is_some_and(|(_, to)| *to >= cut.from) || cut.to < cut.from {
                wrong("settlement", "the cut overlaps another one of this currency");
            }
            cuts.insert(cut.from, cut.to);
        }
        if self.trails {
            self.records.insert(id, record_hash(&expected, &again));
        }
    }

    fn lines_of(&self, currency: Currency, batch: Option<&Batch>) -> Vec<Line> {
        let parts = batch.into_iter().flat_map(|batch| &batch.parts);
        let line = |(application, part): (&ApplicationId, &Part)| {
            let net = part.credited.saturating_sub(part.debited);
            Some(Line {
                application: *application,
                closing_balance: Amount::from_minor(part.opening.saturating_add(net)),
                opening_balance: Amount::from_minor(part.opening),
                total_credited: Amount::from_minor(part.credited),
                total_debited: Amount::from_minor(part.debited),
                transaction_count: part.payments,
                wallet: *self.ids.get(&(*application, currency))?,
            })
        };
        parts.filter_map(line).collect()
    }
}

/// The record that the lines give.
fn record(body: &Completed, batch: Option<&Batch>, lines: &[Line]) -> Completed {
    let sum =
        |side: fn(&Line) -> i128| Amount::from_minor(lines.iter().fold(0, |sum, line| side(line).saturating_add(sum)));
    Completed {
        application_count: lines.len() as u64,
        currency: body.currency.clone(),
        cut: batch.map(|batch| batch.cut),
        date: body.date,
        total_credited: sum(|line| line.total_credited.minor()),
        total_debited: sum(|line| line.total_debited.minor()),
        transaction_count: batch.map_or(0, |batch| batch.payments),
    }
}

fn record_hash(body: &Completed, lines: &[Line]) -> [u8; 32] {
    let mut hash = RecordHash::new(&RecordText {
        date: body.date.days(),
        currency: &body.currency,
        credited: body.total_credited.text(SCALE).as_str(),
        debited: body.total_debited.text(SCALE).as_str(),
        payments: body.transaction_count,
        applications: body.application_count,
    });
    for line in lines {
        hash.line(&LineText {
            application: line.application,
            wallet: line.wallet,
            credited: line.total_credited.text(SCALE).as_str(),
            debited: line.total_debited.text(SCALE).as_str(),
            opening: line.opening_balance.text(SCALE).as_str(),
            closing: line.closing_balance.text(SCALE).as_str(),
            payments: line.transaction_count,
        });
    }
    hash.finish()
}

/// A settlement record as texts.
pub struct RecordText<'a> {
    /// Days since 1970.
    pub date: i64,
    /// The code.
    pub currency: &'a str,
    /// Sum of credits.
    pub credited: &'a str,
    /// Sum of debits.
    pub debited: &'a str,
    /// How many payments.
    pub payments: u64,
    /// How many wallets.
    pub applications: u64,
}

/// A line of a settlement record as texts.
pub struct LineText<'a> {
    /// Whose.
    pub application: ApplicationId,
    /// Which wallet.
    pub wallet: WalletId,
    /// Sum of credits.
    pub credited: &'a str,
    /// Sum of debits.
    pub debited: &'a str,
    /// The balance before.
    pub opening: &'a str,
    /// The balance after.
    pub closing: &'a str,
    /// How many payments.
    pub payments: u64,
}

/// One hash over a settlement record and its lines.
#[derive(Clone)]
pub struct RecordHash(Sha256);

impl RecordHash {
    /// Begins with the record.
    #[must_use]
    pub fn new(record: &RecordText<'_>) -> Self {
        let RecordText { date, currency, credited, debited, payments, applications } = record;
        let text = format!("{date} {currency} {credited} {debited} {payments} {applications}\n");
        RecordHash(Sha256::new_with_prefix(text))
    }

    /// Adds the next line.
    pub fn line(&mut self, line: &LineText<'_>) {
        let LineText { application, wallet, credited, debited, opening, closing, payments } = line;
        self.0.update(format!("{application} {wallet} {credited} {debited} {opening} {closing} {payments}\n"));
    }

    /// The hash.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
