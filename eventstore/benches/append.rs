//! What the log can do on this machine. `cargo bench -p flexledger-eventstore --features contract [-- DIR]`
//!
//! Prints, for one process: writing and reading of records in memory, appends to SQLite in batches and one by one
//! (each batch durable before the next begins), the slowest append, bulk reads, the Merkle tree over the whole log, and
//! roots and proofs. The floor before each row of appends is the same bytes in a plain file with one `fdatasync` per batch.
//! Processor time counts all threads of the process and, unlike the rates, hardly depends on what else is running.
//! Files go to a fresh directory in `DIR` (default: the working directory, for `/tmp` may lie in memory).

#![allow(clippy::expect_used, clippy::print_stdout, missing_docs, reason = "a measuring program")]

use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flexledger_domain::Position;
use flexledger_eventstore::hash::{chain_hash, leaf_hash};
use flexledger_eventstore::merkle::Tree;
use flexledger_eventstore::sqlite::{Mode, SqliteStore};
use flexledger_eventstore::{Batch, EventStore, Head, Record, contract, record, samples};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|text| !text.starts_with("--")).collect();
    let dir = arguments.first().map_or_else(|| PathBuf::from("."), PathBuf::from);
    records();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
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
    let floor = floor(&place.path().join("floor"), &batches);
    let mut at = Position::START;
    let mut times = Vec::with_capacity(batches.len());
    let measure = Measure::begin();
    for batch in batches {
        let begin = Instant::now();
        let count = batch.records.len() as u64;
        store.append(at, batch).await.expect("append");
        at = at.plus(count);
        times.push(begin.elapsed());
    }
    let (rate, cpu) = measure.end(total);
    times.sort();
    let slowest = times.last().copied().unwrap_or_default();
    let slow = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    let wal = std::fs::metadata(path.with_extension("db-wal")).map_or(0, |file| file.len());
    println!(
        "append in batches of {size}: {rate:.0} rows/s ({:.2} of the floor, {floor:.0}), {cpu:.2} us of processor a row, \
         99 % within {slow:?}, slowest {slowest:?}, wal {} MB",
        rate / floor,
        wal >> 20
    );
    reads(&store, total).await;
    tree(&store, total).await;
}

fn floor(path: &Path, batches: &[Batch]) -> f64 {
    let mut file = std::fs::File::create(path).expect("file");
    let total: usize = batches.iter().map(|batch| batch.records.len()).sum();
    let measure = Measure::begin();
    for batch in batches {
        let bytes: Vec<u8> = batch.records.iter().flat_map(|record| &record.bytes).copied().collect();
        file.write_all(&bytes).expect("write");
        file.sync_data().expect("sync");
    }
    measure.end(total).0
}

async fn reads(store: &SqliteStore, total: usize) {
    let measure = Measure::begin();
    let (mut at, mut count) = (Position::START, 0);
    loop {
        let page = store.read(at, 4096).await.expect("read");
        let Some(last) = page.last() else { break };
        at = last.position;
        count += page.len();
    }
    assert_eq!(count, total);
    let (rate, cpu) = measure.end(total);
    println!("  read in pages of 4096: {rate:.0} records/s, {cpu:.2} us of processor a record");
}

async fn tree(store: &SqliteStore, total: usize) {
    let measure = Measure::begin();
    let mut tree = Tree::new();
    tree.follow(store, Position::new(total as u64), 4096).await.expect("tree");
    let (rate, cpu) = measure.end(total);
    println!("  tree: {rate:.0} records/s, {cpu:.2} us of processor a record");
    let begin = Instant::now();
    for n in 1..=100 {
        let (old, new) = (total as u64 * n / 101, total as u64 - n);
        black_box(tree.inclusion(store, Position::new(old.max(1)), new).await.expect("inclusion"));
        black_box(tree.consistency(store, old, new).await.expect("consistency"));
        black_box(tree.root(store, new).await.expect("root"));
    }
    println!("  inclusion, consistency and root of one size: {:?}", begin.elapsed() / 100);
}

/// Time on the clock and on the processor.
struct Measure {
    begin: Instant,
    ticks: u64,
}

impl Measure {
    fn begin() -> Self {
        Measure { begin: Instant::now(), ticks: ticks() }
    }

    /// Items per second, and microseconds of processor per item.
    fn end(self, items: usize) -> (f64, f64) {
        let cpu = (ticks() - self.ticks) as f64 * 10_000.0;
        (items as f64 / self.begin.elapsed().as_secs_f64(), cpu / items as f64)
    }
}

/// Processor time of this process in hundredths of a second, user and system; 0 where the system does not tell.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
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
