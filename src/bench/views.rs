//! `bench views`: rebuild of all views from a log.

use std::path::Path;
use std::time::Instant;

use flexledger_domain::Position;
use flexledger_eventstore::sqlite::Mode;
use flexledger_projections::Views;

use super::report::{Document, bytes_below, rounded};
use crate::config::Config;
use crate::failure::Failure;

/// Fills fresh views from the log in the folder.
pub async fn rebuild(folder: &Path) -> Result<Document, Failure> {
    let config = Config { data: folder.to_owned(), ..Config::default() };
    let failed = |error: &dyn std::fmt::Display| Failure::Store(format!("rebuild: {error}"));
    let store =
        flexledger_eventstore::open(&config.events_place(), Mode::Reader).await.map_err(|error| failed(&error))?;
    let views = Views::open(&config.views_place().to_string(), &[]).await.map_err(|error| failed(&error))?;
    let began = Instant::now();
    let reached = views.fill(&store, Position::MAX).await.map_err(|error| failed(&error))?;
    let time = began.elapsed();
    let mut document = Document::new("views");
    views.close().await;
    document.per_second = Some(rounded(reached.number() as f64 / time.as_secs_f64().max(1e-9)));
    document.events = Some(reached.number());
    document.bytes_on_disk = bytes_below(folder);
    document.durability = Some(store.durability());
    Ok(document)
}
