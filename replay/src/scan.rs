//! Reads the log in order. The next portion is read while the present one is worked on; memory holds two portions.

use std::sync::Arc;

use flexledger_domain::Position;
use flexledger_eventstore::{EventStore, Record, StoreError};
use tokio::task::JoinHandle;

/// Records per portion.
pub const PORTION: usize = 4096;

type Reading = JoinHandle<Result<Vec<Record>, StoreError>>;

/// A walk through the log up to a position.
pub struct Scan {
    store: Arc<dyn EventStore>,
    until: Position,
    next: Option<Reading>,
}

impl Scan {
    /// Everything after `after`, up to and with `until`.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, after: Position, until: Position) -> Self {
        let mut scan = Scan { store, until, next: None };
        scan.read_on(after);
        scan
    }

    /// The next records, in order of their rows; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    pub async fn portion(&mut self) -> Result<Option<Vec<Record>>, StoreError> {
        let Some(reading) = self.next.take() else { return Ok(None) };
        let lost = |_| StoreError::Unusable("reading the log was broken off".to_owned());
        let mut records = reading.await.map_err(lost)??;
        let full = records.len() == PORTION;
        let last = records.last().map(|record| record.position);
        records.retain(|record| record.position <= self.until);
        if let (true, Some(last)) = (full && last.is_some_and(|last| last < self.until), last) {
            self.read_on(last);
        }
        Ok((!records.is_empty()).then_some(records))
    }

    fn read_on(&mut self, after: Position) {
        let store = self.store.clone();
        self.next = Some(tokio::spawn(async move { store.read(after, PORTION).await }));
    }
}
