//! The newest events, kept in memory for those who follow the log closely.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
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
    counts: Counts,
}

/// Upper bounds of the sizes of batches that are told apart, in events.
const BOUNDS: [usize; 7] = [1, 4, 16, 64, 256, 1024, 4096];

/// Batches by size, and the events in them.
#[derive(Default)]
struct Counts {
    batches: [AtomicU64; BOUNDS.len() + 1],
    events: AtomicU64,
}

/// How large the batches were that have been published here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes {
    /// The largest size that is counted, and the number of batches above the bound before it; the last has no bound.
    pub buckets: Vec<(Option<usize>, u64)>,
    /// The events in all of them.
    pub events: u64,
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
        Tail { window: Mutex::default(), head: watch::Sender::new(head), capacity, counts: Counts::default() }
    }

    /// Adds a batch that has just become durable.
    pub fn publish(&self, batch: Committed) {
        let Some(last) = batch.last().map(|recorded| recorded.position) else { return };
        self.count(batch.len());
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

    fn count(&self, events: usize) {
        let bucket = BOUNDS.partition_point(|bound| *bound < events);
        if let Some(batches) = self.counts.batches.get(bucket) {
            batches.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.events.fetch_add(u64::try_from(events).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How large the batches were that have been published here since the start.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let bounds = BOUNDS.into_iter().map(Some).chain([None]);
        let batches = self.counts.batches.iter().map(|batches| batches.load(Ordering::Relaxed));
        Sizes { buckets: bounds.zip(batches).collect(), events: self.counts.events.load(Ordering::Relaxed) }
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
        // The window holds thousands of batches and is asked for its end: halving, not walking.
        let seen = window.batches.partition_point(|batch| batch.last().is_some_and(|last| last.position <= after));
        Some(window.batches.range(seen..).cloned().collect())
    }

    /// Told whenever the end moves.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }
}
