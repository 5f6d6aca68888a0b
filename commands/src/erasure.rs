//! Erasure of a subject's personal text: first an event, then the key.
//!
//! A kill between the two is made good at the next start, for the event says what must be gone.

use flexledger_domain::identity::EraseSubject;
use flexledger_domain::ids::SubjectId;
use flexledger_domain::{Instant, Ledger};

use crate::engine::{Answer, Engine, Failure};
use crate::vault::{Vault, VaultError};

/// Erases a subject's personal text for ever; tells when that was first asked for.
///
/// # Errors
/// [`Failure`]; after [`Failure::Unavailable`] the key may still be there, and repeating finishes the work.
pub async fn erase(engine: &Engine, subject: SubjectId) -> Result<Instant, Failure> {
    let done = engine.submit(EraseSubject { subject }).await?;
    let Answer::Fresh(at) = done.answer else { return Err(Failure::Unavailable) };
    engine.vault().erase(subject).await.map_err(|error| {
        tracing::error!(%error, "erasure.key_not_destroyed: repeat the call");
        Failure::Unavailable
    })?;
    Ok(at)
}

/// Marks all subjects that the log calls erased, and destroys keys that a kill has left.
pub(crate) async fn complete(ledger: &Ledger, vault: &Vault) -> Result<(), VaultError> {
    for subject in ledger.identity.erased() {
        vault.complete_erasure(subject).await?;
    }
    Ok(())
}
