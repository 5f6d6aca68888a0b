//! The laws of `idaas.md` 11 and 12 on the rows of random histories, and rows against the state of the domain.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::filled;
use flexledger_domain::books::{Account, Side};
use flexledger_domain::ids::{ApplicationId, TransactionId};
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::{Payment, PaymentEvent, SCALE, Status};
use flexledger_domain::settlement::SettlementEvent;
use flexledger_domain::testing::World;
use flexledger_domain::{Event, Instant, Reference};
use flexledger_projections::{EntryRow, Page, Sort, Views, Which};
use proptest::prelude::*;

fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test)
}

fn page(number: u32, size: u32) -> Page {
    Page { number, size, sort: Vec::new() }
}

/// A whole statement, oldest first, read in small pages from the newest.
async fn statement(views: &Views, application: ApplicationId, currency: Currency) -> Vec<EntryRow> {
    let mut all = Vec::new();
    for number in 0.. {
        let paged = views.statement(application, currency, &page(number, 7)).await.expect("a page");
        if paged.items.is_empty() {
            assert_eq!(all.len() as u64, paged.total);
            break;
        }
        all.extend(paged.items);
    }
    all.reverse();
    all
}

async fn payments(views: &Views, which: Which, size: u32) -> Vec<Payment> {
    let mut all = Vec::new();
    for number in 0.. {
        let paged = views.payments(which, &page(number, size)).await.expect("a page");
        if paged.items.is_empty() {
            assert_eq!(all.len() as u64, paged.total);
            break;
        }
        all.extend(paged.items);
    }
    all
}

async fn all_payments(views: &Views) -> BTreeMap<TransactionId, Payment> {
    let mut all = BTreeMap::new();
    for application in views.applications(None).await.expect("applications") {
        let sent = payments(views, Which::Sent(application.id), 11).await;
        assert!(sent.windows(2).all(|pair| pair[0].reference.position() > pair[1].reference.position()));
        all.extend(sent.into_iter().map(|payment| (payment.id, payment)));
    }
    all
}

async fn check_entries(views: &Views) {
    let payments = all_payments(views).await;
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    let mut sides: BTreeMap<TransactionId, Vec<EntryRow>> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for wallet in views.wallets(None).await.expect("wallets") {
        let entries = statement(views, wallet.application, wallet.currency).await;
        let mut balance = Amount::ZERO;
        let (mut debited, mut credited) = (0, 0);
        for (number, entry) in (1..).zip(&entries) {
            assert_eq!((entry.number, entry.opening_balance), (number, balance), "law 3");
            let change = match entry.side {
                Side::Debit => -entry.amount.minor(),
                Side::Credit => entry.amount.minor(),
            };
            assert_eq!(entry.closing_balance.minor(), balance.minor() + change, "law 2");
            debited += (-change).max(0);
            credited += change.max(0);
            balance = entry.closing_balance;
            assert!(entry.amount.is_positive() && ids.insert(entry.id));
            sides.entry(entry.transaction).or_default().push(entry.clone());
        }
        assert_eq!(wallet.balance, balance, "law 4");
        assert_eq!((wallet.total_debited.minor(), wallet.total_credited.minor()), (debited, credited), "law 4");
        *sums.entry(wallet.currency).or_default() += balance.minor();
        assert!(entries.windows(2).all(|pair| pair[0].created_at <= pair[1].created_at), "law 7");
    }
    assert!(sums.values().all(|sum| *sum == 0), "law 5");
    for payment in payments.values() {
        check_sides(payment, sides.remove(&payment.id).unwrap_or_default());
    }
    assert!(sides.is_empty(), "law 1: entries without a payment");
}

fn check_sides(payment: &Payment, mut sides: Vec<EntryRow>) {
    if payment.status != Status::Completed {
        return assert!(sides.is_empty(), "law 1");
    }
    sides.sort_by_key(|entry| entry.side);
    let [debit, credit] = sides.as_slice() else { panic!("law 1: {} entries", sides.len()) };
    assert_eq!((debit.side, credit.side), (Side::Debit, Side::Credit), "law 1");
    for entry in [debit, credit] {
        assert_eq!((entry.amount, entry.currency), (payment.money.amount, payment.money.currency), "law 1");
        assert_eq!((entry.reference, entry.created_at), (payment.reference, payment.updated_at));
    }
    if payment.sender.application == payment.receiver.application {
        assert_eq!(credit.number, debit.number + 1, "law 8");
    }
    let expected = format!(
        "Credit from {} ({}) to {} ({}) — {} {}",
        payment.sender.tag.local(),
        payment.sender.name,
        payment.receiver.tag.local(),
        payment.receiver.name,
        payment.money.currency,
        payment.money.text(),
    );
    assert_eq!(credit.description, expected);
}

/// Wallets, open payments and tags are those of the state that decisions are made on.
async fn check_state(views: &Views, world: &World) {
    for wallet in views.wallets(None).await.expect("wallets") {
        let balance = world.ledger.books.balance(&Account::Wallet(wallet.application), wallet.currency);
        assert_eq!((wallet.balance, wallet.total_debited), (balance.net(), balance.debited()));
        assert_eq!(world.ledger.payments.wallet(wallet.application, wallet.currency), Some(wallet.id));
    }
    let mut open = open_payments(world);
    for application in views.applications(None).await.expect("applications") {
        assert_eq!(world.ledger.identity.application(application.id).map(|a| a.active), Some(application.active));
        for payment in payments(views, Which::Pending(application.id, Instant::MIN), 3).await {
            assert_eq!(payment.receiver.application, application.id);
            assert!(open.remove(&payment.reference));
            assert_eq!(views.payment(payment.reference).await.expect("a payment").map(|p| p.id), Some(payment.id));
        }
        assert!(payments(views, Which::Pending(application.id, Instant::MAX), 3).await.is_empty());
        for tag in views.tags_created_by(application.id).await.expect("tags") {
            // Whoever made a tag may have given it away.
            assert_eq!(tag.created_by, application.id);
            let shown = (tag.active, tag.owner.id, tag.owner_application, tag.created_by);
            let state = world.ledger.identity.tag(tag.id);
            assert_eq!(state.map(|tag| (tag.active, tag.owner, tag.application, tag.created_by)), Some(shown));
            assert_eq!(tag.owner.application, tag.owner_application);
        }
    }
    assert!(open.is_empty());
}

fn open_payments(world: &World) -> BTreeSet<Reference> {
    let mut open = BTreeSet::new();
    for recorded in &world.history {
        let Event::Payment(event) = &recorded.event else { continue };
        match event {
            PaymentEvent::Initiated(reference, _) => open.insert(*reference),
            PaymentEvent::Accepted(reference, _)
            | PaymentEvent::Rejected(reference, _)
            | PaymentEvent::Expired(reference, _) => open.remove(reference),
            PaymentEvent::WalletProvisioned(..) => false,
        };
    }
    open
}

async fn check_settlements(views: &Views, world: &World) {
    let records = views.settlements(&page(0, 2000)).await.expect("records");
    let completed = world.history.iter().filter_map(|recorded| match &recorded.event {
        Event::Settlement(SettlementEvent::Completed(id, body)) => Some((*id, body)),
        _ => None,
    });
    let mut expected: BTreeMap<_, _> = completed.collect();
    assert_eq!(records.total, expected.len() as u64);
    assert!(records.items.windows(2).all(|pair| pair[0].date >= pair[1].date));
    for listed in records.items {
        assert!(listed.entries.is_empty());
        let record = views.settlement(listed.id).await.expect("a record").expect("it is listed");
        let body = expected.remove(&record.id).expect("it was completed");
        assert_eq!((record.date, record.total_credited), (body.date, body.total_credited));
        assert_eq!(record.total_credited, record.total_debited);
        assert_eq!(record.entries.len() as u64, record.application_count);
        let mut net = Amount::ZERO;
        for entry in &record.entries {
            assert_eq!(entry.opening_balance.plus(entry.net_amount), Ok(entry.closing_balance));
            net = net.plus(entry.net_amount).expect("it fits");
        }
        assert_eq!(net, Amount::ZERO);
        if record.currency.code() == "NGN" {
            let by_date = views.settlement_by_date(record.date).await.expect("a record");
            assert_eq!(by_date.map(|found| found.id), Some(record.id));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_laws_hold_on_the_rows(seed: u64, steps in 1..300_usize) {
        run(async {
            let world = World::random(seed, steps);
            let (_place, views) = filled(&world).await;
            check_entries(&views).await;
            check_state(&views, &world).await;
            check_settlements(&views, &world).await;
        });
    }
}

#[test]
fn lists_sort_by_every_property_and_pages_never_overlap() {
    run(async {
        let world = World::random(7, 400);
        let (_place, views) = filled(&world).await;
        let applications = views.applications(None).await.expect("applications");
        let which = Which::Received(applications[0].id);
        let all: BTreeSet<_> = payments(&views, which, 2000).await.iter().map(|payment| payment.id).collect();
        let properties = "id reference createdAt updatedAt expiresAt acceptedAt rejectedAt amount currency status senderTag \
            senderAppName senderAppId receiverTag receiverAppName receiverAppId";
        for property in properties.split_whitespace() {
            for descending in [false, true] {
                let sort = vec![Sort { property: property.to_owned(), descending }];
                let mut seen = Vec::new();
                for number in 0..=u32::try_from(all.len() / 9).expect("few") {
                    let page = Page { number, size: 9, sort: sort.clone() };
                    seen.extend(views.payments(which, &page).await.expect(property).items);
                }
                assert_eq!(seen.iter().map(|payment| payment.id).collect::<BTreeSet<_>>(), all, "{property}");
                assert_eq!(seen.len(), all.len(), "{property}");
                if property == "amount" {
                    let up = |pair: &[Payment]| pair[0].money.amount <= pair[1].money.amount;
                    let down = |pair: &[Payment]| pair[0].money.amount >= pair[1].money.amount;
                    assert!(seen.windows(2).all(if descending { down } else { up }));
                }
            }
        }
        let ngn = Currency::new("NGN", SCALE).expect("a currency");
        for property in ["createdAt", "amount", "entryType", "currency", "transactionReference"] {
            let sort = vec![Sort { property: property.to_owned(), descending: false }];
            let page = Page { number: 0, size: 2000, sort };
            let paged = views.statement(applications[0].id, ngn, &page).await.expect(property);
            assert_eq!(paged.items.len() as u64, paged.total);
        }
        for property in "settlementDate currency status totalCredited totalDebited transactionCount applicationCount id"
            .split_whitespace()
        {
            let sort = vec![Sort { property: property.to_owned(), descending: true }];
            views.settlements(&Page { number: 0, size: 5, sort }).await.expect(property);
        }
    });
}

#[test]
fn the_same_on_postgres() {
    common::on_postgres(&[
        ("the_laws_hold_on_the_rows", the_laws_hold_on_the_rows),
        ("lists_sort_by_every_property_and_pages_never_overlap", lists_sort_by_every_property_and_pages_never_overlap),
    ]);
}
