//! Payments as the API gives them: repeats are answered with what was answered first, and a payment that is not open
//! any more is told from one that never was by looking into the log.

use flexledger_domain::ids::ApplicationId;
use flexledger_domain::payments::{self, Accept, InitiateTransfer, Payment, PaymentEvent, Reject};
use flexledger_domain::{Event, Instant, Recorded, Reference, Refusal};

use crate::engine::{Answer, Done, Engine, Failure};

/// A payment as it is answered.
#[derive(Debug)]
pub struct Answered {
    /// The payment.
    pub payment: Payment,
    /// Whether it repeats an earlier answer.
    pub replayed: bool,
    /// The instant of the events that it shows.
    pub at: Instant,
}

/// Initiates a payment. Under a key that was used before, the first answer is made again from the log; `strict` refuses
/// when the fingerprints of the two requests differ.
///
/// # Errors
/// [`Failure`]; [`payments::Refusal::KeyConflict`] in strict mode.
pub async fn initiate(engine: &Engine, command: InitiateTransfer, strict: bool) -> Result<Answered, Failure> {
    let fingerprint = command.idempotency.as_ref().and_then(|key| key.fingerprint.clone());
    let done = engine.submit(command).await?;
    let events = match done.answer {
        Answer::Fresh(payment) => return Ok(Answered { payment, replayed: false, at: done.recorded_at }),
        Answer::Replayed(events) => events,
    };
    let first = events.first().and_then(|event| event.idempotency.as_ref()).and_then(|key| key.fingerprint.as_ref());
    if strict && first.is_some_and(|first| Some(first) != fingerprint.as_ref()) {
        return Err(Failure::Refused(payments::Refusal::KeyConflict.into()));
    }
    let payment = Payment::replayed(&events, |id| engine.directory().name(id)).ok_or(Failure::Unavailable)?;
    Ok(Answered { payment, replayed: true, at: done.recorded_at })
}

/// Accepts a payment.
///
/// # Errors
/// [`Failure`].
pub async fn accept(engine: &Engine, command: Accept) -> Result<Answered, Failure> {
    let (caller, reference) = (command.caller, command.reference);
    let result = engine.submit(command).await;
    outcome(engine, caller, reference, result).await
}

/// Rejects a payment.
///
/// # Errors
/// [`Failure`].
pub async fn reject(engine: &Engine, command: Reject) -> Result<Answered, Failure> {
    let (caller, reference) = (command.caller, command.reference);
    let result = engine.submit(command).await;
    outcome(engine, caller, reference, result).await
}

async fn outcome(
    engine: &Engine,
    caller: ApplicationId,
    reference: Reference,
    result: Result<Done<Payment>, Failure>,
) -> Result<Answered, Failure> {
    match result {
        Ok(Done { answer: Answer::Fresh(payment), recorded_at, .. }) => {
            Ok(Answered { payment, replayed: false, at: recorded_at })
        }
        Ok(_) => Err(Failure::Unavailable),
        Err(Failure::Refused(Refusal::Payment(payments::Refusal::NotOpen))) => {
            let events = engine.command_at(reference.position()).await?;
            Err(Failure::Refused(why_not_open(&events, caller, reference).into()))
        }
        Err(failure) => Err(failure),
    }
}

/// Why a payment that is not open cannot be acted on: exists, then receiver, then state (`idaas.md` 9.4).
fn why_not_open(events: &[Recorded], caller: ApplicationId, reference: Reference) -> payments::Refusal {
    let initiated = events.iter().find_map(|recorded| match &recorded.event {
        Event::Payment(PaymentEvent::Initiated(at, body)) if *at == reference => Some(body),
        _ => None,
    });
    match initiated {
        None => payments::Refusal::NotFound,
        Some(body) if body.receiver.application != caller => payments::Refusal::NotReceiver,
        Some(_) => payments::Refusal::NotAwaiting,
    }
}
