//! Wallets and statements.

use flexledger_domain::Reference;
use flexledger_domain::books::Side;
use flexledger_domain::ids::{ApplicationId, EntryId, TransactionId, WalletId};
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::SCALE;

use super::cells::Cells;
use super::derived_id;
use super::order::{By, Properties, order};
use crate::database::Row;
use crate::value::{Value, count};
use crate::views::{ENTRY_MASK, entry_range};
use crate::{EntryRow, Page, Paged, ViewError, Views, WalletRow};

const WALLET: &str = "SELECT w.id, w.application, a.name, w.currency, w.total_debited, w.total_credited, w.created_at, \
     w.updated_at FROM wallets w JOIN applications a ON a.id = w.application";

/// An entry `e` with its payment `t` and that one's parties.
const ENTRY: &str = "SELECT e.number, e.position, e.payment, t.reference_check, t.id, e.credit, e.amount, \
     e.closing_balance, e.created_at, t.sender_tag, s.name, t.receiver_tag, r.name \
     FROM entries e JOIN transactions t ON t.position = e.payment \
     JOIN payment_parties s ON s.number = t.sender JOIN payment_parties r ON r.number = t.receiver";

const ENTRY_PROPERTIES: Properties = &[
    ("createdAt", By::Plain("e.number")),
    ("amount", By::Amount("e.amount")),
    ("entryType", By::Plain("1 - e.credit")),
    ("currency", By::Plain("1")),
    ("transactionReference", By::Plain("e.payment")),
];

impl Views {
    /// The wallet of an application in a currency.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn wallet(&self, application: ApplicationId, currency: Currency) -> Result<Option<WalletRow>, ViewError> {
        let arguments = [application.uuid().into(), currency.code().into()];
        Ok(self.wallets_where(" WHERE w.application = ? AND w.currency = ?", &arguments).await?.pop())
    }

    /// The wallets of an application, or of all, by application and currency.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn wallets(&self, application: Option<ApplicationId>) -> Result<Vec<WalletRow>, ViewError> {
        match application {
            Some(id) => self.wallets_where(" WHERE w.application = ?", &[id.uuid().into()]).await,
            None => self.wallets_where("", &[]).await,
        }
    }

    async fn wallets_where(&self, condition: &str, arguments: &[Value]) -> Result<Vec<WalletRow>, ViewError> {
        self.usable(&["applications", "wallets"])?;
        let sql = format!("{WALLET}{condition} ORDER BY w.application, w.currency");
        let rows = self.database.rows(&sql, arguments).await?;
        rows.iter().map(wallet).collect()
    }

    /// A page of the statement of a wallet, newest entry first. A page far back costs the same as the first. It can be
    /// sorted by `createdAt` in either direction; `amount`, `entryType`, `currency` and `transactionReference` read the
    /// whole statement. An application without this wallet has no entries.
    ///
    /// # Errors
    /// [`ViewError::SortProperty`], [`ViewError::PageSize`], a view that stopped, or the database's.
    pub async fn statement(
        &self,
        application: ApplicationId,
        currency: Currency,
        page: &Page,
    ) -> Result<Paged<EntryRow>, ViewError> {
        self.usable(&["statement", "transactions"])?;
        let order = order(page, ENTRY_PROPERTIES, "e.number")?;
        let nothing = Paged { items: Vec::new(), total: 0 };
        let sql = "SELECT number, entries FROM statement_accounts WHERE application = ? AND currency = ?";
        let arguments = [application.uuid().into(), currency.code().into()];
        let Some(row) = self.database.row(sql, &arguments).await? else { return Ok(nothing) };
        let mut cells = Cells::of("statement_accounts", &row);
        let (account, total) = (cells.int()?, cells.count()?);
        let offset = page.offset();
        if offset >= total {
            return Ok(Paged { total, ..nothing });
        }
        let size = u64::from(page.size);
        let by_time = page.sort.iter().all(|sort| sort.property == "createdAt");
        let ascending = page.sort.first().is_some_and(|sort| !sort.descending);
        let rows = match order {
            Some(order) if !by_time => self.entries_sorted(account, total, &order, page).await?,
            _ if ascending => self.entries_between(account, offset + 1, offset + size, "ASC").await?,
            _ => {
                let newest = total - offset;
                self.entries_between(account, newest.saturating_sub(size) + 1, newest, "DESC").await?
            }
        };
        Ok(Paged { items: rows.iter().map(|row| entry(row, currency)).collect::<Result<_, _>>()?, total })
    }

    /// Entries by their numbers on an account: one range of keys.
    async fn entries_between(&self, account: i64, from: u64, to: u64, way: &str) -> Result<Vec<Row>, ViewError> {
        let (from, to) = entry_range(account, from, to);
        let sql = format!("{ENTRY} WHERE e.number BETWEEN ? AND ? ORDER BY e.number {way}");
        self.database.rows(&sql, &[Value::Int(from), Value::Int(to)]).await
    }

    async fn entries_sorted(&self, account: i64, total: u64, order: &str, page: &Page) -> Result<Vec<Row>, ViewError> {
        let (from, to) = entry_range(account, 1, total);
        let sql = format!(
            "{ENTRY} WHERE e.number IN (SELECT e.number FROM entries e WHERE e.number BETWEEN ? AND ? ORDER BY {order} \
             LIMIT ? OFFSET ?) ORDER BY {order}"
        );
        let arguments = [Value::Int(from), Value::Int(to), Value::Int(i64::from(page.size)), count(page.offset())];
        self.database.rows(&sql, &arguments).await
    }
}

fn damaged(expected: &'static str) -> ViewError {
    ViewError::Damaged { table: "wallets and entries", expected }
}

fn wallet(row: &Row) -> Result<WalletRow, ViewError> {
    let mut cells = Cells::of("wallets", row);
    let (id, application) = (WalletId::from_uuid(cells.uuid()?), ApplicationId::from_uuid(cells.uuid()?));
    let (application_name, currency) = (cells.text()?, cells.currency()?);
    let (total_debited, total_credited) = (cells.amount()?, cells.amount()?);
    Ok(WalletRow {
        id,
        application,
        application_name,
        currency,
        balance: total_credited.minus(total_debited).map_err(|_| damaged("a balance that fits"))?,
        total_debited,
        total_credited,
        created_at: cells.instant()?,
        updated_at: cells.instant()?,
    })
}

/// Reads [`ENTRY`].
fn entry(row: &Row, currency: Currency) -> Result<EntryRow, ViewError> {
    let mut cells = Cells::of("entries", row);
    let number = cells.count()? & ENTRY_MASK;
    let (position, payment) = (cells.position()?, cells.position()?);
    let check = u32::try_from(cells.int()?).map_err(|_| damaged("the random part of a reference"))?;
    let transaction = TransactionId::from_uuid(cells.uuid()?);
    let side = if cells.bool()? { Side::Credit } else { Side::Debit };
    let (amount, closing_balance) = (cells.amount()?, cells.amount()?);
    let opening = match side {
        Side::Credit => closing_balance.minus(amount),
        Side::Debit => closing_balance.plus(amount),
    };
    let created_at = cells.instant()?;
    Ok(EntryRow {
        id: entry_id(transaction, side),
        number,
        position,
        transaction,
        reference: Reference::new(payment, check),
        side,
        amount,
        currency,
        opening_balance: opening.map_err(|_| damaged("a balance that fits"))?,
        closing_balance,
        description: description(&mut cells, side, amount, currency)?,
        created_at,
    })
}

/// The id of one side of a payment: the same whenever it is asked for.
fn entry_id(transaction: TransactionId, side: Side) -> EntryId {
    let part: &[u8] = match side {
        Side::Debit => b"debit",
        Side::Credit => b"credit",
    };
    EntryId::from_uuid(derived_id(transaction.uuid(), part))
}

/// `Credit from alice (WalletApp) to bob (ShopApp) — NGN 1500.0000` (`idaas.md` 11).
fn description(cells: &mut Cells<'_>, side: Side, amount: Amount, currency: Currency) -> Result<String, ViewError> {
    let (sender, sender_name) = (cells.address()?, cells.text()?);
    let (receiver, receiver_name) = (cells.address()?, cells.text()?);
    let word = match side {
        Side::Debit => "Debit",
        Side::Credit => "Credit",
    };
    Ok(format!(
        "{word} from {} ({sender_name}) to {} ({receiver_name}) — {currency} {}",
        sender.local(),
        receiver.local(),
        amount.text(SCALE)
    ))
}
