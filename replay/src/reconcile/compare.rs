//! Two databases with the same views, compared in order of their keys. Memory holds a portion of each.

use std::sync::Arc;

use flexledger_projections::ViewError;
use flexledger_projections::audit::tables;
use flexledger_projections::frozen::{Frozen, RowKey, RowText};
use flexledger_projections::table::Table;
use serde_json::{Map, Value, json};

use super::books::Books;
use super::{DIFFERENCES_MAX, ViewReport};

/// Rows compared at once.
const PORTION: u32 = 2048;

/// A row that differs, to be looked up in the log.
pub(super) type Place = (&'static str, RowKey);

/// Compares all tables of a view; the places of the differences, as they are listed. The rebuilt rows are also taken into
/// the books.
pub(super) async fn compare(
    live: &mut Frozen,
    rebuilt: &mut Frozen,
    report: &mut ViewReport,
    books: &mut Books,
) -> Result<Vec<Place>, ViewError> {
    let mut places = Vec::new();
    for table in tables(report.name) {
        if let Some((found, wanted)) = live.misshapen(table).await? {
            let columns = found.get(..table.columns.len()) == wanted.get(..table.columns.len());
            let others = found.iter().skip(table.columns.len()).all(|part| part.starts_with("index "));
            report.add(format!("schema/{}", table.name), json!(found), json!(wanted));
            if !columns || !others {
                report.rows += pass_table(rebuilt, table, books).await?;
                continue;
            }
        }
        compare_table(live, rebuilt, table, report, &mut places, books).await?;
    }
    Ok(places)
}

/// Takes the rebuilt rows of a view into the books, without comparing them.
pub(super) async fn pass(rebuilt: &mut Frozen, view: &str, books: &mut Books) -> Result<(), ViewError> {
    for table in tables(view) {
        pass_table(rebuilt, table, books).await?;
    }
    Ok(())
}

async fn pass_table(rebuilt: &mut Frozen, table: &'static Table, books: &mut Books) -> Result<u64, ViewError> {
    let (mut after, mut rows) = (None, 0);
    loop {
        let portion = rebuilt.portion(table, after.as_ref(), PORTION).await?;
        books.take(table, &portion.text)?;
        rows += portion.rows;
        if portion.rows < u64::from(PORTION) {
            return Ok(rows);
        }
        after = portion.last;
    }
}

async fn compare_table(
    live: &mut Frozen,
    rebuilt: &mut Frozen,
    table: &'static Table,
    report: &mut ViewReport,
    places: &mut Vec<Place>,
    books: &mut Books,
) -> Result<(), ViewError> {
    let mut after: Option<RowKey> = None;
    // Rows are taken into the books while the next ones are read.
    let mut taken: Arc<str> = "".into();
    loop {
        // Each has a thread of its own.
        let (here, there, ()) = tokio::try_join!(
            live.portion(table, after.as_ref(), PORTION),
            rebuilt.portion(table, after.as_ref(), PORTION),
            async { books.take(table, &taken) }
        )?;
        let full = |rows: u64| rows == u64::from(PORTION);
        let to = match (full(here.rows), full(there.rows)) {
            (true, true) => here.last.clone().min(there.last.clone()),
            (true, false) => here.last.clone(),
            (false, true) => there.last.clone(),
            (false, false) => None,
        };
        if here == there {
            report.rows += there.rows;
            taken = there.text;
        } else {
            let range = (after.as_ref(), to.as_ref());
            let here = live.rows(table, range.0, range.1, PORTION).await?;
            let there = rebuilt.rows(table, range.0, range.1, PORTION).await?;
            report.rows += there.len() as u64;
            merge(&here, &there, table, report, places);
            let rows: Vec<String> = there.iter().map(|row| row.0.join(",")).collect();
            taken = rows.join(";").into();
        }
        match to {
            Some(to) => after = Some(to),
            None => return books.take(table, &taken),
        }
    }
}

fn merge(here: &[RowText], there: &[RowText], table: &'static Table, report: &mut ViewReport, places: &mut Vec<Place>) {
    let (mut here, mut there) = (here.iter().peekable(), there.iter().peekable());
    loop {
        let (live, rebuilt) = match (here.peek(), there.peek()) {
            (None, None) => return,
            (Some(_), None) => (here.next(), None),
            (None, Some(_)) => (None, there.next()),
            (Some(a), Some(b)) => match a.key().cmp(&b.key()) {
                std::cmp::Ordering::Less => (here.next(), None),
                std::cmp::Ordering::Greater => (None, there.next()),
                std::cmp::Ordering::Equal => (here.next(), there.next()),
            },
        };
        if live == rebuilt {
            continue;
        }
        let Some(key) = live.or(rebuilt).map(RowText::key) else { return };
        let show = |row: Option<&RowText>| row.map_or(Value::Null, |row| document(table, row));
        report.add(format!("{}/{key}", table.name), show(live), show(rebuilt));
        if places.len() < DIFFERENCES_MAX {
            places.push((table.name, key));
        }
    }
}

fn document(table: &Table, row: &RowText) -> Value {
    let cells = table.columns.iter().zip(&row.0).map(|(column, cell)| (column.name.to_owned(), value(cell)));
    Value::Object(cells.collect::<Map<_, _>>())
}

/// A literal as JSON. Identifiers get their hyphens.
fn value(literal: &Arc<str>) -> Value {
    if let Ok(number) = literal.parse::<i64>() {
        return number.into();
    }
    if let Some(digits) = literal.strip_prefix("X'").and_then(|rest| rest.strip_suffix('\'')) {
        let id = uuid::Uuid::try_parse(digits).ok().filter(|_| digits.len() == 32);
        return id.map_or_else(|| digits.to_lowercase(), |id| id.to_string()).into();
    }
    match literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(text) => text.replace("''", "'").into(),
        None if &**literal == "NULL" => Value::Null,
        None => (&**literal).into(),
    }
}
