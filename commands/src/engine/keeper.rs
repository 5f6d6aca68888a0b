//! Keeps the right to lead: renews the lease in time, and says when another node has it.

use std::sync::Arc;
use std::time::Instant;

use flexledger_eventstore::Lease;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Shared;

/// Renewals within the time that a lease lasts.
const TRIES: u32 = 5;

/// Renews the lease until it is dropped.
pub struct Keeper {
    task: Option<JoinHandle<()>>,
    lost: watch::Receiver<bool>,
}

impl Keeper {
    /// Keeps a lease that was granted when it was asked for at `asked`. One without an end needs no keeping.
    pub fn start(shared: &Arc<Shared>, asked: Instant, lease: &Lease) -> Self {
        let (tell, lost) = watch::channel(false);
        let Lease::Mine { term, lasts } = *lease else {
            tell.send_replace(true);
            return Keeper { task: None, lost };
        };
        shared.roles.renewed(asked, lasts);
        let Some(lasts) = lasts else { return Keeper { task: None, lost } };
        let shared = shared.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(lasts / TRIES).await;
                let asked = Instant::now();
                match shared.store.lead(&shared.candidate).await {
                    Ok(Lease::Mine { term: now, lasts }) if now == term => shared.roles.renewed(asked, lasts),
                    // Another term: somebody led in between, so what is decided here may rest on an old state.
                    Ok(_) => break,
                    Err(error) => tracing::warn!(%error, "engine.lease_not_renewed"),
                }
            }
            tell.send_replace(true);
        });
        Keeper { task: Some(task), lost }
    }

    /// Returns when another node has the right.
    pub async fn lost(&mut self) {
        if self.lost.wait_for(|lost| *lost).await.is_err() {
            // The lease has no end, so nobody can take it.
            std::future::pending().await
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
