//! Several nodes on one log: what a node does with a call while another one leads.
//!
//! * A call that may change something is passed on to the leader, whole, and the leader's answer passed back: a client
//!   needs to know one address only, and no client has to follow redirects of a `POST`. Without a known leader it is
//!   503 with `Retry-After`.
//! * A read is answered here, once this node has seen everything that any node has acknowledged before the read began.
//!   Only what the leader alone can tell is passed on: where an instant ends that is hardly over (`audit::past`).
//!
//! Budget: on the leader, one look at a clock. On a follower, one look at the end of the log per read, shared by the
//! reads that wait for it.

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{OriginalUri, Request};
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use flexledger_commands::Role;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use crate::app::App;
use crate::http::error::{ApiError, Code};
use crate::serve::Peer;

/// Marks a call that was passed on: it is not passed on again.
const FORWARDED: HeaderName = HeaderName::from_static("x-flexledger-forwarded");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The one read that waits for nothing.
const STATUS: &str = "/operator/v1/status";
/// The one `POST` that reads.
const TOKEN_EXCHANGE: &str = "/api/v1/auth/token";
/// The largest body that is passed on: what every route refuses is refused here.
const BODY_MAX: usize = 1 << 20;
/// The largest answer that is passed back.
const ANSWER_MAX: usize = 64 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A little longer than the leader waits for its log.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(13);
/// Headers of one connection, which mean nothing on another.
const OF_CONNECTION: [HeaderName; 7] = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, HOST, CONTENT_LENGTH];

/// `None` when the HTTP client could not be made.
static CLIENT: LazyLock<Option<Client>> = LazyLock::new(|| {
    let client =
        Client::builder().redirect(Policy::none()).no_proxy().connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT);
    client.build().inspect_err(|error| tracing::error!(%error, "api.no_forwarding")).ok()
});

/// What becomes of a call.
pub(crate) enum Way {
    /// It is answered here.
    Here(Request),
    /// The leader has answered it.
    Answered(Response),
}

/// Finds the way of a call on a node that cannot be sure to lead.
///
/// # Errors
/// 503: nobody leads, the leader cannot be reached, or this node lags behind. 409: the ledger is served as it was.
pub(crate) async fn way(app: &App, request: Request) -> Result<Way, ApiError> {
    if app.settings().frozen {
        return frozen(request);
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        // An operator asks how this node stands, also when it is cut off.
        if request.uri().path() == STATUS {
            return Ok(Way::Here(request));
        }
        app.engine().settle().await.map_err(ApiError::from)?;
        return Ok(Way::Here(request));
    }
    match app.engine().role() {
        // It leads, though its lease was not renewed in time: the append will tell.
        Role::Leading => Ok(Way::Here(request)),
        Role::Following(_) => to_leader(app, request).await.map(Way::Answered),
    }
}

/// Has the leader answer a call that came to a node that follows.
///
/// # Errors
/// 503: nobody leads, the leader cannot be reached, or the call was passed on before.
pub(crate) async fn to_leader(app: &App, request: Request) -> Result<Response, ApiError> {
    let address = match app.engine().role() {
        Role::Following(leader) => leader.and_then(|leader| leader.address),
        Role::Leading => None,
    };
    let known = address.filter(|_| !request.headers().contains_key(FORWARDED));
    pass_on(&known.ok_or(Code::Unavailable)?, request).await
}

/// Of a ledger that is served as it was, everything is read here; a token exchange writes nothing either.
fn frozen(request: Request) -> Result<Way, ApiError> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    match reads || request.uri().path() == TOKEN_EXCHANGE {
        true => Ok(Way::Here(request)),
        false => Err(Code::ReadOnly.into()),
    }
}

async fn pass_on(address: &str, request: Request) -> Result<Response, ApiError> {
    let client = CLIENT.as_ref().ok_or(Code::Unavailable)?;
    let (head, body) = request.into_parts();
    // Within a part of the API its own path is cut off; the leader is asked for the whole.
    let uri = head.extensions.get::<OriginalUri>().map_or(&head.uri, |whole| &whole.0);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let url: Url = format!("{address}{path}").parse().map_err(|_| unreachable(address, &"not a URL"))?;
    let body = to_bytes(body, BODY_MAX).await.map_err(|_| Code::TooLarge)?;
    let mut headers = end_to_end(head.headers);
    headers.insert(FORWARDED, HeaderValue::from_static("1"));
    let peer = head.extensions.get::<Peer>().and_then(|peer| HeaderValue::try_from(peer.0.ip().to_string()).ok());
    if let Some(peer) = peer {
        headers.append(FORWARDED_FOR, peer);
    }
    let sent = client.request(head.method, url).headers(headers).body(body).send().await;
    let answer = sent.map_err(|error| unreachable(address, &error.without_url()))?;
    let (status, headers) = (answer.status(), end_to_end(answer.headers().clone()));
    if answer.content_length().is_some_and(|length| length > ANSWER_MAX as u64) {
        return Err(unreachable(address, &"its answer is too long"));
    }
    let body = answer.bytes().await.map_err(|error| unreachable(address, &error.without_url()))?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    OF_CONNECTION.iter().for_each(|name| {
        headers.remove(name);
    });
    headers
}

fn unreachable(address: &str, error: &dyn std::fmt::Display) -> ApiError {
    // Once per call while a leader is being replaced: the line of the request says 503.
    tracing::debug!(leader = address, %error, "api.leader_not_reached");
    Code::Unavailable.into()
}
