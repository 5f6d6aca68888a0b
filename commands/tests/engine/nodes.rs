//! Several engines on one PostgreSQL: one leads, the others follow and take over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flexledger_commands::clock::SystemClock;
use flexledger_commands::vault::{PlatformKeys, Vault};
use flexledger_commands::{Engine, Failure, Options, Role, transfer};
use flexledger_domain::payments::Accept;
use flexledger_domain::{Position, Reference};
use flexledger_eventstore::postgres::{Access, PostgresStore};
use flexledger_eventstore::testing::postgres::PostgresServer;
use flexledger_eventstore::{Batch, Candidate, EventStore, Lease};

use crate::bent::Bent;
use crate::world::World;

async fn store(url: &str) -> Arc<dyn EventStore> {
    Arc::new(PostgresStore::open(url, Access::Write).await.unwrap())
}

async fn node(url: &str, name: &str) -> Engine {
    node_on(store(url).await, name, Options::default()).await
}

async fn node_on(store: Arc<dyn EventStore>, name: &str, options: Options) -> Engine {
    let platform = PlatformKeys::from_master(&[7; 32]).unwrap();
    let vault = Arc::new(Vault::new(platform, store.clone()).await.unwrap());
    let (node, address) = (name.to_owned(), Some(format!("http://{name}")));
    let options = Options { clock: Arc::new(SystemClock), node, address, ..options };
    Engine::start(store, vault, options).await.unwrap()
}

/// How long a busy machine may take for what usually takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A payment, once it is acknowledged: the key makes it one, however often it is asked for.
async fn insist(world: &World, number: i128) -> Reference {
    let begin = Instant::now();
    loop {
        match world.initiate(number, Some(&format!("payment {number}"))).await {
            Ok(done) => return done.payment.reference,
            Err(failure) => assert!(begin.elapsed() < PATIENCE, "{failure}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A follower says itself when it has not caught up in time; then it is asked again.
async fn settled(follower: &Engine) {
    let begin = Instant::now();
    while let Err(failure) = follower.settle().await {
        assert!(begin.elapsed() < PATIENCE, "{failure}");
    }
}

/// Waits until a follower has seen an event, with nothing that makes it look.
async fn until_seen(follower: &Engine, position: Position) {
    let mut head = follower.tail().subscribe();
    let seen = tokio::time::timeout(PATIENCE, head.wait_for(|head| *head >= position)).await;
    assert!(matches!(seen, Ok(Ok(_))), "the follower has not heard of event {position}");
}

/// Followers that look by themselves once an hour only: what they see, they were told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_hears_of_new_events_and_of_those_it_missed() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let world = World::on(node(&url, "a").await).await;
    let hour = Options { look_every: Duration::from_secs(3600), ..Options::default() };
    let follower = node_on(store(&url).await, "b", hour).await;
    for n in 0..3 {
        world.initiate(n + 1, None).await.unwrap();
        until_seen(&follower, world.engine.tail().head()).await;
    }
    // Connections that carry hints, both ways, are cut; what happens meanwhile is seen when they are back.
    for n in 0..3 {
        server.run(&url, CUT).await;
        world.initiate(n + 1, None).await.unwrap();
        until_seen(&follower, world.engine.tail().head()).await;
    }
}

/// No hint ever comes: the follower looks by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_goes_on_without_hints() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let world = World::on(node(&url, "a").await).await;
    let follower = node_on(Bent::new(store(&url).await), "b", Options::default()).await;
    for n in 0..5 {
        world.initiate(n + 1, None).await.unwrap();
        until_seen(&follower, world.engine.tail().head()).await;
    }
}

const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flexledger-hints'";

async fn leads_within(engine: &Engine, limit: Duration) -> Duration {
    let begin = Instant::now();
    tokio::time::timeout(limit, engine.leading()).await.expect("nobody took over in time");
    begin.elapsed()
}

/// Waits for a role: on a busy machine a lease may have lapsed in between.
async fn in_role(engine: &Engine, role: &Role) {
    let begin = Instant::now();
    while engine.role() != *role {
        assert!(begin.elapsed() < PATIENCE, "{:?} instead of {role:?}", engine.role());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_leads_and_the_others_follow() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let world = World::on(node(&url, "a").await).await;
    let follower = node(&url, "b").await;
    let leader = Candidate { node: "a".to_owned(), address: Some("http://a".to_owned()) };
    in_role(&world.engine, &Role::Leading).await;
    in_role(&follower, &Role::Following(Some(leader))).await;
    // What the leader has acknowledged, a follower shows after settling.
    for n in 0..20 {
        let reference = insist(&world, n + 1).await;
        let acknowledged = world.engine.tail().head();
        settled(&follower).await;
        assert!(follower.tail().head() >= acknowledged);
        assert!(follower.inspect(move |ledger| ledger.payments.open(reference).is_some()).await.unwrap());
    }
    // On a machine that is busy it may have been out of touch just now.
    let begin = Instant::now();
    while !follower.status().writable {
        assert!(begin.elapsed() < PATIENCE, "the follower does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!follower.status().leads);
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
