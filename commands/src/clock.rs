//! Where instants and identifiers come from. Handed into every decision; replaced in tests.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use flexledger_domain::Instant;
use flexledger_domain::ids::Ids;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::{Builder, Uuid};

/// A source of the present instant.
pub trait Clock: Send + Sync + 'static {
    /// The present instant. May go back; the engine does not.
    fn now(&self) -> Instant;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        ManualClock(AtomicI64::new(now.micros()))
    }

    /// Moves the clock, forwards or back.
    pub fn set(&self, now: Instant) {
        self.0.store(now.micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Identifiers from a cryptographic generator seeded by the operating system.
pub struct RandomIds(StdRng);

impl Default for RandomIds {
    fn default() -> Self {
        RandomIds(StdRng::from_os_rng())
    }
}

impl Ids for RandomIds {
    fn uuid(&mut self) -> Uuid {
        Builder::from_random_bytes(self.0.random()).into_uuid()
    }

    fn check(&mut self) -> u32 {
        self.0.random()
    }
}
