//! The engine: one writer that turns commands into durable events, and what others may see of it.

mod core;
mod follow;
mod idempotency;
mod job;
mod keeper;
mod load;
mod role;
mod snapshot;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use flexledger_domain::ids::Epoch;
use flexledger_domain::{Command, Instant, Ledger, Policy, Position, Recorded, Refusal, Span};
use flexledger_eventstore::{Candidate, EventStore, Head, Leaves, Tail, record};
use tokio::sync::{mpsc, oneshot};

use self::core::Core;
use self::job::{Close, Pending, Question, Reply};
pub use self::load::LoadError;
pub use self::role::Role;
use self::role::Roles;
pub use self::snapshot::SnapshotError;
use self::snapshot::Snapshots;
use self::writer::{Message, Writer};
use crate::clock::{Clock, SystemClock};
use crate::directory::Directory;
use crate::vault::Vault;

/// A read on a follower waits at most so long for what was acknowledged before it.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(2);

/// How the engine is set up.
#[derive(Clone)]
pub struct Options {
    /// Commands waiting at most (`engine.queue`).
    pub queue: usize,
    /// Events between two snapshots (`engine.snapshot_every`).
    pub snapshot_every: u64,
    /// Folder of the snapshots; `None` for none.
    pub snapshots: Option<PathBuf>,
    /// Whether the log ends in the past: the state begins at the nearest snapshot before its end, none is written, and
    /// no idempotency keys are known, for nothing can be carried out.
    pub past: bool,
    /// How long an idempotency key is remembered (`idempotency.window`).
    pub idempotency_window: Span,
    /// What decisions follow.
    pub policy: Policy,
    /// Events kept in memory for followers.
    pub tail_events: usize,
    /// The name of this node in the log.
    pub node: String,
    /// Where other nodes on the same log reach this one; None when they cannot.
    pub address: Option<String>,
    /// While following: the pause between two looks at the log, when nothing tells earlier that it has grown.
    pub look_every: std::time::Duration,
    /// Where the present comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            queue: 65_536,
            snapshot_every: 100_000,
            snapshots: None,
            past: false,
            idempotency_window: Span::from_seconds(86_400),
            policy: Policy::default(),
            tail_events: 32_768,
            node: "flexledger".to_owned(),
            address: None,
            look_every: std::time::Duration::from_millis(100),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Why the engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be read, or is damaged.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The folder of snapshots cannot be used.
    #[error(transparent)]
    Snapshots(#[from] SnapshotError),
}

/// Why a command has no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It is refused: the caller's to mend.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many commands wait. Nothing was done; try again soon.
    #[error("too many commands are waiting")]
    Busy,
    /// The log cannot be written or read now. Whether the command took effect is known only after a repeat under the
    /// same idempotency key.
    #[error("the ledger cannot be written now")]
    Unavailable,
}

/// A command that was carried out; everything in it is durable.
#[derive(Debug)]
pub struct Done<T> {
    /// Its outcome.
    pub answer: Answer<T>,
    /// The instant of its events.
    pub recorded_at: Instant,
    /// The position of its last event, or of the head it was decided on.
    pub position: Position,
}

/// The outcome of a command.
#[derive(Debug)]
pub enum Answer<T> {
    /// It was carried out now.
    Fresh(T),
    /// It was carried out before, under the same idempotency key: the events of that time.
    Replayed(Vec<Recorded>),
}

/// What an operator sees of the writer.
#[derive(Debug, Clone, Copy)]
pub struct Status {
    /// Whether commands can be taken: here, or by the leader that this node follows.
    pub writable: bool,
    /// Whether this node leads.
    pub leads: bool,
    /// The writer's term.
    pub epoch: Epoch,
    /// Commands waiting.
    pub queue: usize,
    /// The durable end of the log.
    pub head: Head,
    /// The instant of its newest event.
    pub recorded_at: Instant,
}

/// What the writer shares with everybody else.
struct Shared {
    store: Arc<dyn EventStore>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    window: Span,
    directory: Directory,
    tail: Arc<Tail>,
    leaves: Leaves,
    end: RwLock<(Head, Instant, Epoch)>,
    writable: AtomicBool,
    roles: Roles,
    candidate: Candidate,
    look: std::time::Duration,
}

impl Shared {
    fn set_head(&self, head: Head, at: Instant, epoch: Epoch) {
        *self.end.write().unwrap_or_else(PoisonError::into_inner) = (head, at, epoch);
    }

    fn set_writable(&self, writable: bool) {
        self.writable.store(writable, Ordering::SeqCst);
    }
}

/// A handle to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Message>,
}

impl Engine {
    /// Loads the state and starts the writer: it opens a new epoch in the log and leads, or follows the node that does.
    ///
    /// # Errors
    /// [`StartError`] when the log cannot be read, is damaged, or cannot be written.
    pub async fn start(store: Arc<dyn EventStore>, vault: Arc<Vault>, options: Options) -> Result<Engine, StartError> {
        let mut snapshots = match options.snapshots {
            Some(folder) if options.past => Some(Snapshots::of_the_past(folder)),
            Some(folder) => Some(Snapshots::new(folder, options.snapshot_every, options.idempotency_window)?),
            None => None,
        };
        let shared = Arc::new(Shared {
            store: store.clone(),
            vault: vault.clone(),
            clock: options.clock.clone(),
            policy: options.policy.clone(),
            window: options.idempotency_window,
            directory: Directory::default(),
            tail: Arc::new(Tail::new(options.tail_events, Position::START)),
            leaves: Leaves::default(),
            end: RwLock::new((Head::default(), Instant::MIN, Epoch::default())),
            writable: AtomicBool::new(true),
            roles: Roles::new(),
            candidate: Candidate { node: options.node, address: options.address },
            look: options.look_every,
        });
        let loaded = load::load(&shared, snapshots.as_mut()).await?;
        tracing::info!(position = loaded.beginning.head.position.number(), read = loaded.read, "engine.loaded");
        let core = Core::new(loaded.beginning, options.clock, vault, options.policy);
        let (queue, commands) = mpsc::channel(options.queue.max(1));
        let mut writer = Writer::new(core, shared.clone(), commands, snapshots);
        writer.begin().await?;
        tokio::spawn(writer.run());
        Ok(Engine { shared, queue })
    }

    /// Hands a command to the writer and waits until its outcome is durable.
    ///
    /// # Errors
    /// [`Failure`]: refused, too many waiting, or the log cannot be written.
    pub async fn submit<C: Command>(&self, command: C) -> Result<Done<C::Outcome>, Failure> {
        let (job, answer) = Pending::new(command);
        self.enqueue(Message::Job(Box::new(job)))?;
        match answer.await.map_err(|_| Failure::Unavailable)?? {
            Reply::Fresh { outcome, recorded_at, position } => {
                Ok(Done { answer: Answer::Fresh(outcome), recorded_at, position })
            }
            Reply::Repeated(position) => self.repeated(position).await,
        }
    }

    /// Asks a question about the state as it is between two commands. The answer rests on durable events only.
    ///
    /// # Errors
    /// [`Failure::Busy`] or [`Failure::Unavailable`].
    pub async fn inspect<T, F>(&self, ask: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Ledger) -> T + Send + 'static,
    {
        let (job, answer) = Question::new(ask);
        self.enqueue(Message::Job(Box::new(job)))?;
        answer.await.map_err(|_| Failure::Unavailable)
    }

    /// Waits until the log holds everything that is recorded at or before an instant: what was decided before is durable
    /// then, and what is decided later is recorded later, whatever the clock says. So the position that the instant means
    /// never changes again, unless the clock of this machine, or of the node that leads next, is behind it when the term
    /// of this writer has ended.
    ///
    /// Returns at once where a later event is durable. Otherwise it stands in the queue like a question: it costs no disk
    /// sync and holds nothing up.
    ///
    /// # Errors
    /// [`Failure::Busy`], or [`Failure::Unavailable`]: the log cannot be written, this node does not lead, or the instant
    /// lies in the future.
    pub async fn close_past(&self, instant: Instant) -> Result<(), Failure> {
        let newest = self.status().recorded_at;
        if instant < newest {
            return Ok(());
        }
        if instant > newest && instant > self.shared.clock.now() {
            return Err(Failure::Unavailable);
        }
        let (job, closed) = Close::new(instant);
        self.enqueue(Message::Job(Box::new(job)))?;
        closed.await.map_err(|_| Failure::Unavailable)?
    }

    fn enqueue(&self, message: Message) -> Result<(), Failure> {
        self.queue.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Busy,
            mpsc::error::TrySendError::Closed(_) => Failure::Unavailable,
        })
    }

    async fn repeated<T>(&self, position: Position) -> Result<Done<T>, Failure> {
        let events = self.command_at(position).await?;
        let first = events.first().ok_or(Failure::Unavailable)?;
        let (recorded_at, last) = (first.recorded_at, events.last().map_or(position, |event| event.position));
        Ok(Done { recorded_at, position: last, answer: Answer::Replayed(events) })
    }

    /// All events of the command whose first event stands at `position`, read from the log; none beyond its end.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when the log cannot be read.
    pub async fn command_at(&self, position: Position) -> Result<Vec<Recorded>, Failure> {
        let mut events: Vec<Recorded> = Vec::new();
        let mut after = position.previous();
        loop {
            let records = self.shared.store.read(after, 8).await.map_err(|error| {
                tracing::error!(%error, position = position.number(), "engine.read_failed");
                Failure::Unavailable
            })?;
            let short = records.len() < 8;
            for stored in records {
                let event = record::decode_trusted(&stored.bytes).map_err(|error| {
                    tracing::error!(%error, position = stored.position.number(), "engine.record_damaged");
                    Failure::Unavailable
                })?;
                if events.first().is_some_and(|first| first.command != event.command) {
                    return Ok(events);
                }
                after = event.position;
                events.push(event);
            }
            if short {
                return Ok(events);
            }
        }
    }

    /// The newest durable batches. Its head is the newest acknowledged position.
    #[must_use]
    pub fn tail(&self) -> &Arc<Tail> {
        &self.shared.tail
    }

    /// The newest leaf hashes that this node made.
    #[must_use]
    pub fn leaves(&self) -> &Leaves {
        &self.shared.leaves
    }

    /// The applications, durable state only.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// The log.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.shared.store
    }

    /// What seals and opens secrets and personal text.
    #[must_use]
    pub fn vault(&self) -> &Arc<Vault> {
        &self.shared.vault
    }

    /// The clock that decisions are made by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// What this node does for the log, and who leads otherwise.
    #[must_use]
    pub fn role(&self) -> Role {
        self.shared.roles.get()
    }

    /// Waits until this node leads; returns at once when it does.
    pub async fn leading(&self) {
        let mut role = self.shared.roles.subscribe();
        // The sender lives as long as this handle.
        let _leads = role.wait_for(|role| *role == Role::Leading).await;
    }

    /// Whether this node leads beyond doubt, so that what it knows is the newest.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.shared.roles.is_sure()
    }

    /// Waits until this node has seen everything that was acknowledged before this call, by whatever node; at once
    /// where this node leads. For reads: what they then find is not older than what a client was told elsewhere.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when that takes too long, or the log cannot be read.
    pub async fn settle(&self) -> Result<(), Failure> {
        if self.shared.roles.is_sure() {
            return Ok(());
        }
        let reading = async {
            let end = self.shared.roles.end(&self.shared.store).await.map_err(|error| {
                tracing::warn!(%error, "engine.end_not_read");
                Failure::Unavailable
            })?;
            let mut head = self.shared.tail.subscribe();
            if *head.borrow() < end {
                self.shared.roles.grown.notify_one();
            }
            head.wait_for(|head| *head >= end).await.map(|_| ()).map_err(|_| Failure::Unavailable)
        };
        tokio::time::timeout(SETTLE, reading).await.unwrap_or(Err(Failure::Unavailable))
    }

    /// What an operator sees of the writer.
    #[must_use]
    pub fn status(&self) -> Status {
        let (head, recorded_at, epoch) = *self.shared.end.read().unwrap_or_else(PoisonError::into_inner);
        Status {
            writable: self.shared.writable.load(Ordering::SeqCst) && self.shared.roles.is_able(),
            leads: self.shared.roles.leads(),
            epoch,
            queue: self.queue.max_capacity() - self.queue.capacity(),
            head,
            recorded_at,
        }
    }

    /// Carries out what was taken, writes a snapshot, and ends the writer. Later commands are refused.
    pub async fn stop(&self) {
        let (stopped, done) = oneshot::channel();
        if self.queue.send(Message::Stop(stopped)).await.is_ok() {
            // An error means that the writer has ended already.
            let _ended = done.await;
        }
    }
}
