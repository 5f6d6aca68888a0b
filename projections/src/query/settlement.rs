//! Settlement records.

use std::sync::Arc;

use flexledger_domain::Date;
use flexledger_domain::ids::{ApplicationId, SettlementEntryId, SettlementId, WalletId};

use super::cells::Cells;
use super::derived_id;
use super::order::{By, Properties, order};
use crate::database::Row;
use crate::value::{Value, count};
use crate::views::{COMPLETED, FAILED};
use crate::{Page, Paged, SettlementEntryRow, SettlementRow, SettlementStatus, ViewError, Views};

const TABLE: &str = "settlements";

/// The currency that a date is looked up in (`idaas.md` 12.1).
const DEFAULT_CURRENCY: &str = "NGN";

pub(super) const RECORD: &str = "SELECT t.id, t.date, t.currency, t.status, t.error, t.total_credited, t.total_debited, \
     t.transaction_count, t.application_count, t.cut_from, t.cut_to, t.created_at FROM settlements t";

/// A line `l` of a record, with the name of its application.
const LINE: &str = "SELECT l.application, a.name, l.wallet, l.total_credited, l.total_debited, l.opening_balance, \
     l.closing_balance, l.transaction_count, l.created_at FROM settlement_lines l \
     JOIN applications a ON a.id = l.application WHERE l.settlement = ? ORDER BY l.number";

const OWN_ORDER: &str = "t.date DESC, CASE t.currency WHEN 'NGN' THEN 0 ELSE 1 END, t.currency";

const PROPERTIES: Properties = &[
    ("id", By::Plain("t.id")),
    ("settlementDate", By::Plain("t.date")),
    ("currency", By::Plain("t.currency")),
    ("status", By::Plain("t.status")),
    ("totalCredited", By::Amount("t.total_credited")),
    ("totalDebited", By::Amount("t.total_debited")),
    ("transactionCount", By::Plain("t.transaction_count")),
    ("applicationCount", By::Plain("t.application_count")),
    ("createdAt", By::Plain("t.created_at")),
];

impl Views {
    /// A page of settlement records without entries, newest date first, `NGN` first on one date. It can be sorted by
    /// `settlementDate`, `currency`, `status`, `totalCredited`, `totalDebited`, `transactionCount`,
    /// `applicationCount`, `createdAt` and `id`.
    ///
    /// # Errors
    /// [`ViewError::SortProperty`], [`ViewError::PageSize`], a view that stopped, or the database's.
    pub async fn settlements(&self, page: &Page) -> Result<Paged<SettlementRow>, ViewError> {
        self.usable(&["settlement"])?;
        let order = order(page, PROPERTIES, "t.position")?.unwrap_or_else(|| OWN_ORDER.to_owned());
        let total = self.database.row("SELECT COUNT(*) FROM settlements", &[]).await?;
        let total = total.map_or(Ok(0), |row| Cells::of(TABLE, &row).count())?;
        let sql = format!("{RECORD} ORDER BY {order} LIMIT ? OFFSET ?");
        let rows = self.database.rows(&sql, &[Value::Int(i64::from(page.size)), count(page.offset())]).await?;
        Ok(Paged { items: rows.iter().map(record).collect::<Result<_, _>>()?, total })
    }

    /// A settlement record with its entries.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn settlement(&self, id: SettlementId) -> Result<Option<SettlementRow>, ViewError> {
        self.whole_record("t.id = ?", &[id.uuid().into()]).await
    }

    /// The `NGN` record of a date, with its entries.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn settlement_by_date(&self, date: Date) -> Result<Option<SettlementRow>, ViewError> {
        self.whole_record("t.date = ? AND t.currency = ?", &[Value::Int(date.days()), DEFAULT_CURRENCY.into()]).await
    }

    async fn whole_record(&self, condition: &str, arguments: &[Value]) -> Result<Option<SettlementRow>, ViewError> {
        self.usable(&["applications", "settlement"])?;
        let row = self.database.row(&format!("{RECORD} WHERE {condition}"), arguments).await?;
        let Some(mut found) = row.as_ref().map(record).transpose()? else { return Ok(None) };
        found.entries = line_rows(self, &found).await?;
        Ok(Some(found))
    }
}

/// The entries of a record.
pub(super) async fn line_rows(views: &Views, of: &SettlementRow) -> Result<Vec<SettlementEntryRow>, ViewError> {
    let rows = views.database.rows(LINE, &[of.id.uuid().into()]).await?;
    rows.iter().map(|row| line(row, of)).collect()
}

fn damaged(expected: &'static str) -> ViewError {
    ViewError::Damaged { table: TABLE, expected }
}

/// Reads [`RECORD`].
pub(super) fn record(row: &Row) -> Result<SettlementRow, ViewError> {
    let mut cells = Cells::of(TABLE, row);
    Ok(SettlementRow {
        id: SettlementId::from_uuid(cells.uuid()?),
        date: Date::from_days(cells.int()?),
        currency: cells.currency()?,
        status: match cells.int()? {
            COMPLETED => SettlementStatus::Completed,
            FAILED => SettlementStatus::Failed,
            _ => return Err(damaged("a state")),
        },
        error: cells.optional_text()?.map(|text| text.to_string()),
        total_credited: cells.amount()?,
        total_debited: cells.amount()?,
        transaction_count: cells.count()?,
        application_count: cells.count()?,
        cut: match (cells.optional_int()?, cells.optional_int()?) {
            (Some(from), Some(to)) => Some((place(from)?, place(to)?)),
            _ => None,
        },
        created_at: cells.instant()?,
        entries: Vec::new(),
    })
}

fn place(number: i64) -> Result<flexledger_domain::Position, ViewError> {
    u64::try_from(number).map(flexledger_domain::Position::new).map_err(|_| damaged("a position"))
}

/// Reads [`LINE`].
fn line(row: &Row, record: &SettlementRow) -> Result<SettlementEntryRow, ViewError> {
    let mut cells = Cells::of("settlement_lines", row);
    let application = ApplicationId::from_uuid(cells.uuid()?);
    let application_name: Arc<str> = cells.text()?;
    let wallet = WalletId::from_uuid(cells.uuid()?);
    let (total_credited, total_debited) = (cells.amount()?, cells.amount()?);
    Ok(SettlementEntryRow {
        id: SettlementEntryId::from_uuid(derived_id(record.id.uuid(), application.uuid().as_bytes())),
        application,
        application_name,
        wallet,
        currency: record.currency,
        total_credited,
        total_debited,
        net_amount: total_credited.minus(total_debited).map_err(|_| damaged("a net amount that fits"))?,
        opening_balance: cells.amount()?,
        closing_balance: cells.amount()?,
        transaction_count: cells.count()?,
        created_at: cells.instant()?,
    })
}
