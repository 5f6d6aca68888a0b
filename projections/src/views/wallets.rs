//! Wallets: one row per application and currency, with the sums of all that was booked on it (`idaas.md` 11).

use flexledger_domain::books::Side;
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::{PaymentEvent, SCALE};
use flexledger_domain::{Event, Instant, Position, Recorded};
use hashbrown::HashMap;

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Table, column};
use crate::value::{Key, Value, amount, currency, position};
use crate::view::{Hot, Stop, View};

pub(super) const NAME: &str = "wallets";

static TABLES: &[&Table] = &[&TABLE];

static TABLE: Table = Table {
    name: "wallets",
    columns: COLUMNS,
    indexes: &[Index { name: "wallets_by_owner", columns: &["application", "currency"], unique: true, filter: None }],
    seals: &[],
};

const COLUMNS: &[Column] = &[
    column("id", Kind::Id),
    column("position", Kind::Int),
    column("application", Kind::Id),
    column("currency", Kind::Text),
    column("total_debited", Kind::Amount),
    column("total_credited", Kind::Amount),
    column("created_at", Kind::Instant),
    column("updated_at", Kind::Instant),
];
const TOTAL_DEBITED: usize = 4;
const TOTAL_CREDITED: usize = 5;
const UPDATED_AT: usize = 7;

#[derive(Clone, Copy)]
struct Wallet {
    key: Key,
    debited: Amount,
    credited: Amount,
    updated_at: Instant,
    /// Whether its row is behind.
    dirty: bool,
}

/// The view.
#[derive(Default)]
pub(super) struct Wallets {
    wallets: HashMap<(ApplicationId, Currency), Wallet>,
    /// The wallets whose rows are behind, and since which event.
    dirty: Vec<((ApplicationId, Currency), Position)>,
}

impl View for Wallets {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        TABLES
    }

    fn hot(&self) -> &'static [Hot] {
        &[Hot { table: 0, filter: None }]
    }

    fn restore(&mut self, _: usize, row: &[Value]) -> Result<(), Stop> {
        let wrong = || Stop::new("not a row of wallets");
        let [
            id,
            _,
            Value::Id(application),
            Value::Text(code),
            Value::Text(debited),
            Value::Text(credited),
            _,
            Value::Int(updated_at),
        ] = row
        else {
            return Err(wrong());
        };
        let read = |text: &str| Amount::parse(text, SCALE).map_err(|_| wrong());
        let wallet = Wallet {
            key: id.key().ok_or_else(wrong)?,
            debited: read(debited)?,
            credited: read(credited)?,
            updated_at: Instant::from_micros(*updated_at),
            dirty: false,
        };
        let application = ApplicationId::from_uuid(uuid::Uuid::from_bytes(*application));
        self.wallets.insert((application, currency(code)?), wallet);
        Ok(())
    }

    fn apply(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
        if let Event::Payment(PaymentEvent::WalletProvisioned(id, body)) = &recorded.event {
            let key = Key::Id(id.uuid().into_bytes());
            let (debited, credited) = (Amount::ZERO, Amount::ZERO);
            let wallet = Wallet { key, debited, credited, updated_at: recorded.recorded_at, dirty: false };
            if self.wallets.insert((body.application, currency(&body.currency)?), wallet).is_some() {
                return Err(Stop::new("this wallet exists already"));
            }
            let row = [
                key.into(),
                position(recorded.position),
                body.application.uuid().into(),
                body.currency.as_str().into(),
                amount(Amount::ZERO),
                amount(Amount::ZERO),
                recorded.recorded_at.into(),
                recorded.recorded_at.into(),
            ];
            changes.insert(0, row);
        }
        self.book(recorded)
    }

    fn settle(&mut self, changes: &mut Changes) {
        for (of, since) in self.dirty.drain(..) {
            let Some(wallet) = self.wallets.get_mut(&of) else { continue };
            wallet.dirty = false;
            let cells = [
                (TOTAL_DEBITED, amount(wallet.debited)),
                (TOTAL_CREDITED, amount(wallet.credited)),
                (UPDATED_AT, wallet.updated_at.into()),
            ];
            changes.since(since);
            changes.update(0, wallet.key, cells);
        }
    }
}

impl Wallets {
    fn book(&mut self, recorded: &Recorded) -> Result<(), Stop> {
        let Some(journal) = recorded.event.journal() else { return Ok(()) };
        let mut booked: Vec<((ApplicationId, Currency), Wallet)> = Vec::with_capacity(journal.postings().len());
        for posting in journal.postings() {
            let Some(application) = posting.account.wallet() else { continue };
            let of = (application, posting.money.currency);
            let at = match booked.iter().position(|(known, _)| *known == of) {
                Some(at) => at,
                None => {
                    let wallet = self.wallets.get(&of).ok_or_else(|| Stop::new("a posting on a wallet that is not"))?;
                    booked.push((of, *wallet));
                    booked.len() - 1
                }
            };
            if let Some((_, wallet)) = booked.get_mut(at) {
                wallet.add(posting.side, posting.money.amount)?;
            }
        }
        for (of, wallet) in booked {
            if !wallet.dirty {
                self.dirty.push((of, recorded.position));
            }
            self.wallets.insert(of, Wallet { updated_at: recorded.recorded_at, dirty: true, ..wallet });
        }
        Ok(())
    }
}

impl Wallet {
    fn add(&mut self, side: Side, amount: Amount) -> Result<(), Stop> {
        let sum = match side {
            Side::Debit => &mut self.debited,
            Side::Credit => &mut self.credited,
        };
        *sum = sum.plus(amount).map_err(|_| Stop::new("a sum does not fit"))?;
        Ok(())
    }
}
