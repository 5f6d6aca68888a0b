//! The ledger as it was after an event: the same views, read with positions.
//!
//! Every query takes the position `at` and answers from rows that carry positions, so that an old answer costs what a new
//! one costs: what an account held is found by halving the range of its entries (about 20 key look-ups for a million
//! entries), all of it inside one statement. A view that does not stand at `at` is an error, never an empty answer.
//!
//! The rows that an answer is made of are checked against their seals, and entries against their numbers: a cell that was
//! damaged is an error, too. A row that is gone, or is not found by its cells any more, shows only where rows are
//! numbered, counted or named by an index; for the rest there is `reconcile`.

use std::sync::Arc;

use flexledger_domain::books::Side;
use flexledger_domain::ids::{ApplicationId, SettlementId};
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::{Payment, Status};
use flexledger_domain::{Date, Instant, Position, Reference};
use flexledger_eventstore::EventStore;

use super::cells::Cells;
use super::payments::{PARTIES, PAYMENT_COLUMNS, read_payment};
use super::settlement::{RECORD, line_rows, record};
use crate::database::Row;
use crate::source::decode;
use crate::table::Table;
use crate::value::{Key, Value, count, position};
use crate::views::{ENTRY_MASK, all, entry_range};
use crate::{LARGEST_PAGE, SettlementRow, SettlementStatus, ViewError, Views};

/// What an account held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountAsOf {
    /// Its number; accounts are numbered in the order in which they were made.
    pub number: u64,
    /// Whose wallet.
    pub application: ApplicationId,
    /// The name of that application.
    pub application_name: Arc<str>,
    /// Its currency.
    pub currency: Currency,
    /// How many entries it had.
    pub entries: u64,
    /// Credits less debits.
    pub balance: Amount,
    /// Sum of all debits.
    pub total_debited: Amount,
    /// Sum of all credits.
    pub total_credited: Amount,
}

impl AccountAsOf {
    /// The key of an entry of this account, by the number of the entry.
    #[must_use]
    pub fn entry_key(&self, entry: u64) -> i64 {
        entry_range(i64::try_from(self.number).unwrap_or(0), entry, entry).0
    }
}

/// One entry of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryAsOf {
    /// Its number on the account; the first is 1.
    pub number: u64,
    /// Where its booking stands in the log.
    pub position: Position,
    /// The payment.
    pub reference: Reference,
    /// Debit or credit.
    pub side: Side,
    /// How much.
    pub amount: Amount,
    /// The balance before it.
    pub opening_balance: Amount,
    /// The balance after it.
    pub closing_balance: Amount,
    /// When it was booked.
    pub created_at: Instant,
}

/// A payment, and where it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentAsOf {
    /// As it stood; its webhook records are left out.
    pub payment: Payment,
    /// The event that ended it, if it had ended.
    pub outcome: Option<Position>,
}

/// Halves the range of entries of the accounts chosen by the query in the middle, all at once. `lo` is the newest entry
/// at or before the position (0 for none). The chosen rows are (number, entries).
const HALVING_HEAD: &str = "WITH RECURSIVE f(account, lo, hi) AS (SELECT number, CAST(0 AS BIGINT), entries + 1 FROM (";
const HALVING_TAIL: &str = ") AS chosen UNION ALL SELECT account, \
     CASE WHEN (SELECT e.position FROM entries e WHERE e.number = account * 68719476736 + (lo + hi) / 2) <= ? \
     THEN (lo + hi) / 2 ELSE lo END, \
     CASE WHEN (SELECT e.position FROM entries e WHERE e.number = account * 68719476736 + (lo + hi) / 2) <= ? \
     THEN hi ELSE (lo + hi) / 2 END FROM f WHERE hi - lo > 1) \
     SELECT c.number, c.position, c.application, a.name, c.currency, f.lo, \
     (SELECT n.position FROM entries n WHERE n.number = f.account * 68719476736 + f.lo + 1), c.entries, \
     e.closing_balance, e.total_credited \
     FROM f CROSS JOIN statement_accounts c LEFT JOIN applications a ON a.id = c.application \
     LEFT JOIN entries e ON e.number = f.account * 68719476736 + f.lo \
     WHERE f.hi - f.lo = 1 AND c.number = f.account";

impl Views {
    /// Refuses unless these views go on and their rows hold everything up to `at`.
    pub(super) fn standing_at(&self, names: &[&'static str], at: Position) -> Result<(), ViewError> {
        self.usable(names)?;
        let status = self.status();
        let behind = status.iter().filter(|view| names.contains(&view.name)).map(|view| view.position).min();
        match behind {
            Some(reached) if reached < at => Err(ViewError::Late { reached, wanted: at }),
            _ => Ok(()),
        }
    }

    /// Whether the rows are of this very log, of the present form, and hold everything up to `at`, all views of them.
    /// For a reader that opened them beside the program that keeps them.
    ///
    /// # Errors
    /// The database's, and the log's.
    pub async fn hold(&self, store: &dyn EventStore, at: Position) -> Result<bool, ViewError> {
        let sql = "SELECT name, version, position, event FROM view_checkpoints";
        let rows = self.database.rows(sql, &[]).await?;
        let mut seen: Option<(Position, Value)> = None;
        for (known, make) in all() {
            let version = Value::Int(i64::from(make().version()));
            let found = rows.iter().find(|row| matches!(row.0.first(), Some(Value::Text(name)) if &**name == *known));
            let Some([_, stored, Value::Int(reached), event]) = found.map(|row| row.0.as_slice()) else {
                return Ok(false);
            };
            let reached = place(*reached)?;
            if *stored != version || reached < at {
                return Ok(false);
            }
            if reached > Position::START {
                if seen.as_ref().is_none_or(|(place, _)| *place != reached) {
                    let there = store.read(reached.previous(), 1).await?;
                    let Some(there) = there.first() else { return Ok(false) };
                    seen = Some((reached, decode(there.into())?.id.uuid().into()));
                }
                if seen.as_ref().is_none_or(|(_, id)| id != event) {
                    return Ok(false);
                }
            }
        }
        // They may have gone on since they were opened.
        self.have_reached(at);
        Ok(true)
    }

    async fn accounts_where(
        &self,
        chosen: &str,
        mut arguments: Vec<Value>,
        order: &str,
        at: Position,
    ) -> Result<Vec<AccountAsOf>, ViewError> {
        self.standing_at(&["applications", "statement"], at)?;
        let sql = format!("{HALVING_HEAD}{chosen}{HALVING_TAIL} ORDER BY {order}");
        arguments.extend([position(at), position(at)]);
        let rows = self.database.rows(&sql, &arguments).await?;
        let numbers = rows.iter().filter_map(|row| row.0.first().cloned()).collect();
        // Before one is left out, for what it is left out by may be damaged.
        self.check_sealed("statement_accounts", "number", numbers).await?;
        let read = rows.iter().map(|row| account(row, at)).filter_map(Result::transpose);
        let accounts: Vec<AccountAsOf> = read.collect::<Result<_, _>>()?;
        self.check_sealed("entries", "number", rows.iter().flat_map(around).collect()).await?;
        let applications = accounts.iter().map(|account| account.application.uuid().into()).collect();
        self.check_sealed("applications", "id", applications).await?;
        Ok(accounts)
    }

    /// Whether an application had registered by then.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped, stands before `at`, or the database fails.
    pub async fn knew_application(&self, id: ApplicationId, at: Position) -> Result<bool, ViewError> {
        self.standing_at(&["applications"], at)?;
        let id = Value::from(id.uuid());
        let Some(row) =
            self.database.row("SELECT position FROM applications WHERE id = ?", std::slice::from_ref(&id)).await?
        else {
            return Ok(false);
        };
        self.check_sealed("applications", "id", vec![id]).await?;
        Ok(Cells::of("applications", &row).position()? <= at)
    }

    /// What the wallets of an application held, or those of all, by application and currency.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped, stands before `at`, or the database fails.
    pub async fn wallets_at(
        &self,
        application: Option<ApplicationId>,
        at: Position,
    ) -> Result<Vec<AccountAsOf>, ViewError> {
        let all = "SELECT number, entries FROM statement_accounts";
        let (chosen, arguments) = match application {
            None => (all.to_owned(), Vec::new()),
            Some(id) => (format!("{all} WHERE application = ?"), vec![id.uuid().into()]),
        };
        let found = self.accounts_where(&chosen, arguments, "c.application, c.currency", at).await?;
        if application.is_some_and(|id| found.iter().any(|account| account.application != id)) {
            return Err(ELSEWHERE);
        }
        Ok(found)
    }

    /// What accounts held, in the order of their numbers, those behind `after`, at most `limit`.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped, stands before `at`, or the database fails.
    pub async fn accounts_at(&self, after: u64, limit: u32, at: Position) -> Result<Vec<AccountAsOf>, ViewError> {
        // Numbers grow with positions, so those that came later are the last ones.
        let chosen = "SELECT number, entries FROM statement_accounts WHERE number > ? ORDER BY number LIMIT ?";
        let arguments = vec![count(after), Value::Int(i64::from(limit.min(LARGEST_PAGE)))];
        self.accounts_where(chosen, arguments, "c.number", at).await
    }

    /// Entries of a wallet, oldest first, those numbered behind `after`, at most `limit`, and how many there were.
    /// `None` without such a wallet.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped, stands before `at`, or the database fails.
    pub async fn statement_at(
        &self,
        of: (ApplicationId, Currency),
        after: u64,
        limit: u32,
        at: Position,
    ) -> Result<Option<(Vec<EntryAsOf>, u64)>, ViewError> {
        self.standing_at(&["transactions"], at)?;
        let chosen = "SELECT number, entries FROM statement_accounts WHERE application = ? AND currency = ?";
        let arguments = vec![of.0.uuid().into(), of.1.code().into()];
        let found = self.accounts_where(chosen, arguments, "c.number", at).await?.pop();
        let Some(AccountAsOf { number, entries, application, currency, .. }) = found else { return Ok(None) };
        if (application, currency.code()) != (of.0, of.1.code()) {
            return Err(ELSEWHERE);
        }
        let last = after.saturating_add(u64::from(limit.min(LARGEST_PAGE))).min(entries);
        if after >= last {
            return Ok(Some((Vec::new(), entries)));
        }
        let account = i64::try_from(number).map_err(|_| damaged("an account's number"))?;
        let (from, to) = entry_range(account, after + 1, last);
        let sql = "SELECT e.number, e.position, e.payment, t.reference_check, e.credit, e.amount, e.closing_balance, \
             e.created_at FROM entries e JOIN transactions t ON t.position = e.payment \
             WHERE e.number BETWEEN ? AND ? ORDER BY e.number";
        let rows = self.database.rows(sql, &[Value::Int(from), Value::Int(to)]).await?;
        let found: Vec<EntryAsOf> = rows.iter().map(entry).collect::<Result<_, _>>()?;
        if found.iter().map(|entry| entry.number).ne(after + 1..=last) {
            return Err(damaged("an entry for each number"));
        }
        let payments = found.iter().map(|entry| position(entry.reference.position())).collect();
        self.check_sealed("transactions", "position", payments).await?;
        self.check_sealed("entries", "number", (from..=to).map(Value::Int).collect()).await?;
        Ok(Some((found, entries)))
    }

    /// Settlement records with their entries, by date and currency; those of one date if it is given.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped, stands before `at`, or the database fails.
    pub async fn settlements_at(&self, date: Option<Date>, at: Position) -> Result<Vec<SettlementRow>, ViewError> {
        self.standing_at(&["applications", "settlement"], at)?;
        let of_date = if date.is_some() { " AND t.date = ?" } else { "" };
        let date = date.map(|date| Value::Int(date.days()));
        let sql = format!("{RECORD} WHERE t.outcome <= ?{of_date} ORDER BY t.date, t.currency");
        let arguments: Vec<Value> = [position(at)].into_iter().chain(date.clone()).collect();
        let mut found = Vec::new();
        for row in self.database.rows(&sql, &arguments).await? {
            let mut found_one = record(&row)?;
            found_one.entries = line_rows(self, &found_one).await?;
            if found_one.entries.len() as u64 != found_one.application_count {
                return Err(ViewError::Damaged { table: "settlement_lines", expected: "a line for each application" });
            }
            found.push(found_one);
        }
        // Records that changed since, as the newest failure before left them.
        let sql = format!(
            "SELECT t.id, t.date, t.currency, t.error, t.created_at FROM settlement_failures t \
             JOIN settlements s ON s.date = t.date AND s.currency = t.currency \
             WHERE s.outcome > ? AND t.position <= ?{of_date} ORDER BY t.position DESC"
        );
        let arguments: Vec<Value> = [position(at), position(at)].into_iter().chain(date).collect();
        for row in self.database.rows(&sql, &arguments).await? {
            let failed = failure(&row)?;
            if !found.iter().any(|known| (known.date, known.currency) == (failed.date, failed.currency)) {
                found.push(failed);
            }
        }
        found.sort_by_key(|row| (row.date, row.currency.code().to_owned()));
        self.check_sealed_settlements(&found).await?;
        Ok(found)
    }

    /// One row of a table as it is stored: its cells in the order of the columns.
    ///
    /// # Errors
    /// The database's.
    pub async fn row_of(&self, table: &Table, key: Key) -> Result<Option<Vec<Value>>, ViewError> {
        let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let sql = format!("SELECT {} FROM {} WHERE {} = ?", columns.join(", "), table.name, table.key());
        Ok(self.database.row(&sql, &[key.into()]).await?.map(|row| row.0))
    }

    /// A payment as it stood; `None` when it was not yet there.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped, stands before `at`, or the database fails.
    pub async fn payment_as_of(&self, reference: Reference, at: Position) -> Result<Option<PaymentAsOf>, ViewError> {
        self.standing_at(&["transactions"], at)?;
        let sql = format!("SELECT {PAYMENT_COLUMNS}, t.outcome FROM transactions t {PARTIES} WHERE t.position = ?");
        if reference.position() > at {
            return Ok(None);
        }
        let key = position(reference.position());
        let there = "SELECT 1 FROM transactions WHERE position = ?";
        if self.database.row(there, std::slice::from_ref(&key)).await?.is_none() {
            return Ok(None);
        }
        self.check_sealed("transactions", "position", vec![key.clone()]).await?;
        let nobody = ViewError::Damaged { table: "payment_parties", expected: "both sides of a payment" };
        let row = self.database.row(&sql, &[key]).await?.ok_or(nobody)?;
        let mut cells = Cells::of("transactions", &row);
        let mut payment = read_payment(&mut cells)?;
        let parties = [payment.sender.application, payment.receiver.application];
        self.check_sealed("payment_parties", "application", parties.map(|of| of.uuid().into()).to_vec()).await?;
        let outcome = cells.optional_int()?.map(place).transpose()?.filter(|outcome| *outcome <= at);
        if outcome.is_none() {
            payment.status = Status::AwaitingAcceptance;
            payment.rejection_reason = None;
            payment.updated_at = payment.created_at;
        }
        Ok((payment.reference == reference).then_some(PaymentAsOf { payment, outcome }))
    }
}

/// The keys of the last entry by then and of the one behind it, where they are, of a row of the halving. Whatever it met
/// in between, it found the right place if these two are what their view wrote.
fn around(row: &Row) -> Vec<Value> {
    let [Value::Int(account), _, _, _, _, Value::Int(last), next, ..] = row.0.as_slice() else { return Vec::new() };
    let key = |entry: i64| Value::Int(entry_range(*account, entry.unsigned_abs(), 0).0);
    let mut keys = Vec::with_capacity(2);
    if *last > 0 {
        keys.push(key(*last));
    }
    if !matches!(next, Value::Null) {
        keys.push(key(last + 1));
    }
    keys
}

/// An index led to the row of somebody else.
const ELSEWHERE: ViewError =
    ViewError::Damaged { table: "statement_accounts", expected: "the row that its index finds" };

fn damaged(expected: &'static str) -> ViewError {
    ViewError::Damaged { table: "entries", expected }
}

fn place(number: i64) -> Result<Position, ViewError> {
    u64::try_from(number).map(Position::new).map_err(|_| damaged("a position"))
}

/// An account at a position, if it was there. The entry behind the last one found must be a later one, or there must be
/// none.
fn account(row: &Row, at: Position) -> Result<Option<AccountAsOf>, ViewError> {
    let mut cells = Cells::of("statement_accounts", row);
    let number = cells.count()?;
    if cells.position()? > at {
        return Ok(None);
    }
    let application = ApplicationId::from_uuid(cells.uuid()?);
    let (application_name, currency, entries) = (cells.text()?, cells.currency()?, cells.count()?);
    let (next, all) = (cells.optional_int()?.map(place).transpose()?, cells.count()?);
    if next.is_none() != (entries == all) || next.is_some_and(|next| next <= at) {
        return Err(damaged("entries in the order of the log"));
    }
    let (balance, total_credited) = match entries {
        0 => (Amount::ZERO, Amount::ZERO),
        _ => (cells.amount()?, cells.amount()?),
    };
    let total_debited = total_credited.minus(balance).map_err(|_| damaged("a sum that fits"))?;
    let sums = (balance, total_debited, total_credited);
    Ok(Some(AccountAsOf {
        number,
        application,
        application_name,
        currency,
        entries,
        balance: sums.0,
        total_debited: sums.1,
        total_credited: sums.2,
    }))
}

fn entry(row: &Row) -> Result<EntryAsOf, ViewError> {
    let mut cells = Cells::of("entries", row);
    let number = cells.count()? & ENTRY_MASK;
    let (position, payment) = (cells.position()?, cells.position()?);
    let check = u32::try_from(cells.int()?).map_err(|_| damaged("the random part of a reference"))?;
    let side = if cells.bool()? { Side::Credit } else { Side::Debit };
    let (amount, closing_balance) = (cells.amount()?, cells.amount()?);
    let opening = match side {
        Side::Credit => closing_balance.minus(amount),
        Side::Debit => closing_balance.plus(amount),
    };
    Ok(EntryAsOf {
        number,
        position,
        reference: Reference::new(payment, check),
        side,
        amount,
        opening_balance: opening.map_err(|_| damaged("a balance that fits"))?,
        closing_balance,
        created_at: cells.instant()?,
    })
}

fn failure(row: &Row) -> Result<SettlementRow, ViewError> {
    let mut cells = Cells::of("settlement_failures", row);
    Ok(SettlementRow {
        id: SettlementId::from_uuid(cells.uuid()?),
        date: Date::from_days(cells.int()?),
        currency: cells.currency()?,
        status: SettlementStatus::Failed,
        error: Some(cells.text()?.to_string()),
        total_credited: Amount::ZERO,
        total_debited: Amount::ZERO,
        transaction_count: 0,
        application_count: 0,
        cut: None,
        created_at: cells.instant()?,
        entries: Vec::new(),
    })
}
