//! What the log can do on this machine. `cargo bench -p flexledger-eventstore --features contract [-- DIR]`
//!
//! Prints, for one process: writing and reading of records in memory, appends to SQLite in batches and one by one
//! (each batch durable before the next begins), the slowest append, and bulk reads. Files go to a fresh directory in
//! `DIR` (default: the working directory, for `/tmp` may lie in memory).

#![allow(clippy::expect_used, clippy::print_stdout, missing_docs, reason = "a measuring program")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flexledger_domain::Position;
use flexledger_eventstore::hash::{chain_hash, leaf_hash};
use flexledger_eventstore::sqlite::{Mode, SqliteStore};
use flexledger_eventstore::{Batch, EventStore, Head, Record, contract, record, samples};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|text| !text.starts_with("--")).collect();
    let dir = arguments.first().map_or_else(|| PathBuf::from("."), PathBuf::from);
    records();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        appends(&dir, 1000, 500_000).await;
        appends(&dir, 100, 200_000).await;
        appends(&dir, 1, 10_000).await;
    });
}

fn records() {
    let samples = [("transaction.initiated", samples::initiated(1)), ("transaction.accepted", samples::accepted(1))];
    for (kind, event) in samples {
        let recorded = samples::recorded(1_000_000, event);
        let mut bytes = Vec::new();
        record::encode(&recorded, &mut bytes).expect("encode");
        let count = 500_000_u32;
        let mut hash = flexledger_eventstore::Hash::default();
        let mut buffer = Vec::with_capacity(4096);
        let encode = timed(count, || {
            buffer.clear();
            record::encode(&recorded, &mut buffer).expect("encode");
            black_box(&buffer);
        });
        let hashing = timed(count, || hash = chain_hash(hash, leaf_hash(black_box(&bytes))));
        let decode = timed(count, || {
            black_box(record::decode(black_box(&bytes)).expect("decode"));
        });
        println!("{kind}: {} bytes; encode {encode:?}, leaf and chain {hashing:?}, decode {decode:?}", bytes.len());
    }
}

fn timed(count: u32, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        work();
    }
    start.elapsed() / count
}

async fn appends(dir: &Path, size: usize, total: usize) {
    let place = tempfile::tempdir_in(dir).expect("directory");
    let path = place.path().join("events.db");
    let store = SqliteStore::open(&path, Mode::Writer { holder: "bench".to_owned() }).await.expect("open");
    let batches = batches(size, total);
    let mut at = Position::START;
    let mut slowest = Duration::ZERO;
    let start = Instant::now();
    for batch in batches {
        let begin = Instant::now();
        let count = batch.records.len() as u64;
        store.append(at, batch).await.expect("append");
        at = at.plus(count);
        slowest = slowest.max(begin.elapsed());
    }
    let took = start.elapsed();
    let wal = std::fs::metadata(path.with_extension("db-wal")).map_or(0, |file| file.len());
    println!(
        "append in batches of {size}: {:.0} rows/s, slowest {slowest:?}, wal {} MB",
        total as f64 / took.as_secs_f64(),
        wal >> 20
    );
    reads(&store, total).await;
}

async fn reads(store: &SqliteStore, total: usize) {
    let start = Instant::now();
    let (mut at, mut count) = (Position::START, 0);
    loop {
        let page = store.read(at, 4096).await.expect("read");
        let Some(last) = page.last() else { break };
        at = last.position;
        count += page.len();
    }
    assert_eq!(count, total);
    println!("  read in pages of 4096: {:.0} records/s", total as f64 / start.elapsed().as_secs_f64());
}

fn batches(size: usize, total: usize) -> Vec<Batch> {
    let bodies = (1..=total as u64).map(|position| {
        let event = if position % 2 == 0 { samples::accepted(position) } else { samples::initiated(position) };
        let mut bytes = Vec::new();
        record::encode(&samples::recorded(position, event), &mut bytes).expect("encode");
        bytes
    });
    let records: Vec<Record> = contract::chain(Head::default(), bodies);
    records.chunks(size).map(|chunk| Batch { records: chunk.to_vec(), keys: Vec::new() }).collect()
}
