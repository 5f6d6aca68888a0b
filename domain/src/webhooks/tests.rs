//! Scenarios and laws of deliveries.

use std::collections::HashMap;

use proptest::prelude::*;

use crate::event::{Event, Recorded};
use crate::identity::{Handle, Local, TagQuery};
use crate::ids::{ApplicationId, Position, Reference, WebhookId};
use crate::payments::{Accept, DeliveryStatus, Direction, PaymentEvent, Reject};
use crate::testing::World;
use crate::webhooks::{ATTEMPTS, LONGEST_ERROR, Outcome, Owed, RecordAttempt, WebhookEvent};

/// Two applications that both want webhooks, and an open payment between them.
struct Paid {
    world: World,
    receiver: ApplicationId,
    sender: ApplicationId,
    reference: Reference,
}

fn paid() -> Paid {
    let mut world = World::default();
    world.open_log();
    let mut join = |handle: &str, local: &str| {
        let id = world.application(&Handle::new(handle).unwrap()).unwrap();
        world.tag(id, &Local::new(local).unwrap()).unwrap();
        (id, TagQuery::parse(local).unwrap())
    };
    let ((sender, alice), (receiver, bob)) = (join("walletapp", "alice"), join("shopapp", "bob"));
    let reference = world.initiate(sender, (&alice, &bob), 10_001, "NGN").unwrap().reference;
    Paid { world, receiver, sender, reference }
}

impl Paid {
    fn owed(&self, direction: Direction) -> Owed {
        self.world.ledger.webhooks.record(self.reference, direction).unwrap().clone()
    }

    fn attempt(&mut self, owed: &Owed, attempt: u8, outcome: Outcome) -> Option<DeliveryStatus> {
        let (webhook, transaction, direction) = (owed.id, owed.transaction, owed.direction);
        let at = self.world.now;
        self.world.give(&RecordAttempt { webhook, transaction, direction, attempt, at, outcome }).unwrap()
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.world.history.iter().map(|r| r.event.kind()).filter(|kind| kind.starts_with("webhook.")).collect()
    }
}

fn failed(text: &str) -> Outcome {
    Outcome::Failed(text.into())
}

#[test]
fn a_payment_owes_the_receiver_then_the_sender() {
    let mut paid = paid();
    let owed = paid.owed(Direction::Receiver);
    assert_eq!(
        (owed.application, owed.cause, owed.previous),
        (paid.receiver, paid.reference.position(), Position::START)
    );
    paid.world.give(&Accept { caller: paid.receiver, reference: paid.reference }).unwrap();
    let owed = paid.owed(Direction::Sender);
    let accepted = paid.world.history.last().unwrap().position;
    assert_eq!((owed.application, owed.cause), (paid.sender, accepted));
    assert_eq!(paid.world.ledger.webhooks.pending_count(), 2);
}

#[test]
fn each_attempt_counts_once_and_the_third_is_the_last() {
    let mut paid = paid();
    let owed = paid.owed(Direction::Receiver);
    assert_eq!(paid.attempt(&owed, 2, failed("HTTP 500")), Some(DeliveryStatus::Pending), "attempts have an order");
    assert_eq!(paid.attempt(&owed, 1, failed("HTTP 500")), Some(DeliveryStatus::Pending));
    assert_eq!(paid.attempt(&owed, 1, Outcome::Delivered), Some(DeliveryStatus::Pending), "it is recorded already");
    assert_eq!(paid.attempt(&owed, 2, failed("HTTP 503")), Some(DeliveryStatus::Pending));
    assert_eq!(paid.attempt(&owed, 3, failed("timed out")), Some(DeliveryStatus::Failed));
    assert_eq!(paid.attempt(&owed, 4, Outcome::Delivered), Some(DeliveryStatus::Failed), "it is final");
    assert_eq!(paid.kinds(), ["webhook.attempt_failed", "webhook.attempt_failed", "webhook.failed"]);
    let delivery = paid.owed(Direction::Receiver).delivery;
    assert_eq!((delivery.attempts, delivery.last_error.as_deref()), (3, Some("timed out")));
    assert_eq!(paid.world.ledger.webhooks.pending_count(), 0);
}

#[test]
fn an_accepted_payment_shows_what_became_of_the_first_webhook() {
    let mut paid = paid();
    let owed = paid.owed(Direction::Receiver);
    paid.attempt(&owed, 1, failed("HTTP 500"));
    paid.world.wait(1);
    paid.attempt(&owed, 2, Outcome::Delivered);
    let delivered = paid.world.now;
    paid.world.wait(1);
    let payment = paid.world.give(&Accept { caller: paid.receiver, reference: paid.reference }).unwrap();
    let [first, second] = payment.webhooks.as_slice() else { panic!("two records") };
    assert_eq!((first.delivery.status, first.delivery.attempts), (DeliveryStatus::Delivered, 2));
    assert_eq!((first.delivery.delivered_at, first.updated_at), (Some(delivered), delivered));
    assert_eq!((second.delivery.status, second.delivery.attempts), (DeliveryStatus::Pending, 0));
}

#[test]
fn nothing_is_kept_of_what_is_over() {
    let mut paid = paid();
    let (receiver, reference) = (paid.receiver, paid.reference);
    let first = paid.owed(Direction::Receiver);
    paid.attempt(&first, 1, Outcome::Delivered);
    assert_eq!(paid.world.ledger.webhooks.count(), 1, "the payment is open");
    paid.world.give(&Reject { caller: receiver, reference, reason: None }).unwrap();
    let second = paid.owed(Direction::Sender);
    assert_eq!(paid.attempt(&second, 1, Outcome::Delivered), Some(DeliveryStatus::Delivered));
    assert_eq!(paid.world.ledger.webhooks.count(), 0);
    assert_eq!(paid.attempt(&second, 1, Outcome::Delivered), None);
}

#[test]
fn foreign_ids_and_long_reasons() {
    let mut paid = paid();
    let owed = paid.owed(Direction::Receiver);
    let mut foreign = owed.clone();
    foreign.id = WebhookId::from_uuid(uuid::Uuid::nil());
    assert_eq!(paid.attempt(&foreign, 1, Outcome::Delivered), None);
    paid.attempt(&owed, 1, failed(&"☂".repeat(1000)));
    let error = paid.owed(Direction::Receiver).delivery.last_error.unwrap();
    assert_eq!(error.chars().count(), LONGEST_ERROR);
}

/// What one record went through, by a second, plain fold.
#[derive(Default)]
struct Plain {
    attempts: Vec<u8>,
    last: Option<&'static str>,
}

fn plain(history: &[Recorded]) -> HashMap<WebhookId, Plain> {
    let mut all: HashMap<WebhookId, Plain> = HashMap::new();
    let mut owe = |id: WebhookId| assert!(all.insert(id, Plain::default()).is_none(), "a record is made once");
    for recorded in history {
        match &recorded.event {
            Event::Payment(PaymentEvent::Initiated(_, b)) => b.receiver_webhook.iter().for_each(|w| owe(w.id)),
            Event::Payment(PaymentEvent::Accepted(_, b)) => b.sender_webhook.iter().for_each(|w| owe(w.id)),
            Event::Payment(PaymentEvent::Rejected(_, b)) => b.sender_webhook.iter().for_each(|w| owe(w.id)),
            Event::Payment(PaymentEvent::Expired(_, b)) => b.sender_webhook.iter().for_each(|w| owe(w.id)),
            _ => {}
        }
    }
    for recorded in history {
        let Event::Webhook(event) = &recorded.event else { continue };
        let (id, attempt) = match event {
            WebhookEvent::AttemptFailed(id, body) => (id, body.attempt),
            WebhookEvent::Delivered(id, body) => (id, body.attempt),
            WebhookEvent::Failed(id, body) => (id, body.attempt),
        };
        let record = all.get_mut(id).expect("a record that was made");
        record.attempts.push(attempt);
        assert!(record.last.is_none_or(|last| last == "webhook.attempt_failed"), "a final record never changes");
        record.last = Some(event.kind());
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Records are made once, attempts are numbered without gaps, and exactly the unfinished ones are pending.
    #[test]
    fn pending_is_what_a_plain_fold_says(seed: u64) {
        let world = World::random(seed, 400);
        let mut pending = 0;
        for record in plain(&world.history).values() {
            prop_assert!(record.attempts.iter().copied().eq(1..=u8::try_from(record.attempts.len()).unwrap()));
            prop_assert!(record.attempts.len() <= usize::from(ATTEMPTS));
            pending += usize::from(record.last.is_none_or(|last| last == "webhook.attempt_failed"));
        }
        let webhooks = &world.ledger.webhooks;
        prop_assert_eq!(webhooks.pending_count(), pending);
        prop_assert!(webhooks.count() <= pending + world.ledger.payments.open_count());
        let mut newest: HashMap<ApplicationId, Position> = HashMap::new();
        for owed in webhooks.owed_after(Position::START) {
            prop_assert!(owed.previous < owed.cause);
            let before = newest.insert(owed.application, owed.cause);
            prop_assert!(before.is_none_or(|before| before <= owed.previous));
        }
    }
}
