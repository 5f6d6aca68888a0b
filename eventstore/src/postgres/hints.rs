//! Hints that the log has grown, from the node that writes to those that follow.
//!
//! They go out beside the appends, on a connection of their own: a transaction that notifies commits under a lock that
//! the whole server shares, and no append should wait there. A hint follows an append at once, the next one [`PAUSE`]
//! later at the soonest, so that many small batches cost few hints. A transaction that does nothing but notify waits
//! for no disk.
//!
//! Nothing rests on them: whoever follows looks by itself now and then. So errors end in a new connection after a
//! while, and in nothing else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnection, PgListener};
use sqlx::{Error, Executor};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::connect::{Target, timed_out};
use crate::port::StoreError;

/// One ledger has a database for itself, and channels are those of a database.
const CHANNEL: &str = "flexledger_log";
const NOTIFY: &str = "NOTIFY flexledger_log";
/// Between two hints.
const PAUSE: Duration = Duration::from_millis(10);
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_secs(1);
/// For one answer of the server.
const ANSWER: Duration = Duration::from_secs(3);
/// After so long a silence the listening connection is tried.
const SILENCE: Duration = Duration::from_secs(15);
/// Nobody has waited for a hint for so long: this node leads, and need not listen.
const IDLE: Duration = Duration::from_secs(10);

/// The hints of one store.
pub(super) struct Hints {
    target: Target,
    grown: watch::Sender<()>,
    heard: Arc<Notify>,
    waited: Arc<Mutex<Instant>>,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    sender: Option<JoinHandle<()>>,
    listener: Option<JoinHandle<()>>,
    closed: bool,
}

impl Hints {
    pub(super) fn new(target: Target) -> Self {
        Hints {
            target,
            grown: watch::Sender::new(()),
            heard: Arc::default(),
            waited: Arc::new(Mutex::new(Instant::now())),
            tasks: Mutex::default(),
        }
    }

    /// Tells others, soon, that the log has grown.
    pub(super) fn tell(&self) {
        let mut tasks = lock(&self.tasks);
        if tasks.sender.is_none() && !tasks.closed {
            tasks.sender = Some(tokio::spawn(send(self.target.clone(), self.grown.subscribe())));
        }
        drop(tasks);
        self.grown.send_replace(());
    }

    /// Waits until the log may have grown. It may be dropped and asked again at any time: a hint that comes in between
    /// is kept.
    pub(super) async fn heard(&self) {
        *lock(&self.waited) = Instant::now();
        {
            let mut tasks = lock(&self.tasks);
            if tasks.listener.as_ref().is_none_or(JoinHandle::is_finished) && !tasks.closed {
                let (target, heard, waited) = (self.target.clone(), self.heard.clone(), self.waited.clone());
                tasks.listener = Some(tokio::spawn(listen(target, heard, waited)));
            }
        }
        self.heard.notified().await;
    }

    /// Ends the connections.
    pub(super) fn close(&self) {
        let mut tasks = lock(&self.tasks);
        tasks.closed = true;
        [tasks.sender.take(), tasks.listener.take()].into_iter().flatten().for_each(|task| task.abort());
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        self.close();
    }
}

async fn send(target: Target, mut grown: watch::Receiver<()>) {
    let mut connection = None;
    while grown.changed().await.is_ok() {
        let pause = match notify(&target, &mut connection).await {
            Ok(()) => PAUSE,
            Err(error) => {
                tracing::debug!(name: "eventstore.postgres.hint_not_sent", %error, "others look by themselves");
                connection = None;
                grown.mark_changed();
                RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn notify(target: &Target, slot: &mut Option<PgConnection>) -> Result<(), StoreError> {
    let connection = match slot {
        Some(connection) => connection,
        None => slot.insert(target.hints().await?),
    };
    in_time(connection.execute(NOTIFY)).await?;
    Ok(())
}

async fn listen(target: Target, heard: Arc<Notify>, waited: Arc<Mutex<Instant>>) {
    while lock(&waited).elapsed() < IDLE {
        if let Err(error) = hear(&target, &heard, &waited).await {
            tracing::debug!(name: "eventstore.postgres.not_listening", %error, "this node looks by itself");
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Passes on what is heard until the connection is lost, or nobody wants to hear it.
async fn hear(target: &Target, heard: &Notify, waited: &Mutex<Instant>) -> Result<(), StoreError> {
    let pool = target.listeners();
    let mut listener = in_time(PgListener::connect_with(&pool)).await?;
    listener.eager_reconnect(false);
    in_time(listener.listen(CHANNEL)).await?;
    // For what came before there was anybody to hear it.
    heard.notify_one();
    while lock(waited).elapsed() < IDLE {
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(_))) => heard.notify_one(),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(error.into()),
            // A connection that was cut without a word is silent too.
            Err(_) => {
                in_time(listener.execute("SELECT 1")).await?;
            }
        }
    }
    Ok(())
}

async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(ANSWER, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(timed_out("a hint")),
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
