//! Reads the log in order. The next portions are read while the present one is worked on; memory holds
//! [`AHEAD`] + 2 portions.

use std::sync::Arc;

use flexledger_domain::Position;
use flexledger_eventstore::{EventStore, Record, StoreError};
use tokio::sync::mpsc;

/// Records per portion.
pub const PORTION: usize = 4096;
/// Portions that wait to be worked on.
const AHEAD: usize = 2;

/// A walk through the log up to a position.
pub struct Scan {
    portions: mpsc::Receiver<Result<Vec<Record>, StoreError>>,
}

impl Scan {
    /// Everything after `after`, up to and with `until`.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, after: Position, until: Position) -> Self {
        let (sender, portions) = mpsc::channel(AHEAD);
        tokio::spawn(read(store, after, until, sender));
        Scan { portions }
    }

    /// The next records, in order of their rows; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    pub async fn portion(&mut self) -> Result<Option<Vec<Record>>, StoreError> {
        self.portions.recv().await.transpose()
    }
}

async fn read(
    store: Arc<dyn EventStore>,
    mut after: Position,
    until: Position,
    sender: mpsc::Sender<Result<Vec<Record>, StoreError>>,
) {
    loop {
        let mut records = match store.read(after, PORTION).await {
            Ok(records) => records,
            Err(error) => {
                // A walk that was given up needs no error.
                let _gone = sender.send(Err(error)).await;
                return;
            }
        };
        let full = records.len() == PORTION;
        let last = records.last().map_or(until, |record| record.position);
        records.retain(|record| record.position <= until);
        if records.is_empty() || sender.send(Ok(records)).await.is_err() || !full || last >= until {
            return;
        }
        after = last;
    }
}
