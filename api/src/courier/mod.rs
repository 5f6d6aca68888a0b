//! Sends webhooks (`idaas.md` 10.3, 10.4): the other end of
//! [`deliver_webhooks`](flexledger_commands::reactors::deliver_webhooks).
//!
//! The body is written from the payment as the log has it, encrypted for the target's present key where it wants
//! that, then signed with its present secret over the exact bytes that are sent. Every attempt is made afresh, with
//! its own timestamp.
//!
//! The target is judged twice: the URL before each attempt, the addresses of its name when the connection is made.
//! Redirects are not followed, proxies not used, and of an answer nothing but the status counts.
//!
//! Headers beyond the contract, for receivers that want to notice losses: `webhook-id` (the record), and
//! `webhook-timestamp` (as the timestamp header); `X-Ledger-Position` (the log position of what is told) and
//! `X-Ledger-Previous-Position` (that of the webhook to the same application before this one, 0 for the first).

pub mod payload;
mod resolver;

use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderName;
use axum::http::header::InvalidHeaderName;
use flexledger_commands::clock::Clock;
use flexledger_commands::reactors::{self, Notice};
use flexledger_commands::vault::Vault;
use flexledger_domain::webhooks::Outcome;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};

use crate::http::metrics::Metrics;
use crate::http::names::Names;
use crate::http::target;
use crate::http::write::Writer;
use crate::jose;
use resolver::{ResolveError, Resolver};

/// Bytes of an answer that are read so that its connection can be used again.
const DRAINED: usize = 64 << 10;
/// How long that may take.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);
/// Idle connections kept to one target.
const IDLE: usize = 16;
/// How long they are kept.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// How webhooks are sent.
#[derive(Debug, Clone)]
pub struct Options {
    /// The names of the product, for the stem of the headers.
    pub names: Names,
    /// Whether clear-text and private targets are fine (`server.allow_insecure`).
    pub allow_insecure: bool,
    /// How long an exchange may take as a whole (`webhooks.timeout`).
    pub timeout: Duration,
}

/// Why webhooks cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// The stem of the headers is no part of a header's name.
    #[error("names.header_stem: {0}")]
    HeaderStem(#[from] InvalidHeaderName),
    /// The HTTP client cannot be made.
    #[error("the HTTP client for webhooks cannot be made")]
    Client(#[source] reqwest::Error),
}

/// Why one webhook cannot be made. The program's fault, not the target's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unwritten {
    #[error("the webhook secret does not open under this platform key")]
    Secret,
    #[error("the webhook cannot be encrypted for the key of the application")]
    Encryption,
}

/// Sends webhooks over HTTP.
pub struct Courier {
    client: Client,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    signature: HeaderName,
    timestamp: HeaderName,
    allow_insecure: bool,
    timeout: Duration,
    metrics: Arc<Metrics>,
}

impl Courier {
    /// A courier that opens what it needs with `vault` and tells the time by `clock`.
    ///
    /// # Errors
    /// [`CourierError`].
    pub fn new(vault: Arc<Vault>, clock: Arc<dyn Clock>, options: &Options) -> Result<Self, CourierError> {
        let header = |part: &str| HeaderName::try_from(format!("X-{}-{part}", options.names.header_stem));
        Ok(Courier {
            client: client(options)?,
            vault,
            clock,
            signature: header("Signature")?,
            timestamp: header("Timestamp")?,
            allow_insecure: options.allow_insecure,
            timeout: options.timeout,
            metrics: Arc::default(),
        })
    }

    /// Counts its attempts there.
    #[must_use]
    pub fn counted(self, metrics: Arc<Metrics>) -> Self {
        Courier { metrics, ..self }
    }

    /// The bytes that are sent, and whether they are encrypted.
    fn body(&self, notice: &Notice) -> Result<(Vec<u8>, bool), Unwritten> {
        let mut writer = Writer::with_capacity(1024);
        payload::write(&mut writer, &notice.payment, notice.told, |text| self.vault.open(text).map(Arc::from));
        let clear = writer.into_bytes();
        if !notice.target.encryption_enabled {
            return Ok((clear, false));
        }
        let key = jose::public_key(&notice.target.public_key).map_err(|_| Unwritten::Encryption)?;
        let compact = jose::encrypt(&key, "application/json", &clear).map_err(|_| Unwritten::Encryption)?;
        Ok((compact.into_bytes(), true))
    }

    fn request(&self, notice: &Notice) -> Result<RequestBuilder, Unwritten> {
        let (body, encrypted) = self.body(notice)?;
        let secret = self.vault.open_secret(&notice.target.webhook_secret).ok_or(Unwritten::Secret)?;
        let seconds = self.clock.now().micros().div_euclid(1_000_000);
        let request = self
            .client
            .post(&*notice.owed.url)
            .header("Content-Type", "application/json")
            .header(self.timestamp.clone(), seconds)
            .header(self.signature.clone(), jose::signature(&secret, seconds, &body))
            .header("webhook-id", notice.owed.id.to_string())
            .header("webhook-timestamp", seconds)
            .header("X-Ledger-Position", notice.owed.cause.number())
            .header("X-Ledger-Previous-Position", notice.owed.previous.number());
        let request = if encrypted { request.header("Content-Encryption", "JWE") } else { request };
        Ok(request.body(body))
    }

    async fn send(&self, notice: &Notice) -> Result<Response, String> {
        target::judge(&notice.owed.url, self.allow_insecure).map_err(|error| format!("target {error}"))?;
        let request = self.request(notice).map_err(|error| {
            tracing::error!(webhook = %notice.owed.id, application = %notice.owed.application, %error, "courier.unwritten");
            "internal error".to_owned()
        })?;
        match tokio::time::timeout(self.timeout, request.send()).await {
            Err(_) => Err(format!("no answer within {} ms", self.timeout.as_millis())),
            Ok(Err(error)) => Err(reason(&error).to_owned()),
            Ok(Ok(response)) if response.status().is_success() => Ok(response),
            Ok(Ok(response)) => Err(format!("HTTP {}", response.status().as_u16())),
        }
    }
}

impl reactors::Courier for Courier {
    async fn deliver(&self, notice: Notice) -> Outcome {
        let sent = self.send(&notice).await;
        self.metrics.attempted(sent.is_ok());
        match sent {
            Ok(response) => {
                // It is delivered, whatever else comes.
                let _unread = tokio::time::timeout(DRAIN_PATIENCE, drain(response)).await;
                Outcome::Delivered
            }
            Err(error) => Outcome::Failed(error.into()),
        }
    }
}

/// A client that trusts the authorities of the system. Where there are none, clear-text targets still work.
fn client(options: &Options) -> Result<Client, CourierError> {
    let builder = || {
        Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("flexledger/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(IDLE)
            .pool_idle_timeout(IDLE_TIME)
            .connect_timeout(options.timeout)
            .dns_resolver(Resolver { allow_private: options.allow_insecure })
    };
    builder().build().or_else(|error| {
        tracing::warn!(%error, "courier.no_authorities: no https target can be reached");
        builder().tls_certs_only([]).build().map_err(CourierError::Client)
    })
}

/// Reads the rest of a small answer.
async fn drain(mut response: Response) {
    let mut left = DRAINED;
    while let Ok(Some(chunk)) = response.chunk().await {
        let Some(rest) = left.checked_sub(chunk.len()) else { return };
        left = rest;
    }
}

/// What went wrong, in words that name no address: the URL of a target may hold a secret.
fn reason(error: &reqwest::Error) -> &'static str {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(at) = cause {
        match at.downcast_ref::<ResolveError>() {
            Some(ResolveError::Private) => return "the target resolves to no public address",
            Some(ResolveError::Unknown(_)) => return "the target cannot be resolved",
            None => {}
        }
        let io = at.downcast_ref::<std::io::Error>();
        match io.map(std::io::Error::kind) {
            Some(ErrorKind::ConnectionRefused) => return "connection refused",
            Some(ErrorKind::ConnectionReset) => return "connection reset",
            Some(ErrorKind::InvalidData) if error.is_connect() => return "no trusted TLS connection",
            _ => {}
        }
        // An I/O error that wraps another names that one's source as its own, and so passes over it.
        let wrapped = io.and_then(std::io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
        cause = wrapped.or_else(|| at.source());
    }
    if error.is_connect() { "connection failed" } else { "the exchange failed" }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(url: &str, allow_insecure: bool) -> &'static str {
        let options = Options { names: Names::default(), allow_insecure, timeout: Duration::from_secs(5) };
        let error = client(&options).unwrap().post(url).send().await.unwrap_err();
        reason(&error)
    }

    #[tokio::test]
    async fn reasons_are_found_wherever_they_hide() {
        assert_eq!(told("https://localhost:9/", false).await, "the target resolves to no public address");
        assert_eq!(told("https://no-such-name.invalid/", true).await, "the target cannot be resolved");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let clear = format!("https://{}/", listener.local_addr().unwrap());
        let answer = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
        });
        assert_eq!(told(&clear, true).await, "no trusted TLS connection");
        answer.abort();
    }
}
