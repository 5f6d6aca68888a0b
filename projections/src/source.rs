//! Where the runner gets its events: the newest from memory, older ones from the store.

use std::sync::Arc;

use flexledger_domain::{Position, Recorded};
use flexledger_eventstore::walk::Stride;
use flexledger_eventstore::{Committed, EventStore, RecordRef, Tail, Walk, record};
use tokio::sync::{mpsc, watch};

use crate::ViewError;

/// A chunk has as many events as stay in the processor's own memory until they are folded.
const STRIDE: Stride = Stride { portion: 512, jobs: 2 };

/// Chunks decoded ahead of the fold, which now and then pauses to hand over what it has.
const AHEAD: usize = 32;

/// Events in order, up to a position.
pub(crate) struct Source {
    store: Arc<dyn EventStore>,
    until: Position,
    tail: Option<(Arc<Tail>, watch::Receiver<Position>)>,
    reader: Option<mpsc::Receiver<Result<Committed, ViewError>>>,
    /// Where the last reading of the store began.
    read_from: Option<Position>,
    /// Told everything that is read.
    listener: Option<mpsc::Sender<Committed>>,
}

impl Source {
    /// The events of the store up to `until`, which the listener is told, too.
    pub fn bounded(store: Arc<dyn EventStore>, until: Position, listener: Option<mpsc::Sender<Committed>>) -> Self {
        Source { store, until, tail: None, reader: None, read_from: None, listener }
    }

    /// All events, those to come too.
    pub fn following(store: Arc<dyn EventStore>, tail: Arc<Tail>) -> Self {
        let head = tail.subscribe();
        Source { store, until: Position::MAX, tail: Some((tail, head)), reader: None, read_from: None, listener: None }
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
        let reading = Reading { sender, listener: self.listener.clone() };
        tokio::spawn(reading.ahead(Walk::new(self.store.clone(), after, until, STRIDE, decode).lenient()));
        Ok(())
    }
}

/// A reading of the store in the background.
struct Reading {
    sender: mpsc::Sender<Result<Committed, ViewError>>,
    listener: Option<mpsc::Sender<Committed>>,
}

impl Reading {
    /// Hands on what is read. Ends early when nobody takes the chunks.
    async fn ahead(self, mut walk: Walk<Result<Recorded, ViewError>>) {
        loop {
            let decoded: Result<Vec<Recorded>, ViewError> = match walk.portion().await {
                Ok(Some(chunk)) => chunk.into_iter().collect(),
                Ok(None) => return,
                Err(error) => Err(error.into()),
            };
            if !self.tell(decoded.map(Arc::new)).await {
                return;
            }
        }
    }

    /// Whether there is reason to go on.
    async fn tell(&self, decoded: Result<Committed, ViewError>) -> bool {
        let goes_on = decoded.is_ok();
        if let (Some(listener), Ok(batch)) = (&self.listener, &decoded) {
            // One that is gone misses what it does not want.
            let _gone = listener.send(batch.clone()).await;
        }
        self.sender.send(decoded).await.is_ok() && goes_on
    }
}

/// Decodes one record.
pub(crate) fn decode(stored: RecordRef<'_>) -> Result<Recorded, ViewError> {
    record::decode_trusted(stored.bytes).map_err(|error| ViewError::Record(stored.position, error.to_string()))
}
