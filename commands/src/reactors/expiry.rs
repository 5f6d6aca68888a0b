//! Ends payments whose time is up (`idaas.md` 9.7).

use std::time::Duration;

use flexledger_domain::payments::Expire;
use flexledger_domain::{Instant, Reference};
use tokio::task::JoinSet;

use crate::engine::{Engine, Failure};

/// Payments ended side by side: they share batches.
const AT_ONCE: usize = 512;

/// Every `sweep`, ends all open payments that are overdue, each in its own step. Runs until it is dropped.
pub async fn expire_overdue(engine: Engine, sweep: Duration) {
    loop {
        match sweep_once(&engine).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "expiry.swept"),
            Err(failure) => tracing::warn!(%failure, "expiry.sweep_failed: it is tried again at the next sweep"),
        }
        tokio::time::sleep(sweep).await;
    }
}

async fn sweep_once(engine: &Engine) -> Result<usize, Failure> {
    let mut ended = 0;
    loop {
        let now: Instant = engine.clock().now();
        let overdue: Vec<Reference> =
            engine.inspect(move |ledger| ledger.payments.overdue(now).take(AT_ONCE).collect()).await?;
        if overdue.is_empty() {
            return Ok(ended);
        }
        let mut running = JoinSet::new();
        for reference in overdue {
            let engine = engine.clone();
            running.spawn(async move { engine.submit(Expire { reference }).await.map(|_| ()) });
        }
        while let Some(result) = running.join_next().await {
            result.map_err(|_| Failure::Unavailable)??;
            ended += 1;
        }
    }
}
