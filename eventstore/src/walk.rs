//! Reads the log in order, and works on the records where they lie: several portions at a time, ahead of who takes them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use flexledger_domain::Position;
use tokio::task::JoinHandle;

use crate::port::{EventStore, Record, RecordRef, StoreError};

/// How a walk proceeds. It holds at most `portion` times `jobs` results.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Records per portion, above zero.
    pub portion: usize,
    /// Portions that are read, or wait to be taken, at a time; above zero.
    pub jobs: usize,
}

impl Pace {
    /// For whoever reads everything.
    pub const WHOLE: Pace = Pace { portion: 1024, jobs: 4 };
}

/// A walk through the log up to a position, which makes a `T` of each record.
pub struct Walk<T> {
    pace: Pace,
    until: Position,
    /// Where the next portion begins, if there are no gaps.
    next: Position,
    start: Box<dyn Fn(Position) -> Job<T> + Send>,
    ahead: VecDeque<Job<T>>,
}

/// The reading of one portion. Ends when it is dropped.
struct Job<T> {
    after: Position,
    limit: usize,
    reading: JoinHandle<Result<Portion<T>, StoreError>>,
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

struct Portion<T> {
    made: Vec<T>,
    read: usize,
    last: Position,
}

impl Walk<Record> {
    /// The records themselves: everything after `after`, up to and with `until`.
    #[must_use]
    pub fn records(store: Arc<dyn EventStore>, after: Position, until: Position) -> Self {
        Walk::new(store, after, until, Pace::WHOLE, |record| record.to_owned())
    }
}

impl<T: Send + 'static> Walk<T> {
    /// Everything after `after`, up to and with `until`. `make` runs on threads that may be busy for long.
    pub fn new(
        store: Arc<dyn EventStore>,
        after: Position,
        until: Position,
        pace: Pace,
        make: impl Fn(RecordRef<'_>) -> T + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        let start = move |after: Position| {
            let limit = usize::try_from(until.after(after)).unwrap_or(pace.portion).min(pace.portion);
            let reading = tokio::spawn(read(store.clone(), after, until, limit, make.clone()));
            Job { after, limit, reading }
        };
        Walk { pace, until, next: after, start: Box::new(start), ahead: VecDeque::with_capacity(pace.jobs) }
    }

    /// What was made of the next records, in order of their rows; `None` at the end. Nothing is lost when the caller
    /// stops waiting.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    pub async fn portion(&mut self) -> Result<Option<Vec<T>>, StoreError> {
        while self.next < self.until && self.ahead.len() < self.pace.jobs {
            self.ahead.push_back((self.start)(self.next));
            self.next = self.next.plus(self.pace.portion as u64);
        }
        let Some(job) = self.ahead.front_mut() else { return Ok(None) };
        let done = (&mut job.reading).await;
        let (limit, expected) = (job.limit, job.after.plus(job.limit as u64));
        self.ahead.pop_front();
        let read = done.unwrap_or_else(|_| Err(StoreError::Unusable("reading the log was broken off".to_owned())));
        let Portion { made, read, last } = match read {
            Ok(portion) => portion,
            Err(error) => {
                self.end();
                return Err(error);
            }
        };
        if read < limit || last >= self.until {
            self.end();
        } else if last != expected {
            // There is a gap, so what was begun after it began at a wrong place.
            self.ahead.clear();
            self.next = last;
        }
        Ok(Some(made).filter(|made| !made.is_empty()))
    }

    fn end(&mut self) {
        self.ahead.clear();
        self.next = self.until;
    }
}

async fn read<T: Send + 'static>(
    store: Arc<dyn EventStore>,
    after: Position,
    until: Position,
    limit: usize,
    make: Arc<impl Fn(RecordRef<'_>) -> T + Send + Sync + 'static>,
) -> Result<Portion<T>, StoreError> {
    let shared = Arc::new(Mutex::new(Portion { made: Vec::with_capacity(limit), read: 0, last: after }));
    let filled = shared.clone();
    let visitor = move |record: RecordRef<'_>| {
        let mut portion = filled.lock().unwrap_or_else(PoisonError::into_inner);
        portion.read += 1;
        portion.last = record.position;
        if record.position <= until {
            let made = make(record);
            portion.made.push(made);
        }
    };
    store.visit(after, limit, Box::new(visitor)).await?;
    let mut portion = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let (made, read, last) = (std::mem::take(&mut portion.made), portion.read, portion.last);
    Ok(Portion { made, read, last })
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use flexledger_domain::ids::SubjectId;

    use super::*;
    use crate::{AppendError, Batch, Head, MemoryStore, SqliteStore, SubjectKey, contract, sqlite};

    /// A log whose reading ends for a reason of its own after so many events, and which lost some.
    struct Ends {
        inner: MemoryStore,
        after: u64,
        error: bool,
        lost: Vec<u64>,
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
            let mut records = self.inner.read(after, usize::MAX).await?;
            records.retain(|record| !self.lost.contains(&record.position.number()));
            records.truncate(limit);
            Ok(records)
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

    const PORTION: u64 = Pace::WHOLE.portion as u64;
    const SIZE: u64 = 3 * PORTION;

    async fn fill(store: &dyn EventStore) {
        let records = contract::records(Position::START, SIZE);
        store.append(Position::START, Batch { records, keys: Vec::new() }).await.unwrap();
    }

    async fn log() -> MemoryStore {
        let store = MemoryStore::new();
        fill(&store).await;
        store
    }

    async fn walk(store: Arc<dyn EventStore>, after: u64, until: u64) -> (Vec<u64>, bool) {
        let number = |record: RecordRef<'_>| record.position.number();
        let mut walk = Walk::new(store, Position::new(after), Position::new(until), Pace::WHOLE, number);
        let mut seen = Vec::new();
        loop {
            match walk.portion().await {
                Ok(Some(numbers)) => seen.extend(numbers),
                Ok(None) => return (seen, walk.portion().await.is_ok_and(|more| more.is_none())),
                Err(_) => return (seen, false),
            }
        }
    }

    #[tokio::test]
    async fn everything_between_two_positions_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let mode = sqlite::Mode::Writer { holder: "a test".to_owned() };
        let file = SqliteStore::open(&folder.path().join("events.db"), mode).await.unwrap();
        fill(&file).await;
        let stores: [Arc<dyn EventStore>; 2] = [Arc::new(log().await), Arc::new(file)];
        for store in stores {
            for until in [0, 1, PORTION - 1, PORTION, PORTION + 1, SIZE, SIZE + 1, u64::MAX >> 12] {
                for after in [0, 1, PORTION, SIZE] {
                    let expected: Vec<u64> = (after + 1..=until.min(SIZE)).collect();
                    assert_eq!(walk(store.clone(), after, until).await, (expected, true), "after {after} to {until}");
                }
            }
            store.close().await;
        }
    }

    #[tokio::test]
    async fn records_come_as_they_are() {
        let store = log().await;
        let mut walk = Walk::records(Arc::new(store.clone()), Position::new(7), Position::new(9));
        let expected = store.read(Position::new(7), 2).await.unwrap();
        assert_eq!(walk.portion().await.unwrap(), Some(expected));
    }

    #[tokio::test]
    async fn gaps_are_passed_over_and_what_follows_is_read() {
        for lost in [vec![1], vec![2, 3, PORTION], (1..=PORTION).collect(), (5..=2 * PORTION).collect(), vec![SIZE]] {
            let store = Ends { inner: log().await, after: u64::MAX, error: true, lost: lost.clone() };
            let expected: Vec<u64> = (1..=SIZE).filter(|number| !lost.contains(number)).collect();
            assert_eq!(walk(Arc::new(store), 0, SIZE).await, (expected, true));
        }
    }

    #[tokio::test]
    async fn a_reading_that_breaks_off_is_no_end() {
        for error in [true, false] {
            let store = Ends { inner: log().await, after: PORTION, error, lost: Vec::new() };
            assert_eq!(walk(Arc::new(store), 0, SIZE).await, ((1..=PORTION).collect(), false));
        }
    }
}
