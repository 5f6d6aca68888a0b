//! Why a command on applications, subjects or tags is refused.

/// A refusal. The code in the documentation of each variant is the one of `idaas.md` 15.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such application (`RES-3001`).
    #[error("Application not found")]
    ApplicationNotFound,
    /// Another application has this name (`CONF-4007`).
    #[error("Application name is taken")]
    NameTaken,
    /// Another application has this handle (`CONF-4008`).
    #[error("Application handle is taken")]
    HandleTaken,
    /// The caller may not do this (`AUTH-1006`).
    #[error("Access denied")]
    Denied,
    /// No such subject of the caller (`RES-3002`).
    #[error("Subject not found")]
    SubjectNotFound,
    /// The subject belongs to another application (`STATE-5002`).
    #[error("Subject does not belong to the calling application")]
    SubjectForeign,
    /// The caller already has a subject with this external id (`CONF-4003`).
    #[error("Subject already exists with this external ID")]
    ExternalIdTaken,
    /// No such tag (`RES-3004`).
    #[error("Tag not found")]
    TagNotFound,
    /// Several applications have this local name (`CONF-4006`). Holds the qualified addresses, sorted.
    #[error("Tag name is ambiguous")]
    TagAmbiguous(Vec<String>),
    /// The caller already has a tag with this name (`CONF-4002`).
    #[error("Your application already has a tag with this name")]
    TagExists,
    /// The new owner has no active claim on the tag (`STATE-5006`).
    #[error("New owner must have an active claim on this tag before transfer")]
    NoClaim,
}
