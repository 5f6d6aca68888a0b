//! Who may look at the books besides the operator: auditors, each with a token that reads and does nothing else.

mod command;
mod decide;
mod error;
mod event;
mod state;

pub use command::{AddAuditor, RemoveAuditor};
pub use error::Refusal;
pub use event::{AccessEvent, AuditorAdded, AuditorRemoved};
pub use state::Access;
