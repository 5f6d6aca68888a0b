//! Deliveries with a courier that does what it is told, over a log in memory and one on disk.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "engine/world.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod world;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flexledger_commands::clock::SystemClock;
use flexledger_commands::reactors::{Courier, Notice, deliver_webhooks};
use flexledger_commands::vault::{PlatformKeys, Vault};
use flexledger_commands::{Engine, Options};
use flexledger_domain::payments::{Accept, Status};
use flexledger_domain::webhooks::{Outcome, WebhookEvent};
use flexledger_domain::{Event, Position};
use flexledger_eventstore::EventStore;
use flexledger_eventstore::memory::{Fault, MemoryStore};
use flexledger_eventstore::postgres::{Access, PostgresStore};
use flexledger_eventstore::testing::postgres::PostgresServer;
use tokio::task::JoinHandle;
use world::{World, start};

const BASE: Duration = Duration::from_millis(10);

/// Fails or hangs as it is told, and remembers what it was given.
#[derive(Default)]
struct Fake {
    failures: AtomicUsize,
    hangs: bool,
    flying: AtomicUsize,
    given: Mutex<Vec<(Position, u8, Status)>>,
}

impl Courier for Fake {
    async fn deliver(&self, notice: Notice) -> Outcome {
        self.flying.fetch_add(1, Ordering::SeqCst);
        self.given.lock().unwrap().push((notice.owed.cause, notice.attempt, notice.told));
        if self.hangs {
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
        let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if fails.is_ok() { Outcome::Failed("HTTP 500".into()) } else { Outcome::Delivered }
    }
}

impl Fake {
    fn failing(failures: usize) -> Arc<Fake> {
        Arc::new(Fake { failures: failures.into(), ..Fake::default() })
    }

    fn given(&self) -> Vec<(Position, u8, Status)> {
        self.given.lock().unwrap().clone()
    }
}

struct Deliveries(JoinHandle<()>);

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn deliver(engine: &Engine, courier: &Arc<Fake>, base: Duration) -> Deliveries {
    Deliveries(tokio::spawn(deliver_webhooks(engine.clone(), courier.clone(), base)))
}

async fn pending(engine: &Engine) -> usize {
    engine.inspect(|ledger| ledger.webhooks.pending_count()).await.unwrap()
}

/// The log may fail meanwhile: a question that came just then has no answer, and is asked again.
async fn until_pending(engine: &Engine, count: usize) {
    let mut last = None;
    for _ in 0..4000 {
        last = engine.inspect(|ledger| ledger.webhooks.pending_count()).await.ok();
        if last == Some(count) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{last:?} are pending, not {count}");
}

#[tokio::test]
async fn each_record_is_delivered_once_and_recorded_once() {
    let world = World::new(Arc::new(MemoryStore::new()), None).await;
    let courier = Fake::failing(0);
    let _deliveries = deliver(&world.engine, &courier, BASE);
    for minor in 1..=100 {
        let payment = world.initiate(minor, None).await.unwrap().payment;
        world.engine.submit(Accept { caller: world.receiver, reference: payment.reference }).await.unwrap();
    }
    until_pending(&world.engine, 0).await;
    let given = courier.given();
    let count = |told| given.iter().filter(|one| one.2 == told).count();
    assert_eq!((count(Status::AwaitingAcceptance), count(Status::Completed), given.len()), (100, 100, 200));
    let recorded = world.history().await.iter().filter(|r| r.event.kind() == "webhook.delivered").count();
    assert_eq!(recorded, 200);
    assert_eq!(world.engine.inspect(|ledger| ledger.webhooks.count()).await.unwrap(), 0);
}

/// The race of a restart against attempts: what a snapshot and the log after it say is what goes on.
#[tokio::test]
async fn a_restart_from_a_snapshot_keeps_attempts() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let world = World::new(store.clone(), Some(folder.path())).await;
    let courier = Fake::failing(60);
    let deliveries = deliver(&world.engine, &courier, Duration::from_secs(3600));
    for minor in 1..=60 {
        world.initiate(minor, None).await.unwrap();
    }
    for _ in 0..1000 {
        let tried = |ledger: &flexledger_domain::Ledger| {
            ledger.webhooks.owed_after(Position::START).filter(|owed| owed.delivery.attempts == 1).count()
        };
        if world.engine.inspect(tried).await.unwrap() == 60 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(deliveries);
    world.engine.stop().await;

    let (engine, clock) = start(store, Some(folder.path())).await;
    clock.set(world.engine.clock().now().plus(flexledger_domain::Span::from_seconds(7200)));
    let courier = Fake::failing(1000);
    let _deliveries = deliver(&engine, &courier, BASE);
    until_pending(&engine, 0).await;
    let mut attempts: HashMap<Position, Vec<u8>> = HashMap::new();
    courier.given().iter().for_each(|(cause, attempt, _)| attempts.entry(*cause).or_default().push(*attempt));
    assert_eq!(attempts.len(), 60);
    assert!(attempts.values().all(|of| of == &[2, 3]), "{attempts:?}");
    let failed =
        world.history().await.iter().filter(|r| matches!(r.event, Event::Webhook(WebhookEvent::Failed(..)))).count();
    assert_eq!(failed, 60);
}

#[tokio::test]
async fn ten_thousand_pending_take_bounded_memory() {
    let world = Arc::new(World::new(Arc::new(MemoryStore::new()), None).await);
    let courier = Arc::new(Fake { hangs: true, ..Fake::default() });
    let _deliveries = deliver(&world.engine, &courier, BASE);
    for _ in 0..100 {
        let all = (0..100).map(|_| world.initiate(1, None));
        futures::future::join_all(all).await.into_iter().for_each(|done| assert!(done.is_ok()));
    }
    assert_eq!(pending(&world.engine).await, 10_000);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(courier.flying.load(Ordering::SeqCst), 64, "one target has a bound");
    let bytes = world
        .engine
        .inspect(|ledger| ledger.webhooks.owed_after(Position::START).map(std::mem::size_of_val).sum::<usize>())
        .await
        .unwrap();
    assert!(bytes <= 10_000 * 256, "{bytes}");
}

/// The log fails just when an attempt is to be recorded: it is recorded later, once, and nothing is sent again.
#[tokio::test]
async fn an_attempt_waits_for_the_log() {
    for fault in [Fault::Unavailable, Fault::UnknownLost, Fault::UnknownStored, Fault::Conflict] {
        let store = MemoryStore::new();
        let world = World::new(Arc::new(store.clone()), None).await;
        world.initiate(1, None).await.unwrap();
        store.fail_next(fault);
        let courier = Fake::failing(0);
        let _deliveries = deliver(&world.engine, &courier, BASE);
        until_pending(&world.engine, 0).await;
        let recorded = world.history().await.iter().filter(|r| r.event.kind() == "webhook.delivered").count();
        assert_eq!(recorded, 1, "{fault:?}");
        // A term that was lost leaves its exchanges to the next one, which may send again.
        let sent = courier.given().len();
        assert!(sent == 1 || (matches!(fault, Fault::Conflict) && sent == 2), "{fault:?}: {sent}");
    }
}

async fn node(url: &str, name: &str) -> Engine {
    let store: Arc<dyn EventStore> = Arc::new(PostgresStore::open(url, Access::Write).await.unwrap());
    let vault = Arc::new(Vault::new(PlatformKeys::from_master(&[7; 32]).unwrap(), store.clone()).await.unwrap());
    let options = Options { clock: Arc::new(SystemClock), node: name.to_owned(), ..Options::default() };
    Engine::start(store, vault, options).await.unwrap()
}

/// A node that stands by sends nothing; once it leads it delivers what the other one left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_leader_sends() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let world = World::on(node(&url, "a").await).await;
    let second = node(&url, "b").await;
    let (hanging, fine) = (Arc::new(Fake { hangs: true, ..Fake::default() }), Fake::failing(0));
    let first = deliver(&world.engine, &hanging, BASE);
    let _second = deliver(&second, &fine, BASE);
    for minor in 1..=5 {
        world.initiate(minor, None).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((hanging.given().len(), fine.given().len()), (5, 0));
    drop(first);
    world.engine.stop().await;
    second.leading().await;
    until_pending(&second, 0).await;
    assert_eq!(fine.given().len(), 5);
}
