//! Why a command on merchants or payment requests is refused.

/// A refusal. The status in the documentation of each variant is the one it is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such merchant (404).
    #[error("Merchant not found")]
    MerchantNotFound,
    /// A merchant with this id exists (409).
    #[error("Merchant already exists")]
    MerchantExists,
    /// No such request of the caller (404).
    #[error("Payment request not found")]
    RequestNotFound,
    /// The merchant used this reference before (409).
    #[error("A payment request with this reference already exists")]
    ReferenceTaken,
    /// Several merchants wait for the caller's payers under this reference (409).
    #[error("Several payment requests have this reference")]
    ReferenceAmbiguous,
    /// The payer is the merchant's own tag (400).
    #[error("payer must differ from the merchant's tag")]
    SameTag,
    /// The request is over (409).
    #[error("Payment request is not pending")]
    NotPending,
    /// The request was pending, but its time was up (422).
    #[error("Payment request has expired")]
    Expired,
}
