//! The Merkle tree over the log, kept at hand: the roots of its complete tiles, so that a proof reads three tiles at most.
//! Leaves come from the writer of this node where it has them, else they are hashed again from the store.
//!
//! A start goes on from the tile roots that were saved and hashes what was appended since, at most [`SAVE_TILES`] tiles
//! if the server ran before; without them it hashes the whole log, in the background. A save writes 32 bytes per 256
//! events of the whole log: 250 KB at 2,000,000 events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flexledger_domain::Position;
use flexledger_eventstore::merkle::{Tree, TreeError, saved};
use tokio::sync::{RwLock, RwLockReadGuard};

use super::unreadable;
use crate::app::App;
use crate::http::error::{ApiError, Code};

/// Records hashed at once while the tree follows the log.
const PORTION: usize = 4096;
/// How often the tree follows the log when nobody asks.
const REST: Duration = Duration::from_secs(1);

/// New tiles that are worth a save: 65,536 events.
const SAVE_TILES: u64 = 256;

/// The tree of one ledger.
#[derive(Default)]
pub struct Trees {
    tree: RwLock<Tree>,
    /// Tiles in the file.
    saved: AtomicU64,
}

impl Trees {
    /// The tree once it holds `size` leaves. Whoever comes first after the log grew hashes what is new.
    pub(super) async fn at(&self, app: &App, size: Position) -> Result<RwLockReadGuard<'_, Tree>, ApiError> {
        loop {
            let tree = self.tree.read().await;
            if tree.size() >= size.number() {
                return Ok(tree);
            }
            drop(tree);
            let mut tree = self.tree.write().await;
            let store = app.engine().store().as_ref();
            if let (0, Some(file)) = (tree.size(), &app.settings().tree_file) {
                *tree = saved::load(file, app.vault().platform().tree_key(), store).await;
                self.saved.store(tree.tiles(), Ordering::Relaxed);
            }
            tree.take(app.engine().leaves(), size);
            tree.follow(store, size, PORTION).await?;
        }
    }

    /// Saves the tile roots once there are `more` new ones.
    pub(crate) async fn save(&self, app: &App, more: u64) {
        let Some(file) = &app.settings().tree_file else { return };
        let tree = self.tree.read().await;
        if tree.tiles() < self.saved.load(Ordering::Relaxed).saturating_add(more) {
            return;
        }
        let key = app.vault().platform().tree_key();
        match saved::save(file, key, &tree, app.engine().store().as_ref()).await {
            Ok(()) => self.saved.store(tree.tiles(), Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "audit.tree_not_saved: the next start hashes more of the log"),
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
        app.trees().save(&app, SAVE_TILES).await;
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
