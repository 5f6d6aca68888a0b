//! The rows of the books compared with a plain fold over the postings.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flexledger_domain::Position;
use flexledger_domain::ids::{ApplicationId, SettlementId, WalletId};
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::SCALE;
use flexledger_eventstore::{EventStore, record};
use flexledger_projections::ViewError;
use flexledger_projections::audit::tables;
use flexledger_projections::frozen::{Frozen, RowKey};
use flexledger_projections::table::Table;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{ReconcileError, ViewReport};
use crate::postings::{LineText, Owner, Postings, RecordHash, RecordText, trail};
use crate::scan::Scan;

/// Rows read at once.
const PORTION: u32 = 4096;

/// Folds the postings of the log up to `until`.
pub(super) async fn fold(store: Arc<dyn EventStore>, until: Position) -> Result<Postings, ReconcileError> {
    let mut postings = Postings::with_trails();
    let mut scan = Scan::new(store, Position::START, until);
    while let Some(records) = scan.portion().await? {
        for stored in &records {
            let damaged = |_| ReconcileError::Damaged(stored.position);
            let event = record::decode_trusted(&stored.bytes).map_err(damaged)?;
            // What the log itself gets wrong is for `verify` to tell.
            postings.take(&event, &mut |_, _| {});
        }
    }
    Ok(postings)
}

/// Compares one view of the books; others are passed over.
pub(super) async fn compare(
    rebuilt: &mut Frozen,
    postings: &Postings,
    report: &mut ViewReport,
) -> Result<(), ReconcileError> {
    match report.name {
        "wallets" => wallets(rebuilt, postings, report).await,
        "statement" => statements(rebuilt, postings, report).await,
        "settlement" => settlement(rebuilt, postings, report).await,
        _ => Ok(()),
    }
}

async fn wallets(rebuilt: &mut Frozen, postings: &Postings, report: &mut ViewReport) -> Result<(), ReconcileError> {
    let mut rows = Rows::open(report.name, "wallets")?;
    let mut seen = 0;
    while let Some(row) = rows.next(rebuilt).await? {
        let owner = row.owner()?;
        let (debited, credited) = (row.text("total_debited")?, row.text("total_credited")?);
        let sums = postings.wallet(&owner);
        seen += u64::from(sums.is_some());
        let sums = sums.cloned().unwrap_or_default();
        let expected = (text(sums.debited), text(sums.credited));
        if (&debited, &credited) != (&expected.0, &expected.1) {
            let shown = json!({ "total_debited": debited, "total_credited": credited });
            let wanted = json!({ "total_debited": expected.0, "total_credited": expected.1 });
            report.add(name("wallets", &owner), shown, wanted);
        }
    }
    if seen != postings.wallets().count() as u64 {
        report.add("postings/wallets".to_owned(), json!(seen), json!(postings.wallets().count()));
    }
    Ok(())
}

async fn statements(rebuilt: &mut Frozen, postings: &Postings, report: &mut ViewReport) -> Result<(), ReconcileError> {
    let mut owners: HashMap<i64, Owner> = HashMap::new();
    let mut accounts = Rows::open(report.name, "statement_accounts")?;
    while let Some(row) = accounts.next(rebuilt).await? {
        owners.insert(row.int("number")?, row.owner()?);
    }
    let mut found: HashMap<Owner, (u64, Sha256)> = HashMap::new();
    let mut entries = Rows::open(report.name, "entries")?;
    while let Some(row) = entries.next(rebuilt).await? {
        let account = flexledger_projections::views::account_of(row.int("number")?);
        let owner = *owners.get(&account).ok_or(damaged("entries"))?;
        let (count, hash) = found.entry(owner).or_default();
        *count += 1;
        let credit = row.int("credit")? == 1;
        let position = row.int("position")?.unsigned_abs();
        trail(hash, position, credit, &row.text("amount")?, &row.text("closing_balance")?);
    }
    for (owner, sums) in postings.wallets() {
        let (count, hash) = found.remove(owner).unwrap_or_default();
        let hash: [u8; 32] = hash.finalize().into();
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

async fn settlement(rebuilt: &mut Frozen, postings: &Postings, report: &mut ViewReport) -> Result<(), ReconcileError> {
    let mut found: BTreeMap<SettlementId, RecordHash> = BTreeMap::new();
    let mut records = Rows::open(report.name, "settlements")?;
    while let Some(row) = records.next(rebuilt).await? {
        // A record whose run failed holds no entries.
        if row.int("status")? != 1 {
            continue;
        }
        let hash = RecordHash::new(&RecordText {
            date: row.int("date")?,
            currency: &row.text("currency")?,
            credited: &row.text("total_credited")?,
            debited: &row.text("total_debited")?,
            payments: row.int("transaction_count")?.unsigned_abs(),
            applications: row.int("application_count")?.unsigned_abs(),
        });
        found.insert(SettlementId::from_uuid(row.id("id")?), hash);
    }
    let mut lines = Rows::open(report.name, "settlement_lines")?;
    while let Some(row) = lines.next(rebuilt).await? {
        let Some(record) = found.get_mut(&SettlementId::from_uuid(row.id("settlement")?)) else { continue };
        record.line(&LineText {
            application: ApplicationId::from_uuid(row.id("application")?),
            wallet: WalletId::from_uuid(row.id("wallet")?),
            credited: &row.text("total_credited")?,
            debited: &row.text("total_debited")?,
            opening: &row.text("opening_balance")?,
            closing: &row.text("closing_balance")?,
            payments: row.int("transaction_count")?.unsigned_abs(),
        });
    }
    let mut hashes: BTreeMap<_, _> = found.into_iter().map(|(id, hash)| (id, hash.finish())).collect();
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
    Ok(())
}

fn name(what: &str, (application, currency): &Owner) -> String {
    format!("postings/{what}/{application}/{}", currency.code())
}

fn text(minor: i128) -> String {
    Amount::from_minor(minor).text(SCALE).as_str().to_owned()
}

fn hex(hash: &[u8; 32]) -> String {
    flexledger_eventstore::Hash(*hash).to_string()
}

fn damaged(table: &'static str) -> ViewError {
    ViewError::Damaged { table, expected: "a row that its view writes" }
}

/// The rows of a table, one after the other, read in portions.
struct Rows {
    table: &'static Table,
    after: Option<RowKey>,
    cells: std::vec::IntoIter<String>,
    last: bool,
}

struct Row {
    table: &'static Table,
    cells: Vec<String>,
}

impl Rows {
    fn open(view: &str, table: &'static str) -> Result<Rows, ViewError> {
        let table = tables(view).iter().copied().find(|known| known.name == table).ok_or(damaged(table))?;
        Ok(Rows { table, after: None, cells: Vec::new().into_iter(), last: false })
    }

    async fn next(&mut self, from: &mut Frozen) -> Result<Option<Row>, ViewError> {
        if self.cells.len() == 0 && !self.last {
            let portion = from.portion(self.table, self.after.as_ref(), PORTION).await?;
            self.last = portion.rows < u64::from(PORTION);
            self.after = portion.last;
            self.cells = literals(&portion.text).into_iter();
        }
        let cells: Vec<String> = self.cells.by_ref().take(self.table.columns.len()).collect();
        Ok((!cells.is_empty()).then_some(Row { table: self.table, cells }))
    }
}

impl Row {
    fn cell(&self, column: &str) -> Result<&str, ViewError> {
        let at = self.table.columns.iter().position(|known| known.name == column);
        at.and_then(|at| self.cells.get(at)).map(String::as_str).ok_or(damaged(self.table.name))
    }

    fn int(&self, column: &str) -> Result<i64, ViewError> {
        self.cell(column)?.parse().map_err(|_| damaged(self.table.name))
    }

    fn text(&self, column: &str) -> Result<String, ViewError> {
        let inner = self.cell(column)?.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        inner.map(|text| text.replace("''", "'")).ok_or(damaged(self.table.name))
    }

    fn id(&self, column: &str) -> Result<Uuid, ViewError> {
        let digits = self.cell(column)?.strip_prefix("X'").and_then(|rest| rest.strip_suffix('\''));
        digits.and_then(|digits| Uuid::try_parse(digits).ok()).ok_or(damaged(self.table.name))
    }

    fn owner(&self) -> Result<Owner, ViewError> {
        let currency = Currency::new(&self.text("currency")?, SCALE).map_err(|_| damaged(self.table.name))?;
        Ok((ApplicationId::from_uuid(self.id("application")?), currency))
    }
}

/// The literals of a portion: separated by commas within a row, by semicolons between rows.
fn literals(text: &str) -> Vec<String> {
    let (mut cells, mut from, mut quoted) = (Vec::new(), 0, false);
    let cell = |from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            // A doubled quote ends and begins again.
            b'\'' => quoted = !quoted,
            b',' | b';' if !quoted => {
                cells.push(cell(from, at));
                from = at + 1;
            }
            _ => {}
        }
    }
    if from < text.len() {
        cells.push(cell(from, text.len()));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_taken_apart() {
        let text = "1,'a,b','it''s; so',NULL;2,X'00','',NULL";
        assert_eq!(literals(text), ["1", "'a,b'", "'it''s; so'", "NULL", "2", "X'00'", "''", "NULL"]);
        assert!(literals("").is_empty());
    }
}
