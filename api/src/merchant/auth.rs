//! Which merchant calls: its keys stand in headers.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use flexledger_commands::MerchantInfo;
use flexledger_domain::ids::MerchantId;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::http::error::{ApiError, Code};
use crate::http::fields::parse_uuid;
use crate::http::secret;

/// A header under its name of today, or of before.
fn header<'h>(headers: &'h HeaderMap, [name, older]: [&str; 2]) -> Result<&'h str, ApiError> {
    let value = headers.get(name).or_else(|| headers.get(older)).and_then(|value| value.to_str().ok());
    let value = value.map(str::trim).filter(|text| !text.is_empty());
    value.ok_or_else(|| ApiError::invalid(format!("{name} header is required")))
}

/// The merchant that calls, by its id and key.
pub struct Merchant(pub Arc<MerchantInfo>);

impl FromRequestParts<App> for Merchant {
    type Rejection = ApiError;

    /// Reads no database. Missing headers 400, an unknown id 404, a wrong key 401.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let id = header(&parts.headers, ["x-client-id", "r-merchant-id"])?;
        let key = secret::digest(header(&parts.headers, ["x-api-key", "r-api-key"])?);
        let known = parse_uuid(id).and_then(|id| app.engine().directory().merchant(MerchantId::from_uuid(id)));
        let merchant =
            known.ok_or_else(|| ApiError { errors: vec!["Merchant not found".to_owned()], ..Code::NotFound.into() })?;
        let right: bool = merchant.key.bytes().ct_eq(key.bytes()).into();
        if right { Ok(Merchant(merchant)) } else { Err(Code::BadCredentials.into()) }
    }
}

/// The merchant that calls, by its id, key and location.
pub struct Located(pub Arc<MerchantInfo>);

impl FromRequestParts<App> for Located {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Merchant(merchant) = Merchant::from_request_parts(parts, app).await?;
        let location = header(&parts.headers, ["x-location", "r-location"])?;
        if *location == *merchant.location { Ok(Located(merchant)) } else { Err(Code::BadCredentials.into()) }
    }
}
