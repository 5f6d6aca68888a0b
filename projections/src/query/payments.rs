//! Payments and their webhook records.

use flexledger_domain::Reference;
use flexledger_domain::payments::Payment;

use crate::{Page, Paged, ViewError, Views, Which};

impl Views {
    /// A payment with its webhook records.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn payment(&self, reference: Reference) -> Result<Option<Payment>, ViewError> {
        let _ = reference;
        Err(ViewError::Unknown("transactions".into()))
    }

    /// A page of payments without webhook records. In order of `createdAt`, newest first, unless the page says
    /// otherwise. It can be sorted by `id`, `reference`, `senderTag`, `senderAppName`, `senderAppId`, `receiverTag`,
    /// `receiverAppName`, `receiverAppId`, `amount`, `currency`, `status`, `expiresAt`, `acceptedAt`, `rejectedAt`,
    /// `createdAt` and `updatedAt`.
    ///
    /// # Errors
    /// [`ViewError::SortProperty`], [`ViewError::PageSize`], or the database's.
    pub async fn payments(&self, which: Which, page: &Page) -> Result<Paged<Payment>, ViewError> {
        let _ = (which, page);
        Err(ViewError::Unknown("transactions".into()))
    }
}
