//! Webhook records and their attempts.

use flexledger_domain::ids::{ApplicationId, WebhookId};
use flexledger_domain::payments::{Delivery, DeliveryStatus, Direction, Payment, Status, WebhookRecord};
use flexledger_domain::{Instant, Position};

use super::cells::Cells;
use super::order::{By, Properties, order};
use super::payments::{PARTIES, PAYMENT_COLUMNS, read_payment};
use crate::rows::{AttemptRow, WebhookRow};
use crate::value::{Value, count};
use crate::{Page, Paged, ViewError, Views};

const TABLE: &str = "webhooks";

/// The columns of a record `w`.
pub(super) const RECORD_COLUMNS: &str = "w.number, w.id, w.url, w.told, w.status, w.attempts, w.last_error, \
     w.last_attempt_at, w.delivered_at, w.created_at, w.updated_at";

const PROPERTIES: Properties = &[
    ("id", By::Plain("w.id")),
    ("transactionReference", By::Plain("t.position")),
    ("eventType", By::Plain("w.told")),
    ("targetUrl", By::Plain("w.url")),
    ("attempts", By::Plain("w.attempts")),
    ("lastAttemptAt", By::Optional("w.last_attempt_at")),
    ("createdAt", By::Plain("w.created_at")),
    ("updatedAt", By::Plain("w.updated_at")),
];

impl Views {
    /// A webhook record with its payment and its attempts.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn webhook(&self, id: WebhookId) -> Result<Option<WebhookRow>, ViewError> {
        self.usable(&["transactions", TABLE])?;
        let row = self.database.row("SELECT number FROM webhooks WHERE id = ?", &[id.uuid().into()]).await?;
        let Some(row) = row else { return Ok(None) };
        let number = Cells::of(TABLE, &row).count()?;
        let payment = self.payment_at(number / 2).await?;
        let found = payment.and_then(|payment| {
            let record = payment.webhooks.iter().find(|record| record.id == id).cloned()?;
            Some((payment, record))
        });
        let (payment, record) = found.ok_or_else(|| damaged("a payment for each record"))?;
        let first = number.saturating_mul(4);
        let sql =
            "SELECT number, position, at, error FROM webhook_attempts WHERE number > ? AND number < ? ORDER BY number";
        let rows = self.database.rows(sql, &[count(first), count(first.saturating_add(4))]).await?;
        let attempts = rows.iter().map(|row| attempt(&mut Cells::of("webhook_attempts", row)));
        Ok(Some(WebhookRow { attempts: attempts.collect::<Result<_, _>>()?, payment, record }))
    }

    /// A page of records that were given up, of one target, newest first unless the page says otherwise. It can be
    /// sorted by `id`, `transactionReference`, `eventType`, `targetUrl`, `attempts`, `lastAttemptAt`, `createdAt` and
    /// `updatedAt`.
    ///
    /// # Errors
    /// [`ViewError::SortProperty`], [`ViewError::PageSize`], a view that stopped, or the database's.
    pub async fn failed_webhooks(&self, target: ApplicationId, page: &Page) -> Result<Paged<WebhookRecord>, ViewError> {
        self.usable(&["transactions", TABLE])?;
        let order = order(page, PROPERTIES, "w.number")?;
        let order = order.unwrap_or_else(|| "w.created_at DESC, w.number DESC".to_owned());
        let target: Value = target.uuid().into();
        let sql = "SELECT COUNT(*) FROM webhooks WHERE failed_for = ?";
        let total = self.database.row(sql, std::slice::from_ref(&target)).await?;
        let total = total.map_or(Ok(0), |row| Cells::of(TABLE, &row).count())?;
        let sql = format!(
            "SELECT {PAYMENT_COLUMNS}, {RECORD_COLUMNS} FROM webhooks w JOIN transactions t ON t.position = w.number / 2 \
             {PARTIES} WHERE w.failed_for = ? ORDER BY {order} LIMIT ? OFFSET ?"
        );
        let rows = self.database.rows(&sql, &[target, Value::Int(i64::from(page.size)), count(page.offset())]).await?;
        let read = |row| {
            let mut cells = Cells::of(TABLE, row);
            let payment = read_payment(&mut cells)?;
            record(&mut cells, &payment)
        };
        Ok(Paged { items: rows.iter().map(read).collect::<Result<_, ViewError>>()?, total })
    }
}

fn damaged(expected: &'static str) -> ViewError {
    ViewError::Damaged { table: TABLE, expected }
}

/// Reads [`RECORD_COLUMNS`].
pub(super) fn record(cells: &mut Cells<'_>, payment: &Payment) -> Result<WebhookRecord, ViewError> {
    let (direction, target) = match cells.int()? % 2 {
        0 => (Direction::Receiver, &payment.receiver),
        _ => (Direction::Sender, &payment.sender),
    };
    Ok(WebhookRecord {
        id: WebhookId::from_uuid(cells.uuid()?),
        transaction: payment.id,
        reference: payment.reference,
        application: target.application,
        application_name: target.name.clone(),
        direction,
        url: cells.text()?,
        told: Status::from_name(&cells.text()?).ok_or_else(|| damaged("a state"))?,
        delivery: delivery(cells)?,
        created_at: cells.instant()?,
        updated_at: cells.instant()?,
    })
}

fn delivery(cells: &mut Cells<'_>) -> Result<Delivery, ViewError> {
    let name = cells.text()?;
    let known = [DeliveryStatus::Pending, DeliveryStatus::Delivered, DeliveryStatus::Failed];
    Ok(Delivery {
        status: known.into_iter().find(|status| status.name() == &*name).ok_or_else(|| damaged("a delivery state"))?,
        attempts: u8::try_from(cells.int()?).map_err(|_| damaged("attempts"))?,
        last_error: cells.optional_text()?,
        last_attempt_at: cells.optional_int()?.map(Instant::from_micros),
        delivered_at: cells.optional_int()?.map(Instant::from_micros),
    })
}

fn attempt(cells: &mut Cells<'_>) -> Result<AttemptRow, ViewError> {
    let number = u8::try_from(cells.int()? % 4).map_err(|_| damaged("an attempt"))?;
    let position = Position::new(cells.count()?);
    Ok(AttemptRow { attempt: number, position, at: cells.instant()?, error: cells.optional_text()? })
}
