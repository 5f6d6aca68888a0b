//! Views made again while their server answers: the rebuild of `bench audit`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flexledger_api::App;
use flexledger_commands::clock::{Clock, SystemClock};
use flexledger_domain::ids::ApplicationId;
use flexledger_replay::as_of::{Answer, Question, answer};
use flexledger_replay::reconcile::{Reconcile, rebuild as make_again};

use super::client::{Client, ClientError};
use super::histogram::Histogram;
use super::report::Document;
use crate::config::Config;
use crate::failure::Failure;
use crate::verbs::{Server, ServerOptions};

/// Connections that read meanwhile.
const READERS: usize = 4;
/// What each waits between two reads.
const PAUSE: Duration = Duration::from_millis(20);

/// What the readers were answered.
#[derive(Default)]
struct Reads {
    latencies: Histogram,
    refused: AtomicU64,
    ended: AtomicBool,
}

/// Rebuilds the views in the folder beside a server on them. The rate is that of all of it, with comparison, second fold
/// and switch; its reference is the making of the new views alone. The latencies are those of wallets and statement
/// pages over HTTP meanwhile.
pub async fn rebuild(folder: &Path) -> Result<Document, Failure> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = Config { data: folder.to_owned(), listen, rate_limits: false, ..Config::default() };
    let server = Server::start(&config, ServerOptions { without_clocks: true, as_of: None }, |_| Ok(())).await?;
    let (reads, address, tokens) = (Arc::new(Reads::default()), server.address(), tokens(server.app()).await?);
    let readers = {
        let reads = reads.clone();
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let all = (0..READERS).map(|number| reader(address, &tokens, number, &reads));
                futures::future::try_join_all(all).await
            })
        })
    };
    let (began, mut made) = (Instant::now(), None);
    let mut progress = |done: u64, all: u64| {
        if done >= all {
            made.get_or_insert_with(|| began.elapsed());
        }
    };
    let job = Reconcile {
        store: server.app().engine().store().clone(),
        views_url: config.views_place().url(),
        folder: folder.to_owned(),
        views: Vec::new(),
        kept: config.views_kept(),
        now: SystemClock.now(),
        progress: &mut progress,
    };
    let (report, switched) = make_again(job, false).await.map_err(|error| failed(&error))?;
    let time = began.elapsed();
    reads.ended.store(true, Ordering::Relaxed);
    let read = readers.await.map_err(|error| failed(&error))?;
    read.map_err(|error: ClientError| failed(&error))?;
    server.stop().await;
    if !switched {
        return Err(failed(&"the rebuilt views differ from the live ones"));
    }
    let rate = |time: Duration| report.position as f64 / time.as_secs_f64().max(1e-9);
    let mut document = Document::new("audit rebuild");
    document = document.against(rate(time), rate(made.unwrap_or(time))).latencies(&reads.latencies);
    document.refused = Some(reads.refused.load(Ordering::Relaxed));
    document.events = Some(report.position);
    Ok(document)
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::Store(format!("rebuild: {error}"))
}

/// One token for each application with a wallet.
async fn tokens(app: &App) -> Result<Vec<String>, Failure> {
    let end = app.engine().tail().head();
    let now = answer(app.views(), end, &Question::Wallets(None)).await.map_err(|error| failed(&error))?;
    let Answer::Wallets { wallets, .. } = now else { return Err(failed(&"no wallets")) };
    let token = |id: ApplicationId| app.tokens().issue(id, false, app.now()).map(|issued| issued.token);
    let ids = wallets.iter().filter_map(|wallet| wallet.application_id.parse().ok());
    let tokens: Result<Vec<String>, _> = ids.map(token).collect();
    tokens.map_err(|_| failed(&"no token could be signed"))
}

async fn reader(address: SocketAddr, tokens: &[String], number: usize, reads: &Reads) -> Result<(), ClientError> {
    let mut client = Client::connect(address).await?;
    for (count, token) in tokens.iter().cycle().skip(number * 25).enumerate() {
        if reads.ended.load(Ordering::Relaxed) {
            break;
        }
        let path = if count % 2 == 0 { "/api/v1/wallet" } else { "/api/v1/wallet/statement?size=50" };
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n");
        let began = Instant::now();
        let (status, _) = client.call(request.as_bytes()).await?;
        reads.latencies.record(began.elapsed());
        reads.refused.fetch_add(u64::from(status != 200), Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
