//! Why a command on claims is refused.

/// A refusal. The code in the documentation of each variant is the one of `idaas.md` 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such claim that the caller has a part in (`RES-3005`).
    #[error("Claim not found")]
    ClaimNotFound,
    /// No claim with this consent token (`RES-3006`).
    #[error("Claim not found with consent token")]
    ConsentNotFound,
    /// The tag is disabled (`STATE-5001`).
    #[error("Cannot claim a disabled tag")]
    TagDisabled,
    /// The subject has the claim already (`CONF-4004`).
    #[error("Subject already has an active claim on this tag")]
    AlreadyActive,
    /// The claim waits for consent already (`CONF-4005`).
    #[error("A pending claim for this subject/tag already exists")]
    AlreadyPending,
    /// The consent token's time is up (`STATE-5003`).
    #[error("Consent token has expired")]
    TokenExpired,
    /// The claim was approved, denied or revoked before (`CONF-4010`).
    #[error("Consent is no longer pending")]
    NotPending,
    /// The claim is over (`STATE-5005`).
    #[error("Only ACTIVE or PENDING claims can be revoked")]
    NotRevocable,
}
