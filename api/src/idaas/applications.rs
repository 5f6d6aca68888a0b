//! Tenants: register, list, read, switch off (`idaas.md` 3).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, patch};
use flexledger_domain::identity::{DeactivateApplication, Handle, RegisterApplication};
use flexledger_domain::ids::{ApplicationId, ClientId};
use flexledger_projections::ApplicationRow;

use super::fresh_uuid;
use super::show::{self, Application, Secrets};
use crate::app::App;
use crate::http::auth::{Caller, Digest};
use crate::http::body::PublicBody;
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::fields::Fields;
use crate::http::path::Segment;
use crate::http::secret;
use crate::http::target;
use crate::jose;

const REGISTERED: &str = "Application registered successfully. Store the clientSecret/webhookSecret/appPrivateJwk – they are shown only once.";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/applications", get(list).post(register))
        .route("/api/v1/applications/{id}", get(read))
        .route("/api/v1/applications/{id}/deactivate", patch(deactivate))
}

/// What a registration asks for.
struct Wanted {
    name: Arc<str>,
    handle: Handle,
    webhook_url: Option<Arc<str>>,
    redirect_uris: Option<String>,
    metadata: Option<String>,
}

fn read_registration(app: &App, body: &[u8]) -> Result<Wanted, ApiError> {
    let insecure = app.settings().allow_insecure;
    let mut fields = Fields::parse(body)?;
    let name = fields.required_text("name", 150);
    if name.as_ref().is_some_and(|name| name.chars().count() < 2) {
        fields.problem("name", "must be at least 2 characters");
    }
    let handle = fields.required_text("appHandle", 255);
    let handle = handle.and_then(|text| Handle::new(&text).map_err(|error| fields.problem("appHandle", error)).ok());
    let webhook_url = fields.optional_url("transactionWebhookUrl", 500, insecure);
    let redirect_uris = fields.optional_text("redirectUris", 2000);
    for uri in redirect_uris.as_deref().unwrap_or_default().split_whitespace() {
        if let Err(error) = target::judge(uri, insecure) {
            fields.problem("redirectUris", error);
        }
    }
    let metadata = fields.optional_object("metadata");
    fields.finish()?;
    let (Some(name), Some(handle)) = (name, handle) else {
        return Err(Code::Invalid.into());
    };
    let redirect_uris = redirect_uris.map(std::borrow::Cow::into_owned);
    Ok(Wanted { name: name.into(), handle, webhook_url, redirect_uris, metadata })
}

/// `POST /v1/applications`: registers a tenant. Public. 201 with the secrets, this once.
async fn register(State(app): State<App>, PublicBody(body): PublicBody) -> Result<Response, ApiError> {
    let wanted = read_registration(&app, &body)?;
    let (client_secret, webhook_secret) = (secret::fresh(), secret::fresh());
    let broken = |error: &dyn std::error::Error| {
        tracing::error!(%error, "api.registration_failed");
        ApiError::new(Code::Internal)
    };
    let key = jose::generate().map_err(|error| broken(&error))?;
    let sealed = app.vault().seal_secret(webhook_secret.as_bytes()).map_err(|error| broken(&error))?;
    let mut row = ApplicationRow {
        id: ApplicationId::from_uuid(fresh_uuid()),
        client: ClientId::from_uuid(fresh_uuid()),
        name: wanted.name,
        handle: wanted.handle.as_str().into(),
        active: true,
        redirect_uris: wanted.redirect_uris,
        webhook_url: wanted.webhook_url.as_deref().map(str::to_owned),
        metadata: wanted.metadata,
        public_key: key.public,
        encryption_enabled: true,
        key_version: 1,
        created_at: app.now(),
    };
    let command = RegisterApplication {
        id: row.id,
        client: row.client,
        name: row.name.clone(),
        handle: wanted.handle,
        webhook_url: wanted.webhook_url,
        redirect_uris: row.redirect_uris.clone(),
        metadata: row.metadata.clone(),
        secret_hash: Digest::of(client_secret.as_bytes()).hex(),
        webhook_secret: sealed,
        public_key: row.public_key.clone(),
    };
    let done = app.engine().submit(command).await?;
    row.created_at = done.recorded_at;
    let private_jwk = show::jwk(&key.private)?;
    let application = Application::new(row)?;
    let secrets = Secrets {
        client_secret: Some(&client_secret),
        webhook_secret: Some(&webhook_secret),
        private_jwk: Some(&private_jwk),
    };
    Ok(envelope::success(StatusCode::CREATED, REGISTERED, done.recorded_at, |w| application.write(w, &secrets)))
}

/// `GET /v1/applications`: the caller alone; everybody for an administrator.
async fn list(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let only = (!caller.admin).then_some(caller.id());
    let rows = app.fresh_views().await?.applications(only).await?;
    let all = rows.into_iter().map(Application::new).collect::<Result<Vec<_>, _>>()?;
    Ok(envelope::success(StatusCode::OK, "Applications found", app.now(), |w| {
        w.array(&all, |w, one| one.write(w, &Secrets::default()));
    }))
}

/// `GET /v1/applications/{id}`: the caller itself, or anybody for an administrator.
async fn read(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let id = ApplicationId::from_uuid(path.uuid()?);
    if id != caller.id() && !caller.admin {
        return Err(Code::ApplicationNotFound.into());
    }
    let row = app.fresh_views().await?.application(id).await?.ok_or(Code::ApplicationNotFound)?;
    let application = Application::new(row)?;
    Ok(envelope::success(StatusCode::OK, "Application found", app.now(), |w| {
        application.write(w, &Secrets::default());
    }))
}

/// `PATCH /v1/applications/{id}/deactivate`: switches a tenant off; its tokens stop at once. Again is fine.
async fn deactivate(State(app): State<App>, caller: Caller, path: Segment) -> Result<Response, ApiError> {
    let application = ApplicationId::from_uuid(path.uuid()?);
    let command = DeactivateApplication { caller: caller.id(), admin: caller.admin, application };
    let done = app.engine().submit(command).await?;
    Ok(envelope::done("Application deactivated", done.recorded_at))
}
