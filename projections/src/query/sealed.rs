//! The rows that an answer about the past is made of, checked against their seals.

use crate::value::Value;
use crate::views::all;
use crate::{SettlementRow, ViewError, Views, seal};

/// Rows whose seals are checked with one query.
const SEALED_AT_ONCE: usize = 500;

impl Views {
    /// Refuses rows of a table, found by a column, that are not as their view wrote them.
    pub(super) async fn check_sealed(
        &self,
        table: &'static str,
        column: &str,
        mut values: Vec<Value>,
    ) -> Result<(), ViewError> {
        let found = all().iter().flat_map(|(_, make)| make().tables()).find(|known| known.name == table);
        let Some(table) = found else { return Err(ViewError::Unknown(table.to_owned())) };
        values.sort_unstable_by_key(Value::key);
        values.dedup();
        for some in values.chunks(SEALED_AT_ONCE) {
            let places = vec!["?"; some.len()].join(",");
            let sql = table.part(&format!(" WHERE {column} IN ({places})"), u32::MAX);
            let rows = self.database.rows(&sql, some).await?;
            rows.iter().try_for_each(|row| seal::check(table, &row.0))?;
            if column == table.key() && rows.len() != some.len() {
                return Err(ViewError::Damaged { table: table.name, expected: "a row that others name" });
            }
        }
        Ok(())
    }

    /// As [`Views::check_sealed`], for settlement records and all that is shown with them.
    pub(super) async fn check_sealed_settlements(&self, found: &[SettlementRow]) -> Result<(), ViewError> {
        let days: Vec<Value> = found.iter().map(|row| Value::Int(row.date.days())).collect();
        self.check_sealed("settlements", "date", days.clone()).await?;
        self.check_sealed("settlement_failures", "date", days).await?;
        let ids = found.iter().map(|row| row.id.uuid().into()).collect();
        self.check_sealed("settlement_lines", "settlement", ids).await?;
        let applications = found.iter().flat_map(|row| &row.entries).map(|entry| entry.application.uuid().into());
        self.check_sealed("applications", "id", applications.collect()).await
    }
}
