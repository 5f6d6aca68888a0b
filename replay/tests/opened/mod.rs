//! A history as a log, with all views of it.

use std::sync::Arc;

use flexledger_domain::Position;
use flexledger_domain::testing::World;
use flexledger_eventstore::hash::{Hash, chain_hash, leaf_hash};
use flexledger_eventstore::{Batch, EventStore, MemoryStore, Record, record};
use flexledger_projections::Views;

pub async fn opened(world: &World) -> (tempfile::TempDir, Arc<dyn EventStore>, Views) {
    let mut hash = Hash::default();
    let records = world.history.iter().map(|recorded| {
        let mut bytes = Vec::new();
        record::encode(recorded, &mut bytes).expect("a sealed event");
        hash = chain_hash(hash, leaf_hash(&bytes));
        Record { position: recorded.position, bytes, hash }
    });
    let store = MemoryStore::new();
    let batch = Batch { records: records.collect(), keys: Vec::new() };
    store.append(Position::START, batch).await.expect("an empty log");
    let store: Arc<dyn EventStore> = Arc::new(store);
    let place = tempfile::tempdir().expect("a directory");
    let views = Views::open(&format!("sqlite:{}", place.path().join("v.db").display()), &[]).await.expect("views");
    views.fill(&store, Position::MAX).await.expect("a sound history");
    (place, store, views)
}
