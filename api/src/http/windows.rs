//! The limits of the merchant API (`idaas.md` 19): one token of three buckets for each call, counted by address.
//!
//! | window | calls | in |
//! |---|---|---|
//! | short | 50 | 1 s |
//! | medium | 300 | 10 s |
//! | long | 1000 | 60 s |
//!
//! Each answer tells of each window its limit, how many calls are left, and after how many seconds all of them are there
//! again. A call that one window refuses has taken its token of the others.

use std::hash::RandomState;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::Quota;

use super::envelope::REMAINING;
use super::throttle::{Key, Limit, Ticks, seconds};

/// One window: its limit, its length in seconds, and the names of its headers.
struct Window {
    calls: NonZeroU32,
    seconds: u32,
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

const WINDOWS: [Window; 3] = [
    Window {
        calls: NonZeroU32::new(50).unwrap(),
        seconds: 1,
        limit: HeaderName::from_static("x-ratelimit-limit-short"),
        remaining: HeaderName::from_static("x-ratelimit-remaining-short"),
        reset: HeaderName::from_static("x-ratelimit-reset-short"),
    },
    Window {
        calls: NonZeroU32::new(300).unwrap(),
        seconds: 10,
        limit: HeaderName::from_static("x-ratelimit-limit-medium"),
        remaining: HeaderName::from_static("x-ratelimit-remaining-medium"),
        reset: HeaderName::from_static("x-ratelimit-reset-medium"),
    },
    Window {
        calls: NonZeroU32::new(1000).unwrap(),
        seconds: 60,
        limit: HeaderName::from_static("x-ratelimit-limit-long"),
        remaining: HeaderName::from_static("x-ratelimit-remaining-long"),
        reset: HeaderName::from_static("x-ratelimit-reset-long"),
    },
];

impl Window {
    /// The time in which one call comes back.
    fn each(&self) -> Duration {
        Duration::from_secs(self.seconds.into()) / self.calls.get()
    }

    fn quota(&self) -> Quota {
        // The windows are a few lengths of time, none of them zero.
        Quota::with_period(self.each()).unwrap_or(Quota::per_second(self.calls)).allow_burst(self.calls)
    }
}

/// The buckets of the three windows.
pub(super) struct Windows([Limit; 3]);

impl Windows {
    /// With full buckets.
    pub fn new(ticks: &Ticks) -> Self {
        Windows(WINDOWS.map(|window| Limit::new(window.quota(), ticks)))
    }

    /// Takes one token of each bucket.
    pub fn take(&self, key: &Key, ticks: &Ticks, hasher: &RandomState) -> Taken {
        Taken(self.0.each_ref().map(|limit| limit.take(key.clone(), ticks, hasher)))
    }
}

/// What a call found in each window: how many calls are left, or how long it must wait.
pub struct Taken([Result<u32, Duration>; 3]);

impl Taken {
    /// How long the call must wait, if it must.
    pub fn wait(&self) -> Option<Duration> {
        self.0.iter().filter_map(|one| one.err()).max()
    }

    /// Tells in headers.
    pub fn tell(&self, headers: &mut HeaderMap) {
        for (window, found) in WINDOWS.into_iter().zip(&self.0) {
            let left = found.unwrap_or(0).min(window.calls.get());
            let full = window.each() * (window.calls.get() - left);
            headers.insert(window.limit, HeaderValue::from(window.calls.get()));
            headers.insert(window.remaining, HeaderValue::from(left));
            headers.insert(window.reset, HeaderValue::from(seconds(full)));
        }
        let least = self.0.iter().map(|found| found.unwrap_or(0)).min().unwrap_or(0);
        headers.insert(REMAINING, HeaderValue::from(least));
    }
}
