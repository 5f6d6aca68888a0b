//! Two engines on one log that has no lease, as on KurrentDB: the place of each event keeps them apart, nothing else.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use flexledger_commands::Failure;
use flexledger_domain::Event;
use flexledger_domain::system::SystemEvent;
use flexledger_eventstore::MemoryStore;
use futures::future::join_all;

use crate::world::{World, start};

/// Repeats a payment until it is acknowledged.
async fn insist(world: &World, key: &str, pause: Duration) -> (String, usize) {
    for refused in 0..2000 {
        match world.initiate(1, Some(key)).await {
            Ok(done) => return (done.payment.reference.to_string(), refused),
            Err(failure) => assert_eq!(failure, Failure::Unavailable),
        }
        tokio::time::sleep(pause).await;
    }
    panic!("{key} is never acknowledged");
}

async fn client(world: &World, name: &str, pause: Duration) -> (Vec<String>, usize) {
    let (mut references, mut refusals) = (Vec::new(), 0);
    for number in 0..10 {
        let (reference, refused) = insist(world, &format!("{name}-{number}"), pause).await;
        references.push(reference);
        refusals += refused;
        tokio::time::sleep(pause).await;
    }
    (references, refusals)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_engines_without_a_lease_the_one_that_comes_late_steps_down() {
    let store = MemoryStore::new();
    let first = World::new(Arc::new(store.clone()), None).await;
    let (engine, clock) = start(Arc::new(store.clone()), None).await;
    let second = World { engine, clock, store: first.store.clone(), ..first };
    // The first one has not heard of the second's term: its next write is refused, and it reads the log again.
    let before = second.engine.status().epoch;
    assert_eq!(first.initiate(1, None).await.map(|_| ()), Err(Failure::Unavailable));
    first.writable().await;
    insist(&first, "a", Duration::from_millis(5)).await;
    assert!(first.engine.status().epoch > before);

    // Both have clients, who insist. They depose each other by turns, and get there.
    let (quick, slow) = (Duration::from_millis(4), Duration::from_millis(45));
    let (of_first, of_second) = futures::join!(
        join_all(["a", "b", "c"].map(|name| client(&first, name, quick))),
        join_all(["d", "e"].map(|name| client(&second, name, slow))),
    );
    assert!(of_second.iter().map(|(_, refusals)| refusals).sum::<usize>() > 0, "they never met");
    let answers = of_first.into_iter().chain(of_second).flat_map(|(references, _)| references);
    let references: HashSet<String> = answers.collect();
    assert_eq!(references.len(), 50, "each key made a payment of its own");
    // One more was made before, under a key; nothing else was booked by the calls that were refused.
    assert_eq!(first.folded().await.payments.open_count(), 51);
    let epochs = first.history().await.into_iter().filter_map(|recorded| match recorded.event {
        Event::System(SystemEvent::EpochOpened(_, opened)) => Some(opened.epoch.0),
        _ => None,
    });
    let epochs: Vec<u64> = epochs.collect();
    assert!(epochs.len() > 3 && epochs.windows(2).all(|two| two[1] == two[0] + 1), "{epochs:?}");
}
