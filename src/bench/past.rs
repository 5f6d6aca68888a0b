//! The server of the past in `bench audit`: how long until it is ready, from snapshots and from nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use flexledger_domain::Position;
use flexledger_eventstore::sqlite::Mode;
use flexledger_projections::Views;
use flexledger_replay::moment::Moment;

use super::report::{Document, rounded};
use crate::config::Config;
use crate::failure::Failure;
use crate::verbs::{Server, ServerOptions};

/// Moments, in hundredths of the log, with the names of their rows.
const MOMENTS: [(u64, &str); 2] = [(50, "audit as-of, middle"), (95, "audit as-of, near the end")];
/// The views were kept so many hundredths of the log before the moment: what a reconcile now and then leaves near the
/// end. Further back the few copies that stay lie wider apart, and a moment between them costs more.
const BEFORE: u64 = 5;

/// Starts servers of the past on the log in the folder. The rate is that of the events up to the moment in the time
/// until ready, with snapshots of the state as the engine left them, and views that were kept somewhat earlier; its
/// reference is the same from nothing.
pub async fn past(folder: &Path) -> Result<Vec<Document>, Failure> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = Config { data: folder.to_owned(), listen, views_kept: MOMENTS.len(), ..Config::default() };
    let end = keep_views(&config).await?;
    let mut near = Vec::with_capacity(MOMENTS.len());
    for (hundredths, _) in MOMENTS {
        near.push(until_ready(&config, share(end, hundredths)).await?);
    }
    // Out of sight for as long as nothing is what is begun with.
    let aside = folder.join("snapshots-aside");
    std::fs::rename(config.snapshots(), &aside)?;
    let mut documents = Vec::with_capacity(MOMENTS.len());
    for ((hundredths, name), near) in MOMENTS.into_iter().zip(near) {
        let at = share(end, hundredths);
        let nothing = until_ready(&config, at).await?;
        let rate = |time: Duration| at.number() as f64 / time.as_secs_f64().max(1e-9);
        let mut document = Document::new(name).against(rate(near), rate(nothing));
        document.ready_ms = Some(rounded(near.as_secs_f64() * 1000.0));
        document.ready_without_snapshot_ms = Some(rounded(nothing.as_secs_f64() * 1000.0));
        document.events = Some(at.number());
        documents.push(document);
    }
    std::fs::rename(&aside, config.snapshots())?;
    Ok(documents)
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::Store(format!("as-of: {error}"))
}

fn share(end: Position, hundredths: u64) -> Position {
    Position::new((end.number() * hundredths / 100).max(1))
}

/// Keeps the views as they were somewhat before each moment, instead of those that earlier benches left; tells where
/// the log ends.
async fn keep_views(config: &Config) -> Result<Position, Failure> {
    let store = flexledger_eventstore::open(&config.events_place(), Mode::Reader).await.map_err(|e| failed(&e))?;
    let end = store.head().await.map_err(|e| failed(&e))?.position;
    for (hundredths, _) in MOMENTS {
        let at = share(end, hundredths.saturating_sub(BEFORE));
        let (file, kept) = (config.data.join("past.db"), config.views_kept());
        let nearest = kept.before(at).into_iter().next();
        if let Some(copy) = nearest {
            copy.take(&file).map_err(|e| failed(&e))?;
        }
        let views = Views::open(&format!("sqlite:{}", file.display()), &[]).await.map_err(|e| failed(&e))?;
        views.fill(&store, at).await.map_err(|e| failed(&e))?;
        views.close().await;
        kept.keep(&file, at, None).map_err(|e| failed(&e))?;
    }
    store.close().await;
    Ok(end)
}

async fn until_ready(config: &Config, at: Position) -> Result<Duration, Failure> {
    let options = ServerOptions { without_clocks: true, as_of: Some(Moment::Position(at)) };
    let began = Instant::now();
    let server = Server::start(config, options, |_| Ok(())).await?;
    let time = began.elapsed();
    server.stop().await;
    Ok(time)
}
