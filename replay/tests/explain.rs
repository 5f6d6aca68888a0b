//! Explanations of payments against a plain search of the whole log, on random histories.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod opened;

use std::collections::BTreeSet;

use flexledger_domain::ids::CommandId;
use flexledger_domain::merchants::{MerchantEvent, RequestNumber};
use flexledger_domain::payments::PaymentEvent;
use flexledger_domain::testing::World;
use flexledger_domain::webhooks::WebhookEvent;
use flexledger_domain::{Entity, Event, Position, Recorded, Reference};
use flexledger_replay::explain::explain;
use opened::opened;

fn tells_of(event: &WebhookEvent) -> (Reference, u8, bool) {
    match event {
        WebhookEvent::AttemptFailed(_, body) => (body.transaction, body.attempt, true),
        WebhookEvent::Delivered(_, body) => (body.transaction, body.attempt, false),
        WebhookEvent::Failed(_, body) => (body.transaction, body.attempt, true),
    }
}

/// The request that a payment pays.
fn request(history: &[Recorded], reference: Reference) -> Option<RequestNumber> {
    history.iter().find_map(|recorded| match &recorded.event {
        Event::Merchant(MerchantEvent::Accepted(number, body)) if body.transaction == reference => Some(*number),
        _ => None,
    })
}

/// Every event that names the payment, its webhooks or its request, and whatever else their commands did.
fn belonging(history: &[Recorded], reference: Reference) -> Vec<&Recorded> {
    let request = request(history, reference);
    let names = |recorded: &&Recorded| match &recorded.event {
        Event::Webhook(event) => tells_of(event).0 == reference,
        event => match event.entity() {
            Entity::Transaction(named) => named == reference,
            Entity::PaymentRequest(number) => Some(number) == request,
            _ => false,
        },
    };
    let commands: BTreeSet<CommandId> = history.iter().filter(names).map(|recorded| recorded.command).collect();
    history.iter().filter(|recorded| commands.contains(&recorded.command)).collect()
}

#[tokio::test]
async fn everything_that_belongs_to_a_payment_is_told() {
    let mut kinds = BTreeSet::new();
    for seed in 31..35 {
        let world = World::random(seed, 350);
        let (_place, store, views) = opened(&world).await;
        let end = Position::new(world.history.len() as u64);
        let references: Vec<Reference> = world
            .history
            .iter()
            .filter_map(|recorded| match &recorded.event {
                Event::Payment(PaymentEvent::Initiated(reference, _)) => Some(*reference),
                _ => None,
            })
            .collect();
        for reference in references {
            let told = explain(&views, store.as_ref(), reference, end).await.expect("a payment");
            let expected = belonging(&world.history, reference);
            let place = |recorded: &&Recorded| (recorded.position.number(), recorded.event.kind().to_owned());
            let events: Vec<_> = told.events.iter().map(|event| (event.position, event.kind.to_owned())).collect();
            assert_eq!(events, expected.iter().map(place).collect::<Vec<_>>(), "seed {seed}, {reference}");
            let attempts: BTreeSet<_> = expected
                .iter()
                .filter_map(|recorded| match &recorded.event {
                    Event::Webhook(event) => {
                        let (_, attempt, failed) = tells_of(event);
                        Some((recorded.position.number(), attempt, failed))
                    }
                    _ => None,
                })
                .collect();
            let shown = told.webhooks.iter().flat_map(|webhook| &webhook.attempts);
            let shown: BTreeSet<_> = shown.map(|one| (one.position, one.attempt, one.error.is_some())).collect();
            assert_eq!(shown, attempts, "seed {seed}, {reference}");
            let commands: BTreeSet<_> = expected.iter().map(|recorded| recorded.command.to_string()).collect();
            let named: BTreeSet<_> = told.commands.iter().map(|command| command.command_id.clone()).collect();
            assert_eq!(named, commands);
            for command in &told.commands {
                let events = expected.iter().filter(|recorded| recorded.command.to_string() == command.command_id);
                let reports = events.clone().all(|recorded| matches!(recorded.event, Event::Webhook(_)));
                assert_eq!(command.name == "RecordAttempt", reports, "{command:?}");
            }
            kinds.extend(events.into_iter().map(|(_, kind)| kind));
        }
    }
    for kind in ["webhook.delivered", "webhook.attempt_failed", "webhook.failed", "payment_request.created"] {
        assert!(kinds.contains(kind), "{kind} is missing: {kinds:?}");
    }
}
