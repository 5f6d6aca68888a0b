//! Keys: the platform's, the one that verifies attestations, and the rotation of an application's own (`idaas.md` 3.5,
//! 3.6, 4).

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flexledger_commands::Answer;
use flexledger_domain::identity::{RotateKey, RotateWebhookSecret};
use flexledger_eventstore::note::{HeadSigner, VerifierKey};
use flexledger_projections::ApplicationRow;

use super::show::{self, Application, Secrets};
use crate::app::App;
use crate::http::auth::Caller;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::path::Segment;
use crate::http::secret;
use crate::http::write::Writer;
use crate::jose;

const USAGE: &str =
    "Encrypt request payloads sent TO the platform. Webhooks are encrypted with your application's key.";
/// Public keys change only with the data directory.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=3600");

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/keys/{name}", get(platform))
        .route("/api/v1/applications/keys/rotate", post(rotate))
        .route("/api/v1/applications/webhook-secret/rotate", post(rotate_secret))
}

/// The routes outside `/api`.
pub(crate) fn well_known() -> Router<App> {
    Router::new().route("/.well-known/jwks.json", get(jwks))
}

fn broken(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(%error, "api.key_failed");
    Code::Internal.into()
}

/// `GET /v1/keys/idaas`: the key that requests are encrypted for. Public. The last part of the path is `names.key_path`.
async fn platform(State(app): State<App>, path: Segment) -> Result<Response, ApiError> {
    if *path.0 != *app.settings().names.key_path {
        return Err(Code::NotFound.into());
    }
    let public = jose::coordinates(&app.vault().platform().encryption_key().public_key());
    let spki = jose::public_key_base64(&public).map_err(|error| broken(&error))?;
    let jwk = show::jwk(&jose::public_jwk(&public))?;
    let mut response = envelope::success(StatusCode::OK, "Platform key found", app.now(), |w| {
        w.object(|w| {
            w.text("algorithm", jose::ALGORITHM);
            w.text("encAlgorithm", jose::ENCRYPTION);
            w.text("curve", "P-256");
            w.name("jwk").raw(&jwk);
            w.text("publicKeyBase64", &spki);
            w.text("usage", USAGE);
        });
    });
    response.headers_mut().insert(CACHE_CONTROL, CACHED);
    Ok(response)
}

/// `GET /.well-known/jwks.json`: the keys that verify attestations of consent and signed heads. Public; no envelope
/// (RFC 7517).
async fn jwks(State(app): State<App>) -> Result<Response, ApiError> {
    let platform = app.vault().platform();
    let attestation = show::jwk(&jose::attestation_jwk(platform.attestation_key().verifying_key()))?;
    let heads = app.ledger().await.map_err(|error| broken(&error))?;
    let heads = heads.map(|ledger| HeadSigner::new(ledger, platform.head_seed()).verifier());
    let mut writer = Writer::with_capacity(1024);
    writer.object(|w| {
        let keys = std::iter::once(None).chain(heads.iter().map(Some));
        w.name("keys").array(keys, |w, head| match head {
            None => w.raw(&attestation),
            Some(key) => head_key(w, key),
        });
    });
    let mut response = envelope::json(StatusCode::OK, writer);
    response.headers_mut().insert(CACHE_CONTROL, CACHED);
    Ok(response)
}

/// The key that verifies signed heads, as RFC 8037 writes it. Its id is the name and key id of the note's signature.
fn head_key(w: &mut Writer, key: &VerifierKey) {
    w.object(|w| {
        w.text("kty", "OKP");
        w.text("crv", "Ed25519");
        w.text("x", &URL_SAFE_NO_PAD.encode(key.bytes()));
        w.text("use", "sig");
        w.text("alg", "EdDSA");
        w.text("kid", &format!("{}+{:08x}", key.name(), u32::from_be_bytes(key.id())));
    });
}

/// The caller's row, read before a rotation, so that nothing but the log stands between it and its answer.
async fn own(app: &App, caller: &Caller) -> Result<ApplicationRow, ApiError> {
    app.fresh_views().await?.application(caller.id()).await?.ok_or_else(|| Code::ApplicationNotFound.into())
}

/// `POST /v1/applications/keys/rotate`: a new key pair; the private half is answered once. Webhooks use it at once.
async fn rotate(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let row = own(&app, &caller).await?;
    let key = jose::generate().map_err(|error| broken(&error))?;
    let command = RotateKey { caller: caller.id(), public_key: key.public.clone() };
    let done = app.engine().submit(command).await?;
    let Answer::Fresh(key_version) = done.answer else {
        return Err(Code::Unavailable.into());
    };
    let application = Application::new(ApplicationRow { public_key: key.public, key_version, ..row })?;
    let private_jwk = show::jwk(&key.private)?;
    let secrets = Secrets { private_jwk: Some(&private_jwk), ..Secrets::default() };
    let message = "Keys rotated. Store the appPrivateJwk – it is shown only once.";
    Ok(envelope::success(StatusCode::OK, message, done.recorded_at, |w| application.write(w, &secrets)))
}

/// `POST /v1/applications/webhook-secret/rotate`: a new webhook secret, answered once. The old one stops at once.
async fn rotate_secret(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let application = Application::new(own(&app, &caller).await?)?;
    let secret = secret::fresh();
    let webhook_secret = app.vault().seal_secret(secret.as_bytes()).map_err(|error| broken(&error))?;
    let done = app.engine().submit(RotateWebhookSecret { caller: caller.id(), webhook_secret }).await?;
    let secrets = Secrets { webhook_secret: Some(&secret), ..Secrets::default() };
    let message = "Webhook secret rotated. Store the webhookSecret – it is shown only once.";
    Ok(envelope::success(StatusCode::OK, message, done.recorded_at, |w| application.write(w, &secrets)))
}
