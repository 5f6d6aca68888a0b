//! The views as the log gives them, in a database beside the live one. Broken off, it is taken up again where it stood,
//! as long as the machine runs on: nothing waits for the disk, so what an earlier run of the machine left is not trusted;
//! done, it is removed or kept for those who ask for the past.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flexledger_domain::Position;
use flexledger_eventstore::{Committed, EventStore, StoreError};
use flexledger_projections::{ViewError, Views};
use tokio::sync::mpsc;

use super::ReconcileError;
use super::second::Second;
use crate::kept::{Digest, Kept};

const FILE: &str = "rebuild.db";
const LOCK: &str = "rebuild.lock";
/// Pause between two looks at how far the filling has come.
const LOOK: Duration = Duration::from_millis(200);

/// The scratch database, held by this process.
pub(super) struct Scratch {
    pub views: Views,
    pub path: PathBuf,
    names: Vec<&'static str>,
    /// Whether the file is taken up again only in the same run of the machine, so that no write need wait for the disk.
    unsynced: bool,
    _held: File,
}

impl Scratch {
    /// Opens it in `folder`, as it was left or empty.
    pub async fn open(folder: &Path, names: &[&'static str]) -> Result<Scratch, ReconcileError> {
        let lock = folder.join(LOCK);
        let held = File::options().create(true).truncate(false).write(true).open(&lock)?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ReconcileError::Running),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let path = folder.join(FILE);
        let boot = boot();
        if boot.as_ref().is_none_or(|boot| std::fs::read_to_string(&lock).is_ok_and(|left| left == *boot)) {
            tracing::debug!(name: "reconcile.goes_on", "what an earlier run left is taken up");
        } else {
            // Of an earlier run of the machine: it may be torn. Removed before the lock says that it is not.
            remove(&path)?;
            std::fs::write(&lock, boot.as_deref().unwrap_or_default())?;
        }
        let unsynced = boot.is_some();
        let views = match open_views(&path, names, unsynced).await {
            Ok(views) => views,
            // What an earlier run left cannot be used.
            Err(_) => {
                remove(&path)?;
                open_views(&path, names, unsynced).await?
            }
        };
        Ok(Scratch { views, path, names: names.to_vec(), unsynced, _held: held })
    }

    /// How far it is behind the targets.
    pub fn lag(&self, targets: &[(&'static str, Position)]) -> u64 {
        targets.iter().map(|(name, target)| target.after(standing(&self.views, name))).max().unwrap_or(0)
    }

    /// Begins anew with empty tables.
    pub async fn clear(&mut self) -> Result<(), ReconcileError> {
        self.views.close().await;
        remove(&self.path)?;
        self.views = open_views(&self.path, &self.names, self.unsynced).await?;
        Ok(())
    }

    /// Folds each view up to its target, no further.
    pub async fn fill(
        &mut self,
        store: &Arc<dyn EventStore>,
        targets: &[(&'static str, Position)],
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), ReconcileError> {
        self.fill_with(store, targets, progress, None).await.map(|_| ())
    }

    /// As [`Scratch::fill`], and folds the postings of the same events.
    pub async fn fill_with(
        &mut self,
        store: &Arc<dyn EventStore>,
        targets: &[(&'static str, Position)],
        progress: &mut (dyn FnMut(u64, u64) + Send),
        second: Option<Second>,
    ) -> Result<Option<Second>, ReconcileError> {
        let (listener, listening) = second.map(Second::listen).unzip();
        self.fill_and_tell(store, targets, progress, listener).await?;
        let Some(listening) = listening else { return Ok(None) };
        let lost = |_| StoreError::Unusable("folding the postings was broken off".to_owned());
        Ok(Some(listening.await.map_err(lost)?))
    }

    async fn fill_and_tell(
        &mut self,
        store: &Arc<dyn EventStore>,
        targets: &[(&'static str, Position)],
        progress: &mut (dyn FnMut(u64, u64) + Send),
        listener: Option<mpsc::Sender<Committed>>,
    ) -> Result<(), ReconcileError> {
        let passed = |views: &Views| {
            let past = |(name, target): &(&str, Position)| standing(views, name) > *target;
            targets.iter().any(past)
        };
        if passed(&self.views) {
            self.clear().await?;
        }
        let mut tried_again = false;
        loop {
            match self.fill_on(store, targets, progress, listener.clone()).await {
                Ok(()) => return Ok(()),
                // Left by a run over another log.
                Err(ViewError::OtherLog { .. }) if !tried_again => {
                    tried_again = true;
                    self.clear().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Fills in one go, for each pause would cost what is read ahead; looks now and then how far it has come.
    async fn fill_on(
        &self,
        store: &Arc<dyn EventStore>,
        targets: &[(&'static str, Position)],
        progress: &mut (dyn FnMut(u64, u64) + Send),
        listener: Option<mpsc::Sender<Committed>>,
    ) -> Result<(), ViewError> {
        let end = targets.iter().map(|(_, at)| *at).max().unwrap_or(Position::START);
        if targets.iter().all(|(name, target)| standing(&self.views, name) >= *target) {
            progress(end.number(), end.number());
            return Ok(());
        }
        let filling = self.views.fill_each(store, targets, listener);
        tokio::pin!(filling);
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                done = &mut filling => {
                    done?;
                    progress(end.number(), end.number());
                    return Ok(());
                }
                _ = look.tick() => {
                    let slowest = targets.iter().map(|(name, _)| standing(&self.views, name)).min();
                    progress(slowest.unwrap_or(Position::START).number(), end.number());
                }
            }
        }
    }

    /// Keeps it as a copy of the views as they were, if one is to be kept; else removes it. For a fold of all views that
    /// was compared and found equal: nobody who begins with a copy compares again.
    pub async fn keep(self, kept: &Kept, digest: Option<Digest>) -> Result<(), ReconcileError> {
        let status = self.views.status();
        let furthest = status.iter().map(|view| view.position).max().unwrap_or(Position::START);
        self.views.close().await;
        let (path, kept) = (self.path.clone(), kept.clone());
        match tokio::task::spawn_blocking(move || kept.keep(&path, furthest, digest)).await {
            Ok(Ok(true)) => tracing::debug!(position = furthest.number(), "views.kept"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "views.not_kept: the past is folded from further back"),
            Err(error) => tracing::warn!(%error, "views.not_kept: the past is folded from further back"),
        }
        // What was kept is not there any more.
        Ok(remove(&self.path)?)
    }

    /// What [`Scratch::keep`] will need, of a file that stays as it is. Where it cannot be had, it is made there.
    pub async fn digest(&self, kept: &Kept) -> Option<Digest> {
        let (path, kept) = (self.path.clone(), kept.clone());
        match tokio::task::spawn_blocking(move || kept.digest(&path)).await {
            Ok(Ok(digest)) => digest,
            Ok(Err(error)) => {
                tracing::debug!(%error, "views.no_digest_yet");
                None
            }
            Err(_) => None,
        }
    }

    /// Goes on with what was found. After an error nothing stays: it might fill a disk that others need.
    pub async fn unless<T>(self, found: Result<T, ReconcileError>) -> Result<(Scratch, T), ReconcileError> {
        match found {
            Ok(found) => Ok((self, found)),
            Err(error) => {
                if let Err(stays) = self.remove().await {
                    tracing::warn!(name: "reconcile.scratch_stays", error = %stays, "rebuild.db could not be removed");
                }
                Err(error)
            }
        }
    }

    /// Removes it.
    pub async fn remove(self) -> Result<(), ReconcileError> {
        self.views.close().await;
        Ok(remove(&self.path)?)
    }
}

/// Where a view stands.
pub(super) fn standing(views: &Views, name: &str) -> Position {
    let status = views.status();
    status.iter().find(|view| view.name == name).map_or(Position::START, |view| view.position)
}

async fn open_views(path: &Path, names: &[&'static str], unsynced: bool) -> Result<Views, ViewError> {
    let url = format!("sqlite:{}", path.display());
    if unsynced { Views::open_unsynced(&url, names).await } else { Views::open_bare(&url, names).await }
}

/// What this run of the machine is called, where the system tells.
fn boot() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
}

fn remove(path: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
