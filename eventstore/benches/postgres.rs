//! What the log can do on PostgreSQL.
//! `cargo bench -p flexledger-eventstore --features contract --bench postgres [-- DIR | postgres://…]`
//!
//! Starts a server of its own with `fsync=on` and its files in `DIR` (default: the working directory, for `/tmp` may
//! lie in memory), or makes databases on the server at the URL and drops them again. Prints appends in batches of
//! several sizes, each durable before the next begins, beside the same rows written by `COPY` under the same fence,
//! in turns; and bulk reads.

#![allow(clippy::expect_used, clippy::print_stdout, missing_docs, reason = "a measuring program")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use flexledger_domain::Position;
use flexledger_eventstore::postgres::{Access, PostgresStore};
use flexledger_eventstore::testing::postgres::PostgresServer;
use flexledger_eventstore::{Batch, EventStore, Head, Record, contract, record, samples};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

const ROUNDS: u32 = 3;
/// Events in a batch, and in a round.
const SIZES: [(usize, usize); 4] = [(1, 300), (64, 12_800), (512, 76_800), (4_096, 163_840)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|text| !text.starts_with("--")).collect();
    let argument = arguments.first().map_or(".", String::as_str);
    let place = if argument.starts_with("postgres") {
        Place::Given(argument.to_owned())
    } else {
        let Some(server) = PostgresServer::start_in(&PathBuf::from(argument)) else { return };
        Place::Own(server)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    runtime.block_on(async {
        for (size, total) in SIZES {
            compare(&place, size, total).await;
        }
    });
}

/// Where databases are made.
enum Place {
    Own(PostgresServer),
    Given(String),
}

impl Place {
    async fn make(&self, name: &str) -> String {
        match self {
            Place::Own(server) => server.database().await,
            Place::Given(url) => {
                run(url, format!("CREATE DATABASE {name}")).await;
                let (place, parameters) = url.split_once('?').map_or((url.as_str(), String::new()), split);
                let server = place.rsplit_once('/').filter(|(server, _)| !server.ends_with('/'));
                format!("{}/{name}{parameters}", server.map_or(place, |(server, _)| server))
            }
        }
    }

    async fn drop(&self, name: &str) {
        if let Place::Given(url) = self {
            run(url, format!("DROP DATABASE {name}")).await;
        }
    }
}

fn split<'a>((place, parameters): (&'a str, &str)) -> (&'a str, String) {
    (place, format!("?{parameters}"))
}

async fn run(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.expect("connect");
    connection.execute(AssertSqlSafe(sql)).await.expect("statement");
    connection.close().await.expect("close");
}

async fn compare(place: &Place, size: usize, total: usize) {
    let batches = batches(size, total);
    let (mut by_array, mut by_copy) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let last = round + 1 == ROUNDS;
        by_array.push(measure(place, &batches, false, last).await);
        by_copy.push(measure(place, &batches, true, false).await);
    }
    let (array, copy) = (median(by_array), median(by_copy));
    let ratio = copy.0 / array.0;
    println!("batches of {size}, median of {ROUNDS}:");
    println!("  unnest {:.0} rows/s, slowest {:?}; COPY {:.0} rows/s, slowest {:?}", array.0, array.1, copy.0, copy.1);
    println!("  COPY is {ratio:.2} times as fast");
}

/// The middle rate, and the slowest append of all.
fn median(mut rates: Vec<(f64, Duration)>) -> (f64, Duration) {
    let slowest = rates.iter().map(|(_, slowest)| *slowest).max().unwrap_or_default();
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    (rates.get(rates.len() / 2).map_or(0.0, |(rate, _)| *rate), slowest)
}

/// Rows per second into a new database, and the slowest append.
async fn measure(place: &Place, batches: &[Batch], copy: bool, reading: bool) -> (f64, Duration) {
    let name = format!("flexledger_bench_{}", std::process::id());
    let url = place.make(&name).await;
    let store = PostgresStore::open(&url, Access::Write).await.expect("open");
    let mut connection = PgConnection::connect(&url).await.expect("connect");
    let total: usize = batches.iter().map(|batch| batch.records.len()).sum();
    let mut at = Position::START;
    let mut slowest = Duration::ZERO;
    let start = Instant::now();
    for batch in batches {
        let begin = Instant::now();
        if copy {
            copied(&mut connection, at, &batch.records).await;
        } else {
            store.append(at, batch.clone()).await.expect("append");
        }
        at = at.plus(batch.records.len() as u64);
        slowest = slowest.max(begin.elapsed());
    }
    let rate = total as f64 / start.elapsed().as_secs_f64();
    assert_eq!(store.head().await.expect("head").position, at);
    if reading {
        println!("{}", store.durability());
        reads(&store, total).await;
    }
    connection.close().await.expect("close");
    store.close().await;
    place.drop(&name).await;
    (rate, slowest)
}

/// The same work by `COPY`: it is no part of a statement, so the fence and the commit are round trips of their own.
async fn copied(connection: &mut PgConnection, at: Position, records: &[Record]) {
    let last = records.last().expect("a record");
    let fence = format!(
        "BEGIN; UPDATE flexledger_log.ledger SET position = {}, hash = '\\x{}' \
         WHERE id = 1 AND position = {} AND (0 = 0 OR term = 0)",
        last.position, last.hash, at
    );
    let moved = connection.execute(AssertSqlSafe(fence)).await.expect("fence").rows_affected();
    assert_eq!(moved, 1);
    let mut rows = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for record in records {
        rows.extend(3_i16.to_be_bytes());
        let position = record.position.number().to_be_bytes();
        for field in [&position[..], &record.bytes, &record.hash.0] {
            rows.extend(u32::try_from(field.len()).expect("a length").to_be_bytes());
            rows.extend(field);
        }
    }
    rows.extend((-1_i16).to_be_bytes());
    let into = "COPY flexledger_log.events (position, body, hash) FROM STDIN (FORMAT binary)";
    let mut copy = connection.copy_in_raw(into).await.expect("copy");
    copy.send(rows).await.expect("send");
    copy.finish().await.expect("finish");
    connection.execute("COMMIT").await.expect("commit");
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
