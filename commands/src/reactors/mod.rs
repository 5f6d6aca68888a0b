//! Clocks that give ordinary commands: the expiry of payments and the end-of-day settlement.

mod expiry;
mod settlement;

pub use expiry::expire_overdue;
pub use settlement::{SettlementTime, SettlementTimeError, settle_daily};
