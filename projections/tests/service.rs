//! Following, waiting, stopping: scenarios.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{digests, filled, place, records, stopped, store};
use flexledger_domain::identity::{Handle, Local, TagQuery};
use flexledger_domain::payments::{Accept, PaymentEvent};
use flexledger_domain::testing::World;
use flexledger_domain::{Event, Position, Recorded};
use flexledger_eventstore::{Batch, EventStore, MemoryStore, Tail};
use flexledger_projections::{Page, Sort, ViewError, Views, Which};

/// Reading your own writes: after each published batch a waiting reader sees it, faster than the lazy write.
#[tokio::test]
async fn a_waiting_reader_sees_what_was_published() {
    let world = World::random(3, 200);
    let (_place, url) = place();
    let views = Views::open(&url, &[]).await.expect("views");
    let tail = Arc::new(Tail::new(64, Position::START));
    let log = MemoryStore::new();
    views.follow(Arc::new(log.clone()), tail.clone()).await.expect("an empty log");
    let stored = records(&world.history);
    for (batch, records) in world.history.chunks(5).zip(stored.chunks(5)) {
        let expected = log.head().await.expect("a head").position;
        log.append(expected, Batch { records: records.to_vec(), keys: Vec::new() }).await.expect("it follows");
        tail.publish(Arc::new(batch.to_vec()));
        views.caught_up(tail.head(), None).await.expect("in time");
        for recorded in batch {
            if let Event::Payment(PaymentEvent::Initiated(reference, body)) = &recorded.event {
                let payment = views.payment(*reference).await.expect("a query").expect("it was published");
                assert_eq!((payment.id, payment.money), (body.id, body.money));
            }
        }
    }
    views.stop().await;
    let (_other, whole) = filled(&world).await;
    assert_eq!(digests(&views).await, digests(&whole).await);
}

/// A follower that falls out of the window of the tail reads the store.
#[tokio::test]
async fn a_late_follower_reads_the_store() {
    let world = World::random(4, 300);
    let (_place, url) = place();
    let views = Views::open(&url, &[]).await.expect("views");
    let tail = Arc::new(Tail::new(4, Position::START));
    for batch in world.history.chunks(3) {
        tail.publish(Arc::new(batch.to_vec()));
    }
    views.follow(store(&world.history).await, tail.clone()).await.expect("a log");
    views.caught_up(tail.head(), Some(Duration::from_secs(5))).await.expect("in time");
    let (_other, whole) = filled(&world).await;
    assert_eq!(digests(&views).await, digests(&whole).await);
}

#[tokio::test]
async fn a_position_that_never_comes_is_late() {
    let (_place, views) = filled(&World::random(1, 30)).await;
    let late = views.caught_up(Position::new(1_000_000), Some(Duration::from_millis(20))).await;
    assert!(matches!(late, Err(ViewError::Late { .. })), "{late:?}");
}

/// 1. An event contradicts the rows of some views. 2. Those stop and say where; the others go on. 3. Queries on the
///    stopped ones are refused, and a restart does not pass over the event.
#[tokio::test]
async fn a_view_stops_at_what_it_cannot_apply_and_the_others_go_on() {
    let mut world = World::random(5, 150);
    let wrong = world.history.iter().find_map(|recorded| match &recorded.event {
        Event::Payment(PaymentEvent::Initiated(_, _)) => Some(recorded.clone()),
        _ => None,
    });
    let next = Position::new(world.history.len() as u64 + 1);
    world.history.push(Recorded { position: next, ..wrong.expect("a payment") });
    let log = store(&world.history).await;
    let (_place, url) = place();
    for _ in 0..2 {
        let views = Views::open(&url, &[]).await.expect("views");
        let error = views.fill(&log, Position::MAX).await.expect_err("it cannot be applied");
        assert!(stopped(&error, "transactions"), "{error}");
        assert!(error.to_string().contains(&format!("position {next}")), "{error}");
        for view in views.status() {
            match view.name {
                "transactions" => assert_eq!(view.position, next.previous()),
                _ if view.stopped.is_some() => assert!(view.position < next, "{}", view.name),
                _ => assert_eq!(view.position, next, "{}", view.name),
            }
        }
        let application = views.applications(None).await.expect("not stopped")[0].id;
        assert!(views.wallets(Some(application)).await.is_ok());
        let refused = views.payments(Which::Sent(application), &Page::default()).await.expect_err("stopped");
        assert!(stopped(&refused, "transactions"));
        views.close().await;
    }
}

/// A payment that ends without having begun: only the database can tell.
#[tokio::test]
async fn an_update_of_a_row_that_is_not_there_stops_the_view() {
    let mut world = World::default();
    world.open_log();
    let handles = ["aaa", "bbb"].map(|name| Handle::new(name).expect(name));
    let mut tags = Vec::new();
    for handle in &handles {
        let id = world.application(handle).expect("new");
        let local = Local::new(&format!("tag-{handle}")).expect("a name");
        world.tag(id, &local).expect("new");
        tags.push((id, TagQuery::Bare(local)));
    }
    let payment = world.initiate(tags[0].0, (&tags[0].1, &tags[1].1), 5, "NGN").expect("a payment");
    world.give(&Accept { caller: tags[1].0, reference: payment.reference }).expect("accepted");
    let mut accepted = world.history.last().cloned().expect("events");
    let next = Position::new(world.history.len() as u64 + 1);
    accepted.position = next;
    if let Event::Payment(PaymentEvent::Accepted(reference, _)) = &mut accepted.event {
        *reference = flexledger_domain::Reference::new(Position::START, 1);
    }
    world.history.push(accepted);
    let (_place, url) = place();
    let views = Views::open(&url, &["transactions", "wallets"]).await.expect("views");
    let error = views.fill(&store(&world.history).await, Position::MAX).await.expect_err("no such payment");
    assert!(stopped(&error, "transactions"), "{error}");
    let wallets = views.status().into_iter().find(|view| view.name == "wallets").expect("open");
    assert_eq!((wallets.position, wallets.stopped), (next, None));
}

/// Views of one log are not used with another, nor with one that lost its end.
#[tokio::test]
async fn another_log_is_noticed() {
    let world = World::random(6, 100);
    let (_place, views) = filled(&world).await;
    let cut = store(&world.history[..20]).await;
    let error = views.fill(&cut, Position::MAX).await.expect_err("the log was cut");
    assert!(matches!(error, ViewError::OtherLog { .. }), "{error}");
    let mut other = world.history.clone();
    let last = other.last_mut().expect("events");
    last.id = flexledger_domain::ids::EventId::from_uuid(uuid::Uuid::nil());
    let error = views.fill(&store(&other).await, Position::MAX).await.expect_err("another log");
    assert!(error.to_string().contains("rebuild"), "{error}");
}

#[tokio::test]
async fn wrong_requests_are_told_apart() {
    let (_place, views) = filled(&World::random(8, 60)).await;
    let application = views.applications(None).await.expect("applications")[0].id;
    let sort = vec![Sort { property: "narration; DROP TABLE tags".to_owned(), descending: false }];
    let page = Page { number: 0, size: 20, sort };
    assert!(matches!(views.payments(Which::Sent(application), &page).await, Err(ViewError::SortProperty(_))));
    let page = Page { number: 0, size: 0, sort: Vec::new() };
    assert!(matches!(views.payments(Which::Sent(application), &page).await, Err(ViewError::PageSize(_))));
    let page = Page { number: u32::MAX, size: 2000, sort: Vec::new() };
    assert!(views.payments(Which::Sent(application), &page).await.expect("past the end").items.is_empty());
    assert!(matches!(Views::open("mysql://x", &[]).await, Err(ViewError::Url(_))));
    let (_place, url) = place();
    assert!(matches!(Views::open(&url, &["nothing"]).await, Err(ViewError::Unknown(_))));
    assert!(matches!(views.digest("nothing").await, Err(ViewError::Unknown(_))));
}

#[tokio::test]
async fn tags_and_subjects_are_found() {
    let mut world = World::default();
    world.open_log();
    let (a, b) = (Handle::new("wallet-a").expect("a"), Handle::new("wallet-b").expect("b"));
    let (first, second) = (world.application(&a).expect("new"), world.application(&b).expect("new"));
    let alice = Local::new("alice").expect("a name");
    let subject = world.tag(first, &alice).expect("new");
    world.tag(second, &alice).expect("new");
    world.tag(second, &Local::new("malice").expect("a name")).expect("new");
    let (_place, views) = filled(&world).await;
    let resolve = async |text: &str| views.resolve_tag(&TagQuery::parse(text).expect(text)).await.expect("a query");
    let ambiguous = resolve("alice").await.expect_err("two");
    assert_eq!(ambiguous.0, ["alice@wallet-a", "alice@wallet-b"]);
    let found = resolve("alice@wallet-a").await.expect("one").expect("it exists");
    assert_eq!((found.owner.id, &*found.address, found.active), (subject, "alice@wallet-a", true));
    assert!(resolve("nobody").await.expect("none").is_none());
    assert_eq!(views.search_tags("LIC", None).await.expect("a query").len(), 3);
    assert_eq!(views.search_tags("lic", Some(&b)).await.expect("a query").len(), 2);
    assert!(views.search_tags("%", None).await.expect("a query").is_empty());
    let candidates = views.tag_candidates(Position::START, None, 2).await.expect("a query");
    let rest = views.tag_candidates(candidates[1].position, None, 2).await.expect("a query");
    assert_eq!((candidates.len(), rest.len()), (2, 1));
    assert_eq!(views.tags_of_subject(subject).await.expect("a query").len(), 1);
    let known = views.subject_by_external(first, "ext-alice").await.expect("a query").expect("it exists");
    assert_eq!((known.id, &*known.application_name), (subject, "The wallet-a"));
    assert!(known.display_name.is_some() && known.email.is_none());
    assert_eq!(views.subjects(second).await.expect("a query").len(), 2);
    assert!(views.tag(found.id).await.expect("a query").is_some());
}

/// Two payments with and without webhooks.
#[tokio::test]
async fn a_payment_shows_its_webhook_records() {
    let mut world = World::default();
    world.open_log();
    let handles = ["aaa", "bbx"].map(|name| Handle::new(name).expect(name));
    let ids = handles.each_ref().map(|handle| world.application(handle).expect("new"));
    let tags = ["alice", "bobby"].map(|name| Local::new(name).expect(name));
    for (id, tag) in ids.iter().zip(&tags) {
        world.tag(*id, tag).expect("new");
    }
    let [alice, bobby] = tags.map(TagQuery::Bare);
    let there = world.initiate(ids[0], (&alice, &bobby), 2, "NGN").expect("a payment");
    let back = world.initiate(ids[1], (&bobby, &alice), 2, "NGN").expect("a payment");
    let accepted = world.give(&Accept { caller: ids[1], reference: there.reference }).expect("accepted");
    let (_place, views) = filled(&world).await;
    // The receiver of the first has no webhook; its sender has. The second is the other way round.
    assert_eq!(views.payment(there.reference).await.expect("a query"), Some(accepted));
    assert_eq!(views.payment(back.reference).await.expect("a query").map(|p| p.webhooks), Some(back.webhooks));
}

/// Another process reads beside the one that keeps the views.
#[tokio::test]
async fn a_second_process_reads_beside_the_first() {
    let (place, url) = place();
    assert!(Views::open_read_only(&url).await.is_err(), "nothing is made");
    let world = World::random(9, 80);
    let views = Views::open(&url, &[]).await.expect("views");
    views.fill(&store(&world.history).await, Position::MAX).await.expect("a sound history");
    let reader = Views::open_read_only(&url).await.expect("they exist");
    assert_eq!(reader.status(), views.status());
    assert_eq!(digests(&reader).await, digests(&views).await);
    assert!(matches!(reader.fill(&store(&world.history).await, Position::MAX).await, Err(ViewError::Busy)));
    drop(place);
}

/// The disk, or another process, refuses writes for a while: views that follow go on once it is over, and nothing is
/// lost. Views that are filled do not wait for that, for somebody waits for them.
#[tokio::test]
async fn writes_that_fail_are_tried_again() {
    let world = World::random(10, 120);
    let (place, url) = place();
    let views = Views::open(&url, &[]).await.expect("views");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path().join("views.db"));
    let mut other = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.expect("a connection");
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON wallets BEGIN SELECT RAISE(FAIL, 'full'); END";
    sqlx::query(refuse).execute(&mut other).await.expect("a trigger");
    let log = store(&world.history).await;
    assert!(matches!(views.fill(&log, Position::MAX).await, Err(ViewError::Sqlite(_))));
    assert!(matches!(views.fill(&log, Position::MAX).await, Err(ViewError::Busy)), "what was folded is lost");
    views.close().await;
    // Nothing was written yet, so the tables are made anew, without it.
    let views = Views::open(&url, &[]).await.expect("views");
    sqlx::query(refuse).execute(&mut other).await.expect("a trigger");
    let tail = Arc::new(Tail::new(4, Position::START));
    for batch in world.history.chunks(3) {
        tail.publish(Arc::new(batch.to_vec()));
    }
    views.follow(log, tail.clone()).await.expect("a log");
    let (reached, remedy) = tokio::join!(views.caught_up(tail.head(), Some(Duration::from_secs(10))), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        sqlx::query("DROP TRIGGER refuse").execute(&mut other).await
    });
    remedy.expect("no trigger");
    reached.expect("tried again");
    let (_other, whole) = filled(&world).await;
    assert_eq!(digests(&views).await, digests(&whole).await);
}

#[test]
fn the_same_on_postgres() {
    common::on_postgres(&[
        ("a_waiting_reader_sees_what_was_published", a_waiting_reader_sees_what_was_published),
        ("a_late_follower_reads_the_store", a_late_follower_reads_the_store),
        ("a_position_that_never_comes_is_late", a_position_that_never_comes_is_late),
        (
            "a_view_stops_at_what_it_cannot_apply_and_the_others_go_on",
            a_view_stops_at_what_it_cannot_apply_and_the_others_go_on,
        ),
        ("an_update_of_a_row_that_is_not_there_stops_the_view", an_update_of_a_row_that_is_not_there_stops_the_view),
        ("another_log_is_noticed", another_log_is_noticed),
        ("wrong_requests_are_told_apart", wrong_requests_are_told_apart),
        ("tags_and_subjects_are_found", tags_and_subjects_are_found),
        ("a_payment_shows_its_webhook_records", a_payment_shows_its_webhook_records),
        ("a_second_process_reads_beside_the_first", a_second_process_reads_beside_the_first),
    ]);
}
