//! Why a settlement is refused.

/// A refusal. The code in the documentation of each variant is the one of `idaas.md` 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The date has not begun (`VALID-2001`).
    #[error("date must not be in the future")]
    Future,
    /// Credits and debits differ; the record is marked failed (`SYS-9001`).
    #[error("settlement failed: credits and debits differ")]
    Unequal,
}
