//! The double-entry books under every context: accounts, postings, journals, balances.
//!
//! An event that moves value carries one [`Journal`]. A journal that does not balance per currency cannot be made,
//! neither by a decision nor by reading one from the log.

mod account;
mod journal;
mod state;

pub use account::Account;
pub use journal::{Journal, JournalError, Posting, Side};
pub use state::{Balance, Books};
