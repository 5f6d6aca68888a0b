//! The views, one file each.

use crate::view::View;

mod applications;
mod claims;
mod federation;
mod merchants;
mod settlement;
mod statement;
mod subjects;
mod tags;
mod transactions;
mod wallets;
mod webhooks;

pub(crate) use settlement::{COMPLETED, FAILED};
pub use statement::account_of;
pub(crate) use statement::{ENTRY_MASK, entry_range};
pub(crate) use transactions::status_of;

/// Makes a view in its empty state.
pub type Make = fn() -> Box<dyn View>;

/// Every view: its name, and how it begins.
#[must_use]
pub fn all() -> &'static [(&'static str, Make)] {
    &[
        (applications::NAME, || Box::new(applications::Applications)),
        (subjects::NAME, || Box::new(subjects::Subjects)),
        (tags::NAME, || Box::new(tags::Tags)),
        (transactions::NAME, || Box::new(transactions::Transactions::default())),
        (webhooks::NAME, || Box::new(webhooks::Webhooks)),
        (wallets::NAME, || Box::new(wallets::Wallets::default())),
        (statement::NAME, || Box::new(statement::Statement::default())),
        (settlement::NAME, || Box::new(settlement::Settlement::default())),
        (claims::NAME, || Box::new(claims::Claims)),
        (federation::NAME, || Box::new(federation::Federation)),
        (merchants::NAME, || Box::new(merchants::Merchants)),
    ]
}
