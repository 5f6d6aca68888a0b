//! Plain-text accounting: one transaction per completed payment, one account per application.
//!
//! * The date of a transaction is its settlement date, so that each day of the journal is one settlement batch; the
//!   instant of booking stands beside it.
//! * A credit is positive: what the tool shows as the balance of an account is the balance of the wallet.
//! * Where a settlement date ends, the balance of each wallet that moved on it is asserted; at the end, of every wallet.
//! * Beginning later than the first event, the balances so far are one opening transaction; they sum to zero.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;

use flexledger_domain::books::{Account, Journal, Side};
use flexledger_domain::identity::IdentityEvent;
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::{PaymentEvent, SCALE};
use flexledger_domain::settlement::SettlementEvent;
use flexledger_domain::{Date, Event, Instant, Position, Recorded, Reference};

use super::{ExportError, Format};

/// The journal up to the last event taken.
pub(super) struct Accounting {
    format: Format,
    from: Position,
    opened: bool,
    handles: HashMap<ApplicationId, String>,
    declared: BTreeSet<String>,
    currencies: BTreeSet<String>,
    balances: BTreeMap<(String, Currency), i128>,
    /// The settlement date of the newest transaction, while it goes on.
    day: Option<Date>,
    moved: BTreeSet<(String, Currency)>,
    last: Option<Date>,
}

impl Accounting {
    /// Begins the file.
    pub fn begin(format: Format, from: Position, out: &mut impl Write) -> Result<Self, ExportError> {
        writeln!(out, "; Completed payments of a Flexledger ledger. Dates are settlement dates.")?;
        writeln!(out, "; Credits are positive: an account shows the balance of its wallet.")?;
        if format == Format::Beancount {
            writeln!(out, "option \"title\" \"Flexledger\"")?;
            writeln!(out, "option \"name_assets\" \"Idaas\"")?;
        }
        if format == Format::Ledger {
            writeln!(out, "tag booked")?;
        }
        Ok(Accounting {
            format,
            from,
            opened: from <= Position::new(1),
            handles: HashMap::new(),
            declared: BTreeSet::new(),
            currencies: BTreeSet::new(),
            balances: BTreeMap::new(),
            day: None,
            moved: BTreeSet::new(),
            last: None,
        })
    }

    /// Takes the next event.
    pub fn take(&mut self, event: &Recorded, out: &mut impl Write) -> Result<(), ExportError> {
        if !self.opened && event.position >= self.from {
            self.opened = true;
            self.opening(event.recorded_at.date(), out)?;
        }
        match &event.event {
            Event::Identity(IdentityEvent::ApplicationRegistered(id, body)) => {
                self.handles.insert(*id, body.handle.as_str().to_owned());
            }
            Event::Payment(PaymentEvent::WalletProvisioned(_, body)) => {
                let account = self.account(&Account::Wallet(body.application));
                self.declare(&account, event.recorded_at.date(), out)?;
                if let Ok(currency) = Currency::new(&body.currency, SCALE) {
                    self.commodity(currency, out)?;
                    self.balances.entry((account, currency)).or_default();
                }
            }
            Event::Payment(PaymentEvent::Accepted(reference, body)) => {
                self.turn(body.settlement_date, out)?;
                self.book(event, &body.journal, body.settlement_date, out)?;
                if self.opened {
                    self.transaction(*reference, &body.journal, (body.settlement_date, event.recorded_at), out)?;
                }
            }
            Event::Settlement(SettlementEvent::Completed(_, body)) if self.day == Some(body.date) => {
                self.close_day(out)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Asserts the balance of every wallet.
    pub fn finish(mut self, out: &mut impl Write) -> Result<(), ExportError> {
        self.close_day(out)?;
        let Some(last) = self.last else { return Ok(()) };
        let all: Vec<_> =
            self.balances.iter().map(|((account, currency), sum)| (account.as_str(), *currency, *sum)).collect();
        self.assert("End", last, &all, out)
    }

    /// Another date ends the day before it.
    fn turn(&mut self, date: Date, out: &mut impl Write) -> Result<(), ExportError> {
        if self.day.is_some_and(|day| day != date) {
            self.close_day(out)?;
        }
        self.day = Some(date);
        if self.opened {
            self.last = self.last.max(Some(date));
        }
        Ok(())
    }

    fn close_day(&mut self, out: &mut impl Write) -> Result<(), ExportError> {
        let moved = std::mem::take(&mut self.moved);
        let Some(day) = self.day.take() else { return Ok(()) };
        if !self.opened || moved.is_empty() {
            return Ok(());
        }
        let of = |key: &(String, Currency)| self.balances.get(key).copied().unwrap_or(0);
        let all: Vec<_> = moved.iter().map(|key| (key.0.as_str(), key.1, of(key))).collect();
        self.assert("Settlement", day, &all, out)
    }

    fn book(
        &mut self,
        event: &Recorded,
        journal: &Journal,
        date: Date,
        out: &mut impl Write,
    ) -> Result<(), ExportError> {
        for posting in journal.postings() {
            let account = self.account(&posting.account);
            self.declare(&account, date, out)?;
            self.commodity(posting.money.currency, out)?;
            let minor = posting.money.amount.minor();
            let change = if posting.side == Side::Credit { minor } else { -minor };
            let key = (account, posting.money.currency);
            let balance = self.balances.entry(key.clone()).or_default();
            *balance = balance.checked_add(change).ok_or(ExportError::Range(event.position))?;
            self.moved.insert(key);
        }
        Ok(())
    }

    fn transaction(
        &self,
        reference: Reference,
        journal: &Journal,
        (date, booked): (Date, Instant),
        out: &mut impl Write,
    ) -> Result<(), ExportError> {
        self.head(date, &reference.to_string(), out)?;
        match self.format {
            Format::Beancount => writeln!(out, "  booked: \"{booked}\"")?,
            _ => writeln!(out, "    ; booked: {booked}")?,
        }
        for posting in journal.postings() {
            let minor = posting.money.amount.minor();
            let change = if posting.side == Side::Credit { minor } else { -minor };
            let amount = self.amount(change, posting.money.currency);
            writeln!(out, "    {}  {amount}", self.account(&posting.account))?;
        }
        Ok(())
    }

    fn opening(&mut self, date: Date, out: &mut impl Write) -> Result<(), ExportError> {
        self.day = None;
        self.moved.clear();
        if self.balances.values().all(|sum| *sum == 0) {
            return Ok(());
        }
        self.last = Some(date);
        self.head(date, "Opening balances", out)?;
        for ((account, currency), sum) in self.balances.iter().filter(|(_, sum)| **sum != 0) {
            writeln!(out, "    {account}  {}", self.amount(*sum, *currency))?;
        }
        Ok(())
    }

    fn head(&self, date: Date, text: &str, out: &mut impl Write) -> Result<(), ExportError> {
        match self.format {
            Format::Beancount => writeln!(out, "\n{date} * \"{text}\"")?,
            _ => writeln!(out, "\n{date} * {text}")?,
        }
        Ok(())
    }

    /// What the balances are when `date` is over.
    fn assert(
        &self,
        what: &str,
        date: Date,
        all: &[(&str, Currency, i128)],
        out: &mut impl Write,
    ) -> Result<(), ExportError> {
        if all.is_empty() {
            return Ok(());
        }
        if self.format == Format::Beancount {
            writeln!(out)?;
            for (account, currency, sum) in all {
                // Beancount asserts what stands when a day begins.
                writeln!(out, "{} balance {account}  {}", date.next(), self.amount(*sum, *currency))?;
            }
            return Ok(());
        }
        self.head(date, &format!("{what} {date}"), out)?;
        for (account, currency, sum) in all {
            writeln!(out, "    {account}  {} = {}", self.amount(0, *currency), self.amount(*sum, *currency))?;
        }
        Ok(())
    }

    fn declare(&mut self, account: &str, date: Date, out: &mut impl Write) -> Result<(), ExportError> {
        if !self.declared.insert(account.to_owned()) {
            return Ok(());
        }
        match self.format {
            Format::Beancount => writeln!(out, "\n{date} open {account}")?,
            _ => writeln!(out, "\naccount {account}")?,
        }
        Ok(())
    }

    fn commodity(&mut self, currency: Currency, out: &mut impl Write) -> Result<(), ExportError> {
        if !self.currencies.insert(currency.code().to_owned()) {
            return Ok(());
        }
        let sample = self.amount(10_000_000, currency);
        match self.format {
            Format::Hledger => writeln!(out, "\ncommodity {sample}")?,
            Format::Ledger => writeln!(out, "\ncommodity {}\n    format {sample}", code(self.format, currency))?,
            _ => {}
        }
        Ok(())
    }

    fn amount(&self, minor: i128, currency: Currency) -> String {
        format!("{} {}", Amount::from_minor(minor).text(currency.scale()).as_str(), code(self.format, currency))
    }

    fn account(&self, account: &Account) -> String {
        match account {
            Account::Wallet(application) => {
                let handle = self.handles.get(application).map_or("unknown", String::as_str);
                let id = application.to_string();
                match self.format {
                    Format::Beancount => format!("Idaas:{}:{}", component(handle), component(&id)),
                    _ => format!("Idaas:{handle}:{id}"),
                }
            }
            Account::Named(name) => {
                let parts: Vec<_> = name.split('/').filter(|part| !part.is_empty()).map(component).collect();
                format!("Idaas:{}", parts.join(":"))
            }
        }
    }
}

/// hledger and ledger want quotes around a code with a digit; beancount wants a letter first.
fn code(format: Format, currency: Currency) -> String {
    let code = currency.code();
    let digit = |b: u8| b.is_ascii_digit();
    match format {
        Format::Beancount if code.bytes().next().is_some_and(digit) => format!("X{code}"),
        Format::Beancount => code.to_owned(),
        _ if code.bytes().any(digit) => format!("\"{code}\""),
        _ => code.to_owned(),
    }
}

/// A part of an account name as beancount wants it: letters, digits and hyphens, a capital or a digit first.
fn component(text: &str) -> String {
    let keep = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let mut letters = text.chars().map(keep);
    match letters.next() {
        Some('-') | None => format!("X-{}", letters.collect::<String>()),
        Some(first) => first.to_ascii_uppercase().to_string() + &letters.collect::<String>(),
    }
}
