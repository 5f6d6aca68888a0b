//! The settlement clock (`idaas.md` 12.1): completes the dates that are open, oldest first, then today.

use std::str::FromStr;
use std::time::Duration;

use flexledger_domain::settlement::RunSettlement;
use flexledger_domain::{Actor, Date, Instant, Span};

use crate::engine::{Engine, Failure};

/// Pause after a failed run.
const RETRY: Duration = Duration::from_secs(10);
/// Longest sleep, so that a clock that is set forward is noticed.
const NAP: Duration = Duration::from_secs(30);

/// The time of day, UTC, at which the day is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettlementTime {
    minute_of_day: u32,
}

/// A text that is no time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a settlement time is HH:MM, from 00:00 to 23:59, or off")]
pub struct SettlementTimeError;

impl FromStr for SettlementTime {
    type Err = SettlementTimeError;

    fn from_str(text: &str) -> Result<Self, SettlementTimeError> {
        let (hour, minute) = text.split_once(':').ok_or(SettlementTimeError)?;
        let number = |part: &str, below: u32| {
            let good = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<u32>().ok().filter(|n| good && *n < below).ok_or(SettlementTimeError)
        };
        Ok(SettlementTime { minute_of_day: number(hour, 24)? * 60 + number(minute, 60)? })
    }
}

impl SettlementTime {
    /// The last date that is due at `now`: today once the time of day has come, else yesterday.
    fn due(self, now: Instant) -> Date {
        let time = now.date().start().plus(Span::from_seconds(self.minute_of_day * 60));
        if now >= time { now.date() } else { now.date().previous() }
    }
}

/// Settles every day at `time`. A day missed while the program was down is settled at the start. Runs until dropped.
pub async fn settle_daily(engine: Engine, time: SettlementTime) {
    loop {
        // A follower leaves it to the leader.
        engine.leading().await;
        let pause = match settle_due(&engine, time).await {
            Ok(0) => NAP,
            Ok(dates) => {
                tracing::info!(dates, "settlement.completed");
                NAP
            }
            Err(failure) => {
                tracing::warn!(%failure, "settlement.failed: it is tried again");
                RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn settle_due(engine: &Engine, time: SettlementTime) -> Result<usize, Failure> {
    let due = time.due(engine.clock().now());
    let open: Vec<Date> = engine.inspect(move |ledger| ledger.settlement.open_until(due).collect()).await?;
    for date in &open {
        engine.submit(RunSettlement { actor: Actor::System, date: *date }).await?;
    }
    Ok(open.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day() {
        let time: SettlementTime = "23:59".parse().expect("valid");
        let at = |text: &str| Instant::parse(text).expect("valid");
        assert_eq!(time.due(at("2026-03-02T23:58:59Z")).to_string(), "2026-03-01");
        assert_eq!(time.due(at("2026-03-02T23:59:00Z")).to_string(), "2026-03-02");
        for wrong in ["", "24:00", "23:60", "2359", "1:00", "off", "+1:00"] {
            assert!(wrong.parse::<SettlementTime>().is_err(), "{wrong}");
        }
    }
}
