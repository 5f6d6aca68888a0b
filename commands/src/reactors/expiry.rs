//! Ends payments and payment requests whose time is up (`idaas.md` 9.7, 19).

use std::time::Duration;

use flexledger_domain::merchants::ExpireRequest;
use flexledger_domain::payments::Expire;
use flexledger_domain::{Command, Instant, Ledger};
use tokio::task::JoinSet;

use crate::engine::{Engine, Failure};

/// Payments ended side by side: they share batches.
const AT_ONCE: usize = 512;

/// Every `sweep`, ends all open payments and payment requests that are overdue, each in its own step. Runs until it is
/// dropped.
pub async fn expire_overdue(engine: Engine, sweep: Duration) {
    loop {
        // A follower leaves it to the leader.
        engine.leading().await;
        match sweep_once(&engine).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "expiry.swept"),
            Err(failure) => tracing::warn!(%failure, "expiry.sweep_failed: it is tried again at the next sweep"),
        }
        tokio::time::sleep(sweep).await;
    }
}

async fn sweep_once(engine: &Engine) -> Result<usize, Failure> {
    let payments = end_all(engine, overdue_payments).await?;
    Ok(payments + end_all(engine, overdue_requests).await?)
}

fn overdue_payments(ledger: &Ledger, now: Instant) -> Vec<Expire> {
    ledger.payments.overdue(now).take(AT_ONCE).map(|reference| Expire { reference }).collect()
}

fn overdue_requests(ledger: &Ledger, now: Instant) -> Vec<ExpireRequest> {
    ledger.merchants.overdue(now).take(AT_ONCE).map(|number| ExpireRequest { number }).collect()
}

/// Gives what `overdue` finds, at most [`AT_ONCE`] at a time, until it finds nothing.
async fn end_all<C: Command>(engine: &Engine, overdue: fn(&Ledger, Instant) -> Vec<C>) -> Result<usize, Failure> {
    let mut ended = 0;
    loop {
        let now = engine.clock().now();
        let commands = engine.inspect(move |ledger| overdue(ledger, now)).await?;
        if commands.is_empty() {
            return Ok(ended);
        }
        let mut running = JoinSet::new();
        for command in commands {
            let engine = engine.clone();
            running.spawn(async move { engine.submit(command).await.map(|_| ()) });
        }
        while let Some(result) = running.join_next().await {
            result.map_err(|_| Failure::Unavailable)??;
            ended += 1;
        }
    }
}
