use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::contract;

struct Files {
    dir: TempDir,
    next: std::sync::atomic::AtomicU32,
}

impl Files {
    fn new() -> Self {
        Files { dir: tempfile::tempdir().unwrap(), next: 0.into() }
    }
}

fn writer() -> Mode {
    Mode::Writer { holder: this_process() }
}

#[async_trait]
impl contract::Harness for Files {
    async fn fresh(&self) -> Arc<dyn EventStore> {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = self.dir.path().join(format!("{number}.db"));
        Arc::new(SqliteStore::open(&path, writer()).await.unwrap())
    }

    async fn reopen(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        let number = self.next.load(std::sync::atomic::Ordering::Relaxed) - 1;
        drop(store);
        let path = self.dir.path().join(format!("{number}.db"));
        Arc::new(SqliteStore::open(&path, writer()).await.unwrap())
    }

    async fn misplace(&self, _: &Arc<dyn EventStore>, places: &[i64]) -> bool {
        let number = self.next.load(std::sync::atomic::Ordering::Relaxed) - 1;
        let mut connection = open::writer(&self.dir.path().join(format!("{number}.db"))).await.unwrap();
        for place in places {
            let copy = "INSERT INTO events (position, body, hash) SELECT ?, body, hash FROM events WHERE position = 1";
            connection.execute(sqlx::query(copy).bind(place)).await.unwrap();
        }
        true
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    contract::run(&Files::new()).await;
}

fn batch(after: u64, count: u64) -> Batch {
    Batch { records: contract::records(Position::new(after), count), keys: Vec::new() }
}

#[tokio::test]
async fn a_second_writer_is_told_who_holds_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let first = SqliteStore::open(&path, Mode::Writer { holder: "process 1 on here".to_owned() }).await.unwrap();
    let second = SqliteStore::open(&path, writer()).await;
    assert!(matches!(second, Err(StoreError::Held(who)) if who == "process 1 on here"));
    drop(first);
    SqliteStore::open(&path, writer()).await.unwrap();
}

#[tokio::test]
async fn a_reader_reads_beside_the_writer_and_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let store = SqliteStore::open(&path, writer()).await.unwrap();
    let reader = SqliteStore::open(&path, Mode::Reader).await.unwrap();
    assert_eq!(reader.head().await.unwrap(), Head::default());
    store.append(Position::START, batch(0, 300)).await.unwrap();
    assert_eq!(reader.head().await.unwrap().position, Position::new(300));
    assert_eq!(reader.read(Position::START, 1000).await.unwrap(), store.read(Position::START, 1000).await.unwrap());
    assert!(matches!(reader.append(Position::new(300), batch(300, 1)).await, Err(AppendError::Unavailable(_))));
    assert!(reader.destroy_subject_key(SubjectId::from_uuid(Uuid::nil())).await.is_err());
    store.close().await;
    drop(store);
    let late = SqliteStore::open(&path, Mode::Reader).await.unwrap();
    assert_eq!(late.head().await.unwrap().position, Position::new(300));
}

#[tokio::test]
async fn what_is_no_log_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing.db");
    let Err(StoreError::Unusable(text)) = SqliteStore::open(&missing, Mode::Reader).await else { panic!("opened") };
    assert!(text.contains("missing.db"));
    assert!(!missing.exists(), "a reader makes no file");
    let garbage = dir.path().join("garbage.db");
    std::fs::write(&garbage, vec![b'x'; 10_000]).unwrap();
    let foreign = dir.path().join("foreign.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&foreign).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute("CREATE TABLE events (position INTEGER)").await.unwrap();
    connection.close().await.unwrap();
    for path in [&garbage, &foreign] {
        for mode in [Mode::Reader, writer()] {
            let Err(StoreError::Unusable(text)) = SqliteStore::open(path, mode).await else { panic!("opened") };
            assert!(text.contains(".db"), "{text}");
        }
    }
}

/// Other programs see the events as plain text under their positions.
async fn raw(path: &Path, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn damaged_rows_are_read_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let store = SqliteStore::open(&path, writer()).await.unwrap();
    store.append(Position::START, batch(0, 600)).await.unwrap();
    raw(&path, "UPDATE events SET body = x'fffe00' WHERE position = 3").await;
    raw(&path, "UPDATE events SET hash = x'00' WHERE position = 4").await;
    raw(&path, "UPDATE events SET body = 17 WHERE position = 5").await;
    raw(&path, "UPDATE events SET body = '{\"n\":5}x', hash = zeroblob(33) WHERE position = 6").await;
    raw(&path, "DELETE FROM events WHERE position = 300").await;
    let read = store.read(Position::START, 1000).await.unwrap();
    assert_eq!(read.len(), 599);
    assert_eq!(read[2].bytes, [0xff, 0xfe, 0]);
    assert_eq!((read[3].bytes.as_slice(), read[3].hash), (b"{\"n\":3}".as_slice(), Hash::default()));
    assert_eq!((read[4].bytes.as_slice(), read[5].hash), (b"17".as_slice(), Hash::default()));
    assert_eq!((read[298].position, read[299].position), (Position::new(299), Position::new(301)));
}

#[tokio::test]
async fn nothing_of_a_destroyed_key_stays_in_any_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let store = SqliteStore::open(&path, writer()).await.unwrap();
    let sealed = |number: u128| {
        let mut bytes = format!("KEY-{number:08}-").repeat(5).into_bytes();
        bytes.truncate(60);
        bytes
    };
    let subject =
        |number: u128| SubjectId::from_uuid(Uuid::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_1234_5678)));
    // Keys come in many batches and in mixed order, so that pages of the table are split and filled again.
    for round in 0..40_u128 {
        let keys = (0..25).map(|n| SubjectKey { subject: subject(round * 25 + n), sealed: sealed(round * 25 + n) });
        let batch = Batch { records: contract::records(Position::new(round as u64), 1), keys: keys.collect() };
        store.append(Position::new(round as u64), batch).await.unwrap();
    }
    let found = |number: u128| {
        let needle = &sealed(number)[..26];
        std::fs::read_dir(dir.path()).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    };
    for number in [0, 1, 250, 499, 777, 999] {
        assert!(found(number), "key {number} was there");
        assert!(store.destroy_subject_key(subject(number)).await.unwrap());
        assert!(!found(number), "key {number} is still in a file");
    }
    assert!(found(2));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_a_log_that_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("events.db"), writer()).await.unwrap();
    for round in 0..30_u64 {
        let before = store.head().await.unwrap().position;
        let limit = std::time::Duration::from_micros(round * 40);
        // Sometimes the append is cut off in the middle, sometimes it is done.
        let _ = tokio::time::timeout(limit, store.append(before, batch(before.number(), 700))).await;
        let after = loop {
            let head = store.head().await.unwrap().position;
            match store.append(head, Batch::default()).await {
                Ok(()) => break head,
                Err(AppendError::Conflict(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        };
        assert!(after == before || after == before.plus(700), "all or nothing");
    }
}

#[tokio::test]
async fn a_full_disk_is_reported_and_survived() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let store = SqliteStore::open(&path, writer()).await.unwrap();
    store.append(Position::START, batch(0, 10)).await.unwrap();
    // SQLite's own limit stands in for the disk: it fails in the same place, with the same error.
    let writer = store.writer().unwrap();
    let mut slot = writer.connection.lock().await;
    let mut connection = store.connection(&mut slot).await.unwrap();
    connection.execute("PRAGMA max_page_count = 8").await.unwrap();
    *slot = Slot::Ready(connection);
    drop(slot);
    let records = contract::chain(store.head().await.unwrap(), (0..100).map(|_| vec![b'x'; 10_000]));
    let result = store.append(Position::new(10), Batch { records: records.clone(), keys: Vec::new() }).await;
    assert!(matches!(result, Err(AppendError::Unavailable(_))), "{result:?}");
    assert_eq!(store.head().await.unwrap().position, Position::new(10));
    // The next connection has no such limit: writes succeed again.
    store.append(Position::new(10), Batch { records, keys: Vec::new() }).await.unwrap();
    assert_eq!(store.head().await.unwrap().position, Position::new(110));
}

#[tokio::test]
async fn a_failed_commit_is_unknown_and_healed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let store = SqliteStore::open(&path, writer()).await.unwrap();
    // A deferred constraint fails in the commit and nowhere else.
    let writer = store.writer().unwrap();
    let mut slot = writer.connection.lock().await;
    let mut connection = store.connection(&mut slot).await.unwrap();
    connection
        .execute(
            "PRAGMA foreign_keys = ON; CREATE TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TABLE child (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER fail AFTER INSERT ON events BEGIN INSERT INTO child VALUES (1); END",
        )
        .await
        .unwrap();
    *slot = Slot::Ready(connection);
    drop(slot);
    let result = store.append(Position::START, batch(0, 2)).await;
    assert!(matches!(result, Err(AppendError::Unknown(_))), "{result:?}");
    raw(&path, "DROP TRIGGER fail").await;
    store.append(Position::START, batch(0, 2)).await.unwrap();
    assert_eq!(store.head().await.unwrap().position, Position::new(2));
}

#[tokio::test]
async fn the_write_ahead_file_stays_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let store = SqliteStore::open(&path, writer()).await.unwrap();
    for round in 0..150_u64 {
        let head = store.head().await.unwrap();
        let records = contract::chain(head, (0..100).map(|_| vec![b'x'; 10_000]));
        store.append(Position::new(round * 100), Batch { records, keys: Vec::new() }).await.unwrap();
    }
    let wal = std::fs::metadata(path.with_extension("db-wal")).unwrap().len();
    assert!(wal < 80 << 20, "{} MB", wal >> 20);
}
