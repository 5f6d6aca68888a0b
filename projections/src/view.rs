//! What a view is.

use flexledger_domain::Recorded;

use crate::changes::Changes;
use crate::table::Table;
use crate::value::Value;

/// An event that a view cannot apply. Holds the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Stop(String);

impl Stop {
    /// With this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Stop(reason.into())
    }
}

/// Rows that a view needs in memory before it can go on.
#[derive(Debug, Clone, Copy)]
pub struct Hot {
    /// Which of the view's tables.
    pub table: usize,
    /// An SQL condition on its columns; all rows if none.
    pub filter: Option<&'static str>,
}

/// A pure fold of events into row changes: no clock, no randomness, no input or output.
pub trait View: Send + Sync {
    /// Its name; stable, for it names the checkpoint.
    fn name(&self) -> &'static str;

    /// Grows when the tables or the fold change; rows of another version are thrown away and made again.
    fn version(&self) -> u32;

    /// Its tables. No other view writes them. Changes name them by their place here.
    fn tables(&self) -> &'static [&'static Table];

    /// The rows to restore at the start.
    fn hot(&self) -> &'static [Hot] {
        &[]
    }

    /// Takes back one row of [`View::hot`].
    ///
    /// # Errors
    /// [`Stop`] when the row is not what this view wrote.
    fn restore(&mut self, table: usize, row: &[Value]) -> Result<(), Stop> {
        let _ = (table, row);
        Ok(())
    }

    /// Folds one event. Events that do not concern it are passed over.
    ///
    /// # Errors
    /// [`Stop`] when the event contradicts what came before. Nothing may have been changed by it then: check first,
    /// change afterwards.
    fn apply(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop>;

    /// Adds the rows that change with almost every event, as they are now: before changes are handed over, only their
    /// last state is wanted. See [`Changes::since`].
    fn settle(&mut self, changes: &mut Changes) {
        let _ = changes;
    }
}
