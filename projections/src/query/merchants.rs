//! Merchants and payment requests.

use flexledger_domain::Instant;
use flexledger_domain::ids::{ApplicationId, MerchantId, TagId};
use flexledger_domain::merchants::{Request, RequestNumber, RequestState};
use flexledger_domain::money::{Amount, Currency, Money};

use super::cells::Cells;
use super::order::{By, Properties, order};
use crate::database::Row;
use crate::value::{Value, count};
use crate::{Page, Paged, RequestRow, ViewError, Views};

const TABLE: &str = "payment_requests";

const OWN_ORDER: &str = "r.number DESC";

/// What the requests that wait for a payer's application can be sorted by.
const PROPERTIES: Properties = &[
    ("id", By::Plain("r.number")),
    ("reference", By::Plain("r.reference")),
    ("amount", By::Amount("r.amount")),
    ("currency", By::Plain("r.currency")),
    ("status", By::Plain("r.state")),
    ("expiresAt", By::Plain("r.expires_at")),
    ("createdAt", By::Plain("r.created_at")),
    ("updatedAt", By::Plain("r.updated_at")),
];

impl Views {
    /// The payment request that a merchant made under a reference.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn payment_request_of(
        &self,
        merchant: MerchantId,
        reference: &str,
    ) -> Result<Option<RequestRow>, ViewError> {
        let arguments = [merchant.uuid().into(), reference.into()];
        Ok(self.select_requests("r.merchant = ? AND r.reference = ?", &arguments).await?.pop())
    }

    /// A merchant's payment requests, newest first, at most `limit` after the first `offset`; only those in one state
    /// if it is given. The total counts all that match.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn payment_requests(
        &self,
        merchant: MerchantId,
        state: Option<RequestState>,
        limit: u32,
        offset: u64,
    ) -> Result<Paged<RequestRow>, ViewError> {
        self.usable(&["merchants"])?;
        let filter = if state.is_some() { "r.merchant = ? AND r.state = ?" } else { "r.merchant = ?" };
        let merchant = std::iter::once(Value::from(merchant.uuid()));
        let mut arguments: Vec<Value> = merchant.chain(state.map(|state| state.name().into())).collect();
        let sql = format!("SELECT COUNT(*) FROM payment_requests r WHERE {filter}");
        let total = self.database.row(&sql, &arguments).await?;
        let total = total.map_or(Ok(0), |row| Cells::of(TABLE, &row).count())?;
        arguments.extend([Value::Int(i64::from(limit)), count(offset)]);
        let filter = format!("{filter} ORDER BY {OWN_ORDER} LIMIT ? OFFSET ?");
        Ok(Paged { items: self.select_requests(&filter, &arguments).await?, total })
    }

    /// A page of the payment requests that one application may pay: they are pending, not overdue, and the payer's tag
    /// is the application's now; newest first. It can be sorted by `id`, `reference`, `amount`, `currency`, `status`,
    /// `expiresAt`, `createdAt` and `updatedAt`.
    ///
    /// # Errors
    /// [`ViewError::SortProperty`], [`ViewError::PageSize`], a view that stopped, or the database's.
    pub async fn payment_requests_waiting(
        &self,
        payer: ApplicationId,
        now: Instant,
        page: &Page,
    ) -> Result<Paged<RequestRow>, ViewError> {
        // The tag comes first: an application has few, the platform may have many requests.
        const WAITING: &str = "r.state = 'Pending' AND q.owner_application = ? AND r.expires_at > ?";
        self.usable(&["tags", "merchants"])?;
        let order = order(page, PROPERTIES, "r.number")?.unwrap_or_else(|| OWN_ORDER.to_owned());
        let mut arguments = vec![payer.uuid().into(), now.into()];
        let sql = format!("SELECT COUNT(*) FROM tags q JOIN payment_requests r ON r.payer = q.id WHERE {WAITING}");
        let total = self.database.row(&sql, &arguments).await?;
        let total = total.map_or(Ok(0), |row| Cells::of(TABLE, &row).count())?;
        arguments.extend([Value::Int(i64::from(page.size)), count(page.offset())]);
        let filter = format!("{WAITING} ORDER BY {order} LIMIT ? OFFSET ?");
        Ok(Paged { items: self.select_requests(&filter, &arguments).await?, total })
    }

    async fn select_requests(&self, condition: &str, arguments: &[Value]) -> Result<Vec<RequestRow>, ViewError> {
        self.usable(&["subjects", "tags", "merchants"])?;
        let sql = format!(
            "SELECT r.number, r.merchant, r.reference, r.payee, r.payer, r.amount, r.currency, r.comment, r.metadata, \
             r.state, r.payment, r.expires_at, r.created_at, r.updated_at, p.local, p.handle, m.name, q.local, \
             q.handle, s.display_name FROM payment_requests r JOIN merchants m ON m.id = r.merchant \
             JOIN tags p ON p.id = r.payee JOIN tags q ON q.id = r.payer JOIN subjects s ON s.id = q.owner \
             WHERE {condition}"
        );
        let rows = self.database.rows(&sql, arguments).await?;
        rows.iter().map(request).collect()
    }
}

fn request(row: &Row) -> Result<RequestRow, ViewError> {
    let mut cells = Cells::of(TABLE, row);
    let damaged = |expected| ViewError::Damaged { table: TABLE, expected };
    let number = RequestNumber::new(cells.count()?);
    let merchant = MerchantId::from_uuid(cells.uuid()?);
    let reference = cells.text()?;
    let (payee, payer) = (TagId::from_uuid(cells.uuid()?), TagId::from_uuid(cells.uuid()?));
    let (amount, currency): (Amount, Currency) = (cells.amount()?, cells.currency()?);
    let (comment, metadata) = (cells.personal()?, cells.personal()?);
    let state = RequestState::from_name(&cells.text()?).ok_or_else(|| damaged("a state"))?;
    let payment = cells.optional_text()?;
    let transaction = payment.map(|text| text.parse()).transpose().map_err(|_| damaged("a reference"))?;
    let request = Request {
        number,
        merchant,
        payee,
        payer,
        money: Money { amount, currency },
        reference,
        comment,
        metadata,
        state,
        transaction,
        expires_at: cells.instant()?,
        created_at: cells.instant()?,
        updated_at: cells.instant()?,
    };
    let payee_address = format!("{}@{}", cells.text()?, cells.text()?).into();
    let merchant_name = cells.text()?;
    let payer_address = format!("{}@{}", cells.text()?, cells.text()?).into();
    Ok(RequestRow { request, payee_address, merchant_name, payer_address, payer_name: cells.personal()? })
}
