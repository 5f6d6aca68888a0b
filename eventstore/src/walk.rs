//! Reads the log in order, and works on the records where they lie: several portions at a time, ahead of who takes them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use flexledger_domain::Position;
use tokio::task::JoinHandle;

use crate::port::{EventStore, Record, RecordRef, StoreError};

/// How a walk proceeds. It holds what was made of at most `portion` times `jobs` records, besides what was taken.
#[derive(Debug, Clone, Copy)]
pub struct Stride {
    /// Records per portion, at least one.
    pub portion: usize,
    /// Portions that are read, or wait to be taken, at a time; at least one.
    pub jobs: usize,
}

impl Stride {
    /// For whoever reads everything.
    pub const WHOLE: Stride = Stride { portion: 1024, jobs: 4 };
}

/// A walk through the log up to a position, which makes a `T` of each record.
pub struct Walk<T> {
    stride: Stride,
    until: Position,
    /// Where the next portion begins, if no event is missing.
    next: Position,
    start: Box<dyn Fn(Position) -> Job<T> + Send>,
    ahead: VecDeque<Job<T>>,
    /// Whether a missing event is passed over.
    lenient: bool,
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
    /// The last position of those that something was made of.
    last: Position,
    /// The furthest one that belongs into this portion.
    furthest: Position,
    /// Whether nothing but records behind the end of the walk was read.
    beyond: bool,
    /// The first position where something else, or nothing, was found.
    missing: Option<Position>,
}

impl Walk<Record> {
    /// The records themselves: everything after `after`, up to and with `until`.
    #[must_use]
    pub fn records(store: Arc<dyn EventStore>, after: Position, until: Position) -> Self {
        Walk::new(store, after, until, Stride::WHOLE, |record| record.to_owned())
    }
}

impl<T: Send + 'static> Walk<T> {
    /// Everything after `after`, up to and with `until`, where the log must reach. `make` runs on threads that may be
    /// busy for long.
    pub fn new(
        store: Arc<dyn EventStore>,
        after: Position,
        until: Position,
        stride: Stride,
        make: impl Fn(RecordRef<'_>) -> T + Send + Sync + 'static,
    ) -> Self {
        let stride = Stride { portion: stride.portion.max(1), jobs: stride.jobs.max(1) };
        let make = Arc::new(make);
        let start = move |after: Position| {
            let limit = usize::try_from(until.after(after)).unwrap_or(stride.portion).min(stride.portion);
            let reading = tokio::spawn(read(store.clone(), after, until, limit, make.clone()));
            Job { after, limit, reading }
        };
        let ahead = VecDeque::with_capacity(stride.jobs);
        Walk { stride, until, next: after, start: Box::new(start), ahead, lenient: false }
    }

    /// Takes the rows as they lie: missing events are passed over, and the log may end before `until`. For who looks at
    /// the positions itself.
    #[must_use]
    pub fn lenient(self) -> Self {
        Walk { lenient: true, ..self }
    }

    /// What was made of the next records, in order of their rows; `None` at the end. Nothing is lost when the caller
    /// stops waiting.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read; [`StoreError::Missing`] when it lacks an event.
    pub async fn portion(&mut self) -> Result<Option<Vec<T>>, StoreError> {
        while self.next < self.until && self.ahead.len() < self.stride.jobs {
            self.ahead.push_back((self.start)(self.next));
            self.next = self.next.plus(self.stride.portion as u64);
        }
        let Some(job) = self.ahead.front_mut() else { return Ok(None) };
        let done = (&mut job.reading).await;
        let (after, limit, expected) = (job.after, job.limit, job.after.plus(job.limit as u64));
        self.ahead.pop_front();
        let read = done.unwrap_or_else(|_| Err(StoreError::Unusable("reading the log was broken off".to_owned())));
        let portion = match read {
            Ok(Portion { missing: Some(missing), .. }) if !self.lenient => Err(StoreError::Missing(missing)),
            read => read,
        };
        let portion = portion.inspect_err(|_| self.end())?;
        if portion.read < limit || portion.beyond || portion.last >= self.until {
            self.end();
        } else if portion.last != expected {
            // What was begun after it began at a wrong place. Never back, whatever positions damaged rows show.
            self.ahead.clear();
            self.next = match portion.last > expected {
                true => portion.last,
                false if portion.furthest > after => portion.furthest,
                false => expected,
            };
        }
        Ok(Some(portion.made).filter(|made| !made.is_empty()))
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
    let made = Vec::with_capacity(limit);
    let empty = Portion { made, read: 0, last: after, furthest: after, beyond: true, missing: None };
    let (shared, end) = (Arc::new(Mutex::new(empty)), after.plus(limit as u64));
    let filled = shared.clone();
    let visitor = move |record: RecordRef<'_>| {
        let mut portion = filled.lock().unwrap_or_else(PoisonError::into_inner);
        portion.read += 1;
        let expected = after.plus(portion.read as u64);
        if record.position != expected {
            portion.missing.get_or_insert(expected);
        }
        if record.position <= until {
            let made = make(record);
            portion.made.push(made);
            portion.last = record.position;
            if record.position <= end {
                portion.furthest = portion.furthest.max(record.position);
            }
            portion.beyond = false;
        }
    };
    store.visit(after, limit, Box::new(visitor)).await?;
    let mut portion = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let Portion { read, last, furthest, beyond, missing, .. } = *portion;
    let missing = missing.or_else(|| (read < limit).then(|| after.plus(read as u64 + 1)));
    Ok(Portion { made: std::mem::take(&mut portion.made), read, last, furthest, beyond, missing })
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

    const PORTION: u64 = Stride::WHOLE.portion as u64;
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
        let walk = Walk::new(store, Position::new(after), Position::new(until), Stride::WHOLE, number);
        seen(walk.lenient()).await
    }

    async fn strict(store: Arc<dyn EventStore>, after: u64, until: u64) -> (Vec<u64>, bool) {
        let number = |record: RecordRef<'_>| record.position.number();
        seen(Walk::new(store, Position::new(after), Position::new(until), Stride::WHOLE, number)).await
    }

    async fn seen(mut walk: Walk<u64>) -> (Vec<u64>, bool) {
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
                    assert_eq!(walk(store.clone(), after, until).await, (expected.clone(), true), "{after} to {until}");
                    let whole = until <= SIZE || after >= until;
                    assert_eq!(strict(store.clone(), after, until).await.1, whole, "{after} to {until}");
                    if whole {
                        assert_eq!(strict(store.clone(), after, until).await.0, expected, "{after} to {until}");
                    }
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
            let store: Arc<dyn EventStore> = Arc::new(store);
            let expected: Vec<u64> = (1..=SIZE).filter(|number| !lost.contains(number)).collect();
            assert_eq!(walk(store.clone(), 0, SIZE).await, (expected, true));
            // Who does not look at the positions is told.
            assert!(!strict(store, 0, SIZE).await.1);
        }
    }

    /// A damaged file may show a row under a wrong position, wherever it lies.
    #[tokio::test]
    async fn a_row_under_a_wrong_position_is_no_end_and_no_way_back() {
        for (row, shown) in [
            (PORTION, 0),
            (PORTION, 3),
            (PORTION, SIZE - 1),
            (PORTION, SIZE + 9),
            (PORTION, 1 << 40),
            (2 * PORTION, 1),
            (PORTION + 1, SIZE + 9),
            (PORTION - 1, SIZE + 9),
            (7, SIZE),
            (SIZE, 1 << 40),
            (SIZE, 0),
        ] {
            let log = log().await;
            log.tamper(Position::new(row), |record| record.position = Position::new(shown));
            let store: Arc<dyn EventStore> = Arc::new(log);
            let (seen, ended) = walk(store.clone(), 0, SIZE).await;
            assert!(ended, "{row} as {shown}");
            assert!(seen != (1..=SIZE).collect::<Vec<_>>(), "{row} as {shown}: who looks at the positions sees it");
            let missing = (1..=SIZE).filter(|number| *number != row && !seen.contains(number)).count();
            // The last row of a portion that shows a later position looks as if all between were missing.
            assert!(missing == 0 || (row == PORTION && shown > row && shown < SIZE), "{row} as {shown}: {missing}");
            assert!(!strict(store, 0, SIZE).await.1, "{row} as {shown}");
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
