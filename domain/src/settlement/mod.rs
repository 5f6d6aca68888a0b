//! End-of-day settlement: each date's entries, netted per wallet (`idaas.md` 12). It reports and books nothing.

mod command;
mod decide;
mod error;
mod event;
mod state;

pub use command::RunSettlement;
pub use error::Refusal;
pub use event::{Completed, Cut, Failed, Line, Lines, SettlementEvent};
pub use state::{Batch, BatchLine, Settlement};
