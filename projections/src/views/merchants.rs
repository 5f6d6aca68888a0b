//! Merchants and their payment requests (`idaas.md` 19). Comments and metadata stay sealed.

use flexledger_domain::merchants::{MerchantEvent, RequestCreated, RequestNumber, RequestState};
use flexledger_domain::{Event, Recorded};

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Table, column, optional};
use crate::value::{Value, amount, count, personal, position};
use crate::view::{Stop, View};

pub(super) const NAME: &str = "merchants";

static TABLES: &[&Table] = &[&MERCHANTS, &REQUESTS];

static MERCHANTS: Table = Table {
    name: "merchants",
    columns: &[
        column("id", Kind::Id),
        column("position", Kind::Int),
        column("name", Kind::Text),
        column("tag", Kind::Id),
        column("location", Kind::Text),
        column("created_at", Kind::Instant),
    ],
    indexes: &[],
    seals: &[],
};

static REQUESTS: Table = Table {
    name: "payment_requests",
    columns: COLUMNS,
    indexes: &[
        Index {
            name: "payment_requests_by_reference",
            columns: &["merchant", "reference"],
            unique: true,
            filter: None,
        },
        Index { name: "payment_requests_in_order", columns: &["merchant", "number"], unique: true, filter: None },
        Index {
            name: "payment_requests_waiting",
            columns: &["payer", "number"],
            unique: true,
            filter: Some("state = 'Pending'"),
        },
    ],
    seals: &[],
};

const COLUMNS: &[Column] = &[
    column("number", Kind::Int),
    column("position", Kind::Int),
    column("merchant", Kind::Id),
    column("reference", Kind::Text),
    column("payee", Kind::Id),
    column("payer", Kind::Id),
    column("amount", Kind::Amount),
    column("currency", Kind::Text),
    optional("comment", Kind::Personal),
    optional("metadata", Kind::Personal),
    column("state", Kind::Text),
    optional("payment", Kind::Text),
    column("expires_at", Kind::Instant),
    column("created_at", Kind::Instant),
    column("updated_at", Kind::Instant),
];
const STATE: usize = 10;
const PAYMENT: usize = 11;
const UPDATED_AT: usize = 14;

/// The view.
pub(super) struct Merchants;

impl View for Merchants {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [&'static Table] {
        TABLES
    }

    fn apply(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
        let Event::Merchant(event) = &recorded.event else { return Ok(()) };
        let end = |changes: &mut Changes, number, state| set(changes, recorded, number, state, None);
        match event {
            MerchantEvent::Registered(id, body) => changes.insert(
                0,
                [
                    id.uuid().into(),
                    position(recorded.position),
                    (&body.name).into(),
                    body.tag.uuid().into(),
                    (&body.location).into(),
                    recorded.recorded_at.into(),
                ],
            ),
            MerchantEvent::Created(number, body) => create(changes, recorded, *number, body)?,
            MerchantEvent::Accepted(number, body) => {
                let payment = (PAYMENT, body.transaction.text().as_str().into());
                set(changes, recorded, *number, RequestState::Accepted, Some(payment));
            }
            MerchantEvent::Declined(number, _) => end(changes, *number, RequestState::Declined),
            MerchantEvent::Cancelled(number, _) => end(changes, *number, RequestState::Cancelled),
            MerchantEvent::Expired(number, _) => end(changes, *number, RequestState::Expired),
        }
        Ok(())
    }
}

fn create(
    changes: &mut Changes,
    recorded: &Recorded,
    number: RequestNumber,
    body: &RequestCreated,
) -> Result<(), Stop> {
    let row = [
        count(number.number()),
        position(recorded.position),
        body.merchant.uuid().into(),
        (&body.reference).into(),
        body.payee.uuid().into(),
        body.payer.uuid().into(),
        amount(body.money.amount),
        body.money.currency.code().into(),
        personal(body.comment.as_ref())?,
        personal(body.metadata.as_ref())?,
        RequestState::Pending.name().into(),
        Value::Null,
        body.expires_at.into(),
        recorded.recorded_at.into(),
        recorded.recorded_at.into(),
    ];
    changes.insert(1, row);
    Ok(())
}

fn set(
    changes: &mut Changes,
    recorded: &Recorded,
    number: RequestNumber,
    state: RequestState,
    payment: Option<(usize, Value)>,
) {
    let cells = [(STATE, state.name().into()), (UPDATED_AT, recorded.recorded_at.into())].into_iter().chain(payment);
    if let Some(key) = count(number.number()).key() {
        changes.update(1, key, cells);
    }
}
