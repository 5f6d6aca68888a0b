//! Load over HTTP: keep-alive connections that initiate and accept payments, one command per request.
//!
//! All connections live on one thread of their own, so the generator takes the same share of the machine whatever it
//! is pointed at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::client::{Client, ClientError, text_member};
use super::histogram::Histogram;
use super::world::{Dice, Tag};
use crate::failure::Failure;

/// What one round of load does.
#[derive(Clone)]
pub struct Plan {
    /// Where the server is.
    pub address: SocketAddr,
    /// One token per application.
    pub tokens: Arc<Vec<String>>,
    /// Who pays whom.
    pub tags: Arc<Vec<Tag>>,
    /// Every payment between the same two applications.
    pub hot: bool,
    /// Connections.
    pub connections: u64,
    /// How long.
    pub time: Duration,
    /// Tells rounds apart: idempotency keys and choices follow from it.
    pub round: u64,
}

/// What came of it.
#[derive(Default)]
pub struct Tally {
    /// Answers with the status expected.
    pub answered: AtomicU64,
    /// Other answers.
    pub refused: AtomicU64,
    /// From sending a request to having its answer.
    pub latencies: Histogram,
}

/// Plays one round; returns how long it took until the last answer.
pub async fn play(plan: Plan, tally: Arc<Tally>) -> Result<Duration, Failure> {
    let generator = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(connections(&plan, &tally))
    });
    let played = generator.await.map_err(|error| Failure::Usage(format!("the load generator: {error}")))?;
    played.map_err(|error| Failure::Store(format!("the load generator: {error}")))
}

async fn connections(plan: &Plan, tally: &Tally) -> Result<Duration, ClientError> {
    let began = Instant::now();
    let until = began + plan.time;
    let all = (0..plan.connections).map(|number| connection(plan, number, until, tally));
    futures::future::try_join_all(all).await?;
    Ok(began.elapsed())
}

async fn connection(plan: &Plan, number: u64, until: Instant, tally: &Tally) -> Result<(), ClientError> {
    let mut client = Client::connect(plan.address).await?;
    let mut dice = Dice::new(plan.round * 4096 + number);
    let mut request = Vec::with_capacity(2048);
    let mut key = 0;
    while Instant::now() < until {
        let Some((from, to)) = dice.pair(&plan.tags, plan.hot) else { break };
        key += 1;
        initiation(&mut request, plan, from, to, (number, key));
        let Some(reference) = call(&mut client, &request, 201, tally).await? else { continue };
        acceptance(&mut request, plan, to, &reference);
        call(&mut client, &request, 200, tally).await?;
    }
    Ok(())
}

/// Sends a request and counts its answer; gives the payment's reference when it is as expected.
async fn call(
    client: &mut Client,
    request: &[u8],
    expected: u16,
    tally: &Tally,
) -> Result<Option<Vec<u8>>, ClientError> {
    let began = Instant::now();
    let (status, body) = client.call(request).await?;
    tally.latencies.record(began.elapsed());
    let reference = text_member(body, "reference").filter(|_| status == expected).map(<[u8]>::to_vec);
    let count = if reference.is_some() { &tally.answered } else { &tally.refused };
    count.fetch_add(1, Ordering::Relaxed);
    Ok(reference)
}

fn initiation(request: &mut Vec<u8>, plan: &Plan, from: &Tag, to: &Tag, (connection, key): (u64, u64)) {
    let body = format!(
        r#"{{"senderTag":"{}","receiverTag":"{}","amount":12.5000,"currency":"NGN"}}"#,
        from.address, to.address
    );
    let text = format!(
        "POST /api/v1/transactions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nIdempotency-Key: {}-{connection}-{key}\r\nContent-Length: {}\r\n\r\n{body}",
        token(plan, from),
        plan.round,
        body.len()
    );
    request.clear();
    request.extend_from_slice(text.as_bytes());
}

fn acceptance(request: &mut Vec<u8>, plan: &Plan, to: &Tag, reference: &[u8]) {
    request.clear();
    request.extend_from_slice(b"POST /api/v1/transactions/");
    request.extend_from_slice(reference);
    request.extend_from_slice(b"/accept HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ");
    request.extend_from_slice(token(plan, to).as_bytes());
    request.extend_from_slice(b"\r\nContent-Length: 0\r\n\r\n");
}

fn token<'a>(plan: &'a Plan, tag: &Tag) -> &'a str {
    usize::try_from(tag.number).ok().and_then(|number| plan.tokens.get(number)).map_or("", String::as_str)
}
