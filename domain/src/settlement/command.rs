//! The command of settlement.

use crate::event::Actor;
use crate::time::Date;

/// Completes the settlement of one date. A date that is completed stays as it is.
#[derive(Debug, Clone)]
pub struct RunSettlement {
    /// Who asks: an application, or the settlement clock.
    pub actor: Actor,
    /// Which date. A date in the future is refused.
    pub date: Date,
}
