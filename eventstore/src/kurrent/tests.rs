//! The adapter under the contract and under faults, through the real client: against a fake node, and the contract
//! against a real server where `KURRENTDB_URL` names one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use flexledger_domain::Position;
use flexledger_domain::ids::SubjectId;
use uuid::Uuid;

use super::fake::{Call, FakeNode, Fault};
use super::{Address, KurrentStore, Waits};
use crate::contract::{self, Harness, chain, records};
use crate::port::{AppendError, Batch, EventStore, Head, Record, StoreError, SubjectKey};

/// Short enough that a silent node does not hold up a test.
const WAITS: Waits = Waits { connect: Duration::from_secs(5), answer: Duration::from_millis(1500) };

async fn open(address: Address) -> KurrentStore {
    KurrentStore::open_with(address, WAITS).await.unwrap()
}

fn batch(after: u64, count: u64) -> Batch {
    Batch { records: records(Position::new(after), count), keys: Vec::new() }
}

fn key(number: u128) -> SubjectKey {
    SubjectKey { subject: SubjectId::from_uuid(Uuid::from_u128(number)), sealed: vec![7; 60] }
}

async fn head(store: &impl EventStore) -> u64 {
    store.head().await.unwrap().position.number()
}

/// Ledgers of new names on one server, real or fake.
struct Ledgers<F> {
    address: F,
    newest: Mutex<String>,
}

impl<F: Fn(&str) -> Address + Send + Sync> Ledgers<F> {
    fn new(address: F) -> Self {
        Ledgers { address, newest: Mutex::default() }
    }

    async fn open_newest(&self) -> Arc<dyn EventStore> {
        let address = (self.address)(&self.newest.lock().unwrap());
        Arc::new(KurrentStore::open(address).await.unwrap())
    }
}

#[async_trait]
impl<F: Fn(&str) -> Address + Send + Sync> Harness for Ledgers<F> {
    async fn fresh(&self) -> Arc<dyn EventStore> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        *self.newest.lock().unwrap() = format!("contract_{now}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.open_newest().await
    }

    async fn reopen(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        drop(store);
        self.open_newest().await
    }

    async fn rival(&self, _: &Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        self.open_newest().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fake_node_keeps_the_contract() {
    let node = FakeNode::start().await;
    contract::run(&Ledgers::new(|ledger: &str| node.address(ledger))).await;
    assert!(node.world().ids_are_unique(), "no event has the id of another attempt");
    assert!(node.world().empty_appends > 0, "a probe goes through an append");
}

/// `KURRENTDB_URL` is a URL without a ledger, such as `kurrentdb://admin:changeit@localhost:2113?tls=false`. The ledgers
/// that the suite makes there stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_server_keeps_the_contract() {
    let Ok(url) = std::env::var("KURRENTDB_URL") else {
        println!("SKIPPED: the contract was not run against a real KurrentDB server, KURRENTDB_URL is not set");
        return;
    };
    let (place, parameters) = url.split_once('?').unwrap_or((&url, ""));
    let place = place.trim_end_matches('/');
    contract::run(&Ledgers::new(|ledger: &str| format!("{place}/{ledger}?{parameters}").parse().unwrap())).await;
}

#[tokio::test]
async fn a_cut_before_the_work_is_unknown_and_stores_nothing() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    for fault in [Fault::CutBefore, Fault::Unavailable, Fault::Silent] {
        node.fail_next(Call::Append, fault);
        let result = store.append(Position::START, batch(0, 3)).await;
        assert!(matches!(result, Err(AppendError::Unknown(_))), "{fault:?}: {result:?}");
        assert_eq!(head(&store).await, 0, "{fault:?}");
    }
    store.append(Position::START, batch(0, 3)).await.unwrap();
    assert_eq!(head(&store).await, 3);
}

#[tokio::test]
async fn a_cut_after_the_work_is_unknown_and_a_repetition_conflicts() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    for (at, fault) in [(0, Fault::CutAfter), (3, Fault::Garbled)] {
        node.fail_next(Call::Append, fault);
        let result = store.append(Position::new(at), batch(at, 3)).await;
        assert!(matches!(result, Err(AppendError::Unknown(_))), "{fault:?}: {result:?}");
        assert_eq!(head(&store).await, at + 3);
        // The same batch once more is another attempt: the server must not take it for the first.
        let result = store.append(Position::new(at), batch(at, 3)).await;
        assert!(matches!(result, Err(AppendError::Conflict(head)) if head == Position::new(at + 3)), "{result:?}");
    }
}

#[tokio::test]
async fn a_dead_node_is_unavailable_and_the_store_works_when_it_is_back() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    store.append(Position::START, batch(0, 2)).await.unwrap();
    for at in [2, 4] {
        node.stop().await;
        // The first append may have been sent on the connection that died; later ones meet a closed port.
        let first = store.append(Position::new(at), batch(at, 2)).await;
        assert!(matches!(first, Err(AppendError::Unknown(_) | AppendError::Unavailable(_))), "{first:?}");
        let second = store.append(Position::new(at), batch(at, 2)).await;
        assert!(matches!(second, Err(AppendError::Unavailable(_))), "{second:?}");
        assert!(store.read(Position::START, 10).await.is_err());
        assert!(store.head().await.is_err());
        node.start_again().await;
        assert_eq!(head(&store).await, at);
        store.append(Position::new(at), batch(at, 2)).await.unwrap();
    }
    assert_eq!(store.read(Position::START, 10).await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_store_that_was_opened_while_the_node_was_down_is_refused() {
    let node = FakeNode::start().await;
    node.stop().await;
    let refused = KurrentStore::open_with(node.address("a"), WAITS).await;
    assert!(matches!(refused, Err(StoreError::Server(_))));
    node.start_again().await;
    assert_eq!(head(&open(node.address("a")).await).await, 0);
}

#[tokio::test]
async fn another_writer_is_a_conflict() {
    let node = FakeNode::start().await;
    let (store, rival) = (open(node.address("a")).await, open(node.address("a")).await);
    store.append(Position::START, batch(0, 2)).await.unwrap();
    rival.append(Position::new(2), batch(2, 1)).await.unwrap();
    let result = store.append(Position::new(2), batch(2, 1)).await;
    assert!(matches!(result, Err(AppendError::Conflict(at)) if at == Position::new(3)), "{result:?}");
    // A conflict is no reason for another connection.
    store.append(Position::new(3), batch(3, 1)).await.unwrap();
}

#[tokio::test]
async fn a_node_that_does_not_lead_sends_to_the_leader() {
    let first = FakeNode::start().await;
    let second = FakeNode::join(first.cluster()).await;
    let store = open(first.address("a")).await;
    store.append(Position::START, batch(0, 2)).await.unwrap();
    first.world().leader = Some(second.port());
    store.append(Position::new(2), batch(2, 2)).await.unwrap();
    assert_eq!(second.count(Call::Append), 1);
    assert_eq!(store.read(Position::START, 10).await.unwrap().len(), 4);
    // And back, when the leader dies and the first one leads again.
    second.stop().await;
    first.world().leader = Some(first.port());
    assert!(store.append(Position::new(4), batch(4, 1)).await.is_err());
    store.append(Position::new(4), batch(4, 1)).await.unwrap();
    assert_eq!(head(&store).await, 5);
}

#[tokio::test]
async fn a_leader_that_cannot_be_reached_is_unavailable() {
    let (first, second) = (FakeNode::start().await, FakeNode::start().await);
    let store = open(first.address("a")).await;
    second.stop().await;
    first.world().leader = Some(second.port());
    let result = store.append(Position::START, batch(0, 1)).await;
    assert!(matches!(result, Err(AppendError::Unavailable(_))), "{result:?}");
    first.world().leader = None;
    store.append(Position::START, batch(0, 1)).await.unwrap();
}

#[tokio::test]
async fn a_cluster_is_asked_who_leads() {
    let first = FakeNode::start().await;
    let second = FakeNode::join(first.cluster()).await;
    first.world().leader = Some(second.port());
    let url = format!("esdb://127.0.0.1:{},127.0.0.1:{}/a?tls=false", first.port(), second.port());
    let store = open(url.parse().unwrap()).await;
    store.append(Position::START, batch(0, 2)).await.unwrap();
    assert_eq!((first.count(Call::Append), second.count(Call::Append)), (0, 1));
}

/// Commands of one event of `bytes` bytes each.
fn large(after: Head, commands: u64, bytes: usize) -> Vec<Record> {
    let filler = "x".repeat(bytes);
    let body = |n: u64| {
        format!("{{\"command_id\":\"{n}\",\"entity\":\"tag/{n}\",\"kind\":\"tag.created\",\"payload\":\"{filler}\"}}")
    };
    chain(after, (0..commands).map(|n| body(after.position.number() + n).into_bytes()))
}

#[tokio::test]
async fn a_large_batch_goes_in_parts_that_the_server_takes() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    let records = large(Head::default(), 50, 100_000);
    store.append(Position::START, Batch { records: records.clone(), keys: Vec::new() }).await.unwrap();
    assert_eq!(node.count(Call::Append), 5);
    assert!(node.world().largest > 900_000);
    assert!(store.read(Position::START, 100).await.unwrap() == records);
    let too_large = Batch { records: large(store.head().await.unwrap(), 1, 1_100_000), keys: Vec::new() };
    let result = store.append(Position::new(50), too_large).await;
    assert!(matches!(result, Err(AppendError::Unavailable(StoreError::Unusable(_)))), "{result:?}");
    assert_eq!(head(&store).await, 50);
}

#[tokio::test]
async fn a_batch_that_fails_between_parts_is_unknown_and_leaves_whole_commands() {
    let node = FakeNode::start().await;
    for (ledger, fault) in [("a", Fault::CutBefore), ("b", Fault::Unavailable), ("c", Fault::CutAfter)] {
        let store = open(node.address(ledger)).await;
        let records = large(Head::default(), 25, 100_000);
        node.fail_next(Call::Append, Fault::Fine);
        node.fail_next(Call::Append, fault);
        let result = store.append(Position::START, Batch { records: records.clone(), keys: Vec::new() }).await;
        assert!(matches!(result, Err(AppendError::Unknown(_))), "{fault:?}: {result:?}");
        let stored = store.read(Position::START, 100).await.unwrap();
        assert_eq!(stored.len(), if fault == Fault::CutAfter { 20 } else { 10 }, "{fault:?}");
        assert!(stored == records[..stored.len()]);
        // The engine reads the log again and goes on behind what is there.
        let end = store.head().await.unwrap();
        store.append(end.position, Batch { records: large(end, 15, 100_000), keys: Vec::new() }).await.unwrap();
    }
}

#[tokio::test]
async fn a_writer_that_comes_in_between_parts_is_a_conflict() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    node.fail_next(Call::Append, Fault::Fine);
    node.fail_next(Call::Append, Fault::Overtaken);
    let records = large(Head::default(), 25, 100_000);
    let result = store.append(Position::START, Batch { records, keys: Vec::new() }).await;
    assert!(matches!(result, Err(AppendError::Conflict(at)) if at == Position::new(11)), "{result:?}");
    assert_eq!(head(&store).await, 11, "one whole part, then the rival's event");
}

#[tokio::test]
async fn a_read_that_ends_early_goes_on() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    store.append(Position::START, batch(0, 100)).await.unwrap();
    let all = store.read(Position::START, 1000).await.unwrap();
    assert_eq!(all.len(), 100);
    for fault in
        [Fault::EndsAfter(30), Fault::CutAfterEvents(30), Fault::EndsAfter(0), Fault::Silent, Fault::Unavailable]
    {
        node.fail_next(Call::Read, fault);
        assert!(store.read(Position::START, 1000).await.unwrap() == all, "{fault:?}");
        node.fail_next(Call::Read, fault);
        assert_eq!(head(&store).await, 100, "{fault:?}");
    }
}

#[tokio::test]
async fn the_end_is_looked_up_when_no_read_tells_it() {
    let node = FakeNode::start().await;
    node.keep_end_secret();
    let store = open(node.address("a")).await;
    assert!(store.read(Position::START, 10).await.unwrap().is_empty());
    store.append(Position::START, batch(0, 10)).await.unwrap();
    assert_eq!(store.read(Position::new(3), 10).await.unwrap().len(), 7);
    node.fail_next(Call::Read, Fault::EndsAfter(2));
    assert_eq!(store.read(Position::START, 10).await.unwrap().len(), 10);
}

#[tokio::test]
async fn a_server_that_ends_every_read_early_does_not_keep_a_core_busy() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    store.append(Position::START, batch(0, 10)).await.unwrap();
    let before = node.count(Call::Read);
    (0..100).for_each(|_| node.fail_next(Call::Read, Fault::EndsAfter(0)));
    assert!(matches!(store.read(Position::START, 10).await, Err(StoreError::Server(_))));
    assert!(node.count(Call::Read) - before < 20, "{} reads", node.count(Call::Read) - before);
}

#[tokio::test]
async fn a_truncated_log_is_no_log() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    store.append(Position::START, batch(0, 5)).await.unwrap();
    node.world().tombstone("ledger-a");
    assert!(matches!(store.read(Position::START, 10).await, Err(StoreError::Unusable(_))));
    assert!(matches!(store.head().await, Err(StoreError::Unusable(_))));
}

#[tokio::test]
async fn keys_of_a_batch_that_is_not_stored_are_destroyed() {
    let node = FakeNode::start().await;
    let (store, rival) = (open(node.address("a")).await, open(node.address("a")).await);
    // The owners' names and two keys are stored, then the events find another writer.
    let slow = async {
        let events = Batch { records: large(Head::default(), 1, 10), keys: vec![key(1), key(2)] };
        store.append(Position::START, events).await
    };
    let first = async {
        while rival.subject_keys().await.unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    node.fail_next(Call::Append, Fault::Fine);
    node.fail_next(Call::Append, Fault::Fine);
    node.fail_next(Call::Append, Fault::Fine);
    node.fail_next(Call::Append, Fault::Unavailable);
    let (result, ()) = futures::join!(slow, first);
    // Not known to be stored or not: then the keys stay.
    assert!(matches!(result, Err(AppendError::Unknown(_))), "{result:?}");
    assert_eq!(store.subject_keys().await.unwrap().len(), 2);
    // Known not to be stored: one key is there already, so the other one goes.
    let again = Batch { records: records(Position::START, 1), keys: vec![key(2), key(3)] };
    let result = store.append(Position::START, again).await;
    assert!(matches!(result, Err(AppendError::Unavailable(_))), "{result:?}");
    assert_eq!(store.subject_keys().await.unwrap().len(), 2);
    assert!(store.subject_key(key(3).subject).await.unwrap().is_none());
    assert_eq!(head(&store).await, 0);
}

#[tokio::test]
async fn a_destroyed_key_never_comes_back() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    let with_key = |at: u64| Batch { keys: vec![key(1)], ..batch(at, 1) };
    store.append(Position::START, with_key(0)).await.unwrap();
    node.fail_next(Call::Tombstone, Fault::CutAfter);
    assert!(store.destroy_subject_key(key(1).subject).await.is_err(), "not known");
    assert!(!store.destroy_subject_key(key(1).subject).await.unwrap());
    assert!(matches!(store.append(Position::new(1), with_key(1)).await, Err(AppendError::Unavailable(_))));
    assert!(store.subject_keys().await.unwrap().is_empty());
}

#[tokio::test]
async fn events_carry_what_the_servers_tools_follow() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    let records = large(Head::default(), 1, 10);
    store.append(Position::START, Batch { records: records.clone(), keys: Vec::new() }).await.unwrap();
    let event = node.world().recorded("ledger-a", 0).unwrap();
    assert_eq!(event.metadata.get("type").unwrap(), "tag.created");
    assert_eq!(event.metadata.get("content-type").unwrap(), "application/json");
    assert_eq!(event.data, records[0].bytes);
    let metadata: serde_json::Value = serde_json::from_slice(&event.custom_metadata).unwrap();
    let hash = records[0].hash.to_string();
    assert_eq!(metadata, serde_json::json!({"$correlationId": "tag/0", "$causationId": "0", "hash": hash}));
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let node = FakeNode::start().await;
    let store = open(node.address("a")).await;
    store.append(Position::START, Batch { keys: vec![key(1)], ..batch(0, 2) }).await.unwrap();
    let appends = node.count(Call::Append);
    let reader = open(node.address("a")).await.read_only();
    assert_eq!(reader.read(Position::START, 10).await.unwrap().len(), 2);
    for refused in [batch(2, 1), Batch::default()] {
        let refused = reader.append(Position::new(2), refused).await;
        assert!(matches!(refused, Err(AppendError::Unavailable(StoreError::Unusable(_)))), "{refused:?}");
    }
    assert!(reader.destroy_subject_key(key(1).subject).await.is_err());
    assert!(reader.lead(&crate::Candidate::default()).await.is_err());
    assert_eq!((node.count(Call::Append), node.count(Call::Tombstone)), (appends, 0));
    assert!(store.subject_key(key(1).subject).await.unwrap().is_some());
}

/// Batches of one writer, each with its name and number in it.
fn signed(by: usize, at: Head, number: u64) -> Vec<Record> {
    chain(at, (0..2).map(|n| format!("{{\"by\":{by},\"n\":{n},\"number\":{number}}}").into_bytes()))
}

/// Writes as an engine does: reads where the log ends, appends there until another writer is met or the outcome is not
/// known, and begins anew. Tells what it was told is stored.
async fn write(by: usize, store: &KurrentStore, rounds: u64) -> (Vec<Record>, usize) {
    let (mut owned, mut deposed, mut number) = (Vec::new(), 0, 0);
    while number < rounds {
        let Ok(mut head) = store.head().await else { continue };
        while number < rounds {
            number += 1;
            let records = signed(by, head, number);
            match store.append(head.position, Batch { records: records.clone(), keys: Vec::new() }).await {
                Ok(()) => {}
                Err(error) => {
                    deposed += usize::from(matches!(error, AppendError::Conflict(_)));
                    break;
                }
            }
            head = records.last().map(|last| Head { position: last.position, hash: last.hash }).unwrap();
            owned.extend(records);
            tokio::task::yield_now().await;
        }
    }
    (owned, deposed)
}

/// Two processes serve one ledger, which has no lease: each place is acknowledged to one of them, whatever befalls
/// their calls, and the other one is told to step down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_depose_each_other_and_no_place_has_two_owners() {
    let node = FakeNode::start().await;
    let stores = [open(node.address("a")).await, open(node.address("a")).await];
    for fault in [Fault::Fine, Fault::CutAfter, Fault::Fine, Fault::Garbled, Fault::CutBefore, Fault::Fine] {
        (0..7).for_each(|_| node.fail_next(Call::Append, Fault::Fine));
        node.fail_next(Call::Append, fault);
    }
    let (mut owned, mut deposed) = ([Vec::new(), Vec::new()], [0, 0]);
    // Who is deposed when is a matter of luck: they go on until each has been.
    for turn in 0..50 {
        let [first, second] = &stores;
        let (one, other) = futures::join!(write(2 * turn, first, 60), write(2 * turn + 1, second, 60));
        for (at, (records, lost)) in [one, other].into_iter().enumerate() {
            owned[at].extend(records);
            deposed[at] += lost;
        }
        if deposed.iter().all(|times| *times > 0) {
            break;
        }
    }
    let [first, second] = owned;
    assert!(!first.is_empty() && !second.is_empty());
    assert!(deposed.iter().all(|times| *times > 0), "each was deposed: {deposed:?} times");
    let reader = open(node.address("a")).await;
    let log = reader.read(Position::START, 10_000).await.unwrap();
    let mut owners = std::collections::HashMap::new();
    for record in first.iter().chain(&second) {
        assert!(owners.insert(record.position, ()).is_none(), "event {} has two owners", record.position);
        let stored = &log[usize::try_from(record.position.number()).unwrap() - 1];
        assert!(stored == record, "event {} is not what its owner wrote", record.position);
    }
    assert!(node.world().ids_are_unique());
}
