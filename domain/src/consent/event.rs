//! Events of claims. Field names stand in sorted order: it is the order in the log.

use serde::{Deserialize, Serialize};

use crate::event::{events, plain_body};
use crate::ids::{ApplicationId, ClaimId, SubjectId, TagId};
use crate::time::Instant;
use crate::token::TokenHash;

/// An application asked for consent to use a tag for one of its subjects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRequested {
    /// Who asked.
    pub application: ApplicationId,
    /// Until when the token works.
    pub expires_at: Instant,
    /// For whom; a subject of the application.
    pub subject: SubjectId,
    /// The tag.
    pub tag: TagId,
    /// The number of the consent token.
    pub token: TokenHash,
}

/// Consent was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimApproved {}

/// Consent was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimDenied {}

/// The claim was ended by one of its two sides, which the actor names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRevoked {}

plain_body! {
    ClaimRequested;
    ClaimApproved;
    ClaimDenied;
    ClaimRevoked;
}

events! {
    /// What happens to claims on tags.
    ConsentEvent {
        /// A claim waits for consent.
        Requested(Claim ClaimId, ClaimRequested) = "claim.requested";
        /// A claim became active.
        Approved(Claim ClaimId, ClaimApproved) = "claim.approved";
        /// A claim was refused.
        Denied(Claim ClaimId, ClaimDenied) = "claim.denied";
        /// A claim was ended.
        Revoked(Claim ClaimId, ClaimRevoked) = "claim.revoked";
    }
}
