//! Events of auditors. Field names stand in sorted order: it is the order in the log.

use serde::{Deserialize, Serialize};

use crate::event::{events, plain_body};
use crate::ids::AuditorId;

/// Somebody may read the audit surface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditorAdded {
    /// Who it is.
    pub name: String,
    /// SHA-256 of the token, hex.
    pub token_hash: String,
}

/// An auditor's token no longer counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditorRemoved {}

plain_body! { AuditorAdded; AuditorRemoved; }

events! {
    /// What happens to auditors.
    AccessEvent {
        /// Somebody may read the audit surface.
        AuditorAdded(Auditor AuditorId, AuditorAdded) = "auditor.added";
        /// An auditor's token no longer counts.
        AuditorRemoved(Auditor AuditorId, AuditorRemoved) = "auditor.removed";
    }
}
