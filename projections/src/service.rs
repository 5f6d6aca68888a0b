//! The views of one ledger, open for reading and for being brought up to date.

use std::sync::Arc;
use std::time::Duration;

use flexledger_domain::Position;
use flexledger_eventstore::{EventStore, Tail};

use crate::{ViewError, ViewStatus};

/// The views of one ledger. Cloning is cheap; all clones are the same views.
#[derive(Clone)]
pub struct Views {}

impl Views {
    /// Opens the views named in `which` (all if empty) at `url`, for example `sqlite:/data/views.db`, and makes their
    /// tables where they are missing. Tables of an older schema are emptied and filled anew.
    ///
    /// # Errors
    /// [`ViewError::Url`], [`ViewError::Unknown`], [`ViewError::Database`].
    pub async fn open(url: &str, which: &[&str]) -> Result<Views, ViewError> {
        let _ = which;
        Err(ViewError::Url(url.to_owned()))
    }

    /// Follows the log from now on, in the background, beginning with what is missing.
    ///
    /// # Errors
    /// [`ViewError::OtherLog`] when the views were not made from this log, [`ViewError::Log`].
    pub async fn follow(&self, store: Arc<dyn EventStore>, tail: Arc<Tail>) -> Result<(), ViewError> {
        let _ = (store, tail);
        Ok(())
    }

    /// Brings the views up to `until` (or the head of the log if that comes first) and returns the position reached.
    /// For rebuilds and for views as of a position; not while [`Views::follow`] runs.
    ///
    /// # Errors
    /// As [`Views::follow`], and [`ViewError::Stopped`].
    pub async fn fill(&self, store: &Arc<dyn EventStore>, until: Position) -> Result<Position, ViewError> {
        let _ = (store, until);
        Ok(Position::START)
    }

    /// Waits until every view has reached `position`, at most `timeout` (2 s by default). Wakes the runner at once.
    ///
    /// # Errors
    /// [`ViewError::Late`] when the time is up, [`ViewError::Stopped`] when a view will never get there.
    pub async fn caught_up(&self, position: Position, timeout: Option<Duration>) -> Result<(), ViewError> {
        let _ = (position, timeout);
        Ok(())
    }

    /// Where each view stands.
    #[must_use]
    pub fn status(&self) -> Vec<ViewStatus> {
        Vec::new()
    }

    /// Writes what is folded and ends the background work. Reading still works.
    pub async fn stop(&self) {}
}
