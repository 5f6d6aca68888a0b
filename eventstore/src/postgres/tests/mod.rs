mod alone;
mod tls;

use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use crate::contract;
use crate::testing::postgres::PostgresServer;

struct Databases {
    server: PostgresServer,
    last: std::sync::Mutex<String>,
}

impl Databases {
    async fn open(&self) -> Arc<dyn EventStore> {
        let url = self.last.lock().unwrap().clone();
        Arc::new(PostgresStore::open(&url, Access::Write).await.unwrap())
    }
}

#[async_trait]
impl contract::Harness for Databases {
    async fn fresh(&self) -> Arc<dyn EventStore> {
        let url = self.server.database().await;
        *self.last.lock().unwrap() = url;
        self.open().await
    }

    async fn reopen(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        drop(store);
        self.open().await
    }

    async fn rival(&self, _: &Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        self.open().await
    }

    async fn misplace(&self, _: &Arc<dyn EventStore>, places: &[i64]) -> bool {
        let url = self.last.lock().unwrap().clone();
        let mut connection = <PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
        for place in places {
            let copy = "INSERT INTO flexledger_log.events \
                        SELECT $1, body, hash FROM flexledger_log.events WHERE position = 1";
            connection.execute(sqlx::query(copy).bind(place)).await.unwrap();
        }
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let Some(server) = PostgresServer::start() else { return };
    contract::run(&Databases { server, last: std::sync::Mutex::default() }).await;
}

fn batch(after: u64, count: u64) -> Batch {
    Batch { records: contract::records(Position::new(after), count), keys: Vec::new() }
}

/// A crash of the server: what was in flight is of unknown outcome or was not stored, and the store works again after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_works_again_after_the_server_was_away() {
    let Some(server) = PostgresServer::start() else { return };
    let store = PostgresStore::open(&server.database().await, Access::Write).await.unwrap();
    store.append(Position::START, batch(0, 10)).await.unwrap();
    server.halt();
    let lost = store.append(Position::new(10), batch(10, 10)).await;
    assert!(matches!(lost, Err(AppendError::Unknown(_))), "{lost:?}");
    let refused = store.append(Position::new(10), batch(10, 10)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    assert!(store.head().await.is_err());
    server.resume();
    assert_eq!(store.head().await.unwrap().position, Position::new(10));
    store.append(Position::new(10), batch(10, 10)).await.unwrap();
    assert_eq!(store.read(Position::START, 100).await.unwrap().len(), 20);
}

/// The server dies at random moments of a stream of appends: each batch is there whole or not at all, and none that
/// was acknowledged is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_the_middle_of_appends_keeps_whole_batches() {
    let Some(server) = PostgresServer::start() else { return };
    let store = std::sync::Arc::new(PostgresStore::open(&server.database().await, Access::Write).await.unwrap());
    for round in 0..4_u64 {
        let mut at = store.head().await.unwrap().position;
        let writer = store.clone();
        let writing = tokio::spawn(async move {
            loop {
                if writer.append(at, batch(at.number(), 200)).await.is_err() {
                    return at;
                }
                at = at.plus(200);
            }
        });
        tokio::time::sleep(Duration::from_millis(40 + 30 * round)).await;
        server.halt();
        let acknowledged = writing.await.unwrap();
        server.resume();
        let head = store.head().await.unwrap().position;
        assert!(
            head == acknowledged || head == acknowledged.plus(200),
            "{acknowledged} was acknowledged, {head} is there"
        );
        assert_eq!(store.read(Position::START, 1_000_000).await.unwrap().len() as u64, head.number());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_newest_term_writes() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let (old, new) = (
        PostgresStore::open(&url, Access::Write).await.unwrap(),
        PostgresStore::open(&url, Access::Write).await.unwrap(),
    );
    let name = |node: &str| Candidate { node: node.to_owned(), address: None };
    let Lease::Mine { term, lasts } = old.lead(&name("old")).await.unwrap() else { panic!("nobody else leads") };
    assert_eq!(lasts, Some(LEASE_LASTS));
    old.append(Position::START, batch(0, 1)).await.unwrap();
    assert_eq!(new.lead(&name("new")).await.unwrap(), Lease::Theirs { leader: name("old") });
    assert!(matches!(old.lead(&name("old")).await.unwrap(), Lease::Mine { term: same, .. } if same == term));
    old.resign().await.unwrap();
    assert!(matches!(new.lead(&name("new")).await.unwrap(), Lease::Mine { term: next, .. } if next == term + 1));
    // The place is right, the term is over.
    let refused = old.append(Position::new(1), batch(1, 1)).await;
    assert!(matches!(refused, Err(AppendError::Conflict(at)) if at == Position::new(1)), "{refused:?}");
    new.append(Position::new(1), batch(1, 1)).await.unwrap();
    assert_eq!(old.lead(&name("old")).await.unwrap(), Lease::Theirs { leader: name("new") });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_needs_a_log_and_changes_nothing() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    assert!(matches!(PostgresStore::open(&url, Access::Read).await, Err(StoreError::Unusable(_))));
    let writer = PostgresStore::open(&url, Access::Write).await.unwrap();
    writer.append(Position::START, batch(0, 3)).await.unwrap();
    let reader = PostgresStore::open(&url, Access::Read).await.unwrap();
    assert_eq!(reader.head().await.unwrap().position, Position::new(3));
    assert!(matches!(reader.append(Position::new(3), batch(3, 1)).await, Err(AppendError::Unavailable(_))));
    // Rows that were taken away by hand are noticed before anything is added.
    server.run(&url, "DELETE FROM flexledger_log.events WHERE position = 3").await;
    assert!(matches!(PostgresStore::open(&url, Access::Write).await, Err(StoreError::Unusable(_))));
}
