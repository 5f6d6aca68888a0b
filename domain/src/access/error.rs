//! Why a command on auditors is refused.

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No auditor has this id.
    #[error("auditor not found")]
    AuditorNotFound,
}
