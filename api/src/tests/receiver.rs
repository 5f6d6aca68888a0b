//! A receiver of webhooks on the loopback that does what it is told and remembers what it was sent.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub enum Manner {
    Answers(u16),
    RedirectsTo(String),
    /// Answers 200 after this long.
    IsSlow(Duration),
    /// Never answers.
    Hangs,
    /// Begins an answer with 200 and never ends it.
    Trickles,
}

#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Instant,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

#[derive(Default)]
struct Book {
    /// The manners of the next requests; the last one stays.
    manners: Vec<Manner>,
    seen: Vec<Seen>,
}

pub struct Receiver {
    pub url: String,
    book: Arc<Mutex<Book>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn new(manners: impl IntoIterator<Item = Manner>) -> Receiver {
        let book = Arc::new(Mutex::new(Book { manners: manners.into_iter().collect(), seen: Vec::new() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(book.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Receiver { url, book, task }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.book.lock().unwrap().seen.clone()
    }

    pub fn count(&self) -> usize {
        self.book.lock().unwrap().seen.len()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn wait(&self, count: usize) -> impl Future<Output = Vec<Seen>> {
        let place = std::panic::Location::caller();
        async move {
            for _ in 0..1000 {
                if self.count() >= count {
                    return self.seen();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("{} instead of {count} requests at {place}", self.count());
        }
    }
}

async fn take(State(book): State<Arc<Mutex<Book>>>, headers: HeaderMap, body: Bytes) -> Response {
    let manner = {
        let mut book = book.lock().unwrap();
        book.seen.push(Seen { at: Instant::now(), headers, body });
        if book.manners.len() > 1 { book.manners.remove(0) } else { book.manners[0].clone() }
    };
    match manner {
        Manner::Answers(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Manner::RedirectsTo(url) => Redirect::temporary(&url).into_response(),
        Manner::IsSlow(time) => {
            tokio::time::sleep(time).await;
            StatusCode::OK.into_response()
        }
        Manner::Hangs => std::future::pending().await,
        Manner::Trickles => Response::new(axum::body::Body::new(Endless)),
    }
}

struct Endless;

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}
