//! Faults of the store: nothing acknowledged is lost, nothing unsaved is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use flexledger_commands::{Failure, transfer};
use flexledger_domain::books::{Account, Journal};
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::money::{Amount, Currency, Money};
use flexledger_domain::payments::{Accept, Accepted, PaymentEvent, SCALE};
use flexledger_domain::{Actor, Command, Context, Date, Decision, Instant, Ledger, Reference, Span};
use flexledger_eventstore::memory::{Fault, MemoryStore};
use futures::future::join_all;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_append_acknowledges_nobody_and_changes_nothing() {
    let store = MemoryStore::new();
    let world = World::new(Arc::new(store.clone()), None).await;
    let before = world.folded().await;
    store.fail_next(Fault::Unavailable);
    let answers = join_all((0..20).map(|n| world.initiate(n + 1, None))).await;
    let lost = answers.iter().filter(|answer| matches!(answer, Err(Failure::Unavailable))).count();
    assert!(lost > 0);
    world.writable().await;
    let after = world.folded().await;
    let saved = after.payments.open_count() - before.payments.open_count();
    assert_eq!(saved, answers.len() - lost);
    assert_eq!(world.engine.inspect(Clone::clone).await.unwrap(), after);
    world.initiate(1, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_unknown_outcome_the_key_tells_what_happened() {
    for (fault, stored) in [(Fault::UnknownStored, true), (Fault::UnknownLost, false)] {
        let store = MemoryStore::new();
        let world = World::new(Arc::new(store.clone()), None).await;
        store.fail_next(fault);
        assert_eq!(world.initiate(5, Some("k")).await.map(|_| ()), Err(Failure::Unavailable));
        world.writable().await;
        let again = world.initiate(5, Some("k")).await.unwrap();
        assert_eq!(again.replayed, stored);
        assert_eq!(world.folded().await.payments.open_count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposed_writer_steps_down() {
    let store = MemoryStore::new();
    let world = World::new(Arc::new(store.clone()), None).await;
    store.fail_next(Fault::Conflict);
    let epoch = world.engine.status().epoch;
    assert_eq!(world.initiate(5, None).await.map(|_| ()), Err(Failure::Unavailable));
    // Nobody else leads this log, so it leads again, in the next term, from what the log says.
    world.writable().await;
    assert!(world.engine.status().epoch > epoch);
    world.initiate(5, None).await.unwrap();
    assert_eq!(world.folded().await, world.engine.inspect(Clone::clone).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_time_never_goes_back() {
    let world = World::new(Arc::new(MemoryStore::new()), None).await;
    let start = world.engine.status().recorded_at;
    world.clock.set(start.plus(Span::from_seconds(100)));
    world.initiate(1, None).await.unwrap();
    world.clock.set(Instant::from_micros(0));
    world.initiate(1, None).await.unwrap();
    let history = world.history().await;
    assert!(history.windows(2).all(|two| two[0].recorded_at <= two[1].recorded_at));
    assert_eq!(history.last().map(|event| event.recorded_at), Some(start.plus(Span::from_seconds(100))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overdue_payments_are_swept() {
    let world = World::new(Arc::new(MemoryStore::new()), None).await;
    let reference = world.initiate(1, None).await.unwrap().payment.reference;
    let sweep = flexledger_commands::reactors::expire_overdue(world.engine.clone(), Duration::from_millis(10));
    let sweeper = tokio::spawn(sweep);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.folded().await.payments.open_count(), 1);
    world.clock.set(world.engine.status().recorded_at.plus(Span::from_seconds(86_400)));
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if world.folded().await.payments.open_count() == 0 {
            break;
        }
    }
    sweeper.abort();
    let late = transfer::accept(&world.engine, Accept { caller: world.receiver, reference }).await;
    assert!(matches!(late, Err(Failure::Refused(_))));
    assert_eq!(world.history().await.last().map(|event| event.event.kind()), Some("transaction.expired"));
}

/// Books more than a balance can hold, which no decision does: a mistake in the program.
struct Impossible {
    reference: Reference,
    parties: [ApplicationId; 2],
}

impl Command for Impossible {
    type Outcome = ();
    const NAME: &'static str = "Impossible";

    fn actor(&self) -> Actor {
        Actor::Operator
    }

    fn decide(&self, _: &Ledger, _: &mut Context<'_>) -> Decision<()> {
        let [from, to] = self.parties.map(Account::Wallet);
        let money = Money { amount: Amount::from_minor(i128::MAX), currency: Currency::new("NGN", SCALE).unwrap() };
        let journal = Journal::transfer(from, to, money).unwrap();
        let settlement_date = Date::parse("2026-03-01").unwrap();
        let once = || Accepted { journal: journal.clone(), sender_webhook: None, settlement_date };
        Decision::accept((), [once(), once()].map(|body| PaymentEvent::Accepted(self.reference, body)))
    }
}

/// On one thread both clients are answered in one moment, and their next commands are there before the next batch is
/// closed: the first one breaks the state, and the second one is decided on what is left.
#[tokio::test]
async fn what_was_decided_on_a_broken_state_is_never_stored() {
    let world = World::new(Arc::new(MemoryStore::new()), None).await;
    let reference = world.initiate(1, None).await.unwrap().payment.reference;
    let impossible = Impossible { reference, parties: [world.sender, world.receiver] };
    let (broken, after) = futures::join!(
        async {
            world.initiate(2, None).await.unwrap();
            world.engine.submit(impossible).await.map(|_| ())
        },
        async {
            world.initiate(3, None).await.unwrap();
            world.initiate(4, None).await.map(|_| ())
        },
    );
    assert_eq!((broken, after), (Err(Failure::Unavailable), Err(Failure::Unavailable)));
    world.writable().await;
    assert_eq!(world.engine.inspect(Clone::clone).await.unwrap(), world.folded().await);
    assert_eq!(world.folded().await.payments.open_count(), 3);
    world.initiate(4, None).await.unwrap();
}
