//! The views as the log gives them, in a database beside the live one. Broken off, it is taken up again where it stood.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flexledger_domain::Position;
use flexledger_eventstore::EventStore;
use flexledger_projections::{ViewError, Views};

use super::ReconcileError;

const FILE: &str = "rebuild.db";
const LOCK: &str = "rebuild.lock";
/// Events folded between two reports of progress. Each step ends with what is folded written, so steps are long.
const STEP: u64 = 1 << 17;

/// The scratch database, held by this process.
pub(super) struct Scratch {
    pub views: Views,
    pub path: PathBuf,
    names: Vec<&'static str>,
    _held: File,
}

impl Scratch {
    /// Opens it in `folder`, as it was left or empty.
    pub async fn open(folder: &Path, names: &[&'static str]) -> Result<Scratch, ReconcileError> {
        let held = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ReconcileError::Running),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let path = folder.join(FILE);
        let views = match open_views(&path, names).await {
            Ok(views) => views,
            // What an earlier run left cannot be used.
            Err(_) => {
                remove(&path)?;
                open_views(&path, names).await?
            }
        };
        Ok(Scratch { views, path, names: names.to_vec(), _held: held })
    }

    /// Begins anew with empty tables.
    pub async fn clear(&mut self) -> Result<(), ReconcileError> {
        self.views.close().await;
        remove(&self.path)?;
        self.views = open_views(&self.path, &self.names).await?;
        Ok(())
    }

    /// Folds each view up to its target, no further.
    pub async fn fill(
        &mut self,
        store: &Arc<dyn EventStore>,
        targets: &[(&'static str, Position)],
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), ReconcileError> {
        let passed = |views: &Views| {
            let past = |(name, target): &(&str, Position)| standing(views, name) > *target;
            targets.iter().any(past)
        };
        if passed(&self.views) {
            self.clear().await?;
        }
        let end = targets.iter().map(|(_, at)| *at).max().unwrap_or(Position::START);
        let mut tried_again = false;
        loop {
            let behind = targets.iter().filter(|(name, target)| standing(&self.views, name) < *target);
            let Some(slowest) = behind.map(|(name, _)| standing(&self.views, name)).min() else {
                progress(end.number(), end.number());
                return Ok(());
            };
            progress(slowest.number(), end.number());
            let step = Position::new(slowest.number().saturating_add(STEP));
            let limits: Vec<_> = targets.iter().map(|(name, target)| (*name, (*target).min(step))).collect();
            // A view beyond this step waits for the others.
            let limits: Vec<_> =
                limits.into_iter().map(|(name, limit)| (name, limit.max(standing(&self.views, name)))).collect();
            match self.views.fill_each(store, &limits).await {
                Ok(()) => {}
                // Left by a run over another log.
                Err(ViewError::OtherLog { .. }) if !tried_again => {
                    tried_again = true;
                    self.clear().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes it.
    pub async fn remove(self) -> Result<(), ReconcileError> {
        self.views.close().await;
        Ok(remove(&self.path)?)
    }
}

fn standing(views: &Views, name: &str) -> Position {
    let status = views.status();
    status.iter().find(|view| view.name == name).map_or(Position::START, |view| view.position)
}

async fn open_views(path: &Path, names: &[&'static str]) -> Result<Views, ViewError> {
    Views::open(&format!("sqlite:{}", path.display()), names).await
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
