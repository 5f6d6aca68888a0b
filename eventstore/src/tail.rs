//! The newest events, kept in memory for those who follow the log closely.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use flexledger_domain::{Position, Recorded};
use tokio::sync::watch;

/// One durable batch of events, without gaps.
pub type Committed = Arc<Vec<Recorded>>;

/// A window over the end of the log. The writer publishes each batch once it is durable; followers that fall out of
/// the window read the store instead.
pub struct Tail {
    window: Mutex<Window>,
    head: watch::Sender<Position>,
    capacity: usize,
}

#[derive(Default)]
struct Window {
    batches: VecDeque<Committed>,
    events: usize,
}

impl Tail {
    /// A window of about `capacity` events over a log that ends at `head`.
    #[must_use]
    pub fn new(capacity: usize, head: Position) -> Self {
        Tail { window: Mutex::default(), head: watch::Sender::new(head), capacity }
    }

    /// Adds a batch that has just become durable.
    pub fn publish(&self, batch: Committed) {
        let Some(last) = batch.last().map(|recorded| recorded.position) else { return };
        {
            let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
            window.events += batch.len();
            window.batches.push_back(batch);
            while window.events > self.capacity && window.batches.len() > 1 {
                let gone = window.batches.pop_front().map_or(0, |batch| batch.len());
                window.events -= gone;
            }
        }
        self.head.send_replace(last);
    }

    /// Moves the end without events, when they were stored by another writer. Followers then read the store.
    pub fn skip_to(&self, head: Position) {
        {
            let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
            *window = Window::default();
        }
        self.head.send_replace(head);
    }

    /// Where the log ends, as far as is known here.
    #[must_use]
    pub fn head(&self) -> Position {
        *self.head.borrow()
    }

    /// The batches that hold the events after `after`; the first may begin before them.
    /// `None` when the window begins later: read the store.
    #[must_use]
    pub fn after(&self, after: Position) -> Option<Vec<Committed>> {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let first = window.batches.front()?.first()?.position;
        if first > after.next() {
            return None;
        }
        let ends_later = |batch: &&Committed| batch.last().is_some_and(|recorded| recorded.position > after);
        Some(window.batches.iter().filter(ends_later).cloned().collect())
    }

    /// Told whenever the end moves.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }
}
