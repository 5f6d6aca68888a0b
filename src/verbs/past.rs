//! Opens the past: views that can answer as of a position, the live ones if they can, else a scratch database that is
//! folded from the log, beginning with the nearest kept copy of the views, and removed afterwards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flexledger_commands::clock::{Clock, SystemClock};
use flexledger_domain::Position;
use flexledger_eventstore::EventStore;
use flexledger_projections::{ViewError, Views};
use flexledger_replay::kept::{self, Kept, KeptError};
use flexledger_replay::moment::{Moment, MomentError};
use tempfile::TempDir;

use super::open;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Progress;

/// How often a bar is moved.
const TICK: Duration = Duration::from_millis(200);

/// Views that can answer as of `at`.
pub struct Past {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// The end of the log when it was opened.
    pub head: Position,
    /// The position asked for.
    pub at: Position,
    /// The views.
    pub views: Views,
    /// Removed at the end.
    _scratch: Option<TempDir>,
}

impl Past {
    /// Opens the log and views that stand at `moment`; at the end of the log if none is given.
    pub async fn open(config: &Config, moment: Option<Moment>) -> Result<Past, Failure> {
        let store = open::reader(config).await?;
        if let Some(moment) = moment {
            settle(store.as_ref(), moment).await?;
        }
        let head = store.head().await.map_err(|error| open::unreadable(&error))?.position;
        let at = match moment {
            Some(moment) => position(store.as_ref(), moment, head).await?,
            None => head,
        };
        if let Some(views) = live(config, store.as_ref(), at).await {
            return Ok(Past { store, head, at, views, _scratch: None });
        }
        let scratch = scratch(config)?;
        let views = fold(&config.views_kept(), &scratch, &store, at).await?;
        Ok(Past { store, head, at, views, _scratch: Some(scratch) })
    }

    /// Closes the views; a scratch database is removed.
    pub async fn close(self) {
        self.views.close().await;
        self.store.close().await;
    }
}

/// Waits until the position of a moment does not change any more, before the end of the log is read.
pub async fn settle(store: &dyn EventStore, moment: Moment) -> Result<(), Failure> {
    moment.settle(store, SystemClock.now()).await.map_err(|error| no_moment(&error))
}

/// The position of a moment.
pub async fn position(store: &dyn EventStore, moment: Moment, head: Position) -> Result<Position, Failure> {
    moment.position(store, head, SystemClock.now()).await.map_err(|error| no_moment(&error))
}

/// A moment that has no position.
pub fn no_moment(error: &MomentError) -> Failure {
    match error {
        MomentError::Malformed(_) => Failure::Usage(error.to_string()),
        MomentError::BeyondHead { .. } | MomentError::Future(_) => Failure::Found(error.to_string()),
        MomentError::Store(error) => open::unreadable(error),
        MomentError::Damaged(_) => Failure::Store(error.to_string()),
    }
}

/// The live views, if they are of this log and stand at `at` or later. Whatever is wrong with them otherwise, the log
/// has it all.
async fn live(config: &Config, store: &dyn EventStore, at: Position) -> Option<Views> {
    let views = Views::open_read_only(&config.views_place().url()).await.ok()?;
    if views.hold(store, at).await.unwrap_or(false) {
        return Some(views);
    }
    views.close().await;
    None
}

/// A directory for a database that is thrown away: on the disk of the data directory, where there is room for it.
pub fn scratch(config: &Config) -> Result<TempDir, Failure> {
    let beside = tempfile::Builder::new().prefix("scratch-").tempdir_in(&config.data);
    beside.or_else(|_| tempfile::tempdir()).map_err(|error| {
        let problem = format!("no place for a scratch database: {error}");
        Failure::Store(Failure::hint(problem, "Check the disk and the permissions of the data directory."))
    })
}

/// Folds the views of a log up to `at` into a fresh database, with a bar on standard error: from the nearest kept copy
/// that can be used, or from nothing. Whatever is wrong with a copy, the log has it all.
pub async fn fold(kept: &Kept, scratch: &TempDir, store: &Arc<dyn EventStore>, at: Position) -> Result<Views, Failure> {
    for copy in kept.before(at) {
        let position = copy.position.number();
        match fold_on(copy, scratch.path(), store, at).await {
            Ok(views) => {
                tracing::info!(position, "past.from_kept_views");
                return Ok(views);
            }
            Err(Passed::Kept(KeptError::Gone)) => tracing::debug!(position, "past.kept_views_gone"),
            Err(error) => tracing::warn!(position, %error, "past.kept_views_unusable: they are passed over"),
        }
    }
    fill(&scratch.path().join("views.db"), store, at).await.map_err(|error| failed(&error))
}

/// Why a kept copy is passed over.
#[derive(Debug, thiserror::Error)]
enum Passed {
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error(transparent)]
    Views(#[from] ViewError),
    #[error("copying it was broken off")]
    BrokenOff(#[from] tokio::task::JoinError),
}

/// Takes a copy into the scratch folder and folds on from there. A copy that is of no use is removed again.
async fn fold_on(copy: kept::Copy, folder: &Path, store: &Arc<dyn EventStore>, at: Position) -> Result<Views, Passed> {
    let folder = folder.join(copy.position.to_string());
    tokio::fs::create_dir_all(&folder).await.map_err(KeptError::from)?;
    let path = folder.join("views.db");
    let to = path.clone();
    let taken = tokio::task::spawn_blocking(move || copy.take(&to)).await?;
    let filled = match taken {
        Ok(()) => fill(&path, store, at).await.map_err(Passed::from),
        Err(error) => Err(error.into()),
    };
    if filled.is_err() {
        // What stays is removed with the whole scratch folder.
        let _stays_for_now = tokio::fs::remove_dir_all(&folder).await;
    }
    filled
}

/// Opens the views in a file, or makes them, and folds them up to `at`: to there exactly, or it is an error.
async fn fill(path: &Path, store: &Arc<dyn EventStore>, at: Position) -> Result<Views, ViewError> {
    // Nobody takes this file up again.
    let views = Views::open_unsynced(&format!("sqlite:{}", path.display()), &[]).await?;
    let made = async {
        watched(&views, store, at).await?;
        exact(&views, at)?;
        views.index().await
    };
    if let Err(error) = made.await {
        views.close().await;
        return Err(error);
    }
    Ok(views)
}

/// Views of a file with a wrong name may stand beyond the moment; views of different versions begin at different places.
fn exact(views: &Views, wanted: Position) -> Result<(), ViewError> {
    let other = views.status().into_iter().find(|view| view.position != wanted);
    other.map_or(Ok(()), |view| Err(ViewError::Late { reached: view.position, wanted }))
}

async fn watched(views: &Views, store: &Arc<dyn EventStore>, at: Position) -> Result<Position, ViewError> {
    let mut bar = Progress::new("events");
    let filling = views.fill(store, at);
    tokio::pin!(filling);
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            done = &mut filling => return done,
            _ = tick.tick() => {
                let done = views.status().iter().map(|view| view.position).min().unwrap_or_default();
                bar.show(done.number(), at.number());
            }
        }
    }
}

/// Views that cannot be folded or read.
pub fn failed(error: &ViewError) -> Failure {
    let next = match error {
        ViewError::Damaged { .. } => "It tells what differs; `flexledger rebuild --accept-differences` mends it.",
        _ => "Run `flexledger verify` to see whether the log is damaged.",
    };
    Failure::Store(Failure::hint(error, next))
}
