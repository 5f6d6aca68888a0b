//! Two databases with the same views, compared in order of their keys. Memory holds a portion of each where they differ.

use std::sync::Arc;

use flexledger_projections::ViewError;
use flexledger_projections::audit::tables;
use flexledger_projections::frozen::{Frozen, RowKey, RowText, Then};
use flexledger_projections::table::Table;
use serde_json::{Map, Value, json};

use super::books::Books;
use super::{DIFFERENCES_MAX, ViewReport};

/// Rows looked at one by one where something differs.
const PORTION: u32 = 1024;

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
                report.rows += rebuilt.pass(table, books).await?;
                continue;
            }
        }
        compare_table(live, rebuilt, table, report, &mut places, books).await?;
    }
    Ok(places)
}

/// Takes the rebuilt rows of a view into the books, without comparing them; tells how many there are.
pub(super) async fn pass(rebuilt: &mut Frozen, view: &str, books: &mut Books) -> Result<u64, ViewError> {
    let mut rows = 0;
    for table in tables(view) {
        rows += rebuilt.pass(table, books).await?;
    }
    Ok(rows)
}

/// Looks for rows and indexes of the live tables that do not fit each other: what is read by an index may be wrong
/// though all rows are right.
pub(super) async fn check_indexes(live: &mut Frozen, report: &mut ViewReport) -> Result<(), ViewError> {
    for table in tables(report.name) {
        // A table that is missing was reported.
        if live.misshapen(table).await?.is_some_and(|(found, _)| found.is_empty()) {
            continue;
        }
        let wrong = live.unsound(table).await?;
        if !wrong.is_empty() {
            report.add(format!("index/{}", table.name), json!(wrong), Value::Null);
        }
    }
    Ok(())
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
    loop {
        let equal = live.equal(rebuilt, table, after.as_ref(), books).await?;
        report.rows += equal.rows;
        after = equal.last.or(after);
        after = match equal.then {
            Then::End => return Ok(()),
            Then::More => continue,
            Then::Differs => {
                let (here, there, to) = unequal(live, rebuilt, table, after.as_ref()).await?;
                report.rows += there.len() as u64;
                there.iter().try_for_each(|row| row.take(table, books))?;
                merge(&here, &there, table, report, places);
                let Some(to) = to else { return Ok(()) };
                Some(to)
            }
        };
    }
}

/// The next rows of both, and the key up to which both are whole; none at the end.
async fn unequal(
    live: &mut Frozen,
    rebuilt: &mut Frozen,
    table: &'static Table,
    after: Option<&RowKey>,
) -> Result<(Vec<RowText>, Vec<RowText>, Option<RowKey>), ViewError> {
    let (mut here, mut there) =
        tokio::try_join!(live.rows(table, after, PORTION), rebuilt.rows(table, after, PORTION))?;
    let end = |rows: &[RowText]| rows.last().filter(|_| rows.len() == PORTION as usize).map(RowText::key);
    let to = match (end(&here), end(&there)) {
        (Some(here), Some(there)) => Some(here.min(there)),
        (here, there) => here.or(there),
    };
    if let Some(to) = &to {
        here.retain(|row| row.key() <= *to);
        there.retain(|row| row.key() <= *to);
    }
    Ok((here, there, to))
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
