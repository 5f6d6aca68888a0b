//! Which idempotency keys were used lately, and by which command.
//!
//! The record of a key is part of the first event of its command, so it is written with it or not at all. In memory a
//! key costs 32 bytes: a digest, the position of that event and the instant it was recorded at. Entries lie in hourly
//! buckets; a bucket is dropped as a whole once its last entry has left the window.

use std::collections::VecDeque;

use flexledger_domain::{Actor, Idempotency, Instant, Position, Recorded, Span};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Seconds in one bucket.
const BUCKET_SECONDS: i64 = 3600;

/// A key as the index knows it: 128 bits of SHA-256 over the actor and the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyDigest([u8; 16]);

impl KeyDigest {
    /// The digest of `key` in the scope of `actor`.
    pub fn new(actor: Actor, key: &Idempotency) -> Self {
        let scope = match actor {
            Actor::Application(id) => *id.uuid().as_bytes(),
            Actor::Merchant(id) => *id.uuid().as_bytes(),
            Actor::Operator => *b"operator--------",
            Actor::Public => *b"public----------",
            Actor::System => *b"system----------",
        };
        let digest: [u8; 32] = Sha256::new().chain_update(scope).chain_update(key.key.as_bytes()).finalize().into();
        let mut half = [0; 16];
        half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        KeyDigest(half)
    }
}

/// One used key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The key.
    pub digest: KeyDigest,
    /// The first event of the command that used it.
    pub position: Position,
    /// When that event was recorded.
    pub at: Instant,
}

#[derive(Clone, Copy)]
struct Slot {
    position: Position,
    at: Instant,
}

struct Bucket {
    hour: i64,
    keys: HashMap<KeyDigest, Slot>,
}

/// The keys used within the window.
pub struct Index {
    window: Span,
    buckets: VecDeque<Bucket>,
}

impl Index {
    /// An empty index of keys that count for `window`.
    pub fn new(window: Span) -> Self {
        Index { window, buckets: VecDeque::new() }
    }

    /// The first event of the command that used this key within the window before `now`.
    pub fn find(&self, digest: KeyDigest, now: Instant) -> Option<Position> {
        let slot = self.buckets.iter().rev().find_map(|bucket| bucket.keys.get(&digest))?;
        (now.since(slot.at) < self.window).then_some(slot.position)
    }

    /// Notes a used key.
    pub fn insert(&mut self, used: Used) {
        let hour = used.at.seconds().div_euclid(BUCKET_SECONDS);
        if self.buckets.back().is_none_or(|last| last.hour < hour) {
            self.drop_old(used.at);
            self.buckets.push_back(Bucket { hour, keys: HashMap::new() });
        }
        if let Some(bucket) = self.buckets.back_mut() {
            bucket.keys.insert(used.digest, Slot { position: used.position, at: used.at });
        }
    }

    /// Notes the key of an event, if it has one, and returns the entry.
    pub fn apply(&mut self, recorded: &Recorded) -> Option<Used> {
        let key = recorded.idempotency.as_ref()?;
        let digest = KeyDigest::new(recorded.actor, key);
        let used = Used { digest, position: recorded.position, at: recorded.recorded_at };
        self.insert(used);
        Some(used)
    }

    fn drop_old(&mut self, now: Instant) {
        let end =
            |hour: i64| Instant::from_micros((hour + 1) * BUCKET_SECONDS * flexledger_domain::time::MICROS_PER_SECOND);
        while self.buckets.front().is_some_and(|first| now.since(end(first.hour)) >= self.window) {
            self.buckets.pop_front();
        }
    }

    /// How many keys are held.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.keys.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(key: &str, position: u64, second: i64) -> Used {
        let key = Idempotency { fingerprint: None, key: key.to_owned() };
        let at = Instant::from_micros(second * 1_000_000);
        Used { digest: KeyDigest::new(Actor::Operator, &key), position: Position::new(position), at }
    }

    #[test]
    fn a_key_counts_within_the_window_only() {
        let mut index = Index::new(Span::from_seconds(86_400));
        let first = used("a", 1, 1_000_000);
        index.insert(first);
        let at = |second: i64| Instant::from_micros(second * 1_000_000);
        assert_eq!(index.find(first.digest, at(1_000_000 + 86_399)), Some(Position::new(1)));
        assert_eq!(index.find(first.digest, at(1_000_000 + 86_400)), None);
        index.insert(used("a", 9, 1_000_000 + 90_000));
        assert_eq!(index.find(first.digest, at(1_000_000 + 90_001)), Some(Position::new(9)));
    }

    #[test]
    fn old_buckets_are_dropped() {
        let mut index = Index::new(Span::from_seconds(86_400));
        for hour in 0..100 {
            index.insert(used(&format!("k{hour}"), hour, i64::try_from(hour).expect("small") * 3600));
        }
        assert!(index.len() <= 26, "{}", index.len());
    }

    #[test]
    fn scopes_are_apart() {
        let key = Idempotency { fingerprint: None, key: "k".to_owned() };
        assert_ne!(KeyDigest::new(Actor::Operator, &key), KeyDigest::new(Actor::Public, &key));
    }
}
