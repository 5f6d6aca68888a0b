//! Why a command on payments is refused.

/// A refusal. The code in the documentation of each variant is the one of `idaas.md` 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Sender and receiver are the same tag (`VALID-2001`).
    #[error("senderTag and receiverTag must differ")]
    SameTag,
    /// The amount does not fit the books (`VALID-2001`).
    #[error("amount is too large for the wallet")]
    TooLarge,
    /// The sender's tag is another application's (`AUTH-1006`).
    #[error("Access denied")]
    SenderForeign,
    /// A tag is disabled or its application inactive (`STATE-5009`).
    #[error("Tag is disabled or its application is inactive")]
    Unusable,
    /// The key was used for another request (`CONF-4009`, strict mode).
    #[error("Idempotency key was used for another request")]
    KeyConflict,
    /// Not open: unknown, or over already. The log tells which (`RES-3010`, `AUTH-1007` or `STATE-5007`).
    #[error("Transaction is not open")]
    NotOpen,
    /// No such payment (`RES-3010`).
    #[error("Transaction not found")]
    NotFound,
    /// The caller is not the receiver (`AUTH-1007`).
    #[error("Transaction is not addressed to the calling application")]
    NotReceiver,
    /// The payment is over (`STATE-5007`).
    #[error("Transaction is not in AWAITING_ACCEPTANCE state")]
    NotAwaiting,
    /// The payment was open, but its time was up (`STATE-5008`).
    #[error("Transaction has expired")]
    Expired,
    /// The application has no account in this currency (`RES-3011`).
    #[error("ApplicationWallet not found")]
    WalletNotFound,
}
