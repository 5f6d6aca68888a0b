//! Ledger statements: the entries of each wallet in order, with running balances (`idaas.md` 11).
//!
//! The key of an entry holds the number of its account and its number on that account, so a page of a statement is one
//! range of keys wherever it lies. Description and tags are those of the payment and are not stored again.
//!
//! Positions grow along the entries of an account, and each entry holds the balance and the sum of all credits up to
//! it: what a wallet held at any position is found by halving the range, without reading the entries between.

use flexledger_domain::books::Side;
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::{PaymentEvent, SCALE};
use flexledger_domain::{Entity, Event, Position, Recorded};
use hashbrown::HashMap;

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Seal, Table, column, seal};
use crate::value::{Key, Value, amount, count, currency, position};
use crate::view::{Hot, Stop, View};

pub(super) const NAME: &str = "statement";

/// Bits of a key that number the entries of one account: 68 billion entries, and 134 million accounts.
const ENTRY_BITS: u32 = 36;
const MOST_ENTRIES: u64 = (1 << ENTRY_BITS) - 1;

/// The part of a key that numbers the entry on its account.
pub(crate) const ENTRY_MASK: u64 = MOST_ENTRIES;
const MOST_ACCOUNTS: i64 = (1 << (63 - ENTRY_BITS)) - 1;

static TABLES: &[&Table] = &[&ENTRIES, &ACCOUNTS];

static ENTRIES: Table =
    Table { name: "entries", columns: COLUMNS, indexes: &[], seals: &[Seal { column: 8, over: &[] }] };

const COLUMNS: &[Column] = &[
    column("number", Kind::Int),
    column("position", Kind::Int),
    column("payment", Kind::Int),
    column("credit", Kind::Bool),
    column("amount", Kind::Amount),
    column("closing_balance", Kind::Amount),
    column("total_credited", Kind::Amount),
    column("created_at", Kind::Instant),
    seal("seal"),
];

static ACCOUNTS: Table = Table {
    name: "statement_accounts",
    columns: &[
        column("number", Kind::Int),
        column("application", Kind::Id),
        column("currency", Kind::Text),
        column("entries", Kind::Int),
        column("balance", Kind::Amount),
        column("credited", Kind::Amount),
        column("position", Kind::Int),
        seal("seal"),
        seal("sums_seal"),
    ],
    indexes: &[Index {
        name: "statement_accounts_by_owner",
        columns: &["application", "currency"],
        unique: true,
        filter: None,
    }],
    seals: &[Seal { column: 7, over: &[1, 2, 6] }, Seal { column: 8, over: &[ENTRY_COUNT, BALANCE, CREDITED] }],
};
const ENTRY_COUNT: usize = 3;
const BALANCE: usize = 4;
const CREDITED: usize = 5;

/// The keys of the entries `from` to `to` of an account.
pub(crate) fn entry_range(account: i64, from: u64, to: u64) -> (i64, i64) {
    let base = account << ENTRY_BITS;
    let entry = |number: u64| i64::try_from(number.min(MOST_ENTRIES)).unwrap_or(0);
    (base | entry(from), base | entry(to))
}

/// The number of the account in the key of an entry.
#[must_use]
pub fn account_of(key: i64) -> i64 {
    key >> ENTRY_BITS
}

#[derive(Clone, Copy)]
struct Account {
    number: i64,
    entries: u64,
    balance: Amount,
    credited: Amount,
    /// Whether its row is behind.
    dirty: bool,
}

/// The view.
#[derive(Default)]
pub(super) struct Statement {
    accounts: HashMap<(ApplicationId, Currency), Account>,
    /// The accounts whose rows are behind, and since which event.
    dirty: Vec<((ApplicationId, Currency), Position)>,
}

impl View for Statement {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        3
    }

    fn tables(&self) -> &'static [&'static Table] {
        TABLES
    }

    fn hot(&self) -> &'static [Hot] {
        &[Hot { table: 1, filter: None }]
    }

    fn restore(&mut self, _: usize, row: &[Value]) -> Result<(), Stop> {
        let wrong = || Stop::new("not a row of statement_accounts");
        let [
            Value::Int(number),
            Value::Id(application),
            Value::Text(code),
            Value::Int(entries),
            Value::Text(balance),
            Value::Text(credited),
            ..,
        ] = row
        else {
            return Err(wrong());
        };
        let account = Account {
            number: *number,
            entries: u64::try_from(*entries).map_err(|_| wrong())?,
            balance: Amount::parse(balance, SCALE).map_err(|_| wrong())?,
            credited: Amount::parse(credited, SCALE).map_err(|_| wrong())?,
            dirty: false,
        };
        let application = ApplicationId::from_uuid(uuid::Uuid::from_bytes(*application));
        self.accounts.insert((application, currency(code)?), account);
        Ok(())
    }

    fn apply(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
        if let Event::Payment(PaymentEvent::WalletProvisioned(_, body)) = &recorded.event {
            self.add_account(body.application, &body.currency, recorded, changes)?;
        }
        if recorded.event.journal().is_some() { self.book(recorded, changes) } else { Ok(()) }
    }

    fn settle(&mut self, changes: &mut Changes) {
        for (of, since) in self.dirty.drain(..) {
            let Some(account) = self.accounts.get_mut(&of) else { continue };
            account.dirty = false;
            let cells = [
                (ENTRY_COUNT, count(account.entries)),
                (BALANCE, amount(account.balance)),
                (CREDITED, amount(account.credited)),
            ];
            changes.since(since);
            changes.update(1, Key::Int(account.number), cells);
        }
    }
}

impl Statement {
    fn add_account(
        &mut self,
        application: ApplicationId,
        code: &str,
        recorded: &Recorded,
        changes: &mut Changes,
    ) -> Result<(), Stop> {
        let number = i64::try_from(self.accounts.len() + 1).unwrap_or(i64::MAX);
        if number > MOST_ACCOUNTS {
            return Err(Stop::new("too many wallets"));
        }
        let account = Account { number, entries: 0, balance: Amount::ZERO, credited: Amount::ZERO, dirty: false };
        if self.accounts.insert((application, currency(code)?), account).is_some() {
            return Err(Stop::new("this wallet exists already"));
        }
        let row = [
            Value::Int(number),
            application.uuid().into(),
            code.into(),
            Value::Int(0),
            amount(Amount::ZERO),
            amount(Amount::ZERO),
            position(recorded.position),
        ];
        changes.insert(1, row);
        Ok(())
    }

    fn book(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
        let Some(journal) = recorded.event.journal() else { return Ok(()) };
        let Entity::Transaction(reference) = recorded.event.entity() else {
            return Err(Stop::new("postings on wallets without a payment"));
        };
        let mut booked: Vec<((ApplicationId, Currency), Account)> = Vec::with_capacity(journal.postings().len());
        let mut rows = Vec::with_capacity(journal.postings().len());
        for posting in journal.postings() {
            let Some(application) = posting.account.wallet() else { continue };
            let of = (application, posting.money.currency);
            let known = booked.iter().rev().find(|(known, _)| *known == of).map(|(_, account)| *account);
            let before = match known.or_else(|| self.accounts.get(&of).copied()) {
                Some(account) => account,
                None => return Err(Stop::new("a posting on a wallet that is not")),
            };
            let after = before.with(posting.side, posting.money.amount)?;
            booked.push((of, after));
            rows.push([
                Value::Int(entry_range(after.number, after.entries, 0).0),
                position(recorded.position),
                position(reference.position()),
                (posting.side == Side::Credit).into(),
                amount(posting.money.amount),
                amount(after.balance),
                amount(after.credited),
                recorded.recorded_at.into(),
            ]);
        }
        for row in rows {
            changes.append(0, row);
        }
        for (of, account) in booked {
            let before = self.accounts.insert(of, Account { dirty: true, ..account });
            if before.is_none_or(|before| !before.dirty) {
                self.dirty.push((of, recorded.position));
            }
        }
        Ok(())
    }
}

impl Account {
    fn with(self, side: Side, amount: Amount) -> Result<Account, Stop> {
        let (balance, credited) = match side {
            Side::Debit => (self.balance.minus(amount), Ok(self.credited)),
            Side::Credit => (self.balance.plus(amount), self.credited.plus(amount)),
        };
        let balance = balance.map_err(|_| Stop::new("a balance does not fit"))?;
        let credited = credited.map_err(|_| Stop::new("a sum does not fit"))?;
        let entries = self.entries + 1;
        if entries > MOST_ENTRIES {
            return Err(Stop::new("too many entries on one wallet"));
        }
        Ok(Account { entries, balance, credited, ..self })
    }
}
