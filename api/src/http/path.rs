//! Reads the parts of a path and the query string, with errors of the contract.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use flexledger_domain::Date;
use flexledger_domain::identity::TagQuery;
use uuid::Uuid;

use super::error::{ApiError, Code};
use super::fields::parse_uuid;
use super::query::Query;
use crate::app::App;

/// The one variable part of a path, decoded.
pub struct Segment(pub String);

impl FromRequestParts<App> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::invalid("path is not percent-encoded UTF-8"))?;
        let value = params.iter().next().map(|(_, value)| value.to_owned());
        value.map(Segment).ok_or_else(|| Code::NotFound.into())
    }
}

impl Segment {
    /// The part as a UUID.
    ///
    /// # Errors
    /// `VALID-2001`.
    pub fn uuid(&self) -> Result<Uuid, ApiError> {
        parse_uuid(&self.0).ok_or_else(|| ApiError::invalid("id must be a UUID"))
    }

    /// The part as a tag; one that cannot exist is not found.
    ///
    /// # Errors
    /// `RES-3004`.
    pub fn tag(&self) -> Result<TagQuery, ApiError> {
        TagQuery::parse(&self.0).map_err(|_| Code::TagNotFound.into())
    }

    /// The part as the reference of a payment; one that cannot exist is not found.
    ///
    /// # Errors
    /// `RES-3010`.
    pub fn reference(&self) -> Result<flexledger_domain::Reference, ApiError> {
        self.0.parse().map_err(|_| Code::TransactionNotFound.into())
    }

    /// The part as a date.
    ///
    /// # Errors
    /// `VALID-2001`.
    pub fn date(&self) -> Result<Date, ApiError> {
        read_date(&self.0)
    }
}

/// Reads `YYYY-MM-DD`.
///
/// # Errors
/// `VALID-2001`.
pub fn read_date(text: &str) -> Result<Date, ApiError> {
    Date::parse(text).map_err(|_| ApiError::invalid("date must be YYYY-MM-DD"))
}

impl FromRequestParts<App> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Query::parse(parts.uri.query())
    }
}
