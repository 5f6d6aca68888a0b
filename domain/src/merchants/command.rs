//! Commands on merchants and their payment requests.

use std::sync::Arc;

use super::{Request, RequestNumber};
use crate::event::Idempotency;
use crate::identity::TagQuery;
use crate::ids::{ApplicationId, MerchantId};
use crate::money::Money;
use crate::payments::Payment;
use crate::time::Span;
use crate::token::TokenHash;

/// Makes a merchant known (`operations.md` 3).
#[derive(Debug, Clone)]
pub struct RegisterMerchant {
    /// Its new id.
    pub id: MerchantId,
    /// Its name, 1 to 150 characters.
    pub name: Arc<str>,
    /// The tag that its requests are paid to.
    pub tag: TagQuery,
    /// The digest of its API key.
    pub key: TokenHash,
    /// The name of its location, which it shows with each call.
    pub location: Arc<str>,
    /// The key under which it may be repeated.
    pub idempotency: Option<Idempotency>,
}

/// Asks a payer for money.
#[derive(Clone)]
pub struct CreateRequest {
    /// Who asks.
    pub merchant: MerchantId,
    /// Whose tag is asked.
    pub payer: TagQuery,
    /// How much; above zero.
    pub money: Money,
    /// The merchant's own name of the request, 1 to 100 characters; made up when absent.
    pub reference: Option<Arc<str>>,
    /// What for, at most 250 characters.
    pub comment: Option<Arc<str>>,
    /// A JSON object as text.
    pub metadata: Option<Arc<str>>,
    /// How long it can be paid, at least 2 minutes.
    pub duration: Span,
}

/// Pays a request.
#[derive(Debug, Clone)]
pub struct AcceptRequest {
    /// Who asks; must be the payer's application.
    pub caller: ApplicationId,
    /// The request's reference.
    pub reference: Arc<str>,
}

/// Turns a request down.
#[derive(Debug, Clone)]
pub struct DeclineRequest {
    /// Who asks; must be the payer's application.
    pub caller: ApplicationId,
    /// The request's reference.
    pub reference: Arc<str>,
}

/// Takes a request back.
#[derive(Debug, Clone)]
pub struct CancelRequest {
    /// Who asks; must be the merchant that made it.
    pub merchant: MerchantId,
    /// The request's reference.
    pub reference: Arc<str>,
}

/// Ends a request whose time is up. Given by the expiry clock.
#[derive(Debug, Clone)]
pub struct ExpireRequest {
    /// Which request.
    pub number: RequestNumber,
}

/// What paying a request made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// The request, accepted.
    pub request: Request,
    /// The payment, completed.
    pub payment: Payment,
}
