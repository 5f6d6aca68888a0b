//! Everything about one payment: what was asked, what happened, what was booked, what views show, who was told.

use flexledger_domain::ids::CommandId;
use flexledger_domain::merchants::{MerchantEvent, RequestNumber};
use flexledger_domain::payments::{Direction, PaymentEvent, SCALE, Status};
use flexledger_domain::webhooks::ATTEMPTS;
use flexledger_domain::{Date, Event, Instant, Position, Recorded, Reference};
use flexledger_eventstore::{EventStore, record};
use flexledger_projections::audit::tables;
use flexledger_projections::table::{Kind, Table};
use flexledger_projections::value::{Key, Value};
use flexledger_projections::{PaymentAsOf, Views};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::as_of::{AsOfError, Transaction};
use crate::moment::MomentError;

/// Events of one command that are looked for on either side of the one known. A payment's commands make fewer.
const NEAR: u64 = 8;

/// The document of `explain` (`operations.md` 4).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The payment.
    pub reference: String,
    /// As it stands.
    pub transaction: Transaction,
    /// What was asked, in order.
    pub commands: Vec<Command>,
    /// What happened, in order.
    pub events: Vec<Happened>,
    /// What was booked.
    pub postings: Vec<Booked>,
    /// What the views hold of it.
    pub view_rows: Vec<ViewRow>,
    /// Who was told, and how that went.
    pub webhooks: Vec<Told>,
    /// The record that it was settled in; null while it is not.
    pub settlement: Option<Settled>,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Command {
    /// Its id.
    pub command_id: String,
    /// Who gave it.
    pub actor: String,
    /// What it asked for, judged by its events.
    pub name: &'static str,
    /// When it was carried out.
    pub recorded_at: String,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Happened {
    /// Where it stands.
    pub position: u64,
    /// What happened.
    pub kind: &'static str,
    /// When.
    pub recorded_at: String,
}

/// A posting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Booked {
    /// The event that booked it.
    pub position: u64,
    /// On which account.
    pub account: String,
    /// In which currency.
    pub currency: String,
    /// `debit` or `credit`.
    pub side: &'static str,
    /// How much.
    pub amount: String,
}

/// A row of a view.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ViewRow {
    /// The table.
    pub view: &'static str,
    /// Its key.
    pub key: String,
    /// Its cells by column.
    pub row: Map<String, Json>,
}

/// A webhook record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// Whom it tells.
    pub application_id: String,
    /// `RECEIVER` or `SENDER`.
    pub direction: &'static str,
    /// What it tells: a state of the payment.
    pub event: &'static str,
    /// How the delivery stands.
    pub status: &'static str,
    /// Each attempt.
    pub attempts: Vec<Attempt>,
}

/// An attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Its number; the first is 1.
    pub attempt: u8,
    /// The event that reports it.
    pub position: u64,
    /// When it began.
    pub at: String,
    /// What went wrong; null when it was delivered.
    pub error: Option<String>,
}

/// A settlement record, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// Its id.
    pub id: String,
    /// Its date.
    pub settlement_date: String,
}

/// Explains a payment as it stands at `at`, from the log and from views that stand there or later.
///
/// # Errors
/// [`AsOfError::Unknown`] for a reference that was not there; else what keeps log or views from being read.
pub async fn explain(
    views: &Views,
    store: &dyn EventStore,
    reference: Reference,
    at: Position,
) -> Result<Explanation, AsOfError> {
    let found = views.payment_as_of(reference, at).await?.ok_or(AsOfError::Unknown("this reference"))?;
    let mut events = around(store, reference.position(), at).await?;
    if let Some(outcome) = found.outcome {
        events.extend(around(store, outcome, at).await?);
    }
    let rows = view_rows(views, &found, request_of(&events)).await?;
    // What belongs to the payment and stands far from it: the reports of its webhooks, and the request that it pays.
    for place in rows.iter().filter_map(ViewRow::place).filter(|place| *place <= at) {
        events.extend(around(store, place, at).await?);
    }
    events.sort_by_key(|recorded| recorded.position);
    events.dedup_by_key(|recorded| recorded.position);
    Ok(Explanation {
        reference: reference.to_string(),
        transaction: Transaction::of(at.number(), &found),
        commands: commands(&events),
        events: events.iter().map(happened).collect(),
        postings: events.iter().flat_map(booked).collect(),
        view_rows: rows,
        webhooks: webhooks(views, reference).await?,
        settlement: settlement(views, &events, &found, at).await?,
    })
}

/// The event at `place` and the others of its command.
async fn around(store: &dyn EventStore, place: Position, at: Position) -> Result<Vec<Recorded>, AsOfError> {
    let first = Position::new(place.number().saturating_sub(NEAR + 1));
    let limit = usize::try_from(2 * NEAR + 1).unwrap_or(1);
    let stored = store.read(first, limit).await.map_err(MomentError::Store)?;
    let decode = |stored: &flexledger_eventstore::Record| {
        record::decode(&stored.bytes).map_err(|_| MomentError::Damaged(stored.position))
    };
    let events = stored.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let command = events.iter().find(|recorded| recorded.position == place).map(|recorded| recorded.command);
    let command = command.ok_or(MomentError::Damaged(place))?;
    Ok(events.into_iter().filter(|recorded| recorded.command == command && recorded.position <= at).collect())
}

fn commands(events: &[Recorded]) -> Vec<Command> {
    let mut seen: Vec<CommandId> = Vec::new();
    let mut all = Vec::new();
    for recorded in events {
        if seen.contains(&recorded.command) {
            continue;
        }
        seen.push(recorded.command);
        let of_it = || events.iter().filter(|other| other.command == recorded.command);
        all.push(Command {
            command_id: recorded.command.to_string(),
            actor: recorded.actor.to_string(),
            name: name(of_it()),
            recorded_at: recorded.recorded_at.to_string(),
        });
    }
    all
}

/// What a command asked for. The log holds what came of it, so the name is judged by that: by its last event that
/// tells.
fn name<'a>(events: impl Iterator<Item = &'a Recorded>) -> &'static str {
    let telling = events.filter_map(|recorded| match &recorded.event {
        Event::Payment(PaymentEvent::Initiated(..)) => Some("InitiateTransfer"),
        Event::Payment(PaymentEvent::Accepted(..)) => Some("Accept"),
        Event::Payment(PaymentEvent::Rejected(..)) => Some("Reject"),
        Event::Payment(PaymentEvent::Expired(..)) => Some("Expire"),
        Event::Merchant(MerchantEvent::Created(..)) => Some("CreateRequest"),
        Event::Merchant(MerchantEvent::Accepted(..)) => Some("AcceptRequest"),
        Event::Webhook(_) => Some("RecordAttempt"),
        _ => None,
    });
    telling.last().unwrap_or("ProvisionWallet")
}

/// The payment request that was paid, if the payment is one of those.
fn request_of(events: &[Recorded]) -> Option<RequestNumber> {
    events.iter().find_map(|recorded| match &recorded.event {
        Event::Merchant(MerchantEvent::Accepted(number, _)) => Some(*number),
        _ => None,
    })
}

fn happened(recorded: &Recorded) -> Happened {
    Happened {
        position: recorded.position.number(),
        kind: recorded.event.kind(),
        recorded_at: recorded.recorded_at.to_string(),
    }
}

fn booked(recorded: &Recorded) -> Vec<Booked> {
    let postings = recorded.event.journal().map(flexledger_domain::books::Journal::postings).unwrap_or_default();
    let booked = |posting: &flexledger_domain::books::Posting| Booked {
        position: recorded.position.number(),
        account: posting.account.to_string(),
        currency: posting.money.currency.code().to_owned(),
        side: match posting.side {
            flexledger_domain::books::Side::Debit => "debit",
            flexledger_domain::books::Side::Credit => "credit",
        },
        amount: posting.money.amount.text(SCALE).as_str().to_owned(),
    };
    postings.iter().map(booked).collect()
}

async fn view_rows(
    views: &Views,
    found: &PaymentAsOf,
    request: Option<RequestNumber>,
) -> Result<Vec<ViewRow>, AsOfError> {
    let payment = &found.payment;
    let place = i64::try_from(payment.reference.position().number()).unwrap_or(i64::MAX);
    let mut keys = vec![("transactions", "transactions", place)];
    if let (Status::Completed, Some(outcome)) = (payment.status, found.outcome) {
        for key in entry_keys(views, found, outcome).await? {
            keys.push(("statement", "entries", key));
        }
    }
    let receiver = place.saturating_mul(2);
    for record in [receiver, receiver.saturating_add(1)] {
        keys.push(("webhooks", "webhooks", record));
        let attempts = (1..=i64::from(ATTEMPTS)).map(|attempt| record.saturating_mul(4).saturating_add(attempt));
        keys.extend(attempts.map(|attempt| ("webhooks", "webhook_attempts", attempt)));
    }
    let request = request.and_then(|number| i64::try_from(number.number()).ok());
    keys.extend(request.map(|number| ("merchants", "payment_requests", number)));
    let mut rows = Vec::new();
    for (view, table, key) in keys {
        let Some(table) = tables(view).iter().find(|known| known.name == table) else { continue };
        let row = views.row_of(table, Key::Int(key)).await?;
        rows.extend(row.map(|row| view_row(table, key, &row)));
    }
    Ok(rows)
}

/// The keys of the entries that a payment booked: the newest of its wallets after the booking.
async fn entry_keys(views: &Views, found: &PaymentAsOf, outcome: Position) -> Result<Vec<i64>, AsOfError> {
    let payment = &found.payment;
    let (sender, receiver) = (payment.sender.application, payment.receiver.application);
    let mut keys = Vec::new();
    for (application, back) in [(sender, u64::from(sender == receiver)), (receiver, 0)] {
        let accounts = views.wallets_at(Some(application), outcome).await?;
        let account = accounts.iter().find(|account| account.currency == payment.money.currency);
        keys.extend(account.map(|account| account.entry_key(account.entries.saturating_sub(back))));
    }
    Ok(keys)
}

impl ViewRow {
    /// The event that made the row, where the events around the payment do not tell it.
    fn place(&self) -> Option<Position> {
        let told = ["webhook_attempts", "payment_requests"].contains(&self.view);
        self.row.get("position").filter(|_| told).and_then(Json::as_u64).map(Position::new)
    }
}

fn view_row(table: &Table, key: i64, row: &[Value]) -> ViewRow {
    let shown = table.columns.iter().zip(row).filter(|(column, _)| column.kind != Kind::Seal);
    let cells = shown.map(|(column, cell)| {
        let cell = match (column.kind, cell) {
            (_, Value::Null | Value::Keep) => Json::Null,
            (Kind::Instant, Value::Int(micros)) => Json::from(Instant::from_micros(*micros).to_string()),
            (Kind::Date, Value::Int(days)) => Json::from(Date::from_days(*days).to_string()),
            (Kind::Bool, Value::Int(flag)) => Json::from(*flag != 0),
            (_, Value::Int(number)) => Json::from(*number),
            (_, Value::Text(text)) => Json::from(text.as_str()),
            (_, Value::Id(id)) => Json::from(uuid::Uuid::from_bytes(*id).to_string()),
        };
        (column.name.to_owned(), cell)
    });
    ViewRow { view: table.name, key: key.to_string(), row: cells.collect() }
}

async fn webhooks(views: &Views, reference: Reference) -> Result<Vec<Told>, AsOfError> {
    let Some(payment) = views.payment(reference).await? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for record in &payment.webhooks {
        let row = views.webhook(record.id).await?.ok_or(AsOfError::Unknown("a webhook record"))?;
        let attempts = row.attempts.iter().map(|attempt| Attempt {
            attempt: attempt.attempt,
            position: attempt.position.number(),
            at: attempt.at.to_string(),
            error: attempt.error.as_deref().map(str::to_owned),
        });
        all.push(Told {
            id: record.id.to_string(),
            application_id: record.application.to_string(),
            direction: match record.direction {
                Direction::Receiver => "RECEIVER",
                Direction::Sender => "SENDER",
            },
            event: record.told.name(),
            status: record.delivery.status.name(),
            attempts: attempts.collect(),
        });
    }
    Ok(all)
}

async fn settlement(
    views: &Views,
    events: &[Recorded],
    found: &PaymentAsOf,
    at: Position,
) -> Result<Option<Settled>, AsOfError> {
    let date = events.iter().find_map(|recorded| match &recorded.event {
        Event::Payment(PaymentEvent::Accepted(reference, body)) if *reference == found.payment.reference => {
            Some(body.settlement_date)
        }
        _ => None,
    });
    let Some(date) = date else { return Ok(None) };
    let records = views.settlements_at(Some(date), at).await?;
    let record = records.into_iter().find(|record| {
        record.currency == found.payment.money.currency
            && record.status == flexledger_projections::SettlementStatus::Completed
    });
    Ok(record.map(|record| Settled { id: record.id.to_string(), settlement_date: record.date.to_string() }))
}
