//! The runner: follows the log, folds, and writes.
//!
//! 1. Events are taken from memory (the [`Tail`](flexledger_eventstore::Tail)) or, further back, read ahead from the
//!    store; every view folds them.
//! 2. What is folded is written when a reader waits for it, when [`LATEST`] has passed, or when [`Pace::full`] events
//!    are pending. One write at a time; meanwhile folding goes on, up to [`Pace::most`] pending events. So the busier
//!    the log, the larger the batches and the lower the cost of an event.
//! 3. When following, a write that fails is tried again, for as long as it takes; nothing is lost, for the log has it all.
//!    A view whose event or rows do not fit stops, and the others go on.

use std::sync::Arc;
use std::time::Duration;

use flexledger_domain::Position;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::changes::Changes;
use crate::database::{Database, Writer};
use crate::fold::Fold;
use crate::source::Source;
use crate::views::Make;
use crate::write::{Part, WriteError, checkpoints, write};
use crate::{ViewError, ViewStatus, marks};

/// How long an event waits to be written when nobody asks for it. Under load, each write touches the end of every busy
/// account and list, whatever the number of events, so waiting a little makes each event cheaper; a reader that asks is
/// served at once.
const LATEST: Duration = Duration::from_millis(200);

/// Waits between tries after a failure.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often a view that stopped looks whether it was rebuilt.
const LOOK: Duration = Duration::from_secs(1);

/// When to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Pending events that are written without further reason.
    pub full: usize,
    /// Pending events beyond which folding waits for the write.
    pub most: usize,
    /// Whether a write that fails is tried again.
    pub patient: bool,
}

impl Pace {
    /// For following: rows should be fresh.
    pub const FOLLOW: Pace = Pace { full: 8192, most: 16_384, patient: true };
    /// For filling: batches should be large, for many rows change more than once. Somebody waits for the end, and what
    /// is filled can be thrown away: a disk that is full is not waited for.
    pub const FILL: Pace = Pace { full: 49_152, most: 65_536, patient: false };
}

/// What the world tells the runner, and what it tells the world.
#[derive(Clone)]
pub(crate) struct Signals {
    /// The newest position that a reader waits for.
    pub wanted: watch::Sender<Position>,
    /// Set when the runner shall end.
    pub stop: watch::Sender<bool>,
    /// Where the views stand.
    pub status: watch::Sender<Vec<ViewStatus>>,
}

impl Signals {
    /// Nobody waits yet.
    pub fn new(status: Vec<ViewStatus>) -> Self {
        Signals {
            wanted: watch::Sender::new(Position::START),
            stop: watch::Sender::new(false),
            status: watch::Sender::new(status),
        }
    }
}

/// The hand that writes.
pub(crate) struct Pen {
    pub database: Database,
    pub writer: Writer,
    /// Which making of the tables the fold belongs to.
    pub generation: i64,
}

/// The views in work.
pub(crate) struct Runner {
    pub fold: Fold,
    /// The views, to be made anew when their tables were switched.
    pub makes: Vec<Make>,
    /// `None` while a write is under way, or after one broke off.
    pub pen: Option<Box<Pen>>,
}

/// The pen after a write, and what was found.
struct Written {
    pen: Box<Pen>,
    /// The views that do not fit their rows.
    stopped: Vec<(usize, String)>,
    /// Nothing was written, for the tables were switched.
    switched: bool,
    /// Room of the changes, by the places of their views.
    emptied: Vec<(usize, Changes)>,
    /// Why nothing was written, when it is not tried again.
    failed: Option<ViewError>,
}

enum Step {
    Written(Result<Written, tokio::task::JoinError>),
    Events(Result<Option<Vec<flexledger_eventstore::Committed>>, ViewError>),
    Woken,
    Look,
}

impl Runner {
    /// Runs until the source ends, or until told to stop. What is folded is written at the end.
    ///
    /// # Errors
    /// [`ViewError::Log`] when filling, [`ViewError::Record`] always.
    pub async fn run(
        &mut self,
        source: &mut Source,
        pace: Pace,
        until: Position,
        signals: &Signals,
    ) -> Result<(), ViewError> {
        let mut wanted = signals.wanted.subscribe();
        let mut stop = signals.stop.subscribe();
        let mut writing: Option<JoinHandle<Written>> = None;
        let mut latest: Option<Instant> = None;
        let (mut written, mut ended) = (false, false);
        let mut failed = None;
        loop {
            ended |= *stop.borrow_and_update();
            // The first batch is small, so that there is something to write as soon as there is something to fold.
            let full = if written { pace.full } else { pace.full.min(Pace::FOLLOW.full) };
            let waited_for = *wanted.borrow_and_update() > self.fold.handed();
            let due = ended
                || waited_for
                || self.fold.pending() >= full
                || latest.is_some_and(|latest| latest <= Instant::now());
            if writing.is_none() && due && self.fold.is_dirty() {
                writing = self.start_writing(pace.patient);
                (written, latest) = (true, None);
            }
            if ended && writing.is_none() {
                return failed.map_or(Ok(()), Err);
            }
            let step = tokio::select! {
                written = finished(&mut writing) => Step::Written(written),
                events = source.next(self.fold.folded()), if !ended && self.fold.pending() < pace.most => Step::Events(events),
                () = until_latest(latest), if writing.is_none() => Step::Woken,
                _ = wanted.changed(), if writing.is_none() => Step::Woken,
                _ = stop.changed(), if !ended => Step::Woken,
                () = sleep(LOOK), if writing.is_none() && !ended && self.fold.has_stopped() => Step::Look,
            };
            match step {
                Step::Written(written) => {
                    writing = None;
                    self.finish_writing(written, signals).await?;
                }
                Step::Events(Ok(Some(batches))) => {
                    batches.iter().for_each(|batch| self.fold.apply(batch, until));
                    latest.get_or_insert_with(|| Instant::now() + LATEST);
                }
                Step::Events(Ok(None)) => ended = true,
                Step::Events(Err(error)) => {
                    failed = Some(error);
                    ended = true;
                }
                Step::Woken => {}
                Step::Look => self.look().await?,
            }
        }
    }

    /// A view that stopped writes nothing, so it looks by itself whether its tables were switched.
    async fn look(&mut self) -> Result<(), ViewError> {
        let Some(pen) = &mut self.pen else { return Ok(()) };
        // A database that fails is noticed where it is written.
        match marks::generation(&mut pen.writer).await {
            Ok(present) if present != pen.generation => Err(ViewError::Switched),
            _ => Ok(()),
        }
    }

    /// Reads back what the views remember, after their tables were switched.
    pub async fn reopen(&mut self, signals: &Signals) -> Result<(), ViewError> {
        let Some(pen) = &mut self.pen else { return Err(ViewError::Busy) };
        pen.generation = marks::generation(&mut pen.writer).await?;
        self.fold = Fold::open(&mut pen.writer, &self.makes, false).await?;
        signals.status.send_replace(self.fold.status());
        tracing::info!(name: "views.switched", "rebuilt views are in use");
        Ok(())
    }

    fn start_writing(&mut self, patient: bool) -> Option<JoinHandle<Written>> {
        let pen = self.pen.take()?;
        let parts = self.fold.take();
        Some(tokio::spawn(pen.write(parts, patient)))
    }

    /// Takes the pen back. If the writing task itself broke off, the database holds what it held before.
    async fn finish_writing(
        &mut self,
        written: Result<Written, tokio::task::JoinError>,
        signals: &Signals,
    ) -> Result<(), ViewError> {
        match written {
            Ok(Written { pen, stopped, switched, emptied, failed }) => {
                self.pen = Some(pen);
                if let Some(error) = failed {
                    return Err(error);
                }
                self.fold.reuse(emptied);
                if switched {
                    return Err(ViewError::Switched);
                }
                for (view, reason) in stopped {
                    self.fold.stop(view, &reason);
                }
                self.fold.wrote();
                signals.status.send_replace(self.fold.status());
                Ok(())
            }
            Err(error) => {
                self.fold.stop_all("the views could not be written");
                signals.status.send_replace(self.fold.status());
                tracing::error!(name: "views.write_broke_off", %error, "writing the views broke off");
                Err(ViewError::Database(sqlx::Error::WorkerCrashed))
            }
        }
    }
}

/// The end of a write; never, when none is under way.
async fn finished(writing: &mut Option<JoinHandle<Written>>) -> Result<Written, tokio::task::JoinError> {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

async fn until_latest(latest: Option<Instant>) {
    match latest {
        Some(latest) => sleep_until(latest).await,
        None => std::future::pending().await,
    }
}

impl Pen {
    /// Writes until it is done, or until it fails. Parts that do not fit are left out and reported.
    async fn write(mut self: Box<Self>, mut parts: Vec<Arc<Part>>, patient: bool) -> Written {
        let mut stopped = Vec::new();
        let mut wait = FIRST_WAIT;
        loop {
            match write(&mut self.writer, self.generation, &parts).await {
                Ok(()) => {
                    if wait > FIRST_WAIT {
                        tracing::info!(name: "views.writable", "the views can be written again");
                    }
                    return Written { pen: self, stopped, switched: false, emptied: emptied(parts), failed: None };
                }
                Err(WriteError::Switched) => {
                    return Written { pen: self, stopped, switched: true, emptied: Vec::new(), failed: None };
                }
                Err(WriteError::Contradiction { view, reason }) => {
                    parts.retain(|part| part.view != view);
                    stopped.push((view, reason));
                }
                Err(WriteError::Database(error)) if !patient => {
                    return Written { pen: self, stopped, switched: false, emptied: Vec::new(), failed: Some(error) };
                }
                Err(WriteError::Database(error)) => {
                    if wait == FIRST_WAIT {
                        tracing::error!(name: "views.not_writable", %error, "the views cannot be written; trying again");
                    }
                    sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                    self.reconnect(&mut parts).await;
                }
            }
        }
    }

    /// A fresh connection, for the old one may be in the middle of a transaction. What the failed try wrote after all
    /// is not written again.
    async fn reconnect(&mut self, parts: &mut Vec<Arc<Part>>) {
        let fresh = match self.database.writer().await {
            Ok(writer) => writer,
            Err(error) => return tracing::debug!(name: "views.reconnect", %error, "no new connection yet"),
        };
        std::mem::replace(&mut self.writer, fresh).close().await;
        match checkpoints(&mut self.writer).await {
            Ok(stored) => parts.retain(|part| {
                let at = stored.iter().find(|(name, _)| &**name == part.checkpoint.name).map(|(_, at)| *at);
                at.is_none_or(|at| at < part.checkpoint.position)
            }),
            Err(error) => tracing::debug!(name: "views.reconnect", %error, "the checkpoints cannot be read yet"),
        }
    }
}

/// The changes of parts that nobody else has any more, emptied.
fn emptied(parts: Vec<Arc<Part>>) -> Vec<(usize, Changes)> {
    let emptied = |part: Part| {
        let mut changes = part.changes;
        changes.clear();
        (part.view, changes)
    };
    parts.into_iter().filter_map(|part| Arc::try_unwrap(part).ok()).map(emptied).collect()
}

/// Follows the log until told to stop. When the log cannot be read, tries again.
pub(crate) async fn follow(mut runner: Runner, make_source: impl Fn() -> Source, signals: Arc<Signals>) -> Runner {
    let mut wait = FIRST_WAIT;
    loop {
        let before = runner.fold.folded();
        let mut source = make_source();
        match runner.run(&mut source, Pace::FOLLOW, Position::MAX, &signals).await {
            Ok(()) => return runner,
            Err(ViewError::Switched) => {
                while let Err(error) = runner.reopen(&signals).await {
                    tracing::error!(name: "views.not_readable", %error, "the rebuilt views cannot be read; trying again");
                    if *signals.stop.borrow() {
                        return runner;
                    }
                    sleep(FIRST_WAIT).await;
                }
            }
            Err(error @ ViewError::Log(_)) => {
                if runner.fold.folded() > before {
                    wait = FIRST_WAIT;
                }
                tracing::error!(name: "views.log_not_readable", %error, "the log cannot be read; trying again");
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            Err(error) => {
                runner.fold.stop_all(&error.to_string());
                signals.status.send_replace(runner.fold.status());
                return runner;
            }
        }
    }
}
