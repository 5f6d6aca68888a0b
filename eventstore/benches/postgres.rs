//! What the log can do on PostgreSQL. `cargo bench -p flexledger-eventstore --features contract --bench postgres [-- DIR]`
//!
//! Starts a server of its own with `fsync=on` and its files in `DIR` (default: the working directory, for `/tmp` may
//! lie in memory). Prints appends in batches of several sizes, each durable before the next begins, and bulk reads.

#![allow(clippy::expect_used, clippy::print_stdout, missing_docs, reason = "a measuring program")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use flexledger_domain::Position;
use flexledger_eventstore::postgres::{Access, PostgresStore};
use flexledger_eventstore::testing::postgres::PostgresServer;
use flexledger_eventstore::{Batch, EventStore, Head, contract, record, samples};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|text| !text.starts_with("--")).collect();
    let dir = arguments.first().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let Some(server) = PostgresServer::start_in(&dir) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        for (size, total) in [(1, 5_000), (100, 100_000), (1_000, 300_000), (4_000, 400_000)] {
            appends(&server, size, total).await;
        }
    });
}

async fn appends(server: &PostgresServer, size: usize, total: usize) {
    let url = server.database().await;
    let store = PostgresStore::open(&url, Access::Write).await.expect("open");
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
    println!(
        "append in batches of {size}: {:.0} rows/s, slowest {slowest:?}, {}",
        total as f64 / took.as_secs_f64(),
        store.durability()
    );
    reads(&store, total).await;
}

async fn reads(store: &PostgresStore, total: usize) {
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
    let records = contract::chain(Head::default(), bodies);
    records.chunks(size).map(|chunk| Batch { records: chunk.to_vec(), keys: Vec::new() }).collect()
}
