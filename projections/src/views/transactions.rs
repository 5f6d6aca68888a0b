//! Payments, sent, received and pending (`idaas.md` 9).
//!
//! A payment's row is narrow: its key is the position of its first event, its applications are small numbers of the
//! table of parties, which also counts what each sent and received, so that no list has to be counted.

use flexledger_domain::identity::IdentityEvent;
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::payments::{Initiated, PaymentEvent, Status};
use flexledger_domain::personal::Personal;
use flexledger_domain::{Event, Position, Recorded, Reference};
use hashbrown::HashMap;

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Seal, Table, column, optional, seal};
use crate::value::{Key, Value, amount, count, personal, position};
use crate::view::{Hot, Stop, View};

pub(super) const NAME: &str = "transactions";

static TABLES: &[&Table] = &[&PAYMENTS, &PARTIES];

static PAYMENTS: Table = Table {
    name: "transactions",
    columns: COLUMNS,
    indexes: &[
        Index { name: "transactions_sent", columns: &["sender"], unique: false, filter: None },
        Index { name: "transactions_received", columns: &["receiver"], unique: false, filter: None },
        Index {
            name: "transactions_pending",
            columns: &["receiver", "expires_at"],
            unique: false,
            filter: Some("status = 0"),
        },
    ],
    seals: &[
        Seal { column: 16, over: &[1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13] },
        Seal { column: 17, over: &[STATUS, REASON, UPDATED_AT, OUTCOME] },
    ],
};

const COLUMNS: &[Column] = &[
    column("position", Kind::Int),
    column("reference_check", Kind::Int),
    column("id", Kind::Id),
    column("sender", Kind::Int),
    column("receiver", Kind::Int),
    column("sender_tag", Kind::Text),
    column("receiver_tag", Kind::Text),
    column("currency", Kind::Text),
    column("amount", Kind::Amount),
    column("status", Kind::Int),
    optional("narration", Kind::Personal),
    optional("reason", Kind::Personal),
    column("expires_at", Kind::Instant),
    column("created_at", Kind::Instant),
    column("updated_at", Kind::Instant),
    optional("outcome", Kind::Int),
    seal("seal"),
    seal("end_seal"),
];
const STATUS: usize = 9;
const REASON: usize = 11;
const UPDATED_AT: usize = 14;
/// Where the event stands that ended the payment.
const OUTCOME: usize = 15;

static PARTIES: Table = Table {
    name: "payment_parties",
    columns: &[
        column("number", Kind::Int),
        column("application", Kind::Id),
        column("name", Kind::Text),
        column("sent", Kind::Int),
        column("received", Kind::Int),
        seal("seal"),
    ],
    indexes: &[Index { name: "payment_parties_by_id", columns: &["application"], unique: true, filter: None }],
    seals: &[Seal { column: 5, over: &[1, 2] }],
};
const SENT: usize = 3;
const RECEIVED: usize = 4;

/// The codes of the states, in the order of their names.
const CODES: [(Status, i64); 4] =
    [(Status::AwaitingAcceptance, 0), (Status::Completed, 1), (Status::Expired, 2), (Status::Rejected, 3)];

fn code(status: Status) -> Value {
    Value::Int(CODES.iter().find(|(known, _)| *known == status).map_or(0, |(_, code)| *code))
}

/// The state that a code in the table stands for.
pub(crate) fn status_of(code: i64) -> Option<Status> {
    CODES.iter().find(|(_, known)| *known == code).map(|(status, _)| *status)
}

#[derive(Clone, Copy, Default)]
struct Party {
    number: i64,
    sent: u64,
    received: u64,
    /// Whether its row is behind.
    dirty: bool,
}

/// The view.
#[derive(Default)]
pub(super) struct Transactions {
    parties: HashMap<ApplicationId, Party>,
    /// The parties whose rows are behind, and since which event.
    dirty: Vec<(ApplicationId, Position)>,
}

impl View for Transactions {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        3
    }

    fn tables(&self) -> &'static [&'static Table] {
        TABLES
    }

    fn hot(&self) -> &'static [Hot] {
        &[Hot { table: 1, filter: None }]
    }

    fn restore(&mut self, _: usize, row: &[Value]) -> Result<(), Stop> {
        let [Value::Int(number), Value::Id(id), _, Value::Int(sent), Value::Int(received), ..] = row else {
            return Err(Stop::new("not a row of payment_parties"));
        };
        let whole = |count: &i64| u64::try_from(*count).map_err(|_| Stop::new("a count below zero"));
        let party = Party { number: *number, sent: whole(sent)?, received: whole(received)?, dirty: false };
        self.parties.insert(ApplicationId::from_uuid(uuid::Uuid::from_bytes(*id)), party);
        Ok(())
    }

    fn apply(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
        match &recorded.event {
            Event::Identity(IdentityEvent::ApplicationRegistered(id, body)) => {
                let number = i64::try_from(self.parties.len() + 1).map_err(|_| Stop::new("too many applications"))?;
                if self.parties.insert(*id, Party { number, ..Party::default() }).is_some() {
                    return Err(Stop::new("this application exists already"));
                }
                let row = [Value::Int(number), id.uuid().into(), (&body.name).into(), Value::Int(0), Value::Int(0)];
                changes.insert(1, row);
                Ok(())
            }
            Event::Payment(PaymentEvent::Initiated(reference, body)) => {
                self.initiate(*reference, body, recorded, changes)
            }
            Event::Payment(PaymentEvent::Accepted(reference, _)) => {
                end(*reference, Status::Completed, None, recorded, changes)
            }
            Event::Payment(PaymentEvent::Rejected(reference, body)) => {
                end(*reference, Status::Rejected, body.reason.as_ref(), recorded, changes)
            }
            Event::Payment(PaymentEvent::Expired(reference, _)) => {
                end(*reference, Status::Expired, None, recorded, changes)
            }
            _ => Ok(()),
        }
    }

    fn settle(&mut self, changes: &mut Changes) {
        for (of, since) in self.dirty.drain(..) {
            let Some(party) = self.parties.get_mut(&of) else { continue };
            party.dirty = false;
            changes.since(since);
            changes.update(1, Key::Int(party.number), [(SENT, count(party.sent)), (RECEIVED, count(party.received))]);
        }
    }
}

impl Transactions {
    fn initiate(
        &mut self,
        reference: Reference,
        body: &Initiated,
        recorded: &Recorded,
        changes: &mut Changes,
    ) -> Result<(), Stop> {
        let unknown = || Stop::new("the payment is of an application that never registered");
        let sender = self.parties.get(&body.sender.application).ok_or_else(unknown)?.number;
        let receiver = self.parties.get(&body.receiver.application).ok_or_else(unknown)?.number;
        if reference.position() != recorded.position {
            return Err(Stop::new(format!("the reference {reference} is of another position")));
        }
        let row = [
            position(recorded.position),
            Value::Int(i64::from(reference.check())),
            body.id.uuid().into(),
            Value::Int(sender),
            Value::Int(receiver),
            body.sender.tag.as_str().into(),
            body.receiver.tag.as_str().into(),
            body.money.currency.code().into(),
            amount(body.money.amount),
            code(Status::AwaitingAcceptance),
            personal(body.narration.as_ref())?,
            Value::Null,
            body.expires_at.into(),
            recorded.recorded_at.into(),
            recorded.recorded_at.into(),
            Value::Null,
        ];
        changes.insert(0, row);
        self.count(body.sender.application, recorded.position, |party| party.sent += 1);
        self.count(body.receiver.application, recorded.position, |party| party.received += 1);
        Ok(())
    }

    fn count(&mut self, of: ApplicationId, at: Position, add: impl FnOnce(&mut Party)) {
        let Some(party) = self.parties.get_mut(&of) else { return };
        add(party);
        if !std::mem::replace(&mut party.dirty, true) {
            self.dirty.push((of, at));
        }
    }
}

/// A payment comes to its end. Its row must exist; that it was open is the engine's to know.
fn end(
    reference: Reference,
    status: Status,
    reason: Option<&Personal>,
    recorded: &Recorded,
    changes: &mut Changes,
) -> Result<(), Stop> {
    let key = i64::try_from(reference.position().number()).map_err(|_| Stop::new("position out of range"))?;
    let cells = [
        (STATUS, code(status)),
        (REASON, personal(reason)?),
        (UPDATED_AT, recorded.recorded_at.into()),
        (OUTCOME, position(recorded.position)),
    ];
    changes.update(0, Key::Int(key), cells);
    Ok(())
}
