//! Moving the WAL into the database without making appends wait for it.
//!
//! The WAL can start over only when all of it has been moved. So when it has grown, a connection of its own moves
//! what is there, while appends go on; then the writer itself moves the little that came meanwhile, between two
//! appends, and the next append starts the WAL over.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor, Row};
use tokio::sync::Mutex;

use super::open;
use crate::port::StoreError;

/// The WAL is moved when about this much is in it.
const WAL_BYTES: u64 = 16 << 20;
/// How often a full checkpoint is tried while readers are in the way, and the pause between.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Watches the WAL of one writer.
pub(super) struct Checkpoints {
    path: PathBuf,
    connection: Mutex<Option<SqliteConnection>>,
    /// About how much is in the WAL.
    pending: AtomicU64,
    running: AtomicBool,
    /// Most of the WAL was moved; the writer moves the rest.
    moved: AtomicBool,
}

impl Checkpoints {
    pub(super) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Checkpoints {
            path,
            connection: Mutex::default(),
            pending: AtomicU64::new(0),
            running: AtomicBool::new(false),
            moved: AtomicBool::new(false),
        })
    }

    /// Told after each batch how many bytes of records it had.
    pub(super) fn appended(self: &Arc<Self>, bytes: u64) {
        let written = bytes + bytes / 8 + 2 * u64::from(open::PAGE_BYTES);
        let pending = self.pending.fetch_add(written, Ordering::Relaxed) + written;
        if pending < WAL_BYTES || self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            if let Err(error) = this.move_most().await {
                tracing::warn!(name: "eventstore.sqlite.checkpoint_failed", %error, "the log's write-ahead file grows");
            }
            this.moved.store(true, Ordering::Release);
        });
    }

    async fn move_most(&self) -> Result<(), StoreError> {
        let mut slot = self.connection.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => open::writer(&self.path).await?,
        };
        passive(&mut connection).await?;
        *slot = Some(connection);
        Ok(())
    }

    /// Called by the writer between two appends: moves the rest when most was moved.
    pub(super) async fn finish(&self, writer: &mut SqliteConnection) {
        if !self.moved.swap(false, Ordering::AcqRel) {
            return;
        }
        // If a reader is in the way or the disk is full, the WAL grows on for a while before the next try.
        let all = passive(writer).await.unwrap_or(false);
        self.pending.store(if all { 0 } else { WAL_BYTES / 2 }, Ordering::Relaxed);
        self.running.store(false, Ordering::Release);
    }

    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            super::close(connection).await;
        }
    }
}

/// Moves what can be moved without waiting for anyone; tells whether that is all.
async fn passive(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let row = connection.fetch_one("PRAGMA wal_checkpoint(PASSIVE)").await?;
    let (busy, written, moved): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(busy == 0 && written == moved)
}

/// Moves the whole WAL into the database, syncs it, and empties the WAL.
pub(super) async fn full(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let busy: i64 = connection.fetch_one("PRAGMA wal_checkpoint(TRUNCATE)").await?.try_get(0)?;
        if busy == 0 {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    let text = "the write-ahead file of the log could not be emptied: some reader has been in it too long";
    Err(StoreError::Unusable(text.to_owned()))
}
