//! Commands on auditors, given by the operator.

use crate::event::Idempotency;
use crate::ids::AuditorId;

/// Lets somebody read the audit surface (`operations.md` 3).
#[derive(Debug, Clone)]
pub struct AddAuditor {
    /// The new id.
    pub id: AuditorId,
    /// Who it is, 1 to 150 characters.
    pub name: String,
    /// SHA-256 of the token, hex.
    pub token_hash: String,
    /// The key under which it may be repeated.
    pub idempotency: Option<Idempotency>,
}

/// Takes an auditor's token back. Repeating it is fine.
#[derive(Debug, Clone)]
pub struct RemoveAuditor {
    /// Which auditor.
    pub id: AuditorId,
}
