//! Latencies: counts in buckets whose width grows with the value, 3 % at most.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets per doubling.
const STEPS: u64 = 32;
/// Doublings of one microsecond: up to more than an hour.
const DOUBLINGS: u64 = 32;

/// Counts of latencies. Shared between threads without a lock.
pub struct Histogram {
    buckets: Vec<AtomicU64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { buckets: (0..STEPS * DOUBLINGS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Histogram {
    /// Counts one.
    pub fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let last = self.buckets.len().saturating_sub(1);
        let at = usize::try_from(bucket(micros)).unwrap_or(last).min(last);
        if let Some(count) = self.buckets.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The latency that `share` per mille stay at or below, in milliseconds; `None` without any.
    pub fn per_mille(&self, share: u64) -> Option<f64> {
        let total: u64 = self.buckets.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        let wanted = (total * share).div_ceil(1000).max(1);
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count.load(Ordering::Relaxed);
            if total > 0 && seen >= wanted {
                return Some(upper(at as u64) as f64 / 1000.0);
            }
        }
        None
    }
}

/// Values below `STEPS` have a bucket each; above, each doubling has `STEPS`.
fn bucket(micros: u64) -> u64 {
    if micros < STEPS {
        return micros;
    }
    let doubling = u64::from(micros.ilog2() - STEPS.ilog2());
    doubling * STEPS + (micros >> doubling)
}

/// The largest value of a bucket.
fn upper(bucket: u64) -> u64 {
    if bucket < STEPS {
        return bucket;
    }
    let doubling = bucket / STEPS - 1;
    ((bucket - doubling * STEPS + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_their_values() {
        for micros in (0..5000).chain([10_000, 123_456, 9_999_999, 1 << 33]) {
            let upper = upper(bucket(micros));
            assert!(upper >= micros && upper - micros <= micros / 32 + 1, "{micros} {upper}");
        }
    }

    #[test]
    fn percentiles() {
        let histogram = Histogram::default();
        assert_eq!(histogram.per_mille(500), None);
        (1..=1000).for_each(|millis| histogram.record(Duration::from_millis(millis)));
        let median = histogram.per_mille(500).expect("some");
        let high = histogram.per_mille(990).expect("some");
        assert!((495.0..520.0).contains(&median) && (985.0..1025.0).contains(&high), "{median} {high}");
    }
}
