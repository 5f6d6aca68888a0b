//! Credentials for a token (`idaas.md` 2.1).

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::app::App;
use crate::http::auth::Digest;
use crate::http::body::{self, Media};
use crate::http::envelope;
use crate::http::error::{ApiError, Code};
use crate::http::fields::{Fields, parse_uuid};
use crate::http::query::{self, Query};

/// Characters of a client id or secret.
const LONGEST: usize = 1000;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/api/v1/auth/token", post(exchange))
}

/// A client id with its secret. The secret is never printed.
struct Credentials {
    id: String,
    secret: String,
}

/// `POST /v1/auth/token`: a token for `client_id` and `client_secret`, taken from the body (JSON or form), else from the
/// query, else from HTTP Basic. Public.
async fn exchange(State(app): State<App>, query: Query, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let given = credentials(&app, &parts.headers, body, query).await?;
    let digest = Digest::of(given.secret.as_bytes());
    let known = parse_uuid(&given.id)
        .and_then(|id| app.engine().directory().by_client(flexledger_domain::ids::ClientId::from_uuid(id)));
    // An unknown id costs the same comparison as a wrong secret.
    let nobody = "0".repeat(64);
    let right = digest.matches_hex(known.as_ref().map_or(&nobody, |info| &info.secret_hash));
    let info = known.filter(|info| right && info.active).ok_or(Code::BadCredentials)?;
    let now = app.now();
    let issued = app.tokens().issue(info.id, app.settings().admin_applications.contains(&info.id), now)?;
    Ok(envelope::success(StatusCode::OK, "Token issued", now, |w| {
        w.object(|w| {
            w.text("token", &issued.token);
            w.count("expiresAt", issued.expires_at);
            w.uuid("subjectId", info.id.uuid());
        });
    }))
}

async fn credentials(app: &App, headers: &HeaderMap, body: Body, query: Query) -> Result<Credentials, ApiError> {
    let bytes = body::read(headers, body).await?;
    let mut in_query = query.into_pairs();
    in_query.retain(|(name, _)| name == "client_id" || name == "client_secret");
    if bytes.is_empty() {
        return match basic(headers)? {
            Some(pair) if in_query.is_empty() => Ok(pair),
            _ => pick(Fields::of_pairs(in_query)),
        };
    }
    match Media::of(headers) {
        Media::Json => {
            let bytes = body::open(app, headers, bytes, false)?;
            pick(Fields::parse(&bytes)?.or_pairs(in_query))
        }
        Media::Form => {
            let text = std::str::from_utf8(&bytes).map_err(|_| ApiError::invalid("form is not UTF-8"))?;
            let mut pairs = query::pairs(text)?;
            pairs.extend(in_query);
            pick(Fields::of_pairs(pairs))
        }
        Media::Other => Err(Code::UnsupportedMedia.into()),
    }
}

fn pick(mut fields: Fields<'_>) -> Result<Credentials, ApiError> {
    let id = fields.required_text("client_id", LONGEST).map(std::borrow::Cow::into_owned);
    let secret = fields.required_text("client_secret", LONGEST).map(std::borrow::Cow::into_owned);
    fields.finish()?;
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Credentials { id, secret }),
        _ => Err(Code::Invalid.into()),
    }
}

/// The pair of an `Authorization: Basic` header. Other schemes are ignored: the route is public.
fn basic(headers: &HeaderMap) -> Result<Option<Credentials>, ApiError> {
    let Some((scheme, text)) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' ')) else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let decoded = STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.as_deref().and_then(|pair| pair.split_once(':'));
    let (id, secret) = pair.ok_or(Code::BadCredentials)?;
    Ok(Some(Credentials { id: id.to_owned(), secret: secret.to_owned() }))
}
