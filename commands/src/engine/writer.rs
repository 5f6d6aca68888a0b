//! The single writer: takes commands, makes batches, appends them, acknowledges.
//!
//! Budget: one append, and so one disk sync, per batch, however many commands it holds. While batch *n* is on its way,
//! batch *n+1* is decided on the state that *n* leads to. Answers go out only when everything they rest on is durable:
//! an answer without events waits for the batch that was open when it was decided. If an append fails, nobody waiting is
//! acknowledged, and the state is read again from the log before anything new is decided. When another node has the
//! right to lead, the writer steps down and follows (`follow`).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use flexledger_domain::Position;
use flexledger_domain::ids::LedgerId;
use flexledger_eventstore::{AppendError, Committed, EventStore, Head, Lease};
use tokio::sync::{mpsc, oneshot};

use super::core::{Core, Sealed};
use super::job::Job;
use super::keeper::Keeper;
use super::load::{self, LoadError};
use super::role::Role;
use super::snapshot::Snapshots;
use super::{Failure, Shared};

/// Commands taken from the queue in one go, so that a finished append is noticed soon.
const TAKE: usize = 64;
/// Pause between two attempts to get the log back.
const RETRY: Duration = Duration::from_millis(500);

type Append = Pin<Box<dyn Future<Output = Result<(), AppendError>> + Send>>;

/// A message to the writer.
pub enum Message {
    /// A command or question.
    Job(Box<dyn Job>),
    /// Finish what was taken, write a snapshot, tell, end.
    Stop(oneshot::Sender<()>),
}

/// The writer's task.
pub struct Writer {
    pub(super) core: Core,
    pub(super) shared: Arc<Shared>,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) queue: mpsc::Receiver<Message>,
    snapshots: Option<Snapshots>,
    pub(super) durable: Position,
    pub(super) stopping: Option<oneshot::Sender<()>>,
    /// There while this node leads.
    pub(super) keeper: Option<Keeper>,
}

/// Why the writer left its loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Stopped,
    /// The log must be read again.
    Lost,
    /// Another writer was there: the log must be read again, and followed.
    Deposed,
    /// This node leads now.
    Leads,
}

impl Writer {
    /// A writer for a core whose log is durable up to its head.
    pub fn new(core: Core, shared: Arc<Shared>, queue: mpsc::Receiver<Message>, snapshots: Option<Snapshots>) -> Self {
        let (store, durable) = (shared.store.clone(), core.head().position);
        Writer { core, shared, store, queue, snapshots, durable, stopping: None, keeper: None }
    }

    /// Asks for the right to lead, once; leads or follows from here on.
    ///
    /// # Errors
    /// When the right is had but the log cannot be written.
    pub async fn begin(&mut self) -> Result<(), LoadError> {
        let head = self.core.head();
        self.shared.set_head(head, self.core.last(), self.core.ledger().system.epoch);
        self.shared.tail.skip_to(head.position);
        let asked = std::time::Instant::now();
        match self.store.lead(&self.shared.candidate).await? {
            Lease::Theirs { leader } => {
                tracing::info!(leader = leader.node, "engine.follows");
                self.shared.roles.set(Role::Following(Some(leader)));
                Ok(())
            }
            lease => self.take_over(asked, &lease).await,
        }
    }

    /// Runs until it is stopped.
    pub async fn run(mut self) {
        loop {
            let end = if self.keeper.is_some() { self.write().await } else { self.follow().await };
            match end {
                End::Stopped => break,
                End::Leads => {}
                End::Deposed => {
                    tracing::warn!(
                        "engine.stepped_down: another node has the right to lead, or this one may not write"
                    );
                    self.step_down();
                    if !self.recover().await {
                        break;
                    }
                }
                End::Lost => {
                    if !self.recover().await {
                        break;
                    }
                }
            }
        }
        let led = self.keeper.take().is_some();
        if led && let Err(error) = self.store.resign().await {
            tracing::warn!(%error, "engine.not_resigned: the next leader waits until the lease is over");
        }
        let Some(stopped) = self.stopping.take() else { return };
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.save_now(&mut self.core).await;
        }
        // Who waits for the end may want to open the log again.
        drop(self);
        let _gone = stopped.send(());
    }

    fn step_down(&mut self) {
        self.keeper = None;
        self.shared.roles.set(Role::Following(None));
    }

    async fn write(&mut self) -> End {
        let mut taken = Vec::with_capacity(TAKE);
        let mut flight: Option<(Append, Sealed)> = None;
        loop {
            // Before anything is closed: what was decided on a state that cannot be trusted is never appended.
            if self.core.is_broken() {
                return self.lose_open(flight.take().map(|(_, sealed)| sealed));
            }
            if flight.is_none() && !self.core.open().is_empty() {
                let mut sealed = self.core.seal_batch(self.durable);
                flight = Some((self.append(&mut sealed), sealed));
            }
            if flight.is_none() && self.stopping.is_some() && self.queue.is_empty() {
                return End::Stopped;
            }
            let room = !self.core.open().is_full();
            tokio::select! {
                biased;
                result = landed(&mut flight) => {
                    let Some((_, sealed)) = flight.take() else { continue };
                    if let Err(error) = result {
                        return self.lose(sealed, &error);
                    }
                    self.acknowledge(sealed).await;
                }
                () = lost(&mut self.keeper) => {
                    self.lose_open(flight.take().map(|(_, sealed)| sealed));
                    return End::Deposed;
                }
                count = self.queue.recv_many(&mut taken, TAKE), if room => {
                    if count == 0 {
                        self.stopping.get_or_insert_with(|| oneshot::channel().0);
                    }
                    taken.drain(..).for_each(|message| self.accept(message));
                }
            }
        }
    }

    fn accept(&mut self, message: Message) {
        match message {
            Message::Job(job) => self.core.take(job),
            Message::Stop(stopped) => {
                self.queue.close();
                self.stopping = Some(stopped);
            }
        }
    }

    /// Begins the append. A batch of answers only needs none, unless another node may lead by now: then they may rest
    /// on an old state, and an empty append tells.
    fn append(&self, sealed: &mut Sealed) -> Append {
        let batch = std::mem::take(&mut sealed.batch);
        if batch.records.is_empty() && self.shared.roles.is_sure() {
            return Box::pin(std::future::ready(Ok(())));
        }
        let (store, expected) = (self.store.clone(), sealed.expected);
        Box::pin(async move { store.append(expected, batch).await })
    }

    /// The batch is durable: followers first, so that a caller who has its answer can read what it wrote.
    pub(super) async fn acknowledge(&mut self, sealed: Sealed) {
        self.shared.leaves.publish(self.durable, &sealed.leaves);
        self.publish(sealed.events, sealed.head).await;
        sealed.waiting.into_iter().for_each(|job| job.finish());
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.advance(&mut self.core, self.durable).await;
        }
    }

    /// Shows durable events, up to the head they lead to, to everybody else.
    pub(super) async fn publish(&mut self, events: Committed, head: Head) {
        self.durable = head.position;
        let Some(last) = events.last() else { return };
        for recorded in events.iter() {
            self.shared.directory.apply(recorded);
        }
        self.shared.set_head(head, last.recorded_at, self.core.ledger().system.epoch);
        self.shared.tail.publish(events);
    }

    fn lose(&mut self, sealed: Sealed, error: &AppendError) -> End {
        tracing::error!(%error, source = ?std::error::Error::source(error), "engine.append_failed");
        self.shared.set_writable(false);
        sealed.waiting.into_iter().for_each(|job| job.fail(Failure::Unavailable));
        self.lose_open(None);
        if matches!(error, AppendError::Conflict(_)) { End::Deposed } else { End::Lost }
    }

    fn lose_open(&mut self, flight: Option<Sealed>) -> End {
        self.shared.set_writable(false);
        let open = self.core.seal_batch(self.durable);
        let waiting = flight.into_iter().flat_map(|sealed| sealed.waiting).chain(open.waiting);
        waiting.for_each(|job| job.fail(Failure::Unavailable));
        End::Lost
    }

    /// Reads the state again until that works and the log can be written; refuses commands meanwhile.
    /// False when it was stopped instead.
    async fn recover(&mut self) -> bool {
        loop {
            if self.stopping.is_some() {
                return false;
            }
            match self.reload().await {
                Ok(()) => break,
                Err(error) => tracing::warn!(%error, "engine.log_not_writable"),
            }
            let pause = tokio::time::sleep(RETRY);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    message = self.queue.recv() => match message {
                        Some(Message::Job(job)) => job.fail(Failure::Unavailable),
                        Some(Message::Stop(stopped)) => { self.stopping = Some(stopped); break; }
                        None => return false,
                    }
                }
            }
        }
        tracing::info!(position = self.durable.number(), "engine.state_read_again");
        self.shared.set_writable(true);
        true
    }

    async fn reload(&mut self) -> Result<(), LoadError> {
        if self.keeper.is_some() {
            let head = self.store.head().await?;
            match self.store.append(head.position, flexledger_eventstore::Batch::default()).await {
                Ok(()) => {}
                // It follows from here on.
                Err(AppendError::Conflict(_)) => self.step_down(),
                Err(error) => return Err(error.into()),
            }
        }
        let loaded = load::load(&self.shared, self.snapshots.as_mut()).await?;
        self.durable = loaded.beginning.head.position;
        let (clock, vault, policy) = (self.shared.clock.clone(), self.shared.vault.clone(), self.shared.policy.clone());
        vault.reload().await?;
        self.shared.set_head(loaded.beginning.head, loaded.beginning.last, loaded.beginning.ledger.system.epoch);
        // What was told about the past stays true.
        let earliest = self.core.earliest();
        self.core = Core::new(loaded.beginning, clock, vault, policy);
        self.core.record_from(earliest);
        self.shared.tail.skip_to(self.durable);
        Ok(())
    }
}

/// Waits for the batch in flight; for ever when there is none.
async fn landed(flight: &mut Option<(Append, Sealed)>) -> Result<(), AppendError> {
    match flight {
        Some((append, _)) => append.await,
        None => std::future::pending().await,
    }
}

/// Waits until another node has the right to lead.
async fn lost(keeper: &mut Option<Keeper>) {
    match keeper {
        Some(keeper) => keeper.lost().await,
        None => std::future::pending().await,
    }
}

/// The events that open a log, or a new term on it.
pub(super) fn opening(core: &Core, node: &str, fresh: LedgerId) -> Vec<flexledger_domain::Event> {
    use flexledger_domain::ids::Epoch;
    use flexledger_domain::system::{EpochOpened, Opened, SystemEvent};
    let system = &core.ledger().system;
    let ledger = system.ledger.unwrap_or(fresh);
    let epoch = EpochOpened { epoch: Epoch(system.epoch.0 + 1), node: node.to_owned() };
    let mut events = Vec::with_capacity(2);
    if system.ledger.is_none() {
        events.push(SystemEvent::Opened(ledger, Opened { format: 1 }).into());
    }
    events.push(SystemEvent::EpochOpened(ledger, epoch).into());
    events
}
