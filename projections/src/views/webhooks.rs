//! Webhook records (`idaas.md` 10). The key is twice the position of the payment, plus one for the sender's record:
//! a payment has at most two. The second table holds the attempts, four numbers for each record.

use flexledger_domain::payments::{DeliveryStatus, Direction, PaymentEvent, Status, Webhook};
use flexledger_domain::webhooks::WebhookEvent;
use flexledger_domain::{Event, Instant, Recorded, Reference};

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Table, column, optional};
use crate::value::{Key, Value, position};
use crate::view::{Stop, View};

pub(super) const NAME: &str = "webhooks";

static TABLES: &[&Table] = &[&TABLE, &ATTEMPTS];

static TABLE: Table = Table {
    name: "webhooks",
    columns: COLUMNS,
    indexes: &[
        Index { name: "webhooks_by_id", columns: &["id"], unique: true, filter: None },
        Index {
            name: "webhooks_failed",
            columns: &["failed_for", "created_at"],
            unique: false,
            filter: Some("failed_for IS NOT NULL"),
        },
    ],
    seals: &[],
};

const COLUMNS: &[Column] = &[
    column("number", Kind::Int),
    column("id", Kind::Id),
    column("url", Kind::Text),
    column("told", Kind::Text),
    column("status", Kind::Text),
    column("attempts", Kind::Int),
    optional("last_error", Kind::Text),
    optional("last_attempt_at", Kind::Instant),
    optional("delivered_at", Kind::Instant),
    column("created_at", Kind::Instant),
    column("updated_at", Kind::Instant),
    optional("failed_for", Kind::Id),
];
const STATUS: usize = 4;
const ATTEMPTS_MADE: usize = 5;
const LAST_ERROR: usize = 6;
const LAST_ATTEMPT_AT: usize = 7;
const DELIVERED_AT: usize = 8;
const UPDATED_AT: usize = 10;
const FAILED_FOR: usize = 11;

static ATTEMPTS: Table = Table {
    name: "webhook_attempts",
    columns: &[
        column("number", Kind::Int),
        column("position", Kind::Int),
        column("at", Kind::Instant),
        optional("error", Kind::Text),
    ],
    indexes: &[],
    seals: &[],
};

/// The view.
pub(super) struct Webhooks;

impl View for Webhooks {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        3
    }

    fn tables(&self) -> &'static [&'static Table] {
        TABLES
    }

    fn apply(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
        let event = match &recorded.event {
            Event::Payment(event) => event,
            Event::Webhook(event) => return attempt(event, recorded, changes),
            _ => return Ok(()),
        };
        let (reference, webhook, direction, told) = match event {
            PaymentEvent::Initiated(reference, body) => {
                (reference, &body.receiver_webhook, Direction::Receiver, Status::AwaitingAcceptance)
            }
            PaymentEvent::Accepted(reference, body) => {
                (reference, &body.sender_webhook, Direction::Sender, Status::Completed)
            }
            PaymentEvent::Rejected(reference, body) => {
                (reference, &body.sender_webhook, Direction::Sender, Status::Rejected)
            }
            PaymentEvent::Expired(reference, body) => {
                (reference, &body.sender_webhook, Direction::Sender, Status::Expired)
            }
            PaymentEvent::WalletProvisioned(..) => return Ok(()),
        };
        match webhook {
            Some(webhook) => owe(*reference, webhook, direction, told.name(), recorded, changes),
            None => Ok(()),
        }
    }
}

fn owe(
    reference: Reference,
    webhook: &Webhook,
    direction: Direction,
    told: &str,
    recorded: &Recorded,
    changes: &mut Changes,
) -> Result<(), Stop> {
    let row = [
        Value::Int(number(reference, direction)?),
        webhook.id.uuid().into(),
        (&webhook.url).into(),
        told.into(),
        DeliveryStatus::Pending.name().into(),
        Value::Int(0),
        Value::Null,
        Value::Null,
        Value::Null,
        recorded.recorded_at.into(),
        recorded.recorded_at.into(),
        Value::Null,
    ];
    changes.insert(0, row);
    Ok(())
}

/// The key of a record.
fn number(reference: Reference, direction: Direction) -> Result<i64, Stop> {
    let twice = reference.position().number().checked_mul(2).and_then(|twice| i64::try_from(twice).ok());
    Ok(twice.ok_or_else(|| Stop::new("position out of range"))? + i64::from(direction == Direction::Sender))
}

/// What every report of an attempt tells.
struct Attempt<'a> {
    number: i64,
    attempt: u8,
    at: Instant,
    error: Option<&'a std::sync::Arc<str>>,
    status: DeliveryStatus,
}

fn attempt(event: &WebhookEvent, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
    let made = match event {
        WebhookEvent::AttemptFailed(_, body) => Attempt {
            number: number(body.transaction, body.direction)?,
            attempt: body.attempt,
            at: body.at,
            error: Some(&body.error),
            status: DeliveryStatus::Pending,
        },
        WebhookEvent::Delivered(_, body) => Attempt {
            number: number(body.transaction, body.direction)?,
            attempt: body.attempt,
            at: body.at,
            error: None,
            status: DeliveryStatus::Delivered,
        },
        WebhookEvent::Failed(_, body) => Attempt {
            number: number(body.transaction, body.direction)?,
            attempt: body.attempt,
            at: body.at,
            error: Some(&body.error),
            status: DeliveryStatus::Failed,
        },
    };
    let place = made.number.checked_mul(4).filter(|_| (1..=3).contains(&made.attempt));
    let place = place.ok_or_else(|| Stop::new("an attempt out of range"))? + i64::from(made.attempt);
    let mut cells = vec![
        (STATUS, made.status.name().into()),
        (ATTEMPTS_MADE, Value::Int(i64::from(made.attempt))),
        (LAST_ATTEMPT_AT, made.at.into()),
        (UPDATED_AT, recorded.recorded_at.into()),
    ];
    if let Some(error) = made.error {
        cells.push((LAST_ERROR, error.into()));
    }
    if made.status == DeliveryStatus::Delivered {
        cells.push((DELIVERED_AT, recorded.recorded_at.into()));
    }
    if let WebhookEvent::Failed(_, body) = event {
        cells.push((FAILED_FOR, body.application.uuid().into()));
    }
    changes.update(0, Key::Int(made.number), cells);
    changes.append(1, [Value::Int(place), position(recorded.position), made.at.into(), made.error.into()]);
    Ok(())
}
