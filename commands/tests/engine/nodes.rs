//! Several engines on one PostgreSQL: one leads, the others follow and take over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flexledger_commands::clock::SystemClock;
use flexledger_commands::vault::{PlatformKeys, Vault};
use flexledger_commands::{Engine, Failure, Options, Role, transfer};
use flexledger_domain::payments::Accept;
use flexledger_eventstore::postgres::{Access, PostgresStore};
use flexledger_eventstore::testing::postgres::PostgresServer;
use flexledger_eventstore::{Batch, Candidate, EventStore, Lease};

use crate::world::World;

async fn store(url: &str) -> Arc<dyn EventStore> {
    Arc::new(PostgresStore::open(url, Access::Write).await.unwrap())
}

async fn node(url: &str, name: &str) -> Engine {
    let store = store(url).await;
    let platform = PlatformKeys::from_master(&[7; 32]).unwrap();
    let vault = Arc::new(Vault::new(platform, store.clone()).await.unwrap());
    let options = Options {
        clock: Arc::new(SystemClock),
        node: name.to_owned(),
        address: Some(format!("http://{name}")),
        ..Options::default()
    };
    Engine::start(store, vault, options).await.unwrap()
}

async fn leads_within(engine: &Engine, limit: Duration) -> Duration {
    let begin = Instant::now();
    tokio::time::timeout(limit, engine.leading()).await.expect("nobody took over in time");
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_leads_and_the_others_follow() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let world = World::on(node(&url, "a").await).await;
    let follower = node(&url, "b").await;
    assert_eq!(world.engine.role(), Role::Leading);
    let leader = Candidate { node: "a".to_owned(), address: Some("http://a".to_owned()) };
    assert_eq!(follower.role(), Role::Following(Some(leader)));
    // What the leader has acknowledged, a follower shows after settling.
    for n in 0..20 {
        let reference = world.initiate(n + 1, None).await.unwrap().payment.reference;
        follower.settle().await.unwrap();
        assert!(follower.tail().head() >= world.engine.tail().head());
        assert!(follower.inspect(move |ledger| ledger.payments.open(reference).is_some()).await.unwrap());
    }
    assert!(follower.status().writable && !follower.status().leads);
    assert!(follower.directory().by_id(world.sender).is_some());
    // It decides nothing.
    let other = World { engine: follower.clone(), store: world.store.clone(), ..world };
    assert_eq!(other.initiate(1, None).await.map(|_| ()), Err(Failure::Unavailable));
    // Personal text sealed by the leader can be read here.
    let events = other.history().await;
    let mut texts = events
        .iter()
        .flat_map(|event| event.clone().event.personal().into_iter().map(|p| p.clone()).collect::<Vec<_>>());
    assert!(texts.all(|personal| follower.vault().open(&personal).is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stops_is_replaced_at_once() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let world = World::on(node(&url, "a").await).await;
    let second = node(&url, "b").await;
    let epoch = world.engine.status().epoch;
    world.engine.stop().await;
    let took = leads_within(&second, Duration::from_secs(3)).await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(second.status().epoch.0, epoch.0 + 1);
    let world = World { engine: second, ..world };
    world.initiate(1, None).await.unwrap();
    assert_eq!(world.folded().await, world.engine.inspect(Clone::clone).await.unwrap());
}

/// The leader keeps running but its lease is taken, as after a long pause: it must step down, and may lead again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_term_is_over_steps_down_and_can_lead_again() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let world = World::on(node(&url, "a").await).await;
    let rival = store(&url).await;
    let me = Candidate { node: "rival".to_owned(), address: None };
    server.run(&url, "UPDATE flexledger_log.lease SET ends_at = '-infinity'").await;
    assert!(matches!(rival.lead(&me).await.unwrap(), Lease::Mine { .. }));
    // Whatever it decides now is refused by the store, answers without events included.
    let refused = world.initiate(1, None).await.map(|_| ());
    assert_eq!(refused, Err(Failure::Unavailable));
    let head = rival.head().await.unwrap().position;
    assert_eq!(world.folded().await.payments.open_count(), 0);
    rival.append(head, Batch::default()).await.unwrap();
    rival.resign().await.unwrap();
    leads_within(&world.engine, Duration::from_secs(5)).await;
    let reference = world.initiate(1, None).await.unwrap().payment.reference;
    transfer::accept(&world.engine, Accept { caller: world.receiver, reference }).await.unwrap();
    assert_eq!(world.folded().await, world.engine.inspect(Clone::clone).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_may_crash_and_come_back() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let world = World::on(node(&url, "a").await).await;
    let follower = node(&url, "b").await;
    let first = world.initiate(1, Some("k")).await.unwrap();
    server.halt();
    assert_eq!(world.initiate(2, Some("lost")).await.map(|_| ()), Err(Failure::Unavailable));
    server.resume();
    let begin = Instant::now();
    let leader = loop {
        assert!(begin.elapsed() < Duration::from_secs(15), "nobody leads");
        if let Some(leader) = [&world.engine, &follower].into_iter().find(|n| n.status().leads && n.status().writable) {
            break leader.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let world = World { engine: leader, ..world };
    let again = loop {
        match world.initiate(1, Some("k")).await {
            Ok(again) => break again,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "no command is taken");
    };
    assert!(again.replayed);
    assert_eq!(again.payment.reference, first.payment.reference);
    assert_eq!(world.folded().await, world.engine.inspect(Clone::clone).await.unwrap());
}
