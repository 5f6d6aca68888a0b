//! Where the runner gets its events: the newest from memory, older ones from the store.

use std::sync::Arc;

use flexledger_domain::{Position, Recorded};
use flexledger_eventstore::{Committed, EventStore, Record, Tail, record};
use tokio::sync::{mpsc, watch};

use crate::ViewError;

/// Events read from the store at once.
const CHUNK: usize = 4096;

/// Chunks decoded ahead of the fold.
const AHEAD: usize = 2;

/// Events in order, up to a position.
pub(crate) struct Source {
    store: Arc<dyn EventStore>,
    until: Position,
    tail: Option<(Arc<Tail>, watch::Receiver<Position>)>,
    reader: Option<mpsc::Receiver<Result<Committed, ViewError>>>,
    /// Where the last reading of the store began.
    read_from: Option<Position>,
}

impl Source {
    /// The events of the store up to `until`.
    pub fn bounded(store: Arc<dyn EventStore>, until: Position) -> Self {
        Source { store, until, tail: None, reader: None, read_from: None }
    }

    /// All events, those to come too.
    pub fn following(store: Arc<dyn EventStore>, tail: Arc<Tail>) -> Self {
        let head = tail.subscribe();
        Source { store, until: Position::MAX, tail: Some((tail, head)), reader: None, read_from: None }
    }

    /// The next events after `after`, waiting for them if need be; the first few may lie before. `None` at the end.
    /// Nothing is lost when the caller stops waiting.
    pub async fn next(&mut self, after: Position) -> Result<Option<Vec<Committed>>, ViewError> {
        loop {
            if let Some(reader) = &mut self.reader {
                match reader.recv().await {
                    Some(Ok(batch)) => return Ok(Some(vec![batch])),
                    Some(Err(error)) => {
                        self.reader = None;
                        return Err(error);
                    }
                    None => self.reader = None,
                }
                continue;
            }
            if after >= self.until {
                return Ok(None);
            }
            let Some((tail, head)) = &mut self.tail else {
                self.read(after, self.until)?;
                continue;
            };
            let newest = *head.borrow_and_update();
            if newest <= after {
                if head.changed().await.is_err() {
                    return Ok(None);
                }
                continue;
            }
            match tail.after(after) {
                Some(batches) if !batches.is_empty() => return Ok(Some(batches)),
                _ => self.read(after, newest)?,
            }
        }
    }

    /// Starts reading the store in the background. Beginning twice at one place means that nothing is there.
    fn read(&mut self, after: Position, until: Position) -> Result<(), ViewError> {
        if self.read_from.replace(after) == Some(after) {
            return Err(ViewError::Missing(after));
        }
        let (sender, receiver) = mpsc::channel(AHEAD);
        self.reader = Some(receiver);
        tokio::spawn(read_ahead(self.store.clone(), after, until, sender));
        Ok(())
    }
}

/// Reads and decodes: while one chunk is decoded, the next is read.
async fn read_ahead(
    store: Arc<dyn EventStore>,
    after: Position,
    until: Position,
    sender: mpsc::Sender<Result<Committed, ViewError>>,
) {
    let mut records = read_chunk(store.as_ref(), after, until).await;
    loop {
        let batch = match records {
            Ok(batch) if !batch.is_empty() => batch,
            Ok(_) => return,
            Err(error) => {
                // A receiver that is gone needs no error.
                let _ = sender.send(Err(error)).await;
                return;
            }
        };
        let last = batch.last().map_or(until, |record| record.position);
        let decoding = tokio::task::spawn_blocking(move || decode(&batch));
        let (decoded, next) = tokio::join!(decoding, read_chunk(store.as_ref(), last, until));
        let decoded = decoded.unwrap_or_else(|error| Err(ViewError::Record(last, error.to_string())));
        let failed = decoded.is_err();
        if sender.send(decoded.map(Arc::new)).await.is_err() || failed {
            return;
        }
        records = next;
    }
}

async fn read_chunk(store: &dyn EventStore, after: Position, until: Position) -> Result<Vec<Record>, ViewError> {
    let missing = usize::try_from(until.after(after)).unwrap_or(CHUNK).min(CHUNK);
    if missing == 0 {
        return Ok(Vec::new());
    }
    Ok(store.read(after, missing).await?)
}

fn decode(records: &[Record]) -> Result<Vec<Recorded>, ViewError> {
    records.iter().map(decode_one).collect()
}

/// Decodes one record.
pub(crate) fn decode_one(stored: &Record) -> Result<Recorded, ViewError> {
    record::decode_trusted(&stored.bytes).map_err(|error| ViewError::Record(stored.position, error.to_string()))
}
