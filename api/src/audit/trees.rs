//! The Merkle tree over the log, kept at hand: the roots of its complete tiles, so that a proof reads three tiles at most.
//! Leaves come from the writer of this node where it has them, else they are hashed again from the store.

use std::time::Duration;

use flexledger_domain::Position;
use flexledger_eventstore::merkle::{Tree, TreeError};
use tokio::sync::{RwLock, RwLockReadGuard};

use super::unreadable;
use crate::app::App;
use crate::http::error::{ApiError, Code};

/// Records hashed at once while the tree follows the log.
const PORTION: usize = 4096;
/// How often the tree follows the log when nobody asks.
const REST: Duration = Duration::from_secs(1);

/// The tree of one ledger.
#[derive(Default)]
pub struct Trees(RwLock<Tree>);

impl Trees {
    /// The tree once it holds `size` leaves. Whoever comes first after the log grew hashes what is new.
    pub(super) async fn at(&self, app: &App, size: Position) -> Result<RwLockReadGuard<'_, Tree>, ApiError> {
        loop {
            let tree = self.0.read().await;
            if tree.size() >= size.number() {
                return Ok(tree);
            }
            drop(tree);
            let mut tree = self.0.write().await;
            tree.take(app.engine().leaves(), size);
            tree.follow(app.engine().store().as_ref(), size, PORTION).await?;
        }
    }
}

/// Keeps the tree near the end of the log, in the background. Never ends by itself.
pub async fn follow(app: App) {
    loop {
        let head = app.engine().status().head.position;
        if app.trees().at(&app, head).await.is_err() {
            tracing::warn!("audit.tree_late: it is tried again");
        }
        tokio::time::sleep(REST).await;
    }
}

impl From<TreeError> for ApiError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Beyond(_) => super::beyond(error),
            TreeError::Missing(position) => {
                tracing::error!(position = position.number(), "api.event_missing");
                Code::Internal.into()
            }
            TreeError::Store(error) => unreadable(&error),
        }
    }
}
