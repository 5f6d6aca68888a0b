//! Wallets and statements.

use flexledger_domain::ids::ApplicationId;
use flexledger_domain::money::Currency;

use crate::{EntryRow, Page, Paged, ViewError, Views, WalletRow};

impl Views {
    /// The wallet of an application in a currency.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn wallet(&self, application: ApplicationId, currency: Currency) -> Result<Option<WalletRow>, ViewError> {
        let _ = (application, currency);
        Err(ViewError::Unknown("wallets".into()))
    }

    /// The wallets of an application, or of all, by application and currency.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn wallets(&self, application: Option<ApplicationId>) -> Result<Vec<WalletRow>, ViewError> {
        let _ = application;
        Err(ViewError::Unknown("wallets".into()))
    }

    /// A page of the statement of a wallet, newest entry first. A page far back costs the same as the first. It can be
    /// sorted by `createdAt`, in either direction, and by `id`, `amount`, `entryType`, `openingBalance`,
    /// `closingBalance`, `currency` and `transactionReference`, which read the whole statement.
    /// An application without this wallet has no entries.
    ///
    /// # Errors
    /// [`ViewError::SortProperty`], [`ViewError::PageSize`], or the database's.
    pub async fn statement(
        &self,
        application: ApplicationId,
        currency: Currency,
        page: &Page,
    ) -> Result<Paged<EntryRow>, ViewError> {
        let _ = (application, currency, page);
        Err(ViewError::Unknown("statement".into()))
    }
}
