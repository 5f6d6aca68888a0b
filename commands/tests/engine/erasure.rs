//! Erasure when the store fails just then: asked again, it is done; and what a leader left, the next one finishes.

use std::sync::Arc;

use flexledger_commands::vault::{PlatformKeys, Vault};
use flexledger_commands::{Engine, Failure, Options, erasure};
use flexledger_domain::identity::EraseSubject;
use flexledger_domain::ids::SubjectId;
use flexledger_eventstore::postgres::{Access, PostgresStore};
use flexledger_eventstore::testing::postgres::PostgresServer;
use flexledger_eventstore::{EventStore, MemoryStore};
use uuid::Uuid;

use crate::bent::Bent;
use crate::world::{World, start};

/// The subject of the first application of a world, whose name is sealed.
fn subject() -> SubjectId {
    SubjectId::from_uuid(Uuid::from_u128(201))
}

async fn erase_twice(store: Arc<dyn EventStore>) {
    let bent = Bent::new(store.clone());
    let world = World::on(start(bent.clone(), None).await.0).await;
    assert!(store.subject_key(subject()).await.unwrap().is_some());
    bent.lose_next_answer();
    assert_eq!(erasure::erase(&world.engine, subject()).await, Err(Failure::Unavailable));
    assert!(store.subject_key(subject()).await.unwrap().is_none(), "the store did it");
    let at = erasure::erase(&world.engine, subject()).await.unwrap();
    assert_eq!(erasure::erase(&world.engine, subject()).await, Ok(at));
    let erased = world.history().await.iter().filter(|r| r.event.kind() == "subject.erased").count();
    assert_eq!(erased, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_whose_answer_was_lost_is_done_when_it_is_asked_again() {
    erase_twice(Arc::new(MemoryStore::new())).await;
    let Some(server) = PostgresServer::start() else { return };
    erase_twice(Arc::new(PostgresStore::open(&server.database().await, Access::Write).await.unwrap())).await;
}

/// The event is in the log and a follower has seen it; the leader is gone before the key is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_a_leader_left_is_destroyed_by_the_next_one() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let node = |name: &'static str| {
        let url = url.clone();
        async move {
            let store: Arc<dyn EventStore> = Arc::new(PostgresStore::open(&url, Access::Write).await.unwrap());
            let vault = Vault::new(PlatformKeys::from_master(&[7; 32]).unwrap(), store.clone()).await.unwrap();
            let options = Options { node: name.to_owned(), ..Options::default() };
            Engine::start(store, Arc::new(vault), options).await.unwrap()
        }
    };
    let world = World::on(node("a").await).await;
    let second = node("b").await;
    world.engine.submit(EraseSubject { subject: subject() }).await.unwrap();
    let end = world.engine.tail().head();
    second.tail().subscribe().wait_for(|head| *head >= end).await.unwrap();
    assert!(world.store.subject_key(subject()).await.unwrap().is_some(), "only the event is there");
    world.engine.stop().await;
    second.leading().await;
    assert!(world.store.subject_key(subject()).await.unwrap().is_none());
    assert!(second.status().leads);
}
