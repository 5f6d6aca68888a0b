//! Fills all views from two-step payments between 100 applications with 10,000 tags, and prints events per second.
//!
//! `cargo bench -p flexledger-projections --bench fill -- 1000000` (payments; 100,000 by default). The log is in
//! memory as canonical records, so decoding is part of it; the log's own reading from disk is not.
#![allow(clippy::expect_used, clippy::indexing_slicing, missing_docs, reason = "a measurement")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use flexledger_domain::identity::{Handle, Local, TagQuery};
use flexledger_domain::ids::{ApplicationId, SubjectId};
use flexledger_domain::money::Currency;
use flexledger_domain::payments::Accept;
use flexledger_domain::testing::{Dice, World};
use flexledger_domain::{Position, Reference};
use flexledger_eventstore::{AppendError, Batch, EventStore, Head, Record, StoreError, SubjectKey, record};
use flexledger_projections::{Page, Views, audit};

/// Open payments at a time, as with a client that has so many commands in flight.
const OPEN: usize = 4096;

/// A log that cannot be written: the records as one vector.
struct Log(Vec<Record>);

#[async_trait]
impl EventStore for Log {
    async fn head(&self) -> Result<Head, StoreError> {
        Ok(self.0.last().map_or_else(Head::default, |last| Head { position: last.position, hash: last.hash }))
    }

    async fn append(&self, _: Position, _: Batch) -> Result<(), AppendError> {
        Err(AppendError::Unavailable(StoreError::Unusable("read only".to_owned())))
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
        let from = usize::try_from(after.number()).expect("it fits");
        Ok(self.0.iter().skip(from).take(limit).cloned().collect())
    }

    async fn subject_key(&self, _: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
        Ok(None)
    }

    async fn subject_keys(&self) -> Result<Vec<SubjectKey>, StoreError> {
        Ok(Vec::new())
    }

    async fn destroy_subject_key(&self, _: SubjectId) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn durability(&self) -> String {
        "none".to_owned()
    }
}

/// Takes the events that came since the last call.
fn drain(world: &mut World, taken: &mut usize, log: &mut Vec<Record>) {
    for recorded in &world.history[*taken..] {
        let mut bytes = Vec::new();
        record::encode(recorded, &mut bytes).expect("a sealed event");
        log.push(Record { position: recorded.position, bytes, hash: Default::default() });
    }
    *taken = world.history.len();
}

fn history(payments: usize) -> Vec<Record> {
    let mut world = World::default();
    let (mut log, mut taken) = (Vec::new(), 0);
    world.open_log();
    let mut tags = Vec::new();
    for number in 0..100 {
        let id = world.application(&Handle::new(&format!("app-{number}x")).expect("a handle")).expect("new");
        for tag in 0..100 {
            let local = Local::new(&format!("tag-{number}-{tag}")).expect("a name");
            world.tag(id, &local).expect("new");
            tags.push((id, TagQuery::Bare(local)));
        }
    }
    let mut dice = Dice::new(1);
    let mut open: VecDeque<(Reference, ApplicationId)> = VecDeque::new();
    for _ in 0..payments {
        let (from, to) = (dice.pick(&tags).expect("tags").clone(), dice.pick(&tags).expect("tags").clone());
        if from == to {
            continue;
        }
        let minor = i128::from(dice.bits() % 100_000_000) * 10 + 1;
        let payment = world.initiate(from.0, (&from.1, &to.1), minor, "NGN").expect("a payment");
        open.push_back((payment.reference, payment.receiver.application));
        if open.len() > OPEN {
            accept(&mut world, &mut open);
        }
    }
    while !open.is_empty() {
        accept(&mut world, &mut open);
    }
    drain(&mut world, &mut taken, &mut log);
    log
}

fn accept(world: &mut World, open: &mut VecDeque<(Reference, ApplicationId)>) {
    let (reference, caller) = open.pop_front().expect("an open payment");
    world.give(&Accept { caller, reference }).expect("accepted");
}

fn main() {
    let payments = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let log = history(payments);
    let (events, bytes) = (log.len(), log.iter().map(|record| record.bytes.len()).sum::<usize>());
    println!("{events} events, {} bytes each", bytes / events);
    let begun = Instant::now();
    for stored in &log {
        record::decode(&stored.bytes).expect("canonical");
    }
    println!("decoding alone: {:.0} events per second", events as f64 / begun.elapsed().as_secs_f64());
    let log: Arc<dyn EventStore> = Arc::new(Log(log));
    tokio::runtime::Runtime::new().expect("a runtime").block_on(measure(log, events));
}

async fn measure(log: Arc<dyn EventStore>, events: usize) {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("views.db");
    let views = Views::open(&format!("sqlite:{}", file.display()), &[]).await.expect("views");
    let begun = Instant::now();
    views.fill(&log, Position::MAX).await.expect("a sound history");
    let seconds = begun.elapsed().as_secs_f64();
    println!("all views: {:.0} events per second ({seconds:.2} s)", events as f64 / seconds);
    let application = views.applications(None).await.expect("applications")[0].id;
    let currency = Currency::new("NGN", 4).expect("a currency");
    let total = views.statement(application, currency, &Page::default()).await.expect("a page").total;
    let begun = Instant::now();
    let last = Page { number: u32::try_from(total / 20).expect("few"), size: 20, sort: Vec::new() };
    views.statement(application, currency, &last).await.expect("a page");
    println!("last page of a statement of {total}: {:?}", begun.elapsed());
    let begun = Instant::now();
    for name in audit::names() {
        views.digest(name).await.expect("a view");
    }
    println!("digest of all rows: {:?}", begun.elapsed());
    views.close().await;
    println!("{} bytes on disk", std::fs::metadata(&file).map_or(0, |file| file.len()));
}
