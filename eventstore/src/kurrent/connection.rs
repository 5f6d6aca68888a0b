//! The connection to the servers: opened when needed, thrown away on errors, every call bounded in time.
//!
//! What the client of version 1.2 does not do, and this does:
//! * A client whose server was down at first, or whose node died, never recovers: after an error that does not come
//!   from a living server the client is thrown away, and the next call builds another.
//! * A client leaves a task behind that never ends. Each therefore has a runtime of its own, which ends with it.
//! * A call has no deadline of its own when the server is silent, and an answer that lacks a part makes the client
//!   panic: both end a call here as one whose outcome is not known.
//!
//! What cannot be helped from outside: the client leaves Nagle's algorithm on and writes the head of a call apart from
//! its body, so a server on a system that delays acknowledgements adds up to 40 ms to each call. Group commit makes that
//! a matter of latency more than of throughput.
//!
//! The client installs a provider of cryptography for TLS by itself.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kurrentdb::{Client, ClientSettings, Error};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::port::StoreError;

/// How often a call is made when the server that was asked does nothing but name the leader.
const ATTEMPTS: u32 = 4;
const REDIRECT_PAUSE: Duration = Duration::from_millis(50);

/// Codes of gRPC for a refusal before any work: invalid argument, failed precondition, out of range. By number, since
/// the client hands on a type of a library that this crate does not depend on.
const REFUSALS: [i32; 3] = [3, 9, 11];

/// How long the adapter waits.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// For a connection.
    pub connect: Duration,
    /// For the answer to a call; for the next event of a read.
    pub answer: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Waits { connect: Duration::from_secs(5), answer: Duration::from_secs(10) }
    }
}

/// Why a call brought nothing.
#[derive(Debug)]
pub(super) enum CallError {
    /// A living server answered that it did not do it.
    Refused(Error),
    /// It never reached a server that would do it.
    Unsent(StoreError),
    /// It may have been done.
    Doubtful(StoreError),
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(error) => server(&error),
            CallError::Unsent(error) | CallError::Doubtful(error) => error,
        }
    }
}

/// One client and the runtime that its background task lives in.
struct Live {
    client: Client,
    runtime: Option<Runtime>,
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A client that a call uses. It lives on until the last call with it has ended, even when it was thrown away meanwhile.
#[derive(Clone)]
pub(super) struct Lent(Arc<Live>);

impl Lent {
    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }
}

/// The one connection of a store.
pub(super) struct Connection {
    settings: ClientSettings,
    pub(super) waits: Waits,
    slot: Mutex<Option<Lent>>,
}

impl Connection {
    pub(super) fn new(settings: ClientSettings, waits: Waits) -> Self {
        Connection { settings, waits, slot: Mutex::new(None) }
    }

    /// Makes one call. `action` is run again only when it is certain that the one before did nothing.
    pub(super) async fn call<T, F, A>(&self, action: A) -> Result<T, CallError>
    where
        A: Fn(Lent) -> F,
        F: Future<Output = kurrentdb::Result<T>>,
    {
        let mut attempt = 1;
        loop {
            let lent = self.lend().await.map_err(CallError::Unsent)?;
            let error = match bounded(self.waits.answer, action(lent.clone())).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
                Err(silent) => {
                    self.throw_away(&lent).await;
                    return Err(CallError::Doubtful(silent));
                }
            };
            let meaning = meaning(&error);
            if meaning == Meaning::Broken || meaning == Meaning::NeverSent || attempt >= ATTEMPTS {
                self.throw_away(&lent).await;
            }
            match meaning {
                Meaning::Refused => return Err(CallError::Refused(error)),
                Meaning::Broken => return Err(CallError::Doubtful(server(&error))),
                Meaning::Redirected | Meaning::NeverSent if attempt >= ATTEMPTS => {
                    return Err(CallError::Unsent(server(&error)));
                }
                // The client itself turns to the leader that it was told of.
                Meaning::Redirected => tokio::time::sleep(REDIRECT_PAUSE).await,
                Meaning::NeverSent => {}
            }
            attempt += 1;
        }
    }

    /// The client, connected.
    async fn lend(&self) -> Result<Lent, StoreError> {
        let mut slot = self.slot.lock().await;
        if let Some(lent) = &*slot {
            return Ok(lent.clone());
        }
        let settings = self.settings.clone();
        // Building a client reads certificates from files.
        let built = tokio::task::spawn_blocking(move || build(settings)).await;
        let lent = built.map_err(|_| StoreError::Server("the client could not be built".to_owned()))??;
        bounded(self.waits.connect, lent.client().server_info()).await?.map_err(|error| server(&error))?;
        *slot = Some(lent.clone());
        Ok(lent)
    }

    /// The next call gets another client.
    pub(super) async fn forget(&self) {
        *self.slot.lock().await = None;
    }

    /// The next call gets another client than this one, unless it would already.
    pub(super) async fn throw_away(&self, lent: &Lent) {
        let mut slot = self.slot.lock().await;
        if slot.as_ref().is_some_and(|now| Arc::ptr_eq(&now.0, &lent.0)) {
            *slot = None;
        }
    }
}

fn build(settings: ClientSettings) -> Result<Lent, StoreError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    // The client spawns its task at once: should it panic, the runtime still has to end outside of async code.
    let client = std::panic::catch_unwind(AssertUnwindSafe(|| {
        Client::with_runtime_handle(runtime.handle().clone(), settings).map_err(|error| error.to_string())
    }));
    match client.unwrap_or_else(|_| Err("the certificate file cannot be read".to_owned())) {
        Ok(client) => Ok(Lent(Arc::new(Live { client, runtime: Some(runtime) }))),
        Err(error) => {
            runtime.shutdown_background();
            Err(StoreError::Unusable(format!("the client cannot be set up: {error}")))
        }
    }
}

/// What a future gives, or that it gave nothing: too late, or because the client panicked.
pub(super) async fn bounded<F: Future>(wait: Duration, future: F) -> Result<F::Output, StoreError> {
    match tokio::time::timeout(wait, AssertUnwindSafe(future).catch_unwind()).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => Err(StoreError::Server("an answer that the client cannot read".to_owned())),
        Err(_) => Err(StoreError::Server(format!("no answer in {} ms", wait.as_millis()))),
    }
}

/// What an error says of the call and of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A living server did not do it.
    Refused,
    /// The server that was asked does not lead, did nothing, and named the leader.
    Redirected,
    /// The client had no server to send it to.
    NeverSent,
    /// Anything may have happened.
    Broken,
}

pub(super) fn meaning(error: &Error) -> Meaning {
    match error {
        Error::WrongExpectedVersion { .. }
        | Error::AccessDenied
        | Error::ResourceAlreadyExists
        | Error::ResourceNotFound
        | Error::ResourceDeleted
        | Error::UnsupportedFeature => Meaning::Refused,
        Error::NotLeaderException(_) => Meaning::Redirected,
        Error::ConnectionClosed | Error::GrpcConnectionError(_) => Meaning::NeverSent,
        // Refusals before any work: too large, malformed, a delete with a wrong expectation.
        Error::Grpc { code, .. } if REFUSALS.contains(&i32::from(*code)) => Meaning::Refused,
        _ => Meaning::Broken,
    }
}

/// The text of an error. None of them repeats what was sent.
pub(super) fn server(error: &Error) -> StoreError {
    StoreError::Server(error.to_string())
}
