//! `bench restart`: how long a server takes until it is ready on a long log.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use super::report::{Document, rounded};
use crate::config::Config;
use crate::failure::Failure;
use crate::verbs::{Server, ServerOptions};

/// Starts a server on the log in the folder, from its snapshot and then without one.
pub async fn restart(folder: &Path) -> Result<Document, Failure> {
    let config =
        Config { data: folder.to_owned(), listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..Config::default() };
    let (with, events) = until_ready(&config).await?;
    std::fs::remove_dir_all(config.snapshots())?;
    let (without, _) = until_ready(&config).await?;
    let mut document = Document::new("restart");
    document.ready_ms = Some(rounded(with.as_secs_f64() * 1000.0));
    document.ready_without_snapshot_ms = Some(rounded(without.as_secs_f64() * 1000.0));
    document.per_second = Some(rounded(events as f64 / without.as_secs_f64().max(1e-9)));
    document.events = Some(events);
    Ok(document)
}

async fn until_ready(config: &Config) -> Result<(Duration, u64), Failure> {
    let began = Instant::now();
    let server = Server::start(config, ServerOptions { without_clocks: true, as_of: None }, |_| Ok(())).await?;
    let time = began.elapsed();
    let events = server.app().engine().tail().head().number();
    server.stop().await;
    Ok((time, events))
}
