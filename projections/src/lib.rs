//! Views: what clients read, as rows in SQL.
//!
//! A [view](view::View) is a pure fold of events into row changes. The runner folds many events, keeps only
//! the last change of each row, and writes all tables with bulk statements, the checkpoints in the same transaction:
//! the cost follows the rows touched, not the events read. The same fold serves live, in a rebuild and bounded at a
//! position, so there is one truth for each view.
//!
//! To add a view: one file in `views/` and one line in [`views::all`].
//!
//! Views decide nothing and cause nothing. They know of the log and of the domain's events, not of the engine.

pub mod audit;
pub mod cells;
pub mod changes;
mod database;
mod error;
mod fold;
pub mod frozen;
pub mod marks;
mod page;
mod query;
mod rows;
mod runner;
mod seal;
mod service;
mod source;
pub mod switch;
pub mod table;
pub mod tracker;
pub mod value;
pub mod view;
pub mod views;
mod write;

pub use error::ViewError;
pub use page::{LARGEST_PAGE, Page, Paged, Sort};
pub use query::as_of::{AccountAsOf, EntryAsOf, PaymentAsOf};
pub use query::tags_as_of::{TagAsOf, TagChoice};
pub use rows::{
    Ambiguous, ApplicationRow, AttemptRow, ClaimRow, EntryRow, FederationRow, LinkRow, RequestRow, SettlementEntryRow,
    SettlementRow, SettlementStatus, SubjectRow, TagRow, ViewStatus, WalletRow, WebhookRow, Which,
};
pub use service::Views;
