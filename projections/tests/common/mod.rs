//! What the tests share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use flexledger_domain::testing::World;
use flexledger_domain::{Position, Recorded};
use flexledger_eventstore::hash::{Hash, chain_hash, leaf_hash};
use flexledger_eventstore::testing::postgres::PostgresServer;
use flexledger_eventstore::{Batch, EventStore, MemoryStore, Record, record};
use flexledger_projections::audit::{self, ViewDigest};
use flexledger_projections::{ViewError, Views};
use tempfile::TempDir;

/// The canonical records of a history.
pub fn records(history: &[Recorded]) -> Vec<Record> {
    let mut hash = Hash::default();
    let write = |recorded: &Recorded| {
        let mut bytes = Vec::new();
        record::encode(recorded, &mut bytes).expect("a sealed event");
        hash = chain_hash(hash, leaf_hash(&bytes));
        Record { position: recorded.position, bytes, hash }
    };
    history.iter().map(write).collect()
}

/// A log that holds a history.
pub async fn store(history: &[Recorded]) -> Arc<dyn EventStore> {
    let store = MemoryStore::new();
    let batch = Batch { records: records(history), keys: Vec::new() };
    store.append(Position::START, batch).await.expect("an empty log");
    Arc::new(store)
}

/// A directory for one database, and its URL. Within [`on_postgres`] the URL of a new schema.
pub fn place() -> (TempDir, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let place = tempfile::tempdir().expect("a directory");
    let postgres = POSTGRES.with_borrow(Clone::clone);
    let url = match postgres {
        Some(url) => format!("{url}?schema=views_{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        None => format!("sqlite:{}", place.path().join("views.db").display()),
    };
    (place, url)
}

thread_local! {
    /// The database that [`place`] gives schemas of, in this thread.
    static POSTGRES: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs tests once more, on a PostgreSQL server. Skipped, with a line that says so, where there is none.
pub fn on_postgres(tests: &[(&str, fn())]) {
    let Some(server) = PostgresServer::start() else { return };
    for (name, test) in tests {
        println!("{name} on PostgreSQL");
        POSTGRES.set(Some(server.url("postgres")));
        test();
    }
    POSTGRES.set(None);
}

/// All views of a history, filled at once.
pub async fn filled(world: &World) -> (TempDir, Views) {
    let (place, url) = place();
    let views = Views::open(&url, &[]).await.expect("views");
    let store = store(&world.history).await;
    views.fill(&store, Position::MAX).await.expect("a sound history");
    (place, views)
}

/// The digests of all views, by name.
pub async fn digests(views: &Views) -> Vec<(&'static str, ViewDigest)> {
    let mut all = Vec::new();
    for name in audit::names() {
        all.push((name, views.digest(name).await.expect(name)));
    }
    all
}

/// Whether an error is of a view that stopped.
pub fn stopped(error: &ViewError, view: &str) -> bool {
    matches!(error, ViewError::Stopped { name, .. } if *name == view)
}

/// Whether [`place`] gives PostgreSQL now.
pub fn is_postgres() -> bool {
    POSTGRES.with_borrow(Option::is_some)
}

/// Does something with [`place`] giving files.
pub async fn on_sqlite<T>(work: impl Future<Output = T>) -> T {
    let postgres = POSTGRES.take();
    let done = work.await;
    POSTGRES.set(postgres);
    done
}
