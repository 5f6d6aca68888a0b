//! What can go wrong with views.

use flexledger_domain::Position;
use flexledger_eventstore::StoreError;

/// Why a view cannot be opened, read or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The URL names no database that views can live in.
    #[error("views cannot be opened at this URL: {0}")]
    Url(String),
    /// There is no view of this name.
    #[error("there is no view named {0}")]
    Unknown(String),
    /// The views did not reach the position in time. Try again later (503).
    #[error("the views stand at {reached}, {wanted} is needed")]
    Late {
        /// Where the slowest view stands.
        reached: Position,
        /// What was asked for.
        wanted: Position,
    },
    /// A view met an event that it cannot apply.
    #[error("view {name} stopped: {reason}")]
    Stopped {
        /// Which view.
        name: &'static str,
        /// The position and what was wrong there.
        reason: String,
    },
    /// The views were made from another log, or the log lost its end.
    #[error("view {name} stands at {checkpoint}, which is not in this log ({detail}): run `flexledger rebuild`")]
    OtherLog {
        /// Which view.
        name: &'static str,
        /// Where the view stands.
        checkpoint: Position,
        /// What does not fit.
        detail: String,
    },
    /// The tables were replaced by rebuilt ones meanwhile.
    #[error("the tables of the views were switched")]
    Switched,
    /// The views are being filled or followed already, or were stopped.
    #[error("the views are in other work or were stopped")]
    Busy,
    /// A list cannot be sorted by this property (400).
    #[error("cannot sort by {0}")]
    SortProperty(String),
    /// A page below 0 or larger than the views serve.
    #[error("page size must be 1 to {0}")]
    PageSize(u32),
    /// A row does not hold what its view writes: the database was damaged.
    #[error("table {table} is damaged: {expected} was expected; run `flexledger reconcile`")]
    Damaged {
        /// The table.
        table: &'static str,
        /// What should have been there.
        expected: &'static str,
    },
    /// The log cannot be read.
    #[error("the log cannot be read for the views: {0}")]
    Log(#[from] StoreError),
    /// The log has no event where there should be one.
    #[error("the log has no event after position {0}, though it goes on")]
    Missing(Position),
    /// A record of the log cannot be decoded.
    #[error("the record at {0} cannot be decoded: {1}")]
    Record(Position, String),
    /// The database of the views failed.
    #[error("view database: {0}")]
    Database(#[from] sqlx::Error),
    /// The SQLite database of the views failed.
    #[error("view database: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl ViewError {
    /// Whether the disk is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            ViewError::Sqlite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            ViewError::Database(sqlx::Error::Database(error)) => {
                matches!(error.code().as_deref(), Some("13" | "53100"))
            }
            _ => false,
        }
    }

    /// Whether the file of the views is damaged in itself, so that its rows cannot be read.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, ViewError::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt))
    }
}
