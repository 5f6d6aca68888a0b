//! Commands on claims.

use crate::identity::TagQuery;
use crate::ids::{ApplicationId, ClaimId, SubjectId};
use crate::token::TokenHash;

/// Asks for consent to use a tag.
#[derive(Debug, Clone)]
pub struct RequestClaim {
    /// Who asks.
    pub caller: ApplicationId,
    /// Which tag.
    pub tag: TagQuery,
    /// For which of its subjects.
    pub subject: SubjectId,
    /// The number of the consent token, which opens nothing without the key of the platform.
    pub token: TokenHash,
}

/// Gives consent. Whoever holds the token may.
#[derive(Debug, Clone)]
pub struct ApproveClaim {
    /// The number of the consent token.
    pub token: TokenHash,
}

/// Refuses consent. Whoever holds the token may.
#[derive(Debug, Clone)]
pub struct DenyClaim {
    /// The number of the consent token.
    pub token: TokenHash,
}

/// Ends a claim.
#[derive(Debug, Clone)]
pub struct RevokeClaim {
    /// Who asks: the requesting application or the one that owns the tag.
    pub caller: ApplicationId,
    /// Which claim.
    pub claim: ClaimId,
}
