//! The one table of errors of the payment API (`idaas.md` 15), and the one way they reach the wire.
//!
//! A handler returns an [`ApiError`]. It travels as an extension of an empty response to the edge of the router, which
//! alone knows the request id, the names and the clock, and writes the envelope there.

use std::fmt;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use flexledger_commands::Failure;
use flexledger_domain::{Refusal, access, consent, federation, identity, merchants, payments, settlement};

/// Seconds after which a caller may try again when the service cannot answer now.
pub const RETRY_AFTER_SECONDS: u32 = 1;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $group:literal, $number:literal, $status:ident, $message:literal;)*) => {
        /// A stable error code. The variant's documentation says when it is used.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The code without its prefix, for example `VALID-2001`.
            #[must_use]
            pub fn suffix(self) -> &'static str {
                match self { $(Code::$name => concat!($group, "-", $number),)* }
            }

            /// The status that it is sent with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$status,)* }
            }

            /// The text that goes with it.
            #[must_use]
            pub fn message(self) -> &'static str {
                match self { $(Code::$name => $message,)* }
            }
        }
    };
}

codes! {
    /// No bearer token.
    Unauthenticated = "AUTH", "1001", UNAUTHORIZED, "Authentication required";
    /// A token that is malformed, forged or expired.
    InvalidToken = "AUTH", "1002", UNAUTHORIZED, "Invalid JWT";
    /// The token's application was deactivated.
    RevokedToken = "AUTH", "1003", UNAUTHORIZED, "Token has been revoked";
    /// Wrong credentials in a token exchange.
    BadCredentials = "AUTH", "1004", UNAUTHORIZED, "Authentication failed";
    /// The token names no application.
    UnknownCaller = "AUTH", "1005", UNAUTHORIZED, "Application not found";
    /// Authenticated, but not allowed.
    Denied = "AUTH", "1006", FORBIDDEN, "Access denied";
    /// Only the receiver may do this to a payment.
    NotReceiver = "AUTH", "1007", FORBIDDEN, "Transaction is not addressed to the calling application";
    /// Only a party may do this to a link.
    NotLinkParty = "AUTH", "1008", FORBIDDEN, "Identity link is not associated with the calling application";
    /// Something in the request is missing, malformed or out of range.
    Invalid = "VALID", "2001", BAD_REQUEST, "Validation failed";
    /// A search without a keyword.
    KeywordMissing = "VALID", "2002", BAD_REQUEST, "keyword is required";
    /// A search with a keyword of one character.
    KeywordShort = "VALID", "2003", BAD_REQUEST, "keyword must be at least 2 characters";
    /// A body that is not declared as JSON.
    UnsupportedMedia = "VALID", "2004", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
    /// An encrypted body that cannot be opened.
    NotDecrypted = "VALID", "2005", BAD_REQUEST, "Decryption failed";
    /// The path exists, but not with this method. An extension.
    MethodNotAllowed = "VALID", "2006", METHOD_NOT_ALLOWED, "Method not allowed";
    /// A body over the limit. An extension.
    TooLarge = "VALID", "2007", PAYLOAD_TOO_LARGE, "Request body is too large";
    /// A body that did not arrive in time. An extension.
    TooSlow = "VALID", "2008", REQUEST_TIMEOUT, "Request body did not arrive in time";
    /// No such application.
    ApplicationNotFound = "RES", "3001", NOT_FOUND, "Application not found";
    /// No such subject of the caller.
    SubjectNotFound = "RES", "3002", NOT_FOUND, "Subject not found";
    /// No subject of the caller with this external id.
    ExternalIdNotFound = "RES", "3003", NOT_FOUND, "Subject not found with external ID";
    /// No such tag.
    TagNotFound = "RES", "3004", NOT_FOUND, "Tag not found";
    /// No such claim.
    ClaimNotFound = "RES", "3005", NOT_FOUND, "Claim not found";
    /// No claim with this consent token.
    ConsentNotFound = "RES", "3006", NOT_FOUND, "Claim not found with consent token";
    /// No such federation link.
    LinkNotFound = "RES", "3007", NOT_FOUND, "IdentityLink not found";
    /// No federation link with this challenge token.
    ChallengeNotFound = "RES", "3008", NOT_FOUND, "IdentityLink not found with challenge token";
    /// The tag was never federated.
    FederationNotFound = "RES", "3009", NOT_FOUND, "FederatedIdentity not found";
    /// No such payment that the caller may see.
    TransactionNotFound = "RES", "3010", NOT_FOUND, "Transaction not found";
    /// The caller has no account in this currency.
    WalletNotFound = "RES", "3011", NOT_FOUND, "ApplicationWallet not found";
    /// Nothing else is there either.
    NotFound = "RES", "3012", NOT_FOUND, "Resource not found";
    /// The address is taken.
    AddressTaken = "CONF", "4001", CONFLICT, "Tag already exists";
    /// The caller has a tag of this name.
    TagTaken = "CONF", "4002", CONFLICT, "Your application already has a tag with this name";
    /// The caller has a subject with this external id.
    ExternalIdTaken = "CONF", "4003", CONFLICT, "Subject already exists with this external ID";
    /// The subject has the claim already.
    ClaimActive = "CONF", "4004", CONFLICT, "Subject already has an active claim on this tag";
    /// The claim is waiting already.
    ClaimPending = "CONF", "4005", CONFLICT, "A pending claim for this subject/tag already exists";
    /// Several applications have a tag of this name. An extension; `errors` lists the addresses.
    Ambiguous = "CONF", "4006", CONFLICT, "Tag name is ambiguous; use a qualified address";
    /// An application has this name. An extension.
    NameTaken = "CONF", "4007", CONFLICT, "Application already exists with this name";
    /// An application has this handle. An extension.
    HandleTaken = "CONF", "4008", CONFLICT, "Application already exists with this appHandle";
    /// The key was used for another request. An extension.
    KeyConflict = "CONF", "4009", CONFLICT, "Idempotency key was used for a different request";
    /// The consent is no longer pending. An extension.
    ConsentOver = "CONF", "4010", CONFLICT, "Consent is no longer pending";
    /// A live link to that target exists. An extension.
    LinkExists = "CONF", "4011", CONFLICT, "A live federation link to this target already exists";
    /// A payment request that is over already, or shares its reference with another. An extension.
    RequestConflict = "CONF", "4012", CONFLICT, "Payment request is not open under this reference";
    /// A claim on a disabled tag.
    ClaimDisabledTag = "STATE", "5001", UNPROCESSABLE_ENTITY, "Cannot claim a disabled tag";
    /// A subject of another application.
    SubjectForeign = "STATE", "5002", UNPROCESSABLE_ENTITY, "Subject does not belong to the calling application";
    /// A consent token past its time.
    ConsentExpired = "STATE", "5003", UNPROCESSABLE_ENTITY, "Consent token has expired";
    /// A challenge that lapsed or was used.
    ChallengeOver = "STATE", "5004", UNPROCESSABLE_ENTITY, "Challenge is no longer valid";
    /// A claim that is over already.
    ClaimOver = "STATE", "5005", UNPROCESSABLE_ENTITY, "Only ACTIVE or PENDING claims can be revoked";
    /// A transfer to somebody without a claim.
    NoClaim = "STATE", "5006", UNPROCESSABLE_ENTITY, "New owner must have an active claim on this tag before transfer";
    /// A payment that is over already.
    NotAwaiting = "STATE", "5007", CONFLICT, "Transaction is not in AWAITING_ACCEPTANCE state";
    /// A payment whose time was up.
    Expired = "STATE", "5008", UNPROCESSABLE_ENTITY, "Transaction has expired";
    /// A disabled tag or an inactive application. An extension.
    Unusable = "STATE", "5009", UNPROCESSABLE_ENTITY, "Tag is disabled or its application is inactive";
    /// A payment request whose time was up. An extension.
    RequestExpired = "STATE", "5010", UNPROCESSABLE_ENTITY, "Payment request has expired";
    /// A moment, a range or a proof that the log does not reach. An extension, for auditors.
    BeyondLog = "STATE", "5011", UNPROCESSABLE_ENTITY, "Beyond the end of the log";
    /// Something that would write, while the past is served. An extension.
    ReadOnly = "STATE", "5012", CONFLICT, "The ledger is served as it was; nothing can be written";
    /// Too many calls.
    Throttled = "RATE", "6001", TOO_MANY_REQUESTS, "Rate limit exceeded. Retry later.";
    /// A fault of this side.
    Internal = "SYS", "9001", INTERNAL_SERVER_ERROR, "An unexpected error occurred";
    /// A body that is no JWE of the right kind.
    BadJwe = "SYS", "9002", BAD_REQUEST, "JWE decryption error";
    /// Not ready, too busy, or unable to write. An extension.
    Unavailable = "SYS", "9003", SERVICE_UNAVAILABLE, "Service temporarily unavailable";
}

/// An error on its way to the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Which.
    pub code: Code,
    /// One line per problem. Never holds personal text or secrets.
    pub errors: Vec<String>,
    /// Seconds after which the caller may try again; sent as `Retry-After`.
    pub retry_after: Option<u32>,
}

impl ApiError {
    /// The error with the text of the table only.
    #[must_use]
    pub fn new(code: Code) -> Self {
        let retry_after = (code == Code::Unavailable).then_some(RETRY_AFTER_SECONDS);
        ApiError { code, errors: Vec::new(), retry_after }
    }

    /// `VALID-2001` with one problem.
    #[must_use]
    pub fn invalid(problem: impl Into<String>) -> Self {
        ApiError { code: Code::Invalid, errors: vec![problem.into()], retry_after: None }
    }

    /// `AUTH-1002` for a token that is no JWT.
    #[must_use]
    pub fn not_token(problem: &str) -> Self {
        ApiError { errors: vec![problem.to_owned()], ..ApiError::new(Code::InvalidToken) }
    }

    /// Over the limit; the text names the seconds until there is room again.
    #[must_use]
    pub fn throttled(seconds: u32) -> Self {
        ApiError { code: Code::Throttled, errors: Vec::new(), retry_after: Some(seconds) }
    }

    /// The text of `message`.
    #[must_use]
    pub fn message(&self) -> std::borrow::Cow<'static, str> {
        match (self.code, self.retry_after) {
            (Code::Throttled, Some(seconds)) => format!("Rate limit exceeded. Retry after {seconds} seconds.").into(),
            _ => self.code.message().into(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.suffix(), self.message())
    }
}

impl std::error::Error for ApiError {}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        ApiError::new(code)
    }
}

impl IntoResponse for ApiError {
    /// An empty response that carries the error; the edge of the router writes the body.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<identity::Refusal> for ApiError {
    fn from(refusal: identity::Refusal) -> Self {
        use identity::Refusal as R;
        let code = match refusal {
            R::TagAmbiguous(addresses) => {
                return ApiError { errors: addresses, ..ApiError::new(Code::Ambiguous) };
            }
            R::ApplicationNotFound => Code::ApplicationNotFound,
            R::NameTaken => Code::NameTaken,
            R::HandleTaken => Code::HandleTaken,
            R::Denied => Code::Denied,
            R::SubjectNotFound => Code::SubjectNotFound,
            R::SubjectForeign => Code::SubjectForeign,
            R::ExternalIdTaken => Code::ExternalIdTaken,
            R::TagNotFound => Code::TagNotFound,
            R::TagExists => Code::TagTaken,
            R::NoClaim => Code::NoClaim,
        };
        code.into()
    }
}

impl From<payments::Refusal> for ApiError {
    fn from(refusal: payments::Refusal) -> Self {
        use payments::Refusal as R;
        let code = match refusal {
            R::SameTag | R::TooLarge => return ApiError::invalid(refusal.to_string()),
            R::SenderForeign => Code::Denied,
            R::Unusable => Code::Unusable,
            R::NotOpen | R::NotFound => Code::TransactionNotFound,
            R::NotReceiver => Code::NotReceiver,
            R::NotAwaiting => Code::NotAwaiting,
            R::Expired => Code::Expired,
            R::KeyConflict => Code::KeyConflict,
            R::WalletNotFound => Code::WalletNotFound,
        };
        code.into()
    }
}

impl From<settlement::Refusal> for ApiError {
    fn from(refusal: settlement::Refusal) -> Self {
        match refusal {
            settlement::Refusal::Future => ApiError::invalid(refusal.to_string()),
            settlement::Refusal::Unequal => {
                ApiError { errors: vec![refusal.to_string()], ..ApiError::new(Code::Internal) }
            }
        }
    }
}

impl From<consent::Refusal> for ApiError {
    fn from(refusal: consent::Refusal) -> Self {
        use consent::Refusal as R;
        let code = match refusal {
            R::ClaimNotFound => Code::ClaimNotFound,
            R::ConsentNotFound => Code::ConsentNotFound,
            R::TagDisabled => Code::ClaimDisabledTag,
            R::AlreadyActive => Code::ClaimActive,
            R::AlreadyPending => Code::ClaimPending,
            R::TokenExpired => Code::ConsentExpired,
            R::NotPending => Code::ConsentOver,
            R::NotRevocable => Code::ClaimOver,
        };
        code.into()
    }
}

impl From<federation::Refusal> for ApiError {
    fn from(refusal: federation::Refusal) -> Self {
        use federation::Refusal as R;
        let code = match refusal {
            R::SameTag => return ApiError::invalid(refusal.to_string()),
            R::LinkExists => Code::LinkExists,
            R::ChallengeNotFound => Code::ChallengeNotFound,
            R::ChallengeOver => Code::ChallengeOver,
            R::LinkNotFound => Code::LinkNotFound,
            R::NotParty => Code::NotLinkParty,
        };
        code.into()
    }
}

impl From<merchants::Refusal> for ApiError {
    /// As the payer's application sees it: it calls under `/api` and gets the envelope.
    fn from(refusal: merchants::Refusal) -> Self {
        use merchants::Refusal as R;
        let code = match refusal {
            R::SameTag => return ApiError::invalid(refusal.to_string()),
            R::MerchantNotFound | R::RequestNotFound => Code::NotFound,
            R::MerchantExists | R::ReferenceTaken | R::ReferenceAmbiguous | R::NotPending => Code::RequestConflict,
            R::Expired => Code::RequestExpired,
        };
        ApiError { errors: vec![refusal.to_string()], ..ApiError::new(code) }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Identity(refusal) => refusal.into(),
            Refusal::Payment(refusal) => refusal.into(),
            Refusal::Settlement(refusal) => refusal.into(),
            Refusal::Consent(refusal) => refusal.into(),
            Refusal::Federation(refusal) => refusal.into(),
            Refusal::Merchant(refusal) => refusal.into(),
            Refusal::Access(access::Refusal::AuditorNotFound) => Code::NotFound.into(),
        }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Busy | Failure::Unavailable => Code::Unavailable.into(),
        }
    }
}
