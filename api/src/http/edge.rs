//! The one layer of the router: request ids, the door that is closed until the server is ready, the way to the leader,
//! limits, the rendering of errors, and one log line per request. One layer, for each costs every request an allocation
//! and a copy.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::http::header::{ALLOW, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use tower::{Layer, Service};

use super::envelope;
use super::error::{ApiError, Code};
use super::throttle::{self, Count};
use crate::app::App;
use crate::audit::{LEDGER_HEAD, LEDGER_POSITION};
use crate::forward;

/// The header of the request id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of one request: unlike any other of this process, and with all likelihood of any process.
#[derive(Debug, Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The next one.
    #[must_use]
    pub fn next() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(rand::random);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut text = [b'0'; 32];
        for (place, shift) in text.iter_mut().zip((0..32_u32).rev()) {
            let word = if shift >= 16 { *PROCESS } else { number };
            let nibble = (word >> ((shift % 16) * 4)) & 15;
            *place = b"0123456789abcdef".get(usize::try_from(nibble).unwrap_or(0)).copied().unwrap_or(b'0');
        }
        RequestId(HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("-")))
    }

    /// The value of the header.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }
}

/// Headers that an error keeps when it is written.
const KEPT: [HeaderName; 3] = [ALLOW, LEDGER_POSITION, LEDGER_HEAD];

/// So begin further ones.
const KEPT_PREFIX: &str = "x-ratelimit-";

/// How errors look on one surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// The envelope of the payment API.
    Envelope,
    /// Problem documents.
    Problem,
    /// The short form of the merchant API.
    Merchant,
    /// Not part of any API: answers while everything else is closed.
    Open,
}

impl Surface {
    /// The surface that a path belongs to.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let under =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if matches!(path, "/health" | "/ready" | "/metrics") {
            Surface::Open
        } else if under("/operator") || under("/audit") {
            Surface::Problem
        } else if under("/v2") {
            Surface::Merchant
        } else {
            Surface::Envelope
        }
    }

    fn render(self, error: &ApiError, app: &App) -> Response {
        match self {
            Surface::Problem => envelope::problem(error),
            Surface::Merchant => envelope::merchant(error),
            Surface::Envelope | Surface::Open => envelope::failure(error, &app.settings().names, app.now()),
        }
    }
}

/// Puts the edge around every route.
#[derive(Clone)]
pub struct EdgeLayer(pub App);

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge { app: self.0.clone(), inner }
    }
}

/// One route with the edge around it.
#[derive(Clone)]
pub struct Edge<S> {
    app: App,
    inner: S,
}

/// What the log line tells of a request: never its raw path, for that may hold a token.
struct Line {
    id: RequestId,
    method: Method,
    route: Option<MatchedPath>,
    surface: Surface,
    began: Instant,
}

impl<S> Service<Request> for Edge<S>
where
    S: Service<Request, Error = Infallible> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let app = self.app.clone();
        let line = Line {
            id: RequestId::next(),
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            surface: Surface::of(request.uri().path()),
            began: Instant::now(),
        };
        let limited = line.surface != Surface::Open;
        if limited && !app.is_open() {
            return Box::pin(async move { Ok(finish(&app, line, ApiError::new(Code::Unavailable).into_response())) });
        }
        if limited && !app.engine().is_newest() {
            // A clone need not be ready; the one that was polled is.
            let mut inner = self.inner.clone();
            std::mem::swap(&mut self.inner, &mut inner);
            return Box::pin(async move {
                let response = match forward::way(&app, request).await {
                    Ok(forward::Way::Here(mut request)) => match throttle::admit(&app, &mut request) {
                        (count, Ok(())) => told(inner.call(request).await?.into_response(), &count),
                        (count, Err(error)) => told(error.into_response(), &count),
                    },
                    Ok(forward::Way::Answered(response)) => response,
                    Err(error) => error.into_response(),
                };
                Ok(finish(&app, line, response))
            });
        }
        match throttle::admit(&app, &mut request) {
            (count, Ok(())) => {
                let answer = self.inner.call(request);
                Box::pin(async move { Ok(finish(&app, line, told(answer.await?.into_response(), &count))) })
            }
            (count, Err(error)) => Box::pin(async move { Ok(finish(&app, line, told(error.into_response(), &count))) }),
        }
    }
}

/// Tells the caller of the limits that the call fell under.
fn told(mut response: Response, count: &Count) -> Response {
    count.tell(response.headers_mut());
    response
}

fn finish(app: &App, line: Line, mut response: Response) -> Response {
    let mut code = "";
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        code = error.code.suffix();
        let headers = std::mem::take(response.headers_mut());
        response = line.surface.render(&error, app);
        let kept = |name: &HeaderName| KEPT.contains(name) || name.as_str().starts_with(KEPT_PREFIX);
        for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name?, value))) {
            if kept(&name) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    let micros = u64::try_from(line.began.elapsed().as_micros()).unwrap_or(u64::MAX);
    app.metrics().answered(&line.method, line.route.as_ref(), response.status().as_u16(), micros);
    tracing::info!(
        target: "flexledger::request",
        request_id = line.id.as_str(),
        method = line.method.as_str(),
        route = line.route.as_ref().map_or("", MatchedPath::as_str),
        status = response.status().as_u16(),
        code,
        micros,
        "api.request"
    );
    response.headers_mut().insert(REQUEST_ID, line.id.0);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| RequestId::next().as_str().to_owned()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 32));
    }

    #[test]
    fn surfaces() {
        assert_eq!(Surface::of("/api/v1/tags"), Surface::Envelope);
        assert_eq!(Surface::of("/operator/v1/status"), Surface::Problem);
        assert_eq!(Surface::of("/audit"), Surface::Problem);
        assert_eq!(Surface::of("/auditors"), Surface::Envelope);
        assert_eq!(Surface::of("/v2/merchant/payment-request"), Surface::Merchant);
        assert_eq!(Surface::of("/ready"), Surface::Open);
    }
}
