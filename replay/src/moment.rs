//! The T of an as-of question: a log position or an instant (`operations.md` 4).
//!
//! An event gets its instant when it is decided, and becomes durable a moment later. So the position of an instant is
//! settled only when nothing recorded at or before it is still on its way to the log:
//!
//! * It is when an event recorded later stands in the log, for instants never decrease along it.
//! * On the node that leads, the writer is asked (`Engine::close_past`), and the answer is exact.
//! * A reader beside a server has nobody to ask. Within [`LINGER`] after the instant it waits for the rest of that time
//!   and reads the end of the log then ([`Moment::settle`]). That holds unless an append takes longer than that, or the
//!   clocks of two machines differ by more; an instant that is older than the newest event needs none of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use flexledger_domain::{Instant, Position};
use flexledger_eventstore::{EventStore, StoreError, record};

/// What was decided before is taken to be durable after this time, where the writer cannot be asked.
pub const LINGER: Duration = Duration::from_secs(2);

/// A moment in the history of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After the event at this position and before the next; 0 is the empty ledger.
    Position(Position),
    /// After the last event recorded at or before this instant.
    Instant(Instant),
}

/// Why a moment has no answer.
#[derive(Debug, thiserror::Error)]
pub enum MomentError {
    /// The text is neither.
    #[error("{0} is neither a log position nor an RFC 3339 instant")]
    Malformed(String),
    /// The position lies after the end of the log.
    #[error("position {asked} is beyond the end of the log at {head}")]
    BeyondHead {
        /// What was asked for.
        asked: Position,
        /// Where the log ends.
        head: Position,
    },
    /// The instant lies in the future.
    #[error("{0} is in the future")]
    Future(Instant),
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record on the way is damaged.
    #[error("the event at position {0} cannot be read; run `flexledger verify`")]
    Damaged(Position),
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let malformed = || MomentError::Malformed(text.to_owned());
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            let number: u64 = text.parse().map_err(|_| malformed())?;
            return Ok(Moment::Position(Position::new(number)));
        }
        Instant::parse(text).map(Moment::Instant).map_err(|_| malformed())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Position(position) => fmt::Display::fmt(position, f),
            Moment::Instant(instant) => fmt::Display::fmt(instant, f),
        }
    }
}

impl Moment {
    /// Waits until the position of this moment is settled, as far as a reader of the log can tell; at once for a position,
    /// and for an instant with a later event or [`LINGER`] behind it. Read the end of the log afterwards.
    ///
    /// # Errors
    /// [`MomentError`] when the log cannot be read.
    pub async fn settle(self, store: &dyn EventStore, now: Instant) -> Result<(), MomentError> {
        let Moment::Instant(instant) = self else { return Ok(()) };
        let linger = i64::try_from(LINGER.as_micros()).unwrap_or(i64::MAX);
        let left = instant.micros().saturating_add(linger).saturating_sub(now.micros());
        let head = store.head().await?.position;
        // One in the future has no answer to wait for.
        if left <= 0 || left > linger || (head > Position::START && recorded_at(store, head).await? > instant) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_micros(u64::try_from(left).unwrap_or_default())).await;
        Ok(())
    }

    /// The position that this moment means in a log that ends at `head`, at the present instant `now`.
    ///
    /// Costs one read per halving of the log: 21 for two million events. An instant is in the future when it is later
    /// than the present and than the newest event, which a clock that was set back may leave behind.
    ///
    /// # Errors
    /// [`MomentError`] when the moment lies beyond the end, or the log cannot be read.
    pub async fn position(self, store: &dyn EventStore, head: Position, now: Instant) -> Result<Position, MomentError> {
        match self {
            Moment::Position(asked) if asked > head => Err(MomentError::BeyondHead { asked, head }),
            Moment::Position(asked) => Ok(asked),
            Moment::Instant(instant) if instant > now && is_after(store, head, instant).await? => {
                Err(MomentError::Future(instant))
            }
            Moment::Instant(instant) => last_at_or_before(store, head, instant).await,
        }
    }
}

/// Whether an instant is later than the newest event.
async fn is_after(store: &dyn EventStore, head: Position, instant: Instant) -> Result<bool, MomentError> {
    Ok(head == Position::START || recorded_at(store, head).await? < instant)
}

/// Recorded instants never decrease along the log, so halving finds the last event that is not later.
async fn last_at_or_before(store: &dyn EventStore, head: Position, instant: Instant) -> Result<Position, MomentError> {
    let (mut known, mut later) = (Position::START.number(), head.next().number());
    while known + 1 < later {
        let middle = Position::new(known + (later - known) / 2);
        if recorded_at(store, middle).await? <= instant {
            known = middle.number();
        } else {
            later = middle.number();
        }
    }
    Ok(Position::new(known))
}

/// When the event at a position was recorded.
async fn recorded_at(store: &dyn EventStore, position: Position) -> Result<Instant, MomentError> {
    let damaged = || MomentError::Damaged(position);
    let records = store.read(position.previous(), 1).await?;
    let stored = records.first().filter(|stored| stored.position == position).ok_or_else(damaged)?;
    let recorded = record::decode(&stored.bytes).map_err(|_| damaged())?;
    Ok(recorded.recorded_at)
}

#[cfg(test)]
mod tests {
    use flexledger_domain::testing::World;
    use flexledger_domain::{Recorded, Span};
    use flexledger_eventstore::{Batch, Hash, MemoryStore, Record};

    use super::*;

    async fn log(history: &[Recorded]) -> MemoryStore {
        let store = MemoryStore::new();
        let write = |event: &Recorded| {
            let mut bytes = Vec::new();
            record::encode(event, &mut bytes).unwrap();
            Record { position: event.position, bytes, hash: Hash::default() }
        };
        let batch = Batch { records: history.iter().map(write).collect(), keys: Vec::new() };
        store.append(Position::START, batch).await.unwrap();
        store
    }

    #[tokio::test]
    async fn an_instant_up_to_the_newest_event_is_not_in_the_future() {
        let history = World::random(1, 30).history;
        let store = log(&history).await;
        let newest = history.last().unwrap();
        let (head, at) = (newest.position, newest.recorded_at);
        let behind = Instant::from_micros(at.micros() - 3_600_000_000);
        let after = at.plus(Span::from_micros(1));
        let position = async |instant| Moment::Instant(instant).position(&store, head, behind).await;
        assert_eq!(position(at).await.unwrap(), head);
        assert!(matches!(position(after).await, Err(MomentError::Future(instant)) if instant == after));
        let empty = Moment::Instant(at).position(&MemoryStore::new(), Position::START, behind).await;
        assert!(matches!(empty, Err(MomentError::Future(_))));
    }

    #[tokio::test]
    async fn only_an_instant_that_is_hardly_over_is_waited_for() {
        let history = World::random(1, 30).history;
        let store = log(&history).await;
        let newest = history.last().unwrap().recorded_at;
        let took = async |moment: Moment, now| {
            let began = std::time::Instant::now();
            moment.settle(&store, now).await.unwrap();
            began.elapsed()
        };
        let quick = Duration::from_secs(1);
        let nearly = newest.plus(Span::from_micros(1_900_000));
        assert!(took(Moment::Instant(newest), nearly).await >= Duration::from_millis(100));
        assert!(took(Moment::Instant(newest), newest.plus(Span::from_seconds(2))).await < quick);
        assert!(took(Moment::Instant(Instant::from_micros(newest.micros() - 1)), newest).await < quick);
        assert!(took(Moment::Instant(nearly), newest).await < quick, "the future is refused");
        assert!(took(Moment::Position(Position::new(1)), newest).await < quick);
    }

    #[test]
    fn texts() {
        assert!(matches!("17".parse(), Ok(Moment::Position(at)) if at == Position::new(17)));
        assert!(matches!("2026-03-01T10:00:00Z".parse(), Ok(Moment::Instant(_))));
        for wrong in ["", "-1", "+1", "1.0", "yesterday", "2026-03-01", "18446744073709551616"] {
            assert!(matches!(wrong.parse::<Moment>(), Err(MomentError::Malformed(_))), "{wrong}");
        }
    }
}
