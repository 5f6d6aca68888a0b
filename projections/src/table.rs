//! Tables described once, from which all SQL that makes and writes them is generated.

use std::fmt::Write;

/// What a cell means. What it is stored as follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number: a position, a count, a small code.
    Int,
    /// Microseconds since 1970.
    Instant,
    /// Days since 1970.
    Date,
    /// 0 or 1.
    Bool,
    /// A UUID.
    Id,
    /// A text.
    Text,
    /// An exact decimal, as text.
    Amount,
    /// A personal text: the id of its subject (32 hex digits), then the sealed text.
    Personal,
    /// A check number over other cells of the row. See [`Seal`].
    Seal,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its cells mean.
    pub kind: Kind,
    /// Whether a cell may be empty.
    pub optional: bool,
}

/// A column that is always filled.
pub(crate) const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: false }
}

/// A column that may be empty.
pub(crate) const fn optional(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: true }
}

/// A column with a check number over others.
pub(crate) const fn seal(name: &'static str) -> Column {
    Column { name, kind: Kind::Seal, optional: false }
}

/// Cells that are written together, and the column that holds a check number over them and the key. Who answers for the
/// past reads them together: a cell that was damaged since is an error then, not an answer.
#[derive(Debug, Clone, Copy)]
pub struct Seal {
    /// The place of the column that holds the number.
    pub column: usize,
    /// The places of the columns that it is over; all but the seals if none is named.
    pub over: &'static [usize],
}

/// An index. The key of the row always comes last in it.
#[derive(Debug, Clone, Copy)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [&'static str],
    /// Whether no two rows may agree in it.
    pub unique: bool,
    /// Which rows stand in it; all if none.
    pub filter: Option<&'static str>,
}

/// A table. Its first column is its key: a number or a UUID.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, the key first. At most 64.
    pub columns: &'static [Column],
    /// Its indexes: few, for each costs every write.
    pub indexes: &'static [Index],
    /// Its seals. Their columns are the last ones, and are filled when rows are written.
    pub seals: &'static [Seal],
}

/// A dialect of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    fn type_name(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Dialect::Sqlite, Kind::Int | Kind::Instant | Kind::Date | Kind::Bool | Kind::Seal) => "INTEGER",
            (Dialect::Postgres, Kind::Int | Kind::Instant | Kind::Date | Kind::Bool | Kind::Seal) => "BIGINT",
            (Dialect::Sqlite, Kind::Id) => "BLOB",
            (Dialect::Postgres, Kind::Id) => "BYTEA",
            (_, Kind::Text | Kind::Amount | Kind::Personal) => "TEXT",
        }
    }

    /// Texts are compared byte by byte, everywhere alike.
    fn order(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Dialect::Postgres, Kind::Text | Kind::Amount | Kind::Personal) => " COLLATE \"C\"",
            _ => "",
        }
    }

    /// After an error the whole transaction is taken back, so SQLite need not keep what one statement alone would take
    /// back: a copy of every page that it touches.
    fn or_fail(self) -> &'static str {
        match self {
            Dialect::Sqlite => "OR FAIL ",
            Dialect::Postgres => "",
        }
    }

    /// A query written with `?` in this dialect.
    #[must_use]
    pub fn query(self, sql: &str) -> String {
        if self == Dialect::Sqlite {
            return sql.to_owned();
        }
        let mut out = String::with_capacity(sql.len() + 16);
        for (number, part) in sql.split('?').enumerate() {
            if number > 0 {
                let _ = write!(out, "${number}");
            }
            out.push_str(part);
        }
        out
    }
}

impl Table {
    /// The name of its key.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.columns.first().map_or("", |column| column.name)
    }

    fn names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// The statements that make it and its indexes where they are missing.
    #[must_use]
    pub fn create(&self, dialect: Dialect) -> Vec<String> {
        let mut all = self.create_bare(dialect);
        all.extend(self.create_indexes(dialect));
        all
    }

    /// The statements that make it without the indexes that only help reading.
    #[must_use]
    pub fn create_bare(&self, dialect: Dialect) -> Vec<String> {
        let mut sql = format!("CREATE TABLE IF NOT EXISTS {} (", self.name);
        for (at, column) in self.columns.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            let rest = if at == 0 {
                " PRIMARY KEY NOT NULL"
            } else if column.optional {
                ""
            } else {
                " NOT NULL"
            };
            let _ = write!(
                sql,
                "{comma}{} {}{}{rest}",
                column.name,
                dialect.type_name(column.kind),
                dialect.order(column.kind)
            );
        }
        let by_number = self.columns.first().is_some_and(|key| key.kind == Kind::Int);
        // A number is SQLite's own row key; a table under another key is stored in the order of that key.
        sql.push_str(if dialect == Dialect::Sqlite && !by_number { ") WITHOUT ROWID" } else { ")" });
        let guards = self.indexes.iter().filter(|index| index.unique).map(|index| self.create_index(index, dialect));
        std::iter::once(sql).chain(guards).collect()
    }

    /// The statements that make the indexes that only help reading: over many rows at once they are made by sorting,
    /// which costs a fraction of keeping them row by row.
    pub fn create_indexes(&self, dialect: Dialect) -> impl Iterator<Item = String> {
        self.indexes.iter().filter(|index| !index.unique).map(move |index| self.create_index(index, dialect))
    }

    fn create_index(&self, index: &Index, dialect: Dialect) -> String {
        let unique = if index.unique { "UNIQUE " } else { "" };
        let mut columns = index.columns.join(", ");
        // SQLite appends the key to every index itself.
        if dialect == Dialect::Postgres && !index.unique {
            let _ = write!(columns, ", {}", self.key());
        }
        let filter = index.filter.map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
        format!("CREATE {unique}INDEX IF NOT EXISTS {} ON {} ({columns}){filter}", index.name, self.name)
    }

    /// How the database tells that it is made: each column with its type, then its indexes.
    #[must_use]
    pub fn shape(&self, dialect: Dialect) -> Vec<String> {
        let column = |column: &Column| format!("{} {}", column.name, dialect.type_name(column.kind));
        let index = |index: &Index| {
            let made = self.create_index(index, dialect);
            let unique = if index.unique { " unique" } else { "" };
            let rest = made.find(" ON ").and_then(|at| made.get(at..)).unwrap_or_default();
            // PostgreSQL tells a definition in words of its own.
            let shown = if dialect == Dialect::Sqlite { [unique, rest].concat() } else { String::new() };
            format!("index {}{shown}", index.name)
        };
        let mut indexes: Vec<_> = self.indexes.iter().map(index).collect();
        indexes.sort_unstable();
        self.columns.iter().map(column).chain(indexes).collect()
    }

    /// The statement that removes it.
    #[must_use]
    pub fn drop(&self) -> String {
        format!("DROP TABLE IF EXISTS {}", self.name)
    }

    /// The statement that adds rows; with `replace`, a row with the same key is replaced. On SQLite it takes a parameter
    /// per cell of one row; on PostgreSQL an array per column, of any number of rows.
    #[must_use]
    pub fn insert(&self, dialect: Dialect, replace: bool) -> String {
        let mut sql = format!("INSERT {}INTO {} ({}) ", dialect.or_fail(), self.name, self.names());
        match dialect {
            Dialect::Sqlite => {
                let cells = vec!["?"; self.columns.len()];
                let _ = write!(sql, "VALUES ({})", cells.join(","));
            }
            Dialect::Postgres => {
                sql.push_str("SELECT * FROM ");
                arrays(&mut sql, self.columns.iter().map(|column| column.kind));
            }
        }
        if replace {
            let _ = write!(sql, " ON CONFLICT ({}) DO UPDATE SET ", self.key());
            for (at, column) in self.columns.iter().enumerate().skip(1) {
                let comma = if at > 1 { ", " } else { "" };
                let _ = write!(sql, "{comma}{0} = excluded.{0}", column.name);
            }
        }
        sql
    }

    /// The statement that sets the columns of `mask` (bit n: column n) in rows found by their keys. Parameters as with
    /// [`Table::insert`], the key first.
    #[must_use]
    pub fn update(&self, dialect: Dialect, mask: u64) -> String {
        let set: Vec<_> = self.columns.iter().enumerate().skip(1).filter(|(at, _)| mask >> at & 1 == 1).collect();
        let mut sql = format!("UPDATE {}{} SET ", dialect.or_fail(), self.name);
        for (place, (_, column)) in set.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            let value = match dialect {
                Dialect::Sqlite => format!("?{}", place + 2),
                Dialect::Postgres => format!("v.column{}", place + 2),
            };
            let _ = write!(sql, "{comma}{} = {value}", column.name);
        }
        match dialect {
            Dialect::Sqlite => {
                let _ = write!(sql, " WHERE {} = ?1", self.key());
            }
            Dialect::Postgres => {
                sql.push_str(" FROM ");
                let key = self.columns.first().into_iter();
                arrays(&mut sql, key.chain(set.iter().map(|(_, column)| *column)).map(|column| column.kind));
                let names: Vec<_> = (1..=set.len() + 1).map(|number| format!("column{number}")).collect();
                let _ = write!(sql, " AS v ({}) WHERE {}.{} = v.column1", names.join(", "), self.name, self.key());
            }
        }
        sql
    }

    /// The query that reads the rows that match a condition (` WHERE …`, or nothing), in order of their keys.
    #[must_use]
    pub fn part(&self, condition: &str, limit: u32) -> String {
        format!("SELECT {} FROM {}{condition} ORDER BY {} LIMIT {limit}", self.names(), self.name, self.key())
    }

    /// The query that reads rows in order of their keys, those that match `filter`. With `after`, its first parameter
    /// is the key to begin behind; its last is the most rows to read.
    #[must_use]
    pub fn page(&self, filter: Option<&str>, after: bool) -> String {
        let mut sql = format!("SELECT {} FROM {}", self.names(), self.name);
        let behind = after.then(|| format!("{} > ?", self.key()));
        let conditions: Vec<_> = filter.map(str::to_owned).into_iter().chain(behind).collect();
        if !conditions.is_empty() {
            let _ = write!(sql, " WHERE {}", conditions.join(" AND "));
        }
        let _ = write!(sql, " ORDER BY {} LIMIT ?", self.key());
        sql
    }
}

/// Rows from one array per column, for PostgreSQL.
fn arrays(sql: &mut String, kinds: impl Iterator<Item = Kind>) {
    sql.push_str("unnest(");
    for (at, kind) in kinds.enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(sql, "{comma}${}::{}[]", at + 1, Dialect::Postgres.type_name(kind));
    }
    sql.push(')');
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: Table = Table {
        name: "t",
        columns: &[column("id", Kind::Id), column("n", Kind::Int), optional("a", Kind::Amount)],
        indexes: &[Index { name: "t_n", columns: &["n"], unique: false, filter: Some("n > 0") }],
        seals: &[],
    };

    #[test]
    fn one_description_makes_the_tables_of_both_dialects() {
        assert_eq!(
            TABLE.create(Dialect::Sqlite),
            [
                "CREATE TABLE IF NOT EXISTS t (id BLOB PRIMARY KEY NOT NULL, n INTEGER NOT NULL, a TEXT) WITHOUT ROWID",
                "CREATE INDEX IF NOT EXISTS t_n ON t (n) WHERE n > 0",
            ]
        );
        assert_eq!(
            TABLE.create(Dialect::Postgres),
            [
                "CREATE TABLE IF NOT EXISTS t (id BYTEA PRIMARY KEY NOT NULL, n BIGINT NOT NULL, a TEXT COLLATE \"C\")",
                "CREATE INDEX IF NOT EXISTS t_n ON t (n, id) WHERE n > 0",
            ]
        );
    }

    #[test]
    fn bulk_statements() {
        assert_eq!(TABLE.insert(Dialect::Sqlite, false), "INSERT OR FAIL INTO t (id, n, a) VALUES (?,?,?)");
        assert_eq!(
            TABLE.insert(Dialect::Postgres, true),
            "INSERT INTO t (id, n, a) SELECT * FROM unnest($1::BYTEA[],$2::BIGINT[],$3::TEXT[]) \
             ON CONFLICT (id) DO UPDATE SET n = excluded.n, a = excluded.a"
        );
        assert_eq!(TABLE.update(Dialect::Sqlite, 0b100), "UPDATE OR FAIL t SET a = ?2 WHERE id = ?1");
        assert_eq!(
            TABLE.update(Dialect::Postgres, 0b110),
            "UPDATE t SET n = v.column2, a = v.column3 FROM unnest($1::BYTEA[],$2::BIGINT[],$3::TEXT[]) \
             AS v (column1, column2, column3) WHERE t.id = v.column1"
        );
        assert_eq!(TABLE.part(" WHERE n > 0", 7), "SELECT id, n, a FROM t WHERE n > 0 ORDER BY id LIMIT 7");
        assert_eq!(
            TABLE.page(Some("n > 0"), true),
            "SELECT id, n, a FROM t WHERE n > 0 AND id > ? ORDER BY id LIMIT ?"
        );
        assert_eq!(Dialect::Postgres.query("a = ? AND b = ?"), "a = $1 AND b = $2");
    }
}
