//! What gives commands by itself: the clocks of expiry and settlement, and the delivery of webhooks.

mod deliveries;
mod expiry;
mod settlement;

pub use deliveries::{Courier, Notice, deliver_webhooks};
pub use expiry::expire_overdue;
pub use settlement::{SettlementTime, SettlementTimeError, settle_daily};
