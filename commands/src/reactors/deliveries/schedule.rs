//! Who goes out next: pure, so that fairness can be tested without a network.
//!
//! Each target of each application is a lane. Lanes take turns; none has more than [`LANE`] exchanges at a time. A
//! lane whose last exchange was slow is held to what the others leave of half of [`ALL`], so that any number of dead
//! receivers leaves room for the live ones.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use flexledger_domain::ids::ApplicationId;
use flexledger_domain::webhooks::Owed;
use hashbrown::HashMap;
use tokio::time::Instant;

/// Exchanges at a time, in all.
pub const ALL: usize = 512;
/// Exchanges at a time to one target.
pub const LANE: usize = 64;
/// An exchange that took this long makes its lane a slow one.
const SLOW: Duration = Duration::from_secs(1);

/// An application and the origin of the URL.
type Target = (ApplicationId, Arc<str>);

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Owed>,
    flying: usize,
    slow: bool,
    /// Whether it stands in the round.
    listed: bool,
}

/// An exchange that has begun.
pub struct Flight {
    /// What is sent.
    pub owed: Owed,
    target: Target,
}

/// All lanes, and those records that wait for their time.
#[derive(Default)]
pub struct Schedule {
    lanes: HashMap<Target, Lane>,
    round: VecDeque<Target>,
    sleeping: BTreeMap<(Instant, u64), Owed>,
    flying: usize,
    slept: u64,
}

impl Schedule {
    /// Takes in a record that is to go out after `pause`. Records of one target keep their order; one whose pause is
    /// over goes first.
    pub fn add(&mut self, owed: Owed, now: Instant, pause: Duration) {
        if pause.is_zero() {
            self.enter(owed, false);
        } else {
            self.slept += 1;
            self.sleeping.insert((now + pause, self.slept), owed);
        }
    }

    /// When the next pause is over.
    pub fn next_due(&self) -> Option<Instant> {
        self.sleeping.first_key_value().map(|((due, _), _)| *due)
    }

    /// Puts those whose pause is over into their lanes.
    pub fn wake(&mut self, now: Instant) {
        while let Some(first) = self.sleeping.first_entry().filter(|first| first.key().0 <= now) {
            let owed = first.remove();
            self.enter(owed, true);
        }
    }

    /// The next exchange, if there is room for one.
    pub fn next(&mut self) -> Option<Flight> {
        if self.flying >= ALL {
            return None;
        }
        for _ in 0..self.round.len() {
            let target = self.round.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&target) else { continue };
            if lane.slow && self.flying >= ALL / 2 {
                self.round.push_back(target);
                continue;
            }
            lane.listed = false;
            let Some(owed) = lane.waiting.pop_front() else { continue };
            lane.flying += 1;
            self.flying += 1;
            self.list(&target);
            return Some(Flight { owed, target });
        }
        None
    }

    /// An exchange is over.
    pub fn land(&mut self, flight: &Flight, took: Duration) {
        self.flying = self.flying.saturating_sub(1);
        let Some(lane) = self.lanes.get_mut(&flight.target) else { return };
        lane.flying = lane.flying.saturating_sub(1);
        lane.slow = took >= SLOW;
        if lane.flying == 0 && lane.waiting.is_empty() {
            self.lanes.remove(&flight.target);
        } else {
            self.list(&flight.target);
        }
    }

    fn enter(&mut self, owed: Owed, first: bool) {
        let target = (owed.application, origin(&owed.url));
        let lane = self.lanes.entry(target.clone()).or_default();
        if first {
            lane.waiting.push_front(owed);
        } else {
            lane.waiting.push_back(owed);
        }
        self.list(&target);
    }

    /// Puts a lane that may begin an exchange at the end of the round, once.
    fn list(&mut self, target: &Target) {
        let Some(lane) = self.lanes.get_mut(target) else { return };
        if !lane.listed && lane.flying < LANE && !lane.waiting.is_empty() {
            lane.listed = true;
            self.round.push_back(target.clone());
        }
    }
}

/// Scheme and authority of a URL.
fn origin(url: &Arc<str>) -> Arc<str> {
    let after = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(after..).unwrap_or_default();
    let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url.get(..after + length).map_or_else(|| url.clone(), Arc::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flexledger_domain::ids::{Position, Reference, WebhookId};
    use flexledger_domain::payments::{Delivery, Direction};
    use flexledger_domain::testing::World;
    use flexledger_domain::webhooks::Webhooks;
    use uuid::Uuid;

    /// Records of a random history, sent elsewhere.
    fn owed(target: u128, number: u64) -> Owed {
        let mut owed = template();
        owed.id = WebhookId::from_uuid(Uuid::from_u128(u128::from(number)));
        owed.transaction = Reference::new(Position::new(number), 0);
        owed.application = ApplicationId::from_uuid(Uuid::from_u128(target));
        owed.url = format!("https://host-{target}.example.com/a?b").into();
        owed.cause = Position::new(number);
        owed
    }

    fn template() -> Owed {
        let world = World::random(7, 80);
        let webhooks: &Webhooks = &world.ledger.webhooks;
        let mut owed = webhooks.owed_after(Position::START).next().cloned().expect("something is owed");
        (owed.delivery, owed.direction) = (Delivery::default(), Direction::Receiver);
        owed
    }

    fn started(schedule: &mut Schedule) -> Vec<Flight> {
        std::iter::from_fn(|| schedule.next()).collect()
    }

    #[test]
    fn origins() {
        for (url, expected) in [
            ("https://a.example.com/x?y#z", "https://a.example.com"),
            ("http://a:81?y", "http://a:81"),
            ("https://a", "https://a"),
            ("odd", "odd"),
        ] {
            assert_eq!(&*origin(&url.into()), expected);
        }
    }

    #[test]
    fn a_flooded_lane_leaves_room_and_order() {
        let mut schedule = Schedule::default();
        let now = Instant::now();
        (0..200).for_each(|n| schedule.add(owed(1, n), now, Duration::ZERO));
        schedule.add(owed(2, 1000), now, Duration::ZERO);
        let flights = started(&mut schedule);
        assert_eq!(flights.len(), LANE + 1);
        assert!(flights.iter().take(2).any(|flight| flight.owed.cause == Position::new(1000)), "lanes take turns");
        let first: Vec<u64> = flights.iter().map(|f| f.owed.cause.number()).filter(|n| *n < 1000).collect();
        assert!(first.is_sorted());
        flights.iter().take(10).for_each(|flight| schedule.land(flight, Duration::ZERO));
        assert!(started(&mut schedule).len() <= 10);
    }

    #[test]
    fn slow_lanes_leave_half_to_the_others() {
        let mut schedule = Schedule::default();
        let now = Instant::now();
        for target in 0..32 {
            (0..100).for_each(|n| schedule.add(owed(target, n), now, Duration::ZERO));
        }
        let flights = started(&mut schedule);
        assert_eq!(flights.len(), ALL);
        flights.iter().for_each(|flight| schedule.land(flight, Duration::from_secs(10)));
        assert_eq!(started(&mut schedule).len(), ALL / 2);
        schedule.add(owed(99, 1), now, Duration::ZERO);
        let live = started(&mut schedule);
        assert_eq!(live.len(), 1, "a live receiver is served at once");
    }

    #[test]
    fn pauses_are_kept_and_idle_lanes_forgotten() {
        let mut schedule = Schedule::default();
        let now = Instant::now();
        schedule.add(owed(1, 1), now, Duration::from_secs(2));
        schedule.add(owed(1, 2), now, Duration::from_secs(1));
        assert!(schedule.next().is_none());
        assert_eq!(schedule.next_due(), Some(now + Duration::from_secs(1)));
        schedule.wake(now + Duration::from_secs(1));
        let flights = started(&mut schedule);
        assert_eq!(flights.len(), 1);
        flights.iter().for_each(|flight| schedule.land(flight, Duration::ZERO));
        assert!(schedule.lanes.is_empty() && schedule.flying == 0);
        schedule.wake(now + Duration::from_secs(2));
        assert_eq!(started(&mut schedule).len(), 1);
    }
}
