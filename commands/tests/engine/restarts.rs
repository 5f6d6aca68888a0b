//! Restarts: the same answers, from a snapshot or without one.

use std::path::Path;
use std::sync::Arc;

use flexledger_commands::transfer;
use flexledger_domain::identity::TagQuery;
use flexledger_domain::ids::MerchantId;
use flexledger_domain::merchants::RegisterMerchant;
use flexledger_domain::payments::Accept;
use flexledger_domain::{Span, TokenHash};
use flexledger_eventstore::EventStore;
use flexledger_eventstore::memory::MemoryStore;
use flexledger_eventstore::sqlite::{Mode, SqliteStore};

use crate::world::{World, start_at};

async fn sqlite(folder: &Path) -> SqliteStore {
    SqliteStore::open(&folder.join("events.db"), Mode::Writer { holder: "test".to_owned() }).await.unwrap()
}

/// A world with some hundred payments, some of them open.
async fn busy(store: Arc<dyn EventStore>, snapshots: &Path) -> World {
    let world = World::new(store, Some(snapshots)).await;
    for n in 0..300 {
        let reference = world.initiate(n + 1, Some(&format!("k-{n}"))).await.unwrap().payment.reference;
        if n % 3 > 0 {
            transfer::accept(&world.engine, Accept { caller: world.receiver, reference }).await.unwrap();
        }
    }
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_answers_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let world = busy(store.clone(), folder.path()).await;
    let first = world.initiate(1, Some("k-0")).await.unwrap();
    let state = world.engine.inspect(Clone::clone).await.unwrap();
    let now = world.engine.status().recorded_at;
    world.engine.stop().await;
    for snapshots in [Some(folder.path()), None] {
        let (engine, clock) = start_at(store.clone(), snapshots, now).await;
        let mut again = engine.inspect(Clone::clone).await.unwrap();
        again.system = state.system.clone();
        assert_eq!(again, state);
        let restarted = World { engine, store: store.clone(), clock, sender: world.sender, receiver: world.receiver };
        let second = restarted.initiate(77, Some("k-0")).await.unwrap();
        assert!(second.replayed);
        assert_eq!((&second.payment, second.at), (&first.payment, first.at));
        restarted.clock.set(now.plus(Span::from_seconds(86_400)));
        assert!(!restarted.initiate(1, Some("k-1")).await.unwrap().replayed, "after the window a key is free");
        restarted.engine.stop().await;
        if snapshots.is_some() {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_are_only_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = folder.path().join("snapshots");
    let world = busy(Arc::new(sqlite(folder.path()).await), &snapshots).await;
    let state = world.engine.inspect(Clone::clone).await.unwrap();
    let now = world.engine.status().recorded_at;
    world.engine.stop().await;
    let World { engine, store, .. } = world;
    drop((engine, store));
    let states: Vec<_> = std::fs::read_dir(&snapshots)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "state"))
        .collect();
    assert!(!states.is_empty());
    // A damaged snapshot is passed over; so is one of another log.
    for damage in [true, false] {
        if damage {
            for path in &states {
                let mut bytes = std::fs::read(path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(path, bytes).unwrap();
            }
        }
        let store: Arc<dyn EventStore> = Arc::new(sqlite(folder.path()).await);
        let (engine, _) = start_at(store.clone(), Some(&snapshots), now).await;
        let mut again = engine.inspect(Clone::clone).await.unwrap();
        again.system = state.system.clone();
        assert_eq!(again, state);
        engine.stop().await;
        drop((engine, store));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let other: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let foreign = World::new(other, Some(&snapshots)).await;
    assert_eq!(foreign.folded().await, foreign.engine.inspect(Clone::clone).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merchants_are_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let world = World::new(store.clone(), Some(folder.path())).await;
    let id = MerchantId::from_uuid(uuid::Uuid::from_u128(77));
    let (key, tag) = (TokenHash::new([7; 32]), TagQuery::parse("bob").unwrap());
    let (name, location) = ("Corner Shop".into(), "loc".into());
    let command = RegisterMerchant { id, name, tag, key, location, idempotency: None };
    world.engine.submit(command).await.unwrap();
    let now = world.engine.status().recorded_at;
    world.engine.stop().await;
    // Once from the snapshot, once from the log alone.
    for snapshots in [Some(folder.path()), None] {
        let (engine, _) = start_at(store.clone(), snapshots, now).await;
        let merchant = engine.directory().merchant(id).unwrap();
        assert_eq!((&*merchant.name, merchant.key, &*merchant.location), ("Corner Shop", key, "loc"));
        engine.stop().await;
    }
}
