use std::sync::Arc;

use flexledger_domain::books::{Account, Journal, Posting, Side};
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::{Initiated, PaymentEvent};
use flexledger_domain::settlement::{Completed, Cut, SettlementEvent};
use flexledger_domain::testing::World;
use flexledger_domain::{Date, Event, Instant, Position, Recorded};
use flexledger_eventstore::hash::{chain_hash, leaf_hash};
use flexledger_eventstore::{Batch, EventStore, Hash, MemoryStore, Record, record};

use super::*;
use crate::head::head;

/// A random history as the engine would store it, its texts sealed.
async fn log(seed: u64, steps: usize) -> MemoryStore {
    let store = MemoryStore::new();
    let mut hash = Hash::default();
    let mut batch = Batch::default();
    for mut event in World::random(seed, steps).history {
        for personal in event.event.personal() {
            personal.text = flexledger_domain::personal::PersonalText::Sealed("c2VhbGVk".into());
        }
        let mut bytes = Vec::new();
        record::encode(&event, &mut bytes).unwrap();
        hash = chain_hash(hash, leaf_hash(&bytes));
        batch.records.push(Record { position: event.position, bytes, hash });
    }
    store.append(Position::START, batch).await.unwrap();
    store
}

async fn report(store: &MemoryStore, saved: Option<&str>) -> Report {
    let store: Arc<dyn EventStore> = Arc::new(store.clone());
    let saved = saved.map(|text| SavedHead::parse(text).unwrap());
    verify(&store, Verify { saved, seed: Some([1; 32]), progress: None }).await.unwrap()
}

/// Writes the log again from an event on, with hashes that fit: what a forger with the whole disk would do.
async fn rewritten(store: &MemoryStore, position: u64, change: impl Fn(&mut Event)) -> MemoryStore {
    let records = store.read(Position::START, 100_000).await.unwrap();
    let (copy, mut hash, mut batch) = (MemoryStore::new(), Hash::default(), Batch::default());
    for stored in records {
        let mut event = record::decode(&stored.bytes).unwrap();
        if event.position.number() == position {
            change(&mut event.event);
        }
        let mut bytes = Vec::new();
        record::encode(&event, &mut bytes).unwrap();
        hash = chain_hash(hash, leaf_hash(&bytes));
        batch.records.push(Record { position: event.position, bytes, hash });
    }
    copy.append(Position::START, batch).await.unwrap();
    copy
}

#[tokio::test]
async fn random_histories_hold() {
    for seed in 0..20 {
        let report = report(&log(seed, 150).await, None).await;
        assert!(report.ok, "seed {seed}: {:?}", report.violations);
    }
}

#[tokio::test]
async fn every_flipped_byte_is_found_at_its_position() {
    let store = log(7, 40).await;
    let all = store.read(Position::START, 1000).await.unwrap();
    for stored in all.iter().step_by(3) {
        for at in (0..stored.bytes.len()).step_by(17) {
            store.tamper(stored.position, |record| record.bytes[at] ^= 4);
            let report = report(&store, None).await;
            let first = report.violations.first().unwrap();
            assert_eq!((report.ok, first.position), (false, Some(stored.position.number())), "byte {at}");
            store.tamper(stored.position, |record| record.bytes[at] ^= 4);
        }
    }
}

/// Other spellings of the same JSON, and of ids and numbers that a lenient reader takes for the same.
fn respelled(text: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        ("{", "{ "),
        (":", ": "),
        ("}", "} "),
        ("/", "\\/"),
        ("a", "\\u0061"),
        ("\"position\":", "\"position\":0"),
        ("\"version\":1", "\"version\":1.0"),
        ("\"version\":1", "\"version\":1,\"zeal\":null"),
        ("\"amount\":\"", "\"amount\":\"0"),
        ("\"amount\":\"", "\"amount\":\"+"),
        ("Z\"", "z\""),
        ("Z\"", "+00:00\""),
        ("00Z\"", "Z\""),
        ("\"payload\":{", "\"payload\":{\"zeal\":1,"),
    ]
    .iter()
    .flat_map(|(from, to)| text.match_indices(from).map(|(at, _)| [&text[..at], to, &text[at + from.len()..]].concat()))
    .collect();
    // A letter of an id in upper case.
    let letters = text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'a'..=b'f'));
    all.extend(letters.map(|(at, byte)| [&text[..at], &char::from(byte - 32).to_string(), &text[at + 1..]].concat()));
    all
}

#[tokio::test]
async fn a_second_spelling_is_found_though_all_hashes_fit() {
    let (mut tried, mut kinds) = (0, std::collections::BTreeSet::new());
    for seed in 0..4 {
        let records = log(seed, 150).await.read(Position::START, 100_000).await.unwrap();
        for (place, stored) in records.iter().enumerate() {
            let text = String::from_utf8(stored.bytes.clone()).unwrap();
            if !kinds.insert(record::decode(&stored.bytes).unwrap().event.kind()) {
                continue;
            }
            let before = place.checked_sub(1).map_or_else(Hash::default, |before| records[before].hash);
            for other in respelled(&text) {
                let bytes = other.clone().into_bytes();
                let hash = chain_hash(before, leaf_hash(&bytes));
                let row = Row::read((&Record { position: stored.position, bytes, hash }).into());
                // A letter of a free text is another text, and no second spelling.
                if let Ok(event) = &row.event {
                    let mut again = Vec::new();
                    record::encode(event, &mut again).unwrap();
                    assert_eq!(String::from_utf8_lossy(&again), other);
                    continue;
                }
                tried += 1;
                let mut pass = Pass::new(None);
                records[..place].iter().for_each(|record| pass.take(&Row::read(record.into())));
                pass.take(&row);
                let report = pass.finish(false);
                let found = report.violations.iter().find(|found| found.position == Some(stored.position.number()));
                assert!(matches!(found.map(|found| found.check), Some("records" | "journals")), "{other}");
            }
        }
    }
    assert!(tried > 1000 && kinds.len() > 10, "{tried} of {kinds:?}");
}

/// Changes a text in a record; its hash no longer fits then.
fn replace(store: &MemoryStore, position: u64, from: &str, to: &str) {
    store.tamper(Position::new(position), |record| {
        let text = String::from_utf8(record.bytes.clone()).unwrap();
        assert!(text.contains(from), "{from}");
        record.bytes = text.replacen(from, to, 1).into_bytes();
    });
}

#[tokio::test]
async fn each_check_finds_its_own() {
    let store = log(5, 300).await;
    let records = store.read(Position::START, 10_000).await.unwrap();
    let booked = |stored: &&Record| String::from_utf8_lossy(&stored.bytes).contains("transaction.accepted");
    let booked = records.iter().rfind(booked).unwrap().position.number();
    assert!(booked > 60, "behind the others");
    store.tamper(Position::new(10), |record| record.hash.0[0] ^= 1);
    store.tamper(Position::new(30), |record| record.bytes = vec![0xff, 0xfe]);
    replace(&store, 40, "\"recorded_at\":\"2026", "\"recorded_at\":\"2025");
    replace(&store, 50, "\"position\":50", "\"position\":51");
    replace(&store, booked, "\"side\":\"debit\"", "\"side\":\"credit\"");
    let report = report(&store, None).await;
    let found: Vec<_> = report.violations.iter().map(|one| (one.position.unwrap_or(0), one.check)).collect();
    for expected in [(10, "chain"), (30, "records"), (40, "time"), (50, "positions"), (booked, "journals")] {
        assert!(found.contains(&expected), "{expected:?}: {found:?}");
    }
    for (position, check) in found.iter().filter(|(_, check)| ["chain", "records", "time"].contains(check)) {
        assert!([10, 11, 30, 40, 50, booked].contains(position), "{check} at {position}");
    }
}

#[tokio::test]
async fn the_list_of_violations_ends() {
    let store = log(8, 2500).await;
    let head = store.head().await.unwrap().position.number();
    assert!(head > VIOLATIONS_MAX as u64);
    for position in 1..=head {
        store.tamper(Position::new(position), |record| record.hash.0[0] ^= u8::try_from(position % 200 + 1).unwrap());
    }
    let report = report(&store, None).await;
    assert!(!report.ok);
    assert_eq!(report.violations.len(), VIOLATIONS_MAX + 1);
    let last = report.violations.last().unwrap();
    assert!(last.message.contains(&(head - VIOLATIONS_MAX as u64).to_string()), "{}", last.message);
}

#[tokio::test]
async fn a_saved_head_shows_a_rewritten_log_whose_hashes_fit() {
    let store = log(3, 60).await;
    let shared: Arc<dyn EventStore> = Arc::new(store.clone());
    let document = head(&shared, Some(&[1; 32])).await.unwrap();
    let (json, note) = (serde_json::to_string(&document).unwrap(), document.note.clone().unwrap());
    for saved in [&json, &note] {
        assert!(report(&store, Some(saved)).await.ok);
    }
    let rejected = |event: &mut Event| {
        if let Event::Payment(flexledger_domain::payments::PaymentEvent::Initiated(_, body)) = event {
            body.narration = None;
            body.callback_url = Some("https://example.com/other".into());
        }
    };
    let records = store.read(Position::START, 1000).await.unwrap();
    let mut events = records.iter().map(|stored| record::decode(&stored.bytes).unwrap());
    let target = events.rfind(|event| event.event.kind() == "transaction.initiated").unwrap();
    let forged = rewritten(&store, target.position.number(), rejected).await;
    assert!(report(&forged, None).await.ok, "by itself it is a sound log");
    for saved in [&json, &note] {
        let report = report(&forged, Some(saved)).await;
        assert!(!report.ok && report.violations.iter().all(|violation| violation.check == "head"));
    }
}

#[tokio::test]
async fn a_foreign_signature_is_found() {
    let store = log(3, 20).await;
    let shared: Arc<dyn EventStore> = Arc::new(store.clone());
    let note = head(&shared, Some(&[2; 32])).await.unwrap().note.unwrap();
    let report = report(&store, Some(&note)).await;
    assert_eq!(report.violations.first().map(|violation| violation.check), Some("head"));
}

#[tokio::test]
async fn an_empty_log_holds() {
    assert!(report(&MemoryStore::new(), None).await.ok);
}

/// The place of the first settlement record that holds entries.
fn settled(history: &[Recorded]) -> Option<u64> {
    let holds = |recorded: &&Recorded| matches!(&recorded.event, Event::Settlement(SettlementEvent::Completed(_, body)) if body.cut.is_some());
    history.iter().find(holds).map(|recorded| recorded.position.number())
}

/// Each change leaves a log whose hashes fit, and whose figures do not.
#[tokio::test]
async fn settlement_is_proved_from_the_postings() {
    let seed = (1..100).find(|seed| settled(&World::random(*seed, 300).history).is_some()).unwrap();
    let at = settled(&World::random(seed, 300).history).unwrap();
    let store = log(seed, 300).await;
    assert!(report(&store, None).await.ok);
    type Change = fn(&mut Completed);
    let changes: [Change; 5] = [
        |body| body.transaction_count += 1,
        |body| body.application_count += 1,
        |body| body.total_credited = Amount::from_minor(body.total_credited.minor() + 1),
        |body| body.cut = body.cut.map(|cut| Cut { to: cut.to.next(), ..cut }),
        |body| body.date = body.date.next(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let wrong = rewritten(&store, at, |event| {
            if let Event::Settlement(SettlementEvent::Completed(_, body)) = event {
                change(body);
            }
        });
        let report = report(&wrong.await, None).await;
        let found = report.violations.iter().any(|violation| violation.check == "settlement");
        assert!(!report.ok && found, "change {number}: {:?}", report.violations);
    }
    let wrong = rewritten(&store, at - 1, |event| {
        if let Event::Settlement(SettlementEvent::Lines(_, body)) = event {
            body.lines[0].opening_balance = Amount::from_minor(body.lines[0].opening_balance.minor() + 1);
        }
    });
    assert!(!report(&wrong.await, None).await.ok);
}

/// A change, and what it is called.
type Change<'a, T> = (&'static str, &'a dyn Fn(&mut T));

/// What a forger with the whole disk books: all hashes fit, and each journal balances.
#[tokio::test]
async fn a_payment_books_what_it_was_made_for() {
    let store = log(11, 150).await;
    assert!(report(&store, None).await.ok);
    let records = store.read(Position::START, 100_000).await.unwrap();
    let history: Vec<Recorded> = records.iter().map(|stored| record::decode(&stored.bytes).unwrap()).collect();
    let accepted = |event: &&Recorded| matches!(event.event, Event::Payment(PaymentEvent::Accepted(..)));
    let at = history.iter().rfind(accepted).unwrap().position.number();
    let book = |event: &mut Event, change: &dyn Fn(&mut Vec<Posting>)| {
        let Event::Payment(PaymentEvent::Accepted(_, body)) = event else { return };
        let mut postings = body.journal.postings().to_vec();
        change(&mut postings);
        body.journal = Journal::new(postings).unwrap();
    };
    let bank: Account = "bank".parse().unwrap();
    let changes: [Change<Vec<Posting>>; 5] = [
        ("another account", &|postings| postings[1].account = bank.clone()),
        ("one wallet", &|postings| postings[1].account = postings[0].account.clone()),
        ("sides", &|postings| {
            postings[0].side = Side::Credit;
            postings[1].side = Side::Debit;
        }),
        ("order", &|postings| postings.reverse()),
        ("amount", &|postings| postings.iter_mut().for_each(|posting| posting.money.amount = Amount::from_minor(7))),
    ];
    for (what, change) in changes {
        let report = report(&rewritten(&store, at, |event| book(event, change)).await, None).await;
        let found = |found: &&Violation| found.position == Some(at) && found.check == "payments";
        assert!(report.violations.iter().any(|v| found(&v)), "{what}: {:?}", report.violations);
    }
    let date = |days: i64| {
        move |event: &mut Event| {
            if let Event::Payment(PaymentEvent::Accepted(_, body)) = event {
                body.settlement_date = Date::from_days(body.settlement_date.days() + days);
            }
        }
    };
    for days in [-1, 1, 4000] {
        let report = report(&rewritten(&store, at, date(days)).await, None).await;
        assert!(report.violations.iter().any(|found| found.check == "payments"), "{days}: {:?}", report.violations);
    }
    let begun = history.iter().find_map(|event| match &event.event {
        Event::Payment(PaymentEvent::Accepted(reference, _)) if event.position.number() == at => Some(*reference),
        _ => None,
    });
    let begun = begun.unwrap().position().number();
    let terms: [Change<Initiated>; 4] = [
        ("receiver", &|body| body.receiver.application = ApplicationId::from_uuid(uuid::Uuid::from_u128(7))),
        ("in time", &|body| body.expires_at = Instant::from_micros(0)),
        ("decimals", &|body| body.money.currency = Currency::new(body.money.currency.code(), 5).unwrap()),
        ("above zero", &|body| body.money.amount = Amount::ZERO),
    ];
    for (what, change) in terms {
        let change = |event: &mut Event| {
            if let Event::Payment(PaymentEvent::Initiated(_, body)) = event {
                change(body);
            }
        };
        let report = report(&rewritten(&store, begun, change).await, None).await;
        assert!(report.violations.iter().any(|found| found.check == "payments"), "{what}: {:?}", report.violations);
    }
}

#[tokio::test]
async fn who_takes_part_begins_once() {
    let store = log(12, 60).await;
    let records = store.read(Position::START, 100_000).await.unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for stored in &records {
        let mut event = record::decode(&stored.bytes).unwrap();
        let repeated = matches!(
            event.event.kind(),
            "ledger.opened" | "application.registered" | "subject.created" | "tag.created"
        );
        if !repeated || !kinds.insert(event.event.kind()) {
            continue;
        }
        let last = records.last().unwrap();
        event.position = last.position.next();
        event.recorded_at = record::decode(&last.bytes).unwrap().recorded_at;
        let mut bytes = Vec::new();
        record::encode(&event, &mut bytes).unwrap();
        let hash = chain_hash(last.hash, leaf_hash(&bytes));
        let mut pass = Pass::new(None);
        records.iter().for_each(|record| pass.take(&Row::read(record.into())));
        pass.take(&Row::read((&Record { position: event.position, bytes, hash }).into()));
        let found = pass.finish(false).violations;
        assert_eq!(found.iter().map(|found| found.check).collect::<Vec<_>>(), ["entities"], "{found:?}");
    }
    assert!(kinds.len() >= 3, "{kinds:?}");
}

/// A flipped bit in a page of the file: a row shows another position than its own.
#[tokio::test]
async fn a_row_under_a_wrong_position_hides_nothing() {
    let log = log(13, 1500).await;
    let end = log.head().await.unwrap().position.number();
    assert!(end > 1100, "{end}");
    let store: Arc<dyn EventStore> = Arc::new(log.clone());
    for row in [7, 1023, 1024, 1025] {
        for shown in [0, 1, row - 1, row + 1, end - 1, end, end + 9, 1 << 40] {
            if shown == row {
                continue;
            }
            log.tamper(Position::new(row), |record| record.position = Position::new(shown));
            let report = report(&log, None).await;
            assert!(!report.ok && !report.checks[0].ok, "{row} as {shown}: {:?}", report.violations);
            assert!(head(&store, None).await.is_err(), "{row} as {shown}");
            log.tamper(Position::new(row), |record| record.position = Position::new(row));
        }
    }
}
