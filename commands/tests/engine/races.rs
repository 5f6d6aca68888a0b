//! Races: each test is named after the race it runs.

use std::sync::Arc;

use flexledger_commands::{Failure, transfer};
use flexledger_domain::payments::{Accept, Refusal, Reject};
use flexledger_eventstore::memory::MemoryStore;
use futures::future::join_all;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_of_one_key_make_one_payment() {
    let world = World::new(Arc::new(MemoryStore::new()), None).await;
    let before = world.engine.status().head.position.number();
    let answers = join_all((0..64).map(|_| world.initiate(15_000_000, Some("k-1")))).await;
    let mut answers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap()).collect();
    // The first answer holds the narration as it came in, the repeats as it was sealed.
    answers.iter_mut().for_each(|answer| answer.payment.narration = None);
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.windows(2).all(|two| two[0].payment == two[1].payment && two[0].at == two[1].at));
    let events = world.engine.status().head.position.number() - before;
    assert_eq!(events, 3, "one payment and two wallets");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_against_reject_has_one_winner() {
    let world = World::new(Arc::new(MemoryStore::new()), None).await;
    for _ in 0..50 {
        let reference = world.initiate(1, None).await.unwrap().payment.reference;
        let caller = world.receiver;
        let accept = transfer::accept(&world.engine, Accept { caller, reference });
        let reject = transfer::reject(&world.engine, Reject { caller, reference, reason: Some("no".into()) });
        let (accepted, rejected) = tokio::join!(accept, reject);
        assert_ne!(accepted.is_ok(), rejected.is_ok());
        let lost = accepted.err().or(rejected.err());
        assert_eq!(lost, Some(Failure::Refused(Refusal::NotAwaiting.into())));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_payments_sum_to_zero_and_the_log_gives_the_same_state() {
    let world = World::new(Arc::new(MemoryStore::new()), None).await;
    let one = |n: i128| {
        let world = &world;
        async move {
            let reference = world.initiate(n + 1, None).await.unwrap().payment.reference;
            transfer::accept(&world.engine, Accept { caller: world.receiver, reference }).await.unwrap();
        }
    };
    join_all((0..200).map(one)).await;
    let live = world.engine.inspect(Clone::clone).await.unwrap();
    assert_eq!(live, world.folded().await);
    for (debit, credit) in live.books.trial_balance().unwrap().values() {
        assert_eq!(debit, credit);
        assert_eq!(debit.minor(), (1..=200).sum::<i128>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_and_finished_payments_are_told_apart() {
    let world = World::new(Arc::new(MemoryStore::new()), None).await;
    let reference = world.initiate(1, None).await.unwrap().payment.reference;
    let accept = |caller, reference| transfer::accept(&world.engine, Accept { caller, reference });
    accept(world.receiver, reference).await.unwrap();
    let refused = |result: Result<transfer::Answered, Failure>| result.map(|_| ()).unwrap_err();
    assert_eq!(refused(accept(world.receiver, reference).await), Failure::Refused(Refusal::NotAwaiting.into()));
    assert_eq!(refused(accept(world.sender, reference).await), Failure::Refused(Refusal::NotReceiver.into()));
    let guessed = "TXN-00000003-00000000".parse().unwrap();
    assert_eq!(refused(accept(world.receiver, guessed).await), Failure::Refused(Refusal::NotFound.into()));
    let beyond = "TXN-99999999-00000000".parse().unwrap();
    assert_eq!(refused(accept(world.receiver, beyond).await), Failure::Refused(Refusal::NotFound.into()));
}
