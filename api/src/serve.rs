//! Serves HTTP/1.1 on a listener: bounded connections, bounded heads, slow senders cut off, a graceful end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::health;
use crate::http::edge::{REQUEST_ID, RequestId};
use crate::linger::Lingering;

/// Bounds of one listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// The largest request head, in bytes. Beyond it 431.
    pub head: usize,
    /// How long a head may take to arrive, and how long an idle connection is kept.
    pub head_timeout: Duration,
    /// How long running requests may take to finish once the end has been asked for.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 4096,
            head: 64 << 10,
            head_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(8),
        }
    }
}

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What a listener leads to. Before it is opened, `/health` answers 200 and everything else 503.
#[derive(Clone, Default)]
pub struct Entrance(Arc<OnceLock<Router>>);

impl Entrance {
    /// A closed one.
    #[must_use]
    pub fn new() -> Self {
        Entrance::default()
    }

    /// One that leads to `router` at once.
    #[must_use]
    pub fn to(router: Router) -> Self {
        let entrance = Entrance::default();
        entrance.open(router);
        entrance
    }

    /// Opens it. It can be opened once; later routers are dropped.
    pub fn open(&self, router: Router) {
        let _already_open = self.0.set(router);
    }

    async fn answer(&self, request: hyper::Request<Incoming>, peer: Peer) -> Result<Response, Infallible> {
        let Some(router) = self.0.get() else {
            return Ok(closed(request.uri().path()));
        };
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        router.clone().call(request).await
    }
}

fn closed(path: &str) -> Response {
    let mut response = if path == "/health" { health::alive() } else { health::down() };
    response.headers_mut().insert(REQUEST_ID, RequestId::next().header());
    response
}

/// Serves until `shutdown` is done, then accepts nothing new, lets running requests finish for
/// [`Limits::grace`], and returns.
pub async fn serve(listener: TcpListener, entrance: Entrance, limits: Limits, shutdown: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections.max(1)));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let next = accept(&listener, &places);
        let (stream, peer, place) = tokio::select! {
            () = &mut shutdown => break,
            accepted = next => accepted,
        };
        let watched = graceful.watcher();
        let entrance = entrance.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let entrance = entrance.clone();
                async move { entrance.answer(request, Peer(peer)).await }
            });
            let connection = builder(&limits).serve_connection(TokioIo::new(Lingering::new(stream)), service);
            if let Err(error) = watched.watch(connection).await {
                tracing::debug!(%error, "api.connection_failed");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("api.connections_cut_off");
    }
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Answers of pipelined requests are not gathered: with that, hyper closes without sending the 431 or 400 of a head
    // that it cannot take.
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head)
        .max_buf_size(limits.head.max(8192));
    builder
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed; without a permit the connection would only go uncounted.
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "api.nodelay_failed");
                }
                return (stream, peer, place);
            }
            Err(error) => {
                tracing::warn!(%error, "api.accept_failed");
                // Out of file descriptors, usually: some connection must end first.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
