//! Why keys cannot be used.

use std::path::PathBuf;

use flexledger_eventstore::port::StoreError;

/// Why the platform key cannot be read or made. All of these are the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum PlatformKeyError {
    /// The file cannot be read or written.
    #[error("the platform key file {} cannot be used: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// The file is not a platform key.
    #[error(
        "{} is not a platform key: it must be the line \"{}\" and a line of 44 Base64 characters",
        path.display(),
        super::platform::FORMAT_LINE
    )]
    Content {
        /// Which file.
        path: PathBuf,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
    /// The master key gives no usable key of this name; as good as impossible for a random one.
    #[error("no {0} can be derived from this platform key")]
    Derivation(&'static str),
}

/// Why the vault cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The stored keys belong to another platform key: the file was replaced, or the log is another ledger's.
    #[error("the subject keys of this log were sealed under another platform key")]
    WrongPlatformKey,
    /// The nodes of this ledger use another platform key.
    #[error("the platform key is not the one that the other nodes of this ledger use")]
    OtherPlatformKey,
    /// The keys cannot be read or destroyed.
    #[error("subject keys: {0}")]
    Store(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
    /// The text is beyond what the cipher takes.
    #[error("the text cannot be sealed")]
    Cipher,
}
