//! Races: each test is named after the race it runs.

use std::sync::Arc;
use std::time::Duration;

use flexledger_commands::{Failure, transfer};
use flexledger_domain::payments::{Accept, Refusal, Reject};
use flexledger_domain::{Instant, Span};
use flexledger_eventstore::memory::{Fault, MemoryStore};
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

/// How many events the log holds that were recorded at or before an instant.
async fn recorded_by(world: &World, instant: Instant) -> usize {
    world.history().await.iter().filter(|event| event.recorded_at <= instant).count()
}

/// The clock stands still, so whatever is decided after the instant was closed would be recorded at it. Fails without
/// the wait for what is on its way, and without `record_from` in `Close::run`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_the_past_against_payments_at_the_same_instant() {
    let store = MemoryStore::new();
    let world = World::new(Arc::new(store.clone()), None).await;
    for round in 0..20 {
        let now = world.engine.status().recorded_at.plus(Span::from_micros(1_000));
        world.clock.set(now);
        store.fail_next(Fault::Slow(Duration::from_millis(20)));
        let (_, counted) = tokio::join!(world.initiate(1, None), async {
            tokio::time::sleep(Duration::from_millis(round)).await;
            world.engine.close_past(now).await.unwrap();
            let counted = recorded_by(&world, now).await;
            world.initiate(2, None).await.unwrap();
            counted
        });
        assert_eq!(recorded_by(&world, now).await, counted, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_stays_closed_when_the_state_is_read_again_and_the_clock_goes_back() {
    let store = MemoryStore::new();
    let world = World::new(Arc::new(store.clone()), None).await;
    let start = world.engine.status().recorded_at;
    let now = start.plus(Span::from_seconds(10));
    world.clock.set(now);
    world.engine.close_past(now).await.unwrap();
    let counted = recorded_by(&world, now).await;
    assert_eq!(world.engine.status().head.position.number(), u64::try_from(counted).unwrap(), "nothing was written");
    world.clock.set(start);
    assert_eq!(world.engine.close_past(now).await, Err(Failure::Unavailable), "it is in the future now");
    store.fail_next(Fault::Unavailable);
    assert_eq!(world.initiate(1, None).await.map(|_| ()), Err(Failure::Unavailable));
    world.writable().await;
    world.initiate(1, None).await.unwrap();
    assert_eq!(recorded_by(&world, now).await, counted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_cannot_be_closed_while_the_log_cannot_be_written() {
    let store = MemoryStore::new();
    let world = World::new(Arc::new(store.clone()), None).await;
    let before = world.engine.status().recorded_at;
    let now = before.plus(Span::from_seconds(10));
    world.clock.set(now);
    store.fail_next(Fault::Slow(Duration::from_millis(50)));
    (0..2).for_each(|_| store.fail_next(Fault::Unavailable));
    let (first, second) = (world.initiate(1, None), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        tokio::join!(world.initiate(2, None), world.engine.close_past(now))
    });
    let (first, (lost, closed)) = tokio::join!(first, second);
    assert!(first.is_ok());
    assert_eq!((lost.map(|_| ()), closed), (Err(Failure::Unavailable), Err(Failure::Unavailable)));
    assert_eq!(world.engine.close_past(before).await, Ok(()), "later events are durable");
}
