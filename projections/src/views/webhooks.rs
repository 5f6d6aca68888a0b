//! Webhook records (`idaas.md` 10). The key is twice the position of the payment, plus one for the sender's record:
//! a payment has at most two.

use flexledger_domain::payments::{Direction, PaymentEvent, Webhook};
use flexledger_domain::{Event, Recorded, Reference};

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Table, column, optional};
use crate::value::Value;
use crate::view::{Stop, View};

pub(super) const NAME: &str = "webhooks";

static TABLES: &[&Table] = &[&TABLE];

static TABLE: Table = Table {
    name: "webhooks",
    columns: COLUMNS,
    indexes: &[Index { name: "webhooks_by_id", columns: &["id"], unique: true, filter: None }],
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
];

/// The view.
pub(super) struct Webhooks;

impl View for Webhooks {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        TABLES
    }

    fn apply(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
        use flexledger_domain::payments::Status;
        let Event::Payment(event) = &recorded.event else { return Ok(()) };
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
    let twice = reference.position().number().checked_mul(2).and_then(|twice| i64::try_from(twice).ok());
    let number = twice.ok_or_else(|| Stop::new("position out of range"))? + i64::from(direction == Direction::Sender);
    let row = [
        Value::Int(number),
        webhook.id.uuid().into(),
        (&webhook.url).into(),
        told.into(),
        "PENDING".into(),
        Value::Int(0),
        Value::Null,
        Value::Null,
        Value::Null,
        recorded.recorded_at.into(),
        recorded.recorded_at.into(),
    ];
    changes.insert(0, row);
    Ok(())
}
