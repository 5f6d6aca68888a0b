//! Reads the log in order. The next portions are read while the present one is worked on; memory holds
//! `AHEAD` + 2 portions.

use std::sync::Arc;

use flexledger_domain::Position;
use flexledger_eventstore::{EventStore, Record, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Records per portion.
pub const PORTION: usize = 4096;
/// Portions that wait to be worked on.
const AHEAD: usize = 2;

/// A walk through the log up to a position.
pub struct Scan {
    portions: mpsc::Receiver<Result<Vec<Record>, StoreError>>,
    /// Taken at the end, which counts only if the reading itself came to it.
    reading: Option<JoinHandle<()>>,
}

impl Scan {
    /// Everything after `after`, up to and with `until`.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, after: Position, until: Position) -> Self {
        let (sender, portions) = mpsc::channel(AHEAD);
        let reading = Some(tokio::spawn(read(store, after, until, sender)));
        Scan { portions, reading }
    }

    /// The next records, in order of their rows; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    pub async fn portion(&mut self) -> Result<Option<Vec<Record>>, StoreError> {
        if let Some(portion) = self.portions.recv().await {
            return portion.map(Some);
        }
        if let Some(reading) = self.reading.take() {
            reading.await.map_err(|_| StoreError::Unusable("reading the log was broken off".to_owned()))?;
        }
        Ok(None)
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

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use flexledger_domain::ids::SubjectId;
    use flexledger_eventstore::{AppendError, Batch, Head, MemoryStore, SubjectKey, contract};

    use super::*;

    /// A log whose reading ends for a reason of its own after so many events.
    struct Ends {
        inner: MemoryStore,
        after: u64,
        error: bool,
    }

    #[async_trait]
    impl EventStore for Ends {
        async fn head(&self) -> Result<Head, StoreError> {
            self.inner.head().await
        }

        async fn append(&self, expected: Position, batch: Batch) -> Result<(), AppendError> {
            self.inner.append(expected, batch).await
        }

        async fn read(&self, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
            if after.number() >= self.after {
                assert!(self.error, "the reader dies");
                return Err(StoreError::Unusable("no more".to_owned()));
            }
            self.inner.read(after, limit).await
        }

        async fn subject_key(&self, _: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
            Ok(None)
        }

        async fn subject_keys(&self) -> Result<Vec<SubjectKey>, StoreError> {
            Ok(Vec::new())
        }

        async fn destroy_subject_key(&self, _: SubjectId) -> Result<bool, StoreError> {
            Ok(false)
        }

        fn durability(&self) -> String {
            String::new()
        }
    }

    const SIZE: u64 = 3 * PORTION as u64;

    async fn log() -> MemoryStore {
        let store = MemoryStore::new();
        let records = contract::records(Position::START, SIZE);
        store.append(Position::START, Batch { records, keys: Vec::new() }).await.unwrap();
        store
    }

    async fn walk(store: impl EventStore, after: u64, until: u64) -> (Vec<u64>, bool) {
        let mut scan = Scan::new(Arc::new(store), Position::new(after), Position::new(until));
        let mut seen = Vec::new();
        loop {
            match scan.portion().await {
                Ok(Some(records)) => seen.extend(records.iter().map(|record| record.position.number())),
                Ok(None) => return (seen, scan.portion().await.is_ok()),
                Err(_) => return (seen, false),
            }
        }
    }

    #[tokio::test]
    async fn everything_between_two_positions_is_read_once() {
        let store = log().await;
        let portion = PORTION as u64;
        for until in [0, 1, portion - 1, portion, portion + 1, SIZE, SIZE + 1, u64::MAX >> 12] {
            for after in [0, 1, portion, SIZE] {
                let expected: Vec<u64> = (after + 1..=until.min(SIZE)).collect();
                assert_eq!(walk(store.clone(), after, until).await, (expected, true), "after {after} to {until}");
            }
        }
    }

    #[tokio::test]
    async fn a_reading_that_breaks_off_is_no_end() {
        let portion = PORTION as u64;
        for error in [true, false] {
            let store = Ends { inner: log().await, after: portion, error };
            assert_eq!(walk(store, 0, SIZE).await, ((1..=portion).collect(), false));
        }
    }
}
