//! The rows of the books compared with a plain fold over the postings.
//!
//! The rows are taken while they are compared with the live ones, so that they are read once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use flexledger_domain::ids::{ApplicationId, SettlementId, WalletId};
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::SCALE;
use flexledger_projections::ViewError;
use flexledger_projections::table::Table;
use flexledger_projections::views::account_of;
use hashbrown::HashMap;
use memchr::{memchr, memchr2};
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
    /// Takes rows of a table, the next ones in order of their keys, as they stand in a portion. Rows of other tables are
    /// passed over.
    pub fn take(&mut self, table: &'static Table, portion: &str) -> Result<(), ViewError> {
        let take: fn(&mut Books, &Row<'_>) -> Option<()> = match table.name {
            "wallets" => Books::wallet,
            "statement_accounts" => Books::account,
            "entries" => Books::entry,
            "settlements" => Books::record,
            "settlement_lines" => Books::line,
            _ => return Ok(()),
        };
        let mut cells = Cells { rest: portion };
        let mut row = Row(Vec::with_capacity(table.columns.len()));
        while !cells.rest.is_empty() {
            row.0.clear();
            row.0.extend(cells.by_ref().take(table.columns.len()));
            take(self, &row).ok_or(ViewError::Damaged { table: table.name, expected: "a row that its view writes" })?;
        }
        Ok(())
    }

    fn wallet(&mut self, row: &Row<'_>) -> Option<()> {
        let [_id, _position, application, currency, debited, credited, ..] = row.0.as_slice() else { return None };
        let (debited, credited) = (text(debited)?.into_owned(), text(credited)?.into_owned());
        self.wallets.push((owner(application, currency)?, debited, credited));
        Some(())
    }

    fn account(&mut self, row: &Row<'_>) -> Option<()> {
        let [number, application, currency, ..] = row.0.as_slice() else { return None };
        self.owners.insert(int(number)?, owner(application, currency)?);
        Some(())
    }

    fn entry(&mut self, row: &Row<'_>) -> Option<()> {
        let [number, position, _payment, credit, amount, closing, ..] = row.0.as_slice() else { return None };
        let (count, hash) = self.statements.entry(account_of(int(number)?)).or_default();
        *count += 1;
        trail(hash, int(position)?.unsigned_abs(), int(credit)? == 1, &text(amount)?, &text(closing)?);
        Some(())
    }

    fn record(&mut self, row: &Row<'_>) -> Option<()> {
        let [_position, record, date, currency, status, _error, credited, debited, payments, applications, ..] =
            row.0.as_slice()
        else {
            return None;
        };
        // A record whose run failed holds no entries.
        if int(status)? != 1 {
            return Some(());
        }
        let hash = RecordHash::new(&RecordText {
            date: int(date)?,
            currency: &text(currency)?,
            credited: &text(credited)?,
            debited: &text(debited)?,
            payments: int(payments)?.unsigned_abs(),
            applications: int(applications)?.unsigned_abs(),
        });
        self.records.insert(SettlementId::from_uuid(id(record)?), hash);
        Some(())
    }

    fn line(&mut self, row: &Row<'_>) -> Option<()> {
        let [_number, record, application, wallet, credited, debited, opening, closing, payments, ..] =
            row.0.as_slice()
        else {
            return None;
        };
        let Some(record) = self.records.get_mut(&SettlementId::from_uuid(id(record)?)) else { return Some(()) };
        record.line(&LineText {
            application: ApplicationId::from_uuid(id(application)?),
            wallet: WalletId::from_uuid(id(wallet)?),
            credited: &text(credited)?,
            debited: &text(debited)?,
            opening: &text(opening)?,
            closing: &text(closing)?,
            payments: int(payments)?.unsigned_abs(),
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

/// The literals of one row, in the order of the table's columns.
struct Row<'a>(Vec<&'a str>);

fn int(cell: &str) -> Option<i64> {
    cell.parse().ok()
}

fn text(cell: &str) -> Option<Cow<'_, str>> {
    let inner = cell.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(match memchr(b'\'', inner.as_bytes()) {
        None => Cow::Borrowed(inner),
        Some(_) => Cow::Owned(inner.replace("''", "'")),
    })
}

fn id(cell: &str) -> Option<Uuid> {
    Uuid::try_parse(cell.strip_prefix("X'")?.strip_suffix('\'')?).ok()
}

fn owner(application: &str, currency: &str) -> Option<Owner> {
    Some((ApplicationId::from_uuid(id(application)?), Currency::new(&text(currency)?, SCALE).ok()?))
}

/// The literals of a portion: separated by commas within a row, by semicolons between rows.
struct Cells<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Cells<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let bytes = self.rest.as_bytes();
        // A quoted text may hold the separators. A doubled quote ends it and begins it again.
        let mut end = 0;
        if bytes.first() == Some(&b'\'') {
            while bytes.get(end) == Some(&b'\'') {
                end += 1;
                end += memchr(b'\'', bytes.get(end..)?).map_or(bytes.len(), |at| at + 1);
            }
        }
        let rest = bytes.get(end..).unwrap_or_default();
        end = memchr2(b',', b';', rest).map_or(bytes.len(), |at| end + at);
        let cell = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_taken_apart() {
        let cells = |text| Cells { rest: text }.collect::<Vec<_>>();
        let text = "1,'a,b','it''s; so',NULL;2,X'00','',NULL,''''";
        assert_eq!(cells(text), ["1", "'a,b'", "'it''s; so'", "NULL", "2", "X'00'", "''", "NULL", "''''"]);
        assert_eq!(cells("'never ends"), ["'never ends"]);
        assert!(cells("").is_empty());
    }

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
