//! The rows of the views at one moment, as text, for comparing two databases.
//!
//! Cells are read as SQL literals (`NULL`, `17`, `'text'`, `X'0A'`), the same on every database, whatever a damaged cell
//! holds. The literals of many rows are joined to one text where the rows are read, so that a row costs no round trip
//! and no object. Two SQLite databases are compared without any text: see [`Frozen::equal`].

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use flexledger_domain::Position;
use uuid::Uuid;

use crate::cells::{Literals, Rows, Take};
use crate::database::{Database, Row, Snapshot};
use crate::table::{Dialect, Table};
use crate::value::{Key, Value};
use crate::{ViewError, Views, marks};

/// Rows passed at once: as texts, and where they lie.
const PORTION: u32 = 2048;
const RUN: u32 = if cfg!(test) { 4 } else { 65_536 };

/// The rows of all views at one moment. While this lives, the database keeps what was replaced since.
pub struct Frozen {
    snapshot: Snapshot,
    dialect: Dialect,
}

/// Where a view stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// The version of its tables.
    pub version: i64,
    /// The newest event in its rows.
    pub position: Position,
    /// The id of that event; none at position 0.
    pub event: Option<Uuid>,
}

/// The key of a row as a literal. Ordered as the databases order keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowKey(Arc<str>);

/// Some rows of a table, one after the other in order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Portion {
    /// How many.
    pub rows: u64,
    /// The key of the last one.
    pub last: Option<RowKey>,
    /// The literals of all their cells.
    pub text: Arc<str>,
}

/// Some rows of a table that are equal in two databases, one after the other in order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equal {
    /// How many.
    pub rows: u64,
    /// The key of the last one.
    pub last: Option<RowKey>,
    /// What comes behind them.
    pub then: Then,
}

/// What comes behind a run of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing: both tables end there.
    End,
    /// It was not looked at.
    More,
    /// A difference, among the next few thousand rows.
    Differs,
}

/// One row: a literal per column, the key first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowText(pub Vec<Arc<str>>);

impl RowText {
    /// Has it taken.
    ///
    /// # Errors
    /// Those of who takes it.
    pub fn take(&self, table: &'static Table, taker: &mut impl Take) -> Result<(), ViewError> {
        if !taker.wants(table) {
            return Ok(());
        }
        taker.take(table, &Literals::new(self.0.iter().map(|literal| &**literal)))
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> RowKey {
        RowKey(self.0.first().cloned().unwrap_or_else(|| "NULL".into()))
    }
}

impl RowKey {
    /// From its literal.
    pub(crate) fn new(literal: &str) -> Self {
        RowKey(literal.into())
    }

    /// Of a key that a view writes.
    pub(crate) fn of(key: Key) -> Self {
        RowKey(match key {
            Key::Int(number) => number.to_string().into(),
            Key::Id(id) => format!("X'{:X}'", Uuid::from_bytes(id).simple()).into(),
        })
    }

    /// The key, when it is one that a view can write.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        if let Ok(number) = self.0.parse() {
            return Some(Key::Int(number));
        }
        let digits = self.0.strip_prefix("X'")?.strip_suffix('\'')?;
        Uuid::try_parse(digits).ok().map(|id| Key::Id(id.into_bytes()))
    }

    /// Numbers first, then texts, then bytes.
    fn class(&self) -> u8 {
        match self.0.bytes().next() {
            Some(b'\'') => 1,
            Some(b'X') => 2,
            _ => 0,
        }
    }

    fn literal(&self, dialect: Dialect) -> String {
        match (dialect, self.0.strip_prefix("X'").and_then(|rest| rest.strip_suffix('\''))) {
            (Dialect::Postgres, Some(digits)) => format!("'\\x{digits}'::BYTEA"),
            _ => self.0.to_string(),
        }
    }
}

impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_class = self.class().cmp(&other.class());
        by_class.then_with(|| match (self.0.parse::<i64>(), other.0.parse::<i64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => self.0.trim_end_matches('\'').cmp(other.0.trim_end_matches('\'')),
        })
    }
}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RowKey {
    /// The number, or the UUID with hyphens; any other literal as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key() {
            Some(key) => fmt::Display::fmt(&key, f),
            None => f.write_str(&self.0),
        }
    }
}

impl Views {
    /// Views to be held only, whatever their checkpoints say.
    ///
    /// # Errors
    /// [`ViewError::Url`].
    pub fn unread(url: &str) -> Result<Views, ViewError> {
        Ok(Views::over(Database::prepare(url)?, Vec::new()))
    }

    /// Holds the rows as they are now.
    ///
    /// # Errors
    /// The database's.
    pub async fn freeze(&self) -> Result<Frozen, ViewError> {
        Ok(Frozen { snapshot: self.database.snapshot().await?, dialect: self.database.dialect() })
    }
}

impl Frozen {
    /// Lets go of the rows; a file of the database is closed afterwards.
    pub async fn close(self) {
        self.snapshot.close().await;
    }

    /// Where a view stands; none if it was never filled.
    ///
    /// # Errors
    /// The database's.
    pub async fn stand(&mut self, view: &str) -> Result<Option<Stand>, ViewError> {
        let sql = match self.dialect {
            // What no view writes is read as nothing.
            Dialect::Sqlite => {
                "SELECT CASE typeof(version) WHEN 'integer' THEN version END, \
                 CASE typeof(position) WHEN 'integer' THEN position END, \
                 CASE WHEN typeof(event) = 'blob' AND length(event) = 16 THEN event END \
                 FROM view_checkpoints WHERE name = ?"
            }
            Dialect::Postgres => {
                "SELECT version, position, CASE WHEN length(event) = 16 THEN event END FROM view_checkpoints \
                 WHERE name = ?"
            }
        };
        let rows = self.snapshot.rows(sql, &[view.into()]).await?;
        match rows.first().map(|row| row.0.as_slice()) {
            None => Ok(None),
            Some([Value::Int(version), Value::Int(at), event]) if *at >= 0 => {
                let event = match event {
                    Value::Id(id) => Some(Uuid::from_bytes(*id)),
                    _ => None,
                };
                Ok(Some(Stand { version: *version, position: Position::new(at.unsigned_abs()), event }))
            }
            // No view has such a version: this stands nowhere.
            Some(_) => Ok(Some(Stand { version: -1, position: Position::START, event: None })),
        }
    }

    /// How a table is made and how it should be (see [`Table::shape`]), if that is not the same.
    ///
    /// # Errors
    /// The database's.
    pub async fn misshapen(&mut self, table: &Table) -> Result<Option<(Vec<String>, Vec<String>)>, ViewError> {
        let (found, wanted) = (self.snapshot.shape(table).await?, table.shape(self.dialect));
        Ok((found != wanted).then_some((found, wanted)))
    }

    /// Rows behind `after`, at most `limit`, as one text.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn portion(
        &mut self,
        table: &Table,
        after: Option<&RowKey>,
        limit: u32,
    ) -> Result<Portion, ViewError> {
        let condition = condition(table, self.dialect, after);
        self.snapshot.portion(table, &condition, limit).await
    }

    /// What is wrong with the rows and the indexes of a table as the database stores them, as far as it tells: SQLite
    /// does, PostgreSQL does not.
    ///
    /// # Errors
    /// The database's.
    pub async fn unsound(&mut self, table: &Table) -> Result<Vec<String>, ViewError> {
        if self.dialect == Dialect::Postgres {
            return Ok(Vec::new());
        }
        self.integrity(&format!("PRAGMA integrity_check('{}')", table.name)).await
    }

    /// As [`Frozen::unsound`], of the whole file: also what belongs to no table, and the marks of the views themselves.
    ///
    /// # Errors
    /// The database's.
    pub async fn unsound_file(&mut self) -> Result<Vec<String>, ViewError> {
        if self.dialect == Dialect::Postgres {
            return Ok(Vec::new());
        }
        let mut wrong = self.integrity("PRAGMA integrity_check").await?;
        match self.snapshot.rows(marks::STRANGE, &[]).await {
            Ok(marks) if marks.first() == Some(&Row(vec![Value::Int(0)])) => {}
            Ok(_) => wrong.push("rows of view_marks that nobody writes".to_owned()),
            Err(error @ ViewError::Sqlite(_)) => wrong.push(format!("view_marks: {error}")),
            Err(error) => return Err(error),
        }
        Ok(wrong)
    }

    async fn integrity(&mut self, sql: &str) -> Result<Vec<String>, ViewError> {
        let text = |row: Row| match row.0.into_iter().next() {
            Some(Value::Text(text)) => text.to_string(),
            _ => String::new(),
        };
        match self.snapshot.rows(sql, &[]).await {
            Ok(rows) => Ok(rows.into_iter().map(text).filter(|text| text != "ok").collect()),
            Err(error) if error.is_damage() => Ok(vec![error.to_string()]),
            Err(error) => Err(error),
        }
    }

    /// Passes over the rows behind `after` as long as they are equal here and in `rebuilt`, which nobody writes
    /// meanwhile, and has those of `rebuilt` taken. At most some ten thousand.
    ///
    /// # Errors
    /// The database's, and those of who takes them.
    pub async fn equal<T: Take>(
        &mut self,
        rebuilt: &mut Frozen,
        table: &'static Table,
        after: Option<&RowKey>,
        taker: &mut T,
    ) -> Result<Equal, ViewError> {
        if let (Snapshot::Sqlite(live), Snapshot::Sqlite(rebuilt)) = (&mut self.snapshot, &rebuilt.snapshot) {
            let part = table.part(&condition(table, self.dialect, after), RUN);
            return live.equal(rebuilt, table, (part, RUN), taker).await;
        }
        // Each has a thread of its own.
        let (here, there) =
            tokio::try_join!(self.portion(table, after, PORTION), rebuilt.portion(table, after, PORTION))?;
        if here != there {
            return Ok(Equal { rows: 0, last: None, then: Then::Differs });
        }
        take(&there, table, taker)?;
        let then = if there.rows < u64::from(PORTION) { Then::End } else { Then::More };
        Ok(Equal { rows: there.rows, last: there.last, then })
    }

    /// Has all rows of a table taken; tells how many there are.
    ///
    /// # Errors
    /// The database's, and those of who takes them.
    pub async fn pass(&mut self, table: &'static Table, taker: &mut impl Take) -> Result<u64, ViewError> {
        let (mut after, mut rows) = (None, 0);
        loop {
            let portion = self.portion(table, after.as_ref(), PORTION).await?;
            take(&portion, table, taker)?;
            rows += portion.rows;
            if portion.rows < u64::from(PORTION) {
                return Ok(rows);
            }
            after = portion.last;
        }
    }

    /// Rows behind `after`, at most `limit`.
    ///
    /// # Errors
    /// The database's.
    pub async fn rows(&mut self, table: &Table, after: Option<&RowKey>, limit: u32) -> Result<Vec<RowText>, ViewError> {
        let condition = condition(table, self.dialect, after);
        self.snapshot.literals(table, &condition, limit).await
    }
}

fn take(portion: &Portion, table: &'static Table, taker: &mut impl Take) -> Result<(), ViewError> {
    if !taker.wants(table) {
        return Ok(());
    }
    Rows::new(&portion.text, table.columns.len()).try_for_each(|row| taker.take(table, &row))
}

fn condition(table: &Table, dialect: Dialect, after: Option<&RowKey>) -> String {
    after.map_or_else(String::new, |key| format!(" WHERE {} > {}", table.key(), key.literal(dialect)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::{Cell, Cells};
    use crate::table::{Kind, column, optional};

    static TABLE: Table =
        Table { name: "t", columns: &[column("n", Kind::Int), optional("text", Kind::Text)], indexes: &[], seals: &[] };

    /// Takes the numbers of the rows that it is shown.
    #[derive(Default)]
    struct Numbers(Vec<i64>);

    impl Take for Numbers {
        fn wants(&self, _: &'static Table) -> bool {
            true
        }

        fn take(&mut self, _: &'static Table, row: &dyn Cells) -> Result<(), ViewError> {
            if let Cell::Int(number) = row.cell(0) {
                self.0.push(number);
            }
            Ok(())
        }
    }

    async fn frozen(folder: &std::path::Path, name: &str, rows: &[(i64, Value)]) -> Frozen {
        let path = folder.join(name);
        let (database, mut writer) =
            Database::prepare(&format!("sqlite:{}", path.display())).unwrap().open().await.unwrap();
        for sql in TABLE.create(Dialect::Sqlite) {
            writer.execute(&sql, &[]).await.unwrap();
        }
        let cells = rows.iter().flat_map(|(number, text)| [Value::Int(*number), text.clone()]).collect();
        writer.insert(&TABLE, cells).await.unwrap();
        writer.close().await;
        Frozen { snapshot: database.snapshot().await.unwrap(), dialect: Dialect::Sqlite }
    }

    /// Equal runs of all lengths, and differences at all places.
    #[tokio::test]
    async fn rows_pass_as_long_as_they_are_equal() {
        let folder = tempfile::tempdir().unwrap();
        let rows = |count: i64| -> Vec<(i64, Value)> { (1..=count).map(|n| (n, Value::from("same"))).collect() };
        for count in 0..10 {
            let name = |what: &str| format!("{what}{count}.db");
            let mut live = frozen(folder.path(), &name("live"), &rows(count)).await;
            let mut others = vec![(None, rows(count))];
            for at in 1..=count {
                let mut changed = rows(count);
                changed[at as usize - 1].1 = Value::Null;
                others.push((Some(at), changed));
                others.push((Some(at), rows(count).into_iter().filter(|(n, _)| *n != at).collect()));
            }
            others.push((Some(count + 1), rows(count + 1)));
            for (number, (first, other)) in others.iter().enumerate() {
                let mut rebuilt = frozen(folder.path(), &name(&format!("{number}-rebuilt")), other).await;
                let (mut after, mut passed, mut taken) = (None, 0, Numbers::default());
                let end = loop {
                    let equal = live.equal(&mut rebuilt, &TABLE, after.as_ref(), &mut taken).await.unwrap();
                    (passed, after) = (passed + equal.rows, equal.last.or(after));
                    if equal.then != Then::More {
                        break equal.then;
                    }
                };
                let until = first.unwrap_or(count + 1) - 1;
                assert_eq!(end, if first.is_some() { Then::Differs } else { Then::End });
                assert_eq!((passed, taken.0), (until.unsigned_abs(), (1..=until).collect()), "{count} {number}");
            }
        }
    }

    fn key(text: &str) -> RowKey {
        RowKey(text.into())
    }

    #[test]
    fn keys_are_ordered_as_in_the_database() {
        let ordered = ["-3", "2", "10", "'a'", "'a b'", "X''", "X'00'", "X'00FF'", "X'01'"];
        for pair in ordered.windows(2) {
            assert!(key(pair[0]) < key(pair[1]), "{pair:?}");
        }
        for known in [Key::Int(-17), Key::Id([0xaf; 16])] {
            assert_eq!(RowKey::of(known).key(), Some(known));
        }
        assert_eq!(RowKey::of(Key::Id([0xaf; 16])), key(&format!("X'{}'", "AF".repeat(16))));
        assert_eq!(key("17").key(), Some(Key::Int(17)));
        assert_eq!(key("X'00'").key(), None);
        assert_eq!(key("X'000102030405060708090A0B0C0D0E0F'").to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
