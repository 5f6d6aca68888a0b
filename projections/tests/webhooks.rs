//! Webhook records as rows against the state of the domain and against a plain count of the history.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::collections::BTreeMap;

use common::filled;
use flexledger_domain::payments::DeliveryStatus;
use flexledger_domain::testing::World;
use flexledger_domain::webhooks::WebhookEvent;
use flexledger_domain::{Entity, Event, Position};
use flexledger_projections::{Page, Sort};
use proptest::prelude::*;

fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn rows_are_what_the_state_says(seed: u64) {
        run(async {
            let world = World::random(seed, 300);
            let (_place, views) = filled(&world).await;
            for owed in world.ledger.webhooks.owed_after(Position::START) {
                let row = views.webhook(owed.id).await.expect("views").expect("a record");
                assert_eq!((&row.record.delivery, row.record.updated_at), (&owed.delivery, owed.updated_at));
                assert_eq!((row.record.application, row.record.direction), (owed.application, owed.direction));
                assert_eq!((row.record.reference, &row.record.url), (owed.transaction, &owed.url));
                let attempts: Vec<u8> = row.attempts.iter().map(|attempt| attempt.attempt).collect();
                assert!(attempts.iter().copied().eq(1..=owed.delivery.attempts), "{attempts:?}");
                let reports = world.history.iter().filter(|recorded| match &recorded.event {
                    Event::Webhook(event) => event.entity() == Entity::Webhook(owed.id),
                    _ => false,
                });
                let reports: Vec<Position> = reports.map(|recorded| recorded.position).collect();
                assert_eq!(row.attempts.iter().map(|attempt| attempt.position).collect::<Vec<_>>(), reports);
            }
        });
    }

    #[test]
    fn what_was_given_up_is_listed_for_its_target(seed: u64) {
        run(async {
            let world = World::random(seed, 300);
            let (_place, views) = filled(&world).await;
            let mut failed = BTreeMap::new();
            for recorded in &world.history {
                if let Event::Webhook(WebhookEvent::Failed(_, body)) = &recorded.event {
                    *failed.entry(body.application).or_insert(0) += 1;
                }
            }
            for (application, count) in failed {
                let page = views.failed_webhooks(application, &Page::default()).await.expect("views");
                assert_eq!(page.total, count);
                assert!(page.items.iter().all(|one| one.delivery.status == DeliveryStatus::Failed));
                assert!(page.items.iter().all(|one| one.application == application));
                assert!(page.items.windows(2).all(|pair| pair[0].created_at >= pair[1].created_at));
                for property in ["id", "transactionReference", "eventType", "targetUrl", "attempts", "lastAttemptAt"] {
                    let sort = vec![Sort { property: property.to_owned(), descending: true }];
                    let sorted = views.failed_webhooks(application, &Page { sort, ..Page::default() }).await;
                    assert_eq!(sorted.expect(property).total, count);
                }
            }
        });
    }
}

#[test]
fn all_of_it_on_postgres() {
    common::on_postgres(&[
        ("rows_are_what_the_state_says", rows_are_what_the_state_says),
        ("what_was_given_up_is_listed_for_its_target", what_was_given_up_is_listed_for_its_target),
    ]);
}
