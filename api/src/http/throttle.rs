//! How often a caller may call (`idaas.md` 14): token buckets, judged before authentication.
//!
//! | calls | a minute | counted by |
//! |---|---|---|
//! | `POST /api/v1/auth/token` | 10 | address |
//! | `POST /api/v1/transactions` | 60 | application of a token that verifies, else address |
//! | everything else of the payment API | 300 | address |
//! | the merchant API | three windows, see `windows` | address |
//!
//! IPv6 addresses count by their first 64 bits. Memory is bounded: idle buckets are dropped, and beyond
//! [`MOST_BUCKETS`] callers share [`SHARED_BUCKETS`] buckets until there is room again. Budget: one lock of a map, and for
//! payments the one check of the token that authentication then reuses.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue, Method};
use flexledger_commands::clock::Clock;
use flexledger_domain::ids::ApplicationId;
use governor::clock::Clock as _;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::auth::{Verified, bearer};
use super::client;
use super::envelope::REMAINING;
use super::error::ApiError;
use super::windows::{Taken, Windows};
use crate::app::App;
use crate::serve::Peer;

/// Buckets of one limit that callers have to themselves, about.
pub const MOST_BUCKETS: usize = 100_000;
/// Buckets of one limit that further callers share.
pub const SHARED_BUCKETS: u64 = 1024;
/// Checks between two looks at how many buckets there are.
const CHECKS_PER_LOOK: u64 = 1024;

/// Whose bucket it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Address(IpAddr),
    Application(ApplicationId),
    Shared(u64),
}

/// Time that never goes back, made of a clock that may: it counts what the clock has moved forwards.
#[derive(Clone)]
pub(super) struct Ticks(Arc<TicksOf>);

struct TicksOf {
    clock: Arc<dyn Clock>,
    /// What the clock showed last, and the time counted so far; both in microseconds.
    seen: Mutex<(i64, u64)>,
}

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let now = self.0.clock.now().micros();
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.1 = seen.1.saturating_add(u64::try_from(now.saturating_sub(seen.0)).unwrap_or(0));
        seen.0 = now;
        Duration::from_micros(seen.1)
    }
}

type Limiter = RateLimiter<Key, HashMapStateStore<Key>, Ticks, StateInformationMiddleware>;

/// The buckets of one limit.
pub(super) struct Limit {
    limiter: Limiter,
    checks: AtomicU64,
    full: AtomicBool,
}

impl Limit {
    pub(super) fn new(quota: Quota, ticks: &Ticks) -> Self {
        let limiter = RateLimiter::hashmap_with_clock(quota, ticks.clone()).with_middleware();
        Limit { limiter, checks: AtomicU64::new(0), full: AtomicBool::new(false) }
    }

    /// Takes one token. Tells how many are left, or after how long there is one.
    pub(super) fn take(&self, key: Key, ticks: &Ticks, hasher: &RandomState) -> Result<u32, Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHECKS_PER_LOOK) {
            if self.limiter.len() >= MOST_BUCKETS / 2 {
                self.limiter.retain_recent();
            }
            self.full.store(self.limiter.len() >= MOST_BUCKETS, Ordering::Relaxed);
        }
        let key = match self.full.load(Ordering::Relaxed) {
            true => Key::Shared(hasher.hash_one(&key) % SHARED_BUCKETS),
            false => key,
        };
        match self.limiter.check_key(&key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(refused) => Err(refused.wait_time_from(ticks.now())),
        }
    }
}

/// All limits of a server.
pub struct Throttle {
    ticks: Ticks,
    hasher: RandomState,
    tokens: Limit,
    payments: Limit,
    others: Limit,
    merchants: Windows,
}

const TOKENS: NonZeroU32 = NonZeroU32::new(10).unwrap();
const PAYMENTS: NonZeroU32 = NonZeroU32::new(60).unwrap();
const OTHERS: NonZeroU32 = NonZeroU32::new(300).unwrap();

impl Throttle {
    /// With full buckets.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let seen = Mutex::new((clock.now().micros(), 0));
        let ticks = Ticks(Arc::new(TicksOf { clock, seen }));
        Throttle {
            hasher: RandomState::new(),
            tokens: Limit::new(Quota::per_minute(TOKENS), &ticks),
            payments: Limit::new(Quota::per_minute(PAYMENTS), &ticks),
            others: Limit::new(Quota::per_minute(OTHERS), &ticks),
            merchants: Windows::new(&ticks),
            ticks,
        }
    }

    /// Takes one token of the bucket that a call falls into.
    fn take(&self, scope: Scope, address: IpAddr, application: Option<ApplicationId>) -> Result<u32, ApiError> {
        let by_address = Key::Address(group(address));
        let (limit, key) = match scope {
            Scope::Token => (&self.tokens, by_address),
            Scope::Payment => (&self.payments, application.map_or(by_address, Key::Application)),
            Scope::Other => (&self.others, by_address),
        };
        limit.take(key, &self.ticks, &self.hasher).map_err(|wait| ApiError::throttled(seconds(wait).max(1)))
    }

    /// Takes one token of each bucket of the merchant API.
    fn take_merchant(&self, address: IpAddr) -> Taken {
        self.merchants.take(&Key::Address(group(address)), &self.ticks, &self.hasher)
    }
}

/// Whole seconds, at least as long as the time.
pub(super) fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs() + u64::from(time.subsec_nanos() > 0)).unwrap_or(u32::MAX)
}

/// An IPv6 network of 64 bits belongs to one customer as a rule.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        short => short,
    }
}

/// Which limit a call falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Token,
    Payment,
    Other,
}

impl Scope {
    /// `None` for what is not limited here: health, documentation, the calls of operators, auditors and merchants.
    fn of(request: &Request) -> Option<Self> {
        let path = request.uri().path();
        if !under(path, "/api") || under(path, "/api/actuator") {
            return None;
        }
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        Some(match (request.method(), route) {
            (&Method::POST, Some("/api/v1/auth/token")) => Scope::Token,
            (&Method::POST, Some("/api/v1/transactions")) => Scope::Payment,
            _ => Scope::Other,
        })
    }
}

fn under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where a call comes from.
fn origin(app: &App, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    client::address(peer, request.headers(), &app.settings().trusted_proxies)
}

/// What an answer tells of the limits that its call fell under.
pub enum Count {
    /// Nothing: it fell under none, or the refusal tells.
    Untold,
    /// How many calls are left.
    Left(u32),
    /// How full the windows of the merchant API are.
    Windows(Taken),
}

impl Count {
    /// Tells in headers.
    pub fn tell(&self, headers: &mut HeaderMap) {
        match self {
            Count::Untold => {}
            Count::Left(left) => {
                headers.insert(REMAINING, HeaderValue::from(*left));
            }
            Count::Windows(taken) => taken.tell(headers),
        }
    }
}

/// Lets a call through, or refuses it with 429; and what its answer tells, either way.
pub fn admit(app: &App, request: &mut Request) -> (Count, Result<(), ApiError>) {
    let Some(throttle) = app.throttle() else { return (Count::Untold, Ok(())) };
    if under(request.uri().path(), "/v2") {
        let taken = throttle.take_merchant(origin(app, request));
        let refused = taken.wait().map(|wait| ApiError::throttled(seconds(wait).max(1)));
        return (Count::Windows(taken), refused.map_or(Ok(()), Err));
    }
    let Some(scope) = Scope::of(request) else { return (Count::Untold, Ok(())) };
    let address = origin(app, request);
    let application = match scope {
        Scope::Payment => bearer(request.headers()).and_then(|token| app.tokens().check(token, app.now()).ok()),
        Scope::Token | Scope::Other => None,
    };
    if let Some(application) = application {
        request.extensions_mut().insert(Verified(application));
    }
    match throttle.take(scope, address, application) {
        Ok(left) => (Count::Left(left), Ok(())),
        Err(error) => (Count::Untold, Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flexledger_commands::clock::ManualClock;
    use flexledger_domain::{Instant, Span};

    fn address(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(n).into()
    }

    #[test]
    fn a_bucket_empties_and_fills_again_whatever_the_clock_does() {
        let start = Instant::from_micros(1_774_611_912_000_000);
        let clock = Arc::new(ManualClock::new(start));
        let throttle = Throttle::new(clock.clone());
        let take = || throttle.take(Scope::Token, address(1), None);
        for left in (0..10).rev() {
            assert_eq!(take(), Ok(left));
        }
        assert_eq!(take().unwrap_err().retry_after, Some(6));
        assert_eq!(throttle.take(Scope::Token, address(2), None), Ok(9));
        clock.set(start.plus(Span::from_seconds(6)));
        assert_eq!(take(), Ok(0));
        clock.set(Instant::from_micros(0));
        assert!(take().is_err());
        clock.set(Instant::from_micros(60_000_000));
        assert_eq!(take(), Ok(9));
    }

    #[test]
    fn memory_is_bounded_and_strangers_share() {
        let throttle = Throttle::new(Arc::new(ManualClock::new(Instant::from_micros(0))));
        for n in 0..250_000 {
            let _full_buckets_refuse = throttle.take(Scope::Other, address(n), None);
        }
        let most = MOST_BUCKETS + usize::try_from(CHECKS_PER_LOOK + SHARED_BUCKETS).unwrap();
        assert!(throttle.others.limiter.len() <= most, "{}", throttle.others.limiter.len());
    }

    #[test]
    fn neighbours_in_a_network_count_as_one() {
        assert_eq!(group("2001:db8::1".parse().unwrap()), group("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(group("2001:db8::1".parse().unwrap()), group("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(group("::ffff:1.2.3.4".parse().unwrap()), address(0x0102_0304));
    }
}
