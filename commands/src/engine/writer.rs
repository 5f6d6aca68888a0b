//! The single writer: takes commands, makes batches, appends them, acknowledges.
//!
//! Budget: one append, and so one disk sync, per batch, however many commands it holds. While batch *n* is on its way,
//! batch *n+1* is decided on the state that *n* leads to. Answers go out only when everything they rest on is durable:
//! an answer without events waits for the batch that was open when it was decided. If an append fails, nobody waiting is
//! acknowledged, and the state is read again from the log before anything new is decided.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use flexledger_domain::Position;
use flexledger_domain::ids::LedgerId;
use flexledger_eventstore::{AppendError, EventStore};
use tokio::sync::{mpsc, oneshot};

use super::core::{Core, Sealed};
use super::job::Job;
use super::load::{self, LoadError};
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
    core: Core,
    shared: Arc<Shared>,
    store: Arc<dyn EventStore>,
    queue: mpsc::Receiver<Message>,
    snapshots: Option<Snapshots>,
    durable: Position,
    stopping: Option<oneshot::Sender<()>>,
}

/// Why the writer left its loop.
enum End {
    Stopped,
    /// The log must be read again.
    Lost,
    /// Another writer took over.
    Deposed,
}

impl Writer {
    /// A writer for a core whose log is durable up to its head.
    pub fn new(core: Core, shared: Arc<Shared>, queue: mpsc::Receiver<Message>, snapshots: Option<Snapshots>) -> Self {
        let (store, durable) = (shared.store.clone(), core.head().position);
        Writer { core, shared, store, queue, snapshots, durable, stopping: None }
    }

    /// Runs until it is stopped or deposed.
    pub async fn run(mut self) {
        loop {
            match self.write().await {
                End::Stopped => break,
                End::Deposed => {
                    tracing::error!("engine.deposed: another writer has taken over this log");
                    self.shared.set_deposed();
                    self.refuse_all().await;
                    break;
                }
                End::Lost => {
                    if !self.recover().await {
                        break;
                    }
                }
            }
        }
        if let Some(stopped) = self.stopping.take() {
            if let Some(snapshots) = &mut self.snapshots {
                snapshots.save_now(&mut self.core, &self.shared.directory).await;
            }
            // Let go of the log first: whoever waits may want to open it.
            drop(self);
            let _gone = stopped.send(());
        }
    }

    async fn write(&mut self) -> End {
        let mut taken = Vec::with_capacity(TAKE);
        let mut flight: Option<(Append, Sealed)> = None;
        loop {
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
                count = self.queue.recv_many(&mut taken, TAKE), if room => {
                    if count == 0 {
                        self.stopping.get_or_insert_with(|| oneshot::channel().0);
                    }
                    taken.drain(..).for_each(|message| self.accept(message));
                    if self.core.is_broken() {
                        return self.lose_open(flight.take().map(|(_, sealed)| sealed));
                    }
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

    /// Begins the append; a batch of answers only needs none.
    fn append(&self, sealed: &mut Sealed) -> Append {
        let batch = std::mem::take(&mut sealed.batch);
        if batch.records.is_empty() {
            return Box::pin(std::future::ready(Ok(())));
        }
        let (store, expected) = (self.store.clone(), sealed.expected);
        Box::pin(async move { store.append(expected, batch).await })
    }

    /// The batch is durable: followers first, so that a caller who has its answer can read what it wrote.
    async fn acknowledge(&mut self, sealed: Sealed) {
        self.durable = sealed.head.position;
        if let Some(last) = sealed.events.last() {
            for recorded in sealed.events.iter() {
                self.shared.directory.apply(recorded);
            }
            self.shared.set_head(sealed.head, last.recorded_at, self.core.ledger().system.epoch);
            self.shared.tail.publish(sealed.events.clone());
        }
        sealed.waiting.into_iter().for_each(|job| job.finish());
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.advance(&mut self.core, self.durable, &self.shared.directory).await;
        }
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
        tracing::info!(position = self.durable.number(), "engine.log_writable_again");
        self.shared.set_writable(true);
        true
    }

    async fn reload(&mut self) -> Result<(), LoadError> {
        let head = self.store.head().await?;
        self.store.append(head.position, flexledger_eventstore::Batch::default()).await?;
        let loaded = load::load(&self.shared, self.snapshots.as_mut()).await?;
        self.durable = loaded.beginning.head.position;
        let (clock, vault, policy) = (self.shared.clock.clone(), self.shared.vault.clone(), self.shared.policy.clone());
        vault.reload().await?;
        self.shared.set_head(loaded.beginning.head, loaded.beginning.last, loaded.beginning.ledger.system.epoch);
        self.core = Core::new(loaded.beginning, clock, vault, policy);
        self.shared.tail.skip_to(self.durable);
        Ok(())
    }

    async fn refuse_all(&mut self) {
        while let Some(message) = self.queue.recv().await {
            match message {
                Message::Job(job) => job.fail(Failure::Unavailable),
                Message::Stop(stopped) => {
                    let _gone = stopped.send(());
                    return;
                }
            }
        }
    }
}

/// Waits for the batch in flight; for ever when there is none.
async fn landed(flight: &mut Option<(Append, Sealed)>) -> Result<(), AppendError> {
    match flight {
        Some((append, _)) => append.await,
        None => std::future::pending().await,
    }
}

/// The events that open a log, or a new term on it.
pub fn opening(core: &Core, node: &str, fresh: LedgerId) -> Vec<flexledger_domain::Event> {
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
