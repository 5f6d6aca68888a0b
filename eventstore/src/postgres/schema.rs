//! The tables, as migrations. They stand in a schema of their own, so that views may share the database.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{Executor, Row, SqlSafeStr};

use crate::port::StoreError;

const SCHEMA: &str = "flexledger_log";
const MIGRATIONS_TABLE: &str = "flexledger_log.migrations";

/// The version of the tables that this program works with.
const VERSION: i64 = 2;
const STEPS: &[(i64, &str, &str)] =
    &[(1, "log", include_str!("migrations/1_log.sql")), (2, "nodes", include_str!("migrations/2_nodes.sql"))];

const MADE: &str = "SELECT to_regclass('flexledger_log.migrations') IS NOT NULL";
const NEWEST: &str = "SELECT coalesce(max(version), 0) FROM flexledger_log.migrations WHERE success";

/// Makes the tables or brings them up to date.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    if version(connection).await? == Some(VERSION) {
        return Ok(());
    }
    let steps = STEPS.iter().map(|(version, name, sql)| {
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, (*sql).into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(steps.collect());
    migrator.create_schema(SCHEMA);
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    // It takes a lock of its own, so nodes may start together.
    let done = migrator.run_direct(None, connection, false).await;
    done.map_err(|error| StoreError::Unusable(format!("the log's tables cannot be made: {error}")))
}

/// Checks that the tables are there, for a reader.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let text = match version(connection).await? {
        Some(VERSION) => return Ok(()),
        Some(other) if other < VERSION => {
            format!("the log's tables have version {other}, not {VERSION}; `flexledger serve` brings them up to date")
        }
        Some(other) => format!("the log's tables have version {other}; this program knows them up to {VERSION}"),
        None => "there is no log in this database; `flexledger serve` makes one".to_owned(),
    };
    Err(StoreError::Unusable(text))
}

async fn version(connection: &mut PgConnection) -> Result<Option<i64>, StoreError> {
    if !connection.fetch_one(MADE).await?.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    Ok(Some(connection.fetch_one(NEWEST).await?.try_get(0)?))
}
