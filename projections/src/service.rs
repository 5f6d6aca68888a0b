//! The views of one ledger, open for reading and for being brought up to date.

use std::sync::Arc;
use std::time::Duration;

use flexledger_domain::Position;
use flexledger_eventstore::{Committed, EventStore, Tail};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::database::Database;
use crate::fold::Fold;
use crate::runner::{Pace, Pen, Runner, Signals, follow};
use crate::source::{Source, decode};
use crate::value::Value;
use crate::views::{Make, all};
use crate::write::stored_checkpoint;
use crate::{ViewError, ViewStatus, marks};

/// How long a reader waits for the views if it does not say (`operations.md` 6).
const PATIENCE: Duration = Duration::from_secs(2);

/// The views of one ledger. Cloning is cheap; all clones are the same views.
#[derive(Clone)]
pub struct Views {
    pub(crate) database: Database,
    signals: Arc<Signals>,
    work: Arc<Mutex<Work>>,
}

/// Who has the runner.
enum Work {
    Idle(Box<Runner>),
    Following(JoinHandle<Runner>),
    /// Something could not be written; what is left to do is closing.
    Broken(Box<Runner>),
    /// The runner was lost, or the views were stopped.
    Over,
}

impl Views {
    /// Opens the views named in `which` (all if empty) at `url`, for example `sqlite:/data/views.db`, and makes their
    /// tables where they are missing. Tables of an older version are emptied; they are filled again from the log.
    ///
    /// # Errors
    /// [`ViewError::Url`], [`ViewError::Unknown`], [`ViewError::Database`], or [`ViewError::Stopped`] when rows that a
    /// view reads back are damaged.
    pub async fn open(url: &str, which: &[&str]) -> Result<Views, ViewError> {
        Views::open_in(Database::prepare(url)?, which, false).await
    }

    /// As [`Views::open`], for many events at once: [`Views::index`] is to be called when they are filled.
    ///
    /// # Errors
    /// As [`Views::open`].
    pub async fn open_bare(url: &str, which: &[&str]) -> Result<Views, ViewError> {
        Views::open_in(Database::prepare(url)?, which, true).await
    }

    /// As [`Views::open_bare`], for views that are thrown away when the machine goes down: no write waits for the disk,
    /// so an SQLite file may be torn then. A program that is killed tears nothing.
    ///
    /// # Errors
    /// As [`Views::open`].
    pub async fn open_unsynced(url: &str, which: &[&str]) -> Result<Views, ViewError> {
        Views::open_in(Database::prepare(url)?.unsynced(), which, true).await
    }

    async fn open_in(database: Database, which: &[&str], bare: bool) -> Result<Views, ViewError> {
        let chosen = choose(which)?;
        let (database, mut writer) = database.open().await?;
        marks::make(&mut writer).await?;
        // Before the rows are read: tables that are switched afterwards are noticed.
        let generation = marks::generation(&mut writer).await?;
        let fold = Fold::open(&mut writer, &chosen, bare).await?;
        let signals = Signals::new(fold.status());
        let pen = Box::new(Pen { database: database.clone(), writer, generation });
        let work = Work::Idle(Box::new(Runner { fold, makes: chosen, pen: Some(pen) }));
        Ok(Views { database, signals: Arc::new(signals), work: Arc::new(Mutex::new(work)) })
    }

    /// Opens the views at `url` for reading only, beside the program that keeps them: nothing is made or changed. They
    /// stand where they stood when this was called, for [`Views::status`]; queries see the rows of the moment.
    ///
    /// # Errors
    /// [`ViewError::Url`], [`ViewError::Database`].
    pub async fn open_read_only(url: &str) -> Result<Views, ViewError> {
        let database = Database::prepare(url)?;
        let rows = database.rows("SELECT name, position FROM view_checkpoints", &[]).await?;
        let stored = rows.iter().map(stored_checkpoint).collect::<Result<Vec<_>, _>>()?;
        let known = all().iter().filter_map(|(known, _)| {
            let (_, position) = stored.iter().find(|(name, _)| name.as_ref() == *known)?;
            Some(ViewStatus { name: known, position: *position, stopped: None })
        });
        Ok(Views::over(database, known.collect()))
    }

    /// Views that nobody fills here.
    pub(crate) fn over(database: Database, status: Vec<ViewStatus>) -> Views {
        let signals = Arc::new(Signals::new(status));
        Views { database, signals, work: Arc::new(Mutex::new(Work::Over)) }
    }

    /// Whether the views were made from this log, as far as it goes. For who is about to write to it.
    ///
    /// # Errors
    /// [`ViewError::OtherLog`] when they were not, [`ViewError::Log`] when it cannot be read.
    pub async fn check(&self, store: &dyn EventStore) -> Result<(), ViewError> {
        match &*self.work.lock().await {
            Work::Idle(runner) => check_log(&runner.fold, store).await,
            _ => Err(ViewError::Busy),
        }
    }

    /// Follows the log from now on, in the background, beginning with what is missing.
    ///
    /// # Errors
    /// [`ViewError::OtherLog`] when the views were not made from this log, [`ViewError::Log`] when it cannot be read.
    pub async fn follow(&self, store: Arc<dyn EventStore>, tail: Arc<Tail>) -> Result<(), ViewError> {
        let mut work = self.work.lock().await;
        let runner = work.take()?;
        if let Err(error) = check_log(&runner.fold, store.as_ref()).await {
            *work = Work::Idle(runner);
            return Err(error);
        }
        let source = move || Source::following(store.clone(), tail.clone());
        *work = Work::Following(tokio::spawn(follow(*runner, source, self.signals.clone())));
        Ok(())
    }

    /// Brings the views up to `until` (or the head of the log if that comes first) and returns the position reached.
    /// For rebuilds and for views as of a position; not while [`Views::follow`] runs. [`Views::stop`] breaks it off;
    /// it can be taken up again, even by another process.
    ///
    /// # Errors
    /// As [`Views::follow`], and [`ViewError::Stopped`] for the first view that stopped.
    pub async fn fill(&self, store: &Arc<dyn EventStore>, until: Position) -> Result<Position, ViewError> {
        let mut work = self.work.lock().await;
        let mut runner = work.take()?;
        let filled = self.fill_with(&mut runner, store, until, None).await;
        *work = Work::after(runner, &filled);
        filled
    }

    /// Makes the indexes that [`Views::open_bare`] left out, where they are missing.
    ///
    /// # Errors
    /// [`ViewError::Busy`] while the views are filled or followed, or the database's.
    pub async fn index(&self) -> Result<(), ViewError> {
        let mut work = self.work.lock().await;
        let Work::Idle(runner) = &mut *work else { return Err(ViewError::Busy) };
        let Runner { fold, pen: Some(pen), .. } = &mut **runner else { return Err(ViewError::Busy) };
        fold.index(&mut pen.writer).await
    }

    /// As [`Views::fill`], each view up to a position of its own; one that is not named is not filled. A listener is sent
    /// every event that is read for it, in order, and is waited for.
    ///
    /// # Errors
    /// As [`Views::fill`].
    pub async fn fill_each(
        &self,
        store: &Arc<dyn EventStore>,
        limits: &[(&str, Position)],
        listener: Option<mpsc::Sender<Committed>>,
    ) -> Result<(), ViewError> {
        let mut work = self.work.lock().await;
        let mut runner = work.take()?;
        let limit = |name: &str| limits.iter().find(|(known, _)| *known == name).map_or(Position::START, |(_, at)| *at);
        runner.fold.limit(limit);
        let most = limits.iter().map(|(_, at)| *at).max().unwrap_or(Position::START);
        let filled = self.fill_with(&mut runner, store, most, listener).await;
        runner.fold.limit(|_| Position::MAX);
        *work = Work::after(runner, &filled);
        filled.map(|_| ())
    }

    async fn fill_with(
        &self,
        runner: &mut Runner,
        store: &Arc<dyn EventStore>,
        until: Position,
        listener: Option<mpsc::Sender<Committed>>,
    ) -> Result<Position, ViewError> {
        check_log(&runner.fold, store.as_ref()).await?;
        let until = until.min(store.head().await?.position);
        let mut source = Source::bounded(store.clone(), until, listener);
        runner.run(&mut source, Pace::FILL, until, &self.signals).await?;
        self.signals.status.send_replace(runner.fold.status());
        match self.status().into_iter().find_map(|view| view.stopped.map(|reason| (view.name, reason))) {
            Some((name, reason)) => Err(ViewError::Stopped { name, reason }),
            None => Ok(runner.fold.handed()),
        }
    }

    /// Waits until every view has reached `position`, at most `timeout` (2 s by default). Wakes the runner at once.
    /// Views that stopped are not waited for: queries on them are refused.
    ///
    /// # Errors
    /// [`ViewError::Late`] when the time is up.
    pub async fn caught_up(&self, position: Position, timeout: Option<Duration>) -> Result<(), ViewError> {
        if reached(&self.signals.status.borrow()) >= position {
            return Ok(());
        }
        let mut status = self.signals.status.subscribe();
        self.signals.wanted.send_if_modified(|wanted| {
            let later = position > *wanted;
            if later {
                *wanted = position;
            }
            later
        });
        let waiting = status.wait_for(|status| reached(status) >= position);
        match tokio::time::timeout(timeout.unwrap_or(PATIENCE), waiting).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(ViewError::Late { reached: reached(&self.signals.status.borrow()), wanted: position }),
        }
    }

    /// Where each view stands.
    #[must_use]
    pub fn status(&self) -> Vec<ViewStatus> {
        self.signals.status.borrow().clone()
    }

    /// Another program has brought all views to here at least.
    pub(crate) fn have_reached(&self, at: Position) {
        let advance = |status: &mut Vec<ViewStatus>| {
            status.iter_mut().for_each(|view| view.position = view.position.max(at));
        };
        self.signals.status.send_modify(advance);
    }

    /// Writes what is folded and ends the background work. Reading still works; following again does not.
    pub async fn stop(&self) {
        self.signals.stop.send_replace(true);
        let work = std::mem::replace(&mut *self.work.lock().await, Work::Over);
        let runner = match work {
            Work::Idle(runner) | Work::Broken(runner) => Some(*runner),
            Work::Following(task) => task.await.ok(),
            Work::Over => None,
        };
        if let Some(pen) = runner.and_then(|runner| runner.pen) {
            pen.writer.close().await;
        }
    }

    /// [`Views::stop`], and no more reading: all files of the database are whole and closed afterwards.
    pub async fn close(&self) {
        self.database.close().await;
        self.stop().await;
    }

    /// Refuses a query on views that stopped: their rows are not what the log says.
    pub(crate) fn usable(&self, names: &[&str]) -> Result<(), ViewError> {
        let status = self.signals.status.borrow();
        for name in names {
            let Some(view) = status.iter().find(|view| view.name == *name) else {
                return Err(ViewError::Unknown((*name).to_owned()));
            };
            if let Some(reason) = &view.stopped {
                return Err(ViewError::Stopped { name: view.name, reason: reason.clone() });
            }
        }
        Ok(())
    }
}

impl Work {
    /// What was folded but not written is lost: such views are to be opened again.
    fn after(runner: Box<Runner>, filled: &Result<Position, ViewError>) -> Work {
        match filled {
            Err(ViewError::Database(_) | ViewError::Sqlite(_)) => Work::Broken(runner),
            _ => Work::Idle(runner),
        }
    }

    fn take(&mut self) -> Result<Box<Runner>, ViewError> {
        match std::mem::replace(self, Work::Over) {
            Work::Idle(runner) => Ok(runner),
            busy => {
                *self = busy;
                Err(ViewError::Busy)
            }
        }
    }
}

/// Up to where every view that goes on was written.
fn reached(status: &[ViewStatus]) -> Position {
    let active = status.iter().filter(|view| view.stopped.is_none());
    active.map(|view| view.position).min().unwrap_or(Position::MAX)
}

fn choose(which: &[&str]) -> Result<Vec<Make>, ViewError> {
    if which.is_empty() {
        return Ok(all().iter().map(|(_, make)| *make).collect());
    }
    let find = |name: &&str| {
        let found = all().iter().find(|(known, _)| known == name);
        found.map(|(_, make)| *make).ok_or_else(|| ViewError::Unknown((*name).to_owned()))
    };
    which.iter().map(find).collect()
}

/// Whether the checkpoints stand on events of this very log.
async fn check_log(fold: &Fold, store: &dyn EventStore) -> Result<(), ViewError> {
    let head = store.head().await?.position;
    let mut seen: Vec<(Position, Value)> = Vec::new();
    for (name, checkpoint, event) in fold.checkpoints().filter(|(_, at, _)| *at > Position::START) {
        let other = |detail: &str| ViewError::OtherLog { name, checkpoint, detail: detail.to_owned() };
        if checkpoint > head {
            return Err(other(&format!("the log ends at {head}")));
        }
        if !seen.iter().any(|(at, _)| *at == checkpoint) {
            let stored = store.read(checkpoint.previous(), 1).await?;
            let there = stored.first().ok_or_else(|| other("there is no event"))?;
            seen.push((checkpoint, decode(there.into())?.id.uuid().into()));
        }
        if !seen.iter().any(|(at, there)| *at == checkpoint && there == event) {
            return Err(other("another event stands there"));
        }
    }
    Ok(())
}
