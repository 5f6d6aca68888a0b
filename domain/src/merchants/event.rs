//! Events of merchants and payment requests. Field names stand in sorted order: it is the order in the log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::RequestNumber;
use crate::event::{events, plain_body};
use crate::ids::{MerchantId, Reference, TagId};
use crate::money::Money;
use crate::personal::Personal;
use crate::time::Instant;
use crate::token::TokenHash;

/// A merchant was made known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerchantRegistered {
    /// The digest of its API key.
    pub key: TokenHash,
    /// The name of its location.
    pub location: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The tag that its requests are paid to.
    pub tag: TagId,
}

/// A merchant asked a payer for money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCreated {
    /// What for. Belongs to the subject of the merchant's tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Personal>,
    /// Until when it can be paid.
    pub expires_at: Instant,
    /// Who asked.
    pub merchant: MerchantId,
    /// A JSON object as text. Belongs to the subject of the merchant's tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Personal>,
    /// How much.
    pub money: Money,
    /// Who is to be paid.
    pub payee: TagId,
    /// Who was asked.
    pub payer: TagId,
    /// The merchant's name of the request.
    pub reference: Arc<str>,
}

/// A request was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestAccepted {
    /// The payment.
    pub transaction: Reference,
}

/// A request was turned down by the payer's application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestDeclined {}

/// A request was taken back by its merchant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCancelled {}

/// A request was not paid in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestExpired {}

plain_body! {
    MerchantRegistered;
    RequestCreated personal comment, metadata;
    RequestAccepted;
    RequestDeclined;
    RequestCancelled;
    RequestExpired;
}

events! {
    /// What happens to merchants and payment requests.
    MerchantEvent {
        /// A merchant was made known.
        Registered(Merchant MerchantId, MerchantRegistered) = "merchant.registered";
        /// A request waits for its payer.
        Created(PaymentRequest RequestNumber, RequestCreated) = "payment_request.created";
        /// A request is paid.
        Accepted(PaymentRequest RequestNumber, RequestAccepted) = "payment_request.accepted";
        /// A request was turned down.
        Declined(PaymentRequest RequestNumber, RequestDeclined) = "payment_request.declined";
        /// A request was taken back.
        Cancelled(PaymentRequest RequestNumber, RequestCancelled) = "payment_request.cancelled";
        /// A request lapsed.
        Expired(PaymentRequest RequestNumber, RequestExpired) = "payment_request.expired";
    }
}
