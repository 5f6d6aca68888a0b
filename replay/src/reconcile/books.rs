//! The rows of the books compared with a plain fold over the postings.
//!
//! The rows are taken while they are compared with the live ones, so that they are read once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use flexledger_domain::ids::{ApplicationId, SettlementId, WalletId};
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::SCALE;
use flexledger_projections::ViewError;
use flexledger_projections::cells::{Cell, Cells, Take};
use flexledger_projections::table::Table;
use flexledger_projections::views::account_of;
use hashbrown::HashMap;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::ViewReport;
use crate::postings::{LineText, Owner, Postings, RecordHash, RecordText, trail};

/// The views that are compared with the postings.
pub(super) const BOOKS: [&str; 3] = ["wallets", "statement", "settlement"];

/// What the rows say. Memory: one entry per wallet, account and settlement record.
#[derive(Default)]
pub(super) struct Books {
    wallets: Vec<(Owner, String, String)>,
    owners: HashMap<i64, Owner>,
    /// The entries of each account: how many, and one hash over them.
    statements: HashMap<i64, (u64, Sha256)>,
    records: BTreeMap<SettlementId, RecordHash>,
}

impl Books {
    /// Forgets the rows of a view.
    pub fn forget(&mut self, view: &str) {
        match view {
            "wallets" => self.wallets.clear(),
            "statement" => {
                self.owners.clear();
                self.statements.clear();
            }
            "settlement" => self.records.clear(),
            _ => {}
        }
    }

    fn wallet(&mut self, row: &Row<'_>) -> Option<()> {
        let (debited, credited) = (row.text(4)?.into_owned(), row.text(5)?.into_owned());
        self.wallets.push((row.owner(2, 3)?, debited, credited));
        Some(())
    }

    fn account(&mut self, row: &Row<'_>) -> Option<()> {
        self.owners.insert(row.int(0)?, row.owner(1, 2)?);
        Some(())
    }

    fn entry(&mut self, row: &Row<'_>) -> Option<()> {
        let (count, hash) = self.statements.entry(account_of(row.int(0)?)).or_default();
        *count += 1;
        trail(hash, row.int(1)?.unsigned_abs(), row.int(3)? == 1, &row.text(4)?, &row.text(5)?);
        Some(())
    }

    fn record(&mut self, row: &Row<'_>) -> Option<()> {
        // A record whose run failed holds no entries.
        if row.int(4)? != 1 {
            return Some(());
        }
        let hash = RecordHash::new(&RecordText {
            date: row.int(2)?,
            currency: &row.text(3)?,
            credited: &row.text(6)?,
            debited: &row.text(7)?,
            payments: row.int(8)?.unsigned_abs(),
            applications: row.int(9)?.unsigned_abs(),
        });
        self.records.insert(SettlementId::from_uuid(row.id(1)?), hash);
        Some(())
    }

    fn line(&mut self, row: &Row<'_>) -> Option<()> {
        let Some(record) = self.records.get_mut(&SettlementId::from_uuid(row.id(1)?)) else { return Some(()) };
        record.line(&LineText {
            application: ApplicationId::from_uuid(row.id(2)?),
            wallet: WalletId::from_uuid(row.id(3)?),
            credited: &row.text(4)?,
            debited: &row.text(5)?,
            opening: &row.text(6)?,
            closing: &row.text(7)?,
            payments: row.int(8)?.unsigned_abs(),
        });
        Some(())
    }

    /// Reports what the rows of a view say otherwise than the postings; a view that is not of the books is passed over.
    pub fn compare(&self, postings: &Postings, report: &mut ViewReport) -> Result<(), ViewError> {
        match report.name {
            "wallets" => self.compare_wallets(postings, report),
            "statement" => self.compare_statements(postings, report)?,
            "settlement" => self.compare_records(postings, report),
            _ => {}
        }
        Ok(())
    }

    fn compare_wallets(&self, postings: &Postings, report: &mut ViewReport) {
        let mut seen = 0;
        for (owner, debited, credited) in &self.wallets {
            let sums = postings.wallet(owner);
            seen += u64::from(sums.is_some());
            let sums = sums.cloned().unwrap_or_default();
            let expected = (minor(sums.debited), minor(sums.credited));
            if (debited, credited) != (&expected.0, &expected.1) {
                let shown = json!({ "total_debited": debited, "total_credited": credited });
                let wanted = json!({ "total_debited": expected.0, "total_credited": expected.1 });
                report.add(name("wallets", owner), shown, wanted);
            }
        }
        let booked = postings.wallets().count() as u64;
        if seen != booked {
            report.add("postings/wallets".to_owned(), json!(seen), json!(booked));
        }
    }

    fn compare_statements(&self, postings: &Postings, report: &mut ViewReport) -> Result<(), ViewError> {
        let mut found: HashMap<Owner, (u64, [u8; 32])> = HashMap::new();
        for (account, (count, hash)) in &self.statements {
            let damaged = ViewError::Damaged { table: "entries", expected: "an entry of an account that is there" };
            let owner = self.owners.get(account).ok_or(damaged)?;
            found.insert(*owner, (*count, hash.clone().finalize().into()));
        }
        let nothing: [u8; 32] = Sha256::new().finalize().into();
        for (owner, sums) in postings.wallets() {
            let (count, hash) = found.remove(owner).unwrap_or((0, nothing));
            if (count, hash) != (sums.entries, sums.trail()) {
                let shown = json!({ "entries": count, "hash": hex(&hash) });
                let wanted = json!({ "entries": sums.entries, "hash": hex(&sums.trail()) });
                report.add(name("statement", owner), shown, wanted);
            }
        }
        for (owner, (count, _)) in found {
            report.add(name("statement", &owner), json!({ "entries": count }), json!({ "entries": 0 }));
        }
        Ok(())
    }

    fn compare_records(&self, postings: &Postings, report: &mut ViewReport) {
        let mut hashes: BTreeMap<_, _> = self.records.iter().map(|(id, hash)| (id, hash.clone().finish())).collect();
        for (id, wanted) in postings.records() {
            let shown = hashes.remove(id);
            if shown != Some(*wanted) {
                let shown = shown.map_or(json!(null), |hash| json!({ "hash": hex(&hash) }));
                report.add(format!("postings/settlement/{id}"), shown, json!({ "hash": hex(wanted) }));
            }
        }
        for (id, hash) in hashes {
            report.add(format!("postings/settlement/{id}"), json!({ "hash": hex(&hash) }), json!(null));
        }
    }
}

fn name(what: &str, (application, currency): &Owner) -> String {
    format!("postings/{what}/{application}/{}", currency.code())
}

fn minor(minor: i128) -> String {
    Amount::from_minor(minor).text(SCALE).as_str().to_owned()
}

fn hex(hash: &[u8; 32]) -> String {
    flexledger_eventstore::Hash(*hash).to_string()
}

/// What takes the rows of a table; nothing takes those of tables that do not belong to the books.
fn taker(table: &Table) -> Option<fn(&mut Books, &Row<'_>) -> Option<()>> {
    match table.name {
        "wallets" => Some(Books::wallet),
        "statement_accounts" => Some(Books::account),
        "entries" => Some(Books::entry),
        "settlements" => Some(Books::record),
        "settlement_lines" => Some(Books::line),
        _ => None,
    }
}

impl Take for Books {
    fn wants(&self, table: &'static Table) -> bool {
        taker(table).is_some()
    }

    fn take(&mut self, table: &'static Table, row: &dyn Cells) -> Result<(), ViewError> {
        let Some(take) = taker(table) else { return Ok(()) };
        take(self, &Row(row)).ok_or(ViewError::Damaged { table: table.name, expected: "a row that its view writes" })
    }
}

/// A row, whose cells are asked for by the places of their columns.
struct Row<'a>(&'a dyn Cells);

impl<'a> Row<'a> {
    fn int(&self, column: usize) -> Option<i64> {
        match self.0.cell(column) {
            Cell::Int(number) => Some(number),
            _ => None,
        }
    }

    fn text(&self, column: usize) -> Option<Cow<'a, str>> {
        match self.0.cell(column) {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    fn id(&self, column: usize) -> Option<Uuid> {
        match self.0.cell(column) {
            Cell::Id(id) => Some(id),
            _ => None,
        }
    }

    fn owner(&self, application: usize, currency: usize) -> Option<Owner> {
        let currency = Currency::new(&self.text(currency)?, SCALE).ok()?;
        Some((ApplicationId::from_uuid(self.id(application)?), currency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fold finds cells by their places.
    #[test]
    fn columns_stand_where_they_are_looked_for() {
        let tables = BOOKS.iter().flat_map(|view| flexledger_projections::audit::tables(view));
        let columns = |wanted: &str| -> Vec<&str> {
            let table = tables.clone().find(|table| table.name == wanted).unwrap();
            table.columns.iter().map(|column| column.name).collect()
        };
        assert_eq!(columns("wallets")[2..6], ["application", "currency", "total_debited", "total_credited"]);
        assert_eq!(columns("statement_accounts")[..3], ["number", "application", "currency"]);
        let entry = ["number", "position", "payment", "credit", "amount", "closing_balance"];
        assert_eq!(columns("entries")[..6], entry);
        let record = ["id", "date", "currency", "status", "error", "total_credited", "total_debited"];
        assert_eq!(columns("settlements")[1..8], record);
        assert_eq!(columns("settlements")[8..10], ["transaction_count", "application_count"]);
        let line = ["settlement", "application", "wallet", "total_credited", "total_debited", "opening_balance"];
        assert_eq!(columns("settlement_lines")[1..7], line);
        assert_eq!(columns("settlement_lines")[7..9], ["closing_balance", "transaction_count"]);
    }
}
