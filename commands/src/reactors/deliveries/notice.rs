//! What is sent, made again from the log.

use std::sync::Arc;

use flexledger_domain::payments::{Direction, Payment, PaymentEvent, Status};
use flexledger_domain::webhooks::Owed;
use flexledger_domain::{Event, Recorded};

use crate::directory::AppInfo;
use crate::engine::{Engine, Failure};

/// One attempt to deliver one webhook.
#[derive(Clone)]
pub struct Notice {
    /// The record.
    pub owed: Owed,
    /// Which attempt; the first is 1.
    pub attempt: u8,
    /// The payment as the told event left it, personal text sealed.
    pub payment: Payment,
    /// The state of the payment that is told.
    pub told: Status,
    /// The target with its present key and secret.
    pub target: Arc<AppInfo>,
}

impl Notice {
    /// Reads the payment. `None` when the log does not hold what the record says.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when the log cannot be read.
    pub(super) async fn read(engine: &Engine, owed: &Owed, attempt: u8) -> Result<Option<Notice>, Failure> {
        let Some(target) = engine.directory().by_id(owed.application) else { return Ok(None) };
        let began = engine.command_at(owed.transaction.position()).await?;
        let names = |id| engine.directory().name(id);
        let Some(mut payment) = Payment::replayed(&began, names) else { return Ok(None) };
        if payment.reference != owed.transaction {
            return Ok(None);
        }
        if owed.direction == Direction::Sender {
            let ended = engine.command_at(owed.cause).await?;
            if !ended.first().is_some_and(|cause| end(&mut payment, cause)) {
                return Ok(None);
            }
        }
        let told = payment.status;
        Ok(Some(Notice { owed: owed.clone(), attempt, payment, told, target }))
    }
}

/// Takes the outcome into the payment. False when the event is not the outcome of this payment.
fn end(payment: &mut Payment, cause: &Recorded) -> bool {
    let (reference, status) = match &cause.event {
        Event::Payment(PaymentEvent::Accepted(reference, _)) => (*reference, Status::Completed),
        Event::Payment(PaymentEvent::Rejected(reference, body)) => {
            payment.rejection_reason.clone_from(&body.reason);
            (*reference, Status::Rejected)
        }
        Event::Payment(PaymentEvent::Expired(reference, _)) => (*reference, Status::Expired),
        _ => return false,
    };
    payment.status = status;
    payment.updated_at = cause.recorded_at;
    reference == payment.reference
}
