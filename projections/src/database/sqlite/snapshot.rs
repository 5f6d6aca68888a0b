//! Reads of one moment.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use memchr::memchr;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement};

use super::super::Row;
use super::desk::Desk;
use super::lockstep::lockstep;
use super::writer::rows;
use crate::ViewError;
use crate::cells::Take;
use crate::frozen::{Equal, Portion, RowKey, RowText};
use crate::table::Table;
use crate::value::Value;

/// Bytes that the text of a portion takes, more or less.
const ROOM: usize = 512 * 1024;

/// Reads within one transaction, which ends when this is dropped.
pub(crate) struct Snapshot {
    desk: Desk<Reader>,
    path: PathBuf,
}

/// What lies in the thread of a snapshot.
struct Reader {
    own: Connection,
    /// Another database, which is compared with this one.
    beside: Option<(PathBuf, Connection)>,
}

impl Snapshot {
    /// The rows of the database at `path` as they are now.
    pub async fn open(path: &Path) -> Result<Snapshot, ViewError> {
        let path = path.to_owned();
        let opened = path.clone();
        let open = move || Ok(Reader { own: begin(&opened)?, beside: None });
        Ok(Snapshot { desk: Desk::open("views-reader", open).await?, path })
    }

    /// Ends the reading; the files are let go of afterwards.
    pub async fn close(self) {
        self.desk.close().await;
    }

    /// All rows that a query answers.
    pub async fn rows(&mut self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>, ViewError> {
        let (sql, arguments) = (sql.to_owned(), arguments.to_vec());
        self.desk.run(move |reader| rows(&reader.own, &sql, arguments)).await
    }

    /// The rows that a query answers, whose first column is their key, as one text.
    pub async fn portion(&mut self, sql: String) -> Result<Portion, ViewError> {
        self.desk.run(move |reader| portion(&mut *reader.own.prepare_cached(&sql)?)).await
    }

    /// The rows that a query answers, a literal per cell.
    pub async fn literals(&mut self, sql: String) -> Result<Vec<RowText>, ViewError> {
        self.desk.run(move |reader| literals(&mut *reader.own.prepare_cached(&sql)?)).await
    }

    /// Passes over the rows that a query answers here and in the database of another snapshot, which nobody writes
    /// meanwhile, as long as they are equal, and has each taken. Both are read in this thread.
    pub async fn equal<T: Take>(
        &mut self,
        other: &Snapshot,
        table: &'static Table,
        part: (String, u32),
        taker: &mut T,
    ) -> Result<Equal, ViewError> {
        let (path, mut there) = (other.path.clone(), std::mem::take(taker));
        let work = move |reader: &mut Reader| {
            let found = reader.both(path).and_then(|(own, beside)| equal(own, beside, table, &part, &mut there));
            Ok((found, there))
        };
        let (found, back) = self.desk.run(work).await?;
        *taker = back;
        found
    }
}

impl Reader {
    /// This database and the one beside it.
    fn both(&mut self, path: PathBuf) -> Result<(&Connection, &Connection), ViewError> {
        let known = self.beside.take().filter(|(known, _)| *known == path);
        let connection = match known {
            Some((_, connection)) => connection,
            None => begin(&path)?,
        };
        Ok((&self.own, &self.beside.insert((path, connection)).1))
    }
}

fn equal(
    here: &Connection,
    there: &Connection,
    table: &'static Table,
    (sql, limit): &(String, u32),
    taker: &mut impl Take,
) -> Result<Equal, ViewError> {
    let (mut here, mut there) = (here.prepare_cached(sql)?, there.prepare_cached(sql)?);
    lockstep(table, &mut here, &mut there, *limit, taker)
}

fn begin(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA cache_size = -16384; BEGIN")?;
    // The first read, not the beginning, is the moment.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn portion(statement: &mut Statement<'_>) -> Result<Portion, ViewError> {
    let width = statement.column_count();
    let (mut count, mut text, mut last) = (0, String::with_capacity(ROOM), 0..0);
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        if count > 0 {
            text.push(';');
        }
        let begin = text.len();
        for at in 0..width {
            if at > 0 {
                text.push(',');
            }
            literal(&mut text, row.get_ref(at)?);
            if at == 0 {
                last = begin..text.len();
            }
        }
        count += 1;
    }
    let last = text.get(last).filter(|key| !key.is_empty()).map(RowKey::new);
    Ok(Portion { rows: count, last, text: text.into() })
}

fn literals(statement: &mut Statement<'_>) -> Result<Vec<RowText>, ViewError> {
    let width = statement.column_count();
    let mut rows = Vec::new();
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let cells = (0..width).map(|at| {
            let mut text = String::new();
            literal(&mut text, row.get_ref(at)?);
            Ok(text.into())
        });
        rows.push(RowText(cells.collect::<Result<_, ViewError>>()?));
    }
    Ok(rows)
}

/// Writes a cell as a literal of SQL. A cell that no view writes becomes a text that no view's cell becomes.
fn literal(out: &mut String, cell: ValueRef<'_>) {
    match cell {
        ValueRef::Null => out.push_str("NULL"),
        ValueRef::Integer(number) => integer(out, number),
        ValueRef::Real(number) => {
            // Writing into a text cannot fail.
            let _ = write!(out, "{number:?}");
        }
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => quoted(out, text),
            Err(_) => {
                out.push_str("CAST(");
                hex(out, bytes);
                out.push_str(" AS TEXT)");
            }
        },
        ValueRef::Blob(bytes) => hex(out, bytes),
    }
}

fn integer(out: &mut String, number: i64) {
    let mut digits = [b'0'; 20];
    let mut rest = number.unsigned_abs();
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push('-');
    }
    let digits = digits.get(digits.len() - used..).unwrap_or_default();
    out.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

fn quoted(out: &mut String, text: &str) {
    out.push('\'');
    let mut rest = text;
    while let Some((before, after)) = memchr(b'\'', rest.as_bytes()).and_then(|at| rest.split_at_checked(at + 1)) {
        out.push_str(before);
        out.push('\'');
        rest = after;
    }
    out.push_str(rest);
    out.push('\'');
}

fn hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
    out.push_str("X'");
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
    out.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_literals() {
        let text = |cell: ValueRef<'_>| {
            let mut out = String::new();
            literal(&mut out, cell);
            out
        };
        for number in [0, 1, -1, 9, 10, 17, 1_000_000, i64::MAX, i64::MIN] {
            assert_eq!(text(ValueRef::Integer(number)), number.to_string());
        }
        assert_eq!(text(ValueRef::Null), "NULL");
        assert_eq!(text(ValueRef::Real(1.0)), "1.0");
        assert_eq!(text(ValueRef::Blob(&[0, 0xaf, 0x10])), "X'00AF10'");
        assert_eq!(text(ValueRef::Text(b"it's")), "'it''s'");
        assert_eq!(text(ValueRef::Text(&[0xff])), "CAST(X'FF' AS TEXT)");
        assert_eq!(text(ValueRef::Text(b"''a\0b'")), "'''''a\0b'''");
    }
}
