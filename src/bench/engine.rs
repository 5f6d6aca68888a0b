//! `bench engine`: initiate and accept in process, against plain appends to a file in the same run.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flexledger_commands::vault::{PlatformKeys, Vault};
use flexledger_commands::{Answer, Engine, Options as EngineOptions};
use flexledger_domain::Idempotency;
use flexledger_domain::money::{Amount, Currency, Money};
use flexledger_domain::payments::{Accept, InitiateTransfer, SCALE};
use flexledger_eventstore::EventStore;
use flexledger_eventstore::sqlite::{Mode, this_process};

use super::histogram::Histogram;
use super::report::{Document, bytes_below, rounded};
use super::world::{self, Dice, Tag};
use super::{Ground, Pair};
use crate::cli::Bench;
use crate::failure::Failure;
use crate::verbs::engine_options;

/// Events per fdatasync of the floor: as many as the engine ever puts into one batch.
const FLOOR_BATCH: usize = 4096;
/// Events whose bytes the floor writes over and over.
const FLOOR_EVENTS: usize = 16_384;
/// Payments that make the bytes for the floor when it is measured alone.
const FLOOR_PAYMENTS: u64 = 20_000;
/// 12.50 with four decimals.
const AMOUNT_MINOR: i128 = 125_000;

/// Two-step payments in process, in turns with the floor.
pub async fn engine(ground: &Ground<'_>, options: &Bench) -> Result<Pair, Failure> {
    let folder = ground.folder;
    let stage = Stage::set(ground).await?;
    let mut floor = Floor::default();
    for round in 0..options.rounds {
        stage.play(round, options).await?;
        floor.play(&stage, folder).await?;
    }
    let (commands, time) = stage.sums();
    let rate = commands as f64 / time.as_secs_f64().max(1e-9);
    let mut document = Document::new("engine").against(rate, floor.rate()).latencies(&stage.tally.latencies);
    document.refused = Some(stage.tally.refused.load(Ordering::Relaxed));
    document.events = Some(stage.engine.tail().head().number());
    document.durability = Some(stage.store.durability());
    document.bytes_on_disk = bytes_below(folder);
    stage.strike().await;
    Ok(Pair { measured: document, reference: floor.document() })
}

/// The floor alone.
pub async fn floor_alone(ground: &Ground<'_>, options: &Bench) -> Result<Document, Failure> {
    let folder = ground.folder;
    let stage = Stage::set(ground).await?;
    let few = Bench { payments: FLOOR_PAYMENTS, rounds: 1, which: options.which, ..*options };
    stage.play(0, &few).await?;
    let mut floor = Floor::default();
    for _ in 0..options.rounds {
        floor.play(&stage, folder).await?;
    }
    stage.strike().await;
    Ok(floor.document())
}

/// A log of so many payments, for benches of what comes after.
pub async fn fill_log(ground: &Ground<'_>, options: &Bench) -> Result<(), Failure> {
    let stage = Stage::set(ground).await?;
    stage.play(0, &Bench { rounds: 1, which: options.which, ..*options }).await?;
    stage.strike().await;
    Ok(())
}

/// What was answered.
#[derive(Default)]
struct Tally {
    answered: AtomicU64,
    refused: AtomicU64,
    micros: AtomicU64,
    latencies: Histogram,
}

/// The engine, and who pays whom.
struct Stage {
    engine: Engine,
    store: Arc<dyn EventStore>,
    tags: Arc<Vec<Tag>>,
    tally: Arc<Tally>,
}

impl Stage {
    async fn set(ground: &Ground<'_>) -> Result<Self, Failure> {
        let config = ground.config();
        let failed = |what: &str, error: &dyn std::fmt::Display| Failure::Store(format!("{what}: {error}"));
        let mode = Mode::Writer { holder: this_process() };
        let store = flexledger_eventstore::open(&config.events_place(), mode).await;
        let store = store.map_err(|error| failed("the log", &error))?;
        let keys = PlatformKeys::open_or_create(ground.folder).map_err(|error| failed("the keys", &error))?;
        let vault = Vault::new(keys, store.clone()).await.map_err(|error| failed("the vault", &error))?;
        let options = EngineOptions { tail_events: 8192, ..engine_options(&config) };
        let engine = Engine::start(store.clone(), Arc::new(vault), options).await;
        let engine = engine.map_err(|error| failed("the engine", &error))?;
        let tags = Arc::new(world::build(&engine, None).await?);
        Ok(Stage { engine, store, tags, tally: Arc::default() })
    }

    /// One round's share of the payments, so many in flight at a time.
    async fn play(&self, round: u64, options: &Bench) -> Result<(), Failure> {
        let left = Arc::new(AtomicU64::new(options.payments / options.rounds));
        let began = Instant::now();
        let players = (0..options.in_flight).map(|number| {
            let (engine, tags, tally) = (self.engine.clone(), self.tags.clone(), self.tally.clone());
            tokio::spawn(player(engine, tags, tally, left.clone(), round * 65_536 + number))
        });
        let players: Vec<_> = players.collect();
        for player in players {
            player.await.map_err(|error| Failure::Store(format!("the load generator: {error}")))?;
        }
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.tally.micros.fetch_add(micros, Ordering::Relaxed);
        Ok(())
    }

    fn sums(&self) -> (u64, Duration) {
        let time = Duration::from_micros(self.tally.micros.load(Ordering::Relaxed));
        (self.tally.answered.load(Ordering::Relaxed), time)
    }

    async fn strike(self) {
        self.engine.stop().await;
        self.store.close().await;
    }
}

/// Makes payments, one after the other, until none are left.
async fn player(engine: Engine, tags: Arc<Vec<Tag>>, tally: Arc<Tally>, left: Arc<AtomicU64>, seed: u64) {
    let Ok(currency) = Currency::new("NGN", SCALE) else { return };
    let mut dice = Dice::new(seed);
    let mut number = 0_u64;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let Some((from, to)) = dice.pair(&tags, false) else { return };
        number += 1;
        let initiate = InitiateTransfer {
            caller: from.owner,
            sender: from.query.clone(),
            receiver: to.query.clone(),
            money: Money { amount: Amount::from_minor(AMOUNT_MINOR), currency },
            narration: None,
            callback_url: None,
            idempotency: Some(Idempotency { fingerprint: None, key: format!("{seed}-{number}") }),
        };
        let began = Instant::now();
        let payment = match engine.submit(initiate).await.map(|done| done.answer) {
            Ok(Answer::Fresh(payment)) => payment,
            Ok(Answer::Replayed(_)) | Err(_) => {
                tally.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            }
        };
        let initiated = Instant::now();
        tally.latencies.record(initiated - began);
        let accepted = engine.submit(Accept { caller: to.owner, reference: payment.reference }).await;
        tally.latencies.record(initiated.elapsed());
        let accepted = u64::from(accepted.is_ok());
        tally.answered.fetch_add(1 + accepted, Ordering::Relaxed);
        tally.refused.fetch_add(1 - accepted, Ordering::Relaxed);
    }
}

/// Appends of the same bytes to a plain file, by one thread.
#[derive(Default)]
struct Floor {
    events: u64,
    time: Duration,
    syncs: Arc<Histogram>,
}

impl Floor {
    async fn play(&mut self, stage: &Stage, folder: &Path) -> Result<(), Failure> {
        let head = stage.engine.tail().head().number();
        let after = flexledger_domain::Position::new(head.saturating_sub(FLOOR_EVENTS as u64));
        let records = stage.store.read(after, FLOOR_EVENTS).await;
        let records = records.map_err(|error| Failure::Store(format!("the log: {error}")))?;
        let batches: Vec<Vec<u8>> = records
            .chunks_exact(FLOOR_BATCH.min(records.len().max(1)))
            .map(|batch| batch.iter().flat_map(|record| record.bytes.iter().copied()).collect())
            .collect();
        let (path, syncs) = (folder.join("floor"), self.syncs.clone());
        let appended = tokio::task::spawn_blocking(move || append(&path, &batches, &syncs)).await;
        let appended = appended.map_err(|error| Failure::Store(format!("the floor: {error}")))?;
        let (count, time) = appended.map_err(|error| Failure::Store(format!("the floor: {error}")))?;
        self.events += count * FLOOR_BATCH as u64;
        self.time += time;
        Ok(())
    }

    fn rate(&self) -> f64 {
        self.events as f64 / self.time.as_secs_f64().max(1e-9)
    }

    fn document(&self) -> Document {
        let mut document = Document::new("floor").latencies(&self.syncs);
        document.per_second = Some(rounded(self.rate()));
        document.events = Some(self.events);
        document.durability = Some(format!("fdatasync per {FLOOR_BATCH} events"));
        document
    }
}

/// Appends the batches over and over for a while; returns how many and how long it took.
fn append(path: &Path, batches: &[Vec<u8>], syncs: &Histogram) -> std::io::Result<(u64, Duration)> {
    let mut file = File::create(path)?;
    let began = Instant::now();
    let mut count = 0;
    for batch in batches.iter().cycle() {
        let batch_began = Instant::now();
        file.write_all(batch)?;
        file.sync_data()?;
        syncs.record(batch_began.elapsed());
        count += 1;
        if began.elapsed() > Duration::from_secs(1) {
            break;
        }
    }
    let time = began.elapsed();
    drop(file);
    std::fs::remove_file(path)?;
    Ok((count, time))
}
