//! Delivers the webhooks that are owed (`idaas.md` 10.5).
//!
//! What is owed stands in the state, attempts included, so a restart goes on where the last run ended, and neither a
//! replay nor a rebuild of views sends anything. One task decides what goes out next ([`schedule`]); each exchange is
//! a task of its own and ends with a recorded attempt. How a webhook is written and sent is the [`Courier`]'s
//! business.
//!
//! 1. New records are taken from the state whenever the log has grown, [`CHUNK`] at a time.
//! 2. An exchange reads its payment from the log again, sends, and records the attempt; while the log cannot be
//!    written it holds its slot, so that nothing is sent that cannot be recorded.
//! 3. A failed attempt waits 1 and then 2 times the base, then takes its turn again.
//!
//! Bounds: [`schedule::ALL`] exchanges at a time, [`schedule::LANE`] to one target. Waiting records cost about 250
//! bytes each. An attempt counts once it is recorded: one that was cut off by a kill is made again.

mod notice;
mod schedule;

use std::sync::Arc;
use std::time::Duration;

use flexledger_domain::payments::DeliveryStatus;
use flexledger_domain::webhooks::{ATTEMPTS, Outcome, Owed, RecordAttempt};
use flexledger_domain::{Position, Span};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

pub use notice::Notice;

use crate::engine::{Answer, Engine, Failure, Role};
use schedule::{Flight, Schedule};

/// Records taken from the state at once.
const CHUNK: usize = 4096;
/// The shortest pause between two looks at the state.
const BREATH: Duration = Duration::from_millis(5);
/// Pause after the engine could not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Sends one webhook.
pub trait Courier: Send + Sync + 'static {
    /// Makes one attempt and tells how it ended. Bounded in time. The reason of a failure is shown to the parties of
    /// the payment: it must hold no secret.
    fn deliver(&self, notice: Notice) -> impl Future<Output = Outcome> + Send;
}

/// Delivers what is owed now and from now on, while this node leads. The wait after a first failure is `retry_base`
/// (`webhooks.retry_base`), after a second twice that. Runs until it is dropped; exchanges end with it.
pub async fn deliver_webhooks<C: Courier>(engine: Engine, courier: Arc<C>, retry_base: Duration) {
    loop {
        engine.leading().await;
        deliver_while_leading(&engine, courier.clone(), retry_base).await;
        tracing::info!("deliveries.handed_over: another node leads");
    }
}

/// What is under way when another node takes over is left to that node: it begins with what is recorded.
async fn deliver_while_leading<C: Courier>(engine: &Engine, courier: Arc<C>, retry_base: Duration) {
    let mut dispatch = Dispatch {
        engine: engine.clone(),
        courier,
        retry_base,
        schedule: Schedule::default(),
        flights: JoinSet::new(),
        cursor: Position::START,
        look_at: Some(Instant::now()),
    };
    let mut head = engine.tail().subscribe();
    let mut looked = Instant::now();
    let mut watch = tokio::time::interval(RETRY);
    while engine.role() == Role::Leading {
        dispatch.start_due();
        let due = dispatch.schedule.next_due();
        tokio::select! {
            Some(landed) = dispatch.flights.join_next() => dispatch.land(landed),
            () = at(due) => {}
            // The role is looked at even when nothing else happens.
            _ = watch.tick() => {}
            () = at(dispatch.look_at) => {
                looked = Instant::now();
                dispatch.look().await;
            }
            // The sender lives as long as the engine, which `dispatch` holds.
            Ok(()) = head.changed(), if dispatch.look_at.is_none() => dispatch.look_at = Some(looked + BREATH),
        }
    }
}

/// Waits until then; for ever when there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

struct Dispatch<C> {
    engine: Engine,
    courier: Arc<C>,
    retry_base: Duration,
    schedule: Schedule,
    flights: JoinSet<Landed>,
    /// The cause of the newest record that was taken.
    cursor: Position,
    /// When to look at the state next, if the log has grown.
    look_at: Option<Instant>,
}

/// An exchange that is over.
struct Landed {
    flight: Flight,
    took: Duration,
    end: End,
}

enum End {
    /// Recorded; where the record stands now, and which attempt it was.
    Recorded(Option<DeliveryStatus>, u8),
    /// Nothing was sent, for the log could not be read: not an attempt.
    NotSent,
    /// The log does not hold what the record says. It stays pending.
    Damaged,
}

impl<C: Courier> Dispatch<C> {
    fn start_due(&mut self) {
        self.schedule.wake(Instant::now());
        while let Some(flight) = self.schedule.next() {
            self.flights.spawn(fly(self.engine.clone(), self.courier.clone(), flight));
        }
    }

    async fn look(&mut self) {
        let after = self.cursor;
        let owed = self.engine.inspect(move |ledger| {
            let owed = ledger.webhooks.owed_after(after);
            owed.take(CHUNK).cloned().collect::<Vec<Owed>>()
        });
        match owed.await {
            Ok(owed) => {
                self.look_at = (owed.len() == CHUNK).then(Instant::now);
                owed.into_iter().for_each(|owed| self.take(owed));
            }
            Err(_) => self.look_at = Some(Instant::now() + RETRY),
        }
    }

    /// A record that was tried before waits out what is left of its pause.
    fn take(&mut self, owed: Owed) {
        self.cursor = self.cursor.max(owed.cause);
        let pause = self.pause(owed.delivery.attempts);
        let since = owed
            .delivery
            .last_attempt_at
            .map_or(Span::from_micros(i64::MAX), |last| self.engine.clock().now().since(last));
        let since = Duration::from_micros(u64::try_from(since.micros()).unwrap_or(0));
        self.schedule.add(owed, Instant::now(), pause.saturating_sub(since));
    }

    /// The wait after so many attempts.
    fn pause(&self, attempts: u8) -> Duration {
        self.retry_base.saturating_mul(u32::from(attempts))
    }

    fn land(&mut self, landed: Result<Landed, JoinError>) {
        let landed = match landed {
            Ok(landed) => landed,
            Err(error) => return tracing::error!(%error, "deliveries.exchange_lost: it is made again after a restart"),
        };
        let Landed { flight, took, end } = landed;
        self.schedule.land(&flight, took);
        let mut owed = flight.owed;
        match end {
            End::Recorded(Some(DeliveryStatus::Pending), attempt) if attempt < ATTEMPTS => {
                owed.delivery.attempts = attempt;
                let pause = self.pause(attempt);
                self.schedule.add(owed, Instant::now(), pause);
            }
            End::Recorded(status, attempt) => {
                let (webhook, failed) = (owed.id, status == Some(DeliveryStatus::Failed));
                tracing::debug!(%webhook, attempt, failed, "deliveries.done");
            }
            End::NotSent => self.schedule.add(owed, Instant::now(), RETRY),
            End::Damaged => {
                tracing::error!(webhook = %owed.id, cause = owed.cause.number(), "deliveries.record_damaged");
            }
        }
    }
}

async fn fly<C: Courier>(engine: Engine, courier: Arc<C>, flight: Flight) -> Landed {
    let attempt = flight.owed.delivery.attempts.saturating_add(1);
    let notice = match Notice::read(&engine, &flight.owed, attempt).await {
        Ok(Some(notice)) => notice,
        Ok(None) => return Landed { flight, took: Duration::ZERO, end: End::Damaged },
        Err(_) => return Landed { flight, took: Duration::ZERO, end: End::NotSent },
    };
    let (at, began) = (engine.clock().now(), Instant::now());
    let outcome = courier.deliver(notice).await;
    let took = began.elapsed();
    let Owed { id, transaction, direction, .. } = flight.owed;
    let report = RecordAttempt { webhook: id, transaction, direction, attempt, at, outcome };
    let end = End::Recorded(record(&engine, report).await, attempt);
    Landed { flight, took, end }
}

/// Records an attempt, however long the log cannot be written.
async fn record(engine: &Engine, report: RecordAttempt) -> Option<DeliveryStatus> {
    loop {
        match engine.submit(report.clone()).await {
            Ok(done) => match done.answer {
                Answer::Fresh(status) => return status,
                // Attempts have no idempotency key.
                Answer::Replayed(_) => return None,
            },
            Err(Failure::Refused(refusal)) => {
                tracing::error!(%refusal, webhook = %report.webhook, "deliveries.attempt_refused");
                return None;
            }
            Err(Failure::Busy | Failure::Unavailable) => tokio::time::sleep(RETRY).await,
        }
    }
}
