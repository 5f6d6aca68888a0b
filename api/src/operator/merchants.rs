//! Merchants that may ask for payments (`idaas.md` 19).

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flexledger_commands::Answer;
use flexledger_domain::ids::MerchantId;
use flexledger_domain::merchants::{MerchantEvent, RegisterMerchant};
use flexledger_domain::{Event, Recorded};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;

use super::auditors::key;
use crate::app::App;
use crate::http::auth::Operator;
use crate::http::body::PublicBody;
use crate::http::envelope::{self, REPLAYED};
use crate::http::error::{ApiError, Code};
use crate::http::fields::Fields;
use crate::http::secret;
use crate::http::write::Writer;

/// Characters of a merchant's name at most.
const LONGEST_NAME: usize = 150;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/idaas/merchants", post(register))
}

/// `POST /operator/v1/idaas/merchants`: 201 with what the merchant shows with each of its calls.
async fn register(
    State(app): State<App>,
    _: Operator,
    headers: HeaderMap,
    PublicBody(body): PublicBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::parse(&body)?;
    let name = fields.required_text("name", LONGEST_NAME).map(Arc::from);
    let tag = fields.required_tag("tag");
    let idempotency = key(&headers, &mut fields);
    fields.finish()?;
    let (Some(name), Some(tag)) = (name, tag) else {
        return Err(Code::Invalid.into());
    };
    let id = MerchantId::from_uuid(uuid::Builder::from_random_bytes(rand::random()).into_uuid());
    let location: Arc<str> = format!("loc-{:016x}", rand::random::<u64>()).into();
    let digest = secret::digest(&api_key(&app, id)?);
    let command = RegisterMerchant { id, name, tag, key: digest, location: location.clone(), idempotency };
    let done = app.engine().submit(command).await?;
    let (id, location, replayed) = match done.answer {
        Answer::Fresh(()) => (id, location, false),
        Answer::Replayed(events) => {
            let (id, location) = first_registered(&events).ok_or(Code::KeyConflict)?;
            (id, location, true)
        }
    };
    let api_key = api_key(&app, id)?;
    let mut writer = Writer::with_capacity(256);
    writer.object(|w| {
        w.uuid("client_id", id.uuid());
        w.text("api_key", &api_key);
        w.text("location", &location);
    });
    let mut response = envelope::json(StatusCode::CREATED, writer);
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The key of a merchant follows from the platform's key and the merchant's id, so that a repeated call is answered as
/// the first was although the key is kept nowhere.
fn api_key(app: &App, id: MerchantId) -> Result<String, ApiError> {
    let mac = Hmac::<Sha256>::new_from_slice(app.vault().token_key());
    let mac = mac.map_err(|_| ApiError::new(Code::Internal))?;
    let digest = mac.chain_update(b"flexledger/merchant\0").chain_update(id.uuid().as_bytes()).finalize();
    Ok(URL_SAFE_NO_PAD.encode(digest.into_bytes()))
}

fn first_registered(events: &[Recorded]) -> Option<(MerchantId, Arc<str>)> {
    events.iter().find_map(|recorded| match &recorded.event {
        Event::Merchant(MerchantEvent::Registered(id, body)) => Some((*id, body.location.clone())),
        _ => None,
    })
}
