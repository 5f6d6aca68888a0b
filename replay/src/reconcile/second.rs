//! The second fold: what the postings alone give. It takes the events that the views are made from as they pass, so that
//! the log is read once; where it missed some, it reads the log itself.

use std::sync::Arc;

use flexledger_domain::{Position, Recorded};
use flexledger_eventstore::{Committed, EventStore, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::ReconcileError;
use crate::events::events;
use crate::postings::Postings;

/// Batches that wait to be folded.
const AHEAD: usize = 32;

/// Postings folded up to a position.
pub(super) struct Second {
    postings: Postings,
    at: Position,
    /// Whether an event was missed.
    gap: bool,
}

/// A task that ends when nobody waits for it any more.
pub(super) struct AbortOnDrop<T>(pub JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Second {
    /// Nothing folded yet.
    pub fn new() -> Self {
        Second { postings: Postings::with_trails(), at: Position::START, gap: false }
    }

    /// Folds what is sent, in a thread of its own, until the sender is dropped.
    pub fn listen(mut self) -> (mpsc::Sender<Committed>, JoinHandle<Second>) {
        let (sender, mut batches) = mpsc::channel::<Committed>(AHEAD);
        let listening = tokio::task::spawn_blocking(move || {
            while let Some(batch) = batches.blocking_recv() {
                batch.iter().for_each(|event| self.take(event));
            }
            self
        });
        (sender, listening)
    }

    fn take(&mut self, event: &Recorded) {
        if self.gap || event.position <= self.at {
            return;
        }
        if event.position != self.at.next() {
            self.gap = true;
            return;
        }
        // What the log itself gets wrong is for `verify` to tell.
        self.postings.take(event, &mut |_, _| {});
        self.at = event.position;
    }

    /// The postings at `until`: those that were folded already if they end there, else read from the log.
    pub fn at(self, until: Position, store: Arc<dyn EventStore>) -> AbortOnDrop<Result<Postings, ReconcileError>> {
        AbortOnDrop(tokio::spawn(async move {
            if self.at == until && !self.gap { Ok(self.postings) } else { fold(store, until).await }
        }))
    }
}

impl<T> AbortOnDrop<Result<T, ReconcileError>> {
    /// Waits for the end.
    pub async fn end(mut self) -> Result<T, ReconcileError> {
        let lost = |_| StoreError::Unusable("folding the postings was broken off".to_owned());
        (&mut self.0).await.map_err(lost)?
    }
}

/// Folds the postings of the log up to `until`.
pub(super) async fn fold(store: Arc<dyn EventStore>, until: Position) -> Result<Postings, ReconcileError> {
    let mut postings = Postings::with_trails();
    let mut walk = events(store, Position::START, until);
    while let Some(portion) = walk.portion().await? {
        for event in portion {
            postings.take(&event.map_err(ReconcileError::Damaged)?, &mut |_, _| {});
        }
    }
    Ok(postings)
}
