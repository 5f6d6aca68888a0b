//! Why a command on federation links is refused.

/// A refusal. The code in the documentation of each variant is the one of `idaas.md` 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A tag cannot be linked with itself (`VALID-2001`).
    #[error("secondaryTag must differ from the tag")]
    SameTag,
    /// A live link to the same target exists (`CONF-4011`).
    #[error("A live federation link to this target already exists")]
    LinkExists,
    /// No link with this challenge (`RES-3008`).
    #[error("IdentityLink not found with challenge token")]
    ChallengeNotFound,
    /// The challenge lapsed, or was used, or its link was revoked (`STATE-5004`).
    #[error("Challenge is no longer valid")]
    ChallengeOver,
    /// No such link (`RES-3007`).
    #[error("IdentityLink not found")]
    LinkNotFound,
    /// The caller has no part in the link, or not this one (`AUTH-1008`).
    #[error("Identity link is not associated with the calling application")]
    NotParty,
}
