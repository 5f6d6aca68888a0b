//! Payments.

use flexledger_domain::Reference;
use flexledger_domain::ids::{ApplicationId, TransactionId};
use flexledger_domain::money::Money;
use flexledger_domain::payments::{NamedParty, Payment};

use super::cells::Cells;
use super::order::{By, Properties, order};
use super::webhooks::{RECORD_COLUMNS, record};
use crate::database::Row;
use crate::value::{Value, count};
use crate::views::status_of;
use crate::{Page, Paged, ViewError, Views, Which};

const TABLE: &str = "transactions";

/// The columns of a payment.
pub(super) const PAYMENT_COLUMNS: &str = "t.position, t.reference_check, t.id, s.application, s.name, t.sender_tag, r.application, \
     r.name, t.receiver_tag, t.currency, t.amount, t.status, t.narration, t.reason, t.expires_at, t.created_at, \
     t.updated_at";

/// The parties `s` and `r` of a payment `t`.
pub(super) const PARTIES: &str =
    "JOIN payment_parties s ON s.number = t.sender JOIN payment_parties r ON r.number = t.receiver";

/// Recorded time never goes back along the log, so creation is sorted by position.
const PROPERTIES: Properties = &[
    ("id", By::Plain("t.id")),
    ("reference", By::Plain("t.position")),
    ("createdAt", By::Plain("t.position")),
    ("updatedAt", By::Plain("t.updated_at")),
    ("expiresAt", By::Plain("t.expires_at")),
    ("acceptedAt", By::Optional("CASE WHEN t.status = 1 THEN t.updated_at END")),
    ("rejectedAt", By::Optional("CASE WHEN t.status = 3 THEN t.updated_at END")),
    ("amount", By::Amount("t.amount")),
    ("currency", By::Plain("t.currency")),
    ("status", By::Plain("t.status")),
    ("senderTag", By::Plain("t.sender_tag")),
    ("senderAppName", By::Plain("(SELECT name FROM payment_parties WHERE number = t.sender)")),
    ("senderAppId", By::Plain("(SELECT application FROM payment_parties WHERE number = t.sender)")),
    ("receiverTag", By::Plain("t.receiver_tag")),
    ("receiverAppName", By::Plain("(SELECT name FROM payment_parties WHERE number = t.receiver)")),
    ("receiverAppId", By::Plain("(SELECT application FROM payment_parties WHERE number = t.receiver)")),
];

impl Views {
    /// A payment with its webhook records.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn payment(&self, reference: Reference) -> Result<Option<Payment>, ViewError> {
        self.usable(&["transactions", "webhooks"])?;
        let payment = self.payment_at(reference.position().number()).await?;
        Ok(payment.filter(|payment| payment.reference == reference))
    }

    /// The payment whose first event stands at `position`, with its webhook records.
    pub(super) async fn payment_at(&self, position: u64) -> Result<Option<Payment>, ViewError> {
        let sql = format!("SELECT {PAYMENT_COLUMNS} FROM transactions t {PARTIES} WHERE t.position = ?");
        let found = self.database.row(&sql, &[count(position)]).await?;
        let Some(mut payment) = found.as_ref().map(payment).transpose()? else { return Ok(None) };
        let number = position.saturating_mul(2);
        let sql = format!("SELECT {RECORD_COLUMNS} FROM webhooks w WHERE w.number IN (?, ?) ORDER BY w.number");
        for row in self.database.rows(&sql, &[count(number), count(number + 1)]).await? {
            let record = record(&mut Cells::of("webhooks", &row), &payment)?;
            payment.webhooks.push(record);
        }
        Ok(Some(payment))
    }

    /// A page of payments without webhook records. In order of `createdAt`, newest first, unless the page says
    /// otherwise. It can be sorted by `id`, `reference`, `senderTag`, `senderAppName`, `senderAppId`, `receiverTag`,
    /// `receiverAppName`, `receiverAppId`, `amount`, `currency`, `status`, `expiresAt`, `acceptedAt`, `rejectedAt`,
    /// `createdAt` and `updatedAt`. Orders other than `createdAt` and `reference` read all of the application's rows.
    ///
    /// # Errors
    /// [`ViewError::SortProperty`], [`ViewError::PageSize`], a view that stopped, or the database's.
    pub async fn payments(&self, which: Which, page: &Page) -> Result<Paged<Payment>, ViewError> {
        self.usable(&["transactions"])?;
        let order = order(page, PROPERTIES, "t.position")?.unwrap_or_else(|| "t.position DESC".to_owned());
        let nothing = Paged { items: Vec::new(), total: 0 };
        let Some(list) = self.list(which).await? else { return Ok(nothing) };
        if page.offset() >= list.total {
            return Ok(Paged { total: list.total, ..nothing });
        }
        // The page is found in the index first; only its rows are read whole.
        let sql = format!(
            "SELECT {PAYMENT_COLUMNS} FROM transactions t {PARTIES} WHERE t.position IN (SELECT t.position FROM transactions t WHERE {} ORDER BY {order} \
             LIMIT ? OFFSET ?) ORDER BY {order}",
            list.condition
        );
        let mut arguments = list.arguments;
        arguments.extend([Value::Int(i64::from(page.size)), count(page.offset())]);
        let rows = self.database.rows(&sql, &arguments).await?;
        Ok(Paged { items: rows.iter().map(payment).collect::<Result<_, _>>()?, total: list.total })
    }

    /// The condition of a list and how long it is; `None` for an application that is not known.
    async fn list(&self, which: Which) -> Result<Option<List>, ViewError> {
        let (Which::Sent(application) | Which::Received(application) | Which::Pending(application, _)) = which;
        let sql = "SELECT number, sent, received FROM payment_parties WHERE application = ?";
        let Some(row) = self.database.row(sql, &[application.uuid().into()]).await? else { return Ok(None) };
        let mut cells = Cells::of("payment_parties", &row);
        let (number, sent, received) = (Value::Int(cells.int()?), cells.count()?, cells.count()?);
        let list = match which {
            Which::Sent(_) => List { condition: "t.sender = ?", arguments: vec![number], total: sent },
            Which::Received(_) => List { condition: "t.receiver = ?", arguments: vec![number], total: received },
            Which::Pending(_, now) => {
                let condition = "t.receiver = ? AND t.status = 0 AND t.expires_at > ?";
                let arguments = vec![number, now.into()];
                let sql = format!("SELECT COUNT(*) FROM transactions t WHERE {condition}");
                let row = self.database.row(&sql, &arguments).await?;
                let total = row.map_or(Ok(0), |row| Cells::of(TABLE, &row).count())?;
                List { condition, arguments, total }
            }
        };
        Ok(Some(list))
    }
}

struct List {
    condition: &'static str,
    arguments: Vec<Value>,
    total: u64,
}

fn payment(row: &Row) -> Result<Payment, ViewError> {
    read_payment(&mut Cells::of(TABLE, row))
}

/// Reads [`PAYMENT_COLUMNS`].
pub(super) fn read_payment(cells: &mut Cells<'_>) -> Result<Payment, ViewError> {
    let damaged = |expected| ViewError::Damaged { table: TABLE, expected };
    let position = cells.position()?;
    let check = u32::try_from(cells.int()?).map_err(|_| damaged("the random part of a reference"))?;
    let id = TransactionId::from_uuid(cells.uuid()?);
    let (sender, receiver) = (party(cells)?, party(cells)?);
    let currency = cells.currency()?;
    let money = Money { amount: cells.amount()?, currency };
    let status = status_of(cells.int()?).ok_or_else(|| damaged("a state"))?;
    Ok(Payment {
        id,
        reference: Reference::new(position, check),
        sender,
        receiver,
        money,
        status,
        narration: cells.personal()?,
        rejection_reason: cells.personal()?,
        expires_at: cells.instant()?,
        created_at: cells.instant()?,
        updated_at: cells.instant()?,
        webhooks: Vec::new(),
    })
}

fn party(cells: &mut Cells<'_>) -> Result<NamedParty, ViewError> {
    Ok(NamedParty { application: ApplicationId::from_uuid(cells.uuid()?), name: cells.text()?, tag: cells.address()? })
}
