use std::path::Path;
use std::process::Command;

use flexledger_domain::testing::World;
use flexledger_eventstore::{Batch, Head, MemoryStore, contract};

use super::*;

async fn log(records: Vec<Record>) -> Arc<dyn EventStore> {
    let store = MemoryStore::new();
    store.append(Position::START, Batch { records, keys: Vec::new() }).await.unwrap();
    Arc::new(store)
}

async fn random(seed: u64, steps: usize) -> Arc<dyn EventStore> {
    let write = |recorded: &Recorded| {
        let mut bytes = Vec::new();
        record::encode(recorded, &mut bytes).unwrap();
        bytes
    };
    log(contract::chain(Head::default(), World::random(seed, steps).history.iter().map(write))).await
}

/// The sample world of the golden vectors: an export itself.
fn golden() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/log/events.jsonl")).unwrap()
}

async fn sample() -> Arc<dyn EventStore> {
    let lines = golden();
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    log(lines.map(|line| record::parse_line(line).unwrap()).collect()).await
}

async fn text(store: &Arc<dyn EventStore>, format: Format, from: u64) -> String {
    let to = store.head().await.unwrap().position;
    let mut out = Vec::new();
    let job = Export { store: store.clone(), from: Position::new(from), to, format, progress: &mut |_, _| {} };
    export(job, &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

/// Runs a program over a file. Without the program: a loud skip here, a failure where everything must be there.
fn accepts(program: &str, arguments: &[&str], text: &str, suffix: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("export.{suffix}"));
    std::fs::write(&file, text).unwrap();
    let arguments: Vec<String> =
        arguments.iter().map(|argument| argument.replace("FILE", file.to_str().unwrap())).collect();
    match Command::new(program).args(&arguments).output() {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&said));
            assert!(program == "hledger" || said.is_empty(), "{program}: {}", String::from_utf8_lossy(&said));
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{program} must be installed: {error}");
            println!("SKIPPED: {program} is not installed; the export is not checked by it");
        }
    }
}

async fn check_all(store: &Arc<dyn EventStore>, from: u64) {
    let journal = text(store, Format::Hledger, from).await;
    accepts("hledger", &["-f", "FILE", "check", "--strict"], &journal, "journal");
    let ledger = text(store, Format::Ledger, from).await;
    accepts("ledger", &["-f", "FILE", "source"], &ledger, "ledger");
    // It warns of accounts, commodities and tags that were not declared, and says nothing else.
    accepts("ledger", &["--strict", "-f", "FILE", "source"], &ledger, "ledger");
    accepts("bean-check", &["FILE"], &text(store, Format::Beancount, from).await, "beancount");
}

#[tokio::test]
async fn accounting_programs_take_the_sample_world() {
    check_all(&sample().await, 1).await;
}

#[tokio::test]
async fn accounting_programs_take_random_histories() {
    for (seed, steps) in [(1, 40), (2, 500), (3, 900)] {
        let store = random(seed, steps).await;
        check_all(&store, 1).await;
        check_all(&store, store.head().await.unwrap().position.number() / 2).await;
    }
}

/// An assertion that is wrong is noticed by each program, so those that pass mean something.
#[tokio::test]
async fn assertions_are_checked() {
    let store = random(4, 300).await;
    let journal = text(&store, Format::Hledger, 1).await;
    let settlements = journal.lines().filter(|line| line.contains("* Settlement")).count();
    assert!(settlements > 0 && journal.contains("* End"));
    let payments = journal.lines().filter(|line| line.contains("* TXN")).count();
    let booked = flexledger_domain::testing::booked(&World::random(4, 300).history);
    assert_eq!(payments, booked);
    if Command::new("hledger").arg("--version").output().is_ok() {
        let wrong = journal.replacen(" = ", " = 9", 1);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wrong.journal");
        std::fs::write(&file, wrong).unwrap();
        let output = Command::new("hledger").arg("-f").arg(&file).args(["check", "--strict"]).output().unwrap();
        assert!(!output.status.success());
    }
}

#[tokio::test]
async fn lines_are_the_golden_export() {
    let store = sample().await;
    assert_eq!(text(&store, Format::Jsonl, 1).await.into_bytes(), golden());
    let part = text(&store, Format::Jsonl, 5).await;
    assert_eq!(part.lines().count() as u64, store.head().await.unwrap().position.number() - 4);
}

#[tokio::test]
async fn every_posting_is_a_line() {
    let store = random(6, 200).await;
    let csv = text(&store, Format::Csv, 1).await;
    let booked = flexledger_domain::testing::booked(&World::random(6, 200).history);
    assert_eq!(csv.lines().count(), 1 + 2 * booked);
    assert!(csv.lines().all(|line| line.split(',').count() == 9));
}
