//! `bench audit`: pages of the past, and proofs, anywhere in a long log.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use flexledger_domain::Position;
use flexledger_domain::ids::ApplicationId;
use flexledger_eventstore::EventStore;
use flexledger_eventstore::merkle::Tree;
use flexledger_eventstore::sqlite::Mode;
use flexledger_projections::Views;
use flexledger_replay::as_of::{Answer, Paging, Question, answer, read_currency};
use flexledger_replay::verify::Verify;
use rand::Rng;

use super::histogram::Histogram;
use super::report::{Document, rounded};
use crate::config::Config;
use crate::failure::Failure;

/// Questions of each kind.
const QUESTIONS: u64 = 2000;
/// Rows of a statement page.
const PAGE: u32 = 100;
/// Records hashed at once.
const PORTION: usize = 4096;

/// Asks for wallets and statement pages at random positions of the log in the folder, whose views are filled, and for
/// proofs. The figures in this order: wallets, statements, proofs; the rate of the last is that of hashing the log.
pub async fn audit(folder: &Path) -> Result<Vec<Document>, Failure> {
    let config = Config { data: folder.to_owned(), ..Config::default() };
    let store = flexledger_eventstore::open(&config.events_place(), Mode::Reader).await.map_err(|e| failed(&e))?;
    let views = Views::open_read_only(&config.views_place().url()).await.map_err(|e| failed(&e))?;
    let end = store.head().await.map_err(|e| failed(&e))?.position;
    let documents = vec![
        pages(&views, end, "audit wallets", |application| Ok(Question::Wallets(Some(application)))).await?,
        pages(&views, end, "audit statement", |application| {
            let currency = read_currency("NGN").map_err(|e| failed(&e))?;
            let from = Some(rand::rng().random_range(0..1000));
            Ok(Question::Statement { application, currency, paging: Paging { from, limit: PAGE } })
        })
        .await?,
        proofs(&store, end).await?,
    ];
    views.close().await;
    store.close().await;
    Ok(documents)
}

/// Checks chain, tree and books of the log in the folder, so many times.
pub async fn verify(folder: &Path, rounds: u64) -> Result<Document, Failure> {
    let config = Config { data: folder.to_owned(), ..Config::default() };
    let store = flexledger_eventstore::open(&config.events_place(), Mode::Reader).await.map_err(|e| failed(&e))?;
    let (mut checked, mut events) = (0, 0);
    let began = Instant::now();
    for _ in 0..rounds {
        let report = flexledger_replay::verify::verify(&store, Verify::default()).await.map_err(|e| failed(&e))?;
        if !report.ok {
            return Err(failed(&"the log of the bench has violations"));
        }
        checked += report.position;
        events = report.position;
    }
    let time = began.elapsed();
    store.close().await;
    let mut document = Document::new("audit verify");
    document.per_second = Some(rounded(checked as f64 / time.as_secs_f64().max(1e-9)));
    document.events = Some(events);
    Ok(document)
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::Store(format!("audit: {error}"))
}

async fn pages(
    views: &Views,
    end: Position,
    name: &'static str,
    question: impl Fn(ApplicationId) -> Result<Question, Failure>,
) -> Result<Document, Failure> {
    let now = answer(views, end, &Question::Wallets(None)).await.map_err(|e| failed(&e))?;
    let Answer::Wallets { wallets, .. } = now else { return Err(failed(&"no wallets")) };
    let ids: Result<Vec<ApplicationId>, _> = wallets.iter().map(|wallet| wallet.application_id.parse()).collect();
    let ids = ids.map_err(|e| failed(&e))?;
    // The applications of a bench register first: behind its first hundredth every one is known.
    let first = end.number() / 100 + 1;
    let histogram = Histogram::default();
    let mut refused = 0;
    let began = Instant::now();
    for _ in 0..QUESTIONS {
        let at = Position::new(rand::rng().random_range(first..=end.number().max(first)));
        let Some(application) = ids.get(rand::rng().random_range(0..ids.len().max(1))) else {
            return Err(failed(&"the log has no wallets"));
        };
        let question = question(*application)?;
        let asked = Instant::now();
        let answered = answer(views, at, &question).await;
        histogram.record(asked.elapsed());
        refused += u64::from(answered.is_err());
    }
    let mut document = Document::new(name).latencies(&histogram);
    document.per_second = Some(rounded(QUESTIONS as f64 / began.elapsed().as_secs_f64().max(1e-9)));
    document.refused = Some(refused);
    document.events = Some(end.number());
    Ok(document)
}

async fn proofs(store: &Arc<dyn EventStore>, end: Position) -> Result<Document, Failure> {
    let mut tree = Tree::new();
    let began = Instant::now();
    tree.follow(store.as_ref(), end, PORTION).await.map_err(|e| failed(&e))?;
    let hashing = began.elapsed();
    let histogram = Histogram::default();
    for _ in 0..QUESTIONS {
        let at = rand::rng().random_range(1..=end.number().max(1));
        let position = rand::rng().random_range(1..=at);
        let asked = Instant::now();
        tree.inclusion(store.as_ref(), Position::new(position), at).await.map_err(|e| failed(&e))?;
        tree.consistency(store.as_ref(), position, at).await.map_err(|e| failed(&e))?;
        histogram.record(asked.elapsed());
    }
    let mut document = Document::new("audit proofs").latencies(&histogram);
    document.per_second = Some(rounded(end.number() as f64 / hashing.as_secs_f64().max(1e-9)));
    document.events = Some(end.number());
    Ok(document)
}
