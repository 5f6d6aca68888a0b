//! Who leads, as this node knows it, and how sure it may be.
//!
//! A leader is sure while its lease lasts by its own clock, counted from before it asked: nobody else can have
//! acknowledged anything since. Otherwise the end of the log is asked for before a client is answered, once for all
//! who came before the question.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flexledger_domain::Position;
use flexledger_eventstore::{Candidate, EventStore, StoreError};
use tokio::sync::{Notify, watch};

/// A follower that has not seen the log for so long is not ready.
const OUT_OF_TOUCH: Duration = Duration::from_secs(3);

/// What this node does for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It decides and appends.
    Leading,
    /// It reads what another node appends, and stands by. The leader, once it is known.
    Following(Option<Candidate>),
}

/// How long a leader can be sure that it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sure {
    Always,
    Until(Instant),
    Not,
}

/// The role of this node, for everybody to see.
pub struct Roles {
    role: watch::Sender<Role>,
    sure: Mutex<Sure>,
    contact: Mutex<Option<Instant>>,
    mark: Mark,
    /// Wakes a follower: the log has grown.
    pub grown: Notify,
}

impl Roles {
    /// Nobody leads yet.
    pub fn new() -> Self {
        Roles {
            role: watch::Sender::new(Role::Following(None)),
            sure: Mutex::new(Sure::Not),
            contact: Mutex::new(None),
            mark: Mark::default(),
            grown: Notify::new(),
        }
    }

    /// The present role.
    pub fn get(&self) -> Role {
        self.role.borrow().clone()
    }

    /// Told whenever the role changes.
    pub fn subscribe(&self) -> watch::Receiver<Role> {
        self.role.subscribe()
    }

    /// Whether this node leads, as far as it knows.
    pub fn leads(&self) -> bool {
        *self.role.borrow() == Role::Leading
    }

    /// Changes the role; a follower is sure of nothing.
    pub fn set(&self, role: Role) {
        if role != Role::Leading {
            *lock(&self.sure) = Sure::Not;
        }
        self.role.send_if_modified(|old| {
            let other = *old != role;
            *old = role;
            other
        });
    }

    /// A lease was granted for so long when it was asked for at `asked`.
    pub fn renewed(&self, asked: Instant, lasts: Option<Duration>) {
        *lock(&self.sure) = lasts.map_or(Sure::Always, |lasts| Sure::Until(asked + lasts));
    }

    /// Whether this node leads beyond doubt.
    pub fn is_sure(&self) -> bool {
        match *lock(&self.sure) {
            Sure::Always => true,
            Sure::Until(end) => Instant::now() < end,
            Sure::Not => false,
        }
    }

    /// A follower has seen the end of the log.
    pub fn in_touch(&self) {
        *lock(&self.contact) = Some(Instant::now());
    }

    /// Whether this node, in its role, can take commands or tell who does.
    pub fn is_able(&self) -> bool {
        match &*self.role.borrow() {
            Role::Leading => self.is_sure(),
            Role::Following(None) => false,
            Role::Following(Some(_)) => lock(&self.contact).is_some_and(|seen| seen.elapsed() < OUT_OF_TOUCH),
        }
    }

    /// The end of the log, as it is in the store after this was called.
    pub async fn end(&self, store: &Arc<dyn EventStore>) -> Result<Position, StoreError> {
        self.mark.read(store).await
    }
}

/// Reads the end of the log once for many: who waits while a question runs shares the next one.
#[derive(Default)]
struct Mark {
    begun: AtomicU64,
    last: tokio::sync::Mutex<(u64, Position)>,
}

impl Mark {
    async fn read(&self, store: &Arc<dyn EventStore>) -> Result<Position, StoreError> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if last.0 > before {
            return Ok(last.1);
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let end = store.head().await?.position;
        *last = (number, end);
        Ok(end)
    }
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
