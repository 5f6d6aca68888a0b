//! Settlement records and their lines (`idaas.md` 12). A run that failed leaves a record, which the next run replaces;
//! the third table keeps all failures, so that a record can be shown as it was.

use flexledger_domain::ids::SettlementId;
use flexledger_domain::money::Amount;
use flexledger_domain::settlement::{Completed, Failed, Lines, SettlementEvent};
use flexledger_domain::{Date, Event, Recorded};
use hashbrown::HashMap;

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Seal, Table, column, optional, seal};
use crate::value::{Value, amount, count, currency, position};
use crate::view::{Hot, Stop, View};

pub(super) const NAME: &str = "settlement";

/// The code of a record that is final.
pub(crate) const COMPLETED: i64 = 1;
/// The code of a record whose run failed.
pub(crate) const FAILED: i64 = 2;

/// Bits of a line's key that number the lines of one event.
const LINE_BITS: u32 = 12;

static TABLES: &[&Table] = &[&RECORDS, &LINES, &FAILURES];

static RECORDS: Table = Table {
    name: "settlements",
    columns: RECORD_COLUMNS,
    indexes: &[
        Index { name: "settlements_by_id", columns: &["id"], unique: true, filter: None },
        Index { name: "settlements_by_date", columns: &["date", "currency"], unique: true, filter: None },
    ],
    seals: &[Seal { column: 14, over: &[] }],
};

const RECORD_COLUMNS: &[Column] = &[
    column("position", Kind::Int),
    column("id", Kind::Id),
    column("date", Kind::Date),
    column("currency", Kind::Text),
    column("status", Kind::Int),
    optional("error", Kind::Text),
    column("total_credited", Kind::Amount),
    column("total_debited", Kind::Amount),
    column("transaction_count", Kind::Int),
    column("application_count", Kind::Int),
    optional("cut_from", Kind::Int),
    optional("cut_to", Kind::Int),
    column("created_at", Kind::Instant),
    column("outcome", Kind::Int),
    seal("seal"),
];

static FAILURES: Table = Table {
    name: "settlement_failures",
    columns: &[
        column("position", Kind::Int),
        column("id", Kind::Id),
        column("date", Kind::Date),
        column("currency", Kind::Text),
        column("error", Kind::Text),
        column("created_at", Kind::Instant),
        seal("seal"),
    ],
    indexes: &[Index { name: "settlement_failures_of", columns: &["date", "currency"], unique: false, filter: None }],
    seals: &[Seal { column: 6, over: &[] }],
};

static LINES: Table = Table {
    name: "settlement_lines",
    columns: LINE_COLUMNS,
    indexes: &[Index { name: "settlement_lines_of", columns: &["settlement"], unique: false, filter: None }],
    seals: &[Seal { column: 10, over: &[] }],
};

const LINE_COLUMNS: &[Column] = &[
    column("number", Kind::Int),
    column("settlement", Kind::Id),
    column("application", Kind::Id),
    column("wallet", Kind::Id),
    column("total_credited", Kind::Amount),
    column("total_debited", Kind::Amount),
    column("opening_balance", Kind::Amount),
    column("closing_balance", Kind::Amount),
    column("transaction_count", Kind::Int),
    column("created_at", Kind::Instant),
    seal("seal"),
];

/// The view. Keeps the keys of failed records only.
#[derive(Default)]
pub(super) struct Settlement {
    failed: HashMap<(Date, String), i64>,
}

impl View for Settlement {
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
        &[Hot { table: 0, filter: Some("status = 2") }]
    }

    fn restore(&mut self, _: usize, row: &[Value]) -> Result<(), Stop> {
        let [Value::Int(key), _, Value::Int(days), Value::Text(code), ..] = row else {
            return Err(Stop::new("not a row of settlements"));
        };
        self.failed.insert((Date::from_days(*days), code.to_string()), *key);
        Ok(())
    }

    fn apply(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
        let Event::Settlement(event) = &recorded.event else { return Ok(()) };
        match event {
            SettlementEvent::Lines(id, body) => add_lines(*id, body, recorded, changes),
            SettlementEvent::Completed(id, body) => {
                currency(&body.currency)?;
                let key = self.failed.remove(&(body.date, body.currency.clone())).map(Value::Int);
                changes.put(0, completed(*id, body, recorded, key));
                Ok(())
            }
            SettlementEvent::Failed(id, body) => {
                currency(&body.currency)?;
                let of = (body.date, body.currency.clone());
                let fresh = i64::try_from(recorded.position.number()).unwrap_or(i64::MAX);
                let key = *self.failed.entry(of).or_insert(fresh);
                changes.put(0, failed(*id, body, recorded, key));
                changes.append(2, failure(*id, body, recorded));
                Ok(())
            }
        }
    }
}

fn completed(id: SettlementId, body: &Completed, recorded: &Recorded, key: Option<Value>) -> [Value; 14] {
    [
        key.unwrap_or_else(|| position(recorded.position)),
        id.uuid().into(),
        Value::Int(body.date.days()),
        body.currency.as_str().into(),
        Value::Int(COMPLETED),
        Value::Null,
        amount(body.total_credited),
        amount(body.total_debited),
        count(body.transaction_count),
        count(body.application_count),
        body.cut.map_or(Value::Null, |cut| position(cut.from)),
        body.cut.map_or(Value::Null, |cut| position(cut.to)),
        recorded.recorded_at.into(),
        position(recorded.position),
    ]
}

fn failed(id: SettlementId, body: &Failed, recorded: &Recorded, key: i64) -> [Value; 14] {
    [
        Value::Int(key),
        id.uuid().into(),
        Value::Int(body.date.days()),
        body.currency.as_str().into(),
        Value::Int(FAILED),
        body.error.as_str().into(),
        amount(Amount::ZERO),
        amount(Amount::ZERO),
        Value::Int(0),
        Value::Int(0),
        Value::Null,
        Value::Null,
        recorded.recorded_at.into(),
        position(recorded.position),
    ]
}

fn failure(id: SettlementId, body: &Failed, recorded: &Recorded) -> [Value; 6] {
    [
        position(recorded.position),
        id.uuid().into(),
        Value::Int(body.date.days()),
        body.currency.as_str().into(),
        body.error.as_str().into(),
        recorded.recorded_at.into(),
    ]
}

fn add_lines(id: SettlementId, body: &Lines, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
    let base = i64::try_from(recorded.position.number()).ok().and_then(|at| at.checked_mul(1 << LINE_BITS));
    let base = base.ok_or_else(|| Stop::new("position out of range"))?;
    if body.lines.len() > 1 << LINE_BITS {
        return Err(Stop::new("too many lines in one event"));
    }
    for (number, line) in (base..).zip(&body.lines) {
        let row = [
            Value::Int(number),
            id.uuid().into(),
            line.application.uuid().into(),
            line.wallet.uuid().into(),
            amount(line.total_credited),
            amount(line.total_debited),
            amount(line.opening_balance),
            amount(line.closing_balance),
            count(line.transaction_count),
            recorded.recorded_at.into(),
        ];
        changes.append(1, row);
    }
    Ok(())
}
