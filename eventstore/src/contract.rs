//! What every adapter of the log is held to, unchanged: call [`run`] from a test of the adapter.
//!
//! Each scenario starts from an empty log of its own and is named after what it shows.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a test suite")]

use std::sync::Arc;

use async_trait::async_trait;
use flexledger_domain::Position;
use flexledger_domain::ids::SubjectId;
use uuid::Uuid;

use crate::hash::{Hash, chain_hash, leaf_hash};
use crate::port::{AppendError, Batch, EventStore, Head, Record, SubjectKey};

/// How the suite gets at logs of one adapter.
#[async_trait]
pub trait Harness: Send + Sync {
    /// An empty log, open for writing.
    async fn fresh(&self) -> Arc<dyn EventStore>;

    /// Closes a log and opens it again for writing.
    async fn reopen(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore>;

    /// A second writer of the same log, where the adapter lets two exist. Otherwise the one writer races itself.
    async fn rival(&self, store: &Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        store.clone()
    }

    /// Puts copies of the first row before it, as somebody with access to the database could. False where there is no
    /// such place.
    async fn misplace(&self, _store: &Arc<dyn EventStore>, _places: &[i64]) -> bool {
        false
    }
}

/// Runs all scenarios.
pub async fn run(harness: &dyn Harness) {
    an_empty_log(harness.fresh().await).await;
    what_is_appended_is_read(harness.fresh().await).await;
    a_wrong_expectation_stores_nothing(harness.fresh().await).await;
    gaps_are_impossible(harness.fresh().await).await;
    an_empty_batch_checks_the_place(harness.fresh().await).await;
    bytes_come_back_as_they_were(harness.fresh().await).await;
    large_batches_of_odd_sizes(harness.fresh().await).await;
    reads_are_limited_and_continue(harness.fresh().await).await;
    keys_come_and_go(harness.fresh().await).await;
    a_failed_batch_leaves_no_key(harness.fresh().await).await;
    a_log_opened_again_is_complete(harness).await;
    of_two_writers_one_wins_each_place(harness).await;
    readers_see_whole_batches_only(harness.fresh().await).await;
    rows_before_the_first_event_are_found(harness).await;
}

/// `count` chained records after `after`, with made-up bytes. The chain starts anew at `after`.
#[must_use]
pub fn records(after: Position, count: u64) -> Vec<Record> {
    chain(Head { position: after, hash: Hash::default() }, (0..count).map(|n| format!("{{\"n\":{n}}}").into_bytes()))
}

/// Records with these bytes after `head`, chained to it.
pub fn chain(head: Head, bodies: impl IntoIterator<Item = Vec<u8>>) -> Vec<Record> {
    let mut head = head;
    let chained = bodies.into_iter().map(|bytes| {
        head = Head { position: head.position.next(), hash: chain_hash(head.hash, leaf_hash(&bytes)) };
        Record { position: head.position, bytes, hash: head.hash }
    });
    chained.collect()
}

fn batch(records: Vec<Record>) -> Batch {
    Batch { records, keys: Vec::new() }
}

fn key(number: u128, len: usize) -> SubjectKey {
    let byte = u8::try_from(number % 251).unwrap_or_default();
    SubjectKey { subject: SubjectId::from_uuid(Uuid::from_u128(number)), sealed: vec![byte; len] }
}

async fn all(store: &Arc<dyn EventStore>) -> Vec<Record> {
    store.read(Position::START, 1_000_000).await.expect("read")
}

async fn an_empty_log(store: Arc<dyn EventStore>) {
    assert_eq!(store.head().await.expect("head"), Head::default());
    assert_eq!(all(&store).await, Vec::new());
    assert!(store.subject_keys().await.expect("keys").is_empty());
    assert!(!store.durability().is_empty());
}

async fn what_is_appended_is_read(store: Arc<dyn EventStore>) {
    let records = records(Position::START, 5);
    let (first, rest) = records.split_at(2);
    store.append(Position::START, batch(first.to_vec())).await.expect("first");
    store.append(Position::new(2), batch(rest.to_vec())).await.expect("rest");
    assert_eq!(all(&store).await, records);
    let last = records.last().expect("five");
    assert_eq!(store.head().await.expect("head"), Head { position: Position::new(5), hash: last.hash });
}

async fn a_wrong_expectation_stores_nothing(store: Arc<dyn EventStore>) {
    store.append(Position::START, batch(records(Position::START, 3))).await.expect("append");
    for wrong in [0, 2, 4] {
        let result = store.append(Position::new(wrong), batch(records(Position::new(wrong), 2))).await;
        assert!(matches!(result, Err(AppendError::Conflict(at)) if at == Position::new(3)), "{wrong}: {result:?}");
    }
    assert_eq!(all(&store).await.len(), 3);
    store.append(Position::new(3), batch(records(Position::new(3), 1))).await.expect("still works");
}

async fn gaps_are_impossible(store: Arc<dyn EventStore>) {
    let mut with_gap = records(Position::START, 4);
    with_gap.remove(2);
    let doubled = [records(Position::START, 2), records(Position::START, 2)].concat();
    for wrong in [with_gap, doubled, records(Position::new(1), 2)] {
        let result = store.append(Position::START, batch(wrong)).await;
        assert!(matches!(result, Err(AppendError::Unavailable(_))), "{result:?}");
        assert_eq!(all(&store).await, Vec::new());
    }
}

async fn an_empty_batch_checks_the_place(store: Arc<dyn EventStore>) {
    store.append(Position::START, Batch::default()).await.expect("empty log");
    store.append(Position::START, batch(records(Position::START, 1))).await.expect("append");
    let result = store.append(Position::START, Batch::default()).await;
    assert!(matches!(result, Err(AppendError::Conflict(at)) if at == Position::new(1)), "{result:?}");
    store.append(Position::new(1), Batch::default()).await.expect("probe");
    assert_eq!(all(&store).await.len(), 1);
}

async fn bytes_come_back_as_they_were(store: Arc<dyn EventStore>) {
    let texts = ["{}", "", "{\"a\":\"Zoë 猫 😀 \u{7f} \u{2028}\"}", "a\nb", "a\u{0}b", "'\";--"];
    let big = "x".repeat(1_000_000);
    let bodies = texts.iter().map(|text| text.as_bytes().to_vec()).chain([big.into_bytes()]);
    let records = chain(Head::default(), bodies);
    store.append(Position::START, batch(records.clone())).await.expect("append");
    assert!(all(&store).await == records, "bytes differ");
    for record in &records {
        let read = store.read(record.position.previous(), 1).await.expect("read");
        assert!(read.as_slice() == std::slice::from_ref(record), "event {} differs", record.position);
    }
}

async fn large_batches_of_odd_sizes(store: Arc<dyn EventStore>) {
    let mut at = Position::START;
    for size in [1, 2, 7, 8, 9, 63, 64, 65, 255, 257, 1000, 1023, 4097] {
        store.append(at, batch(records(at, size))).await.expect("append");
        at = at.plus(size);
        assert_eq!(store.head().await.expect("head").position, at);
    }
    let read = all(&store).await;
    assert_eq!(read.len() as u64, at.number());
    let mut expected = Position::START;
    for record in read {
        expected = expected.next();
        assert_eq!(record.position, expected);
    }
}

async fn reads_are_limited_and_continue(store: Arc<dyn EventStore>) {
    let records = records(Position::START, 1000);
    store.append(Position::START, batch(records.clone())).await.expect("append");
    for limit in [1, 3, 64, 333, 999, 1000, 5000] {
        let mut read: Vec<Record> = Vec::new();
        loop {
            let after = read.last().map_or(Position::START, |record| record.position);
            let page = store.read(after, limit).await.expect("page");
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            assert!(page.len() == limit || read.len() + page.len() == records.len(), "a short page before the end");
            read.extend(page);
        }
        assert!(read == records, "pages of {limit}");
    }
    assert_eq!(store.read(Position::START, 0).await.expect("none"), Vec::new());
    assert_eq!(store.read(Position::new(1000), 10).await.expect("end"), Vec::new());
    assert_eq!(store.read(Position::MAX, 10).await.expect("beyond"), Vec::new());
}

async fn keys_come_and_go(store: Arc<dyn EventStore>) {
    let keys: Vec<_> = (1..=300).map(|number| key(number, 60)).collect();
    let first = Batch { records: records(Position::START, 1), keys: keys.clone() };
    store.append(Position::START, first).await.expect("append");
    let mut stored = store.subject_keys().await.expect("keys");
    stored.sort_by_key(|key| key.subject);
    assert!(stored == keys);
    for key in keys.iter().step_by(7) {
        assert!(store.destroy_subject_key(key.subject).await.expect("destroy"));
        assert!(!store.destroy_subject_key(key.subject).await.expect("destroy again"));
        assert!(store.subject_key(key.subject).await.expect("read").is_none());
    }
    let kept = keys.get(1).expect("second");
    assert!(store.subject_key(kept.subject).await.expect("read").as_ref() == Some(kept));
    assert_eq!(store.subject_keys().await.expect("keys").len(), 300 - 43);
    assert_eq!(all(&store).await.len(), 1);
}

async fn a_failed_batch_leaves_no_key(store: Arc<dyn EventStore>) {
    let with_key = |at: u64, number| Batch { records: records(Position::new(at), 1), keys: vec![key(number, 60)] };
    assert!(store.append(Position::new(1), with_key(1, 1)).await.is_err());
    assert!(store.subject_keys().await.expect("keys").is_empty());
    store.append(Position::START, with_key(0, 1)).await.expect("append");
    // A second key for one subject would make its texts unreadable: refused, with the events of that batch.
    let result = store.append(Position::new(1), with_key(1, 1)).await;
    assert!(matches!(result, Err(AppendError::Unavailable(_))), "{result:?}");
    assert_eq!(all(&store).await.len(), 1);
    store.append(Position::new(1), with_key(1, 2)).await.expect("the log goes on");
    assert_eq!(store.subject_keys().await.expect("keys").len(), 2);
}

async fn a_log_opened_again_is_complete(harness: &dyn Harness) {
    let store = harness.fresh().await;
    let records = records(Position::START, 100);
    let first = Batch { records: records.clone(), keys: vec![key(7, 60), key(8, 60)] };
    store.append(Position::START, first).await.expect("append");
    assert!(store.destroy_subject_key(key(8, 60).subject).await.expect("destroy"));
    let store = harness.reopen(store).await;
    assert_eq!(all(&store).await, records);
    assert!(store.subject_keys().await.expect("keys") == vec![key(7, 60)]);
    store.append(Position::new(100), batch(self::records(Position::new(100), 1))).await.expect("append");
    assert_eq!(store.head().await.expect("head").position, Position::new(101));
}

async fn of_two_writers_one_wins_each_place(harness: &dyn Harness) {
    let store = harness.fresh().await;
    let writers = [store.clone(), harness.rival(&store).await];
    let mut won = [0_u64; 2];
    let mut at = Position::START;
    for round in 0..40 {
        let attempts = writers.iter().enumerate().map(|(who, writer)| {
            let bodies = (0..3).map(move |n| format!("{{\"by\":{who},\"n\":{n},\"round\":{round}}}").into_bytes());
            let records = chain(Head { position: at, hash: Hash::default() }, bodies);
            async move { (who, records.clone(), writer.append(at, batch(records)).await) }
        });
        let outcomes = futures::future::join_all(attempts).await;
        let mut winners = outcomes.iter().filter(|(_, _, result)| result.is_ok());
        let (who, records, _) = winners.next().expect("one writer wins");
        assert!(winners.next().is_none(), "two writers were told that they own event {}", at.next());
        let lost = |result: &Result<(), AppendError>| matches!(result, Ok(()) | Err(AppendError::Conflict(_)));
        assert!(outcomes.iter().all(|(_, _, result)| lost(result)), "the loser hears of a conflict");
        let stored = store.read(at, 10).await.expect("read");
        assert!(&stored == records, "the winner's bytes stand in the log");
        if let Some(count) = won.get_mut(*who) {
            *count += 1;
        }
        at = at.plus(3);
    }
    assert_eq!(won.iter().sum::<u64>(), 40);
}

async fn readers_see_whole_batches_only(store: Arc<dyn EventStore>) {
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for round in 0..50 {
            let at = Position::new(round * 20);
            writer.append(at, batch(records(at, 20))).await.expect("append");
        }
    });
    loop {
        let done = writing.is_finished();
        let head = store.head().await.expect("head").position.number();
        assert_eq!(head % 20, 0, "half a batch is visible");
        assert!(all(&store).await.len() as u64 >= head, "the head lies beyond what can be read");
        if done {
            break;
        }
        tokio::task::yield_now().await;
    }
    writing.await.expect("writer");
    assert_eq!(store.head().await.expect("head").position.number(), 1000);
}

async fn rows_before_the_first_event_are_found(harness: &dyn Harness) {
    let store = harness.fresh().await;
    let records = records(Position::START, 20);
    store.append(Position::START, batch(records.clone())).await.expect("append");
    assert!(store.misplaced(10).await.expect("misplaced").is_empty());
    if harness.misplace(&store, &[0, -7]).await {
        assert_eq!(store.misplaced(10).await.expect("misplaced"), [-7, 0]);
        assert_eq!(store.misplaced(1).await.expect("misplaced"), [-7]);
        assert_eq!(all(&store).await, records, "no read sees them");
    }
}
